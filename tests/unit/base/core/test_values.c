/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/arena.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/mem.h"
#include "base/core/msgid.h"
#include "base/core/rng.h"

static void test_arena_gives_zeroed_aligned_memory(void **state)
{
    struct arena *a = arena_new(100000);

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (size_t n = 0; n < 200; n++) {
            uint8_t *p = arena_alloc(a, n);

            assert_non_null(p);
            assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(p[i], 0);
            memset(p, 0xff, n);
        }
        arena_reset(a);
        assert_int_equal(arena_used(a), 0);
    }
    arena_free(&a);
    assert_null(a);
    arena_free(&a);
}

static void test_arena_keeps_its_ceiling(void **state)
{
    struct arena *a = arena_new(64);

    (void)state;
    assert_null(arena_alloc(a, 65));
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_null(arena_strdup(a, span_of("", SIZE_MAX)));
    assert_string_equal(arena_strdup(a, SPAN_LIT("abc")), "abc");
    assert_true(span_eq_str(arena_copy(a, SPAN_LIT("de")), "de"));
    assert_non_null(arena_copy(a, SPAN_LIT("")).p);
    assert_non_null(arena_alloc(a, 16));
    assert_null(arena_alloc(a, 1));
    assert_null(arena_copy(a, SPAN_LIT("x")).p);
    arena_free(&a);
    a = arena_new(SIZE_MAX);
    assert_null(arena_alloc(a, SIZE_MAX - 1));
    arena_free(&a);
}

static void test_errors_read_from_the_outside_in(void **state)
{
    struct err err = {0};
    char *text = mem_new(1000, 1);

    (void)state;
    errno = EACCES;
    assert_int_equal(err_sys(&err, "open %s", "x.db"), -1);
    assert_string_equal(err.text, "open x.db: permission denied");
    assert_int_equal(err.sys, EACCES);
    assert_int_equal(err_wrap(&err, "start %s", "dnsd"), -1);
    assert_string_equal(err.text, "start dnsd: open x.db: permission denied");
    assert_int_equal(err.sys, EACCES);
    errno = EIO;
    err_sys(&err, "read");
    assert_string_equal(err.text, "read: input/output error");
    assert_int_equal(err_set(&err, "%d%%", 7), -1);
    assert_string_equal(err.text, "7%");
    assert_int_equal(err.sys, 0);
    memset(text, 'x', 999);
    err_set(&err, "%s", text);
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
    err_wrap(&err, "outer");
    assert_memory_equal(err.text, "outer: xxx", 10);
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
    err_sys(&err, "%s", text);
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
    assert_int_equal(err_set(NULL, "nobody listens"), -1);
    assert_int_equal(err_sys(NULL, "nobody listens"), -1);
    assert_int_equal(err_wrap(NULL, "nobody listens"), -1);
    free(text);
}

static void test_an_error_stays_one_line(void **state)
{
    struct err err;

    (void)state;
    err_set(&err, "found \"%s\"", "a\n\033[2J\x7f\xff\xc2\x9b \xc3\xa4");
    assert_string_equal(err.text, "found \"a??[2J???? \xc3\xa4\"");
    err_wrap(&err, "line %s", "1\r\n2");
    assert_string_equal(err.text, "line 1??2: found \"a??[2J???? \xc3\xa4\"");
}

static void test_clocks(void **state)
{
    const struct clock *c = clock_system();
    struct clock fake;
    int64_t before = clock_mono_us(c);

    (void)state;
    assert_true(clock_mono_us(c) >= before);
    assert_true(clock_wall_s(c) > 1700000000);
    clock_fake_init(&fake, 1000);
    assert_int_equal(clock_wall_s(&fake), 1000);
    before = clock_mono_ms(&fake);
    clock_fake_advance(&fake, 1500);
    assert_int_equal(clock_mono_ms(&fake), before + 1500);
    assert_int_equal(clock_wall_us(&fake), 1001500000);
}

static void test_random_sources(void **state)
{
    unsigned seen[7] = {0};
    struct rng a;
    struct rng b;
    uint8_t octets[13];
    uint8_t again[13];

    (void)state;
    rng_seeded_init(&a, 1);
    rng_seeded_init(&b, 1);
    rng_fill(&a, octets, sizeof octets);
    rng_fill(&b, again, sizeof again);
    assert_memory_equal(octets, again, sizeof octets);
    rng_seeded_init(&b, 2);
    rng_fill(&b, again, sizeof again);
    assert_memory_not_equal(octets, again, sizeof octets);
    for (int i = 0; i < 7000; i++) {
        uint64_t v = rng_below(&a, 7);

        assert_true(v < 7);
        seen[v]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 850, 1150);
    assert_int_equal(rng_below(&a, 1), 0);
    assert_true(rng_u64(rng_system()) != rng_u64(rng_system()));
}

static void test_message_ids(void **state)
{
    static const char *const bad[] = {
        "",
        "aaaaaaaaaaaaaaaaaaaaaaaaa",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "aaaaaaaaaaaaaaaaaaaaaaaaab", /* trailing bits */
        "aaaaaaaaaaaaaaaaaaaaaaaaa1", /* foreign letter */
        "aaaaaaaaaaaaaaaaaaaaaaaa/a",
    };
    struct rng rng;
    struct msgid id;
    struct msgid back;
    char text[MSGID_TEXT + 1];

    (void)state;
    rng_seeded_init(&rng, 3);
    for (int i = 0; i < 1000; i++) {
        msgid_new(&id, &rng, i);
        msgid_print(&id, text);
        assert_int_equal(strlen(text), MSGID_TEXT);
        assert_true(msgid_parse(span_str(text), &back));
        assert_true(msgid_eq(&id, &back));
        for (char *c = text; *c != '\0'; c++)
            if (*c >= 'a')
                *c = (char)(*c - 'a' + 'A');
        assert_true(msgid_parse(span_str(text), &back));
        assert_true(msgid_eq(&id, &back));
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(msgid_parse(span_str(bad[i]), &id));
    assert_false(msgid_parse(span_of("aaaaaaaaaaaaaaaaaaaaaaaa\0a", 26), &id));
    memset(id.b, 0xff, sizeof id.b);
    msgid_print(&id, text);
    assert_string_equal(text, "77777777777777777777777774");
}

/* The first two characters count half days, so that files of one time share a folder; what
 * comes later sorts behind. */
static void test_msgid_begins_with_its_time(void **state)
{
    static const int64_t half_day_us = 43200 * INT64_C(1000000);
    static const struct {
        int64_t half_days, us;
        const char *want;
    } cases[] = {{0, 0, "aa"},  {0, 43199999999, "aa"}, {1, 0, "ab"},
                 {32, 0, "ba"}, {1023, 0, "77"},        {1024, 0, "aa"}};
    struct msgid id = {{0}}, before = {{0}};
    char text[MSGID_TEXT + 1];
    struct rng rng;

    (void)state;
    rng_seeded_init(&rng, 3);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        msgid_new(&id, &rng, cases[i].half_days * half_day_us + cases[i].us);
        msgid_print(&id, text);
        assert_memory_equal(text, cases[i].want, 2);
    }
    for (int64_t us = 0; us < half_day_us; us += 987654321) {
        msgid_new(&id, &rng, us);
        assert_true(us == 0 || memcmp(id.b, before.b, sizeof id.b) > 0);
        before = id;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(test_arena_keeps_its_ceiling),
        cmocka_unit_test(test_errors_read_from_the_outside_in),
        cmocka_unit_test(test_an_error_stays_one_line),
        cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_random_sources),
        cmocka_unit_test(test_msgid_begins_with_its_time),
        cmocka_unit_test(test_message_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
