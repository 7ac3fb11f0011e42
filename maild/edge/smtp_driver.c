/* SPDX-License-Identifier: ISC */
/* maild/edge/smtp_driver.c - runs the SMTP machine (maild/smtp) on a connection.
 *
 *     conn --octets--> machine --step--> carry_out: send, keep the body, ask, close
 *                         ^                              |
 *                         +--- answers of the roles -----+
 *
 * driver_drive() carries out steps until one has to wait: for input, for another role, for the
 * disk, or for good. While something other than input is waited for, the connection is
 * paused, so what a client sends ahead stays in the kernel. So it is while a client rests who
 * made too many errors or gave too many commands without a message (smtp_session_rest).
 *
 * Invariants
 *  1. At most one question is under way (d->call); the machine takes no input meanwhile.
 *  2. After a step that closes, `d` is gone: carry_out() then returns NULL and nobody on the
 *     way back touches it.
 *  3. A message is given to queue only when every octet of it is in memory or written, and
 *     its client's name is known or known not to be found out. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "maild/edge/smtp_driver_int.h"

#define ERRORS_FREE     5 /* then each one costs its author ERROR_REST_MS */
#define ERROR_REST_MS   1000
#define COMMANDS_FREE   250 /* without a message: more than any list of recipients needs */
#define COMMAND_REST_MS 10

#define FLOOD_MS        100
#define FINISH_MS       5000 /* to send the last words */

static const struct conn_limits conn_limits = {
    .in_max = 128u * 1024u, .out_max = 64u * 1024u, .out_high = 16u * 1024u};

int64_t driver_now(const struct driver *d)
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
            .errors_free = ERRORS_FREE,
            .error_rest_ms = ERROR_REST_MS,
            .commands_free = COMMANDS_FREE,
            .command_rest_ms = COMMAND_REST_MS,
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
    loop_timer_free(&d->rest);
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

    driver_drive(d, smtp_session_stop(&d->s));
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
    int64_t deadline = smtp_session_deadline(&d->s), left = deadline - driver_now(d);

    if (deadline == INT64_MAX)
        loop_timer_cancel(d->timer);
    else
        loop_timer_set(d->timer, left > 0 ? left : 0);
}

static void close_now(struct driver *d, int64_t ms)
{
    conn_finish(&d->conn, ms);
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
        driver_ask_rcpt(d);
        break;
    case SMTP_ACT_ASK_AUTH:
        driver_ask_auth(d);
        break;
    case SMTP_ACT_ASK_SENDER:
        driver_ask_sender(d);
        break;
    case SMTP_ACT_START_TLS:
        conn_start_tls_server(d->conn, d->base.edge->tls);
        break;
    case SMTP_ACT_ACCEPT:
        d->is_complete = true;
        driver_keep_body(d, (struct span){NULL, 0}); /* an empty message has a body too */
        body_flush(d->body);
        driver_offer(d);
        break;
    case SMTP_ACT_NONE:
    case SMTP_ACT_MORE:
    case SMTP_ACT_DROP:
    case SMTP_ACT_CLOSE:
        break;
    }
}

/* The next step, or NULL while the client has to wait for it. */
static const struct smtp_step *next_step(struct driver *d)
{
    int64_t ms = smtp_session_rest(&d->s);

    if (ms == 0)
        return smtp_session_step(&d->s, conn_input(d->conn), driver_now(d));
    conn_pause(d->conn, true);
    loop_timer_set(d->rest, ms);
    return NULL;
}

/* Carry out one step. Returns the next, or NULL when there is none now; then `d` may be
 * gone. */
static const struct smtp_step *carry_out(struct driver *d, const struct smtp_step *step)
{
    enum smtp_act act = step->act;
    /* Who floods us does not read what we say: he gets no time for it. */
    bool is_flood = conn_input(d->conn).n > conn_limits.in_max / 2;

    if (step->body.n > 0)
        driver_keep_body(d, step->body);
    conn_consume(d->conn, step->used);
    if (step->verdict.is_set)
        driver_verdict(d, "refused", step->verdict.sender, step->verdict.rcpt,
                       step->verdict.reply);
    if (act == SMTP_ACT_CLOSE)
        log_closed(d);
    if (!flush(d) || act == SMTP_ACT_CLOSE) {
        close_now(d, is_flood ? FLOOD_MS : FINISH_MS);
        return NULL;
    }
    if (act == SMTP_ACT_DROP)
        body_free(&d->body);
    if (act == SMTP_ACT_NONE || act == SMTP_ACT_DROP) {
        if (d->body == NULL || !body_is_busy(d->body))
            return next_step(d);
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

void driver_drive(struct driver *d, const struct smtp_step *step)
{
    while (step != NULL)
        step = carry_out(d, step);
}

/* Events of the connection -------------------------------------------------------------- */

static void on_timer(void *ctx)
{
    struct driver *d = ctx;

    if (driver_now(d) >= smtp_session_deadline(&d->s))
        driver_drive(d, smtp_session_timeout(&d->s, driver_now(d)));
    else
        rearm(d);
}

static void on_input(void *ctx)
{
    struct driver *d = ctx;

    driver_drive(d, next_step(d));
}

static void on_rested(void *ctx)
{
    struct driver *d = ctx;

    conn_pause(d->conn, false);
    driver_drive(d, next_step(d));
}

static void on_tls(void *ctx)
{
    struct driver *d = ctx;

    if (d->s.phase == SMTP_PH_GREET)
        driver_drive(d, smtp_session_greet(&d->s, false, driver_now(d)));
    else
        driver_drive(d, smtp_session_tls(&d->s, driver_now(d)));
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
        driver_verdict(d, "lost", d->s.sender, "", "");
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
    smtp_session_init(&d->s, &e->policies[c->service], is_tls, driver_now(d));
    ipaddr_print(&c->peer, peer);
    log_event(e->env->log, LOG_SMTP_CONNECT, LOGF_S("peer", peer),
              LOGF_S("service", conf_service_name(c->service)));
    d->timer = loop_timer_new(e->env->loop, "smtp.timer", on_timer, d);
    d->rest = loop_timer_new(e->env->loop, "smtp.rest", on_rested, d);
    d->unasked = loop_timer_new(e->env->loop, "smtp.unasked", driver_on_unasked, d);
    d->rdns = rdns_new(e, &c->peer, driver_on_rdns, d);
    d->conn = conn_accept(e->env->loop, c->fd, &conn_limits, &handlers, d);
    if (is_tls) {
        conn_start_tls_server(d->conn, e->tls);
        rearm(d);
    } else {
        char early;
        bool has_input = recv(c->fd, &early, 1, MSG_PEEK | MSG_DONTWAIT) > 0;

        driver_drive(d, smtp_session_greet(&d->s, has_input, driver_now(d)));
    }
}
