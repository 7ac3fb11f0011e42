/* SPDX-License-Identifier: ISC */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/core/log.h"
#include "base/io/control.h"
#include "base/io/control_client.h"
#include "base/io/notify.h"

struct fixture {
    struct log log;
    struct loop *loop;
    char dir[64], path[96];
    struct control_req *held;
    unsigned told;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    log_init(&f->log, -1, "test", clock_system());
    f->loop = loop_new(&f->log, clock_system());
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/signpost-ctl-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->path, sizeof(f->path), "%s/ctl", f->dir);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    loop_free(&f->loop);
    assert_int_equal(rmdir(f->dir), 0); /* everything removed its socket */
    free(f);
    return 0;
}

/* ---- control ---- */

static void finish_held(void *ctx)
{
    struct fixture *f = ctx;

    assert_int_equal(control_row(f->held, SPAN_LIT("{\"late\":true}")), 0);
    control_ok(f->held);
    f->held = NULL;
}

static void on_request(void *ctx, struct control_req *req, struct span line)
{
    struct fixture *f = ctx;

    if (span_eq_str(line, "rows")) {
        assert_int_equal(control_row(req, SPAN_LIT("{\"n\":1}")), 0);
        assert_int_equal(control_row(req, SPAN_LIT("{\"n\":2}")), 0);
        control_ok(req);
    } else if (span_eq_str(line, "late")) {
        f->held = req;
        loop_post(f->loop, "late", finish_held, f);
    } else if (span_eq_str(line, "hold")) {
        f->held = req;
        loop_stop(f->loop);
    } else if (span_eq_str(line, "stop")) {
        control_ok(req);
        loop_stop(f->loop);
    } else {
        control_error(req, "usage", "no such request: %.*s\nsorry", SPAN_ARG(line));
    }
}

struct asking {
    const char *path;
    char seen[2048];
};

static void on_row(void *ctx, struct span json)
{
    struct asking *a = ctx;
    size_t n = strlen(a->seen);

    (void)snprintf(a->seen + n, sizeof(a->seen) - n, "%.*s|", SPAN_ARG(json));
}

/* Runs on a thread of its own, since it blocks. */
static void *ask(void *arg)
{
    static const char *const lines[] = {"rows", "late", "nonsense", "rows", "stop"};
    struct asking *a = arg;
    struct err err = {0};
    struct control_client *c = control_open(a->path, &err);

    for (size_t i = 0; c != NULL && i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct control_answer answer;
        size_t n;
        enum control_result r = control_ask(c, lines[i], 10000, on_row, a, &answer, &err);

        n = strlen(a->seen);
        (void)snprintf(a->seen + n, sizeof(a->seen) - n, "%s;",
                       r == CONTROL_OK      ? "ok"
                       : r == CONTROL_ERROR ? answer.text
                                            : err.text);
    }
    control_close(&c);
    return NULL;
}

static void requests_are_answered_one_after_the_other(void **state)
{
    struct fixture *f = *state;
    struct asking a = {.path = f->path};
    struct control *c = control_new(f->loop, f->path, on_request, f, NULL);
    pthread_t thread;

    assert_non_null(c);
    assert_int_equal(pthread_create(&thread, NULL, ask, &a), 0);
    loop_run(f->loop);
    while (pthread_tryjoin_np(thread, NULL) != 0)
        loop_turn(f->loop, 10);
    assert_string_equal(a.seen, "{\"n\":1}|{\"n\":2}|ok;{\"late\":true}|ok;"
                                "no such request: nonsense sorry;{\"n\":1}|{\"n\":2}|ok;"
                                "ok;");
    control_free(&c);
}

static int dial(const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
    assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
    return fd;
}

static void a_request_outlives_its_server_and_client(void **state)
{
    struct fixture *f = *state;
    struct control *c = control_new(f->loop, f->path, on_request, f, NULL);
    int fd = dial(f->path);

    assert_int_equal(send(fd, "hold\n", 5, 0), 5);
    loop_run(f->loop);
    assert_non_null(f->held);
    (void)close(fd);
    control_free(&c);
    assert_int_equal(control_row(f->held, SPAN_LIT("1")), -1);
    control_error(f->held, "fault", "too late");
}

static void a_line_too_long_is_refused(void **state)
{
    struct fixture *f = *state;
    struct control *c = control_new(f->loop, f->path, on_request, f, NULL);
    int fd = dial(f->path);
    char text[128] = "", line[CONTROL_LINE_MAX];

    memset(line, 'x', sizeof(line));
    assert_int_equal(send(fd, line, sizeof(line), 0), sizeof(line));
    for (unsigned i = 0; i < 5; i++)
        loop_turn(f->loop, 0);
    assert_true(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
    assert_string_equal(text, "error usage request line too long\n");
    (void)close(fd);
    control_free(&c);
}

static void a_second_server_is_told_that_one_runs(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct control *c = control_new(f->loop, f->path, on_request, f, &err);
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd;

    assert_non_null(c);
    assert_null(control_new(f->loop, f->path, on_request, f, &err));
    assert_non_null(strstr(err.text, "already running"));
    control_free(&c);
    assert_null(control_open(f->path, &err));
    assert_non_null(strstr(err.text, "not running"));
    /* one that was killed leaves its file: replaced */
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    (void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", f->path);
    assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
    (void)close(fd);
    c = control_new(f->loop, f->path, on_request, f, &err);
    assert_non_null(c);
    control_free(&c);
}

/* ---- notify ---- */

static void on_told(void *ctx)
{
    ((struct fixture *)ctx)->told++;
}

static void every_listener_is_told_and_the_dead_are_removed(void **state)
{
    struct fixture *f = *state;
    struct notify *a = notify_listen(f->loop, f->dir, "a", on_told, f, NULL);
    struct notify *b = notify_listen(f->loop, f->dir, "b", on_told, f, NULL);
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    (void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/dead", f->dir);
    assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
    (void)close(fd);
    assert_int_equal(notify_send(f->dir), 2);
    assert_int_equal(access(sun.sun_path, F_OK), -1);
    assert_int_equal(notify_send(f->dir), 2);
    loop_turn(f->loop, 1000);
    loop_turn(f->loop, 0);
    assert_int_equal(f->told, 2); /* two datagrams each, one call each */
    notify_free(&a);
    assert_int_equal(notify_send(f->dir), 1);
    notify_free(&b);
    assert_int_equal(notify_send("/nonexistent"), 0);
}

static void a_listener_that_sleeps_does_not_hold_the_writer(void **state)
{
    struct fixture *f = *state;
    struct notify *a = notify_listen(f->loop, f->dir, "a", on_told, f, NULL);

    for (unsigned i = 0; i < 2000; i++)
        assert_int_equal(notify_send(f->dir), 1);
    loop_turn(f->loop, 1000);
    assert_true(f->told > 0);
    notify_free(&a);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests_are_answered_one_after_the_other),
        TEST(a_request_outlives_its_server_and_client),
        TEST(a_line_too_long_is_refused),
        TEST(a_second_server_is_told_that_one_runs),
        TEST(every_listener_is_told_and_the_dead_are_removed),
        TEST(a_listener_that_sleeps_does_not_hold_the_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
