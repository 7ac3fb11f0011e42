/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "maild/smtp/line.h"

#define MAX 8

static const struct {
    const char *name, *in;
    enum line_result want;
    size_t want_used;
} cases[] = {
    {"whole line", "NOOP\r\nQUIT", LINE_OK, 6},
    {"empty line", "\r\nX", LINE_OK, 2},
    {"nothing", "", LINE_MORE, 0},
    {"half a line", "NOOP", LINE_MORE, 0},
    {"cr at end needs more", "NOOP\r", LINE_MORE, 0},
    {"longest", "ABCDEF\r\n", LINE_OK, 8},
    {"rfc5321_4_5_3_1_4 too long", "ABCDEFGHIJ\r\n", LINE_TOO_LONG, 0},
    {"rfc5321_4_5_3_1_4 cr is last", "ABCDEFG\r\n", LINE_TOO_LONG, 0},
    {"rfc5321_2_3_8 bare lf", "NOOP\n", LINE_BARE_LF, 0},
    {"rfc5321_2_3_8 lf first", "\nNOOP\r\n", LINE_BARE_LF, 0},
    {"rfc5321_2_3_8 bare cr", "NO\rOP\r\n", LINE_BARE_CR, 0},
    {"rfc5321_2_3_8 cr cr lf", "NOOP\r\r\n", LINE_BARE_CR, 0},
};

/* The first result that is not LINE_MORE, given `step` octets more each time. */
static enum line_result run(const char *in, size_t step, size_t *used)
{
    enum line_result r = LINE_MORE;
    size_t all = strlen(in);

    for (size_t n = step < all ? step : all; r == LINE_MORE; n++) {
        uint8_t *copy = n == 0 ? NULL : mem_dup(in, n);
        struct span line = {NULL, 0};

        *used = 0;
        r = smtp_line_next(span_of(copy, n), MAX, &line, used);
        if (r == LINE_OK)
            assert_int_equal(line.n, *used - 2);
        free(copy);
        if (n == all)
            break;
    }
    return r;
}

static void test_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t used;

        print_message("%s\n", cases[i].name);
        assert_int_equal(run(cases[i].in, 1000, &used), cases[i].want);
        assert_int_equal(used, cases[i].want_used);
        assert_int_equal(run(cases[i].in, 0, &used), cases[i].want);
        assert_int_equal(used, cases[i].want_used);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_line)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
