/* SPDX-License-Identifier: ISC */
/* maild/edge/smtp_ask.c - what the SMTP driver says to directory and queue, and what it
 * makes of their answers.
 *
 * An answer that does not come, or cannot be read, is "try later": no fault of ours becomes a
 * permanent refusal. The password is wiped from every buffer it passed through here. */
#include <assert.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/core/mem.h"
#include "maild/edge/received.h"
#include "maild/edge/smtp_driver_int.h"
#include "maild/ipc_msgs.h"
#include "maild/smtp/facts.h"

#define ASK_MS    30000  /* for the directory's answer */
#define ACCEPT_MS 300000 /* for queue's: it may have to wait for a disk */

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

void driver_verdict(struct driver *d, const char *outcome, const char *sender,
                    const char *rcpt, const char *reply)
{
    struct ipc *queue = role_peer(d->base.edge->env, ROLE_QUEUE, 0);
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
        msgid_new(&m.id, d->base.edge->env->rng, clock_wall_us(d->base.edge->env->clock));
    m.peer = span_str(peer);
    m.facts = buf_all(&facts);
    wr_init(&w, &out);
    m_verdict_encode(&m, &w);
    /* History is worth a try, not a wait: a full channel is logged by base/io/ipc. */
    if (!w.is_bad && ipc_send(queue, IPC_VERDICT, buf_all(&out), -1) == -1)
        log_event(d->base.edge->env->log, LOG_IPC_FULL, LOGF_S("what", "verdict"));
    buf_free(&out);
    buf_free(&facts);
}

/* Questions ----------------------------------------------------------------------------- */

void driver_on_unasked(void *ctx)
{
    struct driver *d = ctx;

    d->unasked_cb(d, NULL);
}

/* Whom to ask what, how long to wait, and who takes the answer. */
struct question {
    enum role whom;
    uint16_t type;
    int64_t ms;
    ipc_answer_fn cb;
};

/* Send what `w` wrote into `out`. When it cannot even be asked, `cb` comes without an answer,
 * and as ever later, from the loop. */
static void ask(struct driver *d, const struct question *q, const struct wr *w, int fd)
{
    struct ipc *ch = role_peer(d->base.edge->env, q->whom, 0);

    assert(d->call == NULL);
    if (!w->is_bad) {
        d->call = ipc_call(ch, q->type, buf_all(w->out), fd, q->ms, q->cb, d);
        return;
    }
    d->unasked_cb = q->cb;
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
    size_t count = 0;
    struct rd r;

    rd_init(&r, octets);
    while (count < ENVELOPE_RCPTS_MAX && rcpt_target_next(&r, &t))
        count++;
    *n = 0;
    *v = arena_alloc(a, count * sizeof(**v));
    if (*v == NULL)
        return false;
    rd_init(&r, octets);
    while (*n < count && rcpt_target_next(&r, &t)) {
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
    step = smtp_session_rcpt(&d->s, v, targets, n, driver_now(d));
    arena_free(&a);
    driver_drive(d, step);
}

void driver_ask_rcpt(struct driver *d)
{
    const struct m_rcpt m = {.address = span_str(d->s.ask),
                             .login_account = d->s.account};
    struct buf out;
    struct wr w;

    buf_init(&out, 1024);
    wr_init(&w, &out);
    m_rcpt_encode(&m, &w);
    ask(d, &(struct question){ROLE_DIRECTORY, IPC_RCPT, ASK_MS, on_rcpt}, &w, -1);
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
    driver_drive(d, smtp_session_sender(&d->s, a, driver_now(d)));
}

void driver_ask_sender(struct driver *d)
{
    const struct m_sender m = {.login_account = d->s.account,
                               .address = span_str(d->s.ask)};
    struct buf out;
    struct wr w;

    buf_init(&out, 1024);
    wr_init(&w, &out);
    m_sender_encode(&m, &w);
    ask(d, &(struct question){ROLE_DIRECTORY, IPC_SENDER, ASK_MS, on_sender}, &w, -1);
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
    driver_drive(d, smtp_session_auth(&d->s, a, m.account_id, login, driver_now(d)));
}

void driver_ask_auth(struct driver *d)
{
    char peer[IPADDR_TEXT];
    struct m_auth m = {.service = AUTH_SUBMISSION,
                       .login = span_str(d->s.sasl.login),
                       .password = span_str(d->s.sasl.password)};
    struct buf out;
    struct wr w;

    ipaddr_print(&d->base.peer, peer);
    m.peer = span_str(peer);
    buf_init(&out, 2048);
    if (buf_reserve(&out, 2048) == -1) /* once: no copy of the password is left behind */
        assert(!"below the ceiling");
    wr_init(&w, &out);
    m_auth_encode(&m, &w);
    ask(d, &(struct question){ROLE_DIRECTORY, IPC_AUTH, ASK_MS, on_auth}, &w, -1);
    OPENSSL_cleanse(out.data, out.cap);
    buf_free(&out);
}

/* The message --------------------------------------------------------------------------- */

static void on_body_ready(void *ctx)
{
    struct driver *d = ctx;

    if (d->is_complete)
        driver_offer(d);
    else
        driver_drive(d, smtp_session_step(&d->s, conn_input(d->conn), driver_now(d)));
}

void driver_keep_body(struct driver *d, struct span octets)
{
    if (d->body == NULL) {
        msgid_new(&d->id, d->base.edge->env->rng,
                  clock_wall_us(d->base.edge->env->clock));
        d->body = body_new(d->base.edge, &d->id, on_body_ready, d);
    }
    body_append(d->body, octets);
}

void driver_on_rdns(void *ctx)
{
    struct driver *d = ctx;

    if (d->is_complete)
        driver_offer(d);
}

static void on_accepted(void *ctx, const struct ipc_in *in)
{
    struct driver *d = ctx;
    const char *text = "4.3.2 The queue does not answer, try again later";
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
    if (body_fault(d->body) != NULL) {
        text = body_fault(d->body);
        code = strncmp(text, "4.3.1", 5) == 0 ? 452 : 451; /* RFC 5321 4.2.3 */
    }
    step = smtp_session_accepted(&d->s, code, text, driver_now(d));
    if (step->act != SMTP_ACT_DROP)
        body_free(&d->body);
    driver_drive(d, step);
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
void driver_offer(struct driver *d)
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
    ask(d, &(struct question){ROLE_QUEUE, IPC_ACCEPT, ACCEPT_MS, on_accepted}, &w,
        body_fd(d->body));
    buf_free(&out);
    buf_free(&facts);
    buf_free(&trace);
    buf_free(&envelope);
}
