/* SPDX-License-Identifier: ISC */
/* dnsd/keep.h - keeps the image of each zone on disk, and brings them back at a start.
 *
 * Why:       see zones/imagestore.h. A thread of its own, so that neither building nor
 *            publishing ever waits for this disk.
 * Ownership: owns its thread and D/dns/images.db; takes over the batches it is to save.
 * Threads:   the loop's thread. A plan given to keep_load() is the keeper's until `done`.
 *
 * Saving is best effort: what cannot be written (disk full, too slow) is only compiled again
 * at the next start. */
#ifndef DNSD_KEEP_H
#define DNSD_KEEP_H

#include "dnsd/batch.h"
#include "dnsd/plan.h"
#include "dnsd/roles.h"

struct keep;

struct keep *keep_new(const struct dnsd_env *env);
/* Writes what it was given to save. */
void keep_free(struct keep **k);

/* Gather the next images that `plan` has a use for. done(ctx, batch) in the loop; after the
 * last one plan->is_loaded is set. Ordered behind all saves. */
void keep_load(struct keep *k, struct plan *plan,
               void (*done)(void *ctx, struct batch *t), void *ctx);
/* Save what was built, forget what was removed; takes over *t. */
void keep_save(struct keep *k, struct batch **t);
/* Forget what keep_load() found to belong to no zone; takes over *plan. */
void keep_sweep(struct keep *k, struct plan **plan);

#endif
