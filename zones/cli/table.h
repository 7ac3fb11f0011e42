/* SPDX-License-Identifier: ISC */
/* zones/cli/table.h - rows for people (aligned columns) or for programs (JSON, one object a
 * line), from the same calls.
 *
 * Ownership: the caller; everything is printed by table_end().
 * Threads:   one. */
#ifndef ZONES_CLI_TABLE_H
#define ZONES_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/core/span.h"

enum column_kind { COLUMN_TEXT, COLUMN_NUMBER, COLUMN_BOOL };

struct column {
    const char *key;   /* JSON name */
    const char *title; /* heading; NULL: shown in JSON only */
    enum column_kind kind;
};

struct table;

struct table *table_begin(const struct column *columns, size_t n, bool is_json);
/* One value per column, as text; NULL is null in JSON and "-" for people. With --json the
 * row is printed at once. */
void table_row(struct table *t, const char *const *values);
/* A row that came as a JSON object: columns are picked by key. */
void table_json_row(struct table *t, struct span json);
/* Print what has gathered; says `empty` when that is nothing. Returns the number of rows. */
size_t table_end(struct table **t, const char *empty);

#endif
