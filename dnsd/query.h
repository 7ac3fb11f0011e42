/* SPDX-License-Identifier: ISC */
/* dnsd/query.h - packet in, packet out.
 *
 * Why:       everything that happens to a DNS query is in one call, on one buffer, so it
 *            can be tested octet by octet and costs what it must.
 * Ownership: the packet buffer is the caller's; the reply is built in place, the question
 *            is left as the client sent it (letter case, RFC 1035 7.3 and 0x20).
 * Threads:   one context per thread; between grace_enter() and grace_leave().
 * Pure:      no socket, no clock, no allocation, no lock. */
#ifndef DNSD_QUERY_H
#define DNSD_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "dnsd/stats.h"
#include "dnsd/zonetab.h"

#define QUERY_UDP_CAP 1232  /* largest UDP reply: give query_answer() room for it */
#define QUERY_TCP_CAP 65535 /* largest TCP reply */

struct query_ctx {
    const struct zonetab *zones;
    struct stats *stats;
};

enum query_transport { QUERY_UDP, QUERY_TCP };

/* Answer the `len` octets at `packet`, in place; `cap` octets are there, at least
 * QUERY_UDP_CAP or QUERY_TCP_CAP. Returns the length of the reply, 0 for no reply. */
MUST_USE size_t query_answer(const struct query_ctx *ctx, uint8_t *packet, size_t len,
                             size_t cap, enum query_transport transport);

#endif
