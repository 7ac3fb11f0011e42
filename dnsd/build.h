/* SPDX-License-Identifier: ISC */
/* dnsd/build.h - from the domain database to a batch of zone images; the builder's thread.
 *
 * Why:       SQLite, generating and compiling block, so they run in pool jobs; this is what
 *            such a job does.
 * Ownership: struct build belongs to one pool thread.
 * Threads:   all but new, free and check on that thread.
 *
 * One step looks for changes, then compiles zones until the batch is full. What is still to
 * be done stays in the struct, newest change first, so that a single change does not wait
 * behind a rebuild of everything. */
#ifndef DNSD_BUILD_H
#define DNSD_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/err.h"
#include "base/core/rng.h"
#include "dnsd/batch.h"
#include "dnsd/plan.h"

struct build;

struct build *build_new(const char *data_dir, struct rng *rng);
void build_free(struct build **b);

/* Can the database be opened and read? For a clear message at the start; leaves nothing
 * open. */
MUST_USE int build_check(const char *data_dir, struct err *err);

/* What the database has now, for the keeper of images (dnsd/keep.h) to find what is already
 * there. Nothing is built. */
struct plan *build_plan(struct build *b);
/* Take over what the keeper found: what is missing is built first, what is stale after that.
 * To be called before the next step, on the same thread. */
void build_adopt(struct build *b, const struct plan *plan);

/* Look for changes and build. `may_be_empty`: believe a database without any zone. */
struct batch *build_step(struct build *b, bool may_be_empty);
/* Forget what was built: the next step does everything again (after a lost batch). */
void build_restart(struct build *b);

#endif
