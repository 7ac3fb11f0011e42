/* SPDX-License-Identifier: ISC */
/* Real processes: this program is executed anew as its own roles. Role "echo" sends back in
 * upper case what "asker" sends; "asker" tells the parent over its log what came. What a
 * role does beside that, its bag says. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/core/clock.h"
#include "base/core/log.h"
#include "base/io/rolechild.h"
#include "base/io/supervise.h"

enum { PARENT = 1, ECHO = 2, ASKER = 3 };

/* ---- the roles ------------------------------------------------------------------------ */

struct role;

struct peer {
    struct role *r;
    struct loop_io *io;
    int fd;
};

struct role {
    struct loop *loop;
    struct rolechild *rc;
    struct peer peers[32]; /* every channel it ever had */
    size_t n_peers;
    bool is_echo, is_deaf, accuses;
};

static void on_peer(void *ctx, unsigned what)
{
    struct peer *p = ctx;
    char room[64];
    ssize_t n = read(p->fd, room, sizeof(room) - 1);

    (void)what;
    if (n <= 0) {
        loop_io_free(&p->io);
        (void)close(p->fd);
        return;
    }
    room[n] = '\0';
    if (p->r->is_echo) {
        for (ssize_t i = 0; i < n; i++)
            room[i] = (char)(room[i] - ('a' - 'A'));
        assert_true(write(p->fd, room, (size_t)n) == n);
    } else {
        (void)dprintf(2, "heard %s\n", room);
    }
}

static void on_plug(void *ctx, uint8_t role, unsigned instance, int fd)
{
    struct role *r = ctx;
    struct peer *p = &r->peers[r->n_peers++ % COUNT_OF(r->peers)];

    if (role == PARENT) {
        (void)close(fd);
        return;
    }
    (void)dprintf(2, "joined %u %u\n", role, instance);
    *p = (struct peer){.r = r, .fd = fd};
    p->io = loop_io_new(r->loop, fd, "peer", on_peer, p);
    loop_io_watch(p->io, LOOP_READ);
    if (r->accuses)
        rolechild_breach(r->rc, role, instance);
    else if (!r->is_echo)
        assert_true(write(fd, "ping", 4) == 4);
}

static void on_end(void *ctx)
{
    struct role *r = ctx;

    if (!r->is_deaf)
        loop_stop(r->loop);
}

static bool says(const struct bag *bag, const char *word)
{
    return span_eq(bag_text(bag, "do", 0), span_str(word));
}

/* Written by all. */
#define ASKERS_LINE "2026-11-22T19:22:00.123Z info asker auth.ok login=a"

static void run_role(struct role *r, const char *name)
{
    static const struct rolechild_handlers h = {on_plug, on_end};
    struct log log;

    log_init(&log, 2, name, clock_system());
    r->loop = loop_new(&log, clock_system());
    r->rc = rolechild_new(r->loop, &h, r);
    rolechild_ready(r->rc);
    loop_run(r->loop);
    rolechild_free(&r->rc);
    for (size_t i = 0; i < COUNT_OF(r->peers); i++)
        loop_io_free(&r->peers[i].io);
    loop_free(&r->loop);
}

static int role_main(const char *name)
{
    struct role r = {.is_echo = strcmp(name, "echo") == 0};
    struct span memory;
    struct err err;
    struct bag bag;
    int code = 1;

    bag_init(&bag);
    if (rolechild_boot(&bag, &err) == -1)
        goto out;
    if (says(&bag, "fail")) {
        rolechild_fail("there is no bread");
        goto out;
    }
    if (says(&bag, "exit")) {
        code = 7;
        goto out;
    }
    r.is_deaf = says(&bag, "deaf");
    r.accuses = says(&bag, "accuse");
    if (bag_map(bag_fd(&bag, "memory", 0), 100, &memory, &err) == -1)
        goto out;
    (void)dprintf(2, "got %.*s\n\x1b[1mhalf", (int)memory.n, (const char *)memory.p);
    (void)dprintf(2, " a line\n" ASKERS_LINE "\n");
    (void)munmap((void *)(uintptr_t)memory.p, memory.n);
    run_role(&r, name);
    code = 0;
out:
    bag_free(&bag);
    return code;
}

/* ---- the parent ----------------------------------------------------------------------- */

struct fixture {
    struct log log;
    struct loop *loop;
    struct supervise *s;
    int log_in, log_out;
    char text[65536];
    size_t n;
    const char *orders[4]; /* by role: what its bag says */
    bool is_started, is_stopped;
    char why[ERR_TEXT_MAX];
    unsigned greetings;
    unsigned fills[4];
};

static const struct supervise_row rows[] = {
    {ECHO, "echo", 2, false},
    {ASKER, "asker", 1, true},
};

static bool speaks(uint8_t a, uint8_t b)
{
    return a != b && !(a == ECHO && b == PARENT) && !(a == PARENT && b == ECHO);
}

static int fill(void *ctx, const struct supervise_row *row, unsigned instance,
                struct bag *bag, struct err *err)
{
    struct fixture *f = ctx;
    int fd = bag_memory("memory", SPAN_LIT("some bread"), err);

    assert_true(instance < row->count);
    if (fd == -1)
        return -1;
    f->fills[row->role]++;
    bag_add(bag, "memory", SPAN_LIT(""), fd);
    if (f->orders[row->role] != NULL)
        bag_add(bag, "do", span_str(f->orders[row->role]), -1);
    return 0;
}

static void plug(void *ctx, uint8_t role, unsigned instance, int fd)
{
    struct fixture *f = ctx;

    assert_int_equal(role, ASKER);
    assert_int_equal(instance, 0);
    f->greetings++;
    (void)close(fd);
}

static void started(void *ctx)
{
    ((struct fixture *)ctx)->is_started = true;
}

static void failed(void *ctx, const char *why)
{
    struct fixture *f = ctx;

    (void)snprintf(f->why, sizeof(f->why), "%s", why);
}

static void stopped(void *ctx)
{
    ((struct fixture *)ctx)->is_stopped = true;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fds[2];

    assert_non_null(f);
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    f->log_out = fds[0];
    f->log_in = fds[1];
    log_init(&f->log, f->log_in, "parent", clock_system());
    f->loop = loop_new(&f->log, clock_system());
    f->s = supervise_new(&(struct supervise_config){.loop = f->loop,
                                                    .log = &f->log,
                                                    .log_fd = f->log_in,
                                                    .program = "test_supervise",
                                                    .self = PARENT,
                                                    .rows = rows,
                                                    .n_rows = COUNT_OF(rows),
                                                    .speaks = speaks,
                                                    .fill = fill,
                                                    .plug = plug,
                                                    .started = started,
                                                    .failed = failed,
                                                    .stopped = stopped,
                                                    .ctx = f});
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    supervise_free(&f->s);
    loop_free(&f->loop);
    (void)close(f->log_in);
    (void)close(f->log_out);
    free(f);
    return 0;
}

static void read_log(struct fixture *f)
{
    ssize_t n = read(f->log_out, f->text + f->n, sizeof(f->text) - 1 - f->n);

    if (n > 0)
        f->n += (size_t)n;
    f->text[f->n] = '\0';
}

static unsigned count(struct fixture *f, const char *word)
{
    unsigned n = 0;

    read_log(f);
    for (const char *p = f->text; (p = strstr(p, word)) != NULL; p++)
        n++;
    return n;
}

/* Turn the loop until the log has `n` times `word`; gives up after 20 s. */
static void until(struct fixture *f, const char *word, unsigned n)
{
    for (int i = 0; i < 2000 && count(f, word) < n; i++)
        loop_turn(f->loop, 10);
    if (count(f, word) < n)
        fail_msg("%u times \"%s\" expected in:\n%s", n, word, f->text);
}

static void until_flag(struct fixture *f, const bool *flag)
{
    for (int i = 0; i < 2000 && !*flag; i++)
        loop_turn(f->loop, 10);
    assert_true(*flag);
}

static void start(struct fixture *f)
{
    supervise_start(f->s);
    until_flag(f, &f->is_started);
    until(f, "\"heard PING\"\n", 2);
}

static void processes_start_in_order_and_are_joined(void **state)
{
    struct fixture *f = *state;
    unsigned restarts = 9;
    const char *ready;

    start(f);
    assert_int_equal(f->greetings, 1);
    assert_int_equal(count(f, "\"got some bread\"\n"), 3);
    ready = strstr(f->text, "role.started instance=\"asker 0\"");
    assert_non_null(ready);
    assert_null(strstr(ready, "role.started instance=\"echo"));
    assert_true(supervise_pid(f->s, ECHO, 1, &restarts) > 0);
    assert_int_equal(restarts, 0);
    assert_int_equal(supervise_pid(f->s, ECHO, 2, &restarts), 0);
}

static void lines_of_a_log_arrive_whole_and_clean(void **state)
{
    struct fixture *f = *state;

    start(f);
    /* not as log lines, which they are not */
    assert_int_equal(count(f, " text=\"?[1mhalf a line\"\n"), 3);
    assert_int_equal(count(f, "\n?[1mhalf"), 0);
}

static void line_under_another_role_s_name_is_no_log_line(void **state)
{
    struct fixture *f = *state;

    start(f);
    assert_int_equal(count(f, "\n" ASKERS_LINE "\n"), 1);
    assert_int_equal(count(f, " text=\"" ASKERS_LINE "\"\n"), 2);
}

static void killed_process_is_back_and_joined_again(void **state)
{
    struct fixture *f = *state;
    unsigned restarts = 0;
    pid_t before;

    start(f);
    before = supervise_pid(f->s, ECHO, 0, &restarts);
    assert_int_equal(kill(before, SIGKILL), 0);
    until(f, "\"heard PING\"\n", 3);
    assert_int_equal(count(f, "role.died instance=\"echo 0\""), 1);
    assert_int_equal(count(f, "how=\"signal 9 (Killed)\""), 1);
    assert_true(supervise_pid(f->s, ECHO, 0, &restarts) != before);
    assert_int_equal(restarts, 1);

    assert_int_equal(kill(supervise_pid(f->s, ASKER, 0, &restarts), SIGKILL), 0);
    until(f, "\"heard PING\"\n", 5);
    assert_int_equal(f->greetings, 2);
}

static void process_that_keeps_dying_gets_rests(void **state)
{
    struct fixture *f = *state;
    int64_t began;

    start(f);
    f->orders[ECHO] = "exit";
    began = clock_mono_ms(clock_system());
    assert_int_equal(kill(supervise_pid(f->s, ECHO, 0, &(unsigned){0}), SIGKILL), 0);
    until(f, "how=\"exit 7\"", 4);
    /* the rests before the 2nd, 3rd and 4th try: 100, 200, 400 ms */
    assert_true(clock_mono_ms(clock_system()) - began >= 700);
    f->orders[ECHO] = NULL;
    until(f, "\"heard PING\"\n", 3);
}

static void failed_start_is_told_with_the_role_s_own_words(void **state)
{
    struct fixture *f = *state;

    f->orders[ASKER] = "fail";
    supervise_start(f->s);
    for (int i = 0; i < 2000 && f->why[0] == '\0'; i++)
        loop_turn(f->loop, 10);
    assert_string_equal(f->why, "there is no bread");
    assert_false(f->is_started);
    supervise_stop(f->s, 5000);
    until_flag(f, &f->is_stopped);
    assert_int_equal(supervise_pid(f->s, ECHO, 0, &(unsigned){0}), 0);
}

static void exit_during_start_is_a_failed_start(void **state)
{
    struct fixture *f = *state;

    f->orders[ECHO] = "exit";
    supervise_start(f->s);
    for (int i = 0; i < 2000 && f->why[0] == '\0'; i++)
        loop_turn(f->loop, 10);
    assert_string_equal(f->why, "echo ended while it started: exit 7");
}

static void accused_peer_is_ended_and_replaced(void **state)
{
    struct fixture *f = *state;

    f->orders[ASKER] = "accuse";
    supervise_start(f->s);
    until_flag(f, &f->is_started);
    until(f, "role.breach instance=\"echo 0\" told_by=\"asker 0\"", 1);
    until(f, "role.started instance=\"echo 0\"", 2);
}

static void stop_ends_the_last_row_first(void **state)
{
    struct fixture *f = *state;

    start(f);
    supervise_stop(f->s, 5000);
    until_flag(f, &f->is_stopped);
    assert_int_equal(count(f, "role.died"), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(supervise_pid(f->s, ECHO, i, &(unsigned){0}), 0);
}

static void stop_kills_who_does_not_listen(void **state)
{
    struct fixture *f = *state;

    f->orders[ECHO] = "deaf";
    start(f);
    supervise_stop(f->s, 200);
    until_flag(f, &f->is_stopped);
    assert_int_equal(count(f, "how=\"signal 9 (Killed)\""), 2);
}

static void renewed_role_gets_a_new_bag(void **state)
{
    struct fixture *f = *state;

    start(f);
    supervise_renew(f->s, ECHO);
    until(f, "\"heard PING\"\n", 4);
    assert_int_equal(f->fills[ECHO], 4);
    assert_int_equal(count(f, "role.died"), 0);
}

static void unsealed_memory_is_refused(void **state)
{
    int fd = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct span s;
    struct err err;

    (void)state;
    assert_int_equal(bag_map(fd, 100, &s, &err), -1);
    assert_string_equal(err.text, "memory that is not sealed was handed over");
    (void)close(fd);
    fd = bag_memory("long", SPAN_LIT("0123456789"), &err);
    assert_int_equal(bag_map(fd, 9, &s, &err), -1);
    assert_int_equal(write(fd, "x", 1), -1);
    (void)close(fd);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        CASE(processes_start_in_order_and_are_joined),
        CASE(lines_of_a_log_arrive_whole_and_clean),
        CASE(line_under_another_role_s_name_is_no_log_line),
        CASE(killed_process_is_back_and_joined_again),
        CASE(process_that_keeps_dying_gets_rests),
        CASE(failed_start_is_told_with_the_role_s_own_words),
        CASE(exit_during_start_is_a_failed_start),
        CASE(accused_peer_is_ended_and_replaced),
        CASE(stop_ends_the_last_row_first),
        CASE(stop_kills_who_does_not_listen),
        CASE(renewed_role_gets_a_new_bag),
        cmocka_unit_test(unsealed_memory_is_refused),
    };

    if (argc == 5 && strcmp(argv[1], "--role") == 0)
        return role_main(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
