/* SPDX-License-Identifier: ISC */
/* States of a session:
 *
 *   handshake --TLS up--> talking --LOGIN, AUTHENTICATE--> asking (directory)
 *   talking --STARTTLS--> handshake --> talking, now LOGIN is allowed
 *   asking --no--> delay 2 s --> talking, or closed after three
 *   asking --yes, with a ticket--> passing: LOGIN to the mailbox instance of the account,
 *       with TLS     and one end of a socketpair --taken--> carried: a pump between them
 *       in clear     and the client's own socket --taken--> forgotten here
 *
 * A session that is forgotten gives its place back: what a logged-in client in clear costs,
 * it costs the mailbox role, which counts the sessions of its account and its own in all. A
 * carried one ends with its mailbox instance, whose end of the socketpair the kernel closes.
 *
 * The whole of it, up to "carried", must be done within login_timeout. Octets that came
 * behind the login command stay in the connection; the pump carries them first. The tag of
 * the login command travels along, the mailbox role answers it. */
#include "maild/edge/imap_login.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/io/pump.h"
#include "maild/imap/respond.h"
#include "maild/imap/session.h"
#include "maild/ipc_msgs.h"

#define BAD_MAX         10
#define ASK_MS          30000
#define TAG_MAX         64
#define LOGIN_INPUT_MAX 65536 /* of LOGIN's field */
#define CARRY_SLACK     60000 /* the mailbox role closes silent sessions first, with a word */

struct imap_login {
    struct edge_session es;
    struct conn *conn;
    struct imap_session proto;
    struct buf out;
    struct ipc_call *call;
    struct loop_timer *delay;
    struct loop_timer *deadline; /* to be logged in; not conn_deadline(): it is told */
    struct pump *pump;
    int inner_fd; /* our end of the socketpair while the mailbox role is asked */
    bool is_lent; /* it was asked with the client's socket */
    unsigned failures;
    bool in_pump;
    bool is_finishing;
    char capabilities[160];
};

static void pump_input(struct imap_login *s);

/* ---- life ---------------------------------------------------------------------------- */

static void session_free(struct imap_login *s)
{
    ipc_cancel(&s->call);
    loop_timer_free(&s->delay);
    loop_timer_free(&s->deadline);
    if (s->pump != NULL)
        pump_free(&s->pump);
    if (s->conn != NULL)
        conn_free(&s->conn);
    if (s->inner_fd != -1)
        (void)close(s->inner_fd);
    imap_session_free(&s->proto);
    buf_free(&s->out);
    edge_session_end(&s->es);
    free(s);
}

/* Send what is in `out` and go. Inside pump_input() it is that which frees. */
static void finish(struct imap_login *s)
{
    if (s->conn != NULL && conn_write(s->conn, buf_all(&s->out)) == 0)
        conn_finish(&s->conn, 5000);
    s->is_finishing = true;
    if (!s->in_pump)
        session_free(s);
}

static void say(struct imap_login *s, struct span tag, const char *word, const char *code,
                const char *text)
{
    struct imap_out o;

    imap_out_init(&o, &s->out);
    imap_put_status(&o, tag, word, code, text);
}

static void say_bye(struct imap_login *s, const char *text)
{
    say(s, span_of(NULL, 0), "BYE", NULL, text);
    finish(s);
}

/* Write `out`; false when the session is gone. */
static bool flush(struct imap_login *s)
{
    if (s->out.len > 0 && conn_write(s->conn, buf_all(&s->out)) == -1) {
        finish(s);
        return false;
    }
    buf_reset(&s->out);
    return true;
}

static void on_stop(struct edge_session *es)
{
    struct imap_login *s = LIST_ENTRY(es, struct imap_login, es);

    if (s->pump != NULL)
        session_free(s); /* the mailbox role sees its end close */
    else
        say_bye(s, "the server is going down");
}

static void on_kill(struct edge_session *es)
{
    session_free(LIST_ENTRY(es, struct imap_login, es));
}

/* ---- what is on offer ---------------------------------------------------------------- */

static void set_offer(struct imap_login *s)
{
    const struct edge *e = s->es.edge;
    bool is_tls = conn_is_tls(s->conn);
    struct imap_session_config *cfg = &s->proto.cfg;
    struct buf b;

    cfg->is_login_allowed = is_tls || e->allow_cleartext;
    cfg->is_starttls_offered = !is_tls && e->tls != NULL;
    buf_init(&b, sizeof(s->capabilities));
    if (buf_printf(&b, "IMAP4rev1 LITERAL+ SASL-IR ID%s%s",
                   cfg->is_starttls_offered ? " STARTTLS" : "",
                   cfg->is_login_allowed ? " AUTH=PLAIN" : " LOGINDISABLED") == -1 ||
        !span_copy(buf_all(&b), s->capabilities, sizeof(s->capabilities)))
        s->capabilities[0] = '\0';
    buf_free(&b);
    cfg->capabilities = s->capabilities;
}

static void greet(struct imap_login *s)
{
    struct imap_out o;

    set_offer(s);
    imap_out_init(&o, &s->out);
    imap_putf(&o, "* OK [CAPABILITY %s] %s Signpost\r\n", s->capabilities,
              conf_text(s->es.edge->env->conf, "hostname"));
    (void)flush(s);
}

/* ---- passing the session on ----------------------------------------------------------- */

static void on_carried(void *ctx, const struct pump_counts *n)
{
    struct imap_login *s = ctx;

    (void)n;
    s->pump = NULL;
    session_free(s);
}

static void ignore_end(void *ctx, enum conn_end why)
{
    (void)ctx;
    (void)why;
}

/* The command is answered, with a NO: the client may try again. */
static void refuse(struct imap_login *s, const char *code, const char *text)
{
    say(s, s->proto.cmd.tag, "NO", code, text);
    imap_session_done(&s->proto);
    conn_pause(s->conn, false);
    if (flush(s))
        pump_input(s);
}

/* In clear. Without an answer the mailbox role may have the session, and may have answered
 * the client, or not: the only word that fits both is goodbye. */
static void lent_result(struct imap_login *s, bool is_answered, bool is_taken)
{
    s->is_lent = false;
    if (!is_answered) {
        say(s, span_of(NULL, 0), "BYE", "UNAVAILABLE",
            "the mailboxes are away, come again");
        finish(s);
    } else if (is_taken) {
        session_free(s);
    } else {
        conn_reclaim(s->conn);
        refuse(s, "UNAVAILABLE",
               "no session can be opened now, perhaps too many are open");
    }
}

static void on_login_result(void *ctx, const struct ipc_in *in)
{
    static const struct conn_limits limits = {256u * 1024u, 512u * 1024u, 256u * 1024u};
    static const struct conn_handlers none = {.on_end = ignore_end};
    struct imap_login *s = ctx;
    struct edge *e = s->es.edge;
    struct m_login_result r = {.status = ANSWER_NO};
    struct conn *client, *inner;
    int64_t idle_ms = conf_int(e->env->conf, "imap_idle") * 1000;

    bool is_answered = in != NULL && m_login_result_decode(in->payload, &r);

    s->call = NULL;
    if (s->is_lent) {
        lent_result(s, is_answered, r.status == ANSWER_YES);
        return;
    }
    if (!is_answered || r.status != ANSWER_YES) {
        (void)close(s->inner_fd);
        s->inner_fd = -1;
        refuse(s, "UNAVAILABLE",
               "no session can be opened now, perhaps too many are open");
        return;
    }
    inner = conn_accept(e->env->loop, s->inner_fd, &limits, &none, NULL);
    client = s->conn;
    s->inner_fd = -1;
    s->conn = NULL;
    loop_timer_cancel(s->deadline);
    conn_pause(client, false);
    s->pump = pump_new(client, inner, idle_ms + CARRY_SLACK, on_carried, s);
}

static void send_login(struct imap_login *s, struct ipc *mailbox, const struct m_login *m,
                       int fd)
{
    struct buf b;
    struct wr w;

    buf_init(&b, IPC_FRAME_MAX);
    wr_init(&w, &b);
    m_login_encode(m, &w);
    assert(!w.is_bad); /* tag and input were measured before */
    s->call = ipc_call(mailbox, IPC_LOGIN, buf_all(&b), fd, ASK_MS, on_login_result, s);
    buf_free(&b);
}

static void pass_on(struct imap_login *s, const struct m_auth_result *r)
{
    struct role_env *env = s->es.edge->env;
    struct ipc *mailbox = role_peer(env, ROLE_MAILBOX, role_mailbox(env, r->account_id));
    char peer[IPADDR_TEXT];
    struct m_login m = {.ticket = r->ticket,
                        .service = AUTH_IMAP,
                        .is_tls = conn_is_tls(s->conn),
                        .tag = s->proto.cmd.tag};
    int fds[2], fd;

    ipaddr_print(&s->es.peer, peer);
    m.peer = span_str(peer);
    if (!ipc_is_up(mailbox)) {
        refuse(s, "UNAVAILABLE", "the mailboxes are not reachable now");
        return;
    }
    fd = conn_input(s->conn).n <= LOGIN_INPUT_MAX ? conn_lend(s->conn) : -1;
    if (fd != -1) {
        s->is_lent = true;
        m.input = conn_input(s->conn);
        send_login(s, mailbox, &m, fd);
    } else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) ==
               0) {
        s->inner_fd = fds[0];
        send_login(s, mailbox, &m, fds[1]);
        (void)close(fds[1]);
    } else {
        refuse(s, "UNAVAILABLE", "the mailboxes are not reachable now");
    }
}

/* ---- the password --------------------------------------------------------------------- */

static void on_delay(void *ctx)
{
    struct imap_login *s = ctx;

    if (++s->failures >= IMAP_LOGIN_TRIES) {
        say(s, s->proto.cmd.tag, "NO", "AUTHENTICATIONFAILED", "wrong name or password");
        say_bye(s, "too many failed logins");
        return;
    }
    refuse(s, "AUTHENTICATIONFAILED", "wrong name or password");
}

static void deny(struct imap_login *s)
{
    char peer[IPADDR_TEXT];

    ipaddr_print(&s->es.peer, peer);
    log_event(s->es.edge->env->log, LOG_IMAP_REFUSED, LOGF_S("peer", peer),
              LOGF_B("login", s->proto.cmd.user),
              LOGF_S("why", "wrong name or password"));
    loop_timer_set(s->delay, IMAP_LOGIN_DELAY_MS);
}

static void on_auth_result(void *ctx, const struct ipc_in *in)
{
    struct imap_login *s = ctx;
    struct m_auth_result r;

    s->call = NULL;
    if (in == NULL || !m_auth_result_decode(in->payload, &r) ||
        r.status == ANSWER_LATER) {
        refuse(s, "UNAVAILABLE", "passwords cannot be checked now, try again later");
        return;
    }
    if (r.status == ANSWER_YES)
        pass_on(s, &r);
    else
        deny(s);
}

static void ask_directory(struct imap_login *s)
{
    struct ipc *directory = role_peer(s->es.edge->env, ROLE_DIRECTORY, 0);
    char peer[IPADDR_TEXT];
    struct m_auth m;
    struct buf b;
    struct wr w;

    conn_pause(s->conn, true);
    if (s->proto.cmd.tag.n > TAG_MAX) {
        refuse(s, "CANNOT", "the tag of a login has at most 64 characters");
        return;
    }
    ipaddr_print(&s->es.peer, peer);
    m = (struct m_auth){.service = AUTH_IMAP,
                        .login = s->proto.cmd.user,
                        .password = s->proto.cmd.password,
                        .peer = span_str(peer)};
    buf_init(&b, 4096);
    wr_init(&w, &b);
    m_auth_encode(&m, &w);
    if (w.is_bad) /* no name or password of ours looks like that */
        deny(s);
    else
        s->call =
            ipc_call(directory, IPC_AUTH, buf_all(&b), -1, ASK_MS, on_auth_result, s);
    explicit_bzero(b.data, b.len);
    buf_free(&b);
}

/* ---- input ----------------------------------------------------------------------------- */

static void start_tls(struct imap_login *s)
{
    if (!flush(s))
        return;
    conn_start_tls_server(s->conn, s->es.edge->tls);
}

/* False: stop feeding for now. */
static bool obey(struct imap_login *s, enum imap_do todo)
{
    switch (todo) {
    case IMAP_DO_MORE:
        return flush(s);
    case IMAP_DO_RUN: /* only LOGIN and AUTHENTICATE are left to the driver here */
        if (flush(s))
            ask_directory(s);
        return false;
    case IMAP_DO_STARTTLS:
        start_tls(s);
        return false;
    case IMAP_DO_CLOSE:
        finish(s);
        return false;
    case IMAP_DO_IDLE_END:
    case IMAP_DO_APPEND:
    case IMAP_DO_OCTETS:
    case IMAP_DO_APPEND_END:
        break;
    }
    assert(false && "not possible before login");
    return false;
}

static void pump_input(struct imap_login *s)
{
    bool go_on = true;

    if (s->in_pump)
        return;
    s->in_pump = true;
    while (go_on && s->conn != NULL && !imap_session_is_busy(&s->proto)) {
        size_t used = 0;
        struct span in = conn_input(s->conn);
        enum imap_do todo = imap_session_input(&s->proto, in, &used, &s->out);

        /* taken before it is obeyed: TLS begins behind these octets, and a session that is
         * passed on leaves the rest to the pump. The command was copied by the machine. */
        conn_consume(s->conn, used);
        go_on = obey(s, todo) && used > 0;
    }
    s->in_pump = false;
    if (s->is_finishing)
        session_free(s);
}

static void on_input(void *ctx)
{
    pump_input(ctx);
}

static void on_tls(void *ctx)
{
    struct imap_login *s = ctx;

    if (s->proto.cfg.capabilities == NULL)
        greet(s);
    else
        set_offer(s);
}

static void on_deadline(void *ctx)
{
    struct imap_login *s = ctx;

    if (s->proto.cfg.capabilities != NULL)
        say_bye(s, "too slow to log in");
    else
        session_free(s);
}

static void on_end(void *ctx, enum conn_end why)
{
    (void)why;
    session_free(ctx);
}

static void turn_away(struct edge *e, const struct edge_client *c)
{
    static const char text[] =
        "* BYE [UNAVAILABLE] too many sessions, try again later\r\n";
    static const struct conn_limits limits = {1024, 1024, 1024};
    static const struct conn_handlers none = {.on_end = ignore_end};
    struct conn *conn;

    if (c->service == CONF_IMAPS) {
        (void)close(c->fd); /* a handshake is what there is no room for */
        return;
    }
    conn = conn_accept(e->env->loop, c->fd, &limits, &none, NULL);
    if (conn_write(conn, span_str(text)) == 0)
        conn_finish(&conn, 2000);
    else
        conn_free(&conn);
}

void imap_login_accept(struct edge *e, const struct edge_client *c)
{
    static const struct conn_limits limits = {128u * 1024u, 64u * 1024u, 16u * 1024u};
    static const struct conn_handlers handlers = {
        .on_input = on_input, .on_tls = on_tls, .on_end = on_end};
    const struct imap_session_config cfg = {.bad_max = BAD_MAX};
    struct imap_login *s;

    if (c->is_full) {
        turn_away(e, c);
        return;
    }
    s = mem_new(1, sizeof(*s));
    s->inner_fd = -1;
    s->es.stop = on_stop;
    s->es.kill = on_kill;
    buf_init(&s->out, 64u * 1024u);
    imap_session_init(&s->proto, &cfg, IMAP_STATE_GREETED);
    s->delay = loop_timer_new(e->env->loop, "imap.delay", on_delay, s);
    edge_session_begin(e, &s->es, c);
    s->conn = conn_accept(e->env->loop, c->fd, &limits, &handlers, s);
    s->deadline = loop_timer_new(e->env->loop, "imap.deadline", on_deadline, s);
    loop_timer_set(s->deadline, conf_int(e->env->conf, "login_timeout") * 1000);
    if (c->service == CONF_IMAPS)
        conn_start_tls_server(s->conn, e->tls);
    else
        greet(s);
}
