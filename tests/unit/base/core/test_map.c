/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/core/map.h"

#define NAMES 2000u

static struct span name_of(unsigned i, char text[16])
{
    (void)snprintf(text, 16, "name-%u", i);
    return span_str(text);
}

/* Puts and takes in random order, compared with a plain array after every step. */
static void test_behaves_like_an_array(void **state)
{
    char text[16];
    bool is_there[NAMES] = {false};
    int values[NAMES];
    size_t count = 0;
    struct rng rng;
    struct map *m;

    (void)state;
    rng_seeded_init(&rng, 1);
    m = map_new(NAMES, &rng);
    for (int step = 0; step < 20000; step++) {
        unsigned i = (unsigned)rng_below(&rng, NAMES);
        struct span key = name_of(i, text);

        assert_ptr_equal(map_get(m, key), is_there[i] ? &values[i] : NULL);
        if (rng_below(&rng, 2) == 0) {
            assert_int_equal(map_put(m, key, &values[i]), 0);
            count += !is_there[i];
            is_there[i] = true;
        } else {
            assert_ptr_equal(map_take(m, key), is_there[i] ? &values[i] : NULL);
            count -= is_there[i];
            is_there[i] = false;
        }
        assert_int_equal(map_count(m), count);
    }
    for (unsigned i = 0; i < NAMES; i++)
        assert_ptr_equal(map_get(m, name_of(i, text)), is_there[i] ? &values[i] : NULL);
    map_free(&m);
    assert_null(m);
}

static void test_full_map_refuses_new_keys_only(void **state)
{
    int a;
    int b;
    struct rng rng;
    struct map *m;

    (void)state;
    rng_seeded_init(&rng, 2);
    m = map_new(1, &rng);
    assert_int_equal(map_put(m, SPAN_LIT("x"), &a), 0);
    assert_int_equal(map_put(m, SPAN_LIT("y"), &b), -1);
    assert_int_equal(map_put(m, SPAN_LIT("x"), &b), 0);
    assert_ptr_equal(map_get(m, SPAN_LIT("x")), &b);
    assert_ptr_equal(map_take(m, SPAN_LIT("x")), &b);
    assert_int_equal(map_put(m, SPAN_LIT(""), &a), 0);
    assert_ptr_equal(map_get(m, span_of(NULL, 0)), &a);
    map_free(&m);
}

/* Every entry is seen once although every third is removed on the way. */
static void test_walk_allows_removing_what_was_visited(void **state)
{
    char text[16];
    unsigned seen[300] = {0};
    unsigned numbers[300];
    size_t cursor = 0;
    struct span key;
    void *value;
    struct rng rng;
    struct map *m;

    (void)state;
    rng_seeded_init(&rng, 3);
    m = map_new(300, &rng);
    for (unsigned i = 0; i < 300; i++) {
        numbers[i] = i;
        assert_int_equal(map_put(m, name_of(i, text), &numbers[i]), 0);
    }
    while (map_next(m, &cursor, &key, &value)) {
        unsigned i = *(unsigned *)value;

        assert_true(span_eq(key, name_of(i, text)));
        seen[i]++;
        if (i % 3 == 0)
            assert_ptr_equal(map_take(m, name_of(i, text)), &numbers[i]);
    }
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(seen[i], 1);
    assert_int_equal(map_count(m), 200);
    cursor = 0;
    while (map_next(m, &cursor, &key, &value))
        assert_non_null(map_take(m, name_of(*(unsigned *)value, text)));
    assert_int_equal(map_count(m), 0);
    cursor = 0;
    assert_false(map_next(m, &cursor, &key, &value));
    map_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_behaves_like_an_array),
        cmocka_unit_test(test_full_map_refuses_new_keys_only),
        cmocka_unit_test(test_walk_allows_removing_what_was_visited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
