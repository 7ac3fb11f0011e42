/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "base/msg/encword.h"

typedef void (*convert)(struct span in, struct buf *out);

static void check(convert f, const char *in, size_t n, const char *want)
{
    uint8_t *copy = mem_dup(in, n);
    struct buf out;

    buf_init(&out, 4096);
    f(span_of(copy, n), &out);
    assert_string_equal(buf_cstr(&out), want);
    buf_free(&out);
    free(copy);
}

static void test_words(void **state)
{
    static const struct {
        const char *in, *want;
    } cases[] = {
        {"plain text", "plain text"},
        {"=?utf-8?q?caf=C3=A9?=", "caf\xc3\xa9"},
        {"=?ISO-8859-1?Q?a_b?=", "a b"},
        {"=?iso-8859-1?B?4Q==?= x", "\xc3\xa1 x"},
        /* RFC 2047 8 */
        {"(=?ISO-8859-1?Q?a?= b)", "(a b)"},
        {"=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"},
        {"=?ISO-8859-1?Q?a?=\r\n =?ISO-8859-1?Q?b?=", "ab"},
        {"=?ISO-8859-1?Q?a?=  =?utf-8?Q?b?=", "ab"},
        {"=?utf-8?B?4p8=?= =?utf-8?B?qA==?=",
         "\xe2\x9f\xa8"},                /* one character cut in two */
        {"=?utf-8*en?Q?lang?=", "lang"}, /* RFC 2231 5 */
        {"=?euc-kr?B?waQ=?=", "\xec\xa0\x95"},
        {"=?utf-8?X?a?=", "=?utf-8?X?a?="},
        {"=?utf-8?Q?open", "=?utf-8?Q?open"},
        {"=?", "=?"},
        {"a =?nocharset?Q?b?= c", "a b c"},
        {"fold\r\n ed", "fold ed"},
        {"raw \xc3\xa9", "raw \xc3\xa9"},
        {"raw \xe9", "raw \xc3\xa9"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check(encword_decode, cases[i].in, strlen(cases[i].in), cases[i].want);
}

static void base64(struct span in, struct buf *out)
{
    transfer_decode(SPAN_LIT(" BASE64 "), in, out);
}

static void quoted(struct span in, struct buf *out)
{
    transfer_decode(SPAN_LIT("quoted-printable"), in, out);
}

static void test_transfer(void **state)
{
    (void)state;
    check(base64, "aGVs\r\nbG8=", 10, "hello");
    check(base64, "aGVsbG8", 7, "hello");
    check(base64, "aGk=aGk=", 8, "hihi");
    check(base64, "*a*G*k", 6, "hi");
    check(quoted, "a=3Db", 5, "a=b");
    check(quoted, "a=\r\nb", 5, "ab");
    check(quoted, "a= \t\r\nb", 7, "ab");
    check(quoted, "a=zzb", 5, "a=zzb");
    check(quoted, "a=", 2, "a");
    check(quoted, "a=4", 3, "a=4");
}

static void test_folding(void **state)
{
    (void)state;
    check(utf8_fold, "ABC xyz", 7, "abc xyz");
    check(utf8_fold, "\xc3\x89\xc3\x97", 4, "\xc3\xa9\xc3\x97"); /* E acute; times */
    check(utf8_fold, "\xce\xa3\xcf\x82", 4, "\xcf\x83\xcf\x83"); /* sigmas */
    check(utf8_fold, "\xd0\x96\xd0\x81", 4, "\xd0\xb6\xd1\x91"); /* Cyrillic */
    check(utf8_fold, "\xff", 1, "\xef\xbf\xbd");
    check(utf8_fold, "\xec\xa0\x95", 3, "\xec\xa0\x95");
}

/* Bound law: the buffer's ceiling is the output's. */
static void test_bounds(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 4);
    encword_decode(SPAN_LIT("=?utf-8?B?YWJjZGVmZ2hpams=?= more"), &out);
    assert_int_equal(out.len, 4);
    buf_free(&out);
    assert_true(charset_is_known(SPAN_LIT("KOI8-R")));
    assert_false(charset_is_known(SPAN_LIT("utf-8//IGNORE")));
    assert_false(charset_is_known(SPAN_LIT("no-such-charset")));
    assert_true(utf8_is_valid(SPAN_LIT("\xf0\x9f\x93\xac")));
    assert_false(utf8_is_valid(SPAN_LIT("\xed\xa0\x80"))); /* a surrogate */
    assert_false(utf8_is_valid(SPAN_LIT("\xc0\x80")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_transfer),
        cmocka_unit_test(test_folding),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
