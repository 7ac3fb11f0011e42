/* SPDX-License-Identifier: ISC */
/* maild/queue/qdb.c
 *
 *     message   one row a message: the encoded envelope, where the message stands in its blob,
 *               due_s (NULL: held in memory)
 *     rcpt      one row a recipient: state, attempts, next_try_s, last answer
 *
 * Every write replaces the message's rows as a whole: idempotent, and never more than what
 * one message has. Reads are operations like writes, so they see all writes put before.
 *
 * Over 500 lines because every operation on a row (write, load, list, count) has its
 * statements, its thread half and its loop half side by side; no group of them stands
 * alone. */
#include "maild/queue/qdb.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "maild/queue/dbq.h"

static const struct db_migration steps[] = {
    {"queue of messages and recipients",
     "CREATE TABLE message("
     "  id BLOB PRIMARY KEY, accepted_s INTEGER NOT NULL, offset INTEGER NOT NULL,"
     "  size INTEGER NOT NULL, due_s INTEGER, envelope BLOB NOT NULL) WITHOUT ROWID;"
     "CREATE INDEX message_due ON message(due_s) WHERE due_s IS NOT NULL;"
     "CREATE TABLE rcpt("
     "  message BLOB NOT NULL REFERENCES message(id) ON DELETE CASCADE,"
     "  number INTEGER NOT NULL, state INTEGER NOT NULL, outcome INTEGER NOT NULL,"
     "  attempts INTEGER NOT NULL, next_try_s INTEGER NOT NULL, last_s INTEGER NOT NULL,"
     "  is_expired INTEGER NOT NULL, reason TEXT, host TEXT,"
     "  PRIMARY KEY(message, number)) WITHOUT ROWID;"},
};

struct qdb {
    struct db *db; /* until the first operation: the loop's thread; then the dbq's */
    struct dbq *dbq;
    struct list
        failed; /* writes of messages that left memory; tried again by qdb_barrier */
    bool has_failed;
    struct err failure; /* of an operation since the last barrier */
};

/* Rows ---------------------------------------------------------------------------------- */

/* A copy of what qdb_save writes. */
struct save_op {
    struct dbq_op op;
    struct qdb *d;
    struct qenvelope *env;
    struct qrcpt *rcpts;
    uint64_t offset, size;
    int64_t due_s; /* INT64_MAX: held */
};

static int write_message(struct db *db, const struct save_op *o, struct err *err)
{
    struct db_stmt *s =
        db_stmt(db,
                "INSERT INTO message(id, accepted_s, offset, size, due_s, "
                "envelope) VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(id) "
                "DO UPDATE SET due_s = excluded.due_s",
                err);

    if (s == NULL)
        return -1;
    dbq_bind_id(s, 1, &o->env->e.id);
    db_bind_int(s, 2, o->env->e.accepted_s);
    db_bind_int(s, 3, (int64_t)o->offset);
    db_bind_int(s, 4, (int64_t)o->size);
    if (o->due_s == INT64_MAX)
        db_bind_null(s, 5);
    else
        db_bind_int(s, 5, o->due_s);
    db_bind_blob(s, 6, buf_all(&o->env->encoded));
    return dbq_step(s, err);
}

static int write_rcpt(struct db *db, const struct save_op *o, size_t i, struct err *err)
{
    const struct qrcpt *r = &o->rcpts[i];
    struct db_stmt *s =
        db_stmt(db,
                "INSERT OR REPLACE INTO rcpt(message, number, state, "
                "outcome, attempts, next_try_s, last_s, is_expired, reason, "
                "host) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                err);

    if (s == NULL)
        return -1;
    dbq_bind_id(s, 1, &o->env->e.id);
    db_bind_int(s, 2, (int64_t)i);
    db_bind_int(s, 3, (int64_t)rcpt_state_stored(r->state));
    db_bind_int(s, 4, (int64_t)r->outcome);
    db_bind_int(s, 5, r->attempts);
    db_bind_int(s, 6, r->next_try_s);
    db_bind_int(s, 7, r->last_s);
    db_bind_int(s, 8, r->is_expired);
    db_bind_text(s, 9, r->reason);
    db_bind_text(s, 10, r->host);
    return dbq_step(s, err);
}

static int save_run(struct db *db, struct dbq_op *op, struct err *err)
{
    const struct save_op *o = (const struct save_op *)(const void *)op;

    if (write_message(db, o, err) == -1)
        return -1;
    for (size_t i = 0; i < o->env->e.n; i++) {
        if (write_rcpt(db, o, i, err) == -1)
            return -1;
    }
    return 0;
}

static int delete_row(struct db *db, const struct msgid *id, struct err *err)
{
    struct db_stmt *s = db_stmt(db, "DELETE FROM message WHERE id = ?1", err);

    if (s == NULL)
        return -1;
    dbq_bind_id(s, 1, id);
    return dbq_step(s, err);
}

static int read_rcpts(struct db *db, struct qmsg *m, struct err *err)
{
    struct db_stmt *s =
        db_stmt(db,
                "SELECT number, state, outcome, attempts, next_try_s, last_s, "
                "is_expired, reason, host FROM rcpt WHERE message = ?1",
                err);
    enum db_result r;

    if (s == NULL)
        return -1;
    dbq_bind_id(s, 1, &m->id);
    while ((r = db_step(s, err)) == DB_ROW) {
        int64_t number = db_col_int(s, 0);
        struct qrcpt *q;

        if (number < 0 || (uint64_t)number >= m->env->e.n)
            continue;
        q = &m->rcpts[number];
        qrcpt_clear(q);
        q->state = db_col_int(s, 1) == RCPT_DONE     ? RCPT_DONE
                   : db_col_int(s, 1) == RCPT_REPORT ? RCPT_REPORT
                                                     : RCPT_WAITING;
        q->outcome = (enum rcpt_outcome)(db_col_int(s, 2) & 3);
        q->attempts = (uint32_t)db_col_int(s, 3);
        q->next_try_s = db_col_int(s, 4);
        q->last_s = db_col_int(s, 5);
        q->is_expired = db_col_int(s, 6) != 0;
        q->is_redo = q->outcome == OUTCOME_DELIVERED && q->state == RCPT_WAITING;
        q->reason = db_col_is_null(s, 7) ? NULL : mem_strdup(db_col_text(s, 7));
        q->host = db_col_is_null(s, 8) ? NULL : mem_strdup(db_col_text(s, 8));
    }
    db_reset(s);
    return r == DB_DONE ? 0 : -1;
}

static enum qdb_result read_message(struct db *db, const struct msgid *id,
                                    struct qmsg **out, struct err *err)
{
    struct db_stmt *s =
        db_stmt(db, "SELECT offset, size, envelope FROM message WHERE id = ?1", err);
    struct qmsg *m = NULL;
    enum db_result r;

    *out = NULL;
    if (s == NULL)
        return QDB_FAULT;
    dbq_bind_id(s, 1, id);
    r = db_step(s, err);
    if (r == DB_ROW) {
        m = qmsg_new(db_col_span(s, 2));
        if (m != NULL) {
            m->offset = (uint64_t)db_col_int(s, 0);
            m->size = (uint64_t)db_col_int(s, 1);
            m->is_in_db = m->has_blob = m->is_synced = true;
        }
    }
    db_reset(s);
    if (r == DB_DONE)
        return QDB_NONE;
    if (r != DB_ROW)
        return QDB_FAULT;
    if (m == NULL) {
        err_set(err, "queue.db: envelope of a message is malformed");
        return QDB_FAULT;
    }
    if (read_rcpts(db, m, err) == -1) {
        qmsg_free(&m);
        return QDB_FAULT;
    }
    *out = m;
    return QDB_OK;
}

static void save_op_free(struct save_op *o)
{
    for (size_t i = 0; i < o->env->e.n; i++)
        qrcpt_clear(&o->rcpts[i]);
    free(o->rcpts);
    qenvelope_drop(&o->env);
    free(o);
}

/* Opening ------------------------------------------------------------------------------- */

static bool looks_like_database(const char *path)
{
    char magic[16] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd == -1 ? -1 : read(fd, magic, sizeof(magic));

    if (fd != -1)
        (void)close(fd);
    return n == 0 || (n == (ssize_t)sizeof(magic) &&
                      memcmp(magic, "SQLite format 3", sizeof(magic)) == 0);
}

static bool is_sound(struct db *db)
{
    struct db_stmt *s = db_stmt(db, "PRAGMA quick_check(1)", NULL);
    bool ok =
        s != NULL && db_step(s, NULL) == DB_ROW && strcmp(db_col_text(s, 0), "ok") == 0;

    if (s != NULL)
        db_reset(s);
    return ok;
}

static int move_aside(const char *path, struct err *err)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char from[4096], to[4096];

    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        if (snprintf(from, sizeof(from), "%s%s", path, ends[i]) >= (int)sizeof(from) ||
            snprintf(to, sizeof(to), "%s.unusable%s", path, ends[i]) >= (int)sizeof(to))
            return err_set(err, "%s: name too long", path);
        if (rename(from, to) == -1 && errno != ENOENT)
            return err_sys(err, "move %s aside", from);
    }
    return 0;
}

static struct db *open_database(const char *path, struct err *err)
{
    const struct db_options o = {
        .mode = DB_CREATE, .busy_ms = 1000, .is_sync_full = true, .file_mode = 0640};
    struct db *db = db_open(path, &o, err);

    if (db != NULL && db_migrate(db, path, steps, (int)COUNT_OF(steps), err) == -1)
        db_close(&db);
    return db;
}

struct qdb *qdb_open(struct loop *l, const char *path, bool *is_new, struct err *err)
{
    struct qdb *d = mem_new(1, sizeof(*d));

    list_init(&d->failed);
    *is_new = access(path, F_OK) == -1;
    err->text[0] = '\0';
    if (!*is_new && !looks_like_database(path)) {
        *is_new = true;
        if (move_aside(path, err) == -1)
            goto fail;
    }
    d->db = open_database(path, err);
    if (d->db == NULL)
        goto fail;
    if (!is_sound(d->db)) {
        *is_new = true;
        db_close(&d->db);
        if (move_aside(path, err) == -1)
            goto fail;
        d->db = open_database(path, err);
        if (d->db == NULL)
            goto fail;
    }
    d->dbq = dbq_new(l, "queue.db", d->db);
    return d;
fail:
    free(d);
    return NULL;
}

void qdb_close(struct qdb **dp)
{
    struct qdb *d = *dp;

    *dp = NULL;
    if (d == NULL)
        return;
    dbq_free(&d->dbq);
    while (!list_is_empty(&d->failed)) {
        struct list *l = d->failed.next;

        list_remove(l); /* the journal has it still */
        save_op_free(LIST_ENTRY(l, struct save_op, op.link));
    }
    free(d);
}

/* At the start, on the caller's thread ---------------------------------------------------- */

int qdb_start_release(struct qdb *d, struct err *err)
{
    return db_exec(
        d->db,
        "UPDATE message SET due_s = coalesce((SELECT min(next_try_s) FROM rcpt "
        "WHERE message = id AND state <> 1), 0) WHERE due_s IS NULL",
        err);
}

enum qdb_result qdb_start_load(struct qdb *d, const struct msgid *id, struct qmsg **m,
                               struct err *err)
{
    return read_message(d->db, id, m, err);
}

static struct save_op *save_op_new(struct qdb *d, const struct qmsg *m, bool is_held)
{
    struct save_op *o = mem_new(1, sizeof(*o));
    const size_t n = m->env->e.n;

    o->d = d;
    o->env = qenvelope_hold(m->env);
    o->rcpts = mem_new(n, sizeof(*o->rcpts));
    o->offset = m->offset;
    o->size = m->size;
    o->due_s = is_held ? INT64_MAX : qmsg_due(m);
    if (!is_held && o->due_s == INT64_MAX)
        o->due_s = 0;
    for (size_t i = 0; i < n; i++) {
        o->rcpts[i] = m->rcpts[i];
        o->rcpts[i].reason = m->rcpts[i].reason ? mem_strdup(m->rcpts[i].reason) : NULL;
        o->rcpts[i].host = m->rcpts[i].host ? mem_strdup(m->rcpts[i].host) : NULL;
    }
    return o;
}

int qdb_start_save(struct qdb *d, const struct qmsg *m, bool is_held, struct err *err)
{
    struct save_op *o = save_op_new(d, m, is_held);
    int rc = -1;

    if (db_begin(d->db, err) == 0) {
        rc = save_run(d->db, &o->op, err);
        if (rc == 0)
            rc = db_commit(d->db, err);
        if (rc == -1)
            db_rollback(d->db);
    }
    save_op_free(o);
    return rc;
}

int qdb_start_delete(struct qdb *d, const struct msgid *id, struct err *err)
{
    return delete_row(d->db, id, err);
}

int qdb_start_each(struct qdb *d,
                   int (*fn)(void *ctx, const struct msgid *id, struct err *err),
                   void *ctx, struct err *err)
{
    struct db_stmt *s = db_stmt(d->db, "SELECT id FROM message ORDER BY accepted_s", err);
    enum db_result r = DB_ERROR;

    if (s == NULL)
        return -1;
    while ((r = db_step(s, err)) == DB_ROW) {
        struct span octets = db_col_span(s, 0);
        struct msgid id;

        if (octets.n != MSGID_OCTETS)
            continue;
        memcpy(id.b, octets.p, MSGID_OCTETS);
        if (fn(ctx, &id, err) == -1)
            break;
    }
    db_reset(s);
    return r == DB_DONE ? 0 : -1;
}

/* Operations ------------------------------------------------------------------------------ */

static void note(struct qdb *d, const struct err *err)
{
    if (err == NULL || d->has_failed)
        return;
    d->has_failed = true;
    d->failure = *err;
}

static void save_done(struct dbq_op *op, const struct err *err)
{
    struct save_op *o = (struct save_op *)(void *)op;

    note(o->d, err);
    /* A held message is still in memory and will be written again. This one is nowhere else
     * but in the journal, which is not released before a barrier without failure. */
    if (err != NULL && o->due_s != INT64_MAX)
        list_add_tail(&o->d->failed, &op->link);
    else
        save_op_free(o);
}

static void try_failed_again(struct qdb *d)
{
    struct list again;

    list_init(&again);
    while (!list_is_empty(&d->failed)) {
        struct list *l = d->failed.next;

        list_remove(l);
        list_add_tail(&again, l);
    }
    while (!list_is_empty(&again)) {
        struct list *l = again.next;

        list_remove(l);
        dbq_put(d->dbq, LIST_ENTRY(l, struct dbq_op, link));
    }
}

void qdb_save(struct qdb *d, const struct qmsg *m, bool is_held)
{
    struct save_op *o = save_op_new(d, m, is_held);

    o->op.run = save_run;
    o->op.done = save_done;
    dbq_put(d->dbq, &o->op);
}

struct delete_op {
    struct dbq_op op;
    struct qdb *d;
    struct msgid id;
};

static int delete_run(struct db *db, struct dbq_op *op, struct err *err)
{
    return delete_row(db, &((struct delete_op *)(void *)op)->id, err);
}

static void delete_done(struct dbq_op *op, const struct err *err)
{
    note(((struct delete_op *)(void *)op)->d, err);
    free(op);
}

void qdb_delete(struct qdb *d, const struct msgid *id)
{
    struct delete_op *o = mem_new(1, sizeof(*o));

    o->d = d;
    o->id = *id;
    o->op.run = delete_run;
    o->op.done = delete_done;
    dbq_put(d->dbq, &o->op);
}

struct barrier_op {
    struct dbq_op op;
    struct qdb *d;
    qdb_barrier_fn fn;
    void *ctx;
};

static int barrier_run(struct db *db, struct dbq_op *op, struct err *err)
{
    (void)db, (void)op, (void)err;
    return 0;
}

static void barrier_done(struct dbq_op *op, const struct err *err)
{
    struct barrier_op *o = (struct barrier_op *)(void *)op;
    bool has_failed;

    note(o->d, err);
    has_failed = o->d->has_failed;
    o->d->has_failed = false;
    o->fn(o->ctx, has_failed ? &o->d->failure : NULL);
    free(o);
}

void qdb_barrier(struct qdb *d, qdb_barrier_fn fn, void *ctx)
{
    struct barrier_op *o = mem_new(1, sizeof(*o));

    try_failed_again(d);
    o->d = d;
    o->fn = fn;
    o->ctx = ctx;
    o->op.run = barrier_run;
    o->op.done = barrier_done;
    dbq_put(d->dbq, &o->op);
}

/* Loading: ids first, then each message; held or copied. */
struct load_op {
    struct dbq_op op;
    qdb_due_fn fn;
    void *ctx;
    enum { LOAD_DUE, LOAD_ONE, LOAD_LIST } what;
    int64_t now_s, next_due_s;
    struct msgid id; /* LOAD_ONE */
    struct msgid *ids;
    struct qmsg **loaded;
    size_t n_ids, n, max;
};

static int load_ids(struct db *db, struct load_op *o, struct err *err)
{
    struct db_stmt *s =
        o->what == LOAD_DUE
            ? db_stmt(db,
                      "SELECT id FROM message WHERE due_s <= ?1 ORDER BY due_s LIMIT ?2",
                      err)
            : db_stmt(
                  db,
                  "SELECT id FROM message WHERE due_s IS NOT NULL AND ?1 = ?1 ORDER BY "
                  "accepted_s LIMIT ?2",
                  err);
    enum db_result r;

    if (s == NULL)
        return -1;
    db_bind_int(s, 1, o->now_s);
    db_bind_int(s, 2, (int64_t)o->max);
    while ((r = db_step(s, err)) == DB_ROW && o->n_ids < o->max) {
        struct span octets = db_col_span(s, 0);

        if (octets.n == MSGID_OCTETS)
            memcpy(o->ids[o->n_ids++].b, octets.p, MSGID_OCTETS);
    }
    db_reset(s);
    return r == DB_ERROR || r == DB_BUSY ? -1 : 0;
}

static int hold_row(struct db *db, const struct msgid *id, struct err *err)
{
    struct db_stmt *s = db_stmt(db, "UPDATE message SET due_s = NULL WHERE id = ?1", err);

    if (s == NULL)
        return -1;
    dbq_bind_id(s, 1, id);
    return dbq_step(s, err);
}

static int next_due(struct db *db, int64_t *due_s, struct err *err)
{
    struct db_stmt *s =
        db_stmt(db, "SELECT min(due_s) FROM message WHERE due_s IS NOT NULL", err);
    enum db_result r;

    if (s == NULL)
        return -1;
    r = db_step(s, err);
    if (r == DB_ROW)
        *due_s = db_col_is_null(s, 0) ? INT64_MAX : db_col_int(s, 0);
    db_reset(s);
    return r == DB_ROW ? 0 : -1;
}

static void drop_loaded(struct load_op *o)
{
    for (size_t i = 0; i < o->n; i++)
        qmsg_free(&o->loaded[i]);
    o->n = o->n_ids = 0;
}

static int load_run(struct db *db, struct dbq_op *op, struct err *err)
{
    struct load_op *o = (struct load_op *)(void *)op;

    drop_loaded(o); /* of a run that was undone */
    if (o->what == LOAD_ONE)
        o->ids[o->n_ids++] = o->id;
    else if (load_ids(db, o, err) == -1)
        return -1;
    for (size_t i = 0; i < o->n_ids; i++) {
        enum qdb_result r = read_message(db, &o->ids[i], &o->loaded[o->n], err);

        if (r == QDB_FAULT ||
            (o->what != LOAD_LIST && hold_row(db, &o->ids[i], err) == -1))
            return -1;
        o->n += r == QDB_OK;
    }
    return next_due(db, &o->next_due_s, err);
}

static void load_done(struct dbq_op *op, const struct err *err)
{
    struct load_op *o = (struct load_op *)(void *)op;

    if (err != NULL)
        drop_loaded(o);
    o->fn(o->ctx, o->loaded, o->n, o->next_due_s, err);
    free(o->ids);
    free(o->loaded);
    free(o);
}

static struct load_op *load_op_new(size_t max, qdb_due_fn fn, void *ctx)
{
    struct load_op *o = mem_new(1, sizeof(*o));

    o->op.run = load_run;
    o->op.done = load_done;
    o->fn = fn;
    o->ctx = ctx;
    o->max = max;
    o->ids = mem_new(max, sizeof(*o->ids));
    o->loaded = mem_new(max, sizeof(*o->loaded));
    o->next_due_s = INT64_MAX;
    return o;
}

void qdb_load_due(struct qdb *d, int64_t now_s, size_t max, qdb_due_fn fn, void *ctx)
{
    struct load_op *o = load_op_new(max, fn, ctx);

    o->what = LOAD_DUE;
    o->now_s = now_s;
    dbq_put(d->dbq, &o->op);
}

void qdb_load_one(struct qdb *d, const struct msgid *id, qdb_due_fn fn, void *ctx)
{
    struct load_op *o = load_op_new(1, fn, ctx);

    o->what = LOAD_ONE;
    o->id = *id;
    dbq_put(d->dbq, &o->op);
}

void qdb_list(struct qdb *d, size_t max, qdb_due_fn fn, void *ctx)
{
    struct load_op *o = load_op_new(max, fn, ctx);

    o->what = LOAD_LIST;
    dbq_put(d->dbq, &o->op);
}

struct count_op {
    struct dbq_op op;
    qdb_count_fn fn;
    void *ctx;
    int64_t now_s, n;
};

static int make_due_run(struct db *db, struct dbq_op *op, struct err *err)
{
    struct count_op *o = (struct count_op *)(void *)op;
    struct db_stmt *s = db_stmt(
        db, "UPDATE rcpt SET next_try_s = ?1 WHERE state = 0 AND next_try_s > ?1", err);

    if (s == NULL)
        return -1;
    db_bind_int(s, 1, o->now_s);
    if (dbq_step(s, err) == -1)
        return -1;
    o->n = db_changed_rows(db);
    s = db_stmt(db, "UPDATE message SET due_s = ?1 WHERE due_s IS NOT NULL", err);
    if (s == NULL)
        return -1;
    db_bind_int(s, 1, o->now_s);
    return dbq_step(s, err);
}

static void count_done(struct dbq_op *op, const struct err *err)
{
    struct count_op *o = (struct count_op *)(void *)op;

    o->fn(o->ctx, o->n, err);
    free(o);
}

void qdb_make_due(struct qdb *d, int64_t now_s, qdb_count_fn fn, void *ctx)
{
    struct count_op *o = mem_new(1, sizeof(*o));

    o->op.run = make_due_run;
    o->op.done = count_done;
    o->fn = fn;
    o->ctx = ctx;
    o->now_s = now_s;
    dbq_put(d->dbq, &o->op);
}
