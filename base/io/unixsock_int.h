/* SPDX-License-Identifier: ISC */
/* base/io/unixsock_int.h - UNIX socket names, for control and notify. */
#ifndef BASE_IO_UNIXSOCK_INT_H
#define BASE_IO_UNIXSOCK_INT_H

#include <sys/socket.h>
#include <sys/un.h>

#include "base/core/attr.h"
#include "base/core/err.h"

/* Fill `sun`; -1 with *err when the path is longer than the kernel allows (107). */
MUST_USE int unixsock_name(const char *path, struct sockaddr_un *sun, struct err *err);
/* A bound socket of `type` at `path` with `mode`; non-blocking, close-on-exec. A left-over
 * file nobody answers at is replaced, a living one is an error. -1 with *err. */
MUST_USE int unixsock_bind(const char *path, int type, unsigned mode, struct err *err);

#endif
