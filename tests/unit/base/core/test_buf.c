/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/buf.h"

static void test_grows_up_to_the_ceiling(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(buf_byte(&b, (uint8_t)i), 0);
    assert_int_equal(buf_byte(&b, 0), -1);
    assert_int_equal(b.len, 100);
    assert_true(b.cap <= 100);
    assert_int_equal(b.data[99], 99);
    buf_reset(&b);
    assert_int_equal(b.len, 0);
    assert_int_equal(buf_reserve(&b, 101), -1);
    assert_int_equal(buf_reserve(&b, SIZE_MAX), -1);
    assert_int_equal(buf_reserve(&b, 100), 0);
    buf_free(&b);
    assert_null(b.data);
    assert_int_equal(b.max, 100);
}

static void test_what_does_not_fit_changes_nothing(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 5);
    assert_int_equal(buf_str(&b, "abc"), 0);
    assert_int_equal(buf_append(&b, "def", 3), -1);
    assert_int_equal(buf_prepend(&b, "def", 3), -1);
    assert_int_equal(buf_printf(&b, "%d", 123), -1);
    assert_int_equal(buf_span(&b, SPAN_LIT("def")), -1);
    assert_true(span_eq_str(buf_all(&b), "abc"));
    assert_int_equal(buf_printf(&b, "%d", 12), 0); /* exactly full */
    assert_true(span_eq_str(buf_all(&b), "abc12"));
    assert_int_equal(buf_append(&b, NULL, 0), 0);
    buf_free(&b);
}

static void test_dropping_and_prepending(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    assert_int_equal(buf_str(&b, "world"), 0);
    assert_int_equal(buf_prepend(&b, "hello ", 6), 0);
    assert_string_equal(buf_cstr(&b), "hello world");
    assert_int_equal(b.len, 11);
    buf_drop(&b, 6);
    assert_string_equal(buf_cstr(&b), "world");
    buf_truncate(&b, 2);
    assert_string_equal(buf_cstr(&b), "wo");
    buf_drop(&b, 2);
    assert_int_equal(buf_all(&b).n, 0);
    buf_free(&b);
    assert_string_equal(buf_cstr(&b), "");
    buf_free(&b);
}

/* Longer than what is formatted on the stack. */
static void test_long_formats(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    assert_int_equal(buf_printf(&b, "%300d", 7), 0);
    assert_int_equal(b.len, 300);
    assert_int_equal(b.data[299], '7');
    assert_int_equal(buf_printf(&b, "%701d", 7), -1);
    assert_int_equal(b.len, 300);
    assert_int_equal(buf_printf(&b, "%700d", 7), 0);
    assert_int_equal(b.len, 1000);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_up_to_the_ceiling),
        cmocka_unit_test(test_what_does_not_fit_changes_nothing),
        cmocka_unit_test(test_dropping_and_prepending),
        cmocka_unit_test(test_long_formats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
