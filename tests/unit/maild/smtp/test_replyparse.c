/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "maild/smtp/replyparse.h"

static const struct {
    const char *name, *in;
    enum replyparse_result want;
    size_t want_used;
    unsigned want_code;
    const char *want_text;
} cases[] = {
    {"one line", "250 OK\r\nrest", REPLYPARSE_OK, 8, 250, "250 OK"},
    {"rfc5321_4_2 code alone", "250\r\n", REPLYPARSE_OK, 5, 250, "250"},
    {"code and blank", "354 \r\n", REPLYPARSE_OK, 6, 354, "354"},
    {"bare lf is taken", "220 hi\n", REPLYPARSE_OK, 7, 220, "220 hi"},
    {"rfc5321_4_2_1 several lines", "250-a\r\n250-b\r\n250 c\r\n250 d\r\n", REPLYPARSE_OK,
     21, 250, "250 a b c"},
    {"rfc2034_4 enhanced code once", "550-5.1.1 No such\r\n550 5.1.1 user\r\n",
     REPLYPARSE_OK, 35, 550, "550 5.1.1 No such user"},
    {"foreign class is text", "550 4.1.1 odd\r\n", REPLYPARSE_OK, 15, 550,
     "550 4.1.1 odd"},
    {"half a line", "250 OK\r", REPLYPARSE_MORE, 0, 0, NULL},
    {"more lines to come", "250-a\r\n", REPLYPARSE_MORE, 0, 0, NULL},
    {"nothing", "", REPLYPARSE_MORE, 0, 0, NULL},
    {"rfc5321_4_2_1 other code", "250-a\r\n251 b\r\n", REPLYPARSE_BAD, 0, 0, NULL},
    {"no code", "hello\r\n", REPLYPARSE_BAD, 0, 0, NULL},
    {"code of two digits", "25 OK\r\n", REPLYPARSE_BAD, 0, 0, NULL},
    {"code out of range", "650 OK\r\n", REPLYPARSE_BAD, 0, 0, NULL},
    {"bad separator", "250_OK\r\n", REPLYPARSE_BAD, 0, 0, NULL},
    {"empty line", "\r\n", REPLYPARSE_BAD, 0, 0, NULL},
    {"control octets are made harmless", "550 a\x01\x1b[0m\tb\r\n", REPLYPARSE_OK, 14,
     550, "550 a??[0m?b"},
    {"utf-8 is kept, the rest not", "550 \xc3\xbc \xff\xc3 \xc2\x85\r\n", REPLYPARSE_OK,
     14, 550, "550 \xc3\xbc ?? ??"},
};

/* From a heap copy of exactly `n` octets, so that the sanitizer sees a read too far. */
static enum replyparse_result parse(const char *in, size_t n, struct smtp_peer_reply *r,
                                    size_t *used, char *text, size_t cap)
{
    uint8_t *copy = malloc(n > 0 ? n : 1);
    enum replyparse_result result;
    struct buf b;

    assert_non_null(copy);
    memcpy(copy, in, n);
    result = replyparse_next(span_of(copy, n), r, used);
    text[0] = '\0';
    if (result == REPLYPARSE_OK) {
        buf_init(&b, 1024);
        replyparse_print(r, 500, &b);
        assert_true(span_copy(buf_all(&b), text, cap));
        buf_free(&b);
    }
    free(copy);
    return result;
}

static void replies_whole_and_octet_by_octet(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct smtp_peer_reply r = {0};
        size_t used = 0, n = strlen(cases[i].in);
        char text[1024];
        enum replyparse_result got = parse(cases[i].in, n, &r, &used, text, sizeof(text));

        if (got != cases[i].want)
            fail_msg("%s: result %d", cases[i].name, (int)got);
        for (size_t k = 0; k <= n; k++) {
            enum replyparse_result part =
                parse(cases[i].in, k, &r, &used, text, sizeof(text));

            if (part == REPLYPARSE_MORE)
                continue;
            if (part != cases[i].want)
                fail_msg("%s: %zu octets: result %d", cases[i].name, k, (int)part);
            if (part != REPLYPARSE_OK)
                break;
            if (used != cases[i].want_used || r.code != cases[i].want_code ||
                strcmp(text, cases[i].want_text) != 0)
                fail_msg("%s: used %zu, code %u, text \"%s\"", cases[i].name, used,
                         r.code, text);
        }
    }
}

static void a_reply_without_end_is_given_up(void **state)
{
    struct smtp_peer_reply r;
    size_t used;
    struct buf b;

    (void)state;
    buf_init(&b, REPLYPARSE_MAX + 100);
    while (b.len < REPLYPARSE_MAX)
        assert_int_equal(buf_str(&b, "250-more and more\r\n"), 0);
    assert_int_equal(replyparse_next(buf_all(&b), &r, &used), REPLYPARSE_TOO_LONG);
    buf_reset(&b);
    while (b.len < REPLYPARSE_MAX)
        assert_int_equal(buf_byte(&b, '2'), 0);
    assert_int_equal(
        replyparse_next(span_take(buf_all(&b), REPLYPARSE_MAX - 1), &r, &used),
        REPLYPARSE_MORE);
    assert_int_equal(replyparse_next(buf_all(&b), &r, &used), REPLYPARSE_TOO_LONG);
    buf_free(&b);
}

static void a_long_text_is_cut_between_characters(void **state)
{
    struct smtp_peer_reply r;
    size_t used;
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    assert_int_equal(replyparse_next(SPAN_LIT("550 abc\xc3\xbc\r\n"), &r, &used),
                     REPLYPARSE_OK);
    replyparse_print(&r, 8, &b);
    assert_true(span_eq_str(buf_all(&b), "550 abc"));
    buf_reset(&b);
    replyparse_print(&r, 9, &b);
    assert_true(span_eq_str(buf_all(&b), "550 abc\xc3\xbc"));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_whole_and_octet_by_octet),
        cmocka_unit_test(a_reply_without_end_is_given_up),
        cmocka_unit_test(a_long_text_is_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
