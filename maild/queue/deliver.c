/* SPDX-License-Identifier: ISC */
/* maild/queue/deliver.c - from a recipient that is due to an answer for it.
 *
 *     due recipients of a message
 *        local:  one task each ------------------> DELIVER to the mailbox instance of the
 *                                                  account, LOCAL_MAX at a time there
 *        remote: one task a domain, at most TASK_RCPTS recipients
 *                 --> dest (one a domain) --> RELAY to the relay instance of the domain,
 *                                             dest->window.limit at a time to the domain,
 *                                             REMOTE_MAX at a time for each instance
 *
 * Destinations with work and room stand in `ready_dests` and take turns, so one domain with
 * a thousand messages does not hold up another with one.
 *
 * What a role had in hand when it died goes back to where it waited, and all that is meant for
 * that instance waits there until it has returned. To whom a DELIVER was carried out before
 * the death is not written twice (mailbox knows it by id and number); a RELAY may reach
 * the other host twice. A task that saw LOST_MAX deaths may be what they come from: it is
 * put off like one that failed, so that the others get through.
 *
 * Invariants:
 *  1. A recipient in a task is RCPT_ACTIVE and counted in m->active, so its message stays.
 *  2. A task ends exactly once, in task_end().
 *  3. A dest with tasks and room, whose relay is there, is in ready_dests; one without tasks
 *     and sessions is freed.
 *
 * Over 500 lines because tasks, destinations and answers change each other's lists: their
 * invariants are checked by reading one file. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "maild/queue/queue_int.h"

#define LOCAL_MAX    256u
#define REMOTE_MAX   100u
#define TASK_RCPTS   100u
#define DESTS_MAX    100000u
#define DELIVER_MS   60000
#define RELAY_MS     (40 * 60 * 1000) /* RFC 5321 4.5.3.2 adds up to about half an hour */
#define AGAIN_SOON_S 10 /* the role did not answer: its failure, not the mail's */
#define LOST_MAX     3  /* deaths of the role while it had this task */

struct dest {
    struct list ready; /* in ready_dests */
    struct list tasks;
    unsigned active;
    unsigned relay; /* instance */
    struct schedule_window window;
    size_t domain_n;
    uint8_t domain[256];
};

struct task {
    struct list link;
    struct queue *q;
    struct qmsg *m;
    struct dest *dest; /* NULL: local */
    unsigned instance; /* of mailbox or relay */
    unsigned lost;     /* times that it died with this task in hand */
    size_t n;
    size_t *numbers;
    int fd;
    struct err err;
};

void deliver_init(struct queue *q)
{
    for (unsigned i = 0; i < ROLE_INSTANCES_MAX; i++)
        list_init(&q->out.local[i].tasks);
    list_init(&q->out.ready_dests);
    list_init(&q->out.flying);
    q->out.dests = map_new(DESTS_MAX, q->env->rng);
}

static void drop_tasks(struct list *tasks)
{
    while (!list_is_empty(tasks)) {
        struct task *t = LIST_ENTRY(tasks->next, struct task, link);

        list_remove(&t->link);
        free(t->numbers);
        free(t);
    }
}

void deliver_free(struct queue *q)
{
    size_t cursor = 0;
    struct span key;
    void *value;

    if (q->out.dests == NULL)
        return;
    for (unsigned i = 0; i < ROLE_INSTANCES_MAX; i++)
        drop_tasks(&q->out.local[i].tasks);
    drop_tasks(&q->out.flying);
    while (map_next(q->out.dests, &cursor, &key, &value)) {
        drop_tasks(&((struct dest *)value)->tasks);
        free(value);
    }
    map_free(&q->out.dests);
}

/* Destinations ---------------------------------------------------------------------------- */

static struct dest *dest_get(struct queue *q, struct span domain)
{
    struct dest *d;
    uint8_t name[256];
    struct span key;

    domain = span_take(domain, sizeof(name));
    for (size_t i = 0; i < domain.n; i++)
        name[i] = ascii_lower(domain.p[i]);
    key = span_of(name, domain.n);
    d = map_get(q->out.dests, key);
    if (d != NULL)
        return d;
    d = mem_new(1, sizeof(*d));
    list_init(&d->ready);
    list_init(&d->tasks);
    schedule_window_init(&d->window);
    d->relay = role_relay(q->env, key);
    d->domain_n = domain.n;
    for (size_t i = 0; i < domain.n; i++)
        d->domain[i] = name[i];
    if (map_put(q->out.dests, key, d) == -1) {
        free(d);
        return NULL;
    }
    return d;
}

static struct span dest_domain(const struct dest *d)
{
    return span_of(d->domain, d->domain_n);
}

static bool dest_is_ready(const struct queue *q, const struct dest *d)
{
    return !list_is_empty(&d->tasks) && d->active < d->window.limit &&
           ipc_is_up(role_peer(q->env, ROLE_RELAY, d->relay));
}

/* Keep invariant 3. `d` may be gone. */
static void dest_update(struct queue *q, struct dest *d)
{
    list_remove(&d->ready);
    if (dest_is_ready(q, d))
        list_add_tail(&q->out.ready_dests, &d->ready);
    else if (list_is_empty(&d->tasks) && d->active == 0) {
        (void)map_take(q->out.dests, dest_domain(d));
        free(d);
    }
}

void deliver_wake(struct queue *q, bool do_forgive)
{
    size_t cursor = 0;
    struct span key;
    void *value;

    while (map_next(q->out.dests, &cursor, &key, &value)) {
        struct dest *d = value;

        if (do_forgive && d->window.limit < SCHEDULE_WINDOW_FIRST)
            schedule_window_init(&d->window);
        list_remove(&d->ready);
        if (dest_is_ready(q, d))
            list_add_tail(&q->out.ready_dests, &d->ready);
    }
    deliver_dispatch(q);
}

/* Tasks ------------------------------------------------------------------------------------ */

void deliver_peer(struct queue *q)
{
    deliver_wake(q, false);
}

static struct task *task_new(struct queue *q, struct qmsg *m, struct dest *d, size_t max)
{
    struct task *t = mem_new(1, sizeof(*t));

    t->q = q;
    t->m = m;
    t->dest = d;
    t->instance = d != NULL ? d->relay : 0;
    t->fd = -1;
    t->numbers = mem_new(max, sizeof(*t->numbers));
    list_init(&t->link);
    return t;
}

static void task_add(struct task *t, size_t number)
{
    t->numbers[t->n++] = number;
    t->m->rcpts[number].state = RCPT_ACTIVE;
    t->m->active++;
}

/* All recipients of the domain of recipient `first` that are due, in tasks of TASK_RCPTS. */
static void add_remote(struct queue *q, struct qmsg *m, size_t first, int64_t now_s)
{
    struct span domain = address_domain(m->env->e.rcpts[first].address);
    struct dest *d = dest_get(q, domain);
    struct task *t = NULL;

    if (d == NULL) {
        m->rcpts[first].next_try_s = now_s + AGAIN_SOON_S;
        return;
    }
    for (size_t i = first; i < m->env->e.n; i++) {
        const struct envelope_rcpt *r = &m->env->e.rcpts[i];

        if (m->rcpts[i].state != RCPT_WAITING || m->rcpts[i].next_try_s > now_s ||
            r->kind != RCPT_REMOTE || !span_eq_nocase(address_domain(r->address), domain))
            continue;
        if (t == NULL || t->n == TASK_RCPTS) {
            t = task_new(q, m, d, TASK_RCPTS);
            list_add_tail(&d->tasks, &t->link);
        }
        task_add(t, i);
    }
    dest_update(q, d);
}

bool deliver_due(struct queue *q, struct qmsg *m)
{
    int64_t now_s = queue_now(q);

    for (size_t i = 0; i < m->env->e.n; i++) {
        if (m->rcpts[i].state != RCPT_WAITING || m->rcpts[i].next_try_s > now_s)
            continue;
        if (m->env->e.rcpts[i].kind == RCPT_LOCAL) {
            struct task *t = task_new(q, m, NULL, 1);

            task_add(t, i);
            t->instance = role_mailbox(q->env, m->env->e.rcpts[i].account_id);
            list_add_tail(&q->out.local[t->instance].tasks, &t->link);
        } else
            add_remote(q, m, i, now_s);
    }
    return m->active > 0;
}

/* Answers ---------------------------------------------------------------------------------- */

static void log_result(struct queue *q, enum log_event_id id, const struct qmsg *m,
                       size_t i, struct span host, struct span text)
{
    char mid[MSGID_TEXT + 1];

    msgid_print(&m->id, mid);
    log_event(q->log, id, LOGF_S("mid", mid), LOGF_S("rcpt", m->env->e.rcpts[i].address),
              LOGF_B("host", host), LOGF_B("text", text),
              LOGF_N("attempt", m->rcpts[i].attempts));
}

static void delivered(struct queue *q, struct qmsg *m, size_t i, struct span host,
                      struct span text)
{
    struct qrcpt *r = &m->rcpts[i];
    bool is_local = m->env->e.rcpts[i].kind == RCPT_LOCAL;

    r->outcome = OUTCOME_DELIVERED;
    r->state = is_local ? RCPT_DELIVERED : RCPT_DONE;
    r->settle = q->settles;
    if (r->is_redo)
        return; /* told before the restart */
    if (is_local)
        q->count.delivered++;
    else
        q->count.relayed++;
    queue_event(q, m, i, is_local ? "delivered" : "relayed", host, text);
    log_result(q, LOG_QUEUE_DELIVERED, m, i, host, text);
}

static void failed(struct queue *q, struct qmsg *m, size_t i, struct span host,
                   struct span text)
{
    m->rcpts[i].outcome = OUTCOME_FAILED;
    m->rcpts[i].state = RCPT_REPORT;
    m->rcpts[i].next_try_s = 0;
    q->count.failed++;
    queue_event(q, m, i, "failed", host, text);
    log_result(q, LOG_QUEUE_FAILED, m, i, host, text);
}

static void deferred(struct queue *q, struct qmsg *m, size_t i, struct span host,
                     struct span text)
{
    struct qrcpt *r = &m->rcpts[i];
    int64_t now_s = queue_now(q);

    if (schedule_is_expired(&q->schedule, m->env->e.accepted_s, now_s)) {
        r->is_expired = true;
        failed(q, m, i, host, text);
        return;
    }
    r->state = RCPT_WAITING;
    r->next_try_s = schedule_next(&q->schedule, m->env->e.accepted_s, r->attempts, now_s);
    q->count.deferred++;
    queue_event(q, m, i, "deferred", host, text);
    log_result(q, LOG_QUEUE_DEFERRED, m, i, host, text);
}

/* One recipient's answer; `status` as in RELAY_RESULT. */
static void answer(struct queue *q, struct qmsg *m, size_t i, enum relay_status status,
                   struct span host, struct span text)
{
    struct qrcpt *r = &m->rcpts[i];

    r->attempts++;
    qrcpt_answer(r, text, host, queue_now(q));
    if (m->is_removed) {
        r->state = RCPT_DONE;
        r->outcome = status == RELAY_SENT ? OUTCOME_DELIVERED : OUTCOME_REMOVED;
        return;
    }
    switch (status) {
    case RELAY_SENT:
        delivered(q, m, i, host, text);
        return;
    case RELAY_LATER:
        deferred(q, m, i, host, text);
        return;
    case RELAY_FAILED:
        failed(q, m, i, host, text);
        return;
    }
    deferred(q, m, i, host, text);
}

static struct ipc *task_peer(const struct task *t)
{
    return role_peer(t->q->env, t->dest == NULL ? ROLE_MAILBOX : ROLE_RELAY, t->instance);
}

/* It is not with the role any more. */
static void task_leave(struct task *t)
{
    list_remove(&t->link);
    if (t->dest == NULL) {
        t->q->out.local[t->instance].active--;
    } else {
        t->q->out.remote_active--;
        t->dest->active--;
    }
    if (t->fd != -1)
        (void)close(t->fd);
    t->fd = -1;
}

/* The role is not there: back to the front of what waits for it. */
static void task_return(struct task *t)
{
    struct queue *q = t->q;

    task_leave(t);
    if (t->dest == NULL) {
        list_add_head(&q->out.local[t->instance].tasks, &t->link);
        return;
    }
    list_add_head(&t->dest->tasks, &t->link);
    dest_update(q, t->dest);
}

/* Nobody answered: the attempt does not count, but time does. True when the task waits for the
 * role's return; else its recipients have new states. */
static bool no_answer(struct task *t)
{
    bool is_dead = !ipc_is_up(task_peer(t));
    int64_t now_s = queue_now(t->q);

    if (is_dead && !t->m->is_removed && ++t->lost < LOST_MAX) {
        task_return(t);
        return true;
    }
    for (size_t k = 0; k < t->n; k++) {
        struct qrcpt *r = &t->m->rcpts[t->numbers[k]];

        if (t->lost == LOST_MAX) {
            answer(t->q, t->m, t->numbers[k], RELAY_LATER, span_of(NULL, 0),
                   SPAN_LIT("4.3.0 the program ended several times while it had this "
                            "message"));
            continue;
        }
        if (schedule_is_expired(&t->q->schedule, t->m->env->e.accepted_s, now_s)) {
            answer(t->q, t->m, t->numbers[k], RELAY_LATER, span_of(NULL, 0),
                   SPAN_LIT("4.4.7 no part of this program could say what became of it"));
            continue;
        }
        r->state = t->m->is_removed ? RCPT_DONE : RCPT_WAITING;
        r->next_try_s = now_s + AGAIN_SOON_S;
    }
    return false;
}

/* The task is over, its recipients have their new states. */
static void task_end(struct task *t)
{
    struct queue *q = t->q;
    struct qmsg *m = t->m;
    struct dest *d = t->dest;

    task_leave(t);
    m->active -= (unsigned)t->n;
    queue_note_result(q, m, t->numbers, t->n);
    if (d != NULL)
        dest_update(q, d);
    free(t->numbers);
    free(t);
    spool_after(q, m);
    deliver_dispatch(q);
}

/* What no message between roles can hold is no address: its peer would take us for broken. */
static void cannot_pass_on(struct task *t)
{
    for (size_t k = 0; k < t->n; k++)
        answer(t->q, t->m, t->numbers[k], RELAY_FAILED, span_of(NULL, 0),
               SPAN_LIT("5.1.3 this is not an address that mail can be sent to"));
    task_end(t);
}

/* Mailbox ---------------------------------------------------------------------------------- */

static void deliver_answer(void *ctx, const struct ipc_in *in)
{
    struct task *t = ctx;
    struct m_deliver_result r;

    if (in == NULL || !m_deliver_result_decode(in->payload, &r)) {
        if (no_answer(t))
            return;
    } else
        answer(t->q, t->m, t->numbers[0],
               r.status == ANSWER_YES  ? RELAY_SENT
               : r.status == ANSWER_NO ? RELAY_FAILED
                                       : RELAY_LATER,
               span_of(NULL, 0), r.text);
    task_end(t);
}

static void send_deliver(struct task *t)
{
    const struct envelope *e = &t->m->env->e;
    const struct envelope_rcpt *r = &e->rcpts[t->numbers[0]];
    char path[BLOB_PATH_MAX];
    struct m_deliver msg = {
        .id = t->m->id,
        .number = (uint32_t)t->numbers[0],
        .account_id = r->account_id,
        .rcpt = span_str(r->original),
        .sender = span_str(e->sender),
        .blob_head = t->m->offset,
        .size = t->m->size,
        .accepted_s = (uint64_t)e->accepted_s,
    };
    struct buf payload;
    struct wr w;

    blob_path(&t->m->id, path);
    msg.path = span_str(path);
    buf_init(&payload, 4096);
    wr_init(&w, &payload);
    m_deliver_encode(&msg, &w);
    if (w.is_bad) {
        buf_free(&payload);
        cannot_pass_on(t);
        return;
    }
    (void)ipc_call(task_peer(t), IPC_DELIVER, buf_all(&payload), -1, DELIVER_MS,
                   deliver_answer, t);
    buf_free(&payload);
}

/* Relay ------------------------------------------------------------------------------------ */

static void relay_results(struct task *t, const struct m_relay_result *r)
{
    struct relay_outcome o;
    struct rd rd;
    bool is_any_later = false;

    rd_init(&rd, r->results);
    for (size_t k = 0; k < t->n; k++) {
        if (!relay_outcome_next(&rd, &o)) {
            o.status = RELAY_LATER;
            o.reply =
                SPAN_LIT("4.3.0 the relay did not say what became of this recipient");
        }
        is_any_later |= o.status == RELAY_LATER;
        answer(t->q, t->m, t->numbers[k], o.status, r->host, o.reply);
    }
    /* No peer reached: it is the destination, not the message. */
    if (is_any_later && r->host.n == 0)
        schedule_window_bad(&t->dest->window);
    else
        schedule_window_good(&t->dest->window);
}

static void relay_answer(void *ctx, const struct ipc_in *in)
{
    struct task *t = ctx;
    struct m_relay_result r;

    if (in == NULL || !m_relay_result_decode(in->payload, &r)) {
        if (no_answer(t))
            return;
    } else
        relay_results(t, &r);
    task_end(t);
}

static void call_relay(struct task *t)
{
    struct envelope part = t->m->env->e;
    struct envelope_rcpt rcpts[TASK_RCPTS];
    struct m_relay msg = {.id = t->m->id,
                          .domain = dest_domain(t->dest),
                          .offset = t->m->offset,
                          .size = t->m->size};
    struct buf envelope, payload;
    struct wr w;

    for (size_t k = 0; k < t->n; k++)
        rcpts[k] = part.rcpts[t->numbers[k]];
    part.rcpts = rcpts;
    part.n = t->n;
    buf_init(&envelope, ENVELOPE_OCTETS_MAX);
    wr_init(&w, &envelope);
    envelope_encode(&part, &w);
    msg.envelope = buf_all(&envelope);
    buf_init(&payload, IPC_FRAME_MAX);
    wr_init(&w, &payload);
    m_relay_encode(&msg, &w);
    if (w.is_bad) {
        buf_free(&payload);
        buf_free(&envelope);
        cannot_pass_on(t);
        return;
    }
    (void)ipc_call(task_peer(t), IPC_RELAY, buf_all(&payload), t->fd, RELAY_MS,
                   relay_answer, t);
    buf_free(&payload);
    buf_free(&envelope);
    (void)close(t->fd); /* the kernel has sent a copy */
    t->fd = -1;
}

static void open_work(void *ctx)
{
    struct task *t = ctx;

    t->fd = blob_open(t->q->blobs, &t->m->id, &t->err);
}

static void open_done(void *ctx)
{
    struct task *t = ctx;

    if (!ipc_is_up(task_peer(t))) {
        task_return(t);
        return;
    }
    if (t->fd != -1) {
        call_relay(t);
        return;
    }
    log_event(t->q->log, LOG_BLOB_FAILED, LOGF_S("error", t->err.text));
    if (t->err.sys == ENOENT) {
        for (size_t k = 0; k < t->n; k++)
            answer(t->q, t->m, t->numbers[k], RELAY_FAILED, span_of(NULL, 0),
                   SPAN_LIT("5.3.0 the message file is missing here"));
    } else if (no_answer(t))
        return;
    task_end(t);
}

/* Dispatch --------------------------------------------------------------------------------- */

static void start_relay(struct queue *q, struct dest *d)
{
    struct task *t = LIST_ENTRY(d->tasks.next, struct task, link);

    list_remove(&t->link);
    list_add_tail(&q->out.flying, &t->link);
    d->active++;
    q->out.remote_active++;
    dest_update(q, d);
    if (pool_run(q->blob_pool, open_work, open_done, t) == -1) {
        /* The pool is full: not in this turn. The task goes back to the front. */
        task_leave(t);
        list_add_head(&d->tasks, &t->link);
        list_remove(&d->ready);
    }
}

static void dispatch_local(struct queue *q, unsigned instance)
{
    struct list *tasks = &q->out.local[instance].tasks;
    const struct ipc *mailbox = role_peer(q->env, ROLE_MAILBOX, instance);

    while (ipc_is_up(mailbox) && q->out.local[instance].active < LOCAL_MAX &&
           !list_is_empty(tasks)) {
        struct task *t = LIST_ENTRY(tasks->next, struct task, link);

        list_remove(&t->link);
        list_add_tail(&q->out.flying, &t->link);
        q->out.local[instance].active++;
        send_deliver(t);
    }
}

void deliver_dispatch(struct queue *q)
{
    struct deliveries *o = &q->out;

    if (q->is_stopping)
        return;
    for (unsigned i = 0; i < q->env->count[ROLE_MAILBOX]; i++)
        dispatch_local(q, i);
    while (o->remote_active < REMOTE_MAX * q->env->count[ROLE_RELAY] &&
           !list_is_empty(&o->ready_dests))
        start_relay(q, LIST_ENTRY(o->ready_dests.next, struct dest, ready));
}
