/* SPDX-License-Identifier: ISC */
/* base/core/heap.c - binary min-heap; see heap.h.
 *
 * Invariant: items[i]->at == i, and items[i]->key >= items[(i - 1) / 2]->key for i > 0. */
#include "base/core/heap.h"

#include <assert.h>
#include <stdlib.h>

#include "base/core/mem.h"

void heap_init(struct heap *h)
{
    *h = (struct heap){0};
}

void heap_free(struct heap *h)
{
    for (size_t i = 0; i < h->n; i++)
        h->items[i]->at = HEAP_NOWHERE;
    free(h->items);
    heap_init(h);
}

void heap_item_init(struct heap_item *it)
{
    *it = (struct heap_item){.at = HEAP_NOWHERE};
}

static void place(struct heap *h, size_t at, struct heap_item *it)
{
    h->items[at] = it;
    it->at = at;
}

/* Let `it` rise from the free place `at` to where it belongs. */
static void sift_up(struct heap *h, size_t at, struct heap_item *it)
{
    while (at > 0 && h->items[(at - 1) / 2]->key > it->key) {
        place(h, at, h->items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(h, at, it);
}

static void sift_down(struct heap *h, size_t at, struct heap_item *it)
{
    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= h->n)
            break;
        if (child + 1 < h->n && h->items[child + 1]->key < h->items[child]->key)
            child++;
        if (h->items[child]->key >= it->key)
            break;
        place(h, at, h->items[child]);
        at = child;
    }
    place(h, at, it);
}

/* Put `it` into the free place `at`, from where it may have to go either way. */
static void settle(struct heap *h, size_t at, struct heap_item *it)
{
    if (at > 0 && h->items[(at - 1) / 2]->key > it->key)
        sift_up(h, at, it);
    else
        sift_down(h, at, it);
}

void heap_put(struct heap *h, struct heap_item *it, int64_t key)
{
    it->key = key;
    if (it->at != HEAP_NOWHERE) {
        assert(it->at < h->n && h->items[it->at] == it);
        settle(h, it->at, it);
        return;
    }
    if (h->n == h->cap) {
        h->cap = h->cap == 0 ? 16 : h->cap * 2;
        h->items = mem_resize(h->items, h->cap, sizeof h->items[0]);
    }
    sift_up(h, h->n++, it);
}

void heap_remove(struct heap *h, struct heap_item *it)
{
    size_t at = it->at;
    struct heap_item *last;

    if (at == HEAP_NOWHERE)
        return;
    assert(at < h->n && h->items[at] == it);
    it->at = HEAP_NOWHERE;
    last = h->items[--h->n];
    if (last != it)
        settle(h, at, last);
}

struct heap_item *heap_first(const struct heap *h)
{
    return h->n == 0 ? NULL : h->items[0];
}
