/* SPDX-License-Identifier: ISC */
/* checker/check.h - the families of checks, each a pure function of facts.
 *
 * Every function may be called many times with more facts each time; it adds findings for
 * what it can judge and asks for the rest with fact_get(). Only the findings of the run in
 * which nothing was missing are shown. Pure: no I/O, no clock, no globals. */
#ifndef CHECKER_CHECK_H
#define CHECKER_CHECK_H

#include <stdbool.h>

#include "base/core/ipaddr.h"
#include "checker/facts.h"
#include "checker/finding.h"
#include "zones/model/zone.h"

#define CHECK_SELECTORS_MAX 16

/* What is known beforehand of the domain to be checked. */
struct check_target {
    const char *domain;      /* A-labels, no final dot */
    const struct zone *zone; /* what our database publishes; NULL: not ours */
    const char *selector[CHECK_SELECTORS_MAX]; /* DKIM selectors to look at */
    size_t n_selectors;
    bool is_private_reachable; /* in a test net 127.x and fd00::/8 stand for the world */
};

/* Everything about one mail domain. ctx is a struct check_target. */
void check_domain(void *ctx, struct facts *facts, struct findings *out);

/* The families check_domain() is made of. */
void check_zone_live(const struct check_target *t, struct facts *facts,
                     struct findings *out);
void check_mx(const struct check_target *t, struct facts *facts, struct findings *out);
void check_spf(const struct check_target *t, struct facts *facts, struct findings *out);
void check_dkim(const struct check_target *t, struct facts *facts, struct findings *out);
void check_dmarc(const struct check_target *t, struct facts *facts, struct findings *out);
void check_tlsrpt(const struct check_target *t, struct facts *facts,
                  struct findings *out);

/* Reverse names. ctx is a struct check_host: a host name or an address. */
struct check_host {
    const char *name; /* NULL: `addr` is meant */
    struct ipaddr addr;
};
void check_rdns(void *ctx, struct facts *facts, struct findings *out);

/* Block lists. ctx is a struct check_listed: an address or a domain. */
struct check_listed {
    const char *domain; /* NULL: `addr` is meant */
    struct ipaddr addr;
    const char *const *lists; /* zones to ask instead of the built-in table; or NULL */
    size_t n_lists;
};
void check_blocklist(void *ctx, struct facts *facts, struct findings *out);

/* Does `name` lead back to `addr` by A/AAAA? FACT_MISSING: ask again later. */
enum confirm { CONFIRM_MISSING, CONFIRM_YES, CONFIRM_NO, CONFIRM_UNKNOWN };
enum confirm check_confirm(struct facts *facts, const char *name,
                           const struct ipaddr *addr);

#endif
