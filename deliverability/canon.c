/* SPDX-License-Identifier: ISC */
#include "deliverability/canon.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static void flush(struct canon_body *c)
{
    if (c->n > 0)
        c->sink(c->ctx, span_of(c->out, c->n));
    c->n = 0;
}

static void put(struct canon_body *c, uint8_t octet)
{
    if (c->n == sizeof(c->out))
        flush(c);
    c->out[c->n++] = octet;
    c->is_any_out = true;
}

static void put_crlf(struct canon_body *c)
{
    put(c, '\r');
    put(c, '\n');
}

void canon_body_begin(struct canon_body *c, enum canon_kind kind, canon_sink sink,
                      void *ctx)
{
    c->kind = kind;
    c->sink = sink;
    c->ctx = ctx;
    c->empty_lines = 0;
    c->has_cr = c->has_blank = c->is_line_begun = c->is_any_out = false;
    c->n = 0;
}

/* An octet that is neither a line end nor, in the relaxed form, a blank. */
static void put_text(struct canon_body *c, uint8_t octet)
{
    for (; c->empty_lines > 0; c->empty_lines--)
        put_crlf(c);
    if (c->has_blank)
        put(c, ' ');
    c->has_blank = false;
    c->is_line_begun = true;
    put(c, octet);
}

static void line_end(struct canon_body *c)
{
    c->has_blank = false; /* blanks at the line's end go (3.4.4 a) */
    if (c->is_line_begun)
        put_crlf(c);
    else
        c->empty_lines++;
    c->is_line_begun = false;
}

static void take(struct canon_body *c, uint8_t octet)
{
    if (c->has_cr) {
        c->has_cr = false;
        if (octet == '\n') {
            line_end(c);
            return;
        }
        put_text(c, '\r');
    }
    if (octet == '\r')
        c->has_cr = true;
    else if (c->kind == CANON_RELAXED && is_blank(octet))
        c->has_blank = true;
    else
        put_text(c, octet);
}

void canon_body_put(struct canon_body *c, struct span octets)
{
    for (size_t i = 0; i < octets.n; i++)
        take(c, octets.p[i]);
}

void canon_body_end(struct canon_body *c)
{
    if (c->has_cr)
        put_text(c, '\r');
    c->has_cr = false;
    if (c->is_line_begun)
        put_crlf(c);
    if (!c->is_any_out && c->kind == CANON_SIMPLE)
        put_crlf(c);
    flush(c);
}

static int relaxed_header(const struct header_field *f, struct buf *out)
{
    bool has_blank = false, is_begun = false;
    const size_t from = out->len;

    if (buf_span(out, f->name) == -1 || buf_byte(out, ':') == -1)
        return -1;
    ascii_lower_all(out->data + from, f->name.n);
    for (size_t i = 0; i < f->value.n; i++) {
        uint8_t c = f->value.p[i];

        if (c == '\r' || c == '\n')
            continue; /* unfold; the blank of the fold remains */
        if (is_blank(c)) {
            has_blank = true;
            continue;
        }
        if (has_blank && is_begun && buf_byte(out, ' ') == -1)
            return -1;
        has_blank = false;
        is_begun = true;
        if (buf_byte(out, c) == -1)
            return -1;
    }
    return buf_str(out, "\r\n");
}

int canon_header(enum canon_kind kind, const struct header_field *f, struct buf *out)
{
    const size_t from = out->len;
    int rc = kind == CANON_RELAXED ? relaxed_header(f, out) : buf_span(out, f->raw);

    if (rc == -1)
        buf_truncate(out, from);
    return rc;
}
