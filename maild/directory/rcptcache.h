/* SPDX-License-Identifier: ISC */
/* maild/directory/rcptcache.h - recipients of ours that were found a moment ago.
 *
 * Why:       every message asks where its recipient leads, most ask the same as the one
 *            before; the way to the database thread and back costs more than the question.
 * Ownership: the caller frees; what rcptcache_get() points to is gone with the next put.
 * Threads:   the loop's. Two stat() calls a question are its only I/O.
 *
 * An answer is kept for a second, and only while signpost.db and its write-ahead log look as
 * they did before the database was asked: a committed change is seen by the next question.
 * (A change that was being synced just then is seen when the second is over.) Only "yes, it
 * is ours" is kept: a new address works at once whatever was asked before. */
#ifndef MAILD_DIRECTORY_RCPTCACHE_H
#define MAILD_DIRECTORY_RCPTCACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/rng.h"
#include "base/core/span.h"

#define RCPTCACHE_TTL_MS      1000
#define RCPTCACHE_QUIET_MS    50 /* nothing is kept right behind a change */
#define RCPTCACHE_ENTRIES_MAX 4096
#define RCPTCACHE_TARGETS_MAX 1024 /* octets; longer answers are not kept */

/* What the files of the database look like. */
struct rcptcache_file {
    uint64_t dev, ino, size;
    int64_t mtime_us;
};
struct rcptcache_stamp {
    bool is_known;
    struct rcptcache_file main, wal;
};

struct rcptcache;

struct rcptcache *rcptcache_new(struct rng *rng, const char *data_dir);
void rcptcache_free(struct rcptcache **c);
/* To be taken before the question goes to the database. */
struct rcptcache_stamp rcptcache_look(const struct rcptcache *c);
/* The targets as they were put, or NULL octets. `login_account` may widen what is allowed,
 * so it belongs to the question. */
struct span rcptcache_get(struct rcptcache *c, const struct rcptcache_stamp *stamp,
                          struct span address, uint64_t login_account, int64_t now_ms);
/* The database said so after `stamp` was taken. `wall_us` is the wall clock. */
void rcptcache_put(struct rcptcache *c, const struct rcptcache_stamp *stamp,
                   struct span address, uint64_t login_account, struct span targets,
                   int64_t now_ms, int64_t wall_us);

#endif
