/* SPDX-License-Identifier: ISC */
/* maild/relay/attempt.c - octets between conn and the client machine.
 *
 * The message is sent with at most READ_AHEAD octets queued: a piece is read by the pool,
 * stuffed into the machine's buffer, moved to conn; the next read begins when conn has room.
 * While that goes on, replies are still read: a peer may refuse in mid-message.
 *
 * The deadline is set when something is asked of the peer and when it answers or takes
 * octets, never merely because octets trickle in: one octet a minute does not help it. */
#include "maild/relay/attempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "base/io/conn.h"
#include "maild/smtp/replyparse.h"

enum {
    IN_MAX = 2 * REPLYPARSE_MAX,
    OUT_MAX = 512 * 1024,
    READ_AHEAD = 128 * 1024,
    LAST_WORDS_MS = 10000
};

struct attempt {
    struct attempt_to to;
    attempt_done_fn done;
    void *ctx;
    struct conn *conn;
    struct loop_timer *later; /* `done` is never called from inside attempt_new() */
    struct smtp_client client;
    uint64_t sent; /* octets of the message given to the machine */
    bool is_sending, is_reading, is_over, was_greeted;
    char tls[96], tls_failure[160];
    char peer[400];
};

/* ---- the end ---- */

/* Results stand. Say goodbye if the machine wants to, then tell the owner. */
static void over(struct attempt *a)
{
    if (a->is_over)
        return;
    a->is_over = true;
    a->is_sending = false;
    blobread_forget(a->to.body);
    loop_timer_set(a->later, 0);
}

static void on_later(void *arg)
{
    struct attempt *a = arg;

    a->done(a->ctx);
}

/* ---- octets out ---- */

/* What the machine wrote goes to conn. False when the peer does not take it. */
static bool flush(struct attempt *a)
{
    if (conn_write(a->conn, buf_all(&a->client.out)) == -1) {
        smtp_client_lost(&a->client, "the peer does not read what we send,");
        conn_free(&a->conn);
        over(a);
        return false;
    }
    buf_reset(&a->client.out);
    return true;
}

static void obey(struct attempt *a, enum smtp_client_want want);

static void on_piece(void *ctx, struct span piece, int sys)
{
    struct attempt *a = ctx;

    a->is_reading = false;
    if (piece.p == NULL || smtp_client_body(&a->client, piece) == -1) {
        char text[160];

        (void)snprintf(text, sizeof(text), "451 4.3.0 cannot read the message here: %s",
                       sys != 0 ? strerror(sys) : "it is shorter than it should be");
        smtp_client_give_up(&a->client, text);
        conn_free(&a->conn); /* no final dot: the peer must not take half of it */
        over(a);
        return;
    }
    a->sent += piece.n;
    if (!flush(a))
        return;
    conn_deadline(a->conn, smtp_client_timeout_ms(&a->client));
    if (a->sent == blobread_size(a->to.body)) {
        a->is_sending = false;
        obey(a, smtp_client_body_end(&a->client));
    } else {
        obey(a, CLIENT_BODY);
    }
}

static void send_more(struct attempt *a)
{
    uint64_t left = blobread_size(a->to.body) - a->sent;

    if (!a->is_sending || a->is_reading || conn_out_len(a->conn) > READ_AHEAD)
        return;
    if (left == 0) {
        a->is_sending = false;
        obey(a, smtp_client_body_end(&a->client));
        return;
    }
    a->is_reading = true;
    if (blobread_read(a->to.body, a->sent,
                      left < SMTP_CLIENT_PIECE_MAX ? (size_t)left : SMTP_CLIENT_PIECE_MAX,
                      on_piece, a) == -1) {
        smtp_client_give_up(&a->client, "451 4.3.0 too much to read here at the moment");
        conn_free(&a->conn);
        over(a);
    }
}

static void obey(struct attempt *a, enum smtp_client_want want)
{
    if (!flush(a))
        return;
    conn_deadline(a->conn, smtp_client_timeout_ms(&a->client));
    switch (want) {
    case CLIENT_MORE:
        break;
    case CLIENT_TLS:
        conn_start_tls_client(a->conn, a->to.tls, a->to.host, false);
        break;
    case CLIENT_BODY:
        a->is_sending = true;
        send_more(a);
        break;
    case CLIENT_DONE:
        conn_finish(&a->conn, LAST_WORDS_MS);
        over(a);
        break;
    }
}

/* ---- the connection's calls ---- */

static void on_connected(void *ctx)
{
    struct attempt *a = ctx;

    conn_deadline(a->conn, smtp_client_timeout_ms(&a->client));
}

static void on_tls(void *ctx)
{
    struct attempt *a = ctx;

    (void)snprintf(a->tls, sizeof(a->tls), "%s", conn_tls_summary(a->conn));
    obey(a, smtp_client_tls(&a->client));
}

static void on_input(void *ctx)
{
    struct attempt *a = ctx;
    size_t used;
    enum smtp_client_want want =
        smtp_client_input(&a->client, conn_input(a->conn), &used);

    conn_consume(a->conn, used);
    if (used > 0)
        a->was_greeted = true;
    if (used > 0 || want != CLIENT_MORE)
        obey(a, want);
}

static void on_drained(void *ctx)
{
    struct attempt *a = ctx;

    if (!a->is_sending)
        return;
    conn_deadline(a->conn, smtp_client_timeout_ms(&a->client));
    send_more(a);
}

static void no_connection(struct attempt *a, const char *why)
{
    char text[700];

    (void)snprintf(text, sizeof(text), "451 4.4.1 connect to %s: %s", a->peer, why);
    smtp_client_give_up(&a->client, text);
}

static void on_end(void *ctx, enum conn_end why)
{
    struct attempt *a = ctx;
    bool is_handshake = a->client.stage == STAGE_HANDSHAKE;

    switch (why) {
    case CONN_END_CONNECT:
        no_connection(a, strerror(conn_error(a->conn)));
        break;
    case CONN_END_DEADLINE:
        if (!conn_is_connected(a->conn))
            no_connection(a, "no answer");
        else
            smtp_client_lost(&a->client, "the peer took too long");
        break;
    case CONN_END_TLS:
        if (is_handshake)
            (void)snprintf(a->tls_failure, sizeof(a->tls_failure), "%s",
                           conn_tls_error(a->conn));
        smtp_client_lost(&a->client, conn_tls_error(a->conn));
        break;
    case CONN_END_PEER:
        smtp_client_lost(&a->client, "the peer closed the connection");
        break;
    case CONN_END_RESET:
        smtp_client_lost(&a->client, "the connection was lost");
        break;
    }
    if (is_handshake && a->tls_failure[0] == '\0') /* time-out or reset in it */
        (void)snprintf(a->tls_failure, sizeof(a->tls_failure), "the handshake broke off");
    conn_free(&a->conn);
    over(a);
}

/* ---- life ---- */

struct attempt *attempt_new(const struct attempt_to *to, attempt_done_fn done, void *ctx)
{
    static const struct conn_handlers handlers = {on_connected, on_tls, on_input,
                                                  on_drained, on_end};
    static const struct conn_limits limits = {IN_MAX, OUT_MAX, OUT_MAX};
    struct attempt *a = mem_new(1, sizeof(*a));
    char addr[IPADDR_TEXT];

    a->to = *to;
    a->done = done;
    a->ctx = ctx;
    ipaddr_print(&to->addr, addr);
    (void)snprintf(a->peer, sizeof(a->peer), "%s[%s]:%u", to->host, addr, to->port);
    smtp_client_init(&a->client, to->job);
    a->later = loop_timer_new(to->loop, "relay.attempt", on_later, a);
    a->conn =
        conn_connect(to->loop, &to->addr, to->port, to->source, &limits, &handlers, a);
    conn_deadline(a->conn, ATTEMPT_CONNECT_MS);
    return a;
}

void attempt_free(struct attempt **ap)
{
    struct attempt *a = *ap;

    if (a == NULL)
        return;
    *ap = NULL;
    if (!a->is_over)
        blobread_forget(a->to.body);
    conn_free(&a->conn);
    loop_timer_free(&a->later);
    smtp_client_free(&a->client);
    free(a);
}

const struct smtp_client *attempt_client(const struct attempt *a)
{
    return &a->client;
}

bool attempt_was_greeted(const struct attempt *a)
{
    return a->was_greeted;
}

const char *attempt_tls_failure(const struct attempt *a)
{
    return a->tls_failure[0] != '\0' ? a->tls_failure : NULL;
}

const char *attempt_tls(const struct attempt *a)
{
    return a->tls;
}

const char *attempt_peer(const struct attempt *a)
{
    return a->peer;
}
