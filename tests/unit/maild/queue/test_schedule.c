/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/core/attr.h"
#include "maild/queue/schedule.h"

static const struct schedule_config conf = {300, 14400, 432000};

static const struct {
    const char *name;
    uint32_t attempts;
    int64_t age_s, want_wait_s;
} waits[] = {
    {"first failure", 1, 0, 300},
    {"doubles", 2, 300, 600},
    {"doubles again", 3, 900, 1200},
    {"sixth", 6, 9000, 9600},
    {"capped at 4 h", 7, 20000, 14400},
    {"stays capped", 1000, 100000, 14400},
    {"last try at the very end", 20, 430000, 2000},
    {"after the end nothing special", 21, 432000, 14400},
};

static void waits_double_up_to_the_cap(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(waits); i++) {
        int64_t now = 1000000 + waits[i].age_s;
        int64_t got = schedule_next(&conf, 1000000, waits[i].attempts, now) - now;

        if (got != waits[i].want_wait_s)
            fail_msg("%s: %lld", waits[i].name, (long long)got);
    }
}

static void rfc5321_4_5_4_1_gives_up_after_five_days(void **state)
{
    (void)state;
    assert_false(schedule_is_expired(&conf, 1000, 1000 + 431999));
    assert_true(schedule_is_expired(&conf, 1000, 1000 + 432000));
}

static void five_days_of_failures_take_some_35_attempts(void **state)
{
    int64_t now = 0;
    uint32_t n = 1;

    (void)state;
    while (!schedule_is_expired(&conf, 0, now))
        now = schedule_next(&conf, 0, n++, now);
    assert_in_range(n, 30, 40);
    assert_int_equal(now, 432000);
}

static void window_grows_slowly_and_shrinks_fast(void **state)
{
    struct schedule_window w;

    (void)state;
    schedule_window_init(&w);
    assert_int_equal(w.limit, SCHEDULE_WINDOW_FIRST);
    for (int i = 0; i < 5; i++)
        schedule_window_good(&w);
    assert_int_equal(w.limit, SCHEDULE_WINDOW_FIRST + 1);
    for (int i = 0; i < 10000; i++)
        schedule_window_good(&w);
    assert_int_equal(w.limit, SCHEDULE_WINDOW_MAX);
    for (int i = 0; i < 10; i++)
        schedule_window_bad(&w);
    assert_int_equal(w.limit, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_double_up_to_the_cap),
        cmocka_unit_test(rfc5321_4_5_4_1_gives_up_after_five_days),
        cmocka_unit_test(five_days_of_failures_take_some_35_attempts),
        cmocka_unit_test(window_grows_slowly_and_shrinks_fast),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
