/* SPDX-License-Identifier: ISC */
/* base/core/arena.c - memory that goes all at once; see arena.h.
 *
 * A chain of blocks, newest first; each new block is twice as large as the last one, up
 * to BLOCK_MAX, or as large as the request. Nothing given out ever moves.
 *
 * Invariant: `used` counts what was given out, rounded up to the alignment; used <= max. */
#include "base/core/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"

#define ALIGN       _Alignof(max_align_t)
#define BLOCK_FIRST ((size_t)1024)
#define BLOCK_MAX   ((size_t)1024 * 1024)

struct block {
    struct block *older;
    size_t cap, len; /* octets of data */
    _Alignas(max_align_t) uint8_t data[];
};

struct arena {
    struct block *newest;
    size_t used, max;
};

struct arena *arena_new(size_t max)
{
    struct arena *a = mem_new(1, sizeof *a);

    a->max = max;
    return a;
}

/* Free all blocks but the first one made. */
static void keep_first(struct arena *a)
{
    while (a->newest != NULL && a->newest->older != NULL) {
        struct block *older = a->newest->older;

        free(a->newest);
        a->newest = older;
    }
}

void arena_reset(struct arena *a)
{
    keep_first(a);
    if (a->newest != NULL)
        a->newest->len = 0;
    a->used = 0;
}

void arena_free(struct arena **a)
{
    if (*a == NULL)
        return;
    keep_first(*a);
    free((*a)->newest);
    free(*a);
    *a = NULL;
}

static void add_block(struct arena *a, size_t n)
{
    size_t cap = a->newest == NULL ? BLOCK_FIRST : a->newest->cap * 2;
    struct block *b;

    if (cap > BLOCK_MAX)
        cap = BLOCK_MAX;
    if (cap < n)
        cap = n;
    b = mem_resize(NULL, 1, sizeof *b + cap); /* zeroed when given out */
    b->cap = cap;
    b->len = 0;
    b->older = a->newest;
    a->newest = b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    void *p;

    if (n > a->max - a->used || n > SIZE_MAX - ALIGN)
        return NULL;
    n = n == 0 ? ALIGN : (n + ALIGN - 1) / ALIGN * ALIGN;
    if (n > a->max - a->used)
        return NULL;
    if (a->newest == NULL || n > a->newest->cap - a->newest->len)
        add_block(a, n);
    p = a->newest->data + a->newest->len;
    memset(p, 0, n);
    a->newest->len += n;
    a->used += n;
    return p;
}

char *arena_strdup(struct arena *a, struct span s)
{
    char *copy = s.n == SIZE_MAX ? NULL : arena_alloc(a, s.n + 1);

    if (copy != NULL && s.n > 0)
        memcpy(copy, s.p, s.n);
    return copy;
}

struct span arena_copy(struct arena *a, struct span s)
{
    uint8_t *copy = arena_alloc(a, s.n);

    if (copy == NULL)
        return (struct span){NULL, 0};
    if (s.n > 0)
        memcpy(copy, s.p, s.n);
    return (struct span){copy, s.n};
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}
