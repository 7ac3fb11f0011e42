/* SPDX-License-Identifier: ISC */
/* maild/queue/control.c - requests of `signpost` at R/maild.ctl; rows as in README.md.
 *
 * A table of requests; each is answered from memory, from queue.db or from history.db, the
 * latter two by an operation that ends the request when it is back. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/core/mem.h"
#include "maild/queue/queue_int.h"

#define LIST_MAX  10000u
#define TRACE_MAX 50u

/* One request on its way through a database. */
struct ask {
    struct queue *q;
    struct control_req *req;
    struct msgid id;
    int64_t n; /* recipients changed in memory */
};

static struct ask *ask_new(struct queue *q, struct control_req *req)
{
    struct ask *a = mem_new(1, sizeof(*a));

    a->q = q;
    a->req = req;
    return a;
}

/* Send and release a row. False when the client takes no more. */
static bool send_row(struct control_req *req, json_t *row)
{
    char *text = row == NULL ? NULL : json_dumps(row, JSON_COMPACT);
    bool ok = text != NULL && control_row(req, span_str(text)) == 0;

    free(text);
    json_decref(row);
    return ok;
}

static json_t *text_of(const char *s)
{
    json_t *t = json_string(s != NULL ? s : "");

    return t != NULL ? t : json_string("(not text)");
}

/* queue list, queue show ------------------------------------------------------------------- */

static bool is_waiting(const struct qrcpt *r)
{
    return r->state != RCPT_DONE && r->state != RCPT_DELIVERED;
}

static json_t *message_row(const struct queue *q, const struct qmsg *m)
{
    const struct envelope *e = &m->env->e;
    const struct qrcpt *shown;
    size_t first = 0, waiting = 0;
    char id[MSGID_TEXT + 1];

    for (size_t i = e->n; i > 0; i--) {
        if (is_waiting(&m->rcpts[i - 1])) {
            first = i - 1;
            waiting++;
        }
    }
    shown = &m->rcpts[first];
    msgid_print(&m->id, id);
    return json_pack("{s:s, s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}",
                     "row", "message", "id", id, "sender", text_of(e->sender), "via",
                     envelope_via_name(e->via), "size", (json_int_t)m->size, "accepted_s",
                     (json_int_t)e->accepted_s, "expires_s",
                     (json_int_t)(e->accepted_s + q->schedule.lifetime_s), "recipients",
                     (json_int_t)e->n, "waiting", (json_int_t)waiting, "attempts",
                     (json_int_t)shown->attempts, "next_try_s",
                     (json_int_t)shown->next_try_s, "rcpt",
                     text_of(e->rcpts[first].address), "reason", text_of(shown->reason));
}

static const char *state_name(const struct qrcpt *r)
{
    if (is_waiting(r) && r->state != RCPT_REPORT)
        return r->state == RCPT_ACTIVE ? "active" : "waiting";
    switch (r->outcome) {
    case OUTCOME_DELIVERED:
        return "delivered";
    case OUTCOME_FAILED:
        return "failed";
    case OUTCOME_REMOVED:
        return "removed";
    case OUTCOME_NONE:
        break;
    }
    return "waiting";
}

static json_t *rcpt_row(const struct qmsg *m, size_t i)
{
    const struct envelope_rcpt *e = &m->env->e.rcpts[i];
    const struct qrcpt *r = &m->rcpts[i];

    return json_pack("{s:s, s:I, s:s, s:o, s:o, s:s, s:I, s:I, s:I, s:o, s:o}", "row",
                     "recipient", "number", (json_int_t)i, "kind",
                     e->kind == RCPT_LOCAL ? "local" : "remote", "address",
                     text_of(e->address), "original", text_of(e->original), "state",
                     state_name(r), "attempts", (json_int_t)r->attempts, "next_try_s",
                     (json_int_t)r->next_try_s, "last_s", (json_int_t)r->last_s, "host",
                     text_of(r->host), "reason", text_of(r->reason));
}

static void free_messages(struct qmsg **v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        qmsg_free(&v[i]);
}

static void list_waiting(void *ctx, struct qmsg **v, size_t n, int64_t next_due_s,
                         const struct err *err)
{
    struct ask *a = ctx;
    bool ok = true;

    (void)next_due_s;
    for (size_t i = 0; i < n && ok; i++)
        ok = send_row(a->req, message_row(a->q, v[i]));
    free_messages(v, n);
    if (err != NULL)
        control_error(a->req, "fault", "%s", err->text);
    else
        control_ok(a->req);
    free(a);
}

static void do_list(struct queue *q, struct control_req *req, struct span arg)
{
    size_t n = 0;

    (void)arg;
    LIST_EACH (it, &q->all) {
        struct qmsg *m = LIST_ENTRY(it, struct qmsg, link);

        if (m->env == NULL ||
            qmsg_count(m, RCPT_DONE) + qmsg_count(m, RCPT_DELIVERED) == m->env->e.n)
            continue;
        if (++n > LIST_MAX || !send_row(req, message_row(q, m)))
            break;
    }
    qdb_list(q->db, LIST_MAX, list_waiting, ask_new(q, req));
}

static void show(struct queue *q, struct control_req *req, const struct qmsg *m)
{
    bool ok = send_row(req, message_row(q, m));

    for (size_t i = 0; i < m->env->e.n && ok; i++)
        ok = send_row(req, rcpt_row(m, i));
    control_ok(req);
}

/* Do something with one message, in memory or loaded into it. */
typedef void (*message_fn)(struct queue *q, struct control_req *req, struct qmsg *m);

struct ask_one {
    struct ask a;
    message_fn fn;
};

static void one_loaded(void *ctx, struct qmsg **v, size_t n, int64_t next_due_s,
                       const struct err *err)
{
    struct ask_one *o = ctx;
    struct queue *q = o->a.q;

    if (next_due_s < q->next_due_s)
        q->next_due_s = next_due_s;
    if (err != NULL)
        control_error(o->a.req, "fault", "%s", err->text);
    else if (n == 0)
        control_error(o->a.req, "not-found", "no message with this id is in the queue");
    else {
        struct qmsg *m = v[0];

        /* Into memory, so that it is put away again by the usual way. */
        if (queue_find(q, &m->id) == NULL) {
            m->active++; /* not before fn has seen it */
            spool_take(q, m);
            m->active--;
            o->fn(q, o->a.req, m);
            if (queue_find(q, &o->a.id) == m)
                spool_after(q, m);
        } else {
            qmsg_free(&v[0]);
            o->fn(q, o->a.req, queue_find(q, &o->a.id));
        }
    }
    free(o);
}

static void with_message(struct queue *q, struct control_req *req, struct span arg,
                         message_fn fn)
{
    struct ask_one *o;
    struct qmsg *m;
    struct msgid id;

    if (!msgid_parse(arg, &id)) {
        control_error(req, "usage",
                      "an id has 26 letters and digits; see: signpost queue list");
        return;
    }
    m = queue_find(q, &id);
    if (m != NULL && m->env == NULL) {
        control_error(req, "not-found", "this message has been delivered");
        return;
    }
    if (m != NULL) {
        fn(q, req, m);
        return;
    }
    o = mem_new(1, sizeof(*o));
    o->a.q = q;
    o->a.req = req;
    o->a.id = id;
    o->fn = fn;
    qdb_load_one(q->db, &id, one_loaded, o);
}

static void show_message(struct queue *q, struct control_req *req, struct qmsg *m)
{
    show(q, req, m);
}

static void do_show(struct queue *q, struct control_req *req, struct span arg)
{
    with_message(q, req, arg, show_message);
}

/* queue retry, queue remove ------------------------------------------------------------------ */

static void send_count(struct control_req *req, const char *what, int64_t n)
{
    (void)send_row(req, json_pack("{s:s, s:I}", "row", "result", what, (json_int_t)n));
    control_ok(req);
}

static int64_t make_due(struct queue *q, struct qmsg *m)
{
    int64_t n = 0;

    for (size_t i = 0; m->env != NULL && i < m->env->e.n; i++) {
        if (m->rcpts[i].state != RCPT_WAITING)
            continue;
        m->rcpts[i].next_try_s = queue_now(q);
        n++;
    }
    return n;
}

static void retry_message(struct queue *q, struct control_req *req, struct qmsg *m)
{
    int64_t n = make_due(q, m);

    deliver_wake(q, true);
    spool_after(q, m);
    send_count(req, "retried", n);
}

static void retried(void *ctx, int64_t n, const struct err *err)
{
    struct ask *a = ctx;

    if (err != NULL)
        control_error(a->req, "fault", "%s", err->text);
    else {
        a->q->next_due_s = queue_now(a->q);
        spool_load(a->q);
        send_count(a->req, "retried", n + a->n);
    }
    free(a);
}

static void do_retry(struct queue *q, struct control_req *req, struct span arg)
{
    struct list *next;
    struct ask *a;

    if (!span_eq_str(arg, "all")) {
        with_message(q, req, arg, retry_message);
        return;
    }
    a = ask_new(q, req);
    deliver_wake(q, true);
    for (struct list *it = q->all.next; it != &q->all; it = next) {
        struct qmsg *m = LIST_ENTRY(it, struct qmsg, link);

        next = it->next;
        a->n += make_due(q, m);
        spool_after(q, m);
    }
    qdb_make_due(q->db, queue_now(q), retried, a);
}

static void remove_message(struct queue *q, struct control_req *req, struct qmsg *m)
{
    int64_t n = 0;

    m->is_removed = true;
    for (size_t i = 0; i < m->env->e.n; i++) {
        struct qrcpt *r = &m->rcpts[i];

        /* One that is being tried ends with its answer. */
        n += r->state == RCPT_ACTIVE;
        if (r->state != RCPT_WAITING && r->state != RCPT_REPORT)
            continue;
        r->state = RCPT_DONE;
        r->outcome = OUTCOME_REMOVED;
        queue_note_result(q, m, &i, 1);
        queue_event(q, m, i, "removed", span_of(NULL, 0),
                    SPAN_LIT("removed by the administrator"));
        n++;
    }
    send_count(req, "removed", n > 0 ? 1 : 0);
    spool_after(q, m);
}

static void do_remove(struct queue *q, struct control_req *req, struct span arg)
{
    with_message(q, req, arg, remove_message);
}

/* trace -------------------------------------------------------------------------------------- */

static void traced(void *ctx, char *const *rows, size_t n, const struct err *err)
{
    struct ask *a = ctx;

    for (size_t i = 0; i < n; i++) {
        if (control_row(a->req, span_str(rows[i])) == -1)
            break;
    }
    if (err != NULL)
        control_error(a->req, "fault", "%s", err->text);
    else if (n == 0)
        control_error(
            a->req, "not-found",
            "nothing is known of it; give an address, a Message-ID, or the id of a "
            "250 reply");
    else
        control_ok(a->req);
    free(a);
}

static void do_trace(struct queue *q, struct control_req *req, struct span arg)
{
    history_trace(q->history, arg, TRACE_MAX, traced, ask_new(q, req));
}

/* status ------------------------------------------------------------------------------------- */

static void status_counted(void *ctx, struct qmsg **v, size_t n, int64_t next_due_s,
                           const struct err *err)
{
    struct ask *a = ctx;
    struct queue *q = a->q;
    int64_t oldest_s = INT64_MAX, messages = 0, rcpts = 0, active = 0;

    LIST_EACH (it, &q->all) {
        const struct qmsg *m = LIST_ENTRY(it, struct qmsg, link);
        size_t open = m->env == NULL ? 0
                                     : m->env->e.n - qmsg_count(m, RCPT_DONE) -
                                           qmsg_count(m, RCPT_DELIVERED);

        if (open == 0)
            continue;
        messages++;
        active++;
        rcpts += (int64_t)open;
        if (m->env->e.accepted_s < oldest_s)
            oldest_s = m->env->e.accepted_s;
    }
    for (size_t i = 0; i < n; i++) {
        messages++;
        rcpts += (int64_t)(v[i]->env->e.n - qmsg_count(v[i], RCPT_DONE));
        if (v[i]->env->e.accepted_s < oldest_s)
            oldest_s = v[i]->env->e.accepted_s;
    }
    free_messages(v, n);
    (void)send_row(
        a->req,
        json_pack(
            "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}",
            "row", "queue", "messages", (json_int_t)messages, "recipients_waiting",
            (json_int_t)rcpts, "active", (json_int_t)active, "deferred", (json_int_t)n,
            "oldest_s", (json_int_t)(oldest_s == INT64_MAX ? 0 : oldest_s), "next_try_s",
            (json_int_t)(next_due_s == INT64_MAX ? 0 : next_due_s), "accepted",
            (json_int_t)q->count.accepted, "delivered", (json_int_t)q->count.delivered,
            "relayed", (json_int_t)q->count.relayed, "failed",
            (json_int_t)q->count.failed, "bounced", (json_int_t)q->count.bounced,
            "journal_octets", (json_int_t)journal_unreleased(q->journal), "is_disk_full",
            (int)q->is_disk_full));
    if (err != NULL)
        control_error(a->req, "fault", "%s", err->text);
    else
        control_ok(a->req);
    free(a);
}

static void do_status(struct queue *q, struct control_req *req, struct span arg)
{
    (void)arg;
    (void)send_row(req, json_pack("{s:s, s:I, s:I, s:s}", "row", "maild", "pid",
                                  (json_int_t)getpid(), "uptime_s",
                                  (json_int_t)(queue_now(q) - q->started_s), "hostname",
                                  q->hostname));
    for (unsigned r = 0; r < ROLE_COUNT; r++)
        for (unsigned i = 0; i < q->env->count[r]; i++)
            if (role_peer(q->env, (enum role)r, i) != NULL)
                (void)send_row(
                    req, json_pack("{s:s, s:s, s:I, s:b}", "row", "role", "name",
                                   role_name((enum role)r), "instance", (json_int_t)i,
                                   "is_connected",
                                   (int)ipc_is_up(role_peer(q->env, (enum role)r, i))));
    qdb_list(q->db, LIST_MAX, status_counted, ask_new(q, req));
}

/* Requests ------------------------------------------------------------------------------------ */

static const struct {
    const char *words;
    bool has_arg;
    void (*run)(struct queue *q, struct control_req *req, struct span arg);
} requests[] = {
    {"status", false, do_status},      {"queue list", false, do_list},
    {"queue show", true, do_show},     {"queue retry", true, do_retry},
    {"queue remove", true, do_remove}, {"trace", true, do_trace},
};

static void handle(void *ctx, struct control_req *req, struct span line)
{
    struct queue *q = ctx;

    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        struct span words = span_str(requests[i].words), arg;

        if (!span_starts(line, words))
            continue;
        arg = span_drop(line, words.n);
        if (arg.n > 0 && arg.p[0] != ' ')
            continue;
        arg = span_trim(arg);
        if (requests[i].has_arg != (arg.n > 0)) {
            control_error(req, "usage", "%s %s", requests[i].words,
                          requests[i].has_arg ? "wants an argument"
                                              : "takes no argument");
            return;
        }
        requests[i].run(q, req, arg);
        return;
    }
    control_error(req, "usage",
                  "known: status, queue list, queue show ID, queue retry ID|all, queue "
                  "remove ID, trace TEXT");
}

int control_begin(struct queue *q, struct err *err)
{
    int fd = role_given(q->env, "control", 0);

    if (fd == -1)
        return err_set(err, "no control socket was handed over");
    q->control = control_adopt(q->env->loop, fd, handle, q);
    return 0;
}
