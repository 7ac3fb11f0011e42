/* SPDX-License-Identifier: ISC */
/* base/core/wire.c - checked readers and writers of binary fields; see wire.h. */
#include "base/core/wire.h"

#include <assert.h>

/* Reading ---------------------------------------------------------------------------- */

void rd_init(struct rd *r, struct span in)
{
    *r = (struct rd){.in = in};
}

size_t rd_left(const struct rd *r)
{
    return r->is_bad ? 0 : r->in.n - r->pos;
}

struct span rd_bytes(struct rd *r, size_t n)
{
    struct span s;

    if (n > rd_left(r)) {
        r->is_bad = true;
        return (struct span){NULL, 0};
    }
    s = span_take(span_drop(r->in, r->pos), n);
    r->pos += n;
    return s;
}

/* `n` octets as a number, most significant first; 0 when there are fewer. */
static uint64_t big_endian(struct rd *r, size_t n)
{
    struct span s = rd_bytes(r, n);
    uint64_t v = 0;

    for (size_t i = 0; i < s.n; i++)
        v = v << 8 | s.p[i];
    return v;
}

static uint64_t little_endian(struct rd *r, size_t n)
{
    struct span s = rd_bytes(r, n);
    uint64_t v = 0;

    for (size_t i = s.n; i > 0; i--)
        v = v << 8 | s.p[i - 1];
    return v;
}

uint8_t rd_u8(struct rd *r)
{
    return (uint8_t)big_endian(r, 1);
}

uint16_t rd_u16(struct rd *r)
{
    return (uint16_t)big_endian(r, 2);
}

uint32_t rd_u32(struct rd *r)
{
    return (uint32_t)big_endian(r, 4);
}

uint64_t rd_u64(struct rd *r)
{
    return big_endian(r, 8);
}

uint32_t rd_le32(struct rd *r)
{
    return (uint32_t)little_endian(r, 4);
}

uint64_t rd_le64(struct rd *r)
{
    return little_endian(r, 8);
}

struct span rd_span16(struct rd *r)
{
    size_t n = rd_u16(r);

    return rd_bytes(r, n);
}

struct span rd_span32(struct rd *r)
{
    size_t n = rd_u32(r);

    return rd_bytes(r, n);
}

bool rd_done(const struct rd *r)
{
    return !r->is_bad && r->pos == r->in.n;
}

/* Writing ---------------------------------------------------------------------------- */

void wr_init(struct wr *w, struct buf *out)
{
    *w = (struct wr){.out = out};
}

void wr_bytes(struct wr *w, struct span s)
{
    if (w->is_bad || buf_span(w->out, s) == -1)
        w->is_bad = true;
}

/* The low `n` octets of `v`, n <= 8, most significant first. */
static void put_big_endian(struct wr *w, uint64_t v, size_t n)
{
    uint8_t b[8];

    assert(n <= sizeof b);
    for (size_t i = 0; i < n; i++)
        b[i] = (uint8_t)(v >> 8 * (n - 1 - i));
    wr_bytes(w, span_of(b, n));
}

static void put_little_endian(struct wr *w, uint64_t v, size_t n)
{
    uint8_t b[8];

    assert(n <= sizeof b);
    for (size_t i = 0; i < n; i++)
        b[i] = (uint8_t)(v >> 8 * i);
    wr_bytes(w, span_of(b, n));
}

void wr_u8(struct wr *w, uint8_t v)
{
    put_big_endian(w, v, 1);
}

void wr_u16(struct wr *w, uint16_t v)
{
    put_big_endian(w, v, 2);
}

void wr_u32(struct wr *w, uint32_t v)
{
    put_big_endian(w, v, 4);
}

void wr_u64(struct wr *w, uint64_t v)
{
    put_big_endian(w, v, 8);
}

void wr_le32(struct wr *w, uint32_t v)
{
    put_little_endian(w, v, 4);
}

void wr_le64(struct wr *w, uint64_t v)
{
    put_little_endian(w, v, 8);
}

void wr_span16(struct wr *w, struct span s)
{
    if (s.n > UINT16_MAX)
        w->is_bad = true;
    wr_u16(w, (uint16_t)s.n);
    wr_bytes(w, s);
}

void wr_span32(struct wr *w, struct span s)
{
    if (s.n > UINT32_MAX)
        w->is_bad = true;
    wr_u32(w, (uint32_t)s.n);
    wr_bytes(w, s);
}
