/* SPDX-License-Identifier: ISC */
/* dnsd/build.h - from the domain database to a batch of zone images; the builder's thread.
 *
 * Why:       SQLite, generating and compiling block, so they run in pool jobs; this is what
 *            such a job does.
 * Ownership: struct build belongs to one pool thread; a batch belongs to whoever has it.
 * Threads:   build_step always on the same thread; batch_* anywhere.
 *
 * One step looks for changes, then compiles zones until the batch is full. What is still to
 * be done stays in the struct, newest change first, so that a single change does not wait
 * behind a rebuild of everything. */
#ifndef DNSD_BUILD_H
#define DNSD_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/arena.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/rng.h"

struct build;

struct build *build_new(const char *data_dir, struct rng *rng);
void build_free(struct build **b);

/* Can the database be opened and read? For a clear message at the start; leaves nothing
 * open. */
MUST_USE int build_check(const char *data_dir, struct err *err);

enum build_news {
    BUILD_BUILT,   /* its image is in the batch */
    BUILD_REFUSED, /* not fit to be published: `why` */
    BUILD_REMOVED, /* no longer hosted here */
};

/* What became of one zone. */
struct build_item {
    enum build_news news;
    const char *zone; /* text without final dot */
    const char *why;  /* BUILD_REFUSED: "" otherwise */
    uint32_t soa_serial;
    uint32_t records;
    size_t octets; /* of the image */
};

/* The outcome of a step. */
struct batch {
    struct arena *arena; /* of items and their texts */
    struct build_item *items;
    size_t n_items, cap_items;
    int fd; /* sealed memory with the images, -1 when there are none */
    uint64_t octets;
    uint32_t count;
    struct buf removed;    /* span16 wire names */
    struct buf withheld;   /* of zones refused */
    int64_t serial;        /* newest change the database has */
    size_t left;           /* zones that are still to be built */
    bool is_empty_refused; /* all zones vanished at once; nothing was removed */
    bool is_failed;        /* the database: *err filled, nothing was lost, try again */
    struct err err;
};

/* Look for changes and build. `may_be_empty`: believe a database without any zone. */
struct batch *build_step(struct build *b, bool may_be_empty);
/* Forget what was built: the next step does everything again (after a lost batch). */
void build_restart(struct build *b);
void batch_free(struct batch **t);

#endif
