/* SPDX-License-Identifier: ISC */
/* zones/schema.h - the steps that make the three databases, and which rows are logged.
 *
 * A released step never changes; a new one is added at the end. */
#ifndef ZONES_SCHEMA_H
#define ZONES_SCHEMA_H

#include <stddef.h>

#include "base/db/db.h"

extern const struct db_migration schema_main[];
extern const int schema_main_count;
extern const struct db_migration schema_secrets[];
extern const int schema_secrets_count;
extern const struct db_migration schema_keys[];
extern const int schema_keys_count;

/* The logged tables that a zone is made of, with the statements of zones/past.c: shadow
 * makes the temporary copy, undo puts the row of JSON ?2 back in place of id ?1. */
struct schema_shadow {
    const char *table;
    const char *shadow;
    const char *remove;  /* DELETE ... WHERE id = ?1 */
    const char *restore; /* INSERT ... from JSON ?1 */
};
extern const struct schema_shadow schema_shadows[];
extern const size_t schema_shadows_count;

#endif
