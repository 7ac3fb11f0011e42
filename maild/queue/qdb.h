/* SPDX-License-Identifier: ISC */
/* maild/queue/qdb.h - queue.db: messages that wait longer than memory should hold them.
 *
 * Why:       most mail is delivered at once and never gets a row. What has to wait, for a
 *            retry or for a checkpoint, is kept here with all it needs to go on.
 * Ownership: see dbq.h; snapshots are taken when an operation is made.
 * Threads:   the loop's; statements run on the database thread.
 *
 * `due_s` of a row is NULL while the message is in memory ("held"): nobody loads it twice.
 * After a loss of the file the queue makes it again from the blobs' leading records. */
#ifndef MAILD_QUEUE_QDB_H
#define MAILD_QUEUE_QDB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/io/loop.h"
#include "maild/queue/qmsg.h"

struct qdb;

/* Open or make `path`. A file that is not a database is moved aside (its new name is in
 * *err, which is then informative) and made anew. *is_new: there was no usable file, so look
 * for blobs that it ought to know. NULL with *err. */
struct qdb *qdb_open(struct loop *l, const char *path, bool *is_new, struct err *err);
void qdb_close(struct qdb **d);

/* Blocking, at the start only, before anything else. */
MUST_USE int qdb_start_release(struct qdb *d, struct err *err); /* nothing is held */
enum qdb_result { QDB_OK, QDB_NONE, QDB_FAULT };
enum qdb_result qdb_start_load(struct qdb *d, const struct msgid *id, struct qmsg **m,
                               struct err *err);
MUST_USE int qdb_start_save(struct qdb *d, const struct qmsg *m, bool is_held,
                            struct err *err);
MUST_USE int qdb_start_delete(struct qdb *d, const struct msgid *id, struct err *err);
/* Ids of all rows, one call each. */
MUST_USE int qdb_start_each(struct qdb *d,
                            int (*fn)(void *ctx, const struct msgid *id, struct err *err),
                            void *ctx, struct err *err);

/* Write the message as it is now. When it is not held, it may be loaded once it is due. */
void qdb_save(struct qdb *d, const struct qmsg *m, bool is_held);
void qdb_delete(struct qdb *d, const struct msgid *id);

/* Calls back, from the loop, when everything put before is committed. err: something of it
 * failed since the last barrier. */
typedef void (*qdb_barrier_fn)(void *ctx, const struct err *err);
void qdb_barrier(struct qdb *d, qdb_barrier_fn fn, void *ctx);

/* Load at most `max` messages that are due at `now_s`, hold them, and say when the next one
 * will be due (INT64_MAX: none). Messages go over to the callback's owner. */
typedef void (*qdb_due_fn)(void *ctx, struct qmsg **loaded, size_t n, int64_t next_due_s,
                           const struct err *err);
void qdb_load_due(struct qdb *d, int64_t now_s, size_t max, qdb_due_fn fn, void *ctx);
/* The same for one message by id, whether due or not (n is 0 or 1). */
void qdb_load_one(struct qdb *d, const struct msgid *id, qdb_due_fn fn, void *ctx);
/* Make everything due at `now_s`; the count is given. */
typedef void (*qdb_count_fn)(void *ctx, int64_t n, const struct err *err);
void qdb_make_due(struct qdb *d, int64_t now_s, qdb_count_fn fn, void *ctx);
/* Copies of all messages that are not held, oldest first, at most `max`; they stay in the
 * database and the callback's owner frees them. For listings. */
void qdb_list(struct qdb *d, size_t max, qdb_due_fn fn, void *ctx);

#endif
