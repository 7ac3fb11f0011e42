/* SPDX-License-Identifier: ISC */
/* deliverability/record/spf.h - the SPF record (RFC 7208): parse, count, print.
 *
 * Ownership: terms point into the parsed text.
 * Pure.
 *
 * Parsing is strict: the whole record is read before anything is believed (RFC 7208 4.6),
 * and a refusal says which term and why. Evaluation is not here. */
#ifndef DELIVERABILITY_RECORD_SPF_H
#define DELIVERABILITY_RECORD_SPF_H

#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/ipaddr.h"
#include "base/core/span.h"

#define SPF_TERMS_MAX   64
#define SPF_LOOKUPS_MAX 10 /* RFC 7208 4.6.4 */

enum spf_qualifier { SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_NEUTRAL };
enum spf_kind {
    SPF_ALL,
    SPF_INCLUDE,
    SPF_A,
    SPF_MX,
    SPF_PTR,
    SPF_IP4,
    SPF_IP6,
    SPF_EXISTS,
    SPF_REDIRECT, /* modifiers from here */
    SPF_EXP,
    SPF_UNKNOWN_MODIFIER
};

struct spf_term {
    enum spf_kind kind;
    enum spf_qualifier qualifier; /* mechanisms only */
    struct span text;             /* the whole term */
    struct span domain;        /* domain-spec, may hold macros; empty: current domain */
    struct ipaddr addr;        /* ip4, ip6 */
    unsigned prefix4, prefix6; /* in bits; 32 and 128 when not given */
};

struct spf_record {
    struct spf_term term[SPF_TERMS_MAX];
    size_t n;
    unsigned lookups; /* terms that cost a DNS look-up here; includes not followed */
    bool has_all;     /* what follows it never counts */
    bool has_redirect;
};

enum spf_parse {
    SPF_PARSE_OK,
    SPF_PARSE_NOT_SPF, /* does not begin with the version "v=spf1" */
    SPF_PARSE_BAD      /* permerror; *err says which term and why */
};

/* Is this text an SPF record at all (RFC 7208 4.5)? */
bool spf_is_record(struct span text);
enum spf_parse spf_parse(struct span text, struct spf_record *r, struct err *err);
/* One term alone, as in "include:relay.example": for settings. */
enum spf_parse spf_parse_term(struct span text, struct spf_term *t, struct err *err);
/* Canonical text: one blank between terms, names as they were. -1 at the ceiling. */
MUST_USE int spf_print(const struct spf_record *r, struct buf *out);

#endif
