/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "deliverability/canon.h"

static const struct {
    const char *name;
    enum canon_kind kind;
    const char *in, *want;
} bodies[] = {
    {"rfc6376_3_4_5 relaxed", CANON_RELAXED, " C \r\nD \t E\r\n\r\n\r\n",
     " C\r\nD E\r\n"},
    {"rfc6376_3_4_5 simple", CANON_SIMPLE, " C \r\nD \t E\r\n\r\n\r\n",
     " C \r\nD \t E\r\n"},
    {"rfc6376_3_4_3 empty simple", CANON_SIMPLE, "", "\r\n"},
    {"rfc6376_3_4_4 empty relaxed", CANON_RELAXED, "", ""},
    {"only empty lines simple", CANON_SIMPLE, "\r\n\r\n", "\r\n"},
    {"only empty lines relaxed", CANON_RELAXED, "\r\n\r\n", ""},
    {"only blanks relaxed", CANON_RELAXED, " \t\r\n  \r\n", ""},
    {"blank lines in the middle stay", CANON_RELAXED, "a\r\n\r\n \r\nb\r\n",
     "a\r\n\r\n\r\nb\r\n"},
    {"last line end added", CANON_SIMPLE, "a", "a\r\n"},
    {"last line end added relaxed", CANON_RELAXED, "a ", "a\r\n"},
    {"lone cr is text", CANON_RELAXED, "a\rb\r\n", "a\rb\r\n"},
    {"lone lf is text", CANON_SIMPLE, "a\nb\r\n", "a\nb\r\n"},
    {"cr cr lf", CANON_SIMPLE, "a\r\r\n", "a\r\r\n"},
    {"cr at the end", CANON_SIMPLE, "a\r", "a\r\r\n"},
    {"blank before a lone cr", CANON_RELAXED, "a \rb\r\n", "a \rb\r\n"},
};

static void sink(void *ctx, struct span s)
{
    assert_int_equal(buf_span(ctx, s), 0);
}

/* From an exact-size copy, `step` octets at a time. */
static void one_body(size_t i, size_t step)
{
    size_t n = strlen(bodies[i].in);
    uint8_t *copy = mem_dup(bodies[i].in, n);
    struct canon_body c;
    struct buf out;

    buf_init(&out, 4096);
    canon_body_begin(&c, bodies[i].kind, sink, &out);
    for (size_t at = 0; at < n; at += step)
        canon_body_put(&c, span_of(copy + at, n - at < step ? n - at : step));
    canon_body_end(&c);
    if (!span_eq_str(buf_all(&out), bodies[i].want))
        fail_msg("%s, step %zu: %.*s", bodies[i].name, step, SPAN_ARG(buf_all(&out)));
    buf_free(&out);
    free(copy);
}

static void bodies_whole_and_octet_by_octet(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        one_body(i, 10000);
        one_body(i, 1);
        one_body(i, 3);
    }
}

static void long_body_passes_through_the_small_buffer(void **state)
{
    struct canon_body c;
    struct buf in, out;

    (void)state;
    buf_init(&in, 1u << 20);
    buf_init(&out, 1u << 20);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(buf_printf(&in, "line %d\r\n", i), 0);
    canon_body_begin(&c, CANON_RELAXED, sink, &out);
    canon_body_put(&c, buf_all(&in));
    canon_body_end(&c);
    assert_true(span_eq(buf_all(&in), buf_all(&out)));
    buf_free(&in);
    buf_free(&out);
}

static const struct {
    const char *name;
    enum canon_kind kind;
    const char *in, *want;
} fields[] = {
    {"rfc6376_3_4_5 A", CANON_RELAXED, "A: X\r\n", "a:X\r\n"},
    {"rfc6376_3_4_5 B", CANON_RELAXED, "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"},
    {"rfc6376_3_4_5 B simple", CANON_SIMPLE, "B : Y\t\r\n\tZ  \r\n",
     "B : Y\t\r\n\tZ  \r\n"},
    {"no value", CANON_RELAXED, "Subject:\r\n", "subject:\r\n"},
    {"only blanks", CANON_RELAXED, "Subject: \t \r\n", "subject:\r\n"},
};

static void header_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        size_t n = strlen(fields[i].in);
        uint8_t *copy = mem_dup(fields[i].in, n);
        struct header_field f;
        struct header_iter it;
        struct buf out;

        buf_init(&out, 4096);
        header_begin(&it, span_of(copy, n));
        assert_true(header_next(&it, &f));
        assert_int_equal(canon_header(fields[i].kind, &f, &out), 0);
        if (!span_eq_str(buf_all(&out), fields[i].want))
            fail_msg("%s: %.*s", fields[i].name, SPAN_ARG(buf_all(&out)));
        buf_free(&out);
        free(copy);
    }
}

static void ceiling_leaves_the_buffer_as_it_was(void **state)
{
    struct header_field f;
    struct header_iter it;
    struct buf out;

    (void)state;
    buf_init(&out, 8);
    assert_int_equal(buf_str(&out, "abc"), 0);
    header_begin(&it, SPAN_LIT("Subject: long\r\n"));
    assert_true(header_next(&it, &f));
    assert_int_equal(canon_header(CANON_RELAXED, &f, &out), -1);
    assert_int_equal(out.len, 3);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_whole_and_octet_by_octet),
        cmocka_unit_test(long_body_passes_through_the_small_buffer),
        cmocka_unit_test(header_fields),
        cmocka_unit_test(ceiling_leaves_the_buffer_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
