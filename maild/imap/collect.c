/* SPDX-License-Identifier: ISC */
#include "maild/imap/collect.h"

#include <string.h>

void collect_init(struct collect *c)
{
    *c = (struct collect){.line = 0};
    buf_init(&c->text, COLLECT_MAX);
}

void collect_free(struct collect *c)
{
    buf_free(&c->text);
}

void collect_next(struct collect *c)
{
    struct buf keep = c->text;

    *c = (struct collect){.text = keep};
    buf_reset(&c->text);
}

void collect_streamed(struct collect *c)
{
    c->literal = 0;
    c->seg = c->line = c->text.len;
}

struct span collect_text(const struct collect *c)
{
    struct span s = buf_all(&c->text);

    if (s.n > 0 && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n > 0 && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

struct span collect_segment(const struct collect *c)
{
    return span_drop(collect_text(c), c->seg);
}

/* Does the line end in {n} or {n+}? */
static bool announces(struct span line, uint64_t *n, bool *is_sync)
{
    ptrdiff_t open = span_rindex(line, '{');
    struct span digits;

    if (open < 0 || line.n < 3 || line.p[line.n - 1] != '}')
        return false;
    digits = span_drop(line, (size_t)open + 1);
    digits.n--;
    *is_sync = digits.n == 0 || digits.p[digits.n - 1] != '+';
    if (!*is_sync)
        digits.n--;
    return span_to_u64(digits, UINT32_MAX, n);
}

/* A line is complete. */
static enum collect_result line_done(struct collect *c, collect_stream_fn stream,
                                     void *ctx)
{
    struct span text = collect_text(c);
    struct span line = span_drop(text, c->line);

    if (!announces(line, &c->literal, &c->is_sync))
        return COLLECT_DONE;
    if (stream(ctx, span_drop(text, c->seg)))
        return COLLECT_STREAM;
    if (c->literal > c->text.max - c->text.len)
        return c->is_sync ? COLLECT_REFUSED : COLLECT_OVERFLOW;
    c->in_literal = c->literal > 0;
    c->line = c->text.len;
    return c->is_sync ? COLLECT_CONTINUE : COLLECT_MORE;
}

static bool take(struct collect *c, struct span *in, size_t n, size_t *used)
{
    if (buf_append(&c->text, in->p, n) == -1)
        return false;
    *in = span_drop(*in, n);
    *used += n;
    return true;
}

enum collect_result collect_feed(struct collect *c, struct span in, size_t *used,
                                 collect_stream_fn stream, void *ctx)
{
    *used = 0;
    while (in.n > 0) {
        enum collect_result r;
        const uint8_t *lf;
        size_t n = in.n;

        if (c->in_literal) {
            n = c->literal < in.n ? (size_t)c->literal : in.n;
            if (!take(c, &in, n, used))
                return COLLECT_OVERFLOW;
            c->literal -= n;
            if (c->literal == 0) {
                c->in_literal = false;
                c->line = c->text.len;
            }
            continue;
        }
        lf = memchr(in.p, '\n', in.n);
        if (lf != NULL)
            n = (size_t)(lf - in.p) + 1;
        if (!take(c, &in, n, used))
            return COLLECT_OVERFLOW;
        if (lf == NULL)
            return COLLECT_MORE;
        r = line_done(c, stream, ctx);
        if (r != COLLECT_MORE)
            return r;
    }
    return COLLECT_MORE;
}
