/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "base/msg/date.h"

static const struct {
    const char *name, *in;
    bool want;
    int64_t want_s;
    int want_zone;
} cases[] = {
    {"rfc5322_3_3 full", "Fri, 21 Nov 1997 09:55:06 -0600", true, 880127706, -360},
    {"rfc5322_3_3 no weekday", "21 Nov 1997 09:55:06 -0600", true, 880127706, -360},
    {"rfc5322_3_3 no seconds", "21 Nov 1997 09:55 -0600", true, 880127700, -360},
    {"rfc5322_4_3 comments", "Thu,(x)\r\n 13\t(a(b\\))) Feb 1969 23:32 -0330 (NST)", true,
     -27723480, -210},
    {"rfc5322_4_3 two digits", "21 Nov 97 09:55:06 GMT", true, 880106106, 0},
    {"rfc5322_4_3 two digits new", "1 Jan 00 00:00:00 UT", true, 946684800, 0},
    {"rfc5322_4_3 three digits", "1 Jan 100 00:00:00 +0000", true, 946684800, 0},
    {"rfc5322_4_3 zone name", "1 Jan 2000 00:00:00 EST", true, 946702800, -300},
    {"rfc5322_4_3 military", "1 Jan 2000 00:00:00 A", true, 946684800, 0},
    {"blanks around colons", "1 Jan 2000 00 : 00 : 01 +0000", true, 946684801, 0},
    {"hyphens", "1-Jan-2000 00:00:00 +0100", true, 946681200, 60},
    {"day alone", "1 Jan 2000", true, 946684800, 0},
    {"leap second", "31 Dec 2016 23:59:60 +0000", true, 1483228800, 0},
    {"leap day", "29 Feb 2000 00:00:00 +0000", true, 951782400, 0},
    {"no zone", "1 Jan 2000 00:00:01", true, 946684801, 0},
    {"no leap day", "29 Feb 1900 00:00:00 +0000", false, 0, 0},
    {"day 32", "32 Jan 2000 00:00:00 +0000", false, 0, 0},
    {"hour 24", "1 Jan 2000 24:00:00 +0000", false, 0, 0},
    {"month missing", "1 2000 00:00:00", false, 0, 0},
    {"foreign", "yesterday at noon", false, 0, 0},
    {"empty", "", false, 0, 0},
    {"open comment", "(1 Jan 2000", false, 0, 0},
};

static void test_date_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t n = strlen(cases[i].in);
        uint8_t *copy = mem_dup(cases[i].in, n);
        int64_t got = 0;
        int zone = 0;

        print_message("%s\n", cases[i].name);
        assert_int_equal(date_parse(span_of(copy, n), &got, &zone), cases[i].want);
        assert_int_equal(got, cases[i].want_s);
        assert_int_equal(zone, cases[i].want_zone);
        free(copy);
    }
}

static void test_date_print(void **state)
{
    char text[DATE_TEXT];

    (void)state;
    date_print(880127706, -360, text);
    assert_string_equal(text, "Fri, 21 Nov 1997 09:55:06 -0600");
    date_print(0, 0, text);
    assert_string_equal(text, "Thu, 1 Jan 1970 00:00:00 +0000");
    date_print(-1, 330, text);
    assert_string_equal(text, "Thu, 1 Jan 1970 05:29:59 +0530");
    date_print(INT64_MAX, 0, text);
    assert_string_equal(text + 12, "9999 23:59:59 +0000");
    date_print(INT64_MIN, -720, text);
    assert_non_null(strstr(text, " 0000 "));
}

/* Every 37th hour of four centuries comes back as it went. */
static void test_date_round_trip(void **state)
{
    (void)state;
    for (int64_t t = -6000000000; t < 8000000000; t += 37 * 3600 * 24 + 4001) {
        struct date d = date_from_unix(t, 60);
        char text[DATE_TEXT];
        int64_t back;

        assert_true(date_is_valid(&d));
        assert_int_equal(date_to_unix(&d, 60), t);
        date_print(t, -90, text);
        assert_true(date_parse(span_str(text), &back, NULL));
        assert_int_equal(back, t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_date_parse),
        cmocka_unit_test(test_date_print),
        cmocka_unit_test(test_date_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
