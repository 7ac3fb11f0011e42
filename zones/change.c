/* SPDX-License-Identifier: ISC */
/* Design: the log itself is written by the triggers of schema.c, and so are the serials of the
 * zones in zone_touch; here a change is opened, closed and told of, and both are read.
 *
 *     begin -> rows of the nouns -> finish: nothing changed -> rolled back, serial 0
 *                                           else unsettle, commit, notify */
#include "zones/change.h"

#include <assert.h>

#include "base/io/notify.h"
#include "zones/change_int.h"

int change_begin(struct domaindb *d, const struct change_intent *i, struct err *err)
{
    struct db_stmt *s;

    assert(d->open_serial == 0 && !d->is_past);
    if (db_begin(d->main, err) == -1)
        return err_wrap(err, "begin a change");
    s = db_stmt(d->main, "INSERT INTO change(at_s, who, intent) VALUES(?1, ?2, ?3)", err);
    db_bind_int(s, 1, i->at_s);
    db_bind_text(s, 2, i->who);
    db_bind_text(s, 3, i->intent);
    if (db_step(s, err) != DB_DONE)
        goto bad;
    d->open_serial = db_last_id(d->main);
    s = db_stmt(d->main, "INSERT INTO open_change(serial) VALUES(?1)", err);
    db_bind_int(s, 1, d->open_serial);
    if (db_step(s, err) != DB_DONE)
        goto bad;
    return 0;
bad:
    change_rollback(d);
    return -1;
}

void change_rollback(struct domaindb *d)
{
    db_rollback(d->main);
    d->open_serial = 0;
}

/* Domains whose zone this change altered, other than by settling, are moving again. */
static int unsettle(struct domaindb *d, struct err *err)
{
    static const char *const sql[] = {
        "UPDATE domain SET is_settled = 0 WHERE is_settled = 1 AND id IN"
        " (SELECT domain_id FROM change_row WHERE serial = ?1"
        "   AND kind IN ('domain','record','dkim_key','zone'))",
        "UPDATE host SET is_settled = 0 WHERE is_settled = 1 AND id IN"
        " (SELECT row_id FROM change_row WHERE serial = ?1 AND kind = 'host'"
        "  UNION SELECT json_extract(coalesce(after, before), '$.host_id') FROM "
        "change_row"
        "   WHERE serial = ?1 AND kind IN ('address','service'))",
    };

    for (size_t i = 0; i < COUNT_OF(sql); i++) {
        struct db_stmt *s = db_stmt(d->main, sql[i], err);

        db_bind_int(s, 1, d->open_serial);
        if (db_step(s, err) != DB_DONE)
            return -1;
    }
    return 0;
}

/* 1 when the change altered a row, 0 when not, -1 on error. */
static int altered(struct domaindb *d, struct err *err)
{
    struct db_stmt *s =
        db_stmt(d->main, "SELECT 1 FROM change_row WHERE serial = ?1 LIMIT 1", err);
    enum db_result got;

    db_bind_int(s, 1, d->open_serial);
    got = db_step(s, err);
    db_reset(s);
    return got == DB_ROW ? 1 : got == DB_DONE ? 0 : -1;
}

int change_finish(struct domaindb *d, bool is_settling, int64_t *serial, struct err *err)
{
    int some = altered(d, err);

    if (some == 0) {
        change_rollback(d);
        *serial = 0;
        return 0;
    }
    if (some == -1 || (!is_settling && unsettle(d, err) == -1) ||
        db_step(db_stmt(d->main, "DELETE FROM open_change", err), err) != DB_DONE ||
        db_commit(d->main, err) == -1) {
        change_rollback(d);
        return err_wrap(err, "commit the change");
    }
    *serial = d->open_serial;
    d->open_serial = 0;
    if (d->notify_dir != NULL)
        (void)notify_send(d->notify_dir);
    return 0;
}

int change_commit(struct domaindb *d, int64_t *serial, struct err *err)
{
    return change_finish(d, false, serial, err);
}

int change_touch(struct domaindb *d, int64_t domain_id, struct err *err)
{
    struct db_stmt *s = db_stmt(d->main,
                                "INSERT INTO change_row(serial, kind, row_id, domain_id)"
                                " VALUES(?1, 'zone', ?2, ?2)",
                                err);

    assert(d->open_serial != 0);
    db_bind_int(s, 1, d->open_serial);
    db_bind_int(s, 2, domain_id);
    return db_step(s, err) == DB_DONE ? 0 : -1;
}

int64_t change_last(struct domaindb *d, struct err *err)
{
    struct db_stmt *s =
        db_stmt(d->main, "SELECT coalesce(max(serial), 0) FROM change", err);
    int64_t last = db_step(s, err) == DB_ROW ? db_col_int(s, 0) : -1;

    db_reset(s);
    return last;
}

int change_zones_since(struct domaindb *d, int64_t since,
                       void (*each)(void *ctx, const struct zone_touch *t), void *ctx,
                       struct err *err)
{
    struct db_stmt *s =
        db_stmt(d->main,
                "SELECT domain_id, serial, is_removed, name FROM zone_touch"
                " WHERE serial > ?1 ORDER BY serial, domain_id",
                err);
    enum db_result got;

    db_bind_int(s, 1, since);
    while ((got = db_step(s, err)) == DB_ROW) {
        const struct zone_touch t = {db_col_int(s, 0), db_col_int(s, 1),
                                     db_col_int(s, 2) != 0, db_col_text(s, 3)};

        each(ctx, &t);
    }
    return got == DB_DONE ? 0 : -1;
}

int change_made(struct domaindb *d, int64_t domain_id, struct zone_made *made,
                struct err *err)
{
    struct db_stmt *s =
        db_stmt(d->main,
                "SELECT serial, at_s FROM zone_touch WHERE domain_id IN (0, ?1)"
                " ORDER BY serial DESC LIMIT 1",
                err);
    enum db_result got;

    *made = (struct zone_made){.domain_id = domain_id};
    db_bind_int(s, 1, domain_id);
    got = db_step(s, err);
    if (got == DB_ROW) {
        made->serial = db_col_int(s, 0);
        made->at_s = db_col_int(s, 1);
        db_reset(s);
    }
    return got == DB_ROW || got == DB_DONE ? 0 : -1;
}

int change_zones(struct domaindb *d,
                 void (*each)(void *ctx, const struct zone_made *made), void *ctx,
                 struct err *err)
{
    struct db_stmt *s =
        db_stmt(d->main,
                "SELECT d.id, coalesce(t.serial, 0), coalesce(t.at_s, 0), d.name"
                " FROM domain d LEFT JOIN zone_touch t ON t.domain_id = d.id"
                " ORDER BY d.id",
                err);
    struct zone_made all;
    enum db_result got;

    if (s == NULL || change_made(d, 0, &all, err) == -1)
        return -1;
    while ((got = db_step(s, err)) == DB_ROW) {
        struct zone_made m = {db_col_int(s, 0), db_col_int(s, 1), db_col_int(s, 2),
                              db_col_text(s, 3)};

        if (m.serial < all.serial) {
            m.serial = all.serial;
            m.at_s = all.at_s;
        }
        each(ctx, &m);
    }
    return got == DB_DONE ? 0 : -1;
}

int change_list(struct domaindb *d, int64_t domain_id, int limit,
                void (*each)(void *ctx, const struct change_info *c), void *ctx,
                struct err *err)
{
    struct db_stmt *s =
        db_stmt(d->main,
                "SELECT c.serial, c.at_s, c.who, c.intent, r.kind, r.before, r.after"
                " FROM change_row r JOIN change c ON c.serial = r.serial"
                " WHERE ?1 = 0 OR r.domain_id IN (?1, 0)"
                " ORDER BY r.serial DESC, r.seq DESC LIMIT ?2",
                err);
    enum db_result got;

    db_bind_int(s, 1, domain_id);
    db_bind_int(s, 2, limit);
    while ((got = db_step(s, err)) == DB_ROW) {
        const struct change_info c = {
            db_col_int(s, 0),  db_col_int(s, 1),  db_col_text(s, 2), db_col_text(s, 3),
            db_col_text(s, 4), db_col_text(s, 5), db_col_text(s, 6)};

        each(ctx, &c);
    }
    return got == DB_DONE ? 0 : -1;
}

uint32_t change_soa_serial(int64_t base, int64_t serial)
{
    return (uint32_t)((uint64_t)base + (uint64_t)serial);
}
