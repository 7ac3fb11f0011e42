/* SPDX-License-Identifier: ISC */
/* base/core/map.c - hash map from octets to a pointer; see map.h.
 *
 * Entries stand densely in `entries`; `slots` is an open-addressing table (linear probing,
 * at most three quarters full) of entry numbers plus one, 0 for free. Removing an entry
 * moves the last one into its place and closes the gap in the probe chain, so there are no
 * tombstones and no slow decay.
 *
 * Walking goes from the last entry to the first: what a removal moves into the place just
 * visited has been visited already.
 *
 * Invariant: every entry i < n is found by probing from its hash to the slot that holds
 * i + 1, without a free slot in between. */
#include "base/core/map.h"

#include <assert.h>
#include <stdlib.h>

#include "base/core/hash.h"
#include "base/core/mem.h"

#define FIRST_SLOTS ((size_t)16)

struct entry {
    uint64_t hash;
    uint8_t *key; /* owned */
    size_t key_len;
    void *value;
};

struct map {
    uint64_t hash_key[2];
    size_t max, n;
    size_t entries_cap;
    struct entry *entries;
    size_t mask; /* number of slots - 1, a power of two less one */
    uint32_t *slots;
};

struct map *map_new(size_t max, struct rng *rng)
{
    struct map *m = mem_new(1, sizeof *m);

    assert(max > 0 && max < UINT32_MAX);
    m->max = max;
    m->hash_key[0] = rng_u64(rng);
    m->hash_key[1] = rng_u64(rng);
    m->mask = FIRST_SLOTS - 1;
    m->slots = mem_new(FIRST_SLOTS, sizeof m->slots[0]);
    return m;
}

void map_free(struct map **m)
{
    if (*m == NULL)
        return;
    for (size_t i = 0; i < (*m)->n; i++)
        free((*m)->entries[i].key);
    free((*m)->entries);
    free((*m)->slots);
    free(*m);
    *m = NULL;
}

size_t map_count(const struct map *m)
{
    return m->n;
}

/* The slot that holds `key`, or the free slot where its chain ends. */
static size_t find(const struct map *m, uint64_t hash, struct span key)
{
    size_t at = hash & m->mask;

    for (; m->slots[at] != 0; at = (at + 1) & m->mask) {
        const struct entry *e = &m->entries[m->slots[at] - 1];

        if (e->hash == hash && span_eq(span_of(e->key, e->key_len), key))
            break;
    }
    return at;
}

void *map_get(const struct map *m, struct span key)
{
    size_t at = find(m, siphash13(m->hash_key, key), key);

    return m->slots[at] == 0 ? NULL : m->entries[m->slots[at] - 1].value;
}

static void double_slots(struct map *m)
{
    size_t count = (m->mask + 1) * 2;

    free(m->slots);
    m->slots = mem_new(count, sizeof m->slots[0]);
    m->mask = count - 1;
    for (size_t i = 0; i < m->n; i++) {
        size_t at = m->entries[i].hash & m->mask;

        while (m->slots[at] != 0)
            at = (at + 1) & m->mask;
        m->slots[at] = (uint32_t)(i + 1);
    }
}

int map_put(struct map *m, struct span key, void *value)
{
    uint64_t hash = siphash13(m->hash_key, key);
    size_t at = find(m, hash, key);

    assert(value != NULL);
    if (m->slots[at] != 0) {
        m->entries[m->slots[at] - 1].value = value;
        return 0;
    }
    if (m->n == m->max)
        return -1;
    if (m->n == m->entries_cap) {
        m->entries_cap = m->entries_cap == 0 ? 8 : m->entries_cap * 2;
        m->entries = mem_resize(m->entries, m->entries_cap, sizeof m->entries[0]);
    }
    if (m->n + 1 > (m->mask + 1) / 4 * 3) {
        double_slots(m);
        at = find(m, hash, key);
    }
    m->entries[m->n] = (struct entry){
        .hash = hash, .key = mem_dup(key.p, key.n), .key_len = key.n, .value = value};
    m->slots[at] = (uint32_t)(++m->n);
    return 0;
}

/* Free slot `hole` and pull back what would no longer be reached across it. */
static void close_gap(struct map *m, size_t hole)
{
    size_t at = hole;

    m->slots[hole] = 0;
    for (;;) {
        size_t home;

        at = (at + 1) & m->mask;
        if (m->slots[at] == 0)
            return;
        home = m->entries[m->slots[at] - 1].hash & m->mask;
        /* Stays when its home lies cyclically in (hole, at]. */
        if (((at - home) & m->mask) < ((at - hole) & m->mask))
            continue;
        m->slots[hole] = m->slots[at];
        m->slots[at] = 0;
        hole = at;
    }
}

void *map_take(struct map *m, struct span key)
{
    size_t at = find(m, siphash13(m->hash_key, key), key);
    size_t number;
    struct entry *e;
    void *value;

    if (m->slots[at] == 0)
        return NULL;
    number = m->slots[at] - 1;
    e = &m->entries[number];
    value = e->value;
    close_gap(m, at);
    free(e->key);
    m->n--;
    if (number != m->n) {
        struct entry *last = &m->entries[m->n];
        size_t slot = last->hash & m->mask;

        while (m->slots[slot] != m->n + 1)
            slot = (slot + 1) & m->mask;
        m->slots[slot] = (uint32_t)(number + 1);
        *e = *last;
    }
    return value;
}

bool map_next(const struct map *m, size_t *cursor, struct span *key, void **value)
{
    /* *cursor: 0 at the start, else the number of the entry just visited plus one. */
    size_t number = *cursor == 0 ? m->n : *cursor - 1;

    if (number == 0)
        return false;
    *cursor = number;
    *key = span_of(m->entries[number - 1].key, m->entries[number - 1].key_len);
    *value = m->entries[number - 1].value;
    return true;
}
