/* SPDX-License-Identifier: ISC */
/* maild/queue/history_trace.c - `trace`: what is known of an address, a Message-ID or an id.
 *
 * On the database thread: the numbers of the messages found, newest first; then for each its
 * verdict with all facts and its events in order, as JSON texts that the control socket sends
 * as they are. Foreign texts may be anything: what is no UTF-8 is shown as "(not text)". */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/core/mem.h"
#include "maild/queue/history_int.h"

struct trace_op {
    struct dbq_op op;
    history_rows_fn fn;
    void *ctx;
    char *text; /* address or Message-ID */
    bool is_id;
    struct msgid id;
    size_t max;
    char **rows;
    size_t n, cap;
};

static void add_row(struct trace_op *o, json_t *row)
{
    char *text = row == NULL ? NULL : json_dumps(row, JSON_COMPACT | JSON_ENSURE_ASCII);

    json_decref(row);
    if (text == NULL)
        return;
    if (o->n == o->cap) {
        o->cap = o->cap == 0 ? 32 : o->cap * 2;
        o->rows = mem_resize(o->rows, o->cap, sizeof(*o->rows));
    }
    o->rows[o->n++] = text;
}

/* JSON text of octets that may not be UTF-8. */
static json_t *text_of(const char *s)
{
    json_t *t = json_string(s);

    return t != NULL ? t : json_string("(not text)");
}

static json_t *id_text(struct span octets)
{
    char text[MSGID_TEXT + 1] = "";
    struct msgid id;

    if (octets.n == MSGID_OCTETS) {
        memcpy(id.b, octets.p, MSGID_OCTETS);
        msgid_print(&id, text);
    }
    return json_string(text);
}

static int trace_rcpts(struct db *db, int64_t n, json_t *list, struct err *err)
{
    struct db_stmt *s = db_stmt(db, "SELECT address FROM rcpt WHERE n = ?1", err);
    enum db_result r;

    if (s == NULL)
        return -1;
    db_bind_int(s, 1, n);
    while ((r = db_step(s, err)) == DB_ROW)
        json_array_append_new(list, text_of(db_col_text(s, 0)));
    db_reset(s);
    return r == DB_DONE ? 0 : -1;
}

static int trace_events(struct db *db, struct trace_op *o, struct span id,
                        struct err *err)
{
    struct db_stmt *s =
        db_stmt(db,
                "SELECT when_s, number, rcpt, event, host, text FROM event "
                "WHERE id = ?1 ORDER BY e",
                err);
    enum db_result r;

    if (s == NULL)
        return -1;
    db_bind_blob(s, 1, id);
    while ((r = db_step(s, err)) == DB_ROW)
        add_row(
            o, json_pack("{s:s, s:o, s:I, s:I, s:o, s:o, s:o, s:o}", "row", "event", "id",
                         id_text(id), "when_s", (json_int_t)db_col_int(s, 0), "number",
                         (json_int_t)db_col_int(s, 1), "rcpt", text_of(db_col_text(s, 2)),
                         "event", text_of(db_col_text(s, 3)), "host",
                         text_of(db_col_text(s, 4)), "text", text_of(db_col_text(s, 5))));
    db_reset(s);
    return r == DB_DONE ? 0 : -1;
}

/* One message and its events, by row number. */
static int trace_message(struct db *db, struct trace_op *o, int64_t n, struct err *err)
{
    static const char *const names[] = {"via",     "sender",  "peer",
                                        "helo",    "from",    "message_id",
                                        "subject", "outcome", "reply"};
    struct db_stmt *s =
        db_stmt(db,
                "SELECT id, when_s, size, facts, via, sender, peer, helo, "
                "header_from, message_id, subject, outcome, reply "
                "FROM message WHERE n = ?1",
                err);
    uint8_t id[MSGID_OCTETS];
    json_t *row, *facts, *rcpts;
    struct span octets;

    if (s == NULL)
        return -1;
    db_bind_int(s, 1, n);
    if (db_step(s, err) != DB_ROW) {
        db_reset(s);
        return 0;
    }
    octets = db_col_span(s, 0);
    if (octets.n == MSGID_OCTETS)
        memcpy(id, octets.p, MSGID_OCTETS);
    row = json_pack("{s:s, s:o, s:I, s:I}", "row", "message", "id", id_text(octets),
                    "when_s", (json_int_t)db_col_int(s, 1), "size",
                    (json_int_t)db_col_int(s, 2));
    for (size_t i = 0; i < COUNT_OF(names); i++)
        json_object_set_new(row, names[i], text_of(db_col_text(s, (int)i + 4)));
    facts = json_loads(db_col_text(s, 3), 0, NULL);
    json_object_set_new(row, "facts", facts != NULL ? facts : json_object());
    db_reset(s);
    rcpts = json_array();
    json_object_set_new(row, "recipients", rcpts);
    if (trace_rcpts(db, n, rcpts, err) == -1) {
        json_decref(row);
        return -1;
    }
    add_row(o, row);
    return trace_events(db, o, span_of(id, sizeof(id)), err);
}

static struct db_stmt *trace_query(struct db *db, struct trace_op *o, struct err *err)
{
    struct db_stmt *s;

    if (o->is_id) {
        s = db_stmt(db, "SELECT n FROM message WHERE id = ?1 LIMIT ?2", err);
        if (s != NULL)
            dbq_bind_id(s, 1, &o->id);
    } else {
        s = db_stmt(
            db,
            "SELECT n FROM message WHERE sender = ?1 COLLATE NOCASE "
            "UNION SELECT n FROM rcpt WHERE address = ?1 "
            "UNION SELECT n FROM message WHERE message_id = ?1 AND message_id <> '' "
            "ORDER BY n DESC LIMIT ?2",
            err);
        if (s != NULL)
            db_bind_text(s, 1, o->text);
    }
    if (s != NULL)
        db_bind_int(s, 2, (int64_t)o->max);
    return s;
}

static void drop_rows(struct trace_op *o)
{
    for (size_t i = 0; i < o->n; i++)
        free(o->rows[i]);
    o->n = 0;
}

static int trace_run(struct db *db, struct dbq_op *op, struct err *err)
{
    struct trace_op *o = (struct trace_op *)(void *)op;
    struct db_stmt *s = trace_query(db, o, err);
    int64_t *found = mem_new(o->max, sizeof(*found));
    size_t n = 0;
    int rc = -1;

    drop_rows(o); /* of a run that was undone */
    if (s == NULL)
        goto out;
    while (n < o->max && db_step(s, err) == DB_ROW)
        found[n++] = db_col_int(s, 0);
    db_reset(s);
    for (size_t i = 0; i < n; i++) {
        if (trace_message(db, o, found[i], err) == -1)
            goto out;
    }
    rc = 0;
out:
    free(found);
    return rc;
}

static void trace_done(struct dbq_op *op, const struct err *err)
{
    struct trace_op *o = (struct trace_op *)(void *)op;

    o->fn(o->ctx, o->rows, err == NULL ? o->n : 0, err);
    drop_rows(o);
    free(o->rows);
    free(o->text);
    free(o);
}

void history_trace(struct history *h, struct span text, size_t max, history_rows_fn fn,
                   void *ctx)
{
    struct trace_op *o = mem_new(1, sizeof(*o));

    text = span_trim(text);
    if (text.n > 2 && text.p[0] == '<' && text.p[text.n - 1] == '>')
        text = span_of(text.p + 1, text.n - 2);
    o->op.run = trace_run;
    o->op.done = trace_done;
    o->fn = fn;
    o->ctx = ctx;
    o->text = span_dup(text);
    o->is_id = msgid_parse(text, &o->id);
    o->max = max;
    dbq_put(h->dbq, &o->op);
}
