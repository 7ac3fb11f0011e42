/* SPDX-License-Identifier: ISC */
/* base/core/heap.h - binary min-heap of items ordered by a 64-bit key (a due time).
 *
 * Intrusive: the item holds its own place, so that any item can be moved or removed in
 * O(log n). Ownership: items are the caller's. Pure. */
#ifndef BASE_CORE_HEAP_H
#define BASE_CORE_HEAP_H

#include <stddef.h>
#include <stdint.h>

#define HEAP_NOWHERE SIZE_MAX

struct heap_item {
    int64_t key;
    size_t at; /* HEAP_NOWHERE when in no heap */
};

struct heap {
    struct heap_item **items;
    size_t n, cap;
};

void heap_init(struct heap *h);
void heap_free(struct heap *h);
void heap_item_init(struct heap_item *it);
/* Insert, or move when it is in the heap already. */
void heap_put(struct heap *h, struct heap_item *it, int64_t key);
/* Remove; harmless when it is in no heap. */
void heap_remove(struct heap *h, struct heap_item *it);
/* The item with the least key, or NULL. */
struct heap_item *heap_first(const struct heap *h);

#endif
