/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/core/buf.h"
#include "base/core/log.h"
#include "base/io/conn.h"
#include "base/io/listen.h"
#include "base/io/pump.h"

/* ---- two ends and what they saw ---- */

struct end {
    struct conn *c;
    struct buf got;
    unsigned inputs, drained, tls, connected, ends;
    enum conn_end why;
    bool keeps, one_line_a_call, frees_in_input, finishes_in_input, wants_tls;
    struct tlsctx *ctx;
};

struct fixture {
    struct log log;
    struct loop *loop;
    struct end a, b;
    int fds[2];
};

static void on_connected(void *ctx)
{
    ((struct end *)ctx)->connected++;
}

static void on_tls(void *ctx)
{
    ((struct end *)ctx)->tls++;
}

static void on_drained(void *ctx)
{
    ((struct end *)ctx)->drained++;
}

static void on_input(void *ctx)
{
    struct end *e = ctx;
    struct span in = conn_input(e->c);
    ptrdiff_t lf = span_index(in, '\n');

    e->inputs++;
    if (e->frees_in_input) {
        conn_free(&e->c);
        return;
    }
    if (e->finishes_in_input) {
        conn_finish(&e->c, 10000);
        return;
    }
    if (e->wants_tls && e->ctx != NULL && conn_input(e->c).n >= 8) {
        e->wants_tls = false;
        conn_consume(e->c, 8); /* "STARTTLS"; whatever follows is an injection */
        assert_int_equal(conn_write(e->c, span_str("220 go\n")), 0);
        conn_start_tls_server(e->c, e->ctx);
        return;
    }
    if (e->keeps)
        return;
    if (e->one_line_a_call) {
        if (lf < 0)
            return;
        in = span_take(in, (size_t)lf + 1);
    }
    assert_int_equal(buf_span(&e->got, in), 0);
    conn_consume(e->c, in.n);
}

static void on_end(void *ctx, enum conn_end why)
{
    struct end *e = ctx;

    e->ends++;
    e->why = why;
}

static const struct conn_handlers handlers = {on_connected, on_tls, on_input, on_drained,
                                              on_end};
static const struct conn_limits limits = {65536, 262144, 65536};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    log_init(&f->log, -1, "test", clock_system());
    f->loop = loop_new(&f->log, clock_system());
    buf_init(&f->a.got, 1 << 24);
    buf_init(&f->b.got, 1 << 24);
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, f->fds), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    conn_free(&f->a.c);
    conn_free(&f->b.c);
    buf_free(&f->a.got);
    buf_free(&f->b.got);
    loop_free(&f->loop);
    free(f);
    return 0;
}

/* Only one side is a conn; the other is the bare descriptor. */
static void one_side(struct fixture *f, const struct conn_limits *lim)
{
    f->a.c = conn_accept(f->loop, f->fds[0], lim, &handlers, &f->a);
}

static void both_sides(struct fixture *f)
{
    one_side(f, &limits);
    f->b.c = conn_accept(f->loop, f->fds[1], &limits, &handlers, &f->b);
}

static void turns(struct fixture *f, unsigned n)
{
    while (n-- > 0)
        loop_turn(f->loop, 0);
}

static void put(int fd, const char *s)
{
    assert_int_equal(send(fd, s, strlen(s), 0), strlen(s));
}

static size_t take(int fd, char *dst, size_t cap)
{
    ssize_t n = recv(fd, dst, cap - 1, MSG_DONTWAIT);

    dst[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

/* ---- clear ---- */

static void input_is_offered_until_nothing_is_consumed(void **state)
{
    struct fixture *f = *state;

    one_side(f, &limits);
    f->a.one_line_a_call = true;
    put(f->fds[1], "one\ntwo\nthr");
    turns(f, 1);
    assert_int_equal(f->a.inputs, 3); /* the third saw half a line */
    assert_true(span_eq_str(buf_all(&f->a.got), "one\ntwo\n"));
    assert_true(span_eq_str(conn_input(f->a.c), "thr"));
    turns(f, 3);
    assert_int_equal(f->a.inputs, 3); /* no news, no call */
    put(f->fds[1], "ee\n");
    turns(f, 1);
    assert_true(span_eq_str(buf_all(&f->a.got), "one\ntwo\nthree\n"));
    (void)close(f->fds[1]);
}

static void end_of_stream_waits_for_a_paused_driver(void **state)
{
    struct fixture *f = *state;
    char text[64];

    one_side(f, &limits);
    conn_pause(f->a.c, true);
    put(f->fds[1], "QUIT\n");
    assert_int_equal(shutdown(f->fds[1], SHUT_WR), 0);
    turns(f, 4);
    assert_int_equal(f->a.inputs, 0);
    assert_int_equal(f->a.ends, 0);
    conn_pause(f->a.c, false);
    assert_int_equal(conn_write(f->a.c, span_str("221 bye\n")), 0);
    turns(f, 2);
    assert_true(span_eq_str(buf_all(&f->a.got), "QUIT\n"));
    assert_int_equal(f->a.ends, 1);
    assert_int_equal(f->a.why, CONN_END_PEER);
    assert_int_equal(take(f->fds[1], text, sizeof(text)), 8);
    (void)close(f->fds[1]);
}

static void a_full_input_buffer_stops_reading(void **state)
{
    static const struct conn_limits small = {8, 64, 64};
    struct fixture *f = *state;

    one_side(f, &small);
    f->a.keeps = true;
    put(f->fds[1], "0123456789abcdef");
    turns(f, 5);
    assert_int_equal(f->a.inputs, 1);
    assert_int_equal(conn_input(f->a.c).n, 8);
    f->a.keeps = false;
    conn_consume(f->a.c, 8);
    turns(f, 3);
    assert_true(span_eq_str(buf_all(&f->a.got), "89abcdef"));
    (void)close(f->fds[1]);
}

static void undrained_output_holds_back_input(void **state)
{
    static const struct conn_limits high = {65536, 1 << 22, 1000};
    struct fixture *f = *state;
    struct buf big;
    char waste[65536];

    buf_init(&big, 1 << 22);
    assert_int_equal(buf_reserve(&big, 1 << 21), 0);
    memset(big.data, 'x', 1 << 21);
    big.len = 1 << 21;
    one_side(f, &high);
    assert_int_equal(conn_write(f->a.c, buf_all(&big)), 0);
    assert_int_equal(conn_write(f->a.c, buf_all(&big)), 0);
    assert_int_equal(conn_write(f->a.c, SPAN_LIT("x")), -1); /* ceiling */
    put(f->fds[1], "more?\n");
    turns(f, 3);
    assert_int_equal(f->a.inputs, 0);
    assert_int_equal(f->a.drained, 0);
    while (f->a.drained == 0) {
        while (recv(f->fds[1], waste, sizeof(waste), MSG_DONTWAIT) > 0)
            ;
        loop_turn(f->loop, 0);
    }
    turns(f, 2);
    assert_int_equal(f->a.inputs, 1);
    assert_int_equal(f->a.drained, 1);
    assert_int_equal(conn_out_len(f->a.c), 0);
    buf_free(&big);
    (void)close(f->fds[1]);
}

static void a_callback_may_free_the_conn(void **state)
{
    struct fixture *f = *state;

    one_side(f, &limits);
    f->a.frees_in_input = true;
    put(f->fds[1], "x");
    turns(f, 2);
    assert_null(f->a.c);
    assert_int_equal(f->a.ends, 0);
    (void)close(f->fds[1]);
}

static void after_finish_nothing_is_said_any_more(void **state)
{
    static const char chunk[16 * 1024];
    struct fixture *f = *state;

    one_side(f, &limits);
    f->a.finishes_in_input = true;
    /* A full read makes conn read on, so the end is seen in the same turn. */
    assert_int_equal(send(f->fds[1], chunk, sizeof(chunk), 0), sizeof(chunk));
    (void)close(f->fds[1]);
    turns(f, 3);
    assert_null(f->a.c);
    assert_int_equal(f->a.ends, 0);
}

static void deadline_ends_a_silent_conn(void **state)
{
    struct fixture *f = *state;

    one_side(f, &limits);
    conn_deadline(f->a.c, 1);
    while (f->a.ends == 0)
        loop_turn(f->loop, 1000);
    assert_int_equal(f->a.why, CONN_END_DEADLINE);
    (void)close(f->fds[1]);
}

static void last_words_are_read_after_a_failed_write(void **state)
{
    struct fixture *f = *state;

    one_side(f, &limits);
    put(f->fds[1], "554 go away\n");
    (void)close(f->fds[1]);
    assert_int_equal(conn_write(f->a.c, span_str("EHLO x\n")), 0);
    turns(f, 3);
    assert_true(span_eq_str(buf_all(&f->a.got), "554 go away\n"));
    assert_int_equal(f->a.ends, 1);
}

static void finish_sends_the_rest_then_closes(void **state)
{
    struct fixture *f = *state;
    char text[64];

    one_side(f, &limits);
    assert_int_equal(conn_write(f->a.c, span_str("221 bye\n")), 0);
    put(f->fds[1], "unread input");
    conn_finish(&f->a.c, 10000);
    assert_null(f->a.c);
    turns(f, 3);
    assert_int_equal(take(f->fds[1], text, sizeof(text)), 8);
    assert_string_equal(text, "221 bye\n");
    assert_int_equal(recv(f->fds[1], text, 1, MSG_DONTWAIT), 0); /* end, not reset */
    (void)close(f->fds[1]);
    turns(f, 2);
    assert_int_equal(f->a.ends, 0);
}

static void the_loop_ends_who_lingers(void **state)
{
    struct fixture *f = *state;

    one_side(f, &limits);
    conn_finish(&f->a.c, 10000); /* the peer never closes: freed with the loop */
    turns(f, 2);
    /* f->fds[1] is closed by the process: nothing to check but the sanitizer */
    (void)close(dup(f->fds[1]));
}

/* ---- connect, listen ---- */

struct acceptor {
    struct fixture *f;
    struct ipaddr peer;
};

static void on_accept(void *ctx, int fd, const struct ipaddr *peer, uint16_t port)
{
    struct acceptor *ac = ctx;

    (void)port;
    ac->peer = *peer;
    ac->f->b.c = conn_accept(ac->f->loop, fd, &limits, &handlers, &ac->f->b);
}

static void connect_reaches_a_listener(void **state)
{
    struct fixture *f = *state;
    struct acceptor ac = {.f = f};
    struct ipaddr addr, source, got;
    struct err err;
    struct listener *s;
    uint16_t port, peer_port;
    int fd, again;

    (void)close(f->fds[0]);
    (void)close(f->fds[1]);
    assert_true(ipaddr_parse(span_str("127.0.0.1"), &addr));
    assert_true(ipaddr_parse(span_str("127.0.0.9"), &source));
    fd = listen_open("smtp", &addr, 0, &err);
    assert_int_not_equal(fd, -1);
    port = listen_port(fd);
    again = listen_open("smtp", &addr, port, &err);
    assert_int_equal(again, -1);
    assert_non_null(strstr(err.text, "smtp 127.0.0.1:"));
    assert_non_null(strstr(err.text, "port taken by another program"));
    s = listener_new(f->loop, fd, "smtp", on_accept, &ac);

    f->a.c = conn_connect(f->loop, &addr, port, &source, &limits, &handlers, &f->a);
    assert_int_equal(conn_write(f->a.c, span_str("hello\n")), 0);
    while (f->b.got.len < 6)
        loop_turn(f->loop, 1000);
    assert_int_equal(f->a.connected, 1);
    assert_true(ipaddr_eq(&ac.peer, &source));
    conn_peer(f->b.c, &got, &peer_port);
    assert_true(ipaddr_eq(&got, &source));
    conn_local(f->b.c, &got, &peer_port);
    assert_true(ipaddr_eq(&got, &addr));
    assert_int_equal(peer_port, port);

    /* Nobody listens there any more. */
    listener_free(&s);
    conn_free(&f->a.c);
    f->a.c = conn_connect(f->loop, &addr, port, NULL, &limits, &handlers, &f->a);
    while (f->a.ends == 0)
        loop_turn(f->loop, 1000);
    assert_int_equal(f->a.why, CONN_END_CONNECT);
    assert_int_equal(conn_error(f->a.c), ECONNREFUSED);
}

/* ---- TLS ---- */

static const char chain_path[] = "build/test-conn-chain.pem";
static const char key_path[] = "build/test-conn-key.pem";

/* A self-signed certificate for "mx.test". */
static int make_certificate(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    X509_EXTENSION *san;
    FILE *out;

    (void)state;
    (void)X509_set_version(x, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    (void)X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    (void)X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                     (const unsigned char *)"mx.test", -1, -1, 0);
    (void)X509_set_issuer_name(x, name);
    (void)X509_set_pubkey(x, key);
    san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:mx.test");
    (void)X509_add_ext(x, san, -1);
    X509_EXTENSION_free(san);
    assert_int_not_equal(X509_sign(x, key, EVP_sha256()), 0);
    out = fopen(chain_path, "w");
    assert_non_null(out);
    assert_int_equal(PEM_write_X509(out, x), 1);
    (void)fclose(out);
    out = fopen(key_path, "w");
    assert_non_null(out);
    assert_int_equal(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
    (void)fclose(out);
    X509_free(x);
    EVP_PKEY_free(key);
    return 0;
}

static int remove_certificate(void **state)
{
    (void)state;
    (void)unlink(chain_path);
    (void)unlink(key_path);
    return 0;
}

/* Clear octets, then TLS on both sides. Returns after the handshake or an end. */
static void shake_hands(struct fixture *f, struct tlsctx *server, struct tlsctx *client,
                        const char *host, bool verify)
{
    both_sides(f);
    f->a.ctx = server;
    f->a.wants_tls = true;
    assert_int_equal(conn_write(f->b.c, span_str("STARTTLS")), 0);
    while (f->b.got.len < 7)
        loop_turn(f->loop, 1000);
    conn_start_tls_client(f->b.c, client, host, verify);
    while (f->b.tls == 0 && f->b.ends == 0)
        loop_turn(f->loop, 1000);
    turns(f, 2);
}

static void starttls_then_octets_both_ways(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct tlsctx *server = tlsctx_new_server(chain_path, key_path, &err);
    struct tlsctx *client = tlsctx_new_client(chain_path, &err);
    struct buf big;

    assert_non_null(server);
    assert_non_null(client);
    assert_int_equal(tlsctx_reload(server, &err), 0);
    shake_hands(f, server, client, "mx.test", true);
    assert_int_equal(f->a.tls, 1);
    assert_int_equal(f->b.tls, 1);
    assert_non_null(strstr(conn_tls_summary(f->a.c), "TLSv1.3 "));

    /* more than the input buffer, a TLS record and a socket buffer hold */
    buf_init(&big, 1 << 20);
    for (uint32_t i = 0; i < 50000; i++)
        assert_int_equal(buf_append(&big, &i, sizeof(i)), 0);
    buf_reset(&f->a.got);
    assert_int_equal(conn_write(f->b.c, buf_all(&big)), 0);
    assert_int_equal(conn_write(f->a.c, span_str("meanwhile")), 0);
    buf_reset(&f->b.got);
    while (f->a.got.len < big.len || f->b.got.len < 9)
        loop_turn(f->loop, 1000);
    assert_true(span_eq(buf_all(&f->a.got), buf_all(&big)));
    assert_true(span_eq_str(buf_all(&f->b.got), "meanwhile"));

    conn_finish(&f->b.c, 10000);
    while (f->a.ends == 0)
        loop_turn(f->loop, 1000);
    assert_int_equal(f->a.why, CONN_END_PEER);
    buf_free(&big);
    tlsctx_free(&server);
    tlsctx_free(&client);
}

static void a_wrong_host_name_is_refused_when_asked_to_verify(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct tlsctx *server = tlsctx_new_server(chain_path, key_path, &err);
    struct tlsctx *client = tlsctx_new_client(chain_path, &err);

    shake_hands(f, server, client, "other.test", true);
    assert_int_equal(f->b.ends, 1);
    assert_int_equal(f->b.why, CONN_END_TLS);
    assert_non_null(strstr(conn_tls_error(f->b.c), "ostname mismatch"));
    tlsctx_free(&server);
    tlsctx_free(&client);
}

static void opportunistic_tls_takes_any_certificate(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct tlsctx *server = tlsctx_new_server(chain_path, key_path, &err);
    struct tlsctx *client = tlsctx_new_client(NULL, &err);

    shake_hands(f, server, client, "192.0.2.1", false);
    assert_int_equal(f->b.tls, 1);
    tlsctx_free(&server);
    tlsctx_free(&client);
}

static void rfc3207_4_2_octets_before_tls_are_thrown_away(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct tlsctx *server = tlsctx_new_server(chain_path, key_path, &err);
    struct tlsctx *client = tlsctx_new_client(NULL, &err);

    both_sides(f);
    f->a.ctx = server;
    f->a.wants_tls = true;
    assert_int_equal(conn_write(f->b.c, span_str("STARTTLSMAIL FROM:<evil>\n")), 0);
    while (f->b.got.len < 7)
        loop_turn(f->loop, 1000);
    conn_start_tls_client(f->b.c, client, "mx.test", false);
    while (f->a.tls == 0)
        loop_turn(f->loop, 1000);
    turns(f, 3);
    assert_int_equal(f->a.got.len, 0);
    assert_int_equal(conn_input(f->a.c).n, 0);
    tlsctx_free(&server);
    tlsctx_free(&client);
}

static void garbage_in_the_handshake_is_a_tls_failure(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct tlsctx *server = tlsctx_new_server(chain_path, key_path, &err);

    one_side(f, &limits);
    conn_start_tls_server(f->a.c, server);
    put(f->fds[1], "EHLO this is no TLS at all, sorry\r\n");
    turns(f, 3);
    assert_int_equal(f->a.ends, 1);
    assert_int_equal(f->a.why, CONN_END_TLS);
    assert_true(strlen(conn_tls_error(f->a.c)) > 0);
    tlsctx_free(&server);
    (void)close(f->fds[1]);
}

static void a_peer_that_closes_in_the_handshake_is_said(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct tlsctx *client = tlsctx_new_client(NULL, &err);

    one_side(f, &limits);
    conn_start_tls_client(f->a.c, client, "mx.test", false);
    turns(f, 1);
    (void)close(f->fds[1]);
    turns(f, 3);
    assert_int_equal(f->a.ends, 1);
    assert_int_equal(f->a.why, CONN_END_TLS);
    assert_non_null(strstr(conn_tls_error(f->a.c), "during the handshake"));
    tlsctx_free(&client);
}

static void certificate_faults_name_the_file(void **state)
{
    struct err err;

    (void)state;
    assert_null(tlsctx_new_server("/nonexistent/chain.pem", key_path, &err));
    assert_non_null(strstr(err.text, "/nonexistent/chain.pem"));
    assert_null(tlsctx_new_server(chain_path, chain_path, &err));
    assert_non_null(strstr(err.text, "private key"));
}

/* ---- pump ---- */

struct pumped {
    struct pump_counts n;
    unsigned done;
};

static void on_pumped(void *ctx, const struct pump_counts *n)
{
    struct pumped *p = ctx;

    p->n = *n;
    p->done++;
}

static void pump_carries_waiting_input_and_ends_with_either_side(void **state)
{
    static const struct conn_limits small = {4096, 4096, 4096};
    struct fixture *f = *state;
    struct pumped seen = {.done = 0};
    struct buf big;
    int inner[2];
    size_t sent = 0, got = 0;
    struct conn *a, *b;

    buf_init(&big, 1 << 20);
    assert_int_equal(buf_reserve(&big, 300000), 0);
    for (big.len = 0; big.len < 300000; big.len++)
        big.data[big.len] = (uint8_t)(big.len * 7 + big.len / 251);
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, inner), 0);
    f->a.keeps = true;
    a = conn_accept(f->loop, f->fds[0], &small, &handlers, &f->a);
    b = conn_accept(f->loop, inner[0], &small, &handlers, &f->b);
    f->a.c = a;
    f->b.c = b;
    put(f->fds[1], "early ");
    turns(f, 2);
    assert_int_equal(conn_input(a).n, 6);
    f->a.c = f->b.c = NULL; /* the pump's from now on */
    assert_non_null(pump_new(a, b, 60000, on_pumped, &seen));
    turns(f, 2);
    {
        char text[16];

        assert_int_equal(take(inner[1], text, sizeof(text)), 6);
        assert_string_equal(text, "early ");
    }
    /* the far side reads slowly; nothing is lost or reordered */
    while (got < big.len) {
        uint8_t piece[1000];
        ssize_t n = send(f->fds[1], big.data + sent, big.len - sent, MSG_DONTWAIT);

        if (n > 0)
            sent += (size_t)n;
        if (sent == big.len)
            (void)shutdown(f->fds[1], SHUT_WR);
        loop_turn(f->loop, 0);
        n = recv(inner[1], piece, sizeof(piece), MSG_DONTWAIT);
        if (n > 0) {
            assert_memory_equal(piece, big.data + got, (size_t)n);
            got += (size_t)n;
        }
    }
    while (seen.done == 0)
        loop_turn(f->loop, 0);
    assert_int_equal(seen.n.a_to_b, 6 + big.len);
    assert_int_equal(seen.n.b_to_a, 0);
    (void)close(inner[1]);
    (void)close(f->fds[1]);
    turns(f, 4);
    buf_free(&big);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(input_is_offered_until_nothing_is_consumed),
        TEST(end_of_stream_waits_for_a_paused_driver),
        TEST(a_full_input_buffer_stops_reading),
        TEST(undrained_output_holds_back_input),
        TEST(a_callback_may_free_the_conn),
        TEST(after_finish_nothing_is_said_any_more),
        TEST(deadline_ends_a_silent_conn),
        TEST(last_words_are_read_after_a_failed_write),
        TEST(finish_sends_the_rest_then_closes),
        TEST(the_loop_ends_who_lingers),
        TEST(connect_reaches_a_listener),
        TEST(starttls_then_octets_both_ways),
        TEST(a_wrong_host_name_is_refused_when_asked_to_verify),
        TEST(opportunistic_tls_takes_any_certificate),
        TEST(rfc3207_4_2_octets_before_tls_are_thrown_away),
        TEST(garbage_in_the_handshake_is_a_tls_failure),
        TEST(a_peer_that_closes_in_the_handshake_is_said),
        cmocka_unit_test(certificate_faults_name_the_file),
        TEST(pump_carries_waiting_input_and_ends_with_either_side),
    };

    return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
