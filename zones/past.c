/* SPDX-License-Identifier: ISC */
/* zones/past.c - see past.h.
 *
 * SQLite looks for an unqualified table name among the temporary tables first. So: copy the
 * tables that zones are made of into temporary ones of the same name, take back what was
 * changed after the serial, newest first, and every reading function shows the past. The
 * connection is a fresh one, because statements prepared before would go on reading the
 * present. */
#include "zones/past.h"

#include <string.h>

#include "zones/schema.h"

static int shadow_tables(struct db *db, struct err *err)
{
    for (size_t i = 0; i < schema_shadows_count; i++)
        if (db_exec(db, schema_shadows[i].shadow, err) == -1)
            return -1;
    return 0;
}

static const struct schema_shadow *shadow_of(const char *table)
{
    for (size_t i = 0; i < schema_shadows_count; i++)
        if (strcmp(schema_shadows[i].table, table) == 0)
            return &schema_shadows[i];
    return NULL;
}

static int take_back(struct db *db, const struct schema_shadow *t, int64_t row_id,
                     const char *before, struct err *err)
{
    struct db_stmt *s = db_stmt(db, t->remove, err);

    db_bind_int(s, 1, row_id);
    if (db_step(s, err) != DB_DONE)
        return -1;
    if (before[0] == '\0')
        return 0;
    s = db_stmt(db, t->restore, err);
    db_bind_text(s, 1, before);
    return db_step(s, err) == DB_DONE ? 0 : -1;
}

static int rewind_to(struct db *db, int64_t serial, struct err *err)
{
    struct db_stmt *s = db_stmt(db,
                                "SELECT kind, row_id, before FROM main.change_row"
                                " WHERE serial > ?1 ORDER BY serial DESC, seq DESC",
                                err);
    enum db_result got;

    db_bind_int(s, 1, serial);
    while ((got = db_step(s, err)) == DB_ROW) {
        const struct schema_shadow *t = shadow_of(db_col_text(s, 0));

        if (t != NULL &&
            take_back(db, t, db_col_int(s, 1), db_col_text(s, 2), err) == -1) {
            db_reset(s);
            return -1;
        }
    }
    return got == DB_DONE ? 0 : -1;
}

/* Serials of the zones as they stood then, from the log itself. */
static int shadow_touches(struct db *db, int64_t serial, struct err *err)
{
    struct db_stmt *s;

    if (db_exec(db,
                "CREATE TEMP TABLE zone_touch(domain_id INTEGER PRIMARY KEY, name TEXT,"
                " serial INTEGER, at_s INTEGER, is_removed INTEGER)",
                err) == -1)
        return -1;
    s = db_stmt(db,
                "INSERT INTO temp.zone_touch SELECT domain_id, '', max(serial), 0, 0"
                " FROM main.change_row WHERE serial <= ?1"
                " AND kind NOT IN ('account', 'alias') GROUP BY domain_id",
                err);
    db_bind_int(s, 1, serial);
    return db_step(s, err) == DB_DONE ? 0 : -1;
}

struct domaindb *past_open(const char *data_dir, int64_t serial, struct err *err)
{
    struct domaindb *d = domaindb_open(data_dir, NULL, 0, err);

    if (d == NULL)
        return NULL;
    d->is_past = true;
    /* In one transaction: tables and log must show the same moment. */
    if (db_exec(d->main, "BEGIN", err) == 0 && shadow_tables(d->main, err) == 0 &&
        rewind_to(d->main, serial, err) == 0 &&
        shadow_touches(d->main, serial, err) == 0 && db_exec(d->main, "COMMIT", err) == 0)
        return d;
    (void)err_wrap(err, "go back to change %lld", (long long)serial);
    domaindb_close(&d);
    return NULL;
}
