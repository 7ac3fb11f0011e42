/* SPDX-License-Identifier: ISC */
/* Design: open addressing, keyed hash, linear probing, slots are atomic pointers to zones.
 *
 * 1. Who sees the pointer sees the zone. Readers load the table and its slots sequentially
 *    consistent, not only with acquire: grace.c needs these loads to come behind the
 *    reader's note (on x86 they are plain loads). A slot goes empty -> zone -> other zone of
 *    the same apex or GONE, never back to empty, so a probe never stops too early.
 * 2. At most half of the slots are used (GONE counts); then a larger table is filled beside
 *    the old one and the table pointer is swapped. 100,000 pointers take about a millisecond,
 *    and that happens only when the number of zones has doubled.
 * 3. A reader tries the suffixes of QNAME from the longest, but only of lengths (in labels)
 *    that some apex has: `depths` has a bit for each. So a name of 127 labels costs no more
 *    probes than there are different depths of zones. Bits are never cleared.
 * 4. Everything taken out is retired, never freed here. */
#include "dnsd/zonetab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/hash.h"
#include "base/core/mem.h"

enum { SLOTS_FIRST = 64 };

typedef _Atomic(struct zone_live *) slot;

struct table {
    size_t mask;
    slot slots[];
};

struct zonetab {
    _Atomic(struct table *) table;
    atomic_ullong depths[2]; /* bit d of 128: some apex has d labels */
    uint64_t key[2];
    size_t used; /* slots that are not empty, GONE included */
    size_t count, octets;
    unsigned round;
    void (*retire)(void *ctx, void *memory);
    void *ctx;
};

/* Stands where a zone was removed: an address that no zone can have, never read through. */
#define GONE ((struct zone_live *)(uintptr_t)1)

void qname_set(struct qname *q, struct span name)
{
    size_t at = 0;

    assert(name.n > 0 && name.n <= DNAME_MAX);
    memcpy(q->lower, name.p, name.n);
    ascii_lower_all(q->lower, name.n);
    q->len = (uint8_t)name.n;
    q->labels = 0;
    for (; q->lower[at] != 0; at += 1u + q->lower[at])
        q->starts[q->labels++] = (uint8_t)at;
    q->starts[q->labels] = (uint8_t)at;
}

struct zone_live *zone_live_new(struct span image, struct err *err)
{
    struct zone_live *z = mem_new(1, sizeof(*z) + image.n);

    memcpy(z->data, image.p, image.n);
    if (image_open(span_of(z->data, image.n), &z->im, err) != 0) {
        free(z);
        return NULL;
    }
    z->apex = image_apex(&z->im);
    z->octets = image.n;
    return z;
}

struct zone_live *zone_live_broken(struct span apex)
{
    struct zone_live *z = mem_new(1, sizeof(*z) + DNAME_MAX);

    memcpy(z->data, apex.p, apex.n);
    ascii_lower_all((uint8_t *)z->data, apex.n);
    z->apex = span_of(z->data, apex.n);
    return z;
}

static struct table *table_new(size_t n_slots)
{
    struct table *t = mem_new(1, sizeof(*t) + n_slots * sizeof(slot));

    t->mask = n_slots - 1;
    for (size_t i = 0; i < n_slots; i++)
        atomic_init(&t->slots[i], NULL);
    return t;
}

struct zonetab *zonetab_new(struct rng *rng, void (*retire)(void *ctx, void *memory),
                            void *ctx)
{
    struct zonetab *t = mem_new(1, sizeof(*t));

    rng_fill(rng, t->key, sizeof(t->key));
    atomic_init(&t->table, table_new(SLOTS_FIRST));
    atomic_init(&t->depths[0], 0);
    atomic_init(&t->depths[1], 0);
    t->retire = retire;
    t->ctx = ctx;
    return t;
}

void zonetab_free(struct zonetab **t)
{
    struct table *table;

    if (*t == NULL)
        return;
    table = atomic_load(&(*t)->table);
    for (size_t i = 0; i <= table->mask; i++) {
        struct zone_live *z = atomic_load(&table->slots[i]);

        if (z != GONE)
            free(z);
    }
    free(table);
    free(*t);
    *t = NULL;
}

/* The slot that holds `apex`, or the first empty one of its probe. */
static slot *find_slot(struct table *table, uint64_t hash, struct span apex)
{
    for (size_t at = hash & table->mask;; at = (at + 1) & table->mask) {
        struct zone_live *z = atomic_load(&table->slots[at]);

        if (z == NULL || (z != GONE && z->hash == hash && span_eq(z->apex, apex)))
            return &table->slots[at];
    }
}

/* --- readers --- */

const struct zone_live *zonetab_find(const struct zonetab *t, const struct qname *q,
                                     bool is_above)
{
    struct table *table = atomic_load(&t->table);
    unsigned long long depths[2] = {
        atomic_load_explicit(&t->depths[0], memory_order_acquire),
        atomic_load_explicit(&t->depths[1], memory_order_acquire),
    };
    int top = (int)q->labels - (is_above ? 1 : 0);

    for (int d = top; d >= 0; d--) {
        struct span suffix;
        slot *found;
        struct zone_live *z;

        if ((depths[d / 64] >> d % 64 & 1) == 0)
            continue;
        suffix = qname_suffix(q, (unsigned)d);
        found = find_slot(table, siphash13(t->key, suffix), suffix);
        z = atomic_load(found);
        if (z != NULL && z != GONE)
            return z;
    }
    return NULL;
}

/* --- the writer --- */

static slot *slot_of(const struct zonetab *t, struct span apex, uint64_t *hash)
{
    uint8_t lower[DNAME_MAX];

    assert(apex.n <= sizeof(lower));
    memcpy(lower, apex.p, apex.n);
    ascii_lower_all(lower, apex.n);
    *hash = siphash13(t->key, span_of(lower, apex.n));
    return find_slot(atomic_load(&t->table), *hash, span_of(lower, apex.n));
}

static void grow(struct zonetab *t)
{
    struct table *old = atomic_load(&t->table);
    size_t n_slots = SLOTS_FIRST;
    struct table *new;

    while (n_slots < 4 * (t->count + 1))
        n_slots *= 2;
    new = table_new(n_slots);
    for (size_t i = 0; i <= old->mask; i++) {
        struct zone_live *z = atomic_load(&old->slots[i]);

        if (z != NULL && z != GONE)
            atomic_store(find_slot(new, z->hash, z->apex), z);
    }
    t->used = t->count;
    atomic_store(&t->table, new);
    t->retire(t->ctx, old);
}

void zonetab_put(struct zonetab *t, struct zone_live *z)
{
    unsigned labels = dname_labels(z->apex);
    slot *s = slot_of(t, z->apex, &z->hash);
    struct zone_live *old = atomic_load(s);

    if (old == NULL && 2 * (t->used + 1) > atomic_load(&t->table)->mask + 1) {
        grow(t);
        s = slot_of(t, z->apex, &z->hash);
    }
    z->round = t->round;
    (void)atomic_fetch_or(&t->depths[labels / 64], 1ull << labels % 64);
    atomic_store(s, z);
    t->octets += z->octets;
    if (old == NULL) {
        t->used++;
        t->count++;
        return;
    }
    t->octets -= old->octets;
    t->retire(t->ctx, old);
}

static void take_out(struct zonetab *t, slot *s)
{
    struct zone_live *old = atomic_load(s);

    atomic_store(s, GONE);
    t->count--;
    t->octets -= old->octets;
    t->retire(t->ctx, old);
}

bool zonetab_remove(struct zonetab *t, struct span apex)
{
    uint64_t hash;
    slot *s = slot_of(t, apex, &hash);

    if (atomic_load(s) == NULL)
        return false;
    take_out(t, s);
    return true;
}

void zonetab_round(struct zonetab *t)
{
    t->round++;
}

bool zonetab_touch(struct zonetab *t, struct span apex)
{
    uint64_t hash;
    struct zone_live *z = atomic_load(slot_of(t, apex, &hash));

    if (z == NULL)
        return false;
    z->round = t->round;
    return true;
}

size_t zonetab_drop_untouched(struct zonetab *t)
{
    struct table *table = atomic_load(&t->table);
    size_t n = 0;

    for (size_t i = 0; i <= table->mask; i++) {
        struct zone_live *z = atomic_load(&table->slots[i]);

        if (z == NULL || z == GONE || z->round == t->round)
            continue;
        take_out(t, &table->slots[i]);
        n++;
    }
    return n;
}

size_t zonetab_count(const struct zonetab *t)
{
    return t->count;
}

size_t zonetab_octets(const struct zonetab *t)
{
    return t->octets;
}

const struct zone_live *zonetab_get(const struct zonetab *t, struct span apex)
{
    uint64_t hash;

    return atomic_load(slot_of(t, apex, &hash));
}
