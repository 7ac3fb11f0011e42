/* SPDX-License-Identifier: ISC */
/* Design: each message has two octets of length in front. Whole messages are answered as
 * they come, in order; the reply goes out with its length in one piece (RFC 7766 8).
 *
 * Limits: a connection has TCP_IDLE_MS from one whole query to the next, so neither silence
 * nor drops of octets hold it; replies that the client does not read stop the reading of
 * its queries (conn's out_high) and then the same clock ends it. When a thread has all the
 * connections it may have, the one that was quiet longest goes; one client address may only
 * have a share of them. One whose client has closed its side leaves the pool; it lives on only
 * for answers the kernel has not taken, and only FINISHING_MAX may do so at a time. */
#include "dnsd/tcp.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/list.h"
#include "base/core/mem.h"
#include "base/io/conn.h"
#include "base/io/listen.h"

enum {
    PREFIX = 2,
    MESSAGE = 65535,
    FINISH_MS = 2000,
    FINISHING_MAX = 64, /* connections that only send their last answers */
};

struct tcp_conn {
    struct list link; /* in the pool, least recently used first */
    struct tcp_pool *pool;
    struct conn *conn;
    struct ipaddr peer;
};

struct tcp_pool {
    const struct answerer *who;
    struct listener **listeners;
    unsigned n_listeners;
    struct list conns;
    unsigned n_conns;
    int64_t
        finished_ms[FINISHING_MAX]; /* when the last so many will have ended, in a ring */
    unsigned next_finish;
    uint8_t message[PREFIX + MESSAGE];
};

static int64_t idle_ms(const struct tcp_pool *p)
{
    return p->who->tcp_idle_ms > 0 ? p->who->tcp_idle_ms : TCP_IDLE_MS;
}

static void forget(struct tcp_conn *c)
{
    list_remove(&c->link);
    c->pool->n_conns--;
    free(c);
}

static void drop(struct tcp_conn *c)
{
    conn_free(&c->conn);
    forget(c);
}

/* Answer one message. False when it is no query at all. */
static bool answer_one(struct tcp_conn *c, struct span query)
{
    struct tcp_pool *p = c->pool;
    size_t n;

    memcpy(p->message + PREFIX, query.p, query.n);
    grace_enter(p->who->grace, p->who->number);
    n = query_answer(&p->who->query, p->message + PREFIX, query.n, MESSAGE, QUERY_TCP);
    grace_leave(p->who->grace, p->who->number);
    if (n == 0)
        return false;
    p->message[0] = (uint8_t)(n >> 8 & 0xff);
    p->message[1] = (uint8_t)(n & 0xff);
    return conn_write(c->conn, span_of(p->message, PREFIX + n)) == 0;
}

/* The next whole message at the front of the input, without its length. */
static bool next_message(const struct conn *conn, struct span *query)
{
    struct span in = conn_input(conn);
    size_t n;

    if (in.n < PREFIX)
        return false;
    n = (size_t)(in.p[0] << 8 | in.p[1]);
    if (in.n - PREFIX < n)
        return false;
    *query = span_of(in.p + PREFIX, n);
    return true;
}

static void on_input(void *ctx)
{
    struct tcp_conn *c = ctx;
    struct span query;

    while (conn_out_len(c->conn) <= MESSAGE && next_message(c->conn, &query)) {
        size_t used = PREFIX + query.n;

        if (!answer_one(c, query)) {
            drop(c);
            return;
        }
        conn_consume(c->conn, used);
        conn_deadline(c->conn, idle_ms(c->pool));
        list_remove(&c->link);
        list_add_tail(&c->pool->conns, &c->link);
    }
}

/* May one more connection live on for its last answers? They are not in the pool any more and
 * are nobody's, so their number has a bound of its own. */
static bool may_finish(struct tcp_pool *p)
{
    int64_t now_ms = clock_mono_ms(loop_clock(p->who->loop));
    unsigned at = p->next_finish;

    if (p->finished_ms[at] > now_ms)
        return false;
    p->finished_ms[at] = now_ms + FINISH_MS;
    p->next_finish = (at + 1) % FINISHING_MAX;
    return true;
}

static void on_end(void *ctx, enum conn_end why)
{
    struct tcp_conn *c = ctx;

    /* It may have closed only its side and still be reading; what the kernel has it sends. */
    if (why == CONN_END_PEER && conn_out_len(c->conn) > 0 && may_finish(c->pool))
        conn_finish(&c->conn, FINISH_MS);
    else
        conn_free(&c->conn);
    forget(c);
}

/* Room for one more from this address? Makes room by dropping the quietest connection. */
static bool admit(struct tcp_pool *p, const struct ipaddr *peer)
{
    unsigned same = 0;

    LIST_EACH (it, &p->conns)
        same += ipaddr_eq(&LIST_ENTRY(it, struct tcp_conn, link)->peer, peer);
    if (same >= TCP_CONNECTIONS_PER_CLIENT)
        return false;
    if (p->n_conns >= TCP_CONNECTIONS)
        drop(LIST_ENTRY(p->conns.next, struct tcp_conn, link));
    return true;
}

static void on_accept(void *ctx, int fd, const struct ipaddr *peer, uint16_t port)
{
    static const struct conn_handlers handlers = {.on_input = on_input, .on_end = on_end};
    static const struct conn_limits limits = {
        .in_max = PREFIX + MESSAGE,
        .out_max = 4u * (PREFIX + MESSAGE),
        .out_high = MESSAGE,
    };
    struct tcp_pool *p = ctx;
    struct tcp_conn *c;

    (void)port;
    stats_add(p->who->query.stats, STAT_TCP_CONNECTIONS, 1);
    if (!admit(p, peer)) {
        stats_add(p->who->query.stats, STAT_TCP_REFUSED, 1);
        (void)close(fd);
        return;
    }
    c = mem_new(1, sizeof(*c));
    c->pool = p;
    c->peer = *peer;
    list_add_tail(&p->conns, &c->link);
    p->n_conns++;
    c->conn = conn_accept(p->who->loop, fd, &limits, &handlers, c);
    conn_deadline(c->conn, idle_ms(p));
}

struct tcp_pool *tcp_pool_new(const struct answerer *who)
{
    struct tcp_pool *p = mem_new(1, sizeof(*p));

    p->who = who;
    list_init(&p->conns);
    return p;
}

void tcp_pool_listen(struct tcp_pool *p, int fd)
{
    p->listeners = mem_resize(p->listeners, p->n_listeners + 1, sizeof(p->listeners[0]));
    p->listeners[p->n_listeners++] = listener_new(p->who->loop, fd, "dns", on_accept, p);
}

void tcp_pool_free(struct tcp_pool **p)
{
    if (*p == NULL)
        return;
    for (unsigned i = 0; i < (*p)->n_listeners; i++)
        listener_free(&(*p)->listeners[i]);
    while (!list_is_empty(&(*p)->conns))
        drop(LIST_ENTRY((*p)->conns.next, struct tcp_conn, link));
    free((*p)->listeners);
    free(*p);
    *p = NULL;
}
