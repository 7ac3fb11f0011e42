/* SPDX-License-Identifier: ISC */
/* test_imap_login.c - IMAP before login on a real connection, with directory and mailbox
 * played by this program. Nothing sleeps: the loop turns until what is waited for has come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "maild/edge/edge_int.h"
#include "maild/edge/imap_login.h"
#include "maild/ipc_msgs.h"
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
    struct buf got;
    enum answer auth, login; /* what the others say */
    int inner;               /* the mailbox role's end of the session */
    struct buf asked;        /* "login:password" */
    char tag[70];
};

static void on_directory(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct world *w = ctx;
    struct m_auth_result r = {.status = (uint8_t)w->auth, .account_id = 5};
    struct m_auth m;
    struct buf out;
    struct wr wr;

    assert_int_equal(in->type, IPC_AUTH);
    assert_true(m_auth_decode(in->payload, &m));
    assert_int_equal(m.service, AUTH_IMAP);
    buf_reset(&w->asked);
    assert_int_equal(
        buf_printf(&w->asked, "%.*s:%.*s", SPAN_ARG(m.login), SPAN_ARG(m.password)), 0);
    r.login = m.login;
    r.ticket = SPAN_LIT("0123456789abcdef");
    buf_init(&out, 1000);
    wr_init(&wr, &out);
    m_auth_result_encode(&r, &wr);
    assert_int_equal(ipc_reply(ch, in->call, IPC_AUTH_RESULT, buf_all(&out), -1), 0);
    buf_free(&out);
}

static void on_mailbox(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct world *w = ctx;
    struct m_login_result r = {.status = (uint8_t)w->login};
    struct m_login m;
    struct buf out;
    struct wr wr;

    assert_int_equal(in->type, IPC_LOGIN);
    assert_true(m_login_decode(in->payload, &m));
    assert_true(span_eq_str(m.ticket, "0123456789abcdef"));
    assert_true(span_copy(m.tag, w->tag, sizeof(w->tag)));
    assert_int_not_equal(in->fd, -1);
    if (w->login == ANSWER_YES)
        w->inner = in->fd;
    else
        (void)close(in->fd);
    buf_init(&out, 100);
    wr_init(&wr, &out);
    m_login_result_encode(&r, &wr);
    assert_int_equal(ipc_reply(ch, in->call, IPC_LOGIN_RESULT, buf_all(&out), -1), 0);
    buf_free(&out);
}

static void on_gone(void *ctx, struct ipc *ch)
{
    struct world *w = ctx;

    for (int r = 0; r < ROLE_COUNT; r++) {
        if (w->fake[r] == ch)
            ipc_free(&w->fake[r]);
    }
}

static void pair(struct world *w, enum role r)
{
    static const struct ipc_handlers directory = {.message = on_directory,
                                                  .closed = on_gone};
    static const struct ipc_handlers mailbox = {.message = on_mailbox, .closed = on_gone};

    w->fake[r] =
        neighbour_join(&w->env, r, 0, r == ROLE_DIRECTORY ? &directory : &mailbox, w);
}

static int setup(void **state)
{
    static const char text[] = "hostname mail.example.com\n"
                               "address 192.0.2.25\n"
                               "listen dns 192.0.2.25:53\n" /* no port is opened */
                               "data_dir /nonexistent\n"
                               "allow_cleartext_login yes\n";
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
    pair(w, ROLE_DIRECTORY);
    pair(w, ROLE_MAILBOX);
    buf_init(&w->got, 1u << 20);
    buf_init(&w->asked, 4096);
    w->client = w->inner = -1;
    w->auth = w->login = ANSWER_YES;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    edge_stop(w->edge);
    if (w->client != -1)
        (void)close(w->client);
    if (w->inner != -1)
        (void)close(w->inner);
    for (int r = 0; r < ROLE_COUNT; r++)
        ipc_free(&w->fake[r]);
    loop_free(&w->loop);
    conf_free(&w->conf);
    buf_free(&w->got);
    buf_free(&w->asked);
    free(w);
    return 0;
}

static void call(struct world *w, bool is_full)
{
    struct edge_client c = {.service = CONF_IMAP, .peer_port = 1234, .is_full = is_full};
    int fds[2];

    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_true(ipaddr_parse(SPAN_LIT("192.0.2.9"), &c.peer));
    c.fd = fds[0];
    w->client = fds[1];
    if (!is_full)
        assert_int_equal(limits_take(w->edge->limits, &c.peer), LIMITS_OK);
    imap_login_accept(w->edge, &c);
}

static void hear_on(struct world *w, const int *fd, const char *want)
{
    char chunk[4096];
    ssize_t n;

    for (int i = 0; i < TURNS; i++) {
        ptrdiff_t at = span_find(buf_all(&w->got), span_str(want));

        if (at >= 0) {
            buf_drop(&w->got, (size_t)at + strlen(want));
            return;
        }
        loop_turn(w->loop, 5);
        while (*fd != -1 && (n = read(*fd, chunk, sizeof(chunk))) > 0)
            assert_int_equal(buf_append(&w->got, chunk, (size_t)n), 0);
    }
    fail_msg("wanted %s, came %.*s", want, SPAN_ARG(buf_all(&w->got)));
}

static void hear(struct world *w, const char *want)
{
    hear_on(w, &w->client, want);
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void test_before_login(void **state)
{
    struct world *w = *state;

    call(w, false);
    hear(w, "* OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID AUTH=PLAIN] mail.example.com "
            "Signpost\r\n");
    say(w->client, "a CAPABILITY\r\nb NOOP\r\nc SELECT x\r\nd STARTTLS\r\ne LOGOUT\r\n");
    hear(
        w,
        "a OK that is all\r\nb OK nothing done\r\nc BAD log in first\r\n"
        "d BAD TLS is not on offer here\r\n* BYE until next time\r\ne OK logged out\r\n");
}

/* What comes behind the login command is the mailbox role's, in order, and nothing is lost
 * on the way back. */
static void test_session_is_passed_on(void **state)
{
    struct world *w = *state;

    call(w, false);
    hear(w, "Signpost\r\n");
    say(w->client, "a1 LOGIN joe \"a b\"\r\nb SELECT INBOX\r\nc NOOP\r\n");
    hear_on(w, &w->inner, "b SELECT INBOX\r\nc NOOP\r\n");
    assert_string_equal(buf_cstr(&w->asked), "joe:a b");
    assert_string_equal(w->tag, "a1");
    say(w->inner, "a1 OK logged in\r\nb OK selected\r\n");
    hear(w, "a1 OK logged in\r\nb OK selected\r\n");
    say(w->client, "d LOGOUT\r\n");
    hear_on(w, &w->inner, "d LOGOUT\r\n");
    say(w->inner, "* BYE\r\n");
    (void)close(w->inner);
    w->inner = -1;
    hear(w, "* BYE\r\n");
    for (int i = 0; i < TURNS && w->edge->session_count > 0; i++)
        loop_turn(w->loop, 5);
    assert_int_equal(w->edge->session_count, 0);
}

static void test_plain(void **state)
{
    struct world *w = *state;

    call(w, false);
    say(w->client, "x AUTHENTICATE PLAIN\r\n");
    hear(w, "+ \r\n");
    say(w->client, "AGpvZQB4eQ==\r\n");
    for (int i = 0; i < TURNS && w->inner == -1; i++)
        loop_turn(w->loop, 5);
    assert_int_not_equal(w->inner, -1);
    assert_string_equal(buf_cstr(&w->asked), "joe:xy");
    assert_string_equal(w->tag, "x");
}

static void test_not_now(void **state)
{
    struct world *w = *state;

    w->auth = ANSWER_LATER;
    call(w, false);
    say(w->client, "a LOGIN joe x\r\n");
    hear(w, "a NO [UNAVAILABLE] passwords cannot be checked now");
    w->auth = ANSWER_YES;
    w->login = ANSWER_NO;
    say(w->client, "b LOGIN joe x\r\n");
    hear(w, "b NO [UNAVAILABLE] no session can be opened now");
    ipc_free(&w->fake[ROLE_DIRECTORY]);
    for (int i = 0; i < 10; i++)
        loop_turn(w->loop, 1);
    say(w->client, "c LOGIN joe x\r\n");
    hear(w, "c NO [UNAVAILABLE] passwords cannot be checked now");
}

static void test_full_and_stop(void **state)
{
    struct world *w = *state;

    call(w, true);
    hear(w, "* BYE [UNAVAILABLE] too many sessions, try again later\r\n");
    (void)close(w->client);
    call(w, false);
    hear(w, "Signpost\r\n");
    LIST_ENTRY(w->edge->sessions.next, struct edge_session, link)
        ->stop(LIST_ENTRY(w->edge->sessions.next, struct edge_session, link));
    hear(w, "* BYE the server is going down\r\n");
    assert_int_equal(w->edge->session_count, 0);
}

/* Gone at any moment, and killed at any moment. */
static void test_client_gone(void **state)
{
    static const char *const last_words[] = {"", "a LOGIN jo", "a LOGIN joe x\r\n",
                                             "a AUTHENTICATE PLAIN\r\n"};
    struct world *w = *state;

    for (size_t i = 0; i < COUNT_OF(last_words) * 4; i++) {
        call(w, false);
        say(w->client, last_words[i / 4]);
        for (size_t k = 0; k < i % 4; k++)
            loop_turn(w->loop, 1);
        (void)close(w->client);
        w->client = -1;
        for (int k = 0; k < 5 && i % 2 == 0; k++)
            loop_turn(w->loop, 1);
        if (w->inner != -1)
            (void)close(w->inner);
        w->inner = -1;
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_before_login), T(test_session_is_passed_on), T(test_plain),
        T(test_not_now),      T(test_full_and_stop),        T(test_client_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
