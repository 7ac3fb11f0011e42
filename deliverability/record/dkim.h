/* SPDX-License-Identifier: ISC */
/* deliverability/record/dkim.h - the DKIM key record (RFC 6376 3.6.1, RFC 8463): parse and
 * print. Pure; spans point into the parsed text. */
#ifndef DELIVERABILITY_RECORD_DKIM_H
#define DELIVERABILITY_RECORD_DKIM_H

#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/span.h"

enum dkim_key_type { DKIM_KEY_RSA, DKIM_KEY_ED25519 };

struct dkim_record {
    enum dkim_key_type type;
    struct span public_b64; /* p= with its white space; empty: the key is revoked */
    struct span hashes;     /* h=, empty: all */
    struct span services;   /* s=, empty: all */
    bool is_testing;        /* t=y */
    bool is_strict;         /* t=s: i= must not be a subdomain */
    bool is_revoked;
};

/* 0, or -1 with *err naming tag and reason ("v=DKIM is not v=DKIM1: ..."). */
MUST_USE int dkim_record_parse(struct span text, struct dkim_record *r, struct err *err);
/* "v=DKIM1; k=rsa; p=..." */
MUST_USE int dkim_record_print(enum dkim_key_type type, struct span public_b64,
                               struct buf *out);

#endif
