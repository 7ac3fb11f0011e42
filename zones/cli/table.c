/* SPDX-License-Identifier: ISC */
#include "zones/cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/core/mem.h"

enum { COLUMNS_MAX = 16, WIDTH_MAX = 60 };

struct table {
    const struct column *columns;
    size_t n_columns, n_rows, cap;
    char **cells; /* n_rows * n_columns, owned */
    bool is_json;
};

struct table *table_begin(const struct column *columns, size_t n, bool is_json)
{
    struct table *t = mem_new(1, sizeof(*t));

    t->columns = columns;
    t->n_columns = n < COLUMNS_MAX ? n : COLUMNS_MAX;
    t->is_json = is_json;
    return t;
}

static json_t *json_of(const struct column *c, const char *value)
{
    json_t *j;

    if (value == NULL)
        return json_null();
    if (c->kind == COLUMN_NUMBER)
        return json_integer(strtoll(value, NULL, 10));
    if (c->kind == COLUMN_BOOL)
        return json_boolean(strcmp(value, "yes") == 0);
    j = json_string(value);
    return j != NULL ? j : json_string("(not UTF-8)");
}

static void print_json(struct table *t, const char *const *values)
{
    json_t *row = json_object();

    for (size_t i = 0; i < t->n_columns; i++)
        (void)json_object_set_new(row, t->columns[i].key,
                                  json_of(&t->columns[i], values[i]));
    (void)json_dumpf(row, stdout, JSON_COMPACT);
    (void)putchar('\n');
    json_decref(row);
}

/* Control characters of foreign text must not reach a terminal. */
static char *clean_copy(const char *text)
{
    char *copy = mem_strdup(text == NULL ? "-" : text);

    for (char *p = copy; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    return copy;
}

void table_row(struct table *t, const char *const *values)
{
    t->n_rows++;
    if (t->is_json) {
        print_json(t, values);
        return;
    }
    if (t->n_rows > t->cap) {
        t->cap = t->cap == 0 ? 32 : t->cap * 2;
        t->cells = mem_resize(t->cells, t->cap * t->n_columns, sizeof(*t->cells));
    }
    for (size_t i = 0; i < t->n_columns; i++)
        t->cells[(t->n_rows - 1) * t->n_columns + i] = clean_copy(values[i]);
}

void table_json_row(struct table *t, struct span json)
{
    json_t *row = json_loadb((const char *)json.p, json.n, 0, NULL);
    const char *values[COLUMNS_MAX];
    char numbers[COLUMNS_MAX][32];

    if (t->is_json) {
        (void)printf("%.*s\n", (int)json.n, (const char *)json.p);
        t->n_rows++;
        json_decref(row);
        return;
    }
    for (size_t i = 0; i < t->n_columns; i++) {
        const json_t *v = json_object_get(row, t->columns[i].key);

        values[i] = json_string_value(v);
        if (json_is_integer(v)) {
            (void)snprintf(numbers[i], sizeof(numbers[i]), "%lld",
                           (long long)json_integer_value(v));
            values[i] = numbers[i];
        } else if (json_is_boolean(v)) {
            values[i] = json_is_true(v) ? "yes" : "no";
        }
    }
    table_row(t, values);
    json_decref(row);
}

/* Characters, not octets: names may be shown in UTF-8. */
static size_t width(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void print_line(const struct table *t, char *const *cells, const size_t *widths)
{
    size_t last = t->n_columns;

    while (last > 0 && t->columns[last - 1].title == NULL)
        last--;
    for (size_t i = 0; i < last; i++) {
        const char *cell = cells == NULL ? t->columns[i].title : cells[i];
        size_t pad;

        if (t->columns[i].title == NULL)
            continue;
        pad = width(cell) < widths[i] ? widths[i] - width(cell) : 0;
        if (t->columns[i].kind == COLUMN_NUMBER)
            (void)printf("%*s%s", (int)pad, "", cell);
        else
            (void)printf("%s%*s", cell, i + 1 == last ? 0 : (int)pad, "");
        (void)fputs(i + 1 == last ? "\n" : "  ", stdout);
    }
}

static void print_text(struct table *t)
{
    size_t widths[COLUMNS_MAX] = {0};

    for (size_t i = 0; i < t->n_columns; i++) {
        widths[i] = t->columns[i].title == NULL ? 0 : width(t->columns[i].title);
        for (size_t r = 0; r < t->n_rows; r++) {
            size_t w = width(t->cells[r * t->n_columns + i]);

            if (w > widths[i])
                widths[i] = w < WIDTH_MAX ? w : WIDTH_MAX;
        }
    }
    print_line(t, NULL, widths);
    for (size_t r = 0; r < t->n_rows; r++)
        print_line(t, t->cells + r * t->n_columns, widths);
}

size_t table_end(struct table **tp, const char *empty)
{
    struct table *t = *tp;
    size_t n = t->n_rows;

    *tp = NULL;
    if (!t->is_json && n > 0)
        print_text(t);
    else if (!t->is_json && empty[0] != '\0')
        (void)puts(empty);
    for (size_t i = 0; t->cells != NULL && i < n * t->n_columns; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t);
    return n;
}
