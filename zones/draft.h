/* SPDX-License-Identifier: ISC */
/* zones/draft.h - from the database to a zone ready to be published.
 *
 * Why:       the builder, `zone show` and `record add` must see exactly the same zone, so
 *            reading, generating and linting are one call.
 * Ownership: hosts and settings are read once at draft_open(); open anew after a change
 *            of domain 0 (zones/change.h). Zones are the caller's.
 * Threads:   the database's. */
#ifndef ZONES_DRAFT_H
#define ZONES_DRAFT_H

#include "base/core/arena.h"
#include "zones/generate.h"

struct draft {
    struct domaindb *db;
    struct host_set hosts;
    int64_t serial_base;
    struct arena *arena; /* inputs of the domain at hand */
};

MUST_USE int draft_open(struct draft *dr, struct domaindb *d, struct err *err);
void draft_close(struct draft *dr);

/* Generate one domain's zone. NONE when there is no such domain. Lint is the caller's
 * (zones/lint.h): the builder keeps the last good zone, the CLI prints findings. */
enum domaindb_result draft_zone(struct draft *dr, int64_t domain_id, struct zone **zone,
                                struct err *err);
enum domaindb_result draft_zone_named(struct draft *dr, struct span name,
                                      struct domain_row *row, struct zone **zone,
                                      struct err *err);

/* Generate and lint, as the builder will: for a row that is about to be stored or, inside a
 * change, has just been. REFUSED with the first error. */
enum domaindb_result draft_check(struct draft *dr, const struct domain_row *domain,
                                 struct err *err);

/* The whole check before a custom record is stored: rules of the generator, then lint of
 * the zone that would result. REFUSED with the reason. */
enum domaindb_result draft_check_record(struct draft *dr, const struct domain_row *domain,
                                        const struct record_row *record, struct err *err);

#endif
