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
    struct buf early;        /* what edge had read behind the login */
    struct ipc *ask_ch;      /* with auth 0: whom to answer later */
    uint64_t ask_call;
    char tag[70];
};

static void auth_answer(struct world *w, struct ipc *ch, uint64_t call, struct span login)
{
    const struct m_auth_result r = {.status = (uint8_t)w->auth,
                                    .account_id = 5,
                                    .login = login,
                                    .ticket = SPAN_LIT("0123456789abcdef")};
    struct buf out;
    struct wr wr;

    buf_init(&out, 1000);
    wr_init(&wr, &out);
    m_auth_result_encode(&r, &wr);
    assert_int_equal(ipc_reply(ch, call, IPC_AUTH_RESULT, buf_all(&out), -1), 0);
    buf_free(&out);
}

static void on_directory(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct world *w = ctx;
    struct m_auth m;

    assert_int_equal(in->type, IPC_AUTH);
    assert_true(m_auth_decode(in->payload, &m));
    assert_int_equal(m.service, AUTH_IMAP);
    buf_reset(&w->asked);
    assert_int_equal(
        buf_printf(&w->asked, "%.*s:%.*s", SPAN_ARG(m.login), SPAN_ARG(m.password)), 0);
    w->ask_ch = ch;
    w->ask_call = in->call;
    if (w->auth != 0)
        auth_answer(w, ch, in->call, m.login);
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
    buf_reset(&w->early);
    assert_int_equal(buf_span(&w->early, m.input), 0);
    if (w->login == ANSWER_NO)
        (void)close(in->fd);
    else
        w->inner = in->fd;
    if (w->login == 0)
        return;
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
    buf_init(&w->early, 1u << 20);
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
    buf_free(&w->early);
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

static void turn(struct world *w, int n)
{
    while (n-- > 0)
        loop_turn(w->loop, 1);
}

/* The client's end has been closed. */
static void hear_end(struct world *w)
{
    char octet;

    for (int i = 0; i < TURNS; i++) {
        if (read(w->client, &octet, 1) == 0)
            return;
        loop_turn(w->loop, 5);
    }
    fail_msg("the connection stays open");
}

/* In clear the mailbox role gets the client itself; what came behind the login command is its
 * own, in order, and the place here is free again. */
static void test_session_in_clear_is_handed_over(void **state)
{
    struct world *w = *state;

    call(w, false);
    hear(w, "Signpost\r\n");
    say(w->client, "a1 LOGIN joe \"a b\"\r\nb SELECT INBOX\r\nc NO");
    for (int i = 0; i < TURNS && w->inner == -1; i++)
        loop_turn(w->loop, 5);
    say(w->client, "OP\r\n");
    turn(w, 10);
    assert_string_equal(buf_cstr(&w->asked), "joe:a b");
    assert_string_equal(w->tag, "a1");
    assert_string_equal(buf_cstr(&w->early), "b SELECT INBOX\r\nc NO");
    assert_int_equal(w->edge->session_count, 0);
    assert_int_equal(limits_count(w->edge->limits), 0);
    hear_on(w, &w->inner, "OP\r\n");
    say(w->inner, "a1 OK logged in\r\nb OK selected\r\n");
    hear(w, "a1 OK logged in\r\nb OK selected\r\n");
    (void)close(w->inner);
    w->inner = -1;
    hear_end(w);
}

/* One whose input is too much for LOGIN is carried, as all with TLS are. */
static void carry(struct world *w)
{
    static char noops[70000];

    for (size_t i = 0; i < sizeof(noops); i += 7)
        memcpy(noops + i, "b NOO\r\n", 7);
    w->auth = 0;
    call(w, false);
    hear(w, "Signpost\r\n");
    say(w->client, "a1 LOGIN joe x\r\n");
    assert_int_equal(send(w->client, noops, sizeof(noops), MSG_NOSIGNAL), sizeof(noops));
    turn(w, 50);
    w->auth = ANSWER_YES;
    auth_answer(w, w->ask_ch, w->ask_call, SPAN_LIT("joe"));
    for (int i = 0; i < TURNS && w->inner == -1; i++)
        loop_turn(w->loop, 5);
    assert_int_equal(w->early.len, 0);
    say(w->client, "d LOGOUT\r\n");
    hear_on(w, &w->inner, "b NOO\r\nd LOGOUT\r\n");
    assert_int_equal(w->edge->session_count, 1);
}

static void test_session_is_carried(void **state)
{
    struct world *w = *state;

    carry(w);
    say(w->inner, "* BYE\r\n");
    (void)close(w->inner);
    w->inner = -1;
    hear(w, "* BYE\r\n");
    for (int i = 0; i < TURNS && w->edge->session_count > 0; i++)
        loop_turn(w->loop, 5);
    assert_int_equal(w->edge->session_count, 0);
}

static void test_carried_session_ends_with_its_mailbox(void **state)
{
    struct world *w = *state;

    carry(w);
    ipc_free(&w->fake[ROLE_MAILBOX]); /* the kernel closes all that the process had */
    (void)close(w->inner);
    w->inner = -1;
    hear_end(w);
    turn(w, 10);
    assert_int_equal(w->edge->session_count, 0);
    assert_int_equal(limits_count(w->edge->limits), 0);
}

static void test_mailbox_dies_and_returns(void **state)
{
    struct world *w = *state;

    call(w, false);
    hear(w, "Signpost\r\n");
    ipc_free(&w->fake[ROLE_MAILBOX]);
    turn(w, 5);
    say(w->client, "a LOGIN joe x\r\n");
    hear(w, "a NO [UNAVAILABLE] the mailboxes are not reachable now");
    pair(w, ROLE_MAILBOX);
    say(w->client, "b LOGIN joe x\r\n");
    for (int i = 0; i < TURNS && w->inner == -1; i++)
        loop_turn(w->loop, 5);
    assert_string_equal(w->tag, "b");
    say(w->inner, "b OK\r\n");
    hear(w, "b OK\r\n");
}

/* It may have answered the client before it died: nothing is said that could contradict. */
static void test_mailbox_dies_with_a_login_in_hand(void **state)
{
    struct world *w = *state;

    w->login = 0;
    call(w, false);
    say(w->client, "a LOGIN joe x\r\n");
    for (int i = 0; i < TURNS && w->inner == -1; i++)
        loop_turn(w->loop, 5);
    ipc_free(&w->fake[ROLE_MAILBOX]);
    (void)close(w->inner);
    w->inner = -1;
    hear(w, "* BYE [UNAVAILABLE]");
    hear_end(w);
    assert_int_equal(w->edge->session_count, 0);
}

static void test_nobody_is_let_in_before_the_roles_are_there(void **state)
{
    struct world *w = *state;

    assert_false(w->edge->is_serving); /* no queue yet */
    w->fake[ROLE_QUEUE] = neighbour_join(
        &w->env, ROLE_QUEUE, 0, &(struct ipc_handlers){.message = on_mailbox}, w);
    assert_true(w->edge->is_serving);
    ipc_free(&w->fake[ROLE_QUEUE]);
    turn(w, 5);
    assert_true(w->edge->is_serving); /* clients are told to try later */
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
    pair(w, ROLE_DIRECTORY);
    w->login = ANSWER_YES;
    say(w->client, "d LOGIN joe x\r\n");
    for (int i = 0; i < TURNS && w->inner == -1; i++)
        loop_turn(w->loop, 5);
    assert_string_equal(w->tag, "d");
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
        T(test_before_login),
        T(test_session_in_clear_is_handed_over),
        T(test_session_is_carried),
        T(test_carried_session_ends_with_its_mailbox),
        T(test_mailbox_dies_and_returns),
        T(test_mailbox_dies_with_a_login_in_hand),
        T(test_nobody_is_let_in_before_the_roles_are_there),
        T(test_plain),
        T(test_not_now),
        T(test_full_and_stop),
        T(test_client_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
