/* SPDX-License-Identifier: ISC */
#include "maild/imap/respond.h"

#include <stdarg.h>
#include <string.h>

#include "maild/imap/cmd.h"
#include "maild/imap/mutf7.h"

#define QUOTED_MAX 1000 /* longer strings go as literals: some clients count on it */

void imap_out_init(struct imap_out *o, struct buf *b)
{
    *o = (struct imap_out){.b = b};
}

void imap_put_span(struct imap_out *o, struct span s)
{
    if (!o->is_full && s.n > 0 && buf_span(o->b, s) == -1)
        o->is_full = true;
}

void imap_put(struct imap_out *o, const char *text)
{
    imap_put_span(o, span_str(text));
}

void imap_putf(struct imap_out *o, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (!o->is_full && buf_vprintf(o->b, fmt, ap) == -1)
        o->is_full = true;
    va_end(ap);
}

static bool can_quote(struct span s)
{
    if (s.n > QUOTED_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < ' ' || s.p[i] > 126)
            return false;
    }
    return true;
}

void imap_put_string(struct imap_out *o, struct span s)
{
    if (!can_quote(s)) {
        imap_putf(o, "{%zu}\r\n", s.n);
        imap_put_span(o, s);
        return;
    }
    imap_put(o, "\"");
    while (s.n > 0) {
        size_t n = 0;

        while (n < s.n && s.p[n] != '"' && s.p[n] != '\\')
            n++;
        imap_put_span(o, span_take(s, n));
        if (n < s.n) {
            imap_put(o, "\\");
            imap_put_span(o, span_of(s.p + n, 1));
            n++;
        }
        s = span_drop(s, n);
    }
    imap_put(o, "\"");
}

void imap_put_nstring(struct imap_out *o, struct span s)
{
    if (s.p == NULL)
        imap_put(o, "NIL");
    else
        imap_put_string(o, s);
}

void imap_put_astring(struct imap_out *o, struct span s)
{
    bool is_atom = s.n > 0 && s.n <= 255 && !span_eq_str_nocase(s, "NIL");

    for (size_t i = 0; i < s.n && is_atom; i++)
        is_atom = s.p[i] > ' ' && s.p[i] < 127 && strchr("(){%*\"\\]", s.p[i]) == NULL;
    if (is_atom)
        imap_put_span(o, s);
    else
        imap_put_string(o, s);
}

void imap_put_mailbox(struct imap_out *o, struct span utf8)
{
    struct buf b;

    buf_init(&b, utf8.n * 4 + 16);
    if (mutf7_encode(utf8, &b))
        imap_put_astring(o, b.len > 0 ? buf_all(&b) : SPAN_LIT(""));
    else
        o->is_full = true;
    buf_free(&b);
}

void imap_put_status(struct imap_out *o, struct span tag, const char *word,
                     const char *code, const char *text)
{
    imap_put_span(o, tag.p == NULL ? SPAN_LIT("*") : tag);
    imap_putf(o, " %s ", word);
    if (code != NULL)
        imap_putf(o, "[%s] ", code);
    imap_putf(o, "%s\r\n", text);
}

void imap_put_flags(struct imap_out *o, uint64_t flags, const char *const *keywords,
                    size_t n)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {
        {IMAP_FLAG_ANSWERED, "\\Answered"}, {IMAP_FLAG_FLAGGED, "\\Flagged"},
        {IMAP_FLAG_DELETED, "\\Deleted"},   {IMAP_FLAG_SEEN, "\\Seen"},
        {IMAP_FLAG_DRAFT, "\\Draft"},       {IMAP_FLAG_RECENT, "\\Recent"},
    };
    const char *sep = "(";

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if ((flags & names[i].bit) != 0) {
            imap_putf(o, "%s%s", sep, names[i].name);
            sep = " ";
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (keywords[i] != NULL && (flags >> (IMAP_FLAG_KEYWORD + i) & 1) != 0) {
            imap_putf(o, "%s%s", sep, keywords[i]);
            sep = " ";
        }
    }
    imap_put(o, sep[0] == '(' ? "()" : ")");
}

static void set_flush(struct imap_set_out *s)
{
    if (s->lo == s->hi)
        imap_putf(s->o, "%s%u", s->is_any ? "," : "", s->lo);
    else
        imap_putf(s->o, "%s%u:%u", s->is_any ? "," : "", s->lo, s->hi);
    s->is_any = true;
}

void imap_set_add(struct imap_set_out *s, uint32_t n)
{
    if (s->lo != 0 && n == s->hi + 1) {
        s->hi = n;
        return;
    }
    if (s->lo != 0)
        set_flush(s);
    s->lo = s->hi = n;
}

void imap_set_end(struct imap_set_out *s)
{
    if (s->lo != 0)
        set_flush(s);
    s->lo = 0;
}
