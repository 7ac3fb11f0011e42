/* SPDX-License-Identifier: ISC */
/* dnsd/stats.h - what an answering thread counts.
 *
 * Why:       a counter shared by threads would cost more than the answer; so each thread
 *            has its own and the reader adds them up.
 * Threads:   one writer; readers may see a number that is a moment old. */
#ifndef DNSD_STATS_H
#define DNSD_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"

enum stats_item {
    STAT_UDP_QUERIES,
    STAT_TCP_QUERIES,
    STAT_TCP_CONNECTIONS,
    STAT_TCP_REFUSED, /* connections over a limit */
    STAT_UDP_SEND_LOST,
    STAT_DROP_SHORT,    /* less than a header */
    STAT_DROP_RESPONSE, /* QR set */
    STAT_EDNS,
    STAT_DNSSEC_OK,
    STAT_TRUNCATED,
    STAT_REFERRAL,
    STAT_NODATA,
    STAT_NOERROR,
    STAT_FORMERR,
    STAT_SERVFAIL,
    STAT_NXDOMAIN,
    STAT_NOTIMP,
    STAT_REFUSED,
    STAT_OTHER_RCODE,
    STAT_COUNT
};

struct stats {
    _Alignas(64) _Atomic uint64_t n[STAT_COUNT];
};

/* Plain add: one writer, so no locked instruction is needed. */
static inline void stats_add(struct stats *s, enum stats_item what, uint64_t n)
{
    uint64_t old = atomic_load_explicit(&s->n[what], memory_order_relaxed);

    atomic_store_explicit(&s->n[what], old + n, memory_order_relaxed);
}

/* "udp_queries" and so on. */
const char *stats_name(enum stats_item what);
/* Sum of `n` threads' counters for `what`. */
uint64_t stats_sum(const struct stats *const *all, unsigned n, enum stats_item what);
/* All sums as one JSON object, appended. */
MUST_USE int stats_json(const struct stats *const *all, unsigned n, struct buf *out);

#endif
