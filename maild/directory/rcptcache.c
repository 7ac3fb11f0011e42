/* SPDX-License-Identifier: ISC */
#include "maild/directory/rcptcache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/core/buf.h"
#include "base/core/map.h"
#include "base/core/mem.h"

#define KEY_MAX (8 + 512)

struct entry {
    int64_t until_ms;
    size_t n;
    uint8_t targets[];
};

struct rcptcache {
    struct map *entries;
    struct rcptcache_stamp stamp; /* of all of them */
    char *main_path, *wal_path;
};

static char *path_of(const char *data_dir, const char *name)
{
    struct buf path;
    char *text;

    buf_init(&path, 8192);
    if (buf_printf(&path, "%s/db/%s", data_dir, name) != 0)
        abort(); /* conf bounds a path */
    text = mem_strdup(buf_cstr(&path));
    buf_free(&path);
    return text;
}

struct rcptcache *rcptcache_new(struct rng *rng, const char *data_dir)
{
    struct rcptcache *c = mem_new(1, sizeof *c);

    c->entries = map_new(RCPTCACHE_ENTRIES_MAX, rng);
    c->main_path = path_of(data_dir, "signpost.db");
    c->wal_path = path_of(data_dir, "signpost.db-wal");
    return c;
}

static void forget(struct rcptcache *c)
{
    size_t cursor = 0;
    struct span key;
    void *value;

    while (map_next(c->entries, &cursor, &key, &value))
        free(map_take(c->entries, key));
}

void rcptcache_free(struct rcptcache **cache)
{
    struct rcptcache *c = *cache;

    if (c == NULL)
        return;
    *cache = NULL;
    forget(c);
    map_free(&c->entries);
    free(c->main_path);
    free(c->wal_path);
    free(c);
}

static bool look_at(const char *path, struct rcptcache_file *f)
{
    struct stat st;

    if (stat(path, &st) == -1)
        return false;
    f->dev = (uint64_t)st.st_dev;
    f->ino = (uint64_t)st.st_ino;
    f->size = (uint64_t)st.st_size;
    f->mtime_us = st.st_mtim.tv_sec * 1000000LL + st.st_mtim.tv_nsec / 1000;
    return true;
}

struct rcptcache_stamp rcptcache_look(const struct rcptcache *c)
{
    struct rcptcache_stamp s = {.is_known = false};

    s.is_known = look_at(c->main_path, &s.main) && look_at(c->wal_path, &s.wal);
    return s;
}

/* 0 octets: no key, the address is too long. */
static size_t make_key(uint8_t key[KEY_MAX], struct span address, uint64_t login_account)
{
    if (address.n == 0 || address.n > KEY_MAX - sizeof login_account)
        return 0;
    memcpy(key, &login_account, sizeof login_account);
    memcpy(key + sizeof login_account, address.p, address.n);
    return sizeof login_account + address.n;
}

static bool is_same_file(const struct rcptcache_file *a, const struct rcptcache_file *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime_us == b->mtime_us;
}

static bool is_same(const struct rcptcache_stamp *a, const struct rcptcache_stamp *b)
{
    return a->is_known && b->is_known && is_same_file(&a->main, &b->main) &&
           is_same_file(&a->wal, &b->wal);
}

struct span rcptcache_get(struct rcptcache *c, const struct rcptcache_stamp *stamp,
                          struct span address, uint64_t login_account, int64_t now_ms)
{
    uint8_t key[KEY_MAX];
    size_t n = make_key(key, address, login_account);
    const struct entry *e;

    if (n == 0 || !is_same(&c->stamp, stamp))
        return span_of(NULL, 0);
    e = map_get(c->entries, span_of(key, n));
    return e == NULL || e->until_ms <= now_ms ? span_of(NULL, 0)
                                              : span_of(e->targets, e->n);
}

void rcptcache_put(struct rcptcache *c, const struct rcptcache_stamp *stamp,
                   struct span address, uint64_t login_account, struct span targets,
                   int64_t now_ms, int64_t wall_us)
{
    uint8_t key[KEY_MAX];
    size_t n = make_key(key, address, login_account);
    int64_t quiet_us = wall_us - RCPTCACHE_QUIET_MS * 1000;
    struct entry *e;

    if (n == 0 || targets.n == 0 || targets.n > RCPTCACHE_TARGETS_MAX ||
        !stamp->is_known || stamp->main.mtime_us > quiet_us ||
        stamp->wal.mtime_us > quiet_us)
        return;
    if (!is_same(&c->stamp, stamp) || map_count(c->entries) >= RCPTCACHE_ENTRIES_MAX)
        forget(c);
    c->stamp = *stamp;
    e = mem_new(1, sizeof *e + targets.n);
    e->until_ms = now_ms + RCPTCACHE_TTL_MS;
    e->n = targets.n;
    memcpy(e->targets, targets.p, targets.n);
    free(map_take(c->entries, span_of(key, n)));
    if (map_put(c->entries, span_of(key, n), e) == -1)
        free(e);
}
