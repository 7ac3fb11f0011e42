/* SPDX-License-Identifier: ISC */
/* zones/lint_int.h - what the files of the lint share. */
#ifndef ZONES_LINT_INT_H
#define ZONES_LINT_INT_H

#include "base/dns/rdata.h"
#include "zones/lint.h"

/* One a row of lint_rules[], in its order. */
enum lint_id {
    LINT_SOA_MISSING,
    LINT_SOA_MANY,
    LINT_NS_MISSING,
    LINT_NS_SINGLE,
    LINT_CNAME_OTHER,
    LINT_CNAME_MANY,
    LINT_CNAME_LOOP,
    LINT_CNAME_DANGLING,
    LINT_TARGET_CNAME,
    LINT_TARGET_MISSING,
    LINT_TARGET_NOT_HOST,
    LINT_TARGET_ADDRESS,
    LINT_GLUE_MISSING,
    LINT_OCCLUDED,
    LINT_DS_ALONE,
    LINT_DNAME_MANY,
    LINT_WILDCARD_NS,
    LINT_WILDCARD_MAIL,
    LINT_OWNER_NOT_HOST,
    LINT_SRV_NAME,
    LINT_ADDRESS_PRIVATE,
    LINT_TTL_ZERO,
    LINT_TTL_LONG,
    LINT_RRSET_LARGE,
    LINT_MX_NULL_MIXED,
    LINT_SPF_MANY,
    LINT_SPF_SYNTAX,
    LINT_SPF_LOOKUPS,
    LINT_SPF_NO_ALL,
    LINT_SPF_ALLOW_ALL,
    LINT_SPF_PTR,
    LINT_SPF_LONG,
    LINT_DKIM_SYNTAX,
    LINT_DKIM_MANY,
    LINT_DMARC_SYNTAX,
    LINT_DMARC_MANY,
    LINT_TLSRPT_SYNTAX,
    LINT_COUNT
};

struct lint {
    const struct zone *z;
    void (*each)(void *ctx, const struct lint_finding *f);
    void *ctx;
    size_t errors;
    struct buf text; /* a TXT record put together */
};

void lint_report(struct lint *l, enum lint_id id, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The mail records of one RRset (lint_mail.c). */
void lint_mail(struct lint *l, const struct rrset *s, const char *owner);

#endif
