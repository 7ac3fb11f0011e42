/* SPDX-License-Identifier: ISC */
/* zones/model/zone.h - one zone in memory: record sets in canonical order.
 *
 * Why:       generator, lint, export, diff and image all work on the same thing, and none
 *            of them on a database.
 * Ownership: the zone owns all in it (an arena); add copies what it is given.
 * Threads:   one owner while it is built, then read-only. Pure.
 *
 * Owners are kept in lower case; rdata keeps the case it was given. */
#ifndef ZONES_MODEL_ZONE_H
#define ZONES_MODEL_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/span.h"
#include "base/dns/dname.h"
#include "base/dns/rrtype.h"
#include "zones/model/rrset.h"

struct zone;

#define ZONE_OCTETS_MAX (256u << 20) /* default ceiling of one zone's memory */

/* An empty zone for this apex (wire form). `max_octets` 0: ZONE_OCTETS_MAX. */
struct zone *zone_new(struct span apex, size_t max_octets);
void zone_free(struct zone **z);
struct span zone_apex(const struct zone *z);

enum zone_add_result {
    ZONE_ADDED,
    ZONE_SAME,      /* this record is there already; nothing changed */
    ZONE_OUTSIDE,   /* owner is not at or below the apex */
    ZONE_BAD_RDATA, /* not the shape of its type, or a type that is never zone data */
    ZONE_FULL,      /* ceiling reached */
};
/* Add one record. When the RRset exists with another TTL, the lower one holds for all
 * (RFC 2181 5.2). `rule` names what made the record. */
MUST_USE enum zone_add_result zone_add(struct zone *z, struct span owner, uint16_t type,
                                       uint32_t ttl_s, struct span rdata,
                                       const char *rule);
const char *zone_add_result_text(enum zone_add_result r);
/* The same from text: owner relative to the apex ("@", "mail", "www.example.com."), rdata
 * in presentation form. 0, or -1 with *err; a record that is there already is no error. */
MUST_USE int zone_add_text(struct zone *z, const char *owner, uint16_t type,
                           uint32_t ttl_s, const char *rdata, const char *rule,
                           struct err *err);
/* Take a whole RRset out; false when there was none. */
bool zone_remove(struct zone *z, struct span owner, uint16_t type);

/* The RRset, or NULL. Letter case of `owner` does not matter. */
const struct rrset *zone_find(const struct zone *z, struct span owner, uint16_t type);
/* Some RRset stands at this name (not: below it). */
bool zone_has_name(const struct zone *z, struct span owner);
/* All RRsets in canonical order of owners, then by type: i in [0, zone_count()). */
size_t zone_count(const struct zone *z);
const struct rrset *zone_at(const struct zone *z, size_t i);
/* Index of the first RRset of `owner`, or of where it would stand. */
size_t zone_seek(const struct zone *z, struct span owner);
/* Records, all RRsets together. */
size_t zone_records(const struct zone *z);
/* The SOA's serial, or 0 without a SOA. */
uint32_t zone_serial(const struct zone *z);

enum zone_change { ZONE_REMOVED, ZONE_APPEARED, ZONE_TTL };
/* What turns `before` into `after`, record by record in canonical order. For ZONE_TTL the
 * set is the new one and `r` is NULL. Either zone may be NULL (empty). Returns how many. */
size_t zone_diff(const struct zone *before, const struct zone *after,
                 void (*cb)(void *ctx, enum zone_change what, const struct rrset *set,
                            const struct rr *r),
                 void *ctx);

#endif
