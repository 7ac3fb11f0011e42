/* SPDX-License-Identifier: ISC */
/* deliverability/record/dmarc.h - the DMARC policy record (RFC 7489 6.3): parse and print.
 * Pure; spans point into the parsed text. */
#ifndef DELIVERABILITY_RECORD_DMARC_H
#define DELIVERABILITY_RECORD_DMARC_H

#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/span.h"

#define DMARC_URIS_MAX 8

enum dmarc_policy { DMARC_NONE, DMARC_QUARANTINE, DMARC_REJECT };

struct dmarc_record {
    enum dmarc_policy policy;           /* p= */
    enum dmarc_policy subdomain_policy; /* sp=, else p= */
    bool is_dkim_strict, is_spf_strict; /* adkim=s, aspf=s */
    unsigned percent;                   /* pct=, 100 */
    uint32_t interval_s;                /* ri=, 86400 */
    struct span rua[DMARC_URIS_MAX];    /* whole URIs, size suffix included */
    size_t n_rua;
    struct span ruf[DMARC_URIS_MAX];
    size_t n_ruf;
};

/* 0, or -1 with *err naming tag and reason ("rua=postmaster@example.com is not a URI:
 * write mailto:postmaster@example.com"). */
MUST_USE int dmarc_record_parse(struct span text, struct dmarc_record *r,
                                struct err *err);
/* "v=DMARC1; p=reject; rua=mailto:..."; `rua` is a mail address, empty for none. */
MUST_USE int dmarc_record_print(enum dmarc_policy policy, struct span rua,
                                struct buf *out);
const char *dmarc_policy_name(enum dmarc_policy p);
/* The domain of a mailto: URI; false when it is not one. */
bool dmarc_uri_domain(struct span uri, struct span *domain);

#endif
