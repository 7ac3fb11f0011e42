/* SPDX-License-Identifier: ISC */
/* base/msg/header.h - the header of a message, read in place (RFC 5322 2.2).
 *
 * Why:       edge counts hops, queue looks for Date, signer and IMAP walk all fields; all
 *            must agree on where a field ends and where the body begins.
 * Ownership: everything points into the message given.
 * Threads:   values.
 * Pure:      no I/O, no clock, no globals.
 *
 * Tolerant, in one way for all: a line ends with LF, a CR before it belongs to the end; the
 * header ends at the first empty line or at the end of the message; a line in it that is
 * neither a field nor a continuation is given out with an empty name, with its own
 * continuations, and never ends the header. */
#ifndef BASE_MSG_HEADER_H
#define BASE_MSG_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/span.h"

struct header_field {
    struct span name;  /* without blanks before the colon; empty: not a field */
    struct span value; /* behind the colon, folds inside, final line end not included */
    struct span raw;   /* all of it with its final line end, as in the message */
};

struct header_iter {
    struct span message;
    size_t pos; /* where the next field begins; at the end: where the body begins */
    bool is_done;
};

void header_begin(struct header_iter *it, struct span message);
/* The next field; false at the end of the header. */
bool header_next(struct header_iter *it, struct header_field *f);

/* Octets of the header, its empty line included. */
size_t header_size(struct span message);
/* What follows the empty line; empty when there is none. */
struct span header_body(struct span message);
/* First / next field of this name, letter case ignored. For repeated fields go on with
 * the iterator. */
bool header_find(struct span message, const char *name, struct header_field *f);
bool header_find_next(struct header_iter *it, const char *name, struct header_field *f);
/* How many fields of this name. */
size_t header_count(struct span message, const char *name);

/* Append the value on one line: line ends taken out, blanks at both ends dropped
 * (RFC 5322 2.2.3). 0, or -1 at the ceiling of `out`. */
MUST_USE int header_unfold(struct span value, struct buf *out);

#endif
