/* SPDX-License-Identifier: ISC */
/* zones/zonefile.h - master files (RFC 1035 5): print a zone, read a zone.
 *
 * Why:       people and other name servers read and write this format.
 * Ownership: the caller owns buffer, text and the zone returned.
 * Threads:   no state. Pure: $INCLUDE is refused, because reading files is not ours. */
#ifndef ZONES_ZONEFILE_H
#define ZONES_ZONEFILE_H

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/span.h"
#include "zones/model/zone.h"

struct zonefile_style {
    bool has_rules; /* name the rule behind each record in a comment */
};

/* The whole zone, SOA first, absolute owners, one record a line; accepted by
 * named-checkzone, nsd-checkzone and kzonecheck. 0, or -1 at the ceiling of `out`. */
MUST_USE int zonefile_print(const struct zone *z, const struct zonefile_style *style,
                            struct buf *out);
/* One record as a line with line feed. */
MUST_USE int zonefile_print_rr(const struct rrset *set, const struct rr *r,
                               struct buf *out);

/* Read a master file: $ORIGIN, $TTL, $GENERATE, parentheses, blank owners, classes and TTLs
 * in either order, \# rdata. `rule` is given to each record. NULL with *err naming line and
 * fault. */
struct zone *zonefile_parse(const char *name, struct span text, struct span apex,
                            const char *rule, struct err *err);

#endif
