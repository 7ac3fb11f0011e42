/* SPDX-License-Identifier: ISC */
/* base/io/conn.c - when a connection reads, writes, calls its driver and ends.
 *
 * Everything happens in work(), which runs from readiness, from the `soon` timer, and at no
 * other time; so a driver's call into conn never calls the driver back. One turn:
 *
 *     read (unless the answers are not drained) -> on_input while it consumes -> write
 *     -> on_drained -> say the end, if any -> choose what to watch
 *
 * 1. An orderly end of stream is said after the driver has seen all input and is not paused:
 *    a client may pipeline, shut its side down and wait for the answers. A lost connection
 *    is said at once.
 * 2. Output written in a callback leaves when it returns (one segment for a pipelined
 *    batch); written elsewhere, `soon`.
 * 3. FLUSHING and HANDSHAKE read nothing of the protocol: what came in clear before TLS is
 *    forgotten when TLS is asked for, and nothing can be added behind it.
 * 4. Callbacks may free the conn: `depth` and `is_freed` as in ipc.c.
 *
 * Over 500 lines because every call of the header changes the one state that work() reads;
 * what could be cut off (system calls, TLS) is in conn_io.c. */
#include "base/io/conn.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/core/mem.h"
#include "base/io/conn_int.h"
#include "base/io/tlsctx_int.h"

enum {
    ROUNDS_MAX = 8,         /* write -> on_drained -> write ... in one turn */
    UNSENT_MAX = 64 * 1024, /* octets in the kernel that are not yet on their way */
};

static void work(struct conn *c, unsigned what);

/* ---- life ---- */

static void leave(struct conn *c)
{
    if (--c->depth == 0 && c->is_freed)
        free(c);
}

/* Give back everything but the struct. */
static void strip(struct conn *c)
{
    loop_io_free(&c->io);
    loop_timer_free(&c->deadline);
    loop_timer_free(&c->soon);
    SSL_free(c->ssl);
    c->ssl = NULL;
    c->is_tls = false;
    if (c->fd != -1)
        (void)close(c->fd);
    c->fd = -1;
    buf_free(&c->in.b);
    buf_free(&c->out.b);
    c->in.off = c->out.off = 0;
    c->state = CONN_ENDED;
    c->is_freed = true;
}

void conn_free(struct conn **cp)
{
    struct conn *c = *cp;

    if (c == NULL)
        return;
    *cp = NULL;
    c->depth++;
    strip(c);
    leave(c);
}

static void end_now(struct conn *c, enum conn_end why)
{
    if (c->state == CONN_ENDED)
        return;
    c->state = CONN_ENDED;
    if (c->io != NULL)
        loop_io_watch(c->io, 0);
    loop_timer_cancel(c->deadline);
    loop_timer_cancel(c->soon);
    c->h.on_end(c->ctx, why);
}

/* ---- lingering after conn_finish() ---- */

/* The driver has gone; true while there is still something to wait for. The peer gets the
 * chance to read our last reply: closing with its octets unread would reset it away. */
static bool linger(struct conn *c)
{
    (void)conn_io_write(c);
    if (c->is_over && c->why != CONN_END_PEER)
        return false;
    if (conn_queue_len(&c->out) > 0)
        return true;
    if (!c->is_shut)
        conn_io_shut(c);
    return !c->is_over && conn_io_discard(c);
}

/* The loop ends: what the kernel takes at once still goes, a last 421 above all. */
static void linger_over(struct loop_end *e)
{
    struct conn *c = LIST_ENTRY(e, struct conn, at_end);

    (void)linger(c);
    conn_free(&c);
}

static void linger_free(struct conn *c)
{
    loop_end_remove(&c->at_end);
    conn_free(&c);
}

/* ---- one turn ---- */

static bool may_flow(const struct conn *c)
{
    return c->state == CONN_OPEN && conn_queue_len(&c->out) <= c->lim.out_high;
}

static void offer_input(struct conn *c)
{
    while (may_flow(c) && !c->is_paused && conn_queue_len(&c->in) > 0 && c->has_news) {
        c->has_news = false;
        c->was_consumed = false;
        if (c->h.on_input == NULL)
            return;
        c->h.on_input(c->ctx);
        /* Half a line left over waits for more; a whole one may be the next. */
        if (c->was_consumed)
            c->has_news = true;
    }
}

static void start_handshake(struct conn *c)
{
    c->state = CONN_HANDSHAKE;
    if (SSL_set_fd(c->ssl, c->fd) != 1)
        abort(); /* only without memory */
}

/* TLS was asked for: send the last clear octets, then shake hands. */
static void advance_tls(struct conn *c)
{
    if (c->state == CONN_FLUSHING) {
        (void)conn_io_write(c);
        if (conn_queue_len(&c->out) == 0 && !c->is_over)
            start_handshake(c);
    }
    if (c->state == CONN_HANDSHAKE && conn_io_handshake(c)) {
        c->state = CONN_OPEN;
        if (c->h.on_tls != NULL)
            c->h.on_tls(c->ctx);
    }
}

/* Was the connect good? */
static void advance_connect(struct conn *c, unsigned what)
{
    int sys = c->sys;
    socklen_t n = sizeof(sys);

    if (sys == 0 && (what & LOOP_WRITE) == 0)
        return;
    if (sys == 0 && getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &sys, &n) == -1)
        sys = errno;
    c->sys = sys;
    if (sys != 0) {
        end_now(c, CONN_END_CONNECT);
        return;
    }
    c->state = CONN_OPEN;
    c->is_connected = true;
    if (c->h.on_connected != NULL)
        c->h.on_connected(c->ctx);
}

/* Send, and tell the driver when all of it has gone; it may then queue more. */
static void push_output(struct conn *c)
{
    for (unsigned i = 0; i < ROUNDS_MAX && c->state == CONN_OPEN; i++) {
        (void)conn_io_write(c);
        if (conn_queue_len(&c->out) > 0 || !c->owes_drained)
            return;
        c->owes_drained = false;
        if (c->h.on_drained == NULL)
            return;
        c->h.on_drained(c->ctx);
    }
}

static void say_end(struct conn *c)
{
    if (!c->is_over || c->state == CONN_ENDED || c->state == CONN_LINGER)
        return;
    if (c->why == CONN_END_PEER && c->state == CONN_OPEN &&
        (c->is_paused || conn_queue_len(&c->out) > c->lim.out_high))
        return;
    end_now(c, c->why);
}

static bool wants_read(const struct conn *c)
{
    return !c->is_over && !c->is_lent && may_flow(c) &&
           conn_queue_len(&c->in) < c->lim.in_max;
}

static void choose_watch(struct conn *c)
{
    unsigned what = 0;
    bool has_out = conn_queue_len(&c->out) > 0;

    switch (c->state) {
    case CONN_CONNECTING:
        what = c->sys == 0 ? LOOP_WRITE : 0;
        break;
    case CONN_OPEN:
        if (wants_read(c) && !c->read_wants_write)
            what |= LOOP_READ;
        if (has_out || (wants_read(c) && c->read_wants_write))
            what |= LOOP_WRITE;
        if (has_out && c->write_wants_read)
            what = LOOP_READ;
        break;
    case CONN_FLUSHING:
        what = LOOP_WRITE;
        break;
    case CONN_HANDSHAKE:
        what = c->read_wants_write ? LOOP_WRITE : LOOP_READ;
        break;
    case CONN_LINGER:
        what = has_out && !c->write_wants_read ? LOOP_WRITE : LOOP_READ;
        break;
    case CONN_ENDED:
        return;
    }
    loop_io_watch(c->io, what);
    /* Things no readiness will announce: octets inside TLS, a driver with output queued by
     * on_drained beyond its rounds, input left by a driver that was waiting for drain. */
    if (c->state == CONN_OPEN &&
        ((wants_read(c) && conn_io_has_hidden(c)) || (c->owes_drained && !has_out)))
        loop_timer_set(c->soon, 0);
}

static void work(struct conn *c, unsigned what)
{
    c->depth++;
    switch (c->state) {
    case CONN_CONNECTING:
        advance_connect(c, what);
        break;
    case CONN_FLUSHING:
    case CONN_HANDSHAKE:
        advance_tls(c);
        break;
    case CONN_LINGER:
        if (!linger(c)) {
            linger_free(c);
            leave(c);
            return;
        }
        break;
    case CONN_OPEN:
    case CONN_ENDED:
        break;
    }
    if (wants_read(c) && (what != 0 || conn_io_has_hidden(c)) && conn_io_read(c))
        c->has_news = true;
    offer_input(c);
    push_output(c);
    offer_input(c); /* it may have waited for the drain; its output leaves below */
    if (c->state == CONN_FLUSHING)
        advance_tls(c); /* asked for in a callback just now */
    else if (c->state == CONN_OPEN)
        (void)conn_io_write(c);
    if (c->is_over && c->has_news)
        offer_input(c); /* what the peer said before our write failed */
    say_end(c);
    if (!c->is_freed)
        choose_watch(c);
    leave(c);
}

static void on_ready(void *ctx, unsigned what)
{
    work(ctx, what);
}

static void on_soon(void *ctx)
{
    work(ctx, 0);
}

static void on_deadline(void *ctx)
{
    struct conn *c = ctx;

    c->depth++;
    if (c->state == CONN_LINGER)
        linger_free(c);
    else
        end_now(c, CONN_END_DEADLINE);
    leave(c);
}

/* A call of the driver from outside a callback changed something. */
static void nudge(struct conn *c)
{
    if (c->depth == 0 && c->state != CONN_ENDED)
        loop_timer_set(c->soon, 0);
}

/* ---- making ---- */

static struct conn *make(struct loop *l, int fd, const struct conn_limits *lim,
                         const struct conn_handlers *h, void *ctx)
{
    struct conn *c = mem_new(1, sizeof(*c));
    int on = 1, unsent = UNSENT_MAX;

    assert(h->on_end != NULL && lim->in_max > 0 && lim->out_max > 0);
    c->loop = l;
    c->fd = fd;
    c->lim = *lim;
    c->h = *h;
    c->ctx = ctx;
    buf_init(&c->in.b, lim->in_max);
    buf_init(&c->out.b, lim->out_max);
    c->deadline = loop_timer_new(l, "conn.deadline", on_deadline, c);
    c->soon = loop_timer_new(l, "conn.soon", on_soon, c);
    if (fd != -1) {
        c->io = loop_io_new(l, fd, "conn", on_ready, c);
        /* Replies are gathered here; the kernel need not wait for more. Fails harmlessly on
         * a UNIX socket. */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        /* Answers that nobody reads fill our buffer, not the kernel's megabytes, and so stop
         * the questions early. What is under way in the network does not count. */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    }
    return c;
}

struct conn *conn_accept(struct loop *l, int fd, const struct conn_limits *lim,
                         const struct conn_handlers *h, void *ctx)
{
    struct conn *c = make(l, fd, lim, h, ctx);
    struct sockaddr_storage ss;
    socklen_t n = sizeof(ss);

    c->state = CONN_OPEN;
    c->is_connected = true;
    if (getpeername(fd, (struct sockaddr *)&ss, &n) == 0 &&
        ipaddr_from_sockaddr((struct sockaddr *)&ss, &c->peer_addr, &c->peer_port))
        ipaddr_unmap(&c->peer_addr);
    choose_watch(c);
    return c;
}

/* 0 when connected or under way, else errno. */
static int dial(int fd, const struct ipaddr *addr, uint16_t port,
                const struct ipaddr *source)
{
    struct sockaddr_storage ss;
    socklen_t n;
    int on = 1;

    if (source != NULL && source->family == addr->family) {
        /* The port is chosen at connect, so that many connections to different hosts may
         * share one. */
        (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
        ipaddr_to_sockaddr(source, 0, &ss, &n);
        if (bind(fd, (struct sockaddr *)&ss, n) == -1)
            return errno;
    }
    ipaddr_to_sockaddr(addr, port, &ss, &n);
    if (connect(fd, (struct sockaddr *)&ss, n) == -1 && errno != EINPROGRESS)
        return errno;
    return 0;
}

struct conn *conn_connect(struct loop *l, const struct ipaddr *addr, uint16_t port,
                          const struct ipaddr *source, const struct conn_limits *lim,
                          const struct conn_handlers *h, void *ctx)
{
    int fd = socket(addr->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int sys = fd == -1 ? errno : dial(fd, addr, port, source);
    struct conn *c = make(l, fd, lim, h, ctx);

    c->state = CONN_CONNECTING;
    c->peer_addr = *addr;
    c->peer_port = port;
    c->sys = sys;
    if (sys != 0)
        loop_timer_set(c->soon, 0);
    else
        choose_watch(c);
    return c;
}

void conn_set_handlers(struct conn *c, const struct conn_handlers *h, void *ctx)
{
    assert(h->on_end != NULL);
    c->h = *h;
    c->ctx = ctx;
    c->has_news = true;
    nudge(c);
}

void conn_finish(struct conn **cp, int64_t ms)
{
    struct conn *c = *cp;

    if (c == NULL)
        return;
    *cp = NULL;
    if (c->fd == -1 || c->state == CONN_CONNECTING || c->state == CONN_HANDSHAKE ||
        (c->is_over && c->why != CONN_END_PEER)) {
        conn_free(&c);
        return;
    }
    /* FLUSHING: the session is over before TLS began; the clear octets still go. */
    c->state = CONN_LINGER;
    conn_queue_clear(&c->in);
    loop_end_add(c->loop, &c->at_end, linger_over);
    loop_timer_set(c->deadline, ms);
    loop_timer_set(c->soon, 0);
}

/* ---- the driver's calls ---- */

struct span conn_input(const struct conn *c)
{
    size_t n = conn_queue_len(&c->in);

    return n == 0 ? SPAN_LIT("") : span_of(c->in.b.data + c->in.off, n);
}

void conn_consume(struct conn *c, size_t n)
{
    assert(n <= conn_queue_len(&c->in));
    if (n == 0)
        return;
    conn_queue_drop(&c->in, n);
    c->was_consumed = true;
    nudge(c);
}

void conn_pause(struct conn *c, bool is_paused)
{
    if (c->is_paused == is_paused)
        return;
    c->is_paused = is_paused;
    if (!is_paused) {
        c->has_news = true;
        nudge(c);
    }
}

int conn_lend(struct conn *c)
{
    if (c->state != CONN_OPEN || c->ssl != NULL || c->is_over ||
        conn_queue_len(&c->out) > 0)
        return -1;
    c->is_lent = true;
    nudge(c);
    return c->fd;
}

void conn_reclaim(struct conn *c)
{
    c->is_lent = false;
    c->has_news = true;
    nudge(c);
}

int conn_write(struct conn *c, struct span s)
{
    if (s.n > c->lim.out_max - conn_queue_len(&c->out))
        return -1;
    if (c->state == CONN_ENDED || (c->is_over && c->why != CONN_END_PEER))
        return 0; /* nobody reads it; on_end says so */
    if (s.n > c->lim.out_max - c->out.b.len)
        conn_queue_pack(&c->out);
    if (buf_span(&c->out.b, s) == -1)
        return -1;
    c->owes_drained = true;
    nudge(c);
    return 0;
}

size_t conn_out_len(const struct conn *c)
{
    return conn_queue_len(&c->out);
}

void conn_deadline(struct conn *c, int64_t ms)
{
    if (c->state == CONN_ENDED)
        return;
    if (ms > 0)
        loop_timer_set(c->deadline, ms);
    else
        loop_timer_cancel(c->deadline);
}

static void start_tls(struct conn *c, struct tlsctx *tls)
{
    assert(c->ssl == NULL);
    conn_queue_clear(&c->in);
    c->has_news = false;
    c->ssl = tlsctx_session(tls);
    if (c->ssl == NULL)
        abort(); /* only without memory */
    if (c->state == CONN_OPEN)
        c->state = CONN_FLUSHING;
    nudge(c);
}

void conn_start_tls_server(struct conn *c, struct tlsctx *tls)
{
    start_tls(c, tls);
    SSL_set_accept_state(c->ssl);
}

void conn_start_tls_client(struct conn *c, struct tlsctx *tls, const char *host,
                           bool verify)
{
    struct ipaddr addr;
    bool is_name = !ipaddr_parse(span_str(host), &addr);

    start_tls(c, tls);
    SSL_set_connect_state(c->ssl);
    if (is_name) /* RFC 6066 3: no literal addresses */
        (void)SSL_set_tlsext_host_name(c->ssl, host);
    if (verify) {
        X509_VERIFY_PARAM *p = SSL_get0_param(c->ssl);

        SSL_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
        if (is_name)
            (void)X509_VERIFY_PARAM_set1_host(p, host, 0);
        else
            (void)X509_VERIFY_PARAM_set1_ip_asc(p, host);
    }
}

bool conn_is_connected(const struct conn *c)
{
    return c->is_connected;
}

bool conn_is_tls(const struct conn *c)
{
    return c->is_tls;
}

const char *conn_tls_summary(const struct conn *c)
{
    return c->is_tls ? c->tls_summary : NULL;
}

const char *conn_tls_error(const struct conn *c)
{
    return c->tls_text;
}

int conn_error(const struct conn *c)
{
    return c->sys;
}

void conn_peer(const struct conn *c, struct ipaddr *addr, uint16_t *port)
{
    *addr = c->peer_addr;
    *port = c->peer_port;
}

void conn_local(const struct conn *c, struct ipaddr *addr, uint16_t *port)
{
    struct sockaddr_storage ss;
    socklen_t n = sizeof(ss);

    memset(addr, 0, sizeof(*addr));
    *port = 0;
    if (c->fd != -1 && getsockname(c->fd, (struct sockaddr *)&ss, &n) == 0 &&
        ipaddr_from_sockaddr((struct sockaddr *)&ss, addr, port))
        ipaddr_unmap(addr);
}
