/* SPDX-License-Identifier: ISC */
/* Messages of the index. A delivery is known by (account, id, number) for longer than the
 * message lives; a file by the blob row, whose refs count the message rows: COPY adds one,
 * EXPUNGE takes one, MOVE changes none. All of it happens in the caller's transaction, so
 * the counts are right after any crash. */
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "maild/imap/cmd.h"
#include "maild/mailbox/index_int.h"

#define DELIVERED_KEEP_S (30 * 86400) /* far beyond any retry of the queue */
#define FORGET_EVERY_S   600
#define RUN_GAP          4 /* reading a row too many costs less than looking one up */

/* The mailbox's next UID, taken; with its UIDVALIDITY. Two plain statements: RETURNING
 * costs more than both. */
static enum index_result take_uid(struct index *ix, uint64_t box, uint32_t *uid,
                                  uint32_t *validity, struct err *err)
{
    struct db_stmt *s = db_stmt(ix->db,
                                "SELECT uidnext, uidvalidity FROM box WHERE id = ?1 AND"
                                " noselect = 0 AND uidnext < 4294967295",
                                err);
    enum index_result r;

    db_bind_int(s, 1, (int64_t)box);
    r = index_one(s, err);
    if (r != INDEX_OK)
        return r;
    *uid = (uint32_t)db_col_int(s, 0);
    *validity = (uint32_t)db_col_int(s, 1);
    db_reset(s);
    s = db_stmt(ix->db, "UPDATE box SET uidnext = ?2 WHERE id = ?1", err);
    db_bind_int(s, 1, (int64_t)box);
    db_bind_int(s, 2, (int64_t)*uid + 1);
    return index_run(s, err);
}

static void bind_file(struct db_stmt *s, const struct index_file *f)
{
    db_bind_int(s, 1, (int64_t)f->account);
    db_bind_blob(s, 2, span_of(f->id.b, sizeof(f->id.b)));
    db_bind_int(s, 3, f->number);
}

static enum index_result mark_delivered(struct index *ix, const struct index_new *m,
                                        struct err *err)
{
    struct db_stmt *s = db_stmt(ix->db,
                                "INSERT INTO delivered(account, msgid, number, at)"
                                " VALUES (?1, ?2, ?3, ?4)",
                                err);
    enum index_result r;

    bind_file(s, &m->file);
    db_bind_int(s, 4, m->now_s);
    r = index_run(s, err);
    if (r != INDEX_OK ||
        (m->now_s >= ix->forgot_s && m->now_s - ix->forgot_s < FORGET_EVERY_S))
        return r;
    ix->forgot_s = m->now_s;
    s = db_stmt(ix->db, "DELETE FROM delivered WHERE at < ?1", err);
    db_bind_int(s, 1, m->now_s - DELIVERED_KEEP_S);
    return index_run(s, err);
}

enum index_result index_has_file(struct index *ix, const struct index_file *f,
                                 struct err *err)
{
    struct db_stmt *s = db_stmt(
        ix->db, "SELECT 1 FROM blob WHERE account = ?1 AND msgid = ?2 AND number = ?3",
        err);
    enum index_result r;

    bind_file(s, f);
    r = index_one(s, err);
    db_reset(s);
    return r;
}

static enum index_result insert_blob(struct index *ix, const struct index_new *m,
                                     struct err *err)
{
    struct db_stmt *s = db_stmt(
        ix->db,
        "INSERT INTO blob(account, msgid, number, head, size, refs, prefix, envelope,"
        " body, structure, fields) VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9, ?10)",
        err);

    bind_file(s, &m->file);
    db_bind_int(s, 4, (int64_t)m->file.head);
    db_bind_int(s, 5, (int64_t)m->file.size);
    db_bind_span(s, 6, m->prefix);
    db_bind_blob(s, 7, m->envelope);
    db_bind_blob(s, 8, m->body);
    db_bind_blob(s, 9, m->structure);
    if (m->has_fields)
        db_bind_blob(s, 10, m->fields);
    return index_run(s, err);
}

static enum index_result insert_message(struct index *ix, uint64_t box, uint32_t uid,
                                        int64_t blob, const struct index_msg *m,
                                        struct err *err)
{
    struct db_stmt *s = db_stmt(ix->db,
                                "INSERT INTO message(box, uid, blob, flags, date, size)"
                                " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                                err);

    db_bind_int(s, 1, (int64_t)box);
    db_bind_int(s, 2, uid);
    db_bind_int(s, 3, blob);
    db_bind_int(s, 4, (int64_t)m->flags);
    db_bind_int(s, 5, m->date_s);
    db_bind_int(s, 6, (int64_t)m->size);
    return index_run(s, err);
}

enum index_result index_add(struct index *ix, struct index_new *m, bool *has_file,
                            struct err *err)
{
    struct index_msg row = {.flags = m->flags, .date_s = m->date_s};
    enum index_result r = INDEX_OK;

    *has_file = true;
    if (m->is_delivery)
        r = mark_delivered(ix, m, err);
    if (r == INDEX_EXISTS) {
        r = index_has_file(ix, &m->file, err);
        *has_file = r == INDEX_OK;
        return r == INDEX_ERROR ? r : INDEX_EXISTS;
    }
    if (r == INDEX_OK)
        r = take_uid(ix, m->box, &m->uid, &m->uidvalidity, err);
    if (r == INDEX_OK)
        r = insert_blob(ix, m, err);
    if (r != INDEX_OK)
        return r;
    row.size = m->prefix.n + m->file.size;
    return insert_message(ix, m->box, m->uid, db_last_id(ix->db), &row, err);
}

enum index_result index_load(struct index *ix, uint64_t box, struct index_msg **v,
                             size_t *n, struct err *err)
{
    struct db_stmt *s = db_stmt(
        ix->db, "SELECT uid, flags, date, size FROM message WHERE box = ?1 ORDER BY uid",
        err);
    enum db_result r;
    size_t cap = 0;

    *v = NULL;
    *n = 0;
    db_bind_int(s, 1, (int64_t)box);
    while ((r = db_step(s, err)) == DB_ROW) {
        if (*n == cap) {
            cap = cap == 0 ? 64 : cap * 2;
            *v = mem_resize(*v, cap, sizeof(**v));
        }
        (*v)[(*n)++] = (struct index_msg){.uid = (uint32_t)db_col_int(s, 0),
                                          .flags = (uint64_t)db_col_int(s, 1),
                                          .date_s = db_col_int(s, 2),
                                          .size = (uint64_t)db_col_int(s, 3)};
    }
    db_reset(s);
    if (r == DB_DONE)
        return INDEX_OK;
    free(*v);
    *v = NULL;
    *n = 0;
    return INDEX_ERROR;
}

void index_read_file(struct db_stmt *s, int col, struct index_file *f)
{
    struct span id = db_col_span(s, col + 1);

    memset(f, 0, sizeof(*f));
    f->account = (uint64_t)db_col_int(s, col);
    if (id.n == sizeof(f->id.b))
        memcpy(f->id.b, id.p, id.n);
    f->number = (uint32_t)db_col_int(s, col + 2);
    f->head = (uint64_t)db_col_int(s, col + 3);
    f->size = (uint64_t)db_col_int(s, col + 4);
}

/* A text of the row under way into the arena; false when it does not fit. */
static bool keep(struct db_stmt *s, int col, struct arena *a, struct span *out)
{
    *out = arena_copy(a, db_col_span(s, col));
    return out->p != NULL;
}

static bool read_row(struct db_stmt *s, const struct index_rows *q, struct index_row *row)
{
    bool is_ok = keep(s, 6, q->arena, &row->prefix);

    index_read_file(s, 1, &row->file);
    if ((q->need & INDEX_NEED_TEXTS) != 0)
        is_ok = is_ok && keep(s, 7, q->arena, &row->envelope) &&
                keep(s, 8, q->arena, &row->body) && keep(s, 9, q->arena, &row->structure);
    row->has_fields = (q->need & INDEX_NEED_FIELDS) != 0 && !db_col_is_null(s, 10);
    if (row->has_fields)
        is_ok = is_ok && keep(s, 10, q->arena, &row->fields);
    return is_ok;
}

/* uids[from, to): messages that stand close together are read in one go. */
static enum index_result read_run(struct index *ix, const struct index_rows *q,
                                  size_t from, size_t to, struct err *err)
{
    struct db_stmt *s =
        db_stmt(ix->db,
                "SELECT m.uid, b.account, b.msgid, b.number, b.head, b.size, b.prefix,"
                " b.envelope, b.body, b.structure, b.fields"
                " FROM message m JOIN blob b ON b.id = m.blob"
                " WHERE m.box = ?1 AND m.uid BETWEEN ?2 AND ?3 ORDER BY m.uid",
                err);
    enum index_result rc = INDEX_OK;
    enum db_result r = DB_DONE;

    db_bind_int(s, 1, (int64_t)q->box);
    db_bind_int(s, 2, q->uids[from]);
    db_bind_int(s, 3, q->uids[to - 1]);
    while (rc == INDEX_OK && (r = db_step(s, err)) == DB_ROW) {
        struct index_row row = {.has_fields = false};
        uint32_t uid = (uint32_t)db_col_int(s, 0);

        while (from < to && q->uids[from] < uid)
            from++;
        if (from == to || q->uids[from] != uid)
            continue;
        if (!read_row(s, q, &row)) {
            (void)err_set(err, "the rows of one command do not fit in memory");
            rc = INDEX_ERROR;
        } else {
            q->row(q->ctx, from, &row);
        }
    }
    db_reset(s);
    return rc == INDEX_OK && r != DB_DONE ? INDEX_ERROR : rc;
}

enum index_result index_rows(struct index *ix, const struct index_rows *q,
                             struct err *err)
{
    enum index_result r = INDEX_OK;
    size_t to;

    for (size_t from = 0; from < q->n && r == INDEX_OK; from = to) {
        to = from + 1;
        while (to < q->n && q->uids[to] - q->uids[to - 1] <= RUN_GAP)
            to++;
        r = read_run(ix, q, from, to, err);
    }
    return r;
}

/* ---- copy, move, expunge, flags --------------------------------------------------- */

static enum index_result blob_of(struct index *ix, uint64_t box, uint32_t uid,
                                 int64_t *blob, struct index_msg *m, struct err *err)
{
    struct db_stmt *s = db_stmt(ix->db,
                                "SELECT blob, flags, date, size FROM message"
                                " WHERE box = ?1 AND uid = ?2",
                                err);
    enum index_result r;

    db_bind_int(s, 1, (int64_t)box);
    db_bind_int(s, 2, uid);
    r = index_one(s, err);
    if (r == INDEX_OK) {
        *blob = db_col_int(s, 0);
        m->flags = (uint64_t)db_col_int(s, 1);
        m->date_s = db_col_int(s, 2);
        m->size = (uint64_t)db_col_int(s, 3);
    }
    db_reset(s);
    return r;
}

static enum index_result change_refs(struct index *ix, int64_t blob, int by,
                                     struct err *err)
{
    struct db_stmt *s =
        db_stmt(ix->db, "UPDATE blob SET refs = refs + ?2 WHERE id = ?1", err);

    db_bind_int(s, 1, blob);
    db_bind_int(s, 2, by);
    return index_run(s, err);
}

static enum index_result delete_message(struct index *ix, uint64_t box, uint32_t uid,
                                        struct err *err)
{
    struct db_stmt *s =
        db_stmt(ix->db, "DELETE FROM message WHERE box = ?1 AND uid = ?2", err);

    db_bind_int(s, 1, (int64_t)box);
    db_bind_int(s, 2, uid);
    return index_run(s, err);
}

static enum index_result copy_one(struct index *ix, struct index_copy *c, size_t i,
                                  struct err *err)
{
    struct index_msg m = {0, 0, 0, 0};
    int64_t blob = 0;
    uint32_t uid = 0;
    enum index_result r = blob_of(ix, c->from, c->uids[i], &blob, &m, err);

    c->new_uids[i] = 0;
    if (r == INDEX_NONE)
        return INDEX_OK; /* expunged meanwhile (RFC 2180 4.4) */
    if (r == INDEX_OK)
        r = take_uid(ix, c->to, &uid, &c->uidvalidity, err);
    if (r == INDEX_OK)
        r = insert_message(ix, c->to, uid, blob, &m, err);
    if (r == INDEX_OK)
        r = c->is_move ? delete_message(ix, c->from, c->uids[i], err)
                       : change_refs(ix, blob, 1, err);
    if (r == INDEX_OK)
        c->new_uids[i] = uid;
    return r;
}

enum index_result index_copy(struct index *ix, struct index_copy *c, struct err *err)
{
    enum index_result r = INDEX_OK;

    for (size_t i = 0; i < c->n && r == INDEX_OK; i++)
        r = copy_one(ix, c, i, err);
    return r;
}

enum index_result index_expunge(struct index *ix, uint64_t box, const uint32_t *uids,
                                size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct index_msg m;
        int64_t blob = 0;
        enum index_result r = blob_of(ix, box, uids[i], &blob, &m, err);

        if (r == INDEX_NONE)
            continue;
        if (r == INDEX_OK)
            r = change_refs(ix, blob, -1, err);
        if (r == INDEX_OK)
            r = delete_message(ix, box, uids[i], err);
        if (r != INDEX_OK)
            return r;
    }
    return INDEX_OK;
}

enum index_result index_flags(struct index *ix, uint64_t box, const struct index_flag *v,
                              size_t n, struct err *err)
{
    struct db_stmt *s =
        db_stmt(ix->db, "UPDATE message SET flags = ?3 WHERE box = ?1 AND uid = ?2", err);

    for (size_t i = 0; i < n; i++) {
        enum index_result r;

        db_bind_int(s, 1, (int64_t)box);
        db_bind_int(s, 2, v[i].uid);
        db_bind_int(s, 3, (int64_t)v[i].flags);
        r = index_run(s, err);
        if (r != INDEX_OK)
            return r;
    }
    return INDEX_OK;
}

/* ---- files to remove -------------------------------------------------------------- */

enum index_result index_doomed(struct index *ix, struct index_doomed *v, size_t max,
                               size_t *n, struct err *err)
{
    struct db_stmt *s = db_stmt(ix->db,
                                "SELECT id, account, msgid, number, head, size FROM blob"
                                " WHERE refs = 0 LIMIT ?1",
                                err);
    enum db_result r = DB_DONE;

    *n = 0;
    db_bind_int(s, 1, (int64_t)max);
    while (*n < max && (r = db_step(s, err)) == DB_ROW) {
        v[*n].row = (uint64_t)db_col_int(s, 0);
        index_read_file(s, 1, &v[*n].file);
        (*n)++;
    }
    db_reset(s);
    return r == DB_DONE || r == DB_ROW ? INDEX_OK : INDEX_ERROR;
}

enum index_result index_forget(struct index *ix, uint64_t row, struct err *err)
{
    struct db_stmt *s =
        db_stmt(ix->db, "DELETE FROM blob WHERE id = ?1 AND refs = 0", err);

    db_bind_int(s, 1, (int64_t)row);
    return index_run(s, err);
}
