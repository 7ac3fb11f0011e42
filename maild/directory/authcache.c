/* SPDX-License-Identifier: ISC */
#include "maild/directory/authcache.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/core/list.h"
#include "base/core/map.h"
#include "base/core/mem.h"

#define MARK_OCTETS 32

struct entry {
    struct list age; /* oldest first: the first to expire, the first to go */
    uint8_t mark[MARK_OCTETS];
    int64_t until_ms;
};

struct authcache {
    struct map *by_mark;
    struct list by_age;
    uint8_t key[32];
};

struct authcache *authcache_new(struct rng *rng)
{
    struct authcache *c = mem_new(1, sizeof *c);

    c->by_mark = map_new(AUTHCACHE_ENTRIES_MAX, rng);
    list_init(&c->by_age);
    rng_fill(rng, c->key, sizeof c->key);
    return c;
}

static void drop(struct authcache *c, struct entry *e)
{
    (void)map_take(c->by_mark, span_of(e->mark, sizeof e->mark));
    list_remove(&e->age);
    free(e);
}

static struct entry *oldest(const struct authcache *c)
{
    return list_is_empty(&c->by_age) ? NULL
                                     : LIST_ENTRY(c->by_age.next, struct entry, age);
}

void authcache_free(struct authcache **cache)
{
    struct authcache *c = *cache;

    if (c == NULL)
        return;
    while (!list_is_empty(&c->by_age))
        drop(c, oldest(c));
    map_free(&c->by_mark);
    OPENSSL_cleanse(c, sizeof *c);
    free(c);
    *cache = NULL;
}

/* HMAC over hash(secret_ref) || password: the first part has one length, so no pair of
 * reference and password can be read as another pair. False when OpenSSL fails: then the
 * cache knows nothing. */
static bool make_mark(const struct authcache *c, struct span secret_ref,
                      struct span password, uint8_t mark[MARK_OCTETS])
{
    uint8_t ref[MARK_OCTETS];
    uint8_t all[MARK_OCTETS + 1024];
    unsigned n = 0;
    bool is_ok = false;

    if (password.n > sizeof all - sizeof ref)
        return false;
    if (HMAC(EVP_sha256(), c->key, sizeof c->key, secret_ref.p, secret_ref.n, ref, &n) ==
        NULL)
        return false;
    memcpy(all, ref, sizeof ref);
    if (password.n != 0)
        memcpy(all + sizeof ref, password.p, password.n);
    is_ok = HMAC(EVP_sha256(), c->key, sizeof c->key, all, sizeof ref + password.n, mark,
                 &n) != NULL &&
            n == MARK_OCTETS;
    OPENSSL_cleanse(all, sizeof all);
    return is_ok;
}

static void expire(struct authcache *c, int64_t now_ms)
{
    for (struct entry *e = oldest(c); e != NULL && e->until_ms <= now_ms; e = oldest(c))
        drop(c, e);
}

bool authcache_has(struct authcache *c, struct span secret_ref, struct span password,
                   int64_t now_ms)
{
    uint8_t mark[MARK_OCTETS];

    expire(c, now_ms);
    return make_mark(c, secret_ref, password, mark) &&
           map_get(c->by_mark, span_of(mark, sizeof mark)) != NULL;
}

void authcache_put(struct authcache *c, struct span secret_ref, struct span password,
                   int64_t now_ms)
{
    struct entry *e;
    uint8_t mark[MARK_OCTETS];

    expire(c, now_ms);
    if (!make_mark(c, secret_ref, password, mark))
        return;
    e = map_get(c->by_mark, span_of(mark, sizeof mark));
    if (e != NULL)
        drop(c, e);
    else if (map_count(c->by_mark) == AUTHCACHE_ENTRIES_MAX)
        drop(c, oldest(c));
    e = mem_new(1, sizeof *e);
    memcpy(e->mark, mark, sizeof e->mark);
    e->until_ms = now_ms + AUTHCACHE_TTL_MS;
    list_add_tail(&c->by_age, &e->age);
    if (map_put(c->by_mark, span_of(e->mark, sizeof e->mark), e) != 0)
        abort(); /* room was made above */
}
