/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "base/msg/header.h"

/* Fields are shown as "name=value|"; then the offset of the body. */
static const struct {
    const char *name, *in, *want;
    size_t want_body;
} cases[] = {
    {"plain", "A: 1\r\nB:2\r\n\r\nbody\r\n", "A= 1|B=2|", 13},
    {"rfc5322_2_2_3 fold", "A: 1\r\n 2\r\n\t3\r\nB: 4\r\n\r\n", "A= 1\r\n 2\r\n\t3|B= 4|",
     22},
    {"lf only", "A: 1\n 2\nB: 3\n\nx", "A= 1\n 2|B= 3|", 14},
    {"no body", "A: 1\r\n", "A= 1|", 6},
    {"no line end", "A: 1", "A= 1|", 4},
    {"empty message", "", "", 0},
    {"empty header", "\r\nA: 1\r\n", "", 2},
    {"rfc5322_4_5 blank before colon", "A \t: 1\r\n\r\n", "A= 1|", 10},
    {"line without colon", "junk\r\nA: 1\r\n\r\n", "=junk|A= 1|", 14},
    {"blank in name", "From me@x: 1\r\nA: 1\r\n\r\n", "=From me@x: 1|A= 1|", 22},
    {"continuation first", " x: y\r\nA: 1\r\n\r\n", "= x: y|A= 1|", 15},
    {"line of blanks is no end", "A: 1\r\n \r\nB: 2\r\n\r\n", "A= 1\r\n |B= 2|", 17},
    {"empty value", "A:\r\n\r\n", "A=|", 6},
    {"colon only", ":\r\n\r\n", "=:|", 5},
    {"8-bit name", "\xc3\xa9: 1\r\n\r\n", "=\xc3\xa9: 1|", 9},
    {"bare cr stays", "A: 1\rB: 2\r\n\r\n", "A= 1\rB: 2|", 13},
};

static void test_header_next(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t n = strlen(cases[i].in);
        uint8_t *copy = mem_dup(cases[i].in, n);
        struct header_iter it;
        struct header_field f;
        struct buf got;

        print_message("%s\n", cases[i].name);
        buf_init(&got, 1000);
        header_begin(&it, span_of(copy, n));
        while (header_next(&it, &f)) {
            assert_int_equal(buf_span(&got, f.name), 0);
            assert_int_equal(buf_byte(&got, '='), 0);
            assert_int_equal(buf_span(&got, f.value), 0);
            assert_int_equal(buf_byte(&got, '|'), 0);
        }
        assert_string_equal(buf_cstr(&got), cases[i].want);
        assert_int_equal(it.pos, cases[i].want_body);
        assert_int_equal(header_size(span_of(copy, n)), cases[i].want_body);
        assert_false(header_next(&it, &f));
        buf_free(&got);
        free(copy);
    }
}

/* Cut anywhere, it neither reads too far nor finds more octets than there are. */
static void test_header_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t n = 0; n <= strlen(cases[i].in); n++) {
            uint8_t *copy = mem_dup(cases[i].in, n);
            struct header_iter it;
            struct header_field f;
            size_t sum = 0;

            header_begin(&it, span_of(copy, n));
            while (header_next(&it, &f))
                sum += f.raw.n;
            assert_true(sum <= it.pos && it.pos <= n);
            free(copy);
        }
    }
}

static void test_header_find(void **state)
{
    struct span m =
        SPAN_LIT("Received: a\r\nFROM: x\r\nreceived: b\r\n\r\nFrom: body\r\n");
    struct header_field f;

    (void)state;
    assert_int_equal(header_count(m, "Received"), 2);
    assert_int_equal(header_count(m, "Date"), 0);
    assert_true(header_find(m, "From", &f));
    assert_true(span_eq_str(f.value, " x"));
    assert_true(span_eq_str(f.raw, "FROM: x\r\n"));
    assert_false(header_find(m, "To", &f));
    assert_true(span_eq_str(header_body(m), "From: body\r\n"));
}

static void test_header_unfold(void **state)
{
    static const struct {
        const char *in, *want;
    } t[] = {{" a\r\n b\r\n\tc ", "a b\tc"},
             {"\r\n a", "a"},
             {"", ""},
             {" \r\n ", ""},
             {"a\n b", "a b"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(t); i++) {
        struct buf b;

        buf_init(&b, 8);
        assert_int_equal(header_unfold(span_str(t[i].in), &b), 0);
        assert_string_equal(buf_cstr(&b), t[i].want);
        assert_int_equal(header_unfold(SPAN_LIT("much too long"), &b), -1);
        assert_string_equal(buf_cstr(&b), t[i].want);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_next),
        cmocka_unit_test(test_header_prefixes),
        cmocka_unit_test(test_header_find),
        cmocka_unit_test(test_header_unfold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
