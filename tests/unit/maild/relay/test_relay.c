/* SPDX-License-Identifier: ISC */
/* The whole relay role over its channels, against mail servers of ours on loopback. The test
 * plays queue, resolver and directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/core/list.h"
#include "base/crypto/selfca.h"
#include "base/dns/rdata.h"
#include "base/io/conn.h"
#include "base/io/listen.h"
#include "base/msg/envelope.h"
#include "maild/ipc_msgs.h"
#include "maild/relay/relay_int.h"
#include "maild/roles.h"
#include "tests/unit/maild/neighbour.h"

/* ---- a mail server that follows its character ---- */

struct character {
    const char *greeting;
    const char *ehlo; /* keywords, each line "250-X\r\n" */
    const char *rcpt; /* NULL: 250 */
    const char *end;  /* reply to the message; NULL: 250 */
    bool hangs_up_in_data;
    struct tlsctx *tls; /* NULL: STARTTLS is answered, the handshake is not */
};

struct server {
    struct fixture *f;
    struct character is;
    struct listener *listener;
    struct buf said; /* commands of the last session, for the tests to look at */
    struct buf message;
    unsigned sessions;
    struct list open;
};

struct visit {
    struct list link;
    struct server *s;
    struct conn *conn;
    bool in_data;
};

struct fixture {
    struct log log;
    struct loop *loop;
    struct rng rng;
    struct conf *conf;
    struct role_env env;
    void *relay;
    struct ipc *queue, *resolver, *directory;
    uint16_t port;
    struct server servers[2]; /* 127.0.0.1, 127.0.0.2 */
    const char *mx;           /* "10 a;20 b", "!" for NXDOMAIN */
    unsigned questions;       /* of the resolver */
    bool is_resolver_silent;
    unsigned results;
    char host[256];
    struct {
        enum relay_status status;
        char text[512];
    } result[3];
};

static void reply(struct visit *v, const char *text)
{
    assert_int_equal(conn_write(v->conn, span_str(text)), 0);
}

/* `conn` has been freed or handed over. */
static void visit_free(struct visit *v)
{
    list_remove(&v->link);
    conn_free(&v->conn);
    free(v);
}

/* False when the visit is over. */
static bool on_command(struct visit *v, struct span line)
{
    const struct character *is = &v->s->is;

    assert_int_equal(buf_span(&v->s->said, line), 0);
    assert_int_equal(buf_str(&v->s->said, "|"), 0);
    if (span_starts(line, SPAN_LIT("EHLO"))) {
        reply(v, "250-fake\r\n");
        if (is->ehlo != NULL && !conn_is_tls(v->conn))
            reply(v, is->ehlo);
        reply(v, "250 HELP\r\n");
    } else if (span_starts(line, SPAN_LIT("STARTTLS"))) {
        reply(v, "220 go\r\n");
        if (is->tls != NULL)
            conn_start_tls_server(v->conn, is->tls);
    } else if (span_starts(line, SPAN_LIT("RCPT")) && is->rcpt != NULL) {
        reply(v, is->rcpt);
    } else if (span_eq_str(line, "DATA")) {
        reply(v, "354 go\r\n");
        v->in_data = true;
        buf_reset(&v->s->message);
    } else if (span_eq_str(line, "QUIT")) {
        reply(v, "221 bye\r\n");
        conn_finish(&v->conn, 1000);
        visit_free(v);
        return false;
    } else {
        reply(v, "250 ok\r\n");
    }
    return true;
}

/* Take octets of the message. False when the visit is over. */
static bool on_data(struct visit *v)
{
    struct buf *message = &v->s->message;
    struct span in = conn_input(v->conn);
    ptrdiff_t end;
    size_t before = message->len;

    if (v->s->is.hangs_up_in_data) {
        visit_free(v);
        return false;
    }
    assert_int_equal(buf_span(message, in), 0);
    end = span_find(span_drop(buf_all(message), before > 4 ? before - 4 : 0),
                    SPAN_LIT("\r\n.\r\n"));
    if (end < 0) {
        conn_consume(v->conn, in.n);
        return true;
    }
    end += before > 4 ? (ptrdiff_t)before - 4 : 0;
    conn_consume(v->conn, (size_t)end + 5 - before);
    buf_truncate(message, (size_t)end + 2);
    v->in_data = false;
    reply(v, v->s->is.end != NULL ? v->s->is.end : "250 2.0.0 taken\r\n");
    return true;
}

static void on_input(void *ctx)
{
    struct visit *v = ctx;
    bool goes_on = true;

    while (goes_on) {
        struct span in = conn_input(v->conn);
        ptrdiff_t lf = span_index(in, '\n');
        uint8_t line[1024];

        if (in.n > 0 && v->in_data) {
            goes_on = on_data(v);
        } else if (in.n > 0 && in.p[0] == 0x16 &&
                   !conn_is_tls(v->conn)) { /* a ClientHello */
            reply(v, "550 what is this?\r\n");
            conn_finish(&v->conn, 1000);
            visit_free(v);
            goes_on = false;
        } else if (lf > 0) {
            assert_true((size_t)lf < sizeof(line));
            memcpy(line, in.p, (size_t)lf - 1);
            conn_consume(v->conn, (size_t)lf + 1);
            goes_on = on_command(v, span_of(line, (size_t)lf - 1));
        } else {
            goes_on = false;
        }
    }
}

static void on_end(void *ctx, enum conn_end why)
{
    (void)why;
    visit_free(ctx);
}

static void on_accept(void *ctx, int fd, const struct ipaddr *peer, uint16_t port)
{
    static const struct conn_handlers handlers = {.on_input = on_input, .on_end = on_end};
    static const struct conn_limits limits = {65536, 65536, 65536};
    struct server *s = ctx;
    struct visit *v = calloc(1, sizeof(*v));

    (void)peer;
    (void)port;
    assert_non_null(v);
    s->sessions++;
    buf_reset(&s->said);
    v->s = s;
    v->conn = conn_accept(s->f->loop, fd, &limits, &handlers, v);
    list_add_tail(&s->open, &v->link);
    reply(v, s->is.greeting != NULL ? s->is.greeting : "220 fake\r\n");
}

/* ---- queue, resolver, directory ---- */

static void put_rdata(struct wr *w, uint16_t type, const char *text)
{
    struct buf wire;

    buf_init(&wire, 1024);
    assert_int_equal(rdata_parse(type, span_str(text), NULL, &wire, NULL), 0);
    wr_span16(w, buf_all(&wire));
    buf_free(&wire);
}

/* Hosts: good 127.0.0.1, other 127.0.0.2, dead 127.0.0.3 (nobody listens). */
static void put_answer(struct fixture *f, const struct m_resolve *q,
                       struct m_resolve_result *m, struct wr *w)
{
    struct span list = span_str(f->mx), item;

    if (q->type == RR_MX) {
        m->rcode = strcmp(f->mx, "!") == 0 ? 3 : 0;
        while (m->rcode == 0 && list.n > 0) {
            char text[64];

            (void)span_cut(list, ';', &item, &list);
            assert_true(span_copy(item, text, sizeof(text)));
            put_rdata(w, RR_MX, text);
        }
    } else if (q->type == RR_A && span_eq_str(q->name, "good")) {
        put_rdata(w, RR_A, "127.0.0.1");
    } else if (q->type == RR_A && span_eq_str(q->name, "other")) {
        put_rdata(w, RR_A, "127.0.0.2");
    } else if (q->type == RR_A && span_eq_str(q->name, "dead")) {
        put_rdata(w, RR_A, "127.0.0.3");
    } else if (q->type == RR_A && span_eq_str(q->name, "us-by-address")) {
        put_rdata(w, RR_A, "192.0.2.25");
    }
}

static void on_resolve(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct m_resolve_result m = {.rcode = 0};
    struct fixture *f = ctx;
    struct buf rdata, out;
    struct m_resolve q;
    struct wr w;

    assert_true(m_resolve_decode(in->payload, &q));
    f->questions++;
    if (f->is_resolver_silent)
        return;
    buf_init(&rdata, 65536);
    wr_init(&w, &rdata);
    put_answer(f, &q, &m, &w);
    m.rdata = buf_all(&rdata);
    buf_init(&out, 65536 + 1024);
    wr_init(&w, &out);
    m_resolve_result_encode(&m, &w);
    assert_false(w.is_bad);
    assert_int_equal(ipc_reply(ch, in->call, IPC_RESOLVE_RESULT, buf_all(&out), -1), 0);
    buf_free(&rdata);
    buf_free(&out);
}

static void on_directory(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct m_smtp_in_domain_result m = {.status = ANSWER_NO};
    struct buf out;
    struct wr w;

    (void)ctx;
    buf_init(&out, 64);
    wr_init(&w, &out);
    m_smtp_in_domain_result_encode(&m, &w);
    assert_int_equal(
        ipc_reply(ch, in->call, IPC_SMTP_IN_DOMAIN_RESULT, buf_all(&out), -1), 0);
    buf_free(&out);
}

static void on_result(void *ctx, const struct ipc_in *in)
{
    struct fixture *f = ctx;
    struct m_relay_result m;
    struct relay_outcome o;
    struct rd r;

    assert_non_null(in);
    assert_true(m_relay_result_decode(in->payload, &m));
    assert_true(span_copy(m.host, f->host, sizeof(f->host)));
    rd_init(&r, m.results);
    for (size_t i = 0; relay_outcome_next(&r, &o); i++) {
        assert_true(i < 3);
        f->result[i].status = o.status;
        assert_true(span_copy(o.reply, f->result[i].text, sizeof(f->result[i].text)));
    }
    assert_false(r.is_bad);
    f->results++;
}

/* ---- a message ---- */

static int file_of(struct span before, struct span s)
{
    int fd = memfd_create("blob", MFD_CLOEXEC);

    assert_int_not_equal(fd, -1);
    assert_int_equal(write(fd, before.p, before.n), before.n);
    assert_int_equal(write(fd, s.p, s.n), s.n);
    return fd;
}

static void post(struct fixture *f, size_t n_rcpts, struct span message, bool is_8bit)
{
    struct envelope_rcpt rcpts[3] = {
        {RCPT_REMOTE, 0, "r1@them.test", "r1@them.test"},
        {RCPT_REMOTE, 0, "r2@them.test", "r2@them.test"},
        {RCPT_REMOTE, 0, "r3@them.test", "r3@them.test"},
    };
    struct envelope e = {.via = VIA_SUBMISSION,
                         .sender = "a@us.test",
                         .peer = "",
                         .helo = "",
                         .is_8bit = is_8bit,
                         .n = n_rcpts,
                         .rcpts = rcpts};
    struct m_relay m = {.domain = SPAN_LIT("them.test"), .offset = 5, .size = message.n};
    int fd = file_of(SPAN_LIT("HEAD:"), message);
    struct buf env, out;
    struct wr w;

    buf_init(&env, ENVELOPE_OCTETS_MAX);
    wr_init(&w, &env);
    envelope_encode(&e, &w);
    m.envelope = buf_all(&env);
    buf_init(&out, IPC_FRAME_MAX);
    wr_init(&w, &out);
    m_relay_encode(&m, &w);
    assert_false(w.is_bad);
    (void)ipc_call(f->queue, IPC_RELAY, buf_all(&out), fd, 60000, on_result, f);
    (void)close(fd);
    buf_free(&env);
    buf_free(&out);
}

static void send_to(struct fixture *f, size_t n_rcpts, struct span message, bool is_8bit)
{
    unsigned before = f->results;

    post(f, n_rcpts, message, is_8bit);
    while (f->results == before)
        loop_turn(f->loop, 1000);
}

static void want(struct fixture *f, size_t i, enum relay_status status, const char *text)
{
    if (f->result[i].status != status || strstr(f->result[i].text, text) == NULL)
        fail_msg("recipient %zu: %d %s", i, (int)f->result[i].status, f->result[i].text);
}

/* ---- set up ---- */

static void open_server(struct fixture *f, size_t i, const char *addr)
{
    struct server *s = &f->servers[i];
    struct ipaddr a;
    struct err err;
    int fd;

    s->f = f;
    list_init(&s->open);
    buf_init(&s->said, 1 << 16);
    buf_init(&s->message, 1 << 24);
    assert_true(ipaddr_parse(span_str(addr), &a));
    fd = listen_open("fake", &a, f->port, &err);
    if (fd == -1)
        fail_msg("%s", err.text);
    f->port = listen_port(fd);
    s->listener = listener_new(f->loop, fd, "fake", on_accept, s);
}

static struct ipc *join(struct fixture *f, enum role r,
                        void (*cb)(void *, struct ipc *, const struct ipc_in *))
{
    const struct ipc_handlers h = {.message = cb};

    return neighbour_join(&f->env, r, 0, &h, f);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char text[256];
    struct err err;

    assert_non_null(f);
    log_init(&f->log, -1, "test", clock_system());
    f->loop = loop_new(&f->log, clock_system());
    rng_seeded_init(&f->rng, 1);
    open_server(f, 0, "127.0.0.1");
    open_server(f, 1, "127.0.0.2");
    (void)snprintf(
        text, sizeof(text),
        "hostname mail.us.test\naddress 192.0.2.25\nlisten smtp 192.0.2.26:%u\n"
        "outbound_port %u\noutbound_source 127.0.0.9\n",
        f->port, f->port);
    f->conf = conf_parse("test", span_str(text), &err);
    if (f->conf == NULL)
        fail_msg("%s", err.text);
    f->env = (struct role_env){.self = ROLE_RELAY,
                               .loop = f->loop,
                               .log = &f->log,
                               .clock = clock_system(),
                               .rng = &f->rng,
                               .conf = f->conf};
    neighbours_count(&f->env);
    f->relay = relay_start(&f->env, &err);
    if (f->relay == NULL)
        fail_msg("%s", err.text);
    f->queue = join(f, ROLE_QUEUE, NULL);
    f->resolver = join(f, ROLE_RESOLVER, on_resolve);
    f->directory = join(f, ROLE_DIRECTORY, on_directory);
    f->mx = "10 good";
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    relay_stop(f->relay);
    ipc_free(&f->queue);
    ipc_free(&f->resolver);
    ipc_free(&f->directory);
    for (size_t i = 0; i < 2; i++) {
        listener_free(&f->servers[i].listener);
        while (!list_is_empty(&f->servers[i].open))
            visit_free(LIST_ENTRY(f->servers[i].open.next, struct visit, link));
        buf_free(&f->servers[i].said);
        buf_free(&f->servers[i].message);
    }
    conf_free(&f->conf);
    loop_free(&f->loop);
    free(f);
    return 0;
}

static const char short_message[] = "Subject: x\r\n\r\n.dot\r\n";

/* ---- the tests ---- */

static void a_message_is_taken_with_the_peers_own_words(void **state)
{
    struct fixture *f = *state;
    struct server *s = &f->servers[0];

    s->is.ehlo = "250-PIPELINING\r\n250-SIZE\r\n";
    send_to(f, 2, span_str(short_message), false);
    want(f, 0, RELAY_SENT, "250 2.0.0 taken");
    want(f, 1, RELAY_SENT, "250 2.0.0 taken");
    assert_non_null(strstr(f->host, "good[127.0.0.1]:"));
    assert_true(span_eq_str(buf_all(&s->message), "Subject: x\r\n\r\n..dot\r\n"));
    assert_true(
        span_starts(buf_all(&s->said),
                    SPAN_LIT("EHLO mail.us.test|MAIL FROM:<a@us.test> SIZE=20|"
                             "RCPT TO:<r1@them.test>|RCPT TO:<r2@them.test>|DATA|")));
}

static void a_large_message_arrives_whole(void **state)
{
    struct fixture *f = *state;
    struct server *s = &f->servers[0];
    struct buf big;

    buf_init(&big, 1 << 23);
    for (unsigned i = 0; big.len < 5000000; i++)
        assert_int_equal(buf_printf(&big, "line %u of a message\r\n", i), 0);
    send_to(f, 1, buf_all(&big), false);
    want(f, 0, RELAY_SENT, "250 2.0.0 taken");
    assert_true(span_eq(buf_all(&s->message), buf_all(&big)));
    buf_free(&big);
}

static void recipients_get_their_own_results(void **state)
{
    struct fixture *f = *state;

    f->servers[0].is.rcpt = "550-5.1.1 no such\r\n550 5.1.1 user\r\n";
    send_to(f, 3, span_str(short_message), false);
    for (size_t i = 0; i < 3; i++)
        want(f, i, RELAY_FAILED, "550 5.1.1 no such user");
    assert_int_equal(f->servers[0].sessions, 1);
}

static void the_next_host_is_tried_when_one_is_down(void **state)
{
    struct fixture *f = *state;

    f->mx = "10 dead;20 other;30 good";
    f->servers[1].is.greeting = "421 4.3.2 not now\r\n";
    send_to(f, 1, span_str(short_message), false);
    want(f, 0, RELAY_SENT, "250 2.0.0 taken");
    assert_int_equal(f->servers[1].sessions, 1);
    assert_non_null(strstr(f->host, "good["));
}

static void when_all_are_down_the_one_that_spoke_is_quoted(void **state)
{
    struct fixture *f = *state;

    f->mx = "10 other;20 dead";
    f->servers[1].is.greeting = "421 4.3.2 not now\r\n";
    send_to(f, 1, span_str(short_message), false);
    want(f, 0, RELAY_LATER, "421 4.3.2 not now");
    f->mx = "10 dead";
    send_to(f, 1, span_str(short_message), false);
    want(f, 0, RELAY_LATER, "451 4.4.1 connect to dead[127.0.0.3]:");
    assert_string_equal(f->host, ""); /* nobody was reached */
}

static void a_no_from_everyone_is_final_only_if_all_say_it(void **state)
{
    struct fixture *f = *state;

    f->servers[0].is.greeting = "554 5.7.1 listed\r\n";
    f->mx = "10 good";
    send_to(f, 1, span_str(short_message), false);
    want(f, 0, RELAY_FAILED, "554 5.7.1 listed");
    f->mx = "10 good;20 dead";
    send_to(f, 1, span_str(short_message), false);
    want(f, 0, RELAY_LATER, "451 4.4.1 connect to dead");
}

static void dns_decides_without_a_connection(void **state)
{
    struct fixture *f = *state;

    f->mx = "!";
    send_to(f, 1, span_str(short_message), false);
    want(f, 0, RELAY_FAILED, "550 5.1.2 the domain them.test does not exist");
    f->mx = "0 .";
    send_to(f, 1, span_str(short_message), false);
    want(f, 0, RELAY_FAILED, "556 5.1.10 ");
    f->mx = "10 mail.us.test;20 good";
    send_to(f, 1, span_str(short_message), false);
    want(f, 0, RELAY_FAILED, "554 5.4.6 ");
    f->mx = "10 us-by-address;20 good";
    send_to(f, 1, span_str(short_message), false);
    want(f, 0, RELAY_FAILED, "554 5.4.6 ");
    assert_int_equal(f->servers[0].sessions, 0);
}

static void broken_tls_is_said_and_done_without(void **state)
{
    struct fixture *f = *state;

    f->servers[0].is.ehlo = "250-STARTTLS\r\n";
    /* it answers the handshake with text */
    send_to(f, 1, span_str(short_message), false);
    want(f, 0, RELAY_SENT, "250 2.0.0 taken (in clear; TLS failed: ");
    assert_int_equal(f->servers[0].sessions, 2);
}

static void write_file(const char *path, struct span s)
{
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    assert_int_equal(fwrite(s.p, 1, s.n, out), s.n);
    assert_int_equal(fclose(out), 0);
}

static void rfc3207_mail_goes_under_tls_when_offered(void **state)
{
    static const char chain_path[] = "build/test-relay-chain.pem";
    static const char key_path[] = "build/test-relay-key.pem";
    struct fixture *f = *state;
    struct server *s = &f->servers[0];
    const char *const names[] = {"good"};
    struct selfca_request r = {.names = names,
                               .n_names = 1,
                               .now_s = clock_wall_s(clock_system()),
                               .rng = rng_system()};
    struct buf ca, chain, key;
    struct err err;

    buf_init(&ca, 65536);
    buf_init(&chain, 65536);
    buf_init(&key, 65536);
    assert_int_equal(selfca_make(&r, &ca, &chain, &key, &err), 0);
    write_file(chain_path, buf_all(&chain));
    write_file(key_path, buf_all(&key));
    s->is.tls = tlsctx_new_server(chain_path, key_path, &err);
    assert_non_null(s->is.tls);
    s->is.ehlo = "250-STARTTLS\r\n";
    send_to(f, 1, span_str(short_message), false);
    want(f, 0, RELAY_SENT, "250 2.0.0 taken");
    assert_int_equal(s->sessions, 1);
    assert_true(
        span_starts(buf_all(&s->said),
                    SPAN_LIT("EHLO mail.us.test|STARTTLS|EHLO mail.us.test|MAIL")));
    tlsctx_free(&s->is.tls);
    (void)unlink(chain_path);
    (void)unlink(key_path);
    buf_free(&ca);
    buf_free(&chain);
    buf_free(&key);
}

static void a_peer_that_hangs_up_in_the_message_is_not_believed(void **state)
{
    struct fixture *f = *state;
    struct buf big;

    buf_init(&big, 1 << 22);
    while (big.len < 2000000)
        assert_int_equal(buf_str(&big, "so many words\r\n"), 0);
    f->mx = "10 good;20 other";
    f->servers[0].is.hangs_up_in_data = true;
    send_to(f, 1, buf_all(&big), false);
    want(f, 0, RELAY_LATER, "451 4.4.2 ");
    assert_int_equal(f->servers[1].sessions, 0);
    buf_free(&big);
}

static void rfc6152_8bit_needs_a_host_that_takes_it(void **state)
{
    struct fixture *f = *state;

    send_to(f, 1, SPAN_LIT("Subject: \xc3\xbc\r\n\r\n"), true);
    want(f, 0, RELAY_FAILED, "554 5.6.3 ");
    /* announced as 8-bit, but plain ASCII */
    send_to(f, 1, span_str(short_message), true);
    want(f, 0, RELAY_SENT, "250 2.0.0 taken");
    f->servers[0].is.ehlo = "250-8BITMIME\r\n";
    send_to(f, 1, SPAN_LIT("Subject: \xc3\xbc\r\n\r\n"), true);
    want(f, 0, RELAY_SENT, "250 2.0.0 taken");
    assert_true(span_find(buf_all(&f->servers[0].said), SPAN_LIT("> BODY=8BITMIME|")) >
                0);
}

static void more_jobs_than_places_are_all_answered(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 60; i++)
        post(f, 1, span_str(short_message), false);
    while (f->results < 60)
        loop_turn(f->loop, 1000);
    want(f, 0, RELAY_SENT, "250 2.0.0 taken");
    assert_int_equal(f->servers[0].sessions, 60);
}

/* "Later" would put the message off for minutes. */
static void what_the_resolver_died_with_is_asked_again(void **state)
{
    struct fixture *f = *state;

    f->is_resolver_silent = true;
    post(f, 1, span_str(short_message), false);
    while (f->questions == 0)
        loop_turn(f->loop, 1000);
    ipc_free(&f->resolver);
    for (unsigned i = 0; i < 10; i++)
        loop_turn(f->loop, 1);
    assert_int_equal(f->results, 0);
    f->is_resolver_silent = false;
    f->resolver = join(f, ROLE_RESOLVER, on_resolve);
    while (f->results == 0)
        loop_turn(f->loop, 1000);
    want(f, 0, RELAY_SENT, "250 2.0.0 taken");
}

/* Nobody is left to hear of it; the new queue asks again for what was not answered. */
static void jobs_end_with_their_queue(void **state)
{
    struct fixture *f = *state;

    f->is_resolver_silent = true;
    for (unsigned i = 0; i < RELAY_DOMAIN_MAX + 5; i++) /* some of them wait */
        post(f, 1, span_str(short_message), false);
    while (f->questions < RELAY_DOMAIN_MAX)
        loop_turn(f->loop, 1000);
    ipc_free(&f->queue);
    for (unsigned i = 0; i < 10; i++)
        loop_turn(f->loop, 1);
    f->is_resolver_silent = false;
    f->queue = join(f, ROLE_QUEUE, NULL);
    send_to(f, 1, span_str(short_message), false);
    want(f, 0, RELAY_SENT, "250 2.0.0 taken");
    assert_int_equal(f->servers[0].sessions, 1);
    assert_int_equal(f->results, 1);
}

static void an_unreadable_job_breaks_with_the_queue(void **state)
{
    struct fixture *f = *state;
    const struct m_relay m = {.domain = SPAN_LIT("them.test"),
                              .envelope = SPAN_LIT("no envelope")};
    struct buf out;
    struct wr w;

    buf_init(&out, 1024);
    wr_init(&w, &out);
    m_relay_encode(&m, &w);
    assert_int_equal(ipc_send(f->queue, IPC_RELAY, buf_all(&out), -1), 0);
    buf_free(&out);
    for (unsigned i = 0; i < 10; i++)
        loop_turn(f->loop, 1);
    assert_false(ipc_is_up(f->queue));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_taken_with_the_peers_own_words),
        TEST(a_large_message_arrives_whole),
        TEST(recipients_get_their_own_results),
        TEST(the_next_host_is_tried_when_one_is_down),
        TEST(when_all_are_down_the_one_that_spoke_is_quoted),
        TEST(a_no_from_everyone_is_final_only_if_all_say_it),
        TEST(dns_decides_without_a_connection),
        TEST(broken_tls_is_said_and_done_without),
        TEST(rfc3207_mail_goes_under_tls_when_offered),
        TEST(a_peer_that_hangs_up_in_the_message_is_not_believed),
        TEST(rfc6152_8bit_needs_a_host_that_takes_it),
        TEST(more_jobs_than_places_are_all_answered),
        TEST(what_the_resolver_died_with_is_asked_again),
        TEST(jobs_end_with_their_queue),
        TEST(an_unreadable_job_breaks_with_the_queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
