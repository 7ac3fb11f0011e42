/* SPDX-License-Identifier: ISC */
/* zones/model/rrset.h - records of one owner and type.
 *
 * Ownership: an rrset belongs to its zone's arena and lives as long as the zone.
 * Threads:   constant once the zone is built. Pure. */
#ifndef ZONES_MODEL_RRSET_H
#define ZONES_MODEL_RRSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/span.h"

struct rr {
    struct span rdata; /* wire form, names not compressed */
    const char *rule;  /* what made it: "mx", "dkim", "custom 17"; never NULL */
};

struct rrset {
    struct span owner; /* wire form, lower case */
    uint16_t type;
    uint32_t ttl_s; /* of all records (RFC 2181 5.2) */
    size_t n;
    struct rr *rr; /* sorted by rdata, no two equal */
};

/* The record with this rdata, or NULL. */
const struct rr *rrset_find(const struct rrset *s, struct span rdata);
/* Same TTL and same rdata; rules do not count. */
bool rrset_eq(const struct rrset *a, const struct rrset *b);

#endif
