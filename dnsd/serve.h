/* SPDX-License-Identifier: ISC */
/* dnsd/serve.h - the part that answers: threads with sockets, and a control part that
 * takes compiled zones from the builder.
 *
 * Why:       this part reads packets of strangers, so it opens no file and no database; all
 *            it gets is sealed memory, which it checks.
 * Ownership: the struct owns sockets, threads and zones.
 * Threads:   serve_* from the loop's thread. */
#ifndef DNSD_SERVE_H
#define DNSD_SERVE_H

#include "base/core/attr.h"
#include "dnsd/roles.h"

struct serve;

/* Take the sockets; answering begins when the builder says LOADED. NULL with *err. */
struct serve *serve_start(const struct dnsd_env *env, struct err *err);
/* A builder is at the other end of `fd` now. */
void serve_plug(struct serve *s, int fd);
/* Stop answering, close everything. */
void serve_stop(struct serve **s);

#endif
