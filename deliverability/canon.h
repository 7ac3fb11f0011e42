/* SPDX-License-Identifier: ISC */
/* deliverability/canon.h - the canonical forms of header and body that DKIM hashes.
 *
 * Why:       signer and verifier (and ARC) must hash the same octets although mail hosts fold
 *            lines and touch blanks on the way (RFC 6376 3.4).
 * Ownership: the caller owns the struct; output goes to the caller's sink in pieces.
 * Threads:   one owner.
 * Pure:      no I/O, no clock, no globals.
 *
 * Bodies are streamed: cut them anywhere, the result is the same. Only CRLF ends a line. */
#ifndef DELIVERABILITY_CANON_H
#define DELIVERABILITY_CANON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/span.h"
#include "base/msg/header.h"

enum canon_kind { CANON_SIMPLE, CANON_RELAXED };

typedef void (*canon_sink)(void *ctx, struct span octets);

struct canon_body {
    enum canon_kind kind;
    canon_sink sink;
    void *ctx;
    uint64_t empty_lines; /* CRLFs that count only if something follows */
    bool has_cr;          /* a CR stands before the next octet */
    bool has_blank;       /* relaxed: SP or HTAB before the next octet */
    bool is_line_begun;   /* octets of this line went out */
    bool is_any_out;
    size_t n; /* octets in `out` */
    uint8_t out[512];
};

void canon_body_begin(struct canon_body *c, enum canon_kind kind, canon_sink sink,
                      void *ctx);
void canon_body_put(struct canon_body *c, struct span octets);
/* Without it the last line is missing. RFC 6376 3.4.3: an empty body becomes CRLF in the
 * simple form; 3.4.4: it stays empty in the relaxed form. */
void canon_body_end(struct canon_body *c);

/* Append one header field in canonical form, CRLF included. 0, or -1 at the ceiling. */
MUST_USE int canon_header(enum canon_kind kind, const struct header_field *f,
                          struct buf *out);

#endif
