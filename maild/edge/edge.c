/* SPDX-License-Identifier: ISC */
/* maild/edge/edge.c - the role that the world talks to: listeners, limits, certificates.
 *
 * Start: channels to the other roles, limits, certificate, disk pool, and last the ports;
 * nobody is let in before the roles that serve him have been there once. Later any of them may
 * die and come back: what a client then asks of it is answered "try later". A connection is
 * counted first and then given to its protocol (smtp_driver.c, imap_login.c), which gives
 * the place back.
 *
 * Stop (the parent says STOP): ports close, every session is asked to finish; when the last
 * has gone, or time is up, the parent gets STOPPED. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/io/listen.h"
#include "maild/edge/edge_int.h"
#include "maild/ipc_msgs.h"

#define DISK_THREADS 2

struct port {
    struct list link;
    struct edge *edge;
    enum conf_service service;
    struct listener *listener;
};

/* Sessions ------------------------------------------------------------------------------ */

void edge_session_begin(struct edge *e, struct edge_session *s,
                        const struct edge_client *c)
{
    assert(!c->is_full);
    s->edge = e;
    s->peer = c->peer;
    s->is_counted = true;
    list_add_tail(&e->sessions, &s->link);
    e->session_count++;
}

static void stopped(struct edge *e);

void edge_session_end(struct edge_session *s)
{
    struct edge *e = s->edge;

    assert(s->is_counted);
    s->is_counted = false;
    list_remove(&s->link);
    e->session_count--;
    limits_give(e->limits, &s->peer);
    if (e->is_stopping && e->session_count == 0)
        stopped(e);
}

static void on_accept(void *ctx, int fd, const struct ipaddr *peer, uint16_t port)
{
    struct port *p = ctx;
    struct edge *e = p->edge;
    struct edge_client c = {
        .fd = fd, .service = p->service, .peer = *peer, .peer_port = port};

    ipaddr_unmap(&c.peer);
    c.is_full = limits_take(e->limits, &c.peer) != LIMITS_OK;
    switch (p->service) {
    case CONF_SMTP:
    case CONF_SUBMISSION:
    case CONF_SUBMISSIONS:
        smtp_driver_accept(e, &c);
        return;
    case CONF_IMAP:
    case CONF_IMAPS:
        imap_login_accept(e, &c);
        return;
    case CONF_DNS:
    case CONF_SERVICE_COUNT:
        break;
    }
    assert(!"no port is opened for another service");
}

/* Stop and reload ----------------------------------------------------------------------- */

static void close_ports(struct edge *e)
{
    while (!list_is_empty(&e->listeners)) {
        struct port *p = LIST_ENTRY(e->listeners.next, struct port, link);

        list_remove(&p->link);
        listener_free(&p->listener);
        free(p);
    }
}

static void kill_sessions(struct edge *e)
{
    while (!list_is_empty(&e->sessions)) {
        struct edge_session *s = LIST_ENTRY(e->sessions.next, struct edge_session, link);

        s->kill(s); /* takes itself off the list */
    }
}

/* All sessions have gone: tell the parent, once. */
static void stopped(struct edge *e)
{
    const struct m_stopped m = {.sessions = (uint32_t)e->stop_told};
    struct ipc *parent = role_peer(e->env, ROLE_PARENT, 0);
    struct buf out;
    struct wr w;

    if (e->stop_call == 0)
        return;
    buf_init(&out, 64);
    wr_init(&w, &out);
    m_stopped_encode(&m, &w);
    assert(!w.is_bad);
    if (ipc_reply(parent, e->stop_call, IPC_STOPPED, buf_all(&out), -1) == -1)
        log_event(e->env->log, LOG_EDGE_ROLE_LOST, LOGF_S("role", "parent"));
    e->stop_call = 0;
    buf_free(&out);
}

static void on_stop_timer(void *ctx)
{
    struct edge *e = ctx;

    kill_sessions(e);
    stopped(e);
}

static void begin_stop(struct edge *e, uint64_t call, uint32_t within_ms)
{
    size_t n = e->session_count;
    struct list asked;

    e->is_stopping = true;
    e->stop_call = call;
    e->stop_told = n;
    close_ports(e);
    /* A session may end, and so leave the list, while it is being told. */
    list_init(&asked);
    while (!list_is_empty(&e->sessions)) {
        struct list *l = e->sessions.next;
        struct edge_session *s = LIST_ENTRY(l, struct edge_session, link);

        list_remove(l);
        list_add_tail(&asked, l);
        s->stop(s);
    }
    while (!list_is_empty(&asked)) {
        struct list *l = asked.next;

        list_remove(l);
        list_add_tail(&e->sessions, l);
    }
    if (e->session_count == 0)
        stopped(e);
    else
        loop_timer_set(e->stop_timer, within_ms);
}

/* Take the certificate out of `fd` (sealed memory, closed here); -1 means that there is none,
 * and no TLS: the parent has judged whether that may be. */
static int load_tls(struct edge *e, int fd, struct err *err)
{
    struct span pem;
    int rc;

    if (fd == -1)
        return 0;
    rc = bag_map(fd, TLSCTX_PEM_MAX + 2, &pem, err);
    (void)close(fd);
    if (rc == -1)
        return -1;
    if (e->tls == NULL) {
        e->tls = tlsctx_new_server_pem(pem, err);
        rc = e->tls == NULL ? -1 : 0;
    } else {
        rc = tlsctx_replace(e->tls, pem, err);
    }
    if (pem.n > 0)
        (void)munmap((void *)(uintptr_t)pem.p, pem.n);
    return rc;
}

static void reload(struct edge *e, struct ipc *ch, const struct ipc_in *in)
{
    struct err err = {0};
    int rc = load_tls(e, in->fd, &err);
    const struct m_reloaded m = {.status = rc == 0 ? ANSWER_YES : ANSWER_NO,
                                 .text = span_str(err.text)};
    struct buf out;
    struct wr w;

    smtp_driver_reload(e);
    buf_init(&out, 1024);
    wr_init(&w, &out);
    m_reloaded_encode(&m, &w);
    if (w.is_bad || ipc_reply(ch, in->call, IPC_RELOADED, buf_all(&out), -1) == -1)
        log_event(e->env->log, LOG_RELOAD_FAILED, LOGF_S("error", err.text));
    buf_free(&out);
}

/* Channels ------------------------------------------------------------------------------ */

static void on_message(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct edge *e = ctx;
    struct m_reload rm;
    struct m_stop sm;

    if (in->type == IPC_RELOAD && m_reload_decode(in->payload, &rm)) {
        reload(e, ch, in); /* it owns the descriptor */
        return;
    }
    if (in->fd != -1)
        (void)close(in->fd);
    if (in->type == IPC_STOP && m_stop_decode(in->payload, &sm) && !e->is_stopping)
        begin_stop(e, in->call, sm.within_ms);
}

static void on_closed(void *ctx, struct ipc *ch)
{
    struct edge *e = ctx;

    log_event(e->env->log, LOG_EDGE_ROLE_LOST,
              LOGF_S("role", role_name((enum role)ipc_peer(ch))),
              LOGF_N("instance", role_instance(e->env, ch)));
}

static void on_opened(void *ctx, struct ipc *ch)
{
    struct edge *e = ctx;

    (void)ch;
    if (e->is_serving || !role_is_up(e->env, ROLE_QUEUE) ||
        !role_is_up(e->env, ROLE_DIRECTORY) || !role_is_up(e->env, ROLE_MAILBOX))
        return;
    e->is_serving = true;
    LIST_EACH (it, &e->listeners)
        listener_pause(LIST_ENTRY(it, struct port, link)->listener, false);
}

static void connect_roles(struct edge *e)
{
    static const struct ipc_handlers handlers = {
        .message = on_message, .closed = on_closed, .opened = on_opened};
    static const enum role peers[] = {ROLE_PARENT, ROLE_QUEUE, ROLE_MAILBOX,
                                      ROLE_DIRECTORY, ROLE_RESOLVER};

    for (size_t i = 0; i < COUNT_OF(peers); i++)
        role_connect(e->env, peers[i], &handlers, e);
}

/* Start --------------------------------------------------------------------------------- */

/* A port that the parent has bound; `text` is its `listen` line: "smtp 192.0.2.1:25". */
static int take_port(struct edge *e, const char *text, int fd, struct err *err)
{
    enum conf_service service;
    char address[IPADDR_TEXT];
    struct ipaddr addr;
    uint16_t port;
    struct port *p;

    if (fd == -1 || !conf_listen_value(text, &service, &addr, &port))
        return err_set(err, "listen %s: not a port of this role", text);
    if (e->tls == NULL && (service == CONF_SUBMISSIONS || service == CONF_IMAPS))
        return err_set(err, "listen %s needs a certificate", text);
    p = mem_new(1, sizeof(*p));
    p->edge = e;
    p->service = service;
    list_add_tail(&e->listeners, &p->link);
    ipaddr_print(&addr, address);
    log_event(e->env->log, LOG_LISTEN, LOGF_S("service", conf_service_name(service)),
              LOGF_S("address", addr.family == 0 ? "*" : address),
              LOGF_N("port", listen_port(fd)));
    p->listener =
        listener_new(e->env->loop, fd, conf_service_name(service), on_accept, p);
    listener_pause(p->listener, true); /* until on_opened() */
    return 0;
}

static int take_ports(struct edge *e, struct err *err)
{
    for (size_t i = 0; *role_given_text(e->env, "listen", i) != '\0'; i++)
        if (take_port(e, role_given_text(e->env, "listen", i),
                      role_given(e->env, "listen", i), err) == -1)
            return -1;
    return 0;
}

/* Of a limit for all edge processes together, what is this one's: the kernel deals
 * connections out as they come, so each gets the same share. Rounded up. */
static size_t share(const struct role_env *env, const char *key)
{
    size_t n = env->count[ROLE_EDGE];

    return ((size_t)conf_int(env->conf, key) + n - 1) / n;
}

void *edge_start(struct role_env *env, struct err *err)
{
    size_t all = share(env, "sessions_max");
    struct edge *e = mem_new(1, sizeof(*e));

    e->env = env;
    list_init(&e->sessions);
    list_init(&e->listeners);
    e->allow_cleartext = conf_bool(env->conf, "allow_cleartext_login");
    e->limits = limits_new(share(env, "sessions_per_client_max"), all, env->rng);
    e->disk = pool_new(env->loop, "edge-disk", DISK_THREADS, all);
    e->stop_timer = loop_timer_new(env->loop, "edge.stop", on_stop_timer, e);
    if (load_tls(e, role_given(env, "tls", 0), err) == -1)
        goto bad;
    connect_roles(e);
    smtp_driver_start(e);
    if (take_ports(e, err) == 0)
        return e;
bad:
    edge_stop(e);
    return NULL;
}

void edge_stop(void *state)
{
    struct edge *e = state;

    close_ports(e);
    e->stop_call = 0;
    kill_sessions(e);
    role_disconnect(e->env);
    pool_free(&e->disk);
    loop_timer_free(&e->stop_timer);
    smtp_driver_stop(e);
    tlsctx_free(&e->tls);
    limits_free(&e->limits);
    free(e);
}
