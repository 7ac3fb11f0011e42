/* SPDX-License-Identifier: ISC */
/* dnsd/zonestat.h - what the builder knows of each zone: what is served, and what is wrong.
 *
 * Ownership: the caller's. Threads: the loop's. */
#ifndef DNSD_ZONESTAT_H
#define DNSD_ZONESTAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/rng.h"
#include "base/core/span.h"
#include "dnsd/batch.h"

struct zone_status {
    uint32_t soa_serial; /* of what is served; 0: nothing is */
    uint32_t records;
    size_t octets;
    int64_t published_s; /* wall clock */
    char *fault;         /* why the newest state is not served, NULL when it is */
};

struct zonestat;

struct zonestat *zonestat_new(struct rng *rng);
void zonestat_free(struct zonestat **z);
/* What became of a zone, once serve has it. */
void zonestat_note(struct zonestat *z, const struct build_item *it, int64_t now_s);
size_t zonestat_count(const struct zonestat *z);
size_t zonestat_served(const struct zonestat *z);
size_t zonestat_faulty(const struct zonestat *z);
/* NULL when the zone is unknown. `zone` is text without final dot. */
const struct zone_status *zonestat_get(const struct zonestat *z, struct span zone);
/* Visit all, in no order: start with *cursor = 0. */
bool zonestat_next(const struct zonestat *z, size_t *cursor, struct span *zone,
                   const struct zone_status **status);

#endif
