/* SPDX-License-Identifier: ISC */
/* base/core/map.h - hash map from octets to a pointer.
 *
 * Why:       every table a peer can make grow has a ceiling, and hashing is keyed so that
 *            nobody can choose colliding names.
 * Ownership: keys are copied; values are the caller's.
 * Threads:   one owner.
 * Pure:      given its key. */
#ifndef BASE_CORE_MAP_H
#define BASE_CORE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/rng.h"
#include "base/core/span.h"

struct map;

/* A map of at most `max` entries, with a hash key drawn from `rng`. */
struct map *map_new(size_t max, struct rng *rng);
/* Frees the map and sets *m to NULL; values are not touched. */
void map_free(struct map **m);
size_t map_count(const struct map *m);
/* The value, or NULL. */
void *map_get(const struct map *m, struct span key);
/* Set or replace; `value` is not NULL. -1 when the map is full and the key is new. */
MUST_USE int map_put(struct map *m, struct span key, void *value);
/* Remove and return the value, or NULL. */
void *map_take(struct map *m, struct span key);

/* Visit all: start with *cursor = 0; false at the end. Removing the entry just visited is
 * allowed, adding is not. */
bool map_next(const struct map *m, size_t *cursor, struct span *key, void **value);

#endif
