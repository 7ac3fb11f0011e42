/* SPDX-License-Identifier: ISC */
#include "maild/directory/throttle.h"

#include <stdlib.h>
#include <string.h>

#include "base/core/list.h"
#include "base/core/map.h"
#include "base/core/mem.h"

#define NAME_MAX_OCTETS 320 /* longest login that is told apart from others */
#define KEY_MAX         (NAME_MAX_OCTETS + 16)

/* One bucket, or one remembered pair. */
struct entry {
    struct list age; /* in table.by_age */
    struct span key; /* allocated behind the struct */
    int64_t tokens;  /* buckets only */
    int64_t at_ms;   /* bucket: when `tokens` was counted; pair: last success */
};

/* Entries by key, and in order of their last use: the head is forgotten first. */
struct table {
    struct map *by_key;
    struct list by_age;
    int64_t burst;
    int64_t refill_ms;
};

struct throttle {
    struct table peer, name, known;
};

static void table_init(struct table *t, struct rng *rng, int64_t burst, int64_t refill_ms)
{
    t->by_key = map_new(THROTTLE_ENTRIES_MAX, rng);
    list_init(&t->by_age);
    t->burst = burst;
    t->refill_ms = refill_ms;
}

static void entry_drop(struct table *t, struct entry *e)
{
    (void)map_take(t->by_key, e->key);
    list_remove(&e->age);
    free(e);
}

static void table_free(struct table *t)
{
    while (!list_is_empty(&t->by_age))
        entry_drop(t, LIST_ENTRY(t->by_age.next, struct entry, age));
    map_free(&t->by_key);
}

/* The entry of this key, made full of tokens when there is none; now the youngest. */
static struct entry *table_touch(struct table *t, struct span key, int64_t now_ms)
{
    struct entry *e = map_get(t->by_key, key);

    if (e == NULL) {
        uint8_t *copy;

        if (map_count(t->by_key) == THROTTLE_ENTRIES_MAX)
            entry_drop(t, LIST_ENTRY(t->by_age.next, struct entry, age));
        e = mem_new(1, sizeof *e + key.n);
        copy = (uint8_t *)(e + 1);
        memcpy(copy, key.p, key.n);
        e->key = span_of(copy, key.n);
        e->tokens = t->burst;
        e->at_ms = now_ms;
        list_init(&e->age);
        if (map_put(t->by_key, e->key, e) != 0)
            abort(); /* room was made above */
    }
    list_remove(&e->age);
    list_add_tail(&t->by_age, &e->age);
    return e;
}

/* Tokens come back one by one with time, up to the burst. */
static void refill(const struct table *t, struct entry *e, int64_t now_ms)
{
    int64_t n = (now_ms - e->at_ms) / t->refill_ms;

    if (n <= 0)
        return;
    if (n >= t->burst - e->tokens) {
        e->tokens = t->burst;
        e->at_ms = now_ms;
    } else {
        e->tokens += n;
        e->at_ms += n * t->refill_ms;
    }
}

/* A client is one IPv4 address or one IPv6 /64: that is what one customer has. */
static struct span peer_key(const struct ipaddr *peer, uint8_t key[KEY_MAX])
{
    size_t n = peer->family == AF_INET6 ? 8 : 4;

    key[0] = peer->family;
    memcpy(key + 1, peer->b, n);
    return span_of(key, n + 1);
}

static struct span name_key(struct span login, uint8_t key[KEY_MAX])
{
    struct span s = span_take(login, NAME_MAX_OCTETS);

    if (s.n != 0)
        memcpy(key, s.p, s.n);
    ascii_lower_all(key, s.n);
    return span_of(key, s.n);
}

static struct span pair_key(const struct ipaddr *peer, struct span login,
                            uint8_t key[KEY_MAX])
{
    struct span p = peer_key(peer, key);
    struct span n = name_key(login, key + p.n);

    return span_of(key, p.n + n.n);
}

static bool is_known(struct throttle *t, const struct ipaddr *peer, struct span login,
                     int64_t now_ms)
{
    uint8_t key[KEY_MAX];
    struct entry *e = map_get(t->known.by_key, pair_key(peer, login, key));

    return e != NULL && now_ms - e->at_ms < THROTTLE_KNOWN_MS;
}

struct throttle *throttle_new(struct rng *rng)
{
    struct throttle *t = mem_new(1, sizeof *t);

    table_init(&t->peer, rng, THROTTLE_PEER_BURST, THROTTLE_PEER_REFILL_MS);
    table_init(&t->name, rng, THROTTLE_NAME_BURST, THROTTLE_NAME_REFILL_MS);
    table_init(&t->known, rng, 0, 1);
    return t;
}

void throttle_free(struct throttle **t)
{
    if (*t == NULL)
        return;
    table_free(&(*t)->peer);
    table_free(&(*t)->name);
    table_free(&(*t)->known);
    free(*t);
    *t = NULL;
}

enum throttle_verdict throttle_take(struct throttle *t, const struct ipaddr *peer,
                                    struct span login, int64_t now_ms)
{
    uint8_t key[KEY_MAX];
    struct entry *p = table_touch(&t->peer, peer_key(peer, key), now_ms);
    struct entry *n;

    refill(&t->peer, p, now_ms);
    if (p->tokens == 0)
        return THROTTLE_PEER; /* and does not get to push other logins out of the table */
    n = table_touch(&t->name, name_key(login, key), now_ms);
    refill(&t->name, n, now_ms);
    if (n->tokens == 0 && !is_known(t, peer, login, now_ms))
        return THROTTLE_NAME;
    p->tokens--;
    if (n->tokens > 0)
        n->tokens--;
    return THROTTLE_OK;
}

void throttle_undo(struct throttle *t, const struct ipaddr *peer, struct span login,
                   int64_t now_ms)
{
    uint8_t key[KEY_MAX];
    struct entry *p = table_touch(&t->peer, peer_key(peer, key), now_ms);
    struct entry *n = table_touch(&t->name, name_key(login, key), now_ms);

    if (p->tokens < t->peer.burst)
        p->tokens++;
    if (n->tokens < t->name.burst)
        n->tokens++;
}

void throttle_success(struct throttle *t, const struct ipaddr *peer, struct span login,
                      int64_t now_ms)
{
    uint8_t key[KEY_MAX];

    throttle_undo(t, peer, login, now_ms);
    table_touch(&t->known, pair_key(peer, login, key), now_ms)->at_ms = now_ms;
}
