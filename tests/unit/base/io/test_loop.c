/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/core/log.h"
#include "base/io/loop.h"
#include "base/io/pool.h"

struct fixture {
    struct log log;
    struct loop *loop;
    int log_fds[2];
};

static int set_up(void **state)
{
    static struct fixture f;

    assert_int_equal(pipe(f.log_fds), 0);
    log_init(&f.log, f.log_fds[1], "test", clock_system());
    f.loop = loop_new(&f.log, clock_system());
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    loop_free(&f->loop);
    (void)close(f->log_fds[0]);
    (void)close(f->log_fds[1]);
    return 0;
}

struct count {
    struct fixture *f;
    unsigned n, last;
    struct loop_timer *timer;
};

static void on_readable(void *ctx, unsigned what)
{
    struct count *c = ctx;

    c->n++;
    c->last = what;
}

static void io_is_level_triggered_and_pausable(void **state)
{
    struct fixture *f = *state;
    struct count c = {.f = f};
    int fds[2];
    struct loop_io *io;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    io = loop_io_new(f->loop, fds[0], "t", on_readable, &c);
    assert_int_equal(write(fds[1], "x", 1), 1);
    loop_turn(f->loop, 0);
    assert_int_equal(c.n, 0); /* not watched yet */
    loop_io_watch(io, LOOP_READ);
    loop_turn(f->loop, 0);
    loop_turn(f->loop, 0);
    assert_int_equal(c.n, 2); /* nobody read it */
    assert_int_equal(c.last, LOOP_READ);
    loop_io_watch(io, 0);
    loop_turn(f->loop, 0);
    assert_int_equal(c.n, 2);
    loop_io_watch(io, LOOP_READ | LOOP_WRITE);
    loop_turn(f->loop, 0);
    assert_int_equal(c.last, LOOP_READ | LOOP_WRITE);
    loop_io_free(&io);
    assert_null(io);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void on_timer(void *ctx)
{
    struct count *c = ctx;

    c->n++;
    loop_timer_free(&c->timer); /* from inside its own callback */
}

static void timer_fires_once_and_may_free_itself(void **state)
{
    struct fixture *f = *state;
    struct count c = {.f = f};

    c.timer = loop_timer_new(f->loop, "t", on_timer, &c);
    loop_timer_set(c.timer, 0);
    loop_timer_cancel(c.timer);
    loop_turn(f->loop, 0);
    assert_int_equal(c.n, 0);
    loop_timer_set(c.timer, 100000);
    loop_timer_set(c.timer, 0); /* moved */
    loop_turn(f->loop, 1000);
    assert_int_equal(c.n, 1);
    assert_null(c.timer);
}

static void on_post(void *ctx)
{
    struct count *c = ctx;

    c->n++;
    if (c->n == 3)
        loop_stop(c->f->loop);
}

static void posts_run_in_order_and_stop_ends_run(void **state)
{
    struct fixture *f = *state;
    struct count c = {.f = f};

    for (unsigned i = 0; i < 3; i++)
        loop_post(f->loop, "t", on_post, &c);
    loop_run(f->loop);
    assert_int_equal(c.n, 3);
    loop_post(f->loop, "t", on_post, &c); /* never run: freed with the loop */
}

static void burn(void *ctx)
{
    const struct clock *clock = ctx;
    int64_t until_us = clock_mono_us(clock) + 6000;

    while (clock_mono_us(clock) < until_us)
        ;
}

static void a_slow_callback_is_named(void **state)
{
    struct fixture *f = *state;
    char line[1024] = "";

    loop_post(f->loop, "the.culprit", burn, (void *)(uintptr_t)clock_system());
    loop_turn(f->loop, 1000);
    assert_true(read(f->log_fds[0], line, sizeof(line) - 1) > 0);
    assert_non_null(strstr(line, "loop.slow"));
    assert_non_null(strstr(line, "the.culprit"));
}

/* ---- pool ---- */

struct job {
    struct fixture *f;
    struct pool *pool;
    unsigned number;
    unsigned *worked, *finished; /* orders */
    bool is_last, does_more;
    int refused;
};

static void work(void *ctx)
{
    struct job *j = ctx;

    *j->worked = *j->worked * 10 + j->number;
}

static void done(void *ctx)
{
    struct job *j = ctx;

    *j->finished = *j->finished * 10 + j->number;
    if (j->does_more)
        j->refused = pool_run(j->pool, work, done, j);
    if (j->is_last)
        loop_stop(j->f->loop);
}

static void one_thread_keeps_the_order(void **state)
{
    struct fixture *f = *state;
    unsigned worked = 0, finished = 0;
    struct pool *p = pool_new(f->loop, "t", 1, 8);
    struct job jobs[5];

    for (unsigned i = 0; i < 5; i++) {
        jobs[i] = (struct job){.f = f,
                               .pool = p,
                               .number = i + 1,
                               .worked = &worked,
                               .finished = &finished,
                               .is_last = i == 4};
        assert_int_equal(pool_run(p, work, done, &jobs[i]), 0);
    }
    loop_run(f->loop);
    assert_int_equal(worked, 12345);
    assert_int_equal(finished, 12345);
    pool_free(&p);
    assert_null(p);
}

static void wait_for_byte(void *ctx)
{
    int *fds = ctx;
    char c;

    assert_int_equal(read(fds[0], &c, 1), 1);
}

static void nothing(void *ctx)
{
    (void)ctx;
}

static void a_full_queue_refuses(void **state)
{
    struct fixture *f = *state;
    struct pool *p = pool_new(f->loop, "t", 1, 2);
    unsigned taken = 0;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    /* One may be under way, two wait; the fourth is refused whatever the timing. */
    for (unsigned i = 0; i < 4; i++)
        taken += pool_run(p, wait_for_byte, nothing, fds) == 0;
    assert_in_range(taken, 2, 3);
    assert_int_equal(write(fds[1], "xxx", 3), 3);
    pool_free(&p);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void free_finishes_what_was_taken_and_refuses_more(void **state)
{
    struct fixture *f = *state;
    unsigned worked = 0, finished = 0;
    struct pool *p = pool_new(f->loop, "t", 1, 8);
    struct job a = {.f = f,
                    .pool = p,
                    .number = 7,
                    .worked = &worked,
                    .finished = &finished,
                    .does_more = true};

    assert_int_equal(pool_run(p, work, done, &a), 0);
    pool_free(&p);
    assert_int_equal(worked, 7);
    assert_int_equal(finished, 7);
    assert_int_equal(a.refused, -1);
    assert_int_equal(pool_run(p, work, done, &a), -1); /* gone */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(io_is_level_triggered_and_pausable, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(timer_fires_once_and_may_free_itself, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(posts_run_in_order_and_stop_ends_run, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_slow_callback_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_thread_keeps_the_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_queue_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(free_finishes_what_was_taken_and_refuses_more,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
