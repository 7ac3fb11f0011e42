/* SPDX-License-Identifier: ISC */
/* maild/store/segments.h - the folder of journal segments, one call after the other.
 *
 * Why:       everything about files that journal.h does in a pool job, without the pool: so
 *            that replay, rolling, reuse and every kind of ending is tested by itself.
 * Ownership: the caller; one struct for each journal folder, never two on one folder.
 * Threads:   one at a time (the journal's pool thread after the start). It may sleep in the
 *            kernel: never call it on a loop.
 *
 * Files: NNNNNNNN.seg (preallocated, in use), spare-N (released, to be written over: data
 * blocks that exist already make fdatasync one write instead of two). */
#ifndef MAILD_STORE_SEGMENTS_H
#define MAILD_STORE_SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "maild/store/fsops.h"
#include "maild/store/record.h"

#define SEGMENTS_OCTETS_MIN (1024u * 1024u)

struct segments;

/* Open the folder (made when missing) and lock it. NULL with *err when it cannot be
 * written or another process has it. */
struct segments *segments_open(const struct fsops *fs, const char *dir,
                               uint32_t segment_octets, struct err *err);
void segments_close(struct segments **s);

typedef int (*segments_record_fn)(void *ctx, const struct record *r, struct err *err);
/* Give every whole record, oldest first, to `fn` (non-zero stops with -1). A torn end ends
 * the replay. Damage below what was promised returns -1 and names file and offset. To be
 * called once, before the first write. */
MUST_USE int segments_replay(struct segments *s, segments_record_fn fn, void *ctx,
                             struct err *err);
/* Position behind the last record. */
uint64_t segments_end(const struct segments *s);
/* Position below which everything is durable. */
uint64_t segments_synced(const struct segments *s);
/* Most octets that one segments_append() takes. */
size_t segments_batch_max(const struct segments *s);
/* Seal and write records (record_encode) at the end, rolling to a new segment when they do
 * not fit; with `is_durable`, sync. On failure the end is where it was, and nothing of
 * `records` will be replayed. */
MUST_USE int segments_append(struct segments *s, uint8_t *records, size_t n,
                             bool is_durable, struct err *err);
/* Begin a new segment unless the last one is empty, so that all before can be released. */
MUST_USE int segments_roll(struct segments *s, struct err *err);
/* Forget everything below `position` as far as whole segments go. */
MUST_USE int segments_release(struct segments *s, uint64_t position, struct err *err);
/* Segment files in use (for status). */
size_t segments_count(const struct segments *s);
/* Damaged places the replay passed over because the file "skip-damage" allowed it. */
size_t segments_skipped(const struct segments *s);

#endif
