/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "maild/smtp/data.h"

#define IN(s) s, sizeof(s) - 1

/* Each case is what follows 354. `want_end` is how many octets were taken when the message
 * ended, 0 when it did not. */
static const struct {
    const char *name, *in;
    size_t n;
    const char *want;
    size_t want_end;
    enum smtp_data_fault want_fault;
} cases[] = {
    {"empty message", IN(".\r\n"), "", 3, SMTP_DATA_GOOD},
    {"one line", IN("a\r\n.\r\nNOOP\r\n"), "a\r\n", 6, SMTP_DATA_GOOD},
    {"rfc5321_4_5_2 stuffed dot", IN("..\r\n.a\r\n.\r\n"), ".\r\na\r\n", 11,
     SMTP_DATA_GOOD},
    {"dots inside", IN("a.\r\n.\r\n"), "a.\r\n", 7, SMTP_DATA_GOOD},
    {"empty lines", IN("\r\n\r\n.\r\n"), "\r\n\r\n", 7, SMTP_DATA_GOOD},
    {"no end", IN("a\r\n."), "a\r\n", 0, SMTP_DATA_GOOD},
    {"nul is data", IN("a\0b\r\n.\r\n"), "a\0b\r\n", 8, SMTP_DATA_GOOD},
    {"bare lf", IN("a\nb\r\n.\r\n"), NULL, 8, SMTP_DATA_BARE_LF},
    {"bare cr", IN("a\rb\r\n.\r\n"), NULL, 8, SMTP_DATA_BARE_CR},
    {"cr before dot", IN("\r.\r\n.\r\n"), NULL, 7, SMTP_DATA_BARE_CR},
    {"too big", IN("0123456789abcdefg\r\n.\r\n"), NULL, 22, SMTP_DATA_TOO_BIG},
    {"too big and smuggling", IN("0123456789abcdefg\n.\nA\r\n.\r\n"), NULL, 26,
     SMTP_DATA_BARE_LF},
    {"as big as may be", IN("0123456789abcd\r\n.\r\n"), "0123456789abcd\r\n", 19,
     SMTP_DATA_GOOD},
};

static size_t feed(struct smtp_data *d, const char *in, size_t n, size_t step,
                   struct buf *out)
{
    for (size_t i = 0; i < n; i += step) {
        size_t len = step < n - i ? step : n - i, used = 0;
        uint8_t *copy = mem_dup(in + i, len);
        enum smtp_data_result r = smtp_data_feed(d, span_of(copy, len), &used, out);

        free(copy);
        assert_true(used <= len);
        if (r == SMTP_DATA_END)
            return i + used;
        assert_int_equal(r, SMTP_DATA_MORE);
        assert_int_equal(used, len);
    }
    return 0;
}

static void test_data(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases) * 2; i++) {
        size_t c = i / 2, step = i % 2 == 0 ? 1000 : 1;
        struct smtp_data d;
        struct buf out;

        print_message("%s, %zu at once\n", cases[c].name, step);
        buf_init(&out, 1000);
        smtp_data_begin(&d, 16);
        assert_int_equal(feed(&d, cases[c].in, cases[c].n, step, &out),
                         cases[c].want_end);
        assert_int_equal(d.fault, cases[c].want_fault);
        if (cases[c].want != NULL) {
            assert_int_equal(out.len, d.size);
            assert_memory_equal(out.len == 0 ? (const void *)"" : out.data, cases[c].want,
                                out.len);
        }
        buf_free(&out);
    }
}

/* What other servers were tricked with (CVE-2023-51764, -51765, -51766) and neighbours. None
 * may end the message; those with bare line ends must make it refused. */
static const struct {
    const char *in;
    size_t n;
    bool want_end, want_fault;
} smuggling[] = {
    {IN("\r\n.\r\n"), true, false},
    {IN("\n.\n"), false, true},
    {IN("\n.\r\n"), false, true},
    {IN("\r\n.\n"), false, true},
    {IN("\r.\r"), false, true},
    {IN("\r.\n"), false, true},
    {IN("\n.\r"), false, true},
    {IN("\r.\r\n"), false, true},
    {IN("\r\n.\r"), false, true},
    {IN("\r\n.\r\r\n"), false, true},
    {IN("\r\r\n.\r\r\n"), false, true},
    {IN("\r\r\n.\r\n"), true, true},
    {IN("\n\n.\n"), false, true},
    {IN("\r\n\0.\r\n"), false, false},
    {IN("\r\n.\0\r\n"), false, false},
    {IN("\r\n .\r\n"), false, false},
    {IN("\r\n. \r\n"), false, false},
    {IN("\r\n..\r\n"), false, false},
    {IN("\r\n.\t\r\n"), false, false},
    {IN("\r\n.\x0b\r\n"), false, false},
    {IN("\xc2\x85.\xc2\x85"), false, false},
    {IN("\xe2\x80\xa8.\xe2\x80\xa8"), false, false},
};

static void test_data_smuggling(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(smuggling) * 2; i++) {
        size_t c = i / 2, step = i % 2 == 0 ? 1000 : 1, end;
        struct smtp_data d;
        struct buf in, out;

        buf_init(&in, 1000);
        buf_init(&out, 1000);
        assert_int_equal(buf_str(&in, "body"), 0);
        assert_int_equal(buf_append(&in, smuggling[c].in, smuggling[c].n), 0);
        assert_int_equal(buf_str(&in, "MAIL FROM:<evil@x>\r\n.\r\n"), 0);
        smtp_data_begin(&d, 0);
        end = feed(&d, (const char *)in.data, in.len, step, &out);
        assert_int_equal(end != in.len, smuggling[c].want_end);
        assert_int_equal(d.fault != SMTP_DATA_GOOD, smuggling[c].want_fault);
        buf_free(&in);
        buf_free(&out);
    }
}

static void test_data_8bit(void **state)
{
    struct smtp_data d;
    struct buf out;

    (void)state;
    buf_init(&out, 100);
    smtp_data_begin(&d, 0);
    (void)feed(&d, IN("ascii\r\n"), 100, &out);
    assert_false(d.is_8bit);
    (void)feed(&d, IN("\xc3\xa9\r\n"), 1, &out);
    assert_true(d.is_8bit);
    buf_free(&out);
}

/* A refused message that never ends is not listened to for ever. */
static void test_data_abort(void **state)
{
    char junk[10000] = "\n";
    enum smtp_data_result r = SMTP_DATA_MORE;
    struct smtp_data d;
    struct buf out;
    size_t used, n = 0;

    (void)state;
    buf_init(&out, sizeof(junk) + 2);
    smtp_data_begin(&d, 0);
    while (r == SMTP_DATA_MORE && n++ < 100000)
        r = smtp_data_feed(&d, span_of(junk, sizeof(junk)), &used, &out);
    assert_int_equal(r, SMTP_DATA_ABORT);
    assert_true(n < 10000);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_data_smuggling),
        cmocka_unit_test(test_data_8bit),
        cmocka_unit_test(test_data_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
