/* SPDX-License-Identifier: ISC */
/* maild/queue/history.c
 *
 *     message   one verdict a message, with its facts as JSON text
 *     rcpt      the addresses it names, for the search
 *     event     what became of each recipient, one row an attempt
 *
 * A message that is replayed after a crash finds its row and leaves it as it is. */

#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "maild/queue/history_int.h"

#define EXPIRE_ROWS 2000

static const struct db_migration steps[] = {
    {"messages, their addresses, their events",
     "CREATE TABLE message("
     "  n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, when_s INTEGER NOT NULL,"
     "  via TEXT NOT NULL, sender TEXT NOT NULL, peer TEXT NOT NULL, helo TEXT NOT NULL,"
     "  header_from TEXT NOT NULL, message_id TEXT NOT NULL, subject TEXT NOT NULL,"
     "  size INTEGER NOT NULL, outcome TEXT NOT NULL, reply TEXT NOT NULL,"
     "  facts TEXT NOT NULL);"
     "CREATE INDEX message_when ON message(when_s);"
     "CREATE INDEX message_sender ON message(sender COLLATE NOCASE, n);"
     "CREATE INDEX message_message_id ON message(message_id, n) WHERE message_id <> '';"
     "CREATE TABLE rcpt("
     "  address TEXT NOT NULL COLLATE NOCASE,"
     "  n INTEGER NOT NULL REFERENCES message(n) ON DELETE CASCADE,"
     "  PRIMARY KEY(address, n)) WITHOUT ROWID;"
     "CREATE INDEX rcpt_n ON rcpt(n);"
     "CREATE TABLE event("
     "  e INTEGER PRIMARY KEY, id BLOB NOT NULL, when_s INTEGER NOT NULL,"
     "  number INTEGER NOT NULL, rcpt TEXT NOT NULL, event TEXT NOT NULL,"
     "  host TEXT NOT NULL, text TEXT NOT NULL);"
     "CREATE INDEX event_id ON event(id, e);"
     "CREATE INDEX event_when ON event(when_s);"},
};

static struct db *open_database(const char *path, struct err *err)
{
    const struct db_options o = {.mode = DB_CREATE, .busy_ms = 1000, .file_mode = 0640};
    struct db *db = db_open(path, &o, err);

    if (db != NULL && db_migrate(db, path, steps, (int)COUNT_OF(steps), err) == -1)
        db_close(&db);
    return db;
}

struct history *history_open(struct loop *l, const char *path, struct err *err)
{
    struct history *h;
    struct db *db = open_database(path, err);

    if (db == NULL)
        return NULL;
    h = mem_new(1, sizeof(*h));
    h->loop = l;
    h->dbq = dbq_new(l, "history.db", db);
    return h;
}

void history_close(struct history **hp)
{
    struct history *h = *hp;

    *hp = NULL;
    if (h == NULL)
        return;
    dbq_free(&h->dbq);
    free(h);
}

/* Writing ------------------------------------------------------------------------------- */

static void log_failure(struct history *h, const struct err *err)
{
    if (err != NULL)
        log_event(loop_log(h->loop), LOG_QUEUE_FAULT, LOGF_S("database", "history.db"),
                  LOGF_S("error", err->text));
}

enum {
    M_SENDER,
    M_PEER,
    M_HELO,
    M_FROM,
    M_ID,
    M_SUBJECT,
    M_OUTCOME,
    M_REPLY,
    M_FACTS,
    M_N
};

struct message_op {
    struct dbq_op op;
    struct history *h;
    struct msgid id;
    int64_t when_s, size;
    const char *via;
    char *text[M_N];
    char **rcpts;
    size_t n_rcpts;
};

static int message_run(struct db *db, struct dbq_op *op, struct err *err)
{
    struct message_op *o = (struct message_op *)(void *)op;
    struct db_stmt *s = db_stmt(
        db,
        "INSERT OR IGNORE INTO message(id, when_s, via, size, sender, peer, helo, "
        "header_from, message_id, subject, outcome, reply, facts) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        err);
    int64_t n;

    if (s == NULL)
        return -1;
    dbq_bind_id(s, 1, &o->id);
    db_bind_int(s, 2, o->when_s);
    db_bind_text(s, 3, o->via);
    db_bind_int(s, 4, o->size);
    for (int i = 0; i < M_N; i++)
        db_bind_text(s, 5 + i, o->text[i]);
    if (dbq_step(s, err) == -1)
        return -1;
    if (db_changed_rows(db) == 0)
        return 0; /* replayed */
    n = db_last_id(db);
    for (size_t i = 0; i < o->n_rcpts; i++) {
        s = db_stmt(db, "INSERT OR IGNORE INTO rcpt(address, n) VALUES(?1, ?2)", err);
        if (s == NULL)
            return -1;
        db_bind_text(s, 1, o->rcpts[i]);
        db_bind_int(s, 2, n);
        if (dbq_step(s, err) == -1)
            return -1;
    }
    return 0;
}

static void message_done(struct dbq_op *op, const struct err *err)
{
    struct message_op *o = (struct message_op *)(void *)op;

    log_failure(o->h, err);
    for (int i = 0; i < M_N; i++)
        free(o->text[i]);
    for (size_t i = 0; i < o->n_rcpts; i++)
        free(o->rcpts[i]);
    free(o->rcpts);
    free(o);
}

void history_message(struct history *h, const struct history_message *m)
{
    struct message_op *o = mem_new(1, sizeof(*o));
    const struct span texts[M_N] = {m->sender,  m->peer,       m->helo,
                                    m->from,    m->message_id, m->subject,
                                    m->outcome, m->reply,      m->facts};

    o->op.run = message_run;
    o->op.done = message_done;
    o->h = h;
    o->id = m->id;
    o->when_s = m->when_s;
    o->size = (int64_t)m->size;
    o->via = m->via;
    for (int i = 0; i < M_N; i++)
        o->text[i] = span_dup(texts[i]);
    o->n_rcpts = m->n_rcpts;
    o->rcpts = mem_new(m->n_rcpts + 1, sizeof(*o->rcpts));
    for (size_t i = 0; i < m->n_rcpts; i++)
        o->rcpts[i] = span_dup(m->rcpts[i]);
    dbq_put_lazy(h->dbq, &o->op);
}

struct event_op {
    struct dbq_op op;
    struct history *h;
    struct msgid id;
    int64_t when_s, number;
    const char *event;
    char *rcpt, *host, *text;
};

static int event_run(struct db *db, struct dbq_op *op, struct err *err)
{
    struct event_op *o = (struct event_op *)(void *)op;
    struct db_stmt *s =
        db_stmt(db,
                "INSERT INTO event(id, when_s, number, rcpt, event, host, "
                "text) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                err);

    if (s == NULL)
        return -1;
    dbq_bind_id(s, 1, &o->id);
    db_bind_int(s, 2, o->when_s);
    db_bind_int(s, 3, o->number);
    db_bind_text(s, 4, o->rcpt);
    db_bind_text(s, 5, o->event);
    db_bind_text(s, 6, o->host);
    db_bind_text(s, 7, o->text);
    return dbq_step(s, err);
}

static void event_done(struct dbq_op *op, const struct err *err)
{
    struct event_op *o = (struct event_op *)(void *)op;

    log_failure(o->h, err);
    free(o->rcpt);
    free(o->host);
    free(o->text);
    free(o);
}

void history_event(struct history *h, const struct history_event *e)
{
    struct event_op *o = mem_new(1, sizeof(*o));

    o->op.run = event_run;
    o->op.done = event_done;
    o->h = h;
    o->id = e->id;
    o->when_s = e->when_s;
    o->number = e->number;
    o->event = e->event;
    o->rcpt = span_dup(e->rcpt);
    o->host = span_dup(e->host);
    o->text = span_dup(e->text);
    dbq_put_lazy(h->dbq, &o->op);
}

struct expire_op {
    struct dbq_op op;
    struct history *h;
    int64_t before_s;
};

static int expire_run(struct db *db, struct dbq_op *op, struct err *err)
{
    static const char *const sql[] = {
        "DELETE FROM message WHERE n IN (SELECT n FROM message WHERE when_s < ?1 LIMIT "
        "?2)",
        "DELETE FROM event WHERE e IN (SELECT e FROM event WHERE when_s < ?1 LIMIT ?2)",
    };

    for (size_t i = 0; i < COUNT_OF(sql); i++) {
        struct db_stmt *s = db_stmt(db, sql[i], err);

        if (s == NULL)
            return -1;
        db_bind_int(s, 1, ((struct expire_op *)(void *)op)->before_s);
        db_bind_int(s, 2, EXPIRE_ROWS);
        if (dbq_step(s, err) == -1)
            return -1;
    }
    return 0;
}

static void expire_done(struct dbq_op *op, const struct err *err)
{
    log_failure(((struct expire_op *)(void *)op)->h, err);
    free(op);
}

void history_expire(struct history *h, int64_t before_s)
{
    struct expire_op *o = mem_new(1, sizeof(*o));

    o->op.run = expire_run;
    o->op.done = expire_done;
    o->h = h;
    o->before_s = before_s;
    dbq_put_lazy(h->dbq, &o->op);
}
