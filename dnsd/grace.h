/* SPDX-License-Identifier: ISC */
/* dnsd/grace.h - memory is freed when every reader has passed.
 *
 * Why:       answering threads read zones without a lock or a counter per zone; somebody
 *            has to know when nobody can still be reading what was replaced.
 * Ownership: retired memory belongs to the struct until it is freed.
 * Threads:   enter/leave by each reader with its own number; retire/sweep by one writer.
 *
 * The writer counts epochs. A reader notes the epoch when it enters a batch and "away" when
 * it leaves. Memory retired in epoch E is free to go when each reader is away or has
 * entered in an epoch after E. */
#ifndef DNSD_GRACE_H
#define DNSD_GRACE_H

#include <stddef.h>

#include "base/core/attr.h"

struct grace;

struct grace *grace_new(unsigned readers);
/* No reader is left; frees all that is retired. */
void grace_free(struct grace **g);

/* Around each batch of a reader; nothing read in between may be kept afterwards. */
void grace_enter(struct grace *g, unsigned reader);
void grace_leave(struct grace *g, unsigned reader);

/* Take over malloc'd memory that readers may still see, after it was unlinked. */
void grace_retire(struct grace *g, void *memory);
/* Free what may go; returns how many pieces still wait. To be called after a change and
 * then again after a while as long as something waits. */
size_t grace_sweep(struct grace *g);

#endif
