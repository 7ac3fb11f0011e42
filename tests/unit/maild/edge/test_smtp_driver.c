/* SPDX-License-Identifier: ISC */
/* test_smtp_driver.c - the edge role on real channels and a real connection, with directory,
 * queue and resolver played by this program. Nothing sleeps: the loop turns until what is
 * waited for has come, or a thousand turns have passed. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "base/msg/envelope.h"
#include "maild/edge/edge_int.h"
#include "maild/ipc_msgs.h"
#include "maild/smtp/session.h"
#include "tests/unit/maild/neighbour.h"

#define TURNS 1000

struct world {
    struct log log;
    struct clock clock;
    struct rng rng;
    struct loop *loop;
    struct conf *conf;
    struct role_env env;
    struct ipc *fake[ROLE_COUNT];
    struct edge *edge;
    int client;
    struct buf got; /* what the client has received */
    /* what queue was told */
    struct arena *arena;
    struct envelope envelope;
    struct buf body, trace, facts;
    size_t accepted, verdicts, files, drops;
    bool is_queue_silent;
    uint64_t held_call;
    /* what the parent was told */
    size_t stopped;
};

/* Never reached: no IMAP port is opened here. */
void imap_login_accept(struct edge *e, const struct edge_client *c)
{
    (void)e;
    (void)close(c->fd);
}

static void reply(struct ipc *ch, uint64_t call, uint16_t type, struct buf *out, int fd)
{
    assert_int_equal(ipc_reply(ch, call, type, buf_all(out), fd), 0);
    buf_free(out);
}

/* Only anna, only with her password, and always with the client's address. */
static void answer_auth(struct ipc *ch, const struct ipc_in *in)
{
    struct m_auth_result r = {.status = ANSWER_NO};
    struct m_auth m;
    struct buf out;
    struct wr w;

    assert_true(m_auth_decode(in->payload, &m));
    assert_true(span_eq_str(m.peer, "192.0.2.9"));
    assert_int_equal(m.service, AUTH_SUBMISSION);
    if (span_eq_str(m.login, "anna") && span_eq_str(m.password, "secret"))
        r = (struct m_auth_result){.status = ANSWER_YES,
                                   .account_id = 7,
                                   .login = SPAN_LIT("anna@example.com"),
                                   .ticket = SPAN_LIT("0123456789abcdef")};
    buf_init(&out, 2000);
    wr_init(&w, &out);
    m_auth_result_encode(&r, &w);
    assert_false(w.is_bad);
    reply(ch, in->call, IPC_AUTH_RESULT, &out, -1);
}

/* Anna may be anna@example.com. */
static void answer_sender(struct ipc *ch, const struct ipc_in *in)
{
    struct m_sender_result r = {.status = ANSWER_NO};
    struct m_sender m;
    struct buf out;
    struct wr w;

    assert_true(m_sender_decode(in->payload, &m));
    if (m.login_account == 7 && span_eq_str(m.address, "anna@example.com"))
        r.status = ANSWER_YES;
    buf_init(&out, 100);
    wr_init(&w, &out);
    m_sender_result_encode(&r, &w);
    reply(ch, in->call, IPC_SENDER_RESULT, &out, -1);
}

static void on_directory(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct m_rcpt_result r = {.status = RCPT_OK_LOCAL};
    struct buf out, targets;
    struct m_rcpt m;
    struct wr w;

    (void)ctx;
    if (in->type == IPC_AUTH) {
        answer_auth(ch, in);
        return;
    }
    if (in->type == IPC_SENDER) {
        answer_sender(ch, in);
        return;
    }
    assert_int_equal(in->type, IPC_RCPT);
    assert_true(m_rcpt_decode(in->payload, &m));
    if (span_starts(m.address, SPAN_LIT("nobody@")))
        r.status = RCPT_UNKNOWN;
    buf_init(&targets, 1000);
    buf_init(&out, 2000);
    wr_init(&w, &targets);
    rcpt_target_put(&w, &(struct rcpt_target){RCPT_LOCAL, 5, m.address});
    r.targets = buf_all(&targets);
    wr_init(&w, &out);
    m_rcpt_result_encode(&r, &w);
    reply(ch, in->call, IPC_RCPT_RESULT, &out, -1);
    buf_free(&targets);
}

static void send_result(struct world *w, uint64_t call)
{
    struct buf out;
    struct wr wr;

    buf_init(&out, 100);
    wr_init(&wr, &out);
    m_accept_result_encode(
        &(struct m_accept_result){.code = 250, .text = SPAN_LIT("2.0.0 taken")}, &wr);
    reply(w->fake[ROLE_QUEUE], call, IPC_ACCEPT_RESULT, &out, -1);
}

static void take_message(struct world *w, const struct ipc_in *in)
{
    struct m_accept m;
    struct rd r;

    assert_true(m_accept_decode(in->payload, &m));
    rd_init(&r, m.envelope);
    assert_true(envelope_decode(&r, w->arena, &w->envelope));
    buf_reset(&w->body);
    buf_reset(&w->trace);
    buf_reset(&w->facts);
    assert_int_equal(buf_span(&w->trace, m.trace), 0);
    assert_int_equal(buf_span(&w->facts, m.facts), 0);
    if (in->fd == -1) {
        assert_int_equal(buf_span(&w->body, m.body), 0);
    } else {
        assert_int_equal(m.body.n, 0);
        assert_int_equal(lseek(in->fd, 0, SEEK_END), m.body_size);
        assert_int_equal(buf_reserve(&w->body, m.body_size), 0);
        assert_int_equal(pread(in->fd, w->body.data, m.body_size, 0), m.body_size);
        w->body.len = m.body_size;
        (void)close(in->fd);
    }
    assert_int_equal(w->body.len, m.body_size);
    w->accepted++;
    if (w->is_queue_silent)
        w->held_call = in->call;
    else
        send_result(w, in->call);
}

static void on_queue(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct world *w = ctx;
    struct buf out;
    struct wr wr;
    int fd;

    if (in->type == IPC_VERDICT) {
        w->verdicts++;
        return;
    }
    if (in->type == IPC_ACCEPT) {
        take_message(w, in);
        return;
    }
    if (in->type == IPC_BODY_DROP) {
        w->drops++;
        return;
    }
    assert_int_equal(in->type, IPC_BODY_OPEN);
    fd = memfd_create("body", MFD_CLOEXEC);
    assert_true(fd != -1);
    w->files++;
    buf_init(&out, 100);
    wr_init(&wr, &out);
    m_body_file_encode(&(struct m_body_file){.status = ANSWER_YES}, &wr);
    reply(ch, in->call, IPC_BODY_FILE, &out, fd);
    (void)close(fd);
}

/* 192.0.2.9 is called client.example, and that leads back to it. */
static void on_resolver(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    static const uint8_t name[] = "\6client\7example";
    static const uint8_t address[] = {192, 0, 2, 9};
    struct m_resolve_e_result r = {.rcode = 0};
    struct buf out, rdata;
    struct m_resolve_e m;
    struct wr w;

    (void)ctx;
    assert_true(m_resolve_e_decode(in->payload, &m));
    buf_init(&rdata, 1000);
    buf_init(&out, 2000);
    wr_init(&w, &rdata);
    if (m.type == 12 && span_eq_str(m.name, "9.2.0.192.in-addr.arpa"))
        wr_span16(&w, span_of(name, sizeof(name)));
    else if (m.type == 1 && span_eq_str(m.name, "client.example"))
        wr_span16(&w, span_of(address, sizeof(address)));
    r.rdata = buf_all(&rdata);
    wr_init(&w, &out);
    m_resolve_e_result_encode(&r, &w);
    reply(ch, in->call, IPC_RESOLVE_E_RESULT, &out, -1);
    buf_free(&rdata);
}

static void on_parent(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    (void)ctx;
    (void)ch;
    (void)in;
}

static void pair(struct world *w, enum role r)
{
    static const struct ipc_handlers handlers[ROLE_COUNT] = {
        [ROLE_PARENT] = {.message = on_parent},
        [ROLE_DIRECTORY] = {.message = on_directory},
        [ROLE_QUEUE] = {.message = on_queue},
        [ROLE_RESOLVER] = {.message = on_resolver},
    };

    w->fake[r] = neighbour_join(&w->env, r, 0, &handlers[r], w);
}

static void call_service(struct world *w, enum conf_service service, const char *ip)
{
    struct edge_client c = {.service = service, .peer_port = 1234};
    int fds[2];

    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_true(ipaddr_parse(span_str(ip), &c.peer));
    c.fd = fds[0];
    w->client = fds[1];
    c.is_full = limits_take(w->edge->limits, &c.peer) != LIMITS_OK;
    smtp_driver_accept(w->edge, &c);
}

static void call_client(struct world *w, const char *ip)
{
    call_service(w, CONF_SMTP, ip);
}

static int setup(void **state)
{
    static const char text[] =
        "hostname mail.example.com\n"
        "address 192.0.2.25\n"
        "listen dns 192.0.2.25:53\n" /* not ours: no port is opened */
        "data_dir /nonexistent\n"
        "sessions_per_client_max 1\n"
        "allow_cleartext_login yes\n"
        "message_size_max 1000000\n";
    struct world *w = mem_new(1, sizeof(*w));
    struct err err = {0};

    clock_fake_init(&w->clock, 1795379400);
    rng_seeded_init(&w->rng, 7);
    log_init(&w->log, -1, "edge", &w->clock);
    w->loop = loop_new(&w->log, &w->clock);
    w->conf = conf_parse("test", span_str(text), &err);
    if (w->conf == NULL)
        fail_msg("%s", err.text);
    w->env = (struct role_env){.self = ROLE_EDGE,
                               .loop = w->loop,
                               .log = &w->log,
                               .clock = &w->clock,
                               .rng = &w->rng,
                               .conf = w->conf};
    neighbours_count(&w->env);
    w->edge = edge_start(&w->env, &err);
    if (w->edge == NULL)
        fail_msg("%s", err.text);
    pair(w, ROLE_PARENT);
    pair(w, ROLE_DIRECTORY);
    pair(w, ROLE_QUEUE);
    pair(w, ROLE_RESOLVER);
    w->arena = arena_new(1u << 20);
    buf_init(&w->got, 1u << 20);
    buf_init(&w->body, 4u << 20);
    buf_init(&w->trace, 4096);
    buf_init(&w->facts, 8193);
    w->client = -1;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    edge_stop(w->edge);
    if (w->client != -1)
        (void)close(w->client);
    for (int r = 0; r < ROLE_COUNT; r++) {
        ipc_free(&w->fake[r]);
    }
    loop_free(&w->loop);
    conf_free(&w->conf);
    arena_free(&w->arena);
    buf_free(&w->got);
    buf_free(&w->body);
    buf_free(&w->trace);
    buf_free(&w->facts);
    free(w);
    return 0;
}

static void read_some(struct world *w)
{
    char chunk[4096];
    ssize_t n;

    loop_turn(w->loop, 5);
    while ((n = read(w->client, chunk, sizeof(chunk))) > 0)
        assert_int_equal(buf_append(&w->got, chunk, (size_t)n), 0);
}

static void say(struct world *w, struct span what)
{
    for (int turns = 0; what.n > 0 && turns < TURNS * 100; turns++) {
        ssize_t n = send(w->client, what.p, what.n, MSG_NOSIGNAL);

        if (n > 0)
            what = span_drop(what, (size_t)n);
        else
            read_some(w);
    }
    assert_int_equal(what.n, 0);
}

/* Turn until `want` has been received; forget everything up to its end. */
static void hear(struct world *w, const char *want)
{
    for (int turns = 0; turns < TURNS; turns++) {
        ptrdiff_t at = span_find(buf_all(&w->got), span_str(want));

        if (at >= 0) {
            buf_drop(&w->got, (size_t)at + strlen(want));
            return;
        }
        read_some(w);
    }
    fail_msg("wanted %s, came %.*s", want, SPAN_ARG(buf_all(&w->got)));
}

static void say_line(struct world *w, const char *line)
{
    say(w, span_str(line));
    say(w, SPAN_LIT("\r\n"));
}

static void begin_message(struct world *w)
{
    call_client(w, "192.0.2.9");
    hear(w, "220 mail.example.com ESMTP");
    say_line(w, "EHLO client.example\r\nMAIL FROM:<a@client.example>\r\n"
                "RCPT TO:<nobody@example.com>\r\nRCPT TO:<anna@example.com>\r\nDATA");
    hear(w, "250 HELP\r\n");
    hear(w, "250 2.1.0");
    hear(w, "550 5.1.1");
    hear(w, "250 2.1.5");
    hear(w, "354 ");
}

static void test_small_message(void **state)
{
    struct world *w = *state;

    begin_message(w);
    say_line(w, "Subject: x\r\n\r\n..dot\r\n.\r\nQUIT");
    hear(w, "250 2.0.0 taken\r\n");
    hear(w, "221 ");
    assert_int_equal(w->accepted, 1);
    assert_int_equal(w->verdicts, 1);
    assert_int_equal(w->files, 0);
    assert_true(span_eq_str(buf_all(&w->body), "Subject: x\r\n\r\n.dot\r\n"));
    assert_string_equal(w->envelope.sender, "a@client.example");
    assert_string_equal(w->envelope.peer, "192.0.2.9");
    assert_string_equal(w->envelope.helo, "client.example");
    assert_int_equal(w->envelope.via, VIA_SMTP);
    assert_int_equal(w->envelope.n, 1);
    assert_int_equal(w->envelope.rcpts[0].account_id, 5);
    assert_string_equal(w->envelope.rcpts[0].original, "anna@example.com");
    assert_true(span_starts(
        buf_all(&w->trace),
        SPAN_LIT("Received: from client.example (client.example [192.0.2.9])\r\n"
                 "\tby mail.example.com with ESMTP id ")));
    assert_true(span_find(buf_all(&w->trace), SPAN_LIT("\tfor <anna@example.com>;")) > 0);
    assert_true(span_find(buf_all(&w->facts), SPAN_LIT("\"rdns_state\":\"confirmed\"")) >
                0);
    assert_true(span_find(buf_all(&w->facts), SPAN_LIT("\"code\":550")) > 0);
}

/* More than memory takes: through a file, octet for octet. */
static void test_large_message(void **state)
{
    struct world *w = *state;
    struct buf want;

    begin_message(w);
    buf_init(&want, 1u << 20);
    assert_int_equal(buf_str(&want, "Subject: large\r\n\r\n"), 0);
    for (int i = 0; want.len < 900000; i++)
        assert_int_equal(buf_printf(&want, "line %d of a large message\r\n", i), 0);
    say(w, buf_all(&want));
    say_line(w, ".");
    hear(w, "250 2.0.0 taken\r\n");
    assert_int_equal(w->files, 1);
    assert_int_equal(w->body.len, want.len);
    assert_memory_equal(w->body.data, want.data, want.len);
    buf_free(&want);
    for (int turns = 0; turns < TURNS && w->drops == 0; turns++)
        loop_turn(w->loop, 5);
    assert_int_equal(w->drops, 1); /* its temporary name is not needed any more */
}

static void test_too_large_message(void **state)
{
    struct world *w = *state;
    struct buf junk;

    begin_message(w);
    buf_init(&junk, 2u << 20);
    while (junk.len < 1200000)
        assert_int_equal(buf_str(&junk, "0123456789012345678901234567890123456789\r\n"),
                         0);
    say(w, buf_all(&junk));
    say_line(w, ".");
    hear(w, "552 5.3.4");
    say_line(w, "NOOP");
    hear(w, "250 ");
    assert_int_equal(w->accepted, 0);
    assert_int_equal(w->verdicts, 2);
    buf_free(&junk);
}

/* The client goes in the middle of a message: nothing is taken, the place is given back. */
static void test_lost_client(void **state)
{
    struct world *w = *state;

    begin_message(w);
    say_line(w, "Subject: x");
    (void)close(w->client);
    w->client = -1;
    for (int turns = 0; w->edge->session_count > 0 && turns < TURNS; turns++)
        loop_turn(w->loop, 5);
    for (int turns = 0; w->verdicts < 2 && turns < TURNS; turns++)
        loop_turn(w->loop, 5);
    assert_int_equal(w->edge->session_count, 0);
    assert_int_equal(limits_count(w->edge->limits), 0);
    assert_int_equal(w->accepted, 0);
    assert_int_equal(w->verdicts, 2);
}

static void test_second_session_is_refused(void **state)
{
    struct world *w = *state;
    int first;

    call_client(w, "192.0.2.9");
    hear(w, "220 ");
    first = w->client;
    call_client(w, "192.0.2.9");
    hear(w, "421 4.7.0 Too many connections");
    (void)close(w->client);
    w->client = first;
    say_line(w, "QUIT");
    hear(w, "221 ");
}

/* Queue dies while it is asked: try later, and the session lives. */
static void test_queue_gone(void **state)
{
    struct world *w = *state;

    w->is_queue_silent = true;
    begin_message(w);
    say_line(w, "Subject: x\r\n\r\n.");
    for (int turns = 0; w->accepted == 0 && turns < TURNS; turns++)
        loop_turn(w->loop, 5);
    ipc_free(&w->fake[ROLE_QUEUE]);
    hear(w, "451 4.3.2");
    say_line(w, "MAIL FROM:<>\r\nRCPT TO:<anna@example.com>\r\nDATA");
    hear(w, "354 ");
    say_line(w, ".");
    hear(w, "451 4.3.2");
    /* back again: the same session goes on */
    w->is_queue_silent = false;
    pair(w, ROLE_QUEUE);
    say_line(w, "MAIL FROM:<>\r\nRCPT TO:<anna@example.com>\r\nDATA");
    hear(w, "354 ");
    say_line(w, ".");
    hear(w, "250 ");
}

static void test_directory_gone(void **state)
{
    struct world *w = *state;

    call_client(w, "192.0.2.9");
    hear(w, "220 ");
    say_line(w, "EHLO c.example\r\nMAIL FROM:<a@b.example>");
    hear(w, "250 2.1.0");
    ipc_free(&w->fake[ROLE_DIRECTORY]);
    say_line(w, "RCPT TO:<anna@example.com>");
    hear(w, "451 4.3.0 Cannot check this recipient now");
    pair(w, ROLE_DIRECTORY);
    say_line(w, "RCPT TO:<anna@example.com>");
    hear(w, "250 ");
}

/* Asked to stop while a message is being made durable: its answer first, then goodbye. */
static void test_stop_waits_for_the_answer(void **state)
{
    struct world *w = *state;
    struct buf out;
    struct wr wr;

    w->is_queue_silent = true;
    begin_message(w);
    say_line(w, "Subject: x\r\n\r\n.");
    for (int turns = 0; w->accepted == 0 && turns < TURNS; turns++)
        loop_turn(w->loop, 5);
    buf_init(&out, 100);
    wr_init(&wr, &out);
    m_stop_encode(&(struct m_stop){.within_ms = 60000}, &wr);
    assert_int_equal(ipc_send(w->fake[ROLE_PARENT], IPC_STOP, buf_all(&out), -1), 0);
    buf_free(&out);
    for (int turns = 0; !w->edge->is_stopping && turns < TURNS; turns++)
        loop_turn(w->loop, 5);
    assert_int_equal(w->edge->session_count, 1);
    send_result(w, w->held_call);
    hear(w, "250 2.0.0 taken\r\n");
    hear(w, "421 4.3.2");
    assert_int_equal(w->edge->session_count, 0);
}

/* One command in five minutes is not enough. */
static void test_idle(void **state)
{
    struct world *w = *state;

    call_client(w, "2001:db8::1");
    hear(w, "220 ");
    say(w, SPAN_LIT("EHL"));
    read_some(w);
    w->edge->policies[CONF_SMTP].idle_ms =
        1; /* the next command's; this one's is longer */
    say_line(w, "O x");
    hear(w, "250 HELP\r\n");
    clock_fake_advance(&w->clock, 2);
    hear(w, "421 4.4.2");
}

static void test_submission(void **state)
{
    struct world *w = *state;

    call_service(w, CONF_SUBMISSION, "192.0.2.9");
    hear(w, "220 ");
    say_line(w, "EHLO laptop\r\nMAIL FROM:<anna@example.com>");
    hear(w, "530 5.7.0");
    say_line(w, "AUTH PLAIN AGFubmEAd3Jvbmc=");
    hear(w, "535 5.7.8");
    say_line(w, "AUTH PLAIN AGFubmEAc2VjcmV0");
    hear(w, "235 2.7.0");
    say_line(w, "MAIL FROM:<eve@example.com>");
    hear(w, "553 5.7.1");
    say_line(w, "MAIL FROM:<anna@example.com>\r\nRCPT TO:<far@example.net>\r\nDATA");
    hear(w, "354 ");
    say_line(w, "From: Eve <eve@example.com>\r\n\r\n.");
    hear(w, "553 5.7.1");
    say_line(w, "MAIL FROM:<anna@example.com>\r\nRCPT TO:<far@example.net>\r\nDATA");
    hear(w, "354 ");
    say_line(w, "From: Anna <anna@example.com>\r\n\r\n.");
    hear(w, "250 2.0.0 taken");
    assert_int_equal(w->envelope.via, VIA_SUBMISSION);
    assert_int_equal(w->envelope.login_account, 7);
    assert_true(
        span_find(buf_all(&w->facts), SPAN_LIT("\"login\":\"anna@example.com\"")) > 0);
    assert_true(span_find(buf_all(&w->trace), SPAN_LIT("with ESMTPA id")) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_small_message, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_message, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_large_message, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_client, setup, teardown),
        cmocka_unit_test_setup_teardown(test_second_session_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_queue_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_directory_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop_waits_for_the_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_submission, setup, teardown),
        cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
