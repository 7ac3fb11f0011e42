/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "maild/directory/rcptcache.h"

#define ANN  SPAN_LIT("ann@x.test")
#define YES  SPAN_LIT("targets")
#define LONG 3600 /* seconds: long after the files were written */

struct world {
    char dir[64];
    struct rng rng;
    struct rcptcache *c;
    int64_t written_us; /* mtime of both files */
};

static void name(const struct world *w, const char *file, char path[128])
{
    (void)snprintf(path, 128, "%s/db/%s", w->dir, file);
}

/* Write the file, as a commit would, `us` after the last time. */
static void touch(struct world *w, const char *file, int64_t us)
{
    struct timespec t[2];
    char path[128];
    int fd;

    w->written_us += us;
    t[0].tv_sec = (time_t)(w->written_us / 1000000);
    t[0].tv_nsec = (long)(w->written_us % 1000000) * 1000;
    t[1] = t[0];
    name(w, file, path);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_not_equal(fd, -1);
    assert_int_equal(futimens(fd, t), 0);
    (void)close(fd);
}

static int set_up(void **state)
{
    static struct world w;
    char path[128];

    w = (struct world){.dir = "/tmp/rcptcache-XXXXXX", .written_us = 1000000000};
    assert_non_null(mkdtemp(w.dir));
    name(&w, "", path);
    assert_int_equal(mkdir(path, 0700), 0);
    rng_seeded_init(&w.rng, 1);
    w.c = rcptcache_new(&w.rng, w.dir);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const files[] = {"signpost.db", "signpost.db-wal", ""};
    struct world *w = *state;
    char path[128];

    for (size_t i = 0; i < 3; i++) {
        name(w, files[i], path);
        (void)remove(path);
    }
    (void)rmdir(w->dir);
    rcptcache_free(&w->c);
    return 0;
}

static struct span get(struct world *w, struct span address, uint64_t login, int64_t ms)
{
    const struct rcptcache_stamp s = rcptcache_look(w->c);

    return rcptcache_get(w->c, &s, address, login, ms);
}

static void put(struct world *w, const struct rcptcache_stamp *s, int64_t ms)
{
    rcptcache_put(w->c, s, ANN, 0, YES, ms, w->written_us + LONG * 1000000LL);
}

static void keeps_an_answer_for_a_second(void **state)
{
    struct world *w = *state;
    struct rcptcache_stamp s;

    touch(w, "signpost.db", 0);
    touch(w, "signpost.db-wal", 0);
    s = rcptcache_look(w->c);
    assert_int_equal(get(w, ANN, 0, 0).n, 0);
    put(w, &s, 5);
    assert_true(span_eq(get(w, ANN, 0, 5), YES));
    assert_true(span_eq(get(w, ANN, 0, 5 + RCPTCACHE_TTL_MS - 1), YES));
    assert_int_equal(get(w, ANN, 0, 5 + RCPTCACHE_TTL_MS).n, 0);
    put(w, &s, 2000); /* again: one entry, new time */
    assert_true(span_eq(get(w, ANN, 0, 2000), YES));
    assert_int_equal(get(w, ANN, 7, 2000).n, 0);
    assert_int_equal(get(w, SPAN_LIT("Ann@x.test"), 0, 2000).n, 0);
}

static void a_written_database_ends_it(void **state)
{
    struct world *w = *state;
    struct rcptcache_stamp s;

    touch(w, "signpost.db", 0);
    touch(w, "signpost.db-wal", 0);
    s = rcptcache_look(w->c);
    put(w, &s, 0);
    touch(w, "signpost.db-wal", 4000);
    assert_int_equal(get(w, ANN, 0, 1).n, 0);
    put(w, &s, 1); /* asked before the change: worth nothing now */
    assert_int_equal(get(w, ANN, 0, 1).n, 0);
    s = rcptcache_look(w->c);
    put(w, &s, 2);
    assert_true(span_eq(get(w, ANN, 0, 2), YES));
    touch(w, "signpost.db", 4000);
    assert_int_equal(get(w, ANN, 0, 2).n, 0);
}

static void keeps_nothing_right_behind_a_change(void **state)
{
    struct world *w = *state;
    struct rcptcache_stamp s;

    touch(w, "signpost.db", 0);
    touch(w, "signpost.db-wal", 0);
    s = rcptcache_look(w->c);
    rcptcache_put(w->c, &s, ANN, 0, YES, 0,
                  w->written_us + RCPTCACHE_QUIET_MS * 1000 - 1);
    assert_int_equal(get(w, ANN, 0, 0).n, 0);
    rcptcache_put(w->c, &s, ANN, 0, YES, 0, w->written_us + RCPTCACHE_QUIET_MS * 1000);
    assert_int_equal(get(w, ANN, 0, 0).n, YES.n);
}

static void keeps_nothing_without_files_or_beyond_its_ceilings(void **state)
{
    static const uint8_t long_answer[RCPTCACHE_TARGETS_MAX + 1] = {1};
    struct world *w = *state;
    struct rcptcache_stamp s = rcptcache_look(w->c);
    int64_t late_us = w->written_us + LONG * 1000000LL;

    assert_false(s.is_known);
    put(w, &s, 0);
    assert_int_equal(get(w, ANN, 0, 0).n, 0);
    touch(w, "signpost.db", 0);
    touch(w, "signpost.db-wal", 0);
    s = rcptcache_look(w->c);
    rcptcache_put(w->c, &s, ANN, 0, span_of(long_answer, sizeof long_answer), 0, late_us);
    assert_int_equal(get(w, ANN, 0, 0).n, 0);
    for (uint32_t i = 0; i < 2 * RCPTCACHE_ENTRIES_MAX + 1; i++)
        rcptcache_put(w->c, &s, span_of(&i, sizeof i), 0, YES, 0, late_us);
    put(w, &s, 0);
    assert_true(span_eq(get(w, ANN, 0, 0), YES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_an_answer_for_a_second, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_written_database_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keeps_nothing_right_behind_a_change, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            keeps_nothing_without_files_or_beyond_its_ceilings, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
