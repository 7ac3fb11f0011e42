/* SPDX-License-Identifier: ISC */
/* zones/alias.h - addresses that lead to other addresses, and their expansion.
 *
 * An alias may have several targets, here or elsewhere. The local part "*" is the
 * domain's catch-all. Order of look-up for local@domain (address_expand):
 *   1. account or alias of that very local part (both: the account gets a copy),
 *   2. the same without "+detail",
 *   3. the catch-all.
 * Expansion ends at 100 targets or 10 levels; an alias that leads back to itself names
 * the account behind it when there is one and is otherwise skipped. */
#ifndef ZONES_ALIAS_H
#define ZONES_ALIAS_H

#include "zones/domaindb.h"

#define ADDRESS_TARGETS_MAX 100
#define ADDRESS_DEPTH_MAX   10

struct alias_row {
    int64_t id;
    int64_t domain_id;
    char address[DOMAINDB_ADDRESS_MAX + 1]; /* "*@domain" is the catch-all */
    char target[DOMAINDB_ADDRESS_MAX + 1];
};

MUST_USE int alias_each(struct domaindb *d, int64_t domain_id,
                        void (*each)(void *ctx, const struct alias_row *row), void *ctx,
                        struct err *err);
/* Inside a change. One row per target; EXISTS when this pair is there. */
enum domaindb_result alias_insert(struct domaindb *d, struct alias_row *row,
                                  struct err *err);
/* `target` empty: all targets of the alias. NONE when nothing was there. */
enum domaindb_result alias_delete(struct domaindb *d, struct span address,
                                  struct span target, struct err *err);

enum address_result {
    ADDRESS_OK,        /* *list has at least one target */
    ADDRESS_NOT_OURS,  /* the domain is not hosted here */
    ADDRESS_UNKNOWN,   /* our domain, no such mailbox or alias */
    ADDRESS_DISABLED,  /* every account behind it is switched off */
    ADDRESS_LOOP,      /* aliases lead in a circle, or too deep, or too many targets */
    ADDRESS_MALFORMED, /* not an address we could ever host */
    ADDRESS_FAULT      /* database; *err filled */
};

struct address_target {
    int64_t account_id; /* 0: a remote address */
    char address[DOMAINDB_ADDRESS_MAX + 1];
};
struct address_targets {
    struct address_target t[ADDRESS_TARGETS_MAX];
    size_t n;
};

/* Where does mail to `address` go? Targets are unique. "postmaster" without a domain is
 * understood (RFC 5321 4.5.1): the oldest domain's. */
enum address_result address_expand(struct domaindb *d, struct span address,
                                   struct address_targets *list, struct err *err);

/* May this account send as `address`: its own (also with +detail), or an alias that leads
 * to it directly or through others. 1, 0, or -1 on error. */
int address_may_send(struct domaindb *d, int64_t account_id, struct span address,
                     struct err *err);

#endif
