/* SPDX-License-Identifier: ISC */
/* base/io/conn_io.c - moving octets between a connection's buffers and its descriptor.
 *
 * OpenSSL works on the descriptor itself (no BIO pair, no copy). Its two kinds of "try
 * later" are kept apart: SSL_read may wait for writability and SSL_write for readability
 * (key update); conn.c watches for what they ask.
 *
 * A failed write does not end the connection at once: the peer may have said why it closes
 * (a 4xx or 5xx reply) and that is still to be read. So output is thrown away and reading
 * goes on until it, too, has nothing more. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/io/conn_int.h"

enum {
    READ_CHUNK = 16 * 1024,
    TURN_MAX = 256 * 1024,         /* octets read per wake-up */
    DISCARD_MAX = 4 * 1024 * 1024, /* octets read and forgotten after conn_finish() */
    WRITE_MAX = 64 * 1024,         /* octets per system call */
};

size_t conn_queue_len(const struct conn_queue *q)
{
    return q->b.len - q->off;
}

void conn_queue_clear(struct conn_queue *q)
{
    buf_reset(&q->b);
    q->off = 0;
}

void conn_queue_pack(struct conn_queue *q)
{
    buf_drop(&q->b, q->off);
    q->off = 0;
}

void conn_queue_drop(struct conn_queue *q, size_t n)
{
    q->off += n;
    if (q->off == q->b.len)
        conn_queue_clear(q);
}

static const char closed_in_handshake[] =
    "the peer closed the connection during the handshake";

static void over(struct conn *c, enum conn_end why, int sys)
{
    if (c->is_over)
        return;
    c->is_over = true;
    c->why = why;
    c->sys = sys;
}

static void tls_over(struct conn *c, const char *fallback)
{
    long verdict = SSL_get_verify_result(c->ssl);
    unsigned long code = ERR_peek_error();
    const char *reason = ERR_reason_error_string(code);

    if (SSL_get_verify_mode(c->ssl) != SSL_VERIFY_NONE && verdict != X509_V_OK)
        reason = X509_verify_cert_error_string(verdict);
    (void)snprintf(c->tls_text, sizeof(c->tls_text), "%s",
                   reason != NULL ? reason : fallback);
    ERR_clear_error();
    over(c, CONN_END_TLS, 0);
}

/* What a failed SSL_ call means. True for "try later", with the wish noted in *other when
 * it is for the other direction than `own`. */
static bool tls_later(struct conn *c, int rc, int own, bool *other)
{
    int e = SSL_get_error(c->ssl, rc);

    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) {
        *other = e != own;
        return true;
    }
    if (e == SSL_ERROR_ZERO_RETURN)
        over(c, CONN_END_PEER, 0);
    else if (e == SSL_ERROR_SYSCALL && !c->is_tls)
        tls_over(c, closed_in_handshake);
    else if (e == SSL_ERROR_SYSCALL)
        over(c, CONN_END_RESET, errno);
    else
        tls_over(c, "TLS failure");
    return false;
}

/* -1: nothing now (or over). */
static ssize_t read_some(struct conn *c, uint8_t *dst, size_t n)
{
    ssize_t got;

    if (c->is_tls) {
        int rc;

        ERR_clear_error();
        errno = 0;
        c->read_wants_write = false;
        rc = SSL_read(c->ssl, dst, (int)n); /* n <= READ_CHUNK */
        if (rc > 0)
            return rc;
        (void)tls_later(c, rc, SSL_ERROR_WANT_READ, &c->read_wants_write);
        return -1;
    }
    do
        got = recv(c->fd, dst, n, 0);
    while (got == -1 && errno == EINTR);
    if (got > 0)
        return got;
    if (got == 0)
        over(c, CONN_END_PEER, 0);
    else if (errno != EAGAIN && errno != EWOULDBLOCK)
        over(c, CONN_END_RESET, errno);
    return -1;
}

bool conn_io_read(struct conn *c)
{
    size_t total = 0;

    conn_queue_pack(&c->in);
    while (!c->is_over && total < TURN_MAX && c->in.b.len < c->lim.in_max) {
        size_t room = c->lim.in_max - c->in.b.len;
        ssize_t got;

        if (room > READ_CHUNK)
            room = READ_CHUNK;
        if (buf_reserve(&c->in.b, room) == -1)
            break;
        got = read_some(c, c->in.b.data + c->in.b.len, room);
        if (got == -1)
            break;
        c->in.b.len += (size_t)got;
        total += (size_t)got;
        /* A short read of a plain socket means that it is empty; the next wake-up will
         * tell if not. */
        if (!c->is_tls && (size_t)got < room)
            break;
    }
    return total > 0;
}

/* The write side is dead; look what the peer still had to say, then be over. */
static void write_failed(struct conn *c, int sys)
{
    conn_queue_clear(&c->out);
    c->owes_drained = false;
    if (conn_io_read(c))
        c->has_news = true;
    if (c->is_over)
        c->why = c->why == CONN_END_PEER ? CONN_END_RESET : c->why;
    over(c, CONN_END_RESET, sys);
    c->sys = sys;
}

bool conn_io_write(struct conn *c)
{
    bool has_moved = false;

    while (conn_queue_len(&c->out) > 0) {
        const uint8_t *p = c->out.b.data + c->out.off;
        size_t n = conn_queue_len(&c->out);
        ssize_t sent;

        if (n > WRITE_MAX)
            n = WRITE_MAX;
        if (c->is_tls) {
            int rc;

            ERR_clear_error();
            errno = 0;
            c->write_wants_read = false;
            rc = SSL_write(c->ssl, p, (int)n); /* n <= WRITE_MAX */
            sent = rc;
            if (rc <= 0) {
                if (!tls_later(c, rc, SSL_ERROR_WANT_WRITE, &c->write_wants_read))
                    conn_queue_clear(&c->out);
                return has_moved;
            }
        } else {
            sent = send(c->fd, p, n, MSG_NOSIGNAL);
            if (sent == -1 && errno == EINTR)
                continue;
            if (sent == -1) {
                if (errno != EAGAIN && errno != EWOULDBLOCK)
                    write_failed(c, errno);
                return has_moved;
            }
        }
        conn_queue_drop(&c->out, (size_t)sent);
        has_moved = true;
    }
    return has_moved;
}

bool conn_io_handshake(struct conn *c)
{
    int rc;

    ERR_clear_error();
    errno = 0;
    c->read_wants_write = false;
    rc = SSL_do_handshake(c->ssl);
    if (rc != 1) {
        (void)tls_later(c, rc, SSL_ERROR_WANT_READ, &c->read_wants_write);
        if (c->is_over && c->why == CONN_END_PEER) {
            c->is_over = false;
            tls_over(c, closed_in_handshake);
        }
        return false;
    }
    c->is_tls = true;
    (void)snprintf(c->tls_summary, sizeof(c->tls_summary), "%s %s",
                   SSL_get_version(c->ssl), SSL_get_cipher_name(c->ssl));
    return true;
}

void conn_io_shut(struct conn *c)
{
    if (c->is_tls) {
        ERR_clear_error();
        (void)SSL_shutdown(c->ssl);
        ERR_clear_error();
    }
    (void)shutdown(c->fd, SHUT_WR);
    c->is_shut = true;
}

bool conn_io_discard(struct conn *c)
{
    uint8_t waste[4096];
    size_t total = 0;

    while (total < TURN_MAX && c->discarded <= DISCARD_MAX) {
        ssize_t got = recv(c->fd, waste, sizeof(waste), 0);

        if (got == -1)
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
        if (got == 0)
            return false;
        total += (size_t)got;
        c->discarded += (size_t)got;
    }
    /* Who goes on for longer does not want our last reply. */
    return c->discarded <= DISCARD_MAX;
}

bool conn_io_has_hidden(const struct conn *c)
{
    /* Not SSL_has_pending(): half a record would count and keep the loop turning. */
    return c->is_tls && SSL_pending(c->ssl) > 0;
}
