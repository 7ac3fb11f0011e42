/* SPDX-License-Identifier: ISC */
/* zones/change.h - one transaction per intent, and the log of them.
 *
 * Why:       every write is a revision with who, when, why, before and after: so zones
 *            have serials, a diff, and a history that explains itself.
 * Ownership: see zones/domaindb.h.
 *
 *     change_begin(d, &(struct change_intent){who, "domain add example.com", now}, err)
 *     ... domain_insert(), record_insert(), ...
 *     change_commit(d, &serial, err)       or change_rollback(d)
 *
 * Invariants (kept by triggers of the schema, not by the callers' discipline):
 *  1. a row of host, address, service, domain, record, dkim_key, account, alias or
 *     setting changes only inside an open change, and each such row is in change_row
 *     with its values before and after as JSON;
 *  2. what changes the contents of a zone moves that zone's serial in zone_touch, and
 *     what changes all zones (hosts, settings) moves the row of domain 0;
 *  3. serials only grow, also over removal and re-adding of a domain. */
#ifndef ZONES_CHANGE_H
#define ZONES_CHANGE_H

#include "zones/domaindb.h"

struct change_intent {
    const char *who;    /* login name, or "builder" */
    const char *intent; /* the command as a sentence, without secrets */
    int64_t at_s;       /* wall clock */
};

/* BEGIN IMMEDIATE; waits up to 10 s for another writer. */
MUST_USE int change_begin(struct domaindb *d, const struct change_intent *i,
                          struct err *err);
/* Commit, then tell every socket in the notify directory. A change that changed no row is
 * rolled back and gives *serial = 0. */
MUST_USE int change_commit(struct domaindb *d, int64_t *serial, struct err *err);
void change_rollback(struct domaindb *d);

/* Serial of the newest change, 0 when there is none, -1 on error. */
int64_t change_last(struct domaindb *d, struct err *err);

/* What the builder has to do for everything after `since`, oldest first. */
struct zone_touch {
    int64_t domain_id; /* 0: every zone */
    int64_t serial;    /* change serial of the last touch */
    bool is_removed;   /* the zone is gone: stop serving `name` */
    const char *name;  /* valid inside the callback */
};
MUST_USE int change_zones_since(struct domaindb *d, int64_t since,
                                void (*each)(void *ctx, const struct zone_touch *t),
                                void *ctx, struct err *err);

/* The change that made a zone's contents what they are: the newer one of the domain's own and
 * of what counts for all zones. Serial and time together name it also across a restored
 * backup, after which serials are given a second time. */
struct zone_made {
    int64_t domain_id;
    int64_t serial, at_s; /* 0 when there was none */
    const char *name;     /* change_zones() only; valid inside the callback */
};
MUST_USE int change_made(struct domaindb *d, int64_t domain_id, struct zone_made *made,
                         struct err *err);
/* Of every domain there is, by ascending domain_id. */
MUST_USE int change_zones(struct domaindb *d,
                          void (*each)(void *ctx, const struct zone_made *made),
                          void *ctx, struct err *err);

/* The log itself, newest first, at most `limit` rows; domain_id 0 = of all. */
struct change_info {
    int64_t serial, at_s;
    const char *who, *intent;
    const char *kind;           /* table */
    const char *before, *after; /* JSON objects, "" when not there */
};
MUST_USE int change_list(struct domaindb *d, int64_t domain_id, int limit,
                         void (*each)(void *ctx, const struct change_info *c), void *ctx,
                         struct err *err);

/* SOA serial of a change serial: setting `serial_base` (the day of setup as YYYYMMDD00)
 * plus the change serial, so it grows strictly (RFC 1982) and looks like the date
 * serials administrators know. */
uint32_t change_soa_serial(int64_t base, int64_t serial);

#endif
