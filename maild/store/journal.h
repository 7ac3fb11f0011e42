/* SPDX-License-Identifier: ISC */
/* maild/store/journal.h - one durable write shared by everybody who waits for one.
 *
 * Why:       a disk gives some hundred syncs a second and a mail server takes thousands of
 *            messages: those that come while one sync runs share the next (group commit).
 *            No timer, no batch size: the disk's own pace makes the groups.
 * Ownership: payloads are copied by journal_append(); `ctx` is the caller's until `done`.
 * Threads:   the loop's thread; files are touched by the journal's own pool thread only.
 * Used by:   queue (acceptance of mail, results of recipients), mailbox (APPEND). Each opens
 *            its own folder with its own record types.
 *
 * Start:  journal_open, journal_replay (what was promised and perhaps not carried out; must
 *         be idempotent), then journal_append.
 * Later:  journal_mark; carry out and make durable elsewhere whatever was appended below the
 *         mark; journal_release(). What is below a released mark is never replayed. */
#ifndef MAILD_STORE_JOURNAL_H
#define MAILD_STORE_JOURNAL_H

#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/io/loop.h"
#include "maild/store/fsops.h"
#include "maild/store/segments.h"

struct journal;

struct journal_config {
    struct loop *loop;
    const struct fsops *fs;
    const char *dir;         /* absolute; made when missing */
    uint32_t segment_octets; /* 0: 16 MiB */
    size_t waiting_max;      /* octets gathered but not on disk yet; 0: 64 MiB */
};

/* NULL with *err: not writable, in use by another process, no threads. */
struct journal *journal_open(const struct journal_config *c, struct err *err);
/* Waits for the write under way, calls everybody's `done`, closes. */
void journal_close(struct journal **j);

/* Blocking, before the loop runs and before the first append; see segments_replay(). */
MUST_USE int journal_replay(struct journal *j, segments_record_fn fn, void *ctx,
                            struct err *err);

/* err NULL: durable. Otherwise nothing of it will ever be replayed; err->sys tells ENOSPC
 * (452 4.3.1) from the rest (451 4.3.0). Called from the loop, in the order of appending. */
typedef void (*journal_done_fn)(void *ctx, const struct err *err);

/* Append one record made of `n` parts, RECORD_PAYLOAD_MAX octets at most. With `done` NULL
 * the record is only written soon, without a sync of its own: it survives a kill, and a
 * power loss once a later durable record was acknowledged.
 * 0; or -1 and `done` will not be called: too much waits already, or the payload is too
 * large. */
MUST_USE int journal_append(struct journal *j, uint16_t type, const struct span *parts,
                            size_t n, journal_done_fn done, void *ctx);
/* Begin a checkpoint: `cb` is told (from the loop, once) a position with everything below it
 * acknowledged or refused, and everything appended later above it, in another file. With
 * err, no new file could be made (disk full): try later. One at a time. */
typedef void (*journal_mark_fn)(void *ctx, uint64_t mark, const struct err *err);
void journal_mark(struct journal *j, journal_mark_fn cb, void *ctx);
/* Octets appended since the last release: when to make a checkpoint. */
uint64_t journal_unreleased(const struct journal *j);
/* Nothing below `mark` (of journal_mark) is needed any more. Files go in the background;
 * `cb` is told when they have, or could not: then they are replayed once more. One at a
 * time. */
void journal_release(struct journal *j, uint64_t mark, void (*cb)(void *ctx), void *ctx);

#endif
