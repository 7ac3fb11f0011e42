/* SPDX-License-Identifier: ISC */
/* maild/imap/respond.h - what the server says, in IMAP's own quoting (RFC 3501 section 9).
 *
 * Why:       a response is made of many small pieces; the writer remembers that one did not
 *            fit, so the one who composes asks once, at the end.
 * Ownership: the buffer is the caller's.
 * Pure:      no I/O, no clock, no globals. */
#ifndef MAILD_IMAP_RESPOND_H
#define MAILD_IMAP_RESPOND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/span.h"

struct imap_out {
    struct buf *b;
    bool is_full; /* sticky: a piece did not fit */
};

void imap_out_init(struct imap_out *o, struct buf *b);
void imap_put(struct imap_out *o, const char *text);
void imap_put_span(struct imap_out *o, struct span s);
void imap_putf(struct imap_out *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* string: quoted where it can be, else a literal. */
void imap_put_string(struct imap_out *o, struct span s);
/* nstring: NIL when s.p == NULL. */
void imap_put_nstring(struct imap_out *o, struct span s);
/* astring: bare where it can be. */
void imap_put_astring(struct imap_out *o, struct span s);
/* A mailbox name given in UTF-8. */
void imap_put_mailbox(struct imap_out *o, struct span utf8);
/* "tag OK [code] text" CRLF; tag.p NULL is "*"; code may be NULL. */
void imap_put_status(struct imap_out *o, struct span tag, const char *word,
                     const char *code, const char *text);
/* "(\Seen keyword ...)". keywords[i] names bit IMAP_FLAG_KEYWORD + i; NULL when free. */
void imap_put_flags(struct imap_out *o, uint64_t flags, const char *const *keywords,
                    size_t n);

/* Sets written as short as they can be: feed growing numbers, then end. */
struct imap_set_out {
    struct imap_out *o;
    uint32_t lo, hi;
    bool is_any;
};
void imap_set_add(struct imap_set_out *s, uint32_t n);
void imap_set_end(struct imap_set_out *s);

#endif
