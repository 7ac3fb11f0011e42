/* SPDX-License-Identifier: ISC */
/* base/io/notify.h - "the domain database changed", said to whoever listens.
 *
 * Why:       a commit shall be answered within milliseconds, and the writer shall not know
 *            who reads. The datagram gives speed; a poll of data_version (the listener's
 *            business) gives certainty, so losing one is harmless.
 * Ownership: the socket file belongs to the listener and goes with it, unless it was adopted.
 * Threads:   listening in the loop's thread; notify_send from anywhere, it never waits.
 *
 * A listener is a datagram socket <dir>/<name>; the directory is the list of listeners. */
#ifndef BASE_IO_NOTIFY_H
#define BASE_IO_NOTIFY_H

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/io/loop.h"

struct notify;

/* Listen as <dir>/<name>; the directory is made when missing (0770), a left-over socket of
 * that name is replaced. Several datagrams that gathered give one call of `cb`. */
struct notify *notify_listen(struct loop *l, const char *dir, const char *name,
                             void (*cb)(void *ctx), void *ctx, struct err *err);
/* The same in two steps, for a process that may not open sockets: whoever may opens it, hands
 * over the descriptor (-1 with *err) and removes the socket file in the end. */
MUST_USE int notify_open(const char *dir, const char *name, struct err *err);
struct notify *notify_adopt(struct loop *l, int fd, void (*cb)(void *ctx), void *ctx);
void notify_free(struct notify **n);

/* One datagram to each socket in `dir`. Sockets nobody reads any more are removed. A missing
 * directory means that nobody listens. Returns how many were told. */
int notify_send(const char *dir);

#endif
