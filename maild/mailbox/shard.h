/* SPDX-License-Identifier: ISC */
/* maild/mailbox/shard.h - the queue in front of one shard's index: group commit.
 *
 * Why:       a synchronous commit costs milliseconds whether it holds one delivery or a
 *            hundred. While one batch commits, everything asked meanwhile gathers into the
 *            next. What can wait does so for SHARD_GATHER_MS behind the last batch, unless
 *            something comes that cannot; after a pause it begins at once.
 * Ownership: an op is the caller's; it is lent from shard_submit() until its done().
 * Threads:   shard_submit() and done() on the loop, prepare() and run() on the shard's database
 *            thread; readers on any.
 *
 * Order: ops run in the order they were submitted, and their done() is called in that
 * order. So whoever loads a mailbox into memory sees each later change exactly once: in its
 * load, or in a done() behind it. */
#ifndef MAILD_MAILBOX_SHARD_H
#define MAILD_MAILBOX_SHARD_H

#include <stdbool.h>

#include "base/core/list.h"
#include "base/io/loop.h"
#include "base/io/pool.h"
#include "maild/mailbox/index.h"

#define SHARD_GATHER_MS 20

struct shard;

struct shard_op {
    struct list link;
    /* Short work on files, before the transaction begins; or NULL. */
    void (*prepare)(struct shard_op *op);
    /* In the batch's transaction; sets result and err. */
    void (*run)(struct shard_op *op, struct index *ix);
    /* After the commit. With is_write anything but INDEX_OK has left no trace. */
    void (*done)(struct shard_op *op);
    bool is_write;
    bool can_wait;     /* nobody sits and waits for it: a delivery */
    bool makes_doomed; /* files may have lost their last reference */
    enum index_result result;
    struct err err; /* filled with INDEX_ERROR */
};

/* `pool` has one thread; several shards may share it. `dirfd` is the data directory,
 * `number` the NN of mail/NN. */
struct shard *shard_new(struct loop *l, struct pool *pool, int dirfd, unsigned number,
                        const char *db_path);
/* The pool is gone already: carry out what still waits (flags), close, free. */
void shard_free(struct shard **sh);
/* From now on nothing is started; what is submitted waits for shard_free(). */
void shard_stop(struct shard *sh);
void shard_submit(struct shard *sh, struct shard_op *op);
/* A connection for reading committed rows, on any thread, given back by the same job.
 * NULL with *err; after an error of the index it is closed with `is_good` false. */
struct index *shard_reader_take(struct shard *sh, struct err *err);
void shard_reader_give(struct shard *sh, struct index *reader, bool is_good);
/* Ops that wait or run. */
size_t shard_backlog(const struct shard *sh);
/* Ops with is_write that were committed since the start. */
uint64_t shard_changes(const struct shard *sh);
/* Of its index. */
const char *shard_path(const struct shard *sh);

#endif
