/* SPDX-License-Identifier: ISC */
/* maild/edge/smtp_driver.c - runs the SMTP machine (maild/smtp) on a connection.
 *
 *     conn --octets--> machine --step--> carry_out: send, keep the body, ask, close
 *                         ^                              |
 *                         +--- answers of the roles -----+
 *
 * drive() carries out steps until one has to wait: for input, for another role, for the
 * disk, or for good. While something other than input is waited for, the connection is
 * paused, so what a client sends ahead stays in the kernel.
 *
 * Invariants
 *  1. At most one question is under way (d->call); the machine takes no input meanwhile.
 *  2. After a step that closes, `d` is gone: carry_out() then returns NULL and nobody on the
 *     way back touches it.
 *  3. A message is given to queue only when every octet of it is in memory or written, and
 *     its client's name is known or known not to be found out. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/core/mem.h"
#include "base/io/conn.h"
#include "maild/edge/body.h"
#include "maild/edge/edge_int.h"
#include "maild/edge/rdns.h"
#include "maild/edge/received.h"
#include "maild/ipc_msgs.h"
#include "maild/smtp/facts.h"
#include "maild/smtp/session.h"

#define ASK_MS    30000  /* for the directory's answer */
#define ACCEPT_MS 300000 /* for queue's: it may have to wait for a disk */
#define FINISH_MS 5000   /* to send the last words */

static const struct conn_limits conn_limits = {
    .in_max = 128u * 1024u, .out_max = 64u * 1024u, .out_high = 16u * 1024u};

struct driver {
    struct edge_session base;
    enum conf_service service;
    struct conn *conn;
    struct smtp_session s;
    struct loop_timer *timer;
    struct ipc_call *call;
    struct loop_timer
        *unasked; /* a question that could not be sent is answered from here */
    ipc_answer_fn unasked_cb;
    struct rdns *rdns;
    struct body *body; /* of the message being received, else NULL */
    struct msgid id;   /* its name */
    bool is_complete;  /* its last octet is there; queue has not been asked yet */
};

static void drive(struct driver *d, const struct smtp_step *step);
static void offer(struct driver *d);

static int64_t now(const struct driver *d)
{
    return clock_mono_ms(d->base.edge->env->clock);
}

/* Beginning and end --------------------------------------------------------------------- */

void smtp_driver_start(struct edge *e)
{
    const struct conf *c = e->env->conf;

    e->policies = mem_new(CONF_SERVICE_COUNT, sizeof(*e->policies));
    for (int i = 0; i < CONF_SERVICE_COUNT; i++)
        e->policies[i] = (struct smtp_policy){
            .hostname = conf_text(c, "hostname"),
            .is_submission = i == CONF_SUBMISSION || i == CONF_SUBMISSIONS,
            .has_tls = e->tls != NULL,
            .allow_cleartext_auth = e->allow_cleartext,
            .size_max = (uint64_t)conf_int(c, "message_size_max"),
            .recipients_max = (size_t)conf_int(c, "recipients_max"),
            .hops_max = (size_t)conf_int(c, "hops_max"),
            .errors_max = (size_t)conf_int(c, "session_errors_max"),
            .auth_failures_max = 3,
            .commands_max = (size_t)conf_int(c, "recipients_max") + 200,
            .messages_max = (size_t)conf_int(c, "session_messages_max"),
            .idle_ms = conf_int(c, "session_idle") * 1000,
            .total_ms = conf_int(c, "session_time_max") * 1000,
        };
}

void smtp_driver_reload(struct edge *e)
{
    for (int i = 0; i < CONF_SERVICE_COUNT; i++)
        e->policies[i].has_tls = e->tls != NULL;
}

void smtp_driver_stop(struct edge *e)
{
    free(e->policies);
    e->policies = NULL;
}

/* Everything but the connection. */
static void driver_free(struct driver *d)
{
    ipc_cancel(&d->call);
    rdns_free(&d->rdns);
    body_free(&d->body);
    loop_timer_free(&d->timer);
    loop_timer_free(&d->unasked);
    smtp_session_free(&d->s);
    edge_session_end(&d->base);
    free(d);
}

static void on_kill(struct edge_session *s)
{
    struct driver *d = (struct driver *)s;

    conn_free(&d->conn);
    driver_free(d);
}

static void on_stop(struct edge_session *s)
{
    struct driver *d = (struct driver *)s;

    drive(d, smtp_session_stop(&d->s));
}

/* Facts and verdicts -------------------------------------------------------------------- */

static void print_facts(struct driver *d, struct buf *out)
{
    char peer[IPADDR_TEXT];
    const struct smtp_peer_facts p = {
        .service = conf_service_name(d->service),
        .peer = peer,
        .rdns = rdns_name(d->rdns),
        .rdns_state = rdns_state(d->rdns),
        .tls = conn_tls_summary(d->conn),
    };

    ipaddr_print(&d->base.peer, peer);
    buf_reset(out);
    if (facts_print(&d->s, &p, out) == 0)
        return;
    buf_reset(out); /* cannot be: the parts are bounded below FACTS_MAX */
    if (buf_str(out, "{}") == -1)
        buf_reset(out);
}

static void send_verdict(struct driver *d, const char *outcome, const char *sender,
                         const char *rcpt, const char *reply)
{
    struct ipc *queue = d->base.edge->env->peer[ROLE_QUEUE];
    struct m_verdict m = {.sender = span_str(sender),
                          .rcpt = span_str(rcpt),
                          .outcome = span_str(outcome),
                          .reply = span_str(reply)};
    char peer[IPADDR_TEXT];
    struct buf facts, out;
    struct wr w;

    ipaddr_print(&d->base.peer, peer);
    log_event(d->base.edge->env->log, LOG_SMTP_REFUSED, LOGF_S("peer", peer),
              LOGF_S("from", sender), LOGF_S("to", rcpt), LOGF_S("outcome", outcome),
              LOGF_S("reply", reply));
    buf_init(&facts, FACTS_MAX);
    buf_init(&out, FACTS_MAX + 4096);
    print_facts(d, &facts);
    /* A refused recipient is an entry of its own: the message may still be taken. */
    if (d->body != NULL)
        m.id = d->id;
    else
        msgid_new(&m.id, d->base.edge->env->rng);
    m.peer = span_str(peer);
    m.facts = buf_all(&facts);
    wr_init(&w, &out);
    m_verdict_encode(&m, &w);
    /* History is worth a try, not a wait: a full channel is logged by base/io/ipc. */
    if (queue != NULL && !w.is_bad &&
        ipc_send(queue, IPC_VERDICT, buf_all(&out), -1) == -1)
        log_event(d->base.edge->env->log, LOG_IPC_FULL, LOGF_S("what", "verdict"));
    buf_free(&out);
    buf_free(&facts);
}

/* Questions ----------------------------------------------------------------------------- */

static void on_unasked(void *ctx)
{
    struct driver *d = ctx;

    d->unasked_cb(d, NULL);
}

/* Send what `w` wrote into `out`. When it cannot even be asked, `cb` comes without an answer,
 * and as ever later, from the loop. */
static void ask(struct driver *d, enum role whom, uint16_t type, struct buf *out,
                const struct wr *w, int fd, int64_t ms, ipc_answer_fn cb)
{
    struct ipc *ch = d->base.edge->env->peer[whom];

    assert(d->call == NULL);
    if (ch != NULL && !w->is_bad) {
        d->call = ipc_call(ch, type, buf_all(out), fd, ms, cb, d);
        return;
    }
    d->unasked_cb = cb;
    loop_timer_set(d->unasked, 0);
}

static enum smtp_answer answer_of(uint8_t status)
{
    return status == ANSWER_YES ? SMTP_YES : status == ANSWER_NO ? SMTP_NO : SMTP_LATER;
}

static enum smtp_rcpt_verdict rcpt_verdict(uint8_t status)
{
    switch ((enum rcpt_status)status) {
    case RCPT_OK_LOCAL:
    case RCPT_OK_REMOTE:
        return SMTP_RCPT_YES;
    case RCPT_UNKNOWN:
        return SMTP_RCPT_UNKNOWN;
    case RCPT_RELAY_DENIED:
        return SMTP_RCPT_NOT_OURS;
    case RCPT_FULL:
        return SMTP_RCPT_QUOTA;
    case RCPT_DISABLED:
        return SMTP_RCPT_DISABLED;
    case RCPT_TOO_MANY:
        return SMTP_RCPT_TOO_MANY;
    case RCPT_BAD_ADDRESS:
        return SMTP_RCPT_BAD;
    case RCPT_TRY_LATER:
        break;
    }
    return SMTP_RCPT_LATER;
}

/* Read the targets into `a`; false when they are malformed. */
static bool read_targets(struct span octets, struct arena *a, struct envelope_rcpt **v,
                         size_t *n)
{
    struct rcpt_target t;
    struct rd r;

    *n = 0;
    *v = arena_alloc(a, ENVELOPE_RCPTS_MAX * sizeof(**v));
    if (*v == NULL)
        return false;
    rd_init(&r, octets);
    while (*n < ENVELOPE_RCPTS_MAX && rcpt_target_next(&r, &t)) {
        struct envelope_rcpt *e = &(*v)[(*n)++];

        e->kind = (enum rcpt_kind)t.kind;
        e->account_id = t.account_id;
        e->address = arena_strdup(a, t.address);
        if (e->address == NULL)
            return false;
    }
    return rd_done(&r);
}

static void on_rcpt(void *ctx, const struct ipc_in *in)
{
    struct driver *d = ctx;
    enum smtp_rcpt_verdict v = SMTP_RCPT_LATER;
    struct arena *a = arena_new(256u * 1024u);
    struct envelope_rcpt *targets = NULL;
    const struct smtp_step *step;
    struct m_rcpt_result m;
    size_t n = 0;

    d->call = NULL;
    if (in != NULL && m_rcpt_result_decode(in->payload, &m)) {
        v = rcpt_verdict(m.status);
        if (v == SMTP_RCPT_YES && !read_targets(m.targets, a, &targets, &n))
            v = SMTP_RCPT_LATER;
    }
    step = smtp_session_rcpt(&d->s, v, targets, n, now(d));
    arena_free(&a);
    drive(d, step);
}

static void ask_rcpt(struct driver *d)
{
    const struct m_rcpt m = {.address = span_str(d->s.ask),
                             .login_account = d->s.account};
    struct buf out;
    struct wr w;

    buf_init(&out, 1024);
    wr_init(&w, &out);
    m_rcpt_encode(&m, &w);
    ask(d, ROLE_DIRECTORY, IPC_RCPT, &out, &w, -1, ASK_MS, on_rcpt);
    buf_free(&out);
}

static void on_sender(void *ctx, const struct ipc_in *in)
{
    struct driver *d = ctx;
    enum smtp_answer a = SMTP_LATER;
    struct m_sender_result m;

    d->call = NULL;
    if (in != NULL && m_sender_result_decode(in->payload, &m))
        a = answer_of(m.status);
    drive(d, smtp_session_sender(&d->s, a, now(d)));
}

static void ask_sender(struct driver *d)
{
    const struct m_sender m = {.login_account = d->s.account,
                               .address = span_str(d->s.ask)};
    struct buf out;
    struct wr w;

    buf_init(&out, 1024);
    wr_init(&w, &out);
    m_sender_encode(&m, &w);
    ask(d, ROLE_DIRECTORY, IPC_SENDER, &out, &w, -1, ASK_MS, on_sender);
    buf_free(&out);
}

static void on_auth(void *ctx, const struct ipc_in *in)
{
    struct driver *d = ctx;
    enum smtp_answer a = SMTP_LATER;
    char login[SASL_LOGIN_MAX + 1] = "";
    struct m_auth_result m = {.account_id = 0};

    d->call = NULL;
    if (in != NULL && m_auth_result_decode(in->payload, &m)) {
        a = answer_of(m.status);
        if (a == SMTP_YES &&
            (m.account_id == 0 || !span_copy(m.login, login, sizeof(login))))
            a = SMTP_LATER;
    }
    drive(d, smtp_session_auth(&d->s, a, m.account_id, login, now(d)));
}

static void ask_auth(struct driver *d)
{
    char peer[IPADDR_TEXT];
    const struct m_auth m = {.service = AUTH_SUBMISSION,
                             .login = span_str(d->s.sasl.login),
                             .password = span_str(d->s.sasl.password),
                             .peer = span_str(peer)};
    struct buf out;
    struct wr w;

    ipaddr_print(&d->base.peer, peer);
    buf_init(&out, 2048);
    if (buf_reserve(&out, 2048) == -1) /* once: no copy of the password is left behind */
        assert(!"below the ceiling");
    wr_init(&w, &out);
    m_auth_encode(&m, &w);
    ask(d, ROLE_DIRECTORY, IPC_AUTH, &out, &w, -1, ASK_MS, on_auth);
    OPENSSL_cleanse(out.data, out.cap);
    buf_free(&out);
}

/* The message --------------------------------------------------------------------------- */

static void on_body_ready(void *ctx)
{
    struct driver *d = ctx;

    if (d->is_complete)
        offer(d);
    else
        drive(d, smtp_session_step(&d->s, conn_input(d->conn), now(d)));
}

static void keep_body(struct driver *d, struct span octets)
{
    if (d->body == NULL) {
        msgid_new(&d->id, d->base.edge->env->rng);
        d->body = body_new(d->base.edge, &d->id, on_body_ready, d);
    }
    body_append(d->body, octets);
}

static void on_rdns(void *ctx)
{
    struct driver *d = ctx;

    if (d->is_complete)
        offer(d);
}

static void on_accepted(void *ctx, const struct ipc_in *in)
{
    struct driver *d = ctx;
    const char *text = "4.3.0 The queue does not answer, try again later";
    const struct smtp_step *step;
    struct m_accept_result m;
    unsigned code = 451;
    char copy[513];

    d->call = NULL;
    if (in != NULL && m_accept_result_decode(in->payload, &m) && m.code >= 200 &&
        m.code < 600 && span_copy(m.text, copy, sizeof(copy))) {
        code = m.code;
        text = copy;
    }
    if (body_fault(d->body) != NULL)
        text = body_fault(d->body);
    step = smtp_session_accepted(&d->s, code, text, now(d));
    if (step->act != SMTP_ACT_DROP)
        body_free(&d->body);
    drive(d, step);
}

static void print_trace(struct driver *d, struct buf *out)
{
    const struct clock *clock = d->base.edge->env->clock;
    char id[MSGID_TEXT + 1];
    const struct received r = {
        .helo = d->s.helo,
        .ip = &d->base.peer,
        .rdns = rdns_name(d->rdns),
        .by = d->s.policy->hostname,
        .with = smtp_session_protocol(&d->s),
        .tls = conn_tls_summary(d->conn),
        .id = id,
        .rcpt = d->s.given == 1 ? d->s.rcpts[0].original : NULL,
        .now_s = clock_wall_s(clock),
    };

    msgid_print(&d->id, id);
    if (received_print(&r, out) == -1)
        buf_reset(out); /* cannot be: every part is bounded */
}

static void print_envelope(struct driver *d, struct buf *out)
{
    char peer[IPADDR_TEXT];
    const struct envelope e = {
        .id = d->id,
        .via = d->s.policy->is_submission ? VIA_SUBMISSION : VIA_SMTP,
        .accepted_s = clock_wall_s(d->base.edge->env->clock),
        .sender = d->s.sender,
        .peer = peer,
        .helo = d->s.helo,
        .login_account = d->s.account,
        .is_8bit = smtp_session_is_8bit(&d->s),
        .n = d->s.n_rcpts,
        .rcpts = d->s.rcpts,
    };
    struct wr w;

    ipaddr_print(&d->base.peer, peer);
    wr_init(&w, out);
    envelope_encode(&e, &w);
    assert(!w.is_bad); /* the machine counts the octets of recipients */
}

/* Give the message to queue, as soon as all of it is there. */
static void offer(struct driver *d)
{
    struct buf envelope, trace, facts, out;
    struct m_accept m;
    struct wr w;

    if (body_is_busy(d->body) || !rdns_is_done(d->rdns))
        return; /* whichever is last comes here again */
    d->is_complete = false;
    if (body_fault(d->body) != NULL) {
        on_accepted(d, NULL);
        return;
    }
    buf_init(&envelope, ENVELOPE_OCTETS_MAX);
    buf_init(&trace, 4096);
    buf_init(&facts, FACTS_MAX);
    buf_init(&out, IPC_FRAME_MAX);
    print_envelope(d, &envelope);
    print_trace(d, &trace);
    print_facts(d, &facts);
    m = (struct m_accept){.envelope = buf_all(&envelope),
                          .trace = buf_all(&trace),
                          .facts = buf_all(&facts),
                          .body = body_memory(d->body),
                          .body_size = body_size(d->body)};
    wr_init(&w, &out);
    m_accept_encode(&m, &w);
    ask(d, ROLE_QUEUE, IPC_ACCEPT, &out, &w, body_fd(d->body), ACCEPT_MS, on_accepted);
    buf_free(&out);
    buf_free(&facts);
    buf_free(&trace);
    buf_free(&envelope);
}

/* Steps --------------------------------------------------------------------------------- */

static void log_closed(struct driver *d)
{
    struct span out = smtp_session_output(&d->s);
    char peer[IPADDR_TEXT];

    if (span_starts(out, SPAN_LIT("221")) || out.n < 2)
        return;
    ipaddr_print(&d->base.peer, peer);
    log_event(d->base.edge->env->log, LOG_SMTP_CLOSED, LOGF_S("peer", peer),
              LOGF_B("reply", span_take(out, out.n - 2)));
}

static void rearm(struct driver *d)
{
    int64_t deadline = smtp_session_deadline(&d->s), left = deadline - now(d);

    if (deadline == INT64_MAX)
        loop_timer_cancel(d->timer);
    else
        loop_timer_set(d->timer, left > 0 ? left : 0);
}

static void close_now(struct driver *d)
{
    conn_finish(&d->conn, FINISH_MS);
    driver_free(d);
}

/* Write what the machine says; false when the client does not read and is given up. */
static bool flush(struct driver *d)
{
    int rc = conn_write(d->conn, smtp_session_output(&d->s));

    smtp_session_sent(&d->s);
    return rc == 0;
}

/* Begin what the step asks for. The connection rests meanwhile. */
static void begin_act(struct driver *d, enum smtp_act act)
{
    switch (act) {
    case SMTP_ACT_ASK_RCPT:
        ask_rcpt(d);
        break;
    case SMTP_ACT_ASK_AUTH:
        ask_auth(d);
        break;
    case SMTP_ACT_ASK_SENDER:
        ask_sender(d);
        break;
    case SMTP_ACT_START_TLS:
        conn_start_tls_server(d->conn, d->base.edge->tls);
        break;
    case SMTP_ACT_ACCEPT:
        d->is_complete = true;
        keep_body(d, (struct span){NULL, 0}); /* an empty message has a body too */
        body_flush(d->body);
        offer(d);
        break;
    case SMTP_ACT_NONE:
    case SMTP_ACT_MORE:
    case SMTP_ACT_DROP:
    case SMTP_ACT_CLOSE:
        break;
    }
}

/* Carry out one step. Returns the next, or NULL when there is none now; then `d` may be
 * gone. */
static const struct smtp_step *carry_out(struct driver *d, const struct smtp_step *step)
{
    enum smtp_act act = step->act;

    if (step->body.n > 0)
        keep_body(d, step->body);
    conn_consume(d->conn, step->used);
    if (step->verdict.is_set)
        send_verdict(d, "refused", step->verdict.sender, step->verdict.rcpt,
                     step->verdict.reply);
    if (act == SMTP_ACT_CLOSE)
        log_closed(d);
    if (!flush(d) || act == SMTP_ACT_CLOSE) {
        close_now(d);
        return NULL;
    }
    if (act == SMTP_ACT_DROP)
        body_free(&d->body);
    if (act == SMTP_ACT_NONE || act == SMTP_ACT_DROP) {
        if (d->body == NULL || !body_is_busy(d->body))
            return smtp_session_step(&d->s, conn_input(d->conn), now(d));
        conn_pause(d->conn, true); /* on_body_ready() goes on */
        loop_timer_cancel(d->timer);
        return NULL;
    }
    if (act == SMTP_ACT_MORE && d->s.waiting != SMTP_WAIT_NOTHING)
        return NULL; /* an answer is due: it goes on from there */
    conn_pause(d->conn, act != SMTP_ACT_MORE && act != SMTP_ACT_START_TLS);
    rearm(d);
    begin_act(d, act);
    return NULL;
}

static void drive(struct driver *d, const struct smtp_step *step)
{
    while (step != NULL)
        step = carry_out(d, step);
}

/* Events of the connection -------------------------------------------------------------- */

static void on_timer(void *ctx)
{
    struct driver *d = ctx;

    if (now(d) >= smtp_session_deadline(&d->s))
        drive(d, smtp_session_timeout(&d->s, now(d)));
    else
        rearm(d);
}

static void on_input(void *ctx)
{
    struct driver *d = ctx;

    drive(d, smtp_session_step(&d->s, conn_input(d->conn), now(d)));
}

static void on_tls(void *ctx)
{
    struct driver *d = ctx;

    if (d->s.phase == SMTP_PH_GREET)
        drive(d, smtp_session_greet(&d->s, false, now(d)));
    else
        drive(d, smtp_session_tls(&d->s, now(d)));
}

static void on_end(void *ctx, enum conn_end why)
{
    struct driver *d = ctx;
    char peer[IPADDR_TEXT];

    ipaddr_print(&d->base.peer, peer);
    if (why == CONN_END_TLS)
        log_event(d->base.edge->env->log, LOG_SMTP_TLS_FAILED, LOGF_S("peer", peer),
                  LOGF_S("error", conn_tls_error(d->conn)));
    if (d->s.phase == SMTP_PH_DATA && d->s.waiting == SMTP_WAIT_NOTHING) {
        log_event(d->base.edge->env->log, LOG_SMTP_LOST, LOGF_S("peer", peer),
                  LOGF_S("from", d->s.sender), LOGF_N("size", d->s.data.size));
        send_verdict(d, "lost", d->s.sender, "", "");
    }
    conn_free(&d->conn);
    driver_free(d);
}

/* Too many: a word in clear, unless the port speaks TLS from the first octet. */
static void send_away(struct edge *e, const struct edge_client *c)
{
    static const char busy[] = "421 4.7.0 Too many connections, try again later\r\n";
    char peer[IPADDR_TEXT];

    ipaddr_print(&c->peer, peer);
    log_event(e->env->log, LOG_SMTP_FULL, LOGF_S("peer", peer));
    if (c->service != CONF_SUBMISSIONS)
        (void)send(c->fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)close(c->fd);
}

void smtp_driver_accept(struct edge *e, const struct edge_client *c)
{
    static const struct conn_handlers handlers = {
        .on_tls = on_tls, .on_input = on_input, .on_end = on_end};
    bool is_tls = c->service == CONF_SUBMISSIONS;
    char peer[IPADDR_TEXT];
    struct driver *d;

    if (c->is_full) {
        send_away(e, c);
        return;
    }
    d = mem_new(1, sizeof(*d));
    edge_session_begin(e, &d->base, c);
    d->base.stop = on_stop;
    d->base.kill = on_kill;
    d->service = c->service;
    smtp_session_init(&d->s, &e->policies[c->service], is_tls, now(d));
    ipaddr_print(&c->peer, peer);
    log_event(e->env->log, LOG_SMTP_CONNECT, LOGF_S("peer", peer),
              LOGF_S("service", conf_service_name(c->service)));
    d->timer = loop_timer_new(e->env->loop, "smtp.timer", on_timer, d);
    d->unasked = loop_timer_new(e->env->loop, "smtp.unasked", on_unasked, d);
    d->rdns = rdns_new(e, &c->peer, on_rdns, d);
    d->conn = conn_accept(e->env->loop, c->fd, &conn_limits, &handlers, d);
    if (is_tls) {
        conn_start_tls_server(d->conn, e->tls);
        rearm(d);
    } else {
        char early;
        bool has_input = recv(c->fd, &early, 1, MSG_PEEK | MSG_DONTWAIT) > 0;

        drive(d, smtp_session_greet(&d->s, has_input, now(d)));
    }
}
