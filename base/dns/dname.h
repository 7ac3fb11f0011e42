/* SPDX-License-Identifier: ISC */
/* base/dns/dname.h - domain names in wire form: parse, print, compare, order.
 *
 * Why:       a name is compared far more often than it is read by people, so the wire form
 *            (RFC 1035 3.1: length octet, label, ..., zero octet) is the only form kept.
 * Ownership: struct dname is a value; functions that take a span borrow an uncompressed,
 *            valid name that ends with the root label (dname_check() tells).
 * Threads:   values, no state.
 * Pure:      no I/O, no clock, no globals.
 *
 * Letter case is kept and ignored in comparisons, for A-Z only (RFC 4343). */
#ifndef BASE_DNS_DNAME_H
#define BASE_DNS_DNAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/span.h"

#define DNAME_MAX       255  /* octets of wire form, root label included */
#define DNAME_LABEL_MAX 63   /* octets of one label */
#define DNAME_LABELS    127  /* labels of the longest name, root not counted */
#define DNAME_TEXT      1009 /* longest presentation form (all \DDD) with dot and NUL */

struct dname {
    uint8_t n; /* octets of w in use, 1..255; 0 means "no name" */
    uint8_t w[DNAME_MAX];
};

enum dname_result {
    DNAME_OK,
    DNAME_EMPTY,       /* no text at all */
    DNAME_EMPTY_LABEL, /* "a..b" or ".a" */
    DNAME_LABEL_LONG,  /* a label of more than 63 octets */
    DNAME_LONG,        /* more than 255 octets */
    DNAME_BAD_ESCAPE,  /* backslash at the end, or \DDD above 255 */
};

/* Read presentation form (RFC 1035 5.1: "\." and "\DDD" escapes). With `origin`, "@" is the
 * origin and a name without a final dot continues with it; without (NULL) every name is
 * absolute, final dot or not. Octets are taken as they are; IDNA is the caller's business. */
MUST_USE enum dname_result dname_parse(struct span text, const struct dname *origin,
                                       struct dname *out);
/* "a label is longer than 63 octets": the end of a sentence for a person. */
const char *dname_result_text(enum dname_result r);
/* Presentation form with final dot, NUL-terminated; returns its length. */
size_t dname_print(struct span name, char text[DNAME_TEXT]);
/* The same without the final dot (root stays "."), as logs and people like it. */
size_t dname_print_bare(struct span name, char text[DNAME_TEXT]);

/* Octets of the uncompressed name at the front of `in`; 0 when it is not one. */
size_t dname_check(struct span in);
/* Copy a valid wire name into a value. False (n = 0) when `name` is not exactly one. */
MUST_USE bool dname_set(struct dname *out, struct span name);
struct span dname_span(const struct dname *d);
/* The root name. */
struct span dname_root(void);
/* Fold A-Z in place. */
void dname_lower(struct dname *d);

bool dname_eq(struct span a, struct span b);
/* Canonical order (RFC 4034 6.1): by labels from the right, <0, 0, >0. */
int dname_cmp(struct span a, struct span b);
/* True when `name` is `zone` or ends in it at a label border. */
bool dname_in(struct span name, struct span zone);
/* Labels, root not counted. */
unsigned dname_labels(struct span name);
/* Without the first label; the root's parent is the root. */
struct span dname_parent(struct span name);
/* The first label is a lone "*". */
bool dname_is_wildcard(struct span name);
/* Letters, digits, hyphens (not at a border of a label) only: RFC 952 / 1123 2.1. A leading
 * wildcard label is not a host name. */
bool dname_is_host(struct span name);
/* `label` (raw octets, one label) in front of `rest`. False when a limit is passed. */
MUST_USE bool dname_join(struct span label, struct span rest, struct dname *out);

#endif
