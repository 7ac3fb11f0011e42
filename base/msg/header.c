/* SPDX-License-Identifier: ISC */
#include "base/msg/header.h"

#include <string.h>

/* Octets of the line at the front of `s`, its LF included. */
static size_t line_octets(struct span s)
{
    const uint8_t *lf = s.n > 0 ? memchr(s.p, '\n', s.n) : NULL;

    return lf == NULL ? s.n : (size_t)(lf - s.p) + 1;
}

static struct span drop_line_end(struct span line)
{
    if (line.n > 0 && line.p[line.n - 1] == '\n') {
        line.n--;
        if (line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
    }
    return line;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

void header_begin(struct header_iter *it, struct span message)
{
    *it = (struct header_iter){.message = message};
}

/* A field name is 33..126 without the colon (RFC 5322 2.2); blanks before the colon are
 * obsolete but seen (RFC 5322 4.5). */
static bool split_field(struct span line, struct header_field *f)
{
    struct span name;

    if (!span_cut(line, ':', &name, &f->value))
        return false;
    name = span_trim(name);
    if (name.n == 0 || is_blank(line.p[0]))
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] < 33 || name.p[i] > 126)
            return false;
    f->name = name;
    return true;
}

bool header_next(struct header_iter *it, struct header_field *f)
{
    struct span rest = span_drop(it->message, it->pos);
    size_t n;

    if (it->is_done)
        return false;
    n = line_octets(rest);
    if (drop_line_end(span_take(rest, n)).n == 0) {
        it->pos += n; /* the empty line belongs to the header */
        it->is_done = true;
        return false;
    }
    while (n < rest.n && is_blank(rest.p[n]))
        n += line_octets(span_drop(rest, n));
    f->raw = span_take(rest, n);
    if (!split_field(drop_line_end(f->raw), f)) {
        f->name = (struct span){NULL, 0};
        f->value = drop_line_end(f->raw);
    }
    it->pos += n;
    return true;
}

size_t header_size(struct span message)
{
    struct header_iter it;
    struct header_field f;

    header_begin(&it, message);
    while (header_next(&it, &f))
        ;
    return it.pos;
}

struct span header_body(struct span message)
{
    return span_drop(message, header_size(message));
}

/* Pass over a field that begins with another letter than `c`: most do. False when it takes
 * a closer look, and at the end. */
static bool skip_other(struct header_iter *it, uint8_t c)
{
    struct span rest = span_drop(it->message, it->pos);
    size_t n;

    if (it->is_done || rest.n == 0 || rest.p[0] == '\r' || rest.p[0] == '\n' ||
        ascii_lower(rest.p[0]) == c)
        return false;
    n = line_octets(rest);
    while (n < rest.n && is_blank(rest.p[n]))
        n += line_octets(span_drop(rest, n));
    it->pos += n;
    return true;
}

bool header_find_next(struct header_iter *it, const char *name, struct header_field *f)
{
    uint8_t c = ascii_lower((uint8_t)name[0]);

    for (;;) {
        while (skip_other(it, c))
            ;
        if (!header_next(it, f))
            return false;
        if (span_eq_str_nocase(f->name, name))
            return true;
    }
}

bool header_find(struct span message, const char *name, struct header_field *f)
{
    struct header_iter it;

    header_begin(&it, message);
    return header_find_next(&it, name, f);
}

size_t header_count(struct span message, const char *name)
{
    struct header_iter it;
    struct header_field f;
    size_t n = 0;

    header_begin(&it, message);
    while (header_find_next(&it, name, &f))
        n++;
    return n;
}

int header_unfold(struct span value, struct buf *out)
{
    size_t start = out->len;

    /* Trim first what is outside, line ends included: a fold before the first word. */
    while (value.n > 0 &&
           (is_blank(value.p[0]) || value.p[0] == '\r' || value.p[0] == '\n'))
        value = span_drop(value, 1);
    while (value.n > 0 && (is_blank(value.p[value.n - 1]) ||
                           value.p[value.n - 1] == '\r' || value.p[value.n - 1] == '\n'))
        value.n--;
    while (value.n > 0) {
        size_t n = line_octets(value);

        if (buf_span(out, drop_line_end(span_take(value, n))) == -1) {
            buf_truncate(out, start);
            return -1;
        }
        value = span_drop(value, n);
    }
    return 0;
}
