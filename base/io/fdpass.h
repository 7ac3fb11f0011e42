/* SPDX-License-Identifier: ISC */
/* base/io/fdpass.h - one datagram with at most one descriptor over a UNIX socket.
 *
 * Why:       ancillary data is easy to get wrong; it is done here once.
 * Ownership: a sent descriptor stays the caller's, a received one becomes the caller's.
 * Threads:   any. */
#ifndef BASE_IO_FDPASS_H
#define BASE_IO_FDPASS_H

#include <sys/types.h>

#include "base/core/attr.h"
#include "base/core/span.h"

/* Send `s` and `fd` (-1 for none). Waits when the socket is blocking. 0, or -1 with errno:
 * EAGAIN when the socket is full and non-blocking. */
MUST_USE int fdpass_send(int sock, struct span s, int fd);
/* Receive one datagram of at most `max` octets. Octets received, 0 at the end of the
 * stream, -1 with errno; EMSGSIZE when it was longer or carried more than one descriptor.
 * *fd is the descriptor, close-on-exec, or -1. */
MUST_USE ssize_t fdpass_receive(int sock, void *room, size_t max, int *fd);

#endif
