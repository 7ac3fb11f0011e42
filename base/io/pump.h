/* SPDX-License-Identifier: ISC */
/* base/io/pump.h - carry octets between two connections until one ends.
 *
 * Why:       after login edge keeps the TLS side of a session and the mailbox role speaks
 *            the protocol over a socketpair; edge then only carries octets.
 * Ownership: the pump owns both connections from pump_new on. The callback is the last
 *            thing the pump does; it has freed itself by then.
 * Threads:   the loop's thread.
 *
 * Back-pressure: a side is read only while the other has room, so memory stays within the
 * limits of the two connections. When one side ends, what it sent is still delivered to the
 * other (within 30 s), then both are closed; but when `a` is lost (reset), `b` ends at once. */
#ifndef BASE_IO_PUMP_H
#define BASE_IO_PUMP_H

#include <stdint.h>

#include "base/io/conn.h"

struct pump;

struct pump_counts {
    uint64_t a_to_b, b_to_a; /* octets carried */
};

/* Both connections get new handlers; input that waits in them is carried first. `idle_ms`
 * without an octet in either direction ends the pump (0: never). */
struct pump *pump_new(struct conn *a, struct conn *b, int64_t idle_ms,
                      void (*done)(void *ctx, const struct pump_counts *n), void *ctx);
/* Close both sides at once, without the callback. */
void pump_free(struct pump **p);

#endif
