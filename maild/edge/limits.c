/* SPDX-License-Identifier: ISC */
#include "maild/edge/limits.h"

#include <assert.h>
#include <stdlib.h>

#include "base/core/map.h"
#include "base/core/mem.h"

struct limits {
    size_t per_address, all, n;
    struct map *counts; /* address or network -> struct count */
};

struct count {
    size_t n;
};

struct limits *limits_new(size_t per_address, size_t all, struct rng *rng)
{
    struct limits *l = mem_new(1, sizeof(*l));

    l->per_address = per_address;
    l->all = all;
    l->counts = map_new(all, rng);
    return l;
}

void limits_free(struct limits **l)
{
    struct span key;
    size_t cursor = 0;
    void *value;

    if (*l == NULL)
        return;
    while (map_next((*l)->counts, &cursor, &key, &value))
        free(value);
    map_free(&(*l)->counts);
    free(*l);
    *l = NULL;
}

static struct span key_of(const struct ipaddr *peer)
{
    return span_of(peer->b, peer->family == AF_INET ? 4 : 8);
}

enum limits_verdict limits_take(struct limits *l, const struct ipaddr *peer)
{
    struct count *c = map_get(l->counts, key_of(peer));

    if (l->n >= l->all)
        return LIMITS_FULL_ALL;
    if (c == NULL) {
        c = mem_new(1, sizeof(*c));
        if (map_put(l->counts, key_of(peer), c) == -1) {
            free(c);
            return LIMITS_FULL_ALL;
        }
    }
    if (c->n >= l->per_address)
        return LIMITS_FULL_ADDRESS;
    c->n++;
    l->n++;
    return LIMITS_OK;
}

void limits_give(struct limits *l, const struct ipaddr *peer)
{
    struct count *c = map_get(l->counts, key_of(peer));

    assert(c != NULL && c->n > 0 && l->n > 0);
    l->n--;
    if (--c->n > 0)
        return;
    (void)map_take(l->counts, key_of(peer));
    free(c);
}

size_t limits_count(const struct limits *l)
{
    return l->n;
}

size_t limits_count_address(const struct limits *l, const struct ipaddr *peer)
{
    const struct count *c = map_get(l->counts, key_of(peer));

    return c == NULL ? 0 : c->n;
}
