/* SPDX-License-Identifier: ISC */
/* base/io/pool.h - threads for what would hold a loop: disk, hashing, signing.
 *
 * Why:       a job runs straight through on a pool thread and its end is called back on
 *            the loop that sent it, so role code has no locks.
 * Ownership: `ctx` belongs to the job from pool_run() until `done` is called.
 * Threads:   pool_run() from the loop's thread only.
 *
 * Jobs of one pool with one thread run in order: that is how a SQLite connection is kept
 * to one thread ("the database thread"). */
#ifndef BASE_IO_POOL_H
#define BASE_IO_POOL_H

#include <stddef.h>

#include "base/core/attr.h"
#include "base/io/loop.h"

struct pool;

/* `threads` workers, at most `max_queued` jobs waiting. `name` shows up in ps and logs. */
struct pool *pool_new(struct loop *l, const char *name, unsigned threads,
                      size_t max_queued);
/* Refuses new jobs, waits until all that were taken are done, calls `done` of each, joins
 * the threads. Not from inside a `done`. */
void pool_free(struct pool **p);
/* Run work(ctx) on a thread, then done(ctx) on the loop. -1 when the queue is full: the
 * caller answers "try later" in its protocol. */
MUST_USE int pool_run(struct pool *p, void (*work)(void *ctx), void (*done)(void *ctx),
                      void *ctx);

#endif
