/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "maild/store/journal.h"
#include "tests/unit/maild/store/fs_sandbox.h"

struct world {
    char dir[64], path[80];
    struct log log;
    struct loop *loop;
    struct fsbox sb;
    struct journal *j;
    unsigned done, failed;
    int sys;
    uint64_t mark;
    bool is_marked;
};

static int setup(void **state)
{
    struct world *w = mem_new(1, sizeof(*w));

    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/signpost-journal-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->path, sizeof(w->path), "%s/j", w->dir);
    log_init(&w->log, -1, "test", clock_system());
    w->loop = loop_new(&w->log, clock_system());
    fsbox_init(&w->sb);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char cmd[128];

    journal_close(&w->j);
    loop_free(&w->loop);
    fsbox_free(&w->sb);
    (void)snprintf(cmd, sizeof(cmd), "rm -rf %s", w->dir);
    assert_int_equal(system(cmd), 0);
    free(w);
    return 0;
}

static int count_record(void *ctx, const struct record *r, struct err *err)
{
    (void)err;
    assert_true(r->type == 1 || r->type == 2);
    (*(unsigned *)ctx)++;
    return 0;
}

/* Open and replay; how many records there were. */
static unsigned open_journal(struct world *w)
{
    const struct journal_config c = {.loop = w->loop,
                                     .fs = &w->sb.ops,
                                     .dir = w->path,
                                     .segment_octets = SEGMENTS_OCTETS_MIN};
    unsigned n = 0;
    struct err err;

    w->j = journal_open(&c, &err);
    if (w->j == NULL)
        fail_msg("%s", err.text);
    assert_int_equal(journal_replay(w->j, count_record, &n, &err), 0);
    return n;
}

static void done(void *ctx, const struct err *err)
{
    struct world *w = ctx;

    w->done++;
    if (err != NULL) {
        w->failed++;
        w->sys = err->sys;
    }
}

#define UNTIL(w, cond)                                                                   \
    do {                                                                                 \
        for (int turn_ = 0; turn_ < 4000 && !(cond); turn_++)                            \
            loop_turn((w)->loop, 2);                                                     \
        assert_true(cond);                                                               \
    } while (0)

static void many_appends_share_syncs(void **state)
{
    struct world *w = *state;
    struct span part = SPAN_LIT("payload");
    unsigned before;

    assert_int_equal(open_journal(w), 0);
    assert_int_equal(journal_append(w->j, 1, &part, 1, done, w), 0);
    UNTIL(w, w->done == 1); /* the first segment exists */
    before = fsbox_calls(&w->sb);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(journal_append(w->j, 1, &part, 1, done, w), 0);
    UNTIL(w, w->done == 1001);
    assert_int_equal(w->failed, 0);
    /* one batch for the first, one for all that came meanwhile: a write and a sync each */
    assert_true(fsbox_calls(&w->sb) - before <= 4);
    journal_close(&w->j);
    assert_int_equal(open_journal(w), 1001);
}

static void lazy_records_are_written_without_a_sync(void **state)
{
    struct world *w = *state;
    struct span part = SPAN_LIT("payload");
    unsigned before;

    assert_int_equal(open_journal(w), 0);
    assert_int_equal(journal_append(w->j, 1, &part, 1, done, w), 0);
    UNTIL(w, w->done == 1);
    before = fsbox_calls(&w->sb);
    for (int i = 0; i < 10; i++)
        assert_int_equal(journal_append(w->j, 2, &part, 1, NULL, NULL), 0);
    UNTIL(w, fsbox_calls(&w->sb) > before);
    for (int i = 0; i < 20; i++)
        loop_turn(w->loop, 1);
    assert_int_equal(fsbox_calls(&w->sb), before + 1);
    journal_close(&w->j);
    assert_int_equal(open_journal(w), 11);
}

static void close_writes_what_has_gathered(void **state)
{
    struct world *w = *state;
    struct span part = SPAN_LIT("payload");

    assert_int_equal(open_journal(w), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(journal_append(w->j, 1, &part, 1, done, w), 0);
    journal_close(&w->j);
    assert_int_equal(w->done, 5);
    assert_int_equal(w->failed, 0);
    assert_int_equal(open_journal(w), 5);
}

static void full_disk_fails_everybody_in_the_batch_and_nobody_else(void **state)
{
    struct world *w = *state;
    struct span part = SPAN_LIT("payload");

    assert_int_equal(open_journal(w), 0);
    assert_int_equal(journal_append(w->j, 1, &part, 1, done, w), 0);
    UNTIL(w, w->done == 1);
    w->sb.mode = FSBOX_FULL;
    assert_int_equal(journal_append(w->j, 1, &part, 1, done, w), 0);
    UNTIL(w, w->done == 2);
    assert_int_equal(w->failed, 1);
    assert_int_equal(w->sys, ENOSPC);
    w->sb.mode = FSBOX_COUNT;
    assert_int_equal(journal_append(w->j, 1, &part, 1, done, w), 0);
    UNTIL(w, w->done == 3);
    assert_int_equal(w->failed, 1);
    journal_close(&w->j);
    assert_int_equal(open_journal(w), 2);
}

static void too_much_at_once_is_refused(void **state)
{
    struct world *w = *state;
    uint8_t *big = mem_new(1, 200000);
    struct span part = span_of(big, 200000);
    unsigned taken = 0;

    assert_int_equal(open_journal(w), 0);
    while (taken < 100 && journal_append(w->j, 1, &part, 1, done, w) == 0)
        taken++;
    assert_in_range(taken, 5, 11);
    UNTIL(w, w->done == taken);
    assert_int_equal(w->failed, 0);
    free(big);
}

static void marked(void *ctx, uint64_t mark, const struct err *err)
{
    struct world *w = ctx;

    assert_null(err);
    w->mark = mark;
    w->is_marked = true;
}

static void released(void *ctx)
{
    *(bool *)ctx = true;
}

static void nothing_below_a_released_mark_comes_back(void **state)
{
    struct world *w = *state;
    bool is_released = false;
    struct span part = SPAN_LIT("payload");

    assert_int_equal(open_journal(w), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(journal_append(w->j, 1, &part, 1, done, w), 0);
    UNTIL(w, w->done == 10);
    journal_mark(w->j, marked, w);
    for (int i = 0; i < 3; i++)
        assert_int_equal(journal_append(w->j, 1, &part, 1, done, w), 0);
    UNTIL(w, w->done == 13 && w->is_marked);
    journal_release(w->j, w->mark, released, &is_released);
    UNTIL(w, is_released);
    journal_close(&w->j);
    assert_int_equal(open_journal(w), 3);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(many_appends_share_syncs),
        CASE(lazy_records_are_written_without_a_sync),
        CASE(close_writes_what_has_gathered),
        CASE(full_disk_fails_everybody_in_the_batch_and_nobody_else),
        CASE(too_much_at_once_is_refused),
        CASE(nothing_below_a_released_mark_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
