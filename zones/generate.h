/* SPDX-License-Identifier: ISC */
/* zones/generate.h - a domain's row becomes its record sets.
 *
 * Why:       every name and value of a zone follows from state (hosts, keys, policy,
 *            custom records) by one table of rules, so nothing is typed twice and each
 *            record can say which rule made it.
 * Ownership: the zone is the caller's; inputs are borrowed during the call.
 * Threads:   no state.
 * Pure:      no I/O, no clock, no globals.
 *
 * A new record kind is a new row of rules[] in generate.c and its function. */
#ifndef ZONES_GENERATE_H
#define ZONES_GENERATE_H

#include "base/core/err.h"
#include "zones/domain.h"
#include "zones/host.h"
#include "zones/keystate.h"
#include "zones/model/zone.h"
#include "zones/record.h"

/* To be raised with every change of what a zone gets (rules, lint errors, image_build): then
 * images of an earlier program are compiled again. test_imagestore fails when it is forgotten. */
#define GENERATE_VERSION 1

/* TTL policy (design: short while something moves, long when nothing does). */
enum {
    GENERATE_TTL_MOVING = 300,
    GENERATE_TTL_SETTLED = 3600,
    GENERATE_TTL_NS = 86400,
    GENERATE_TTL_NEGATIVE = 300
};

struct generate_input {
    const struct domain_row *domain;
    uint32_t soa_serial;
    const struct host_set *hosts; /* all of them */
    const struct dkim_key_row *keys;
    size_t n_keys;
    const struct record_row *records; /* custom */
    size_t n_records;
    /* Domains hosted here below this one, closest only: delegated to ourselves. */
    const char *const *children;
    size_t n_children;
    /* Owner names of consents to DMARC reports of domains hosted here that ask for them at an
     * address in this one: "theirs.example._report._dmarc.example.com". */
    const char *const *consents;
    size_t n_consents;
};

/* NULL with *err when the input contradicts itself: a custom record that cannot stand
 * beside what is generated, a mail host that is gone. */
struct zone *generate_zone(const struct generate_input *in, struct err *err);

/* May this custom record join the zone? `zone` is the generated one without it. OK, or
 * REFUSED with the reason and the command that does what was meant. A record that is
 * there already is EXISTS. */
enum domaindb_result generate_check_record(const struct zone *zone,
                                           const struct record_row *record,
                                           struct err *err);

/* What a rule is, for `signpost why` and the manual. */
struct generate_rule_info {
    const char *rule;   /* as in rr->rule; "custom" stands for "custom <id>" */
    const char *types;  /* "MX" */
    const char *why;    /* one or two sentences with the clause */
    const char *change; /* the command that changes it */
};
size_t generate_rule_count(void);
const struct generate_rule_info *generate_rule_at(size_t i);
const struct generate_rule_info *generate_rule_find(const char *rule);

#endif
