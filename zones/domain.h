/* SPDX-License-Identifier: ISC */
/* zones/domain.h - the domains we host: policy columns and look-up. */
#ifndef ZONES_DOMAIN_H
#define ZONES_DOMAIN_H

#include "zones/domaindb.h"

enum domain_spf { DOMAIN_SPF_SOFT, DOMAIN_SPF_HARD };
enum domain_dmarc { DOMAIN_DMARC_NONE, DOMAIN_DMARC_QUARANTINE, DOMAIN_DMARC_REJECT };

struct domain_row {
    int64_t id;
    char name[DOMAINDB_NAME_MAX + 1]; /* A-labels, lower case, no final dot */
    int64_t host_id;                  /* mail host */
    int mx_preference;                /* 0..65535 */
    enum domain_spf spf;
    char
        spf_extra[256]; /* terms put before "all", "" for none: "include:relay.example" */
    enum domain_dmarc dmarc;
    char rua[DOMAINDB_ADDRESS_MAX + 1]; /* DMARC and TLS reports; "" = none asked for */
    bool has_apex_address;              /* A/AAAA of the mail host at the apex too */
    bool is_settled;                    /* unchanged for a day: long TTLs */
    int64_t created_s;
    int64_t zone_serial; /* change serial of the zone's contents; read only */
};

/* Name with A-labels; letter case does not matter, a final dot is allowed. */
enum domaindb_result domain_find(struct domaindb *d, struct span name,
                                 struct domain_row *row, struct err *err);
enum domaindb_result domain_get(struct domaindb *d, int64_t id, struct domain_row *row,
                                struct err *err);
/* By name; `each` must not write. */
MUST_USE int domain_each(struct domaindb *d,
                         void (*each)(void *ctx, const struct domain_row *row), void *ctx,
                         struct err *err);
int64_t domain_count(struct domaindb *d, struct err *err); /* -1 on error */

/* Is mail for this domain ours? 1, 0, or -1 on error: one indexed look-up. */
int domain_is_ours(struct domaindb *d, struct span name, struct err *err);

/* Inside a change. insert sets row->id; EXISTS when the name is there. */
enum domaindb_result domain_insert(struct domaindb *d, struct domain_row *row,
                                   struct err *err);
enum domaindb_result domain_update(struct domaindb *d, const struct domain_row *row,
                                   struct err *err);
/* With its records, keys, aliases and accounts. */
enum domaindb_result domain_delete(struct domaindb *d, int64_t id, struct err *err);

/* The TTL policy's timed step: domains and hosts whose zone has not changed since
 * `before_s` become settled, all in one change by "builder". *n: how many. To be called
 * every few minutes by one process. */
MUST_USE int domain_settle(struct domaindb *d, int64_t now_s, int64_t before_s, int *n,
                           struct err *err);

#endif
