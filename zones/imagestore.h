/* SPDX-License-Identifier: ISC */
/* zones/imagestore.h - D/dns/images.db: the last good image of each zone.
 *
 * Why:       after a restart zones are answered at once from what was compiled before, and a
 *            zone that no longer passes lint keeps its last good answers.
 * Ownership: the caller's; rows are borrowed during the callback.
 * Threads:   the thread that opened it. One process writes: the builder of dnsd.
 *
 * All of it can be made again from signpost.db, so nothing here waits for the disk (synchronous
 * NORMAL): what a power loss takes is compiled again. Each row has a checksum of its own and
 * the change it was made from; who reads compares that with signpost.db. The states a crash
 * can leave are D1.. in docs/STATES.md. */
#ifndef ZONES_IMAGESTORE_H
#define ZONES_IMAGESTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/span.h"

struct imagestore;

enum imagestore_state {
    IMAGESTORE_GOOD,
    IMAGESTORE_DAMAGED, /* checksum */
    IMAGESTORE_FOREIGN, /* an image format that this program does not read */
};

struct imagestore_row {
    int64_t domain_id;
    int64_t serial, at_s; /* of the change it was made from (struct zone_made) */
    uint32_t generator;   /* GENERATE_VERSION it was made with */
    uint32_t format;      /* IMAGE_VERSION */
    enum imagestore_state state;
    struct span name;  /* text without final dot; GOOD only */
    struct span image; /* GOOD only; not aligned */
};

/* Open, or make when missing. A file that cannot be used (no database, damaged, of another
 * schema) is moved to images.db.unusable and a new one made: *was_unusable, with the reason
 * in *err although the call succeeds. NULL with *err when there is no way. */
struct imagestore *imagestore_open(const char *data_dir, bool *was_unusable,
                                   struct err *err);
void imagestore_close(struct imagestore **s);

/* Visit rows with a domain_id above `after`, in ascending order, until `each` says false. */
MUST_USE int imagestore_each(struct imagestore *s, int64_t after,
                             bool (*each)(void *ctx, const struct imagestore_row *row),
                             void *ctx, struct err *err);
/* -1 on error. */
int64_t imagestore_count(struct imagestore *s, struct err *err);

/* One transaction of any number of puts and removals. After a failure everything since the
 * begin is taken back by imagestore_rollback(). */
MUST_USE int imagestore_begin(struct imagestore *s, struct err *err);
MUST_USE int imagestore_put(struct imagestore *s, const struct imagestore_row *row,
                            struct err *err);
MUST_USE int imagestore_remove(struct imagestore *s, int64_t domain_id, struct err *err);
/* Of a domain that is gone. */
MUST_USE int imagestore_remove_named(struct imagestore *s, struct span name,
                                     struct err *err);
MUST_USE int imagestore_commit(struct imagestore *s, struct err *err);
void imagestore_rollback(struct imagestore *s);

/* The last failure was damage of the file: close it, set it aside, open again. */
bool imagestore_is_damaged(const struct imagestore *s);
MUST_USE int imagestore_set_aside(const char *data_dir, struct err *err);

#endif
