/* SPDX-License-Identifier: ISC */
/* What snapshots and the making again of an index need (rebuild.c, snapshot.c). */
#include <errno.h>
#include <string.h>

#include "maild/mailbox/index_int.h"

enum index_result index_check(struct index *ix, struct err *err)
{
    struct db_stmt *s = db_stmt(ix->db, "PRAGMA quick_check(1)", err);
    enum index_result r = index_one(s, err);

    if (r == INDEX_OK && strcmp(db_col_text(s, 0), "ok") != 0) {
        (void)err_set(err, "the index is damaged: %.300s", db_col_text(s, 0));
        err->sys = EUCLEAN;
        r = INDEX_ERROR;
    }
    db_reset(s);
    return r;
}

int index_copy_file(const char *path, const char *copy, struct err *err)
{
    const struct db_options o = {.mode = DB_READ, .busy_ms = 1000};
    struct db *db = db_open(path, &o, err);
    struct db_stmt *s;
    int rc = 0;

    if (db == NULL)
        return -1;
    s = db_stmt(db, "VACUUM INTO ?1", err);
    db_bind_text(s, 1, copy);
    if (db_step(s, err) != DB_DONE)
        rc = err_wrap(err, "copy %s", path);
    db_close(&db);
    return rc;
}

int index_flatten(struct index *ix, struct err *err)
{
    return db_checkpoint(ix->db, err);
}

/* Each mailbox made takes the next number, so the last one given may be ahead of the clock. */
enum index_result index_renew(struct index *ix, int64_t now_s, struct err *err)
{
    struct db_stmt *s = db_stmt(ix->db,
                                "UPDATE account SET uidvalidity = max(uidvalidity, ?1)"
                                " + ?2",
                                err);
    enum index_result r;

    db_bind_int(s, 1, now_s);
    db_bind_int(s, 2, INDEX_BOXES_MAX);
    r = index_run(s, err);
    if (r != INDEX_OK)
        return r;
    s = db_stmt(ix->db,
                "UPDATE box SET uidvalidity = (SELECT a.uidvalidity FROM account a"
                " WHERE a.id = box.account)",
                err);
    return index_run(s, err);
}

enum index_result index_files(struct index *ix, uint64_t after, struct index_doomed *v,
                              size_t max, size_t *n, struct err *err)
{
    struct db_stmt *s = db_stmt(ix->db,
                                "SELECT id, account, msgid, number, head, size FROM blob"
                                " WHERE refs > 0 AND id > ?1 ORDER BY id LIMIT ?2",
                                err);
    enum db_result r = DB_DONE;

    *n = 0;
    db_bind_int(s, 1, (int64_t)after);
    db_bind_int(s, 2, (int64_t)max);
    while (*n < max && (r = db_step(s, err)) == DB_ROW) {
        v[*n].row = (uint64_t)db_col_int(s, 0);
        index_read_file(s, 1, &v[*n].file);
        (*n)++;
    }
    db_reset(s);
    return r == DB_DONE || r == DB_ROW ? INDEX_OK : INDEX_ERROR;
}

enum index_result index_drop(struct index *ix, uint64_t row, struct err *err)
{
    static const char *const steps[] = {
        "DELETE FROM message WHERE blob = ?1",
        ("DELETE FROM delivered WHERE (account, msgid, number) ="
         " (SELECT account, msgid, number FROM blob WHERE id = ?1)"),
        "DELETE FROM blob WHERE id = ?1",
    };
    enum index_result r = INDEX_OK;

    for (size_t i = 0; i < COUNT_OF(steps) && r == INDEX_OK; i++) {
        struct db_stmt *s = db_stmt(ix->db, steps[i], err);

        db_bind_int(s, 1, (int64_t)row);
        r = index_run(s, err);
    }
    return r;
}
