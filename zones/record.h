/* SPDX-License-Identifier: ISC */
/* zones/record.h - custom records: what the owner adds to a generated zone. */
#ifndef ZONES_RECORD_H
#define ZONES_RECORD_H

#include "zones/domaindb.h"

#define RECORD_RDATA_MAX 4096 /* characters of presentation text */

struct record_row {
    int64_t id;
    int64_t domain_id;
    char owner[DOMAINDB_NAME_MAX + 1]; /* absolute, A-labels, lower case, no final dot */
    uint16_t type;
    uint32_t ttl_s;    /* 0: by the zone's TTL policy */
    const char *rdata; /* presentation form, names absolute; borrowed */
};

/* domain_id 0: of all domains. `each` must not write. */
MUST_USE int record_each(struct domaindb *d, int64_t domain_id,
                         void (*each)(void *ctx, const struct record_row *row), void *ctx,
                         struct err *err);
/* Inside a change. The caller has checked it against the zone (zones/draft.h). */
enum domaindb_result record_insert(struct domaindb *d, struct record_row *row,
                                   struct err *err);
enum domaindb_result record_delete(struct domaindb *d, int64_t id, struct err *err);

#endif
