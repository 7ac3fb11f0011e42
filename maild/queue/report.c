/* SPDX-License-Identifier: ISC */
/* maild/queue/report.c - telling a sender who did not get the message.
 *
 *     recipients in RCPT_REPORT --> header read from the blob --> ROUTE: where does the
 *     sender's mail go? --> dsn_write --> accept_own (signed, journal) --> RCPT_DONE
 *
 * The journal record of the report names the recipients it reports on, so a crash leaves
 * either the failure to be reported or the report, never both and never none.
 *
 * No loops: a message with the null reverse-path is never reported on, and reports have it
 * (RFC 5321 4.5.5). A sender that does not exist here gets nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "maild/queue/dsn.h"
#include "maild/queue/jrec.h"
#include "maild/queue/queue_int.h"

#define HEADER_OCTETS (64u * 1024u)
#define REPORT_MAX    (200u * 1024u) /* small enough for one journal record */
#define RCPTS_MAX     100u           /* in one report */
#define ROUTE_MS      10000
#define AGAIN_S       60

struct report {
    struct list link;
    struct queue *q;
    struct qmsg *m;
    size_t numbers[RCPTS_MAX];
    size_t n;
    struct msgid id;
    struct buf header; /* of the message; filled by the job */
    struct err err;
};

static void end(struct report *r)
{
    struct queue *q = r->q;
    struct qmsg *m = r->m;

    m->is_reporting = false;
    list_remove(&r->link);
    buf_free(&r->header);
    free(r);
    spool_after(q, m);
}

void report_free(struct queue *q)
{
    while (!list_is_empty(&q->reports)) {
        struct report *r = LIST_ENTRY(q->reports.next, struct report, link);

        list_remove(&r->link);
        buf_free(&r->header);
        free(r);
    }
}

/* Not now: the recipients stay in RCPT_REPORT. */
static void again(struct report *r, const char *why)
{
    char id[MSGID_TEXT + 1];

    msgid_print(&r->m->id, id);
    log_event(r->q->log, LOG_QUEUE_FAULT, LOGF_S("mid", id), LOGF_S("error", why));
    for (size_t i = 0; i < r->n; i++)
        r->m->rcpts[r->numbers[i]].next_try_s = queue_now(r->q) + AGAIN_S;
    end(r);
}

/* Reported, or never to be. */
static void settle(struct report *r, const char *event, const char *text)
{
    for (size_t i = 0; i < r->n; i++) {
        r->m->rcpts[r->numbers[i]].state = RCPT_DONE;
        if (event != NULL)
            queue_event(r->q, r->m, r->numbers[i], event, span_of(NULL, 0),
                        span_str(text));
    }
    queue_note_result(r->q, r->m, r->numbers, r->n);
    end(r);
}

static void accepted(void *ctx, bool is_accepted)
{
    struct report *r = ctx;
    char id[MSGID_TEXT + 1], mid[MSGID_TEXT + 1], text[128];

    if (!is_accepted) {
        again(r, "the report to the sender could not be stored");
        return;
    }
    msgid_print(&r->id, id);
    msgid_print(&r->m->id, mid);
    (void)snprintf(text, sizeof(text), "reported to the sender as %s", id);
    r->q->count.bounced++;
    log_event(r->q->log, LOG_QUEUE_BOUNCED, LOGF_S("mid", mid), LOGF_S("report", id),
              LOGF_S("to", r->m->env->e.sender), LOGF_N("recipients", r->n));
    settle(r, "bounced", text);
}

/* A domain of ours that can sign: the failed local recipient's, else the sender's own when he
 * is ours, else this host. */
static const char *from_domain(const struct report *r, bool is_sender_ours)
{
    const struct envelope *e = &r->m->env->e;

    for (size_t i = 0; i < r->n; i++) {
        if (e->rcpts[r->numbers[i]].kind == RCPT_LOCAL)
            return (const char *)address_domain(e->rcpts[r->numbers[i]].address).p;
    }
    if (is_sender_ours)
        return (const char *)address_domain(e->sender).p;
    return r->q->hostname;
}

static int write_report(struct report *r, bool is_sender_ours, struct buf *message,
                        struct buf *reported)
{
    const struct envelope *e = &r->m->env->e;
    struct dsn_rcpt rcpts[RCPTS_MAX];
    const struct dsn d = {.id = r->id,
                          .now_s = queue_now(r->q),
                          .hostname = r->q->hostname,
                          .from_domain = from_domain(r, is_sender_ours),
                          .sender = e->sender,
                          .accepted_s = e->accepted_s,
                          .lifetime_s = r->q->schedule.lifetime_s,
                          .rcpts = rcpts,
                          .n = r->n,
                          .header = buf_all(&r->header)};
    int bad = jrec_reported_begin(reported, &r->m->id);

    for (size_t i = 0; i < r->n; i++) {
        const struct qrcpt *q = &r->m->rcpts[r->numbers[i]];

        rcpts[i] = (struct dsn_rcpt){
            .address = e->rcpts[r->numbers[i]].address,
            .original = e->rcpts[r->numbers[i]].original,
            .host = q->host != NULL ? q->host : "",
            .reason = q->reason != NULL ? q->reason : "unknown",
            .is_expired = q->is_expired,
            .last_s = q->last_s,
        };
        bad |= jrec_reported_add(reported, (uint32_t)r->numbers[i]);
    }
    return bad | dsn_write(&d, message);
}

/* Recipients from ROUTE_RESULT.targets, in the arena. */
static size_t read_targets(struct span targets, struct arena *a, const char *sender,
                           struct envelope_rcpt *rcpts, size_t max)
{
    struct rcpt_target t;
    struct rd rd;
    size_t n = 0;

    rd_init(&rd, targets);
    while (n < max && rcpt_target_next(&rd, &t)) {
        const char *address = arena_strdup(a, t.address);

        if (address == NULL)
            break;
        rcpts[n++] = (struct envelope_rcpt){.kind = t.kind,
                                            .account_id = t.account_id,
                                            .address = address,
                                            .original = sender};
    }
    return n;
}

static void send_report(struct report *r, const struct m_route_result *route)
{
    struct envelope_rcpt rcpts[RCPTS_MAX];
    struct arena *a = arena_new(256u * 1024u);
    struct buf message, reported;
    struct envelope e = {.id = r->id,
                         .via = VIA_BOUNCE,
                         .accepted_s = queue_now(r->q),
                         .sender = "",
                         .peer = "",
                         .helo = "",
                         .is_8bit = true,
                         .rcpts = rcpts};
    bool is_ours = route->status == RCPT_OK_LOCAL;

    buf_init(&message, REPORT_MAX);
    buf_init(&reported, 8192);
    e.n = read_targets(route->targets, a, r->m->env->e.sender, rcpts, RCPTS_MAX);
    if (e.n == 0)
        settle(r, "failed", "the sender has no mailbox to send a report to");
    else if (write_report(r, is_ours, &message, &reported) != 0)
        settle(r, "failed", "a report would be too long");
    else
        accept_own(r->q, &e, buf_all(&message), buf_all(&reported), accepted, r);
    buf_free(&message);
    buf_free(&reported);
    arena_free(&a);
}

static void routed(void *ctx, const struct ipc_in *in)
{
    struct report *r = ctx;
    struct m_route_result route;

    if (in == NULL || !m_route_result_decode(in->payload, &route)) {
        again(r, "where the sender's mail goes could not be found out");
        return;
    }
    switch ((enum rcpt_status)route.status) {
    case RCPT_OK_LOCAL:
    case RCPT_OK_REMOTE:
        send_report(r, &route);
        return;
    case RCPT_FULL:
    case RCPT_TRY_LATER:
        again(r, "where the sender's mail goes could not be found out");
        return;
    case RCPT_UNKNOWN:
    case RCPT_RELAY_DENIED:
    case RCPT_DISABLED:
    case RCPT_TOO_MANY:
    case RCPT_BAD_ADDRESS:
        break;
    }
    settle(r, "failed", "the sender has no mailbox to send a report to");
}

static void header_work(void *ctx)
{
    struct report *r = ctx;
    int fd = blob_open(r->q->blobs, &r->m->id, &r->err);
    size_t want = r->m->size < HEADER_OCTETS ? (size_t)r->m->size : HEADER_OCTETS;
    ssize_t n = -1;

    /* Without the file the report goes out without the header. */
    if (fd != -1 && buf_reserve(&r->header, want) == 0)
        n = pread(fd, r->header.data, want, (off_t)r->m->offset);
    if (n > 0)
        r->header.len = (size_t)n;
    if (fd != -1)
        (void)close(fd);
}

static void header_done(void *ctx)
{
    struct report *r = ctx;
    const struct m_route msg = {.address = span_str(r->m->env->e.sender)};
    struct buf payload;
    struct wr w;

    buf_init(&payload, 1024);
    wr_init(&w, &payload);
    m_route_encode(&msg, &w);
    if (w.is_bad) { /* no address that anybody could have */
        buf_free(&payload);
        settle(r, "failed", "the sender has no mailbox to send a report to");
        return;
    }
    (void)ipc_call(role_peer(r->q->env, ROLE_DIRECTORY, 0), IPC_ROUTE, buf_all(&payload),
                   -1, ROUTE_MS, routed, r);
    buf_free(&payload);
}

/* The states of those nobody is to be told about. */
static void give_up_silently(struct queue *q, struct qmsg *m)
{
    for (size_t i = 0; i < m->env->e.n; i++) {
        if (m->rcpts[i].state != RCPT_REPORT)
            continue;
        m->rcpts[i].state = RCPT_DONE;
        queue_note_result(q, m, &i, 1);
    }
}

bool report_begin(struct queue *q, struct qmsg *m)
{
    int64_t now_s = queue_now(q);
    struct report *r;

    if (m->env->e.sender[0] == '\0' || m->is_removed) {
        give_up_silently(q, m);
        return false;
    }
    r = mem_new(1, sizeof(*r));
    list_init(&r->link);
    r->q = q;
    r->m = m;
    for (size_t i = 0; i < m->env->e.n && r->n < RCPTS_MAX; i++) {
        if (m->rcpts[i].state == RCPT_REPORT && m->rcpts[i].next_try_s <= now_s)
            r->numbers[r->n++] = i;
    }
    buf_init(&r->header, HEADER_OCTETS);
    if (r->n == 0 || q->is_stopping ||
        pool_run(q->work_pool, header_work, header_done, r) == -1) {
        for (size_t i = 0; i < r->n; i++)
            m->rcpts[r->numbers[i]].next_try_s = now_s + AGAIN_S;
        free(r);
        return false;
    }
    msgid_new(&r->id, q->env->rng, clock_wall_us(q->env->clock));
    list_add_tail(&q->reports, &r->link);
    m->is_reporting = true;
    return true;
}
