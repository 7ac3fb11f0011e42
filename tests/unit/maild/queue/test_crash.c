/* SPDX-License-Identifier: ISC */
/* kill -9 at every file call of one life of the queue, then a second life, then the count.
 *
 * First life (a process of its own): messages to mailboxes, to other hosts, to one that does
 * not exist there, a checkpoint in the middle. It ends by SIGKILL in file call number n.
 * Second life: starts on what is left and works until nothing is to be done. Then for every
 * message that was acknowledged: each local recipient has exactly one row, each remote one got
 * it at least once, the failed one was reported. */
#include <sys/wait.h>

#include "tests/unit/maild/queue/queue_world.h"
#include "tests/unit/maild/store/fs_sandbox.h"

enum { LIFE_ENDED = 0, LIFE_STUCK = 3 };

struct line {
    char what[8], id[MSGID_TEXT + 1];
    size_t number;
};

static void open_seen(struct world *w)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/seen", w->dir);
    w->seen_fd = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
    assert_int_not_equal(w->seen_fd, -1);
}

/* What was seen so far; the mailbox remembers its rows from it. */
static size_t read_seen(struct world *w, struct line *v, size_t max)
{
    FILE *f = fdopen(dup(w->seen_fd), "r");
    size_t n = 0;

    assert_non_null(f);
    rewind(f);
    while (n < max && fscanf(f, "%7s %26s %zu", v[n].what, v[n].id, &v[n].number) == 3) {
        char key[64];

        (void)snprintf(key, sizeof(key), "%s/%zu", v[n].id, v[n].number);
        if (strcmp(v[n].what, "row") == 0)
            assert_int_equal(map_put(w->rows, span_str(key), w), 0);
        n++;
    }
    (void)fclose(f);
    return n;
}

/* Turn until `cond`, or give up: the queue may be unable to go on after a failure. */
#define TRY_UNTIL(w, cond)                                                               \
    for (int turn_ = 0; turn_ < 2000 && !(cond); turn_++)                                \
    loop_turn((w)->loop, 2)

/* To two recipients; what it was is written down first. */
static void send_one(struct world *w, const char *what, enum envelope_via via,
                     const char *const *to)
{
    struct msgid id = send_message(w, via, "anna@host.example", to, 2,
                                   "From: anna@host.example\r\n\r\nHello\r\n");
    char text[MSGID_TEXT + 1];

    msgid_print(&id, text);
    note_seen(w, what, text, 0);
}

static void send_all(struct world *w)
{
    const char *mixed[] = {"u@host.example", "b@far.example"};
    const char *remote[] = {"c@far.example", "bad@far.example"};
    const char *local[] = {"u@host.example", "v@host.example"};

    send_one(w, "mixed", VIA_SMTP, mixed);
    TRY_UNTIL(w, w->delivers >= 1 && w->relays >= 1);
    send_one(w, "remote", VIA_SUBMISSION, remote);
    TRY_UNTIL(w, w->delivers >= 2); /* the report */
    checkpoint_begin(w->q);
    send_one(w, "local", VIA_SMTP, local);
    TRY_UNTIL(w, w->q->cp.n_done >= 1 && w->delivers >= 4);
    checkpoint_begin(w->q);
    TRY_UNTIL(w, w->q->cp.n_done >= 2);
}

static int first_life(const char *dir, unsigned at)
{
    struct world w = {0};
    struct fsbox sb;

    (void)snprintf(w.dir, sizeof(w.dir), "%s", dir);
    fsbox_init(&sb);
    sb.mode = FSBOX_EXIT;
    sb.at = at;
    w.fs = &sb.ops;
    make_world(&w);
    open_seen(&w);
    start_queue(&w);
    send_all(&w);
    return LIFE_ENDED;
}

static int second_life(const char *dir)
{
    static struct line before[1000];
    struct world w = {0};

    (void)snprintf(w.dir, sizeof(w.dir), "%s", dir);
    make_world(&w);
    rng_seeded_init(&w.rng, 43);
    open_seen(&w);
    (void)read_seen(&w, before, COUNT_OF(before));
    start_queue(&w);
    for (int round = 0; round < 20; round++) {
        /* what has to wait after "no answer" is due with the clock */
        clock_fake_advance(&w.clock, 30000);
        spool_load(w.q);
        for (int i = 0; i < 30; i++)
            loop_turn(w.loop, 1);
        checkpoint_begin(w.q);
        TRY_UNTIL(&w, w.q->cp.state == CP_IDLE);
        if (map_count(w.q->messages) == 0 && files_left(&w) == 0)
            return LIFE_ENDED;
    }
    return LIFE_STUCK;
}

static size_t count(const struct line *v, size_t n, const char *what, const char *id,
                    size_t number)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        found += strcmp(v[i].what, what) == 0 && strcmp(v[i].id, id) == 0 &&
                 v[i].number == number;
    return found;
}

/* How often a message got out to other hosts. */
static size_t times_relayed(const struct line *v, size_t n, const char *id)
{
    return count(v, n, "relayed", id, 0) + count(v, n, "relayed", id, 1);
}

/* Rows of messages that nobody sent: the reports. */
static size_t count_reports(const struct line *v, size_t n)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        found += strcmp(v[i].what, "row") == 0 && count(v, n, "mixed", v[i].id, 0) == 0 &&
                 count(v, n, "local", v[i].id, 0) == 0;
    return found;
}

static void check(const char *dir, unsigned at)
{
    static struct line v[1000];
    struct world w = {0};
    size_t n;

    (void)snprintf(w.dir, sizeof(w.dir), "%s", dir);
    make_world(&w);
    open_seen(&w);
    n = read_seen(&w, v, COUNT_OF(v));
    for (size_t i = 0; i < n; i++) {
        const char *id = v[i].id;
        size_t rows0 = count(v, n, "row", id, 0), rows1 = count(v, n, "row", id, 1);
        bool ok = true;

        if (rows0 > 1 || rows1 > 1)
            fail_msg("killed at call %u: %s was delivered twice", at, id);
        if (count(v, n, "250", id, 0) == 0)
            continue;
        if (strcmp(v[i].what, "mixed") == 0)
            ok = rows0 == 1 && times_relayed(v, n, id) >= 1;
        else if (strcmp(v[i].what, "local") == 0)
            ok = rows0 == 1 && rows1 == 1;
        else if (strcmp(v[i].what, "remote") == 0)
            ok = times_relayed(v, n, id) >= 1 && count_reports(v, n) >= 1;
        if (!ok)
            fail_msg("killed at call %u: %s was acknowledged, not all arrived", at, id);
    }
    (void)close(w.seen_fd);
    map_free(&w.rows);
    conf_free(&w.conf);
    loop_free(&w.loop);
}

/* Run `life` in a process. Its exit code, or -1 when it was killed. */
static int in_process(int (*run)(const char *dir, unsigned at), const char *dir,
                      unsigned at)
{
    pid_t pid = fork();
    int status = 0;

    assert_int_not_equal(pid, -1);
    if (pid == 0)
        _exit(run(dir, at));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run_second(const char *dir, unsigned at)
{
    (void)at;
    return second_life(dir);
}

static void killed_at_every_file_call(void **state)
{
    int first = -1;

    (void)state;
    for (unsigned at = 1; first != LIFE_ENDED; at++) {
        char dir[64] = "/tmp/signpost-crash-XXXXXX", cmd[128];
        int second;

        assert_non_null(mkdtemp(dir));
        first = in_process(first_life, dir, at);
        second = in_process(run_second, dir, at);
        if (second != LIFE_ENDED)
            fail_msg("killed at call %u: the second life ended with %d", at, second);
        check(dir, at);
        (void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
        assert_int_equal(system(cmd), 0);
        assert_true(at < 400);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_every_file_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
