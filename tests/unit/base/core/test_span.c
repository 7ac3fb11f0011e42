/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "base/core/span.h"

static const struct span none = {NULL, 0};

static void test_comparing(void **state)
{
    static const struct {
        const char *a, *b;
        int want, want_nocase; /* sign */
    } cases[] = {
        {"", "", 0, 0},          {"a", "", 1, 1},     {"a", "b", -1, -1},
        {"A", "a", -1, 0},       {"ab", "a", 1, 1},   {"[", "a", -1, -1},
        {"A", "[", -1, 1},       {"\xff", "a", 1, 1}, {"\xc4", "\xe4", -1, -1},
        {"K1-X", "k1-x", -1, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct span a = span_str(cases[i].a);
        struct span b = span_str(cases[i].b);
        int d = span_cmp(a, b);
        int e = span_cmp_nocase(a, b);

        assert_int_equal((d > 0) - (d < 0), cases[i].want);
        assert_int_equal((e > 0) - (e < 0), cases[i].want_nocase);
        assert_int_equal(span_eq(a, b), cases[i].want == 0);
        assert_int_equal(span_eq_nocase(a, b), cases[i].want_nocase == 0);
        assert_int_equal(span_eq_str(a, cases[i].b), cases[i].want == 0);
        assert_int_equal(span_eq_str_nocase(a, cases[i].b), cases[i].want_nocase == 0);
    }
}

static void test_empty_spans_may_be_null(void **state)
{
    struct span head;
    struct span rest;
    char text[4];
    char *copy;

    (void)state;
    assert_true(span_eq(none, SPAN_LIT("")));
    assert_true(span_eq_nocase(none, none));
    assert_true(span_starts(none, none));
    assert_true(span_starts_nocase(SPAN_LIT("x"), none));
    assert_true(span_ends_nocase(none, none));
    assert_int_equal(span_cmp(none, none), 0);
    assert_int_equal(span_take(none, 5).n, 0);
    assert_int_equal(span_drop(none, 5).n, 0);
    assert_int_equal(span_trim(none).n, 0);
    assert_int_equal(span_index(none, 'x'), -1);
    assert_int_equal(span_rindex(none, 'x'), -1);
    assert_int_equal(span_find(none, SPAN_LIT("x")), -1);
    assert_int_equal(span_find(none, none), 0);
    assert_int_equal(span_find_nocase(none, none), 0);
    assert_false(span_cut(none, ',', &head, &rest));
    assert_false(span_word(&rest, &head));
    assert_int_equal(span_str(NULL).n, 0);
    assert_true(span_copy(none, text, sizeof text));
    assert_string_equal(text, "");
    copy = span_dup(none);
    assert_string_equal(copy, "");
    free(copy);
}

static void test_starts_and_ends(void **state)
{
    (void)state;
    assert_true(span_starts(SPAN_LIT("abc"), SPAN_LIT("ab")));
    assert_false(span_starts(SPAN_LIT("abc"), SPAN_LIT("AB")));
    assert_true(span_starts_nocase(SPAN_LIT("abc"), SPAN_LIT("AB")));
    assert_false(span_starts(SPAN_LIT("ab"), SPAN_LIT("abc")));
    assert_false(span_starts_nocase(SPAN_LIT("ab"), SPAN_LIT("abc")));
    assert_true(span_ends_nocase(SPAN_LIT("a.Example"), SPAN_LIT(".EXAMPLE")));
    assert_false(span_ends_nocase(SPAN_LIT("e"), SPAN_LIT(".EXAMPLE")));
}

static void test_finding(void **state)
{
    static const struct {
        const char *in, *needle;
        ptrdiff_t want, want_nocase;
    } cases[] = {
        {"abcabc", "bc", 1, 1}, {"abCabc", "bc", 4, 1}, {"abc", "abcd", -1, -1},
        {"abc", "", 0, 0},      {"aaab", "ab", 2, 2},   {"abc", "C", -1, 2},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *in = mem_dup(cases[i].in, strlen(cases[i].in)); /* no NUL behind it */
        struct span s = span_of(in, strlen(cases[i].in));

        assert_int_equal(span_find(s, span_str(cases[i].needle)), cases[i].want);
        assert_int_equal(span_find_nocase(s, span_str(cases[i].needle)),
                         cases[i].want_nocase);
        free(in);
    }
    assert_int_equal(span_index(SPAN_LIT("a.b.c"), '.'), 1);
    assert_int_equal(span_rindex(SPAN_LIT("a.b.c"), '.'), 3);
}

static void test_cutting(void **state)
{
    struct span s = SPAN_LIT("a,,b");
    struct span head;
    struct span word;

    (void)state;
    assert_true(span_cut(s, ',', &head, &s)); /* outputs may alias the input */
    assert_true(span_eq_str(head, "a"));
    assert_true(span_cut(s, ',', &head, &s));
    assert_int_equal(head.n, 0);
    assert_false(span_cut(s, ',', &head, &s));
    assert_true(span_eq_str(head, "b"));
    assert_int_equal(s.n, 0);

    s = SPAN_LIT(" \t one\ttwo  ");
    assert_true(span_word(&s, &word));
    assert_true(span_eq_str(word, "one"));
    assert_true(span_word(&s, &word));
    assert_true(span_eq_str(word, "two"));
    assert_false(span_word(&s, &word));

    assert_true(span_eq_str(span_trim(SPAN_LIT(" \ta b\t ")), "a b"));
    assert_int_equal(span_trim(SPAN_LIT(" \t ")).n, 0);
    assert_true(span_eq_str(span_take(SPAN_LIT("abc"), 2), "ab"));
    assert_true(span_eq_str(span_drop(SPAN_LIT("abc"), 2), "c"));
    assert_int_equal(span_drop(SPAN_LIT("abc"), SIZE_MAX).n, 0);
}

static void test_numbers(void **state)
{
    static const struct {
        const char *in;
        uint64_t max;
        bool want;
        uint64_t want_value;
    } cases[] = {
        {"0", 10, true, 0},
        {"007", 10, true, 7},
        {"10", 10, true, 10},
        {"11", 10, false, 0},
        {"9", 5, false, 0},
        {"", 10, false, 0},
        {"+1", 10, false, 0},
        {"-1", 10, false, 0},
        {"1 ", 10, false, 0},
        {"0x1", 10, false, 0},
        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, false, 0},
        {"99999999999999999999", UINT64_MAX, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t v = 0;

        if (span_to_u64(span_str(cases[i].in), cases[i].max, &v) != cases[i].want)
            fail_msg("%s", cases[i].in);
        assert_int_equal(v, cases[i].want_value);
    }
}

static void test_copying(void **state)
{
    char text[4] = "xxx";
    char *copy;

    (void)state;
    assert_true(span_copy(SPAN_LIT("abc"), text, sizeof text));
    assert_string_equal(text, "abc");
    assert_false(span_copy(SPAN_LIT("abcd"), text, sizeof text));
    assert_string_equal(text, "");
    assert_false(span_copy(SPAN_LIT("a\0b"), text, sizeof text));
    assert_false(span_copy(SPAN_LIT("a"), text, 0));
    copy = span_dup(SPAN_LIT("abcd"));
    assert_string_equal(copy, "abcd");
    free(copy);
}

static void test_letters_are_ascii(void **state)
{
    uint8_t text[] = "AZ[az\xc4";

    (void)state;
    ascii_lower_all(text, 6);
    assert_memory_equal(text, "az[az\xc4", 6);
    assert_true(ascii_is_alpha('z') && ascii_is_alpha('A') && !ascii_is_alpha('@'));
    assert_true(!ascii_is_alpha('[') && !ascii_is_alpha(0xe4) && !ascii_is_alpha('{'));
    assert_true(ascii_is_digit('0') && ascii_is_digit('9') && !ascii_is_digit(':'));
    assert_true(ascii_is_alnum('a') && ascii_is_alnum('5') && !ascii_is_alnum('_'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparing),
        cmocka_unit_test(test_empty_spans_may_be_null),
        cmocka_unit_test(test_starts_and_ends),
        cmocka_unit_test(test_finding),
        cmocka_unit_test(test_cutting),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_copying),
        cmocka_unit_test(test_letters_are_ascii),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
