/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "base/core/wire.h"

static void show(const char *name, struct span s)
{
    fprintf(stderr, "%s (%zu octets): ", name, s.n);
    for (size_t i = 0; i < s.n && i < 8000; i++)
        if (s.p[i] == '\n')
            fputs("\\n\n    ", stderr);
        else if (s.p[i] >= 32 && s.p[i] < 127)
            fputc(s.p[i], stderr);
        else
            fprintf(stderr, "\\x%02x", s.p[i]);
    fputc('\n', stderr);
}

void fuzz_law_broken(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: law broken: %s\n", file, line, what);
    abort();
}

void fuzz_same(struct span a, struct span b, const char *what)
{
    if (span_eq(a, b))
        return;
    show("first ", a);
    show("second", b);
    fuzz_law_broken(__FILE__, __LINE__, what);
}

uint8_t fuzz_u8(struct span *in)
{
    uint8_t v = in->n == 0 ? 0 : in->p[0];

    *in = span_drop(*in, 1);
    return v;
}

uint16_t fuzz_u16(struct span *in)
{
    unsigned high = fuzz_u8(in);

    return (uint16_t)(high << 8 | fuzz_u8(in));
}

uint32_t fuzz_u32(struct span *in)
{
    uint32_t high = fuzz_u16(in);

    return high << 16 | fuzz_u16(in);
}

uint64_t fuzz_u64(struct span *in)
{
    uint64_t high = fuzz_u32(in);

    return high << 32 | fuzz_u32(in);
}

struct span fuzz_field(struct span *in)
{
    size_t n = fuzz_u8(in);
    struct span s = span_take(*in, n);

    *in = span_drop(*in, n);
    return s;
}

struct span fuzz_line(struct span *in)
{
    struct span line;

    (void)span_cut(*in, '\n', &line, in);
    return line;
}

struct span fuzz_heap(struct span s)
{
    uint8_t *p = mem_new(s.n, 1);

    if (s.n > 0)
        memcpy(p, s.p, s.n);
    return span_of(p, s.n);
}

void fuzz_heap_free(struct span s)
{
    free((void *)(uintptr_t)s.p);
}

void fuzz_cuts_init(struct fuzz_cuts *c, unsigned choice)
{
    c->kind = choice == 0 ? 0 : 1 + choice % 2;
    rng_seeded_init(&c->rng, choice);
}

size_t fuzz_cut(struct fuzz_cuts *c, size_t left)
{
    size_t n = 1;

    if (c->kind == 1)
        n = left;
    else if (c->kind == 2)
        n = 8;
    n = 1 + (size_t)rng_below(&c->rng, n);
    return n < left ? n : left;
}

void fuzz_note(struct buf *log, const char *fmt, ...)
{
    va_list ap;
    int rc;

    va_start(ap, fmt);
    rc = buf_vprintf(log, fmt, ap);
    va_end(ap);
    LAW(rc == 0, "what happens is bounded by the input");
}

void fuzz_note_span(struct buf *log, const char *what, struct span s)
{
    fuzz_note(log, "%s[%zu] ", what, s.n);
    LAW(buf_span(log, s) == 0 && buf_byte(log, '\n') == 0,
        "what happens is bounded by the input");
}

bool fuzz_is_plain(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] < 32 && s.p[i] != '\t') || s.p[i] > 126)
            return false;
    return true;
}
