/* SPDX-License-Identifier: ISC */
/* dnsd/batch.h - what one step of the builder hands on: images in sealed memory, and what
 * became of each zone.
 *
 * Why:       images come from the compiler (build) and from disk (keep); serve and the zones'
 *            state take them all alike.
 * Ownership: a batch belongs to whoever has it; texts of its items belong to the batch.
 * Threads:   one owner at a time. */
#ifndef DNSD_BATCH_H
#define DNSD_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/err.h"

enum {
    BATCH_OCTETS = 4 << 20, /* of images; then the batch is full */
    BATCH_ZONES = 1000,
    BATCH_NAMES_MAX = 120000, /* octets of names; the rest waits for the next step */
};

enum build_news {
    BUILD_BUILT,   /* its image is in the batch */
    BUILD_REFUSED, /* not fit to be published: `why` */
    BUILD_REMOVED, /* no longer hosted here */
    BUILD_KEPT,    /* the image of an earlier run is in the batch */
};

/* What became of one zone. BUILT and KEPT come in the order of their images. */
struct build_item {
    enum build_news news;
    const char *zone; /* text without final dot */
    const char *why;  /* BUILD_REFUSED: "" otherwise */
    uint32_t soa_serial;
    uint32_t records;
    size_t octets;        /* of the image */
    int64_t domain_id;    /* BUILT: */
    int64_t serial, at_s; /* the change it was made from (struct zone_made) */
};

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
    size_t unserved;       /* of these: zones that nothing was sent of yet */
    bool is_empty_refused; /* all zones vanished at once; nothing was removed */
    bool is_failed;        /* the database: *err filled, nothing was lost, try again */
    struct err err;
};

struct batch *batch_new(void);
void batch_free(struct batch **t);

struct build_item *batch_add(struct batch *t, enum build_news news, const char *zone,
                             const char *why);
/* Append the wire form of `zone` to t->removed or t->withheld; false when it has no room. */
MUST_USE bool batch_put_name(struct buf *names, const char *zone);
bool batch_has_room(const struct buf *names);
/* Put `images` (t->count of them, one behind the other) into sealed memory: nobody can change
 * or shrink it any more, so the reader may map it safely. Nothing to do when there are none. */
MUST_USE int batch_seal(struct batch *t, struct span images);

#endif
