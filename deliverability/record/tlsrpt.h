/* SPDX-License-Identifier: ISC */
/* deliverability/record/tlsrpt.h - the TLS reporting record (RFC 8460 3): parse and print.
 * Pure; spans point into the parsed text. */
#ifndef DELIVERABILITY_RECORD_TLSRPT_H
#define DELIVERABILITY_RECORD_TLSRPT_H

#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/span.h"

#define TLSRPT_URIS_MAX 8

struct tlsrpt_record {
    struct span rua[TLSRPT_URIS_MAX]; /* mailto: or https: */
    size_t n_rua;
};

MUST_USE int tlsrpt_record_parse(struct span text, struct tlsrpt_record *r,
                                 struct err *err);
/* "v=TLSRPTv1; rua=mailto:..." */
MUST_USE int tlsrpt_record_print(struct span rua, struct buf *out);

#endif
