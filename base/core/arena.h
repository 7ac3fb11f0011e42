/* SPDX-License-Identifier: ISC */
/* base/core/arena.h - memory that goes all at once.
 *
 * Why:       one message, one command or one zone build makes many small things that end
 *            together.
 * Ownership: the arena owns everything it gave out until reset or free.
 * Threads:   one owner. Pure. */
#ifndef BASE_CORE_ARENA_H
#define BASE_CORE_ARENA_H

#include <stddef.h>

#include "base/core/attr.h"
#include "base/core/span.h"

struct arena;

/* An arena that gives out at most `max` octets; beyond that arena_alloc returns NULL. */
struct arena *arena_new(size_t max);
void arena_free(struct arena **a);
/* Forget everything, keep the first block. */
void arena_reset(struct arena *a);
/* Zeroed, aligned for any type; NULL only at the ceiling. */
MUST_USE void *arena_alloc(struct arena *a, size_t n);
MUST_USE char *arena_strdup(struct arena *a, struct span s); /* with NUL */
MUST_USE struct span arena_copy(struct arena *a,
                                struct span s); /* p NULL at the ceiling */
size_t arena_used(const struct arena *a);

#endif
