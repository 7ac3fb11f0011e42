/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/core/log.h"
#include "base/io/ipc.h"

enum { LEFT = 1, RIGHT = 2 };
enum { ASK = 1, ANSWER = 2, TELL = 3, OTHER = 4, BIG = 5 };

static const struct ipc_msg msgs[] = {
    {"ASK", ASK, LEFT, RIGHT, ANSWER, 1, 16},
    {"ANSWER", ANSWER, RIGHT, LEFT, 0, 0, 16},
    {"TELL", TELL, LEFT, RIGHT, 0, 0, 4},
    {"OTHER", OTHER, RIGHT, LEFT, 0, 0, 4},
    {"BIG", BIG, LEFT, RIGHT, 0, 0, IPC_FRAME_MAX - 12},
};
static const struct ipc_table table = {msgs, sizeof(msgs) / sizeof(msgs[0])};

struct side {
    struct ipc *ch;
    unsigned messages, closed, opened, breaches, answers, no_answers;
    struct ipc_in last; /* payload copied to text */
    char text[64];
    size_t octets;
    bool frees_on_message, frees_on_answer, keeps_quiet;
};

struct fixture {
    struct log log;
    struct loop *loop;
    int fds[2];
    struct side left, right;
};

static void on_message(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct side *s = ctx;

    s->messages++;
    s->last = *in;
    s->octets += in->payload.n;
    if (!span_copy(in->payload, s->text, sizeof(s->text)))
        s->text[0] = '\0'; /* numbers, or the longest frame: only counted */
    if (s->frees_on_message)
        ipc_free(&s->ch);
    else if (in->type == ASK && !s->keeps_quiet)
        assert_int_equal(ipc_reply(ch, in->call, ANSWER, span_str(s->text), in->fd), 0);
    if (in->fd != -1)
        (void)close(in->fd);
}

static void on_closed(void *ctx, struct ipc *ch)
{
    struct side *s = ctx;

    (void)ch;
    s->closed++;
}

static void on_answer(void *ctx, const struct ipc_in *in)
{
    struct side *s = ctx;

    if (in == NULL) {
        s->no_answers++;
    } else {
        s->answers++;
        s->last = *in;
        assert_true(span_copy(in->payload, s->text, sizeof(s->text)));
    }
    if (s->frees_on_answer)
        ipc_free(&s->ch);
}

static void on_opened(void *ctx, struct ipc *ch)
{
    struct side *s = ctx;

    assert_true(ipc_is_up(ch));
    s->opened++;
}

static void on_breach(void *ctx, struct ipc *ch)
{
    struct side *s = ctx;

    assert_false(ipc_is_up(ch));
    assert_int_equal(s->closed, 0); /* first of all */
    s->breaches++;
}

static const struct ipc_handlers handlers = {
    .message = on_message, .closed = on_closed, .opened = on_opened};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    log_init(&f->log, -1, "test", clock_system());
    f->loop = loop_new(&f->log, clock_system());
    assert_int_equal(ipc_pair(f->fds, NULL), 0);
    f->left.ch = ipc_new(f->loop, f->fds[0], &table, LEFT, RIGHT, &handlers, &f->left);
    f->right.ch = ipc_new(f->loop, f->fds[1], &table, RIGHT, LEFT, &handlers, &f->right);
    ipc_on_breach(f->right.ch, on_breach, &f->right);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    ipc_free(&f->left.ch);
    ipc_free(&f->right.ch);
    loop_free(&f->loop);
    free(f);
    return 0;
}

static void turns(struct fixture *f, unsigned n)
{
    while (n-- > 0)
        loop_turn(f->loop, 0);
}

/* A raw frame into the socket of `fd`, as a broken or hostile peer would. */
static void raw(int fd, const char *octets, size_t n)
{
    assert_int_equal(send(fd, octets, n, 0), n);
}

static void a_call_gets_its_answer(void **state)
{
    struct fixture *f = *state;
    struct ipc_call *c;

    c = ipc_call(f->left.ch, ASK, span_str("ping"), -1, 10000, on_answer, &f->left);
    assert_non_null(c);
    turns(f, 3);
    assert_int_equal(f->right.messages, 1);
    assert_int_equal(f->left.answers, 1);
    assert_string_equal(f->left.text, "ping");
    assert_int_equal(f->left.last.fd, -1);
}

static void a_descriptor_travels_both_ways(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    (void)ipc_call(f->left.ch, ASK, span_str("x"), fds[1], 10000, on_answer, &f->left);
    turns(f, 3);
    /* the right side sent a copy back and closed its own; ours is still open */
    assert_int_equal(f->left.answers, 1);
    assert_int_not_equal(f->left.last.fd, -1);
    assert_int_not_equal(fcntl(f->left.last.fd, F_GETFD) & FD_CLOEXEC, 0);
    assert_int_equal(write(f->left.last.fd, "y", 1), 1);
    (void)close(f->left.last.fd);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void a_cancelled_call_stays_silent(void **state)
{
    struct fixture *f = *state;
    struct ipc_call *c, *next;

    c = ipc_call(f->left.ch, ASK, span_str("a"), -1, 10000, on_answer, &f->left);
    ipc_cancel(&c);
    assert_null(c);
    ipc_cancel(&c);
    /* The next call takes the same slot: the late answer to the first must not end it. */
    next = ipc_call(f->left.ch, ASK, span_str("b"), -1, 10000, on_answer, &f->left);
    assert_non_null(next);
    turns(f, 4);
    assert_int_equal(f->right.messages, 2);
    assert_int_equal(f->left.answers, 1);
    assert_string_equal(f->left.text, "b");
    assert_int_equal(f->left.closed, 0);
}

static void a_deadline_ends_a_call(void **state)
{
    struct fixture *f = *state;

    f->right.keeps_quiet = true;
    (void)ipc_call(f->left.ch, ASK, span_str("a"), -1, 0, on_answer, &f->left);
    assert_int_equal(f->left.no_answers, 0); /* never from inside ipc_call */
    while (f->left.no_answers == 0)
        loop_turn(f->loop, 1000);
    assert_int_equal(f->left.answers, 0);
    turns(f, 2);
    assert_int_equal(f->left.no_answers, 1);
}

static void peer_gone_fails_calls_then_says_closed(void **state)
{
    struct fixture *f = *state;

    f->right.keeps_quiet = true;
    (void)ipc_call(f->left.ch, ASK, span_str("a"), -1, 10000, on_answer, &f->left);
    (void)ipc_call(f->left.ch, ASK, span_str("b"), -1, 10000, on_answer, &f->left);
    turns(f, 1);
    ipc_free(&f->right.ch);
    turns(f, 2);
    assert_int_equal(f->left.no_answers, 2);
    assert_int_equal(f->left.closed, 1);
    /* afterwards: refused, and a call fails from the loop */
    assert_int_equal(ipc_send(f->left.ch, TELL, span_str(""), -1), -1);
    (void)ipc_call(f->left.ch, ASK, span_str("c"), -1, 10000, on_answer, &f->left);
    assert_int_equal(f->left.no_answers, 2);
    turns(f, 2);
    assert_int_equal(f->left.no_answers, 3);
}

static void callbacks_may_free_the_channel(void **state)
{
    struct fixture *f = *state;

    f->right.frees_on_message = true;
    assert_int_equal(ipc_send(f->left.ch, TELL, span_str("1"), -1), 0);
    assert_int_equal(ipc_send(f->left.ch, TELL, span_str("2"), -1), 0);
    f->left.frees_on_answer = true;
    (void)ipc_call(f->left.ch, ASK, span_str("c"), -1, 10000, on_answer, &f->left);
    (void)ipc_call(f->left.ch, ASK, span_str("d"), -1, 10000, on_answer, &f->left);
    turns(f, 3);
    assert_int_equal(f->right.messages, 1);
    assert_null(f->right.ch);
    assert_null(f->left.ch);
    assert_int_equal(f->left.no_answers, 1);
}

static void a_frame_that_breaks_the_rules_closes_the_channel(void **state)
{
    static const struct {
        const char *name, *octets;
        size_t n;
    } cases[] = {
        {"no head", "\0\3\0", 3},
        {"unknown type", "\0\11\0\0\0\0\0\0\0\0\0\0", 12},
        {"type 0", "\0\0\0\0\0\0\0\0\0\0\0\0", 12},
        {"from the wrong side", "\0\2\0\0\0\0\0\0\0\0\0\0", 12},
        {"too short", "\0\1\0\0\0\0\0\0\0\0\0\0", 12},
        {"too long", "\0\3\0\0\0\0\0\0\0\0\0\0abcde", 17},
        {"unknown flag", "\0\3\0\2\0\0\0\0\0\0\0\0", 12},
        {"call id that cannot be", "\0\1\0\0\0\0\0\1\0\4\0\1x", 13},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f;
        void *s;
        int fd;

        set_up(&s);
        f = s;
        fd = dup(f->fds[0]);
        raw(fd, cases[i].octets, cases[i].n);
        turns(f, 2);
        if (f->right.closed != 1 || f->right.messages != 0 || f->right.breaches != 1)
            fail_msg("%s: closed %u, messages %u", cases[i].name, f->right.closed,
                     f->right.messages);
        (void)close(fd);
        tear_down(&s);
    }
}

static void an_answer_of_the_wrong_type_closes_the_channel(void **state)
{
    struct fixture *f = *state;
    char frame[12] = "\0\4\0\1";

    f->right.keeps_quiet = true;
    (void)ipc_call(f->left.ch, ASK, span_str("a"), -1, 10000, on_answer, &f->left);
    turns(f, 1);
    for (unsigned i = 0; i < 8; i++)
        frame[4 + i] = (char)(f->right.last.call >> (56 - 8 * i));
    raw(f->fds[1], frame, sizeof(frame));
    turns(f, 2);
    assert_int_equal(f->left.closed, 1);
    assert_int_equal(f->left.no_answers, 1);
}

static void the_longest_frame_passes(void **state)
{
    struct fixture *f = *state;
    uint8_t *big = calloc(1, IPC_FRAME_MAX);

    assert_non_null(big);
    assert_int_equal(ipc_send(f->left.ch, BIG, span_of(big, IPC_FRAME_MAX - 12), -1), 0);
    turns(f, 2);
    assert_int_equal(f->right.octets, IPC_FRAME_MAX - 12);
    free(big);
}

static void a_burst_waits_in_order_and_beyond_it_is_refused(void **state)
{
    struct fixture *f = *state;
    unsigned sent = 0;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    while (ipc_send(f->left.ch, TELL, span_of(&sent, sizeof(sent)),
                    sent == 1200 ? fds[0] : -1) == 0)
        sent++;
    assert_in_range(sent, 1024, 100000);
    while (f->right.messages < sent)
        loop_turn(f->loop, 1000);
    assert_int_equal(f->right.messages, sent);
    assert_int_equal(f->right.last.payload.n, sizeof(sent));
    /* room again */
    assert_int_equal(ipc_send(f->left.ch, TELL, span_str(""), -1), 0);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* A new pair: the left side's peer died, this is the next one. */
static void replace_right(struct fixture *f)
{
    ipc_free(&f->right.ch);
    assert_int_equal(ipc_pair(f->fds, NULL), 0);
    f->right.ch = ipc_new(f->loop, f->fds[1], &table, RIGHT, LEFT, &handlers, &f->right);
    ipc_plug(f->left.ch, f->fds[0]);
}

static void a_channel_begins_down_and_comes_up(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    ipc_free(&f->left.ch);
    ipc_free(&f->right.ch);
    f->left.ch = ipc_new(f->loop, -1, &table, LEFT, RIGHT, &handlers, &f->left);
    assert_false(ipc_is_up(f->left.ch));
    assert_int_equal(ipc_send(f->left.ch, TELL, span_str(""), -1), -1);
    (void)ipc_call(f->left.ch, ASK, span_str("a"), -1, 10000, on_answer, &f->left);
    assert_int_equal(f->left.no_answers, 0); /* never from inside ipc_call */
    turns(f, 2);
    assert_int_equal(f->left.no_answers, 1);
    assert_int_equal(ipc_pair(fds, NULL), 0);
    f->right.ch = ipc_new(f->loop, fds[1], &table, RIGHT, LEFT, &handlers, &f->right);
    ipc_plug(f->left.ch, fds[0]);
    assert_int_equal(f->left.opened, 1);
    (void)ipc_call(f->left.ch, ASK, span_str("b"), -1, 10000, on_answer, &f->left);
    turns(f, 3);
    assert_int_equal(f->left.answers, 1);
    assert_string_equal(f->left.text, "b");
    assert_int_equal(f->left.closed, 0);
}

static void a_channel_outlives_its_peer(void **state)
{
    struct fixture *f = *state;

    f->right.keeps_quiet = true;
    (void)ipc_call(f->left.ch, ASK, span_str("a"), -1, 10000, on_answer, &f->left);
    turns(f, 1);
    ipc_free(&f->right.ch);
    turns(f, 2);
    assert_int_equal(f->left.no_answers, 1);
    assert_int_equal(f->left.closed, 1);
    f->right.keeps_quiet = false;
    replace_right(f);
    assert_int_equal(f->left.closed, 1);
    assert_int_equal(f->left.opened, 1);
    (void)ipc_call(f->left.ch, ASK, span_str("b"), -1, 10000, on_answer, &f->left);
    turns(f, 3);
    assert_string_equal(f->left.text, "b");
}

/* The news of a death may come after its successor. */
static void a_new_peer_ends_the_old_one_first(void **state)
{
    struct fixture *f = *state;

    f->right.keeps_quiet = true;
    (void)ipc_call(f->left.ch, ASK, span_str("a"), -1, 10000, on_answer, &f->left);
    replace_right(f);
    assert_int_equal(f->left.no_answers, 1);
    assert_int_equal(f->left.closed, 1);
    assert_int_equal(f->left.opened, 1);
    assert_true(ipc_is_up(f->left.ch));
}

/* Both peers' first call has the same id. */
static void what_a_dead_peer_asked_is_not_answered_to_the_next(void **state)
{
    struct fixture *f = *state;
    uint64_t old;
    int fds[2];

    f->right.keeps_quiet = true;
    (void)ipc_call(f->left.ch, ASK, span_str("old"), -1, 10000, on_answer, &f->left);
    turns(f, 1);
    old = f->right.last.call;
    ipc_free(&f->left.ch);
    assert_int_equal(ipc_pair(fds, NULL), 0);
    f->left.ch = ipc_new(f->loop, fds[0], &table, LEFT, RIGHT, &handlers, &f->left);
    ipc_plug(f->right.ch, fds[1]);
    (void)ipc_call(f->left.ch, ASK, span_str("new"), -1, 10000, on_answer, &f->left);
    turns(f, 1);
    assert_int_equal(ipc_reply(f->right.ch, old, ANSWER, span_str("old"), -1), 0);
    turns(f, 2);
    assert_int_equal(f->left.answers, 0);
    assert_int_equal(
        ipc_reply(f->right.ch, f->right.last.call, ANSWER, span_str("new"), -1), 0);
    turns(f, 2);
    assert_int_equal(f->left.answers, 1);
    assert_string_equal(f->left.text, "new");
}

static void what_waited_for_a_dead_peer_is_dropped(void **state)
{
    struct fixture *f = *state;

    while (ipc_send(f->left.ch, TELL, span_str("x"), -1) == 0)
        ;
    replace_right(f);
    assert_int_equal(ipc_send(f->left.ch, TELL, span_str("y"), -1), 0);
    turns(f, 3);
    assert_int_equal(f->right.messages, 1);
    assert_string_equal(f->right.text, "y");
}

static void a_handler_may_break_with_its_peer(void **state)
{
    struct fixture *f = *state;

    ipc_break(f->right.ch, "nonsense");
    assert_int_equal(f->right.breaches, 1);
    assert_int_equal(f->right.closed, 1);
    turns(f, 2);
    assert_int_equal(f->left.closed, 1);
    assert_int_equal(f->left.breaches, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_gets_its_answer),
        TEST(a_descriptor_travels_both_ways),
        TEST(a_cancelled_call_stays_silent),
        TEST(a_deadline_ends_a_call),
        TEST(peer_gone_fails_calls_then_says_closed),
        TEST(callbacks_may_free_the_channel),
        cmocka_unit_test(a_frame_that_breaks_the_rules_closes_the_channel),
        TEST(an_answer_of_the_wrong_type_closes_the_channel),
        TEST(the_longest_frame_passes),
        TEST(a_burst_waits_in_order_and_beyond_it_is_refused),
        TEST(a_channel_begins_down_and_comes_up),
        TEST(a_channel_outlives_its_peer),
        TEST(a_new_peer_ends_the_old_one_first),
        TEST(what_a_dead_peer_asked_is_not_answered_to_the_next),
        TEST(what_waited_for_a_dead_peer_is_dropped),
        TEST(a_handler_may_break_with_its_peer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
