/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/buf.h"
#include "base/core/mem.h"
#include "base/msg/mime.h"

/* The tree as text: L leaf, M(...) multipart, R(...) message; with the body of each leaf. */
static void draw(const struct mime_tree *t, int i, struct span msg, struct buf *out)
{
    const struct mime_part *p = &t->parts[i];

    assert_true(p->header <= p->body && p->body <= p->end && p->end <= msg.n);
    if (p->kind == MIME_LEAF) {
        assert_int_equal(buf_str(out, "<"), 0);
        assert_int_equal(buf_append(out, msg.p + p->body, p->end - p->body), 0);
        assert_int_equal(buf_str(out, ">"), 0);
        return;
    }
    assert_int_equal(buf_str(out, p->kind == MIME_MULTIPART ? "M(" : "R("), 0);
    for (int c = p->child; c != MIME_NONE; c = t->parts[c].next) {
        assert_int_equal(t->parts[c].parent, i);
        draw(t, c, msg, out);
    }
    assert_int_equal(buf_str(out, ")"), 0);
}

#define MULTI(b) "Content-Type: multipart/mixed; boundary=" b "\r\n\r\n"

static const struct {
    const char *name, *in, *want;
} trees[] = {
    {"nothing at all", "", "<>"},
    {"only a body", "\r\nhi", "<hi>"},
    {"header without blank line", "Subject: x\r\n", "<>"},
    {"leaf", "Subject: x\r\n\r\nbody\r\n", "<body\r\n>"},
    {"bare line feeds", "Subject: x\n\nbody\n", "<body\n>"},
    {"two parts", MULTI("b") "pre\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\npost",
     "M(<one><two>)"},
    {"rfc2046_5_1_1 the line end in front belongs to the delimiter",
     MULTI("b") "--b\r\n\r\none\r\n\r\n--b--", "M(<one\r\n>)"},
    {"blanks behind a delimiter", MULTI("b") "--b \t\r\n\r\none\r\n--b-- \r\n",
     "M(<one>)"},
    {"a delimiter is a whole line", MULTI("b") "--bc\r\n--b\r\n\r\n--bd\r\n--b--",
     "M(<--bd>)"},
    {"quoted and folded boundary",
     "Content-Type: multipart/mixed; boundary=\"a\r\n b\"\r\n\r\n--a b\r\n\r\nx\r\n--a "
     "b--",
     "M(<x>)"},
    {"no semicolon before boundary",
     "Content-Type: multipart/mixed\r\n\tboundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--",
     "M(<x>)"},
    {"never closed", MULTI("b") "--b\r\n\r\none", "M(<one>)"},
    {"no boundary parameter", "Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nx",
     "<--b\r\n\r\nx>"},
    {"part that is a header only", MULTI("b") "--b\r\nX: 1\r\n--b--", "M(<>)"},
    {"nothing between delimiters", MULTI("b") "--b\r\n--b\r\n--b--", "M(<><>)"},
    {"nested",
     MULTI("a") "--a\r\n" MULTI("b") "--b\r\n\r\n1\r\n--b--\r\n--a\r\n\r\n2\r\n--a--",
     "M(M(<1>)<2>)"},
    {"outer delimiter ends an open inner",
     MULTI("a") "--a\r\n" MULTI("b") "--b\r\n\r\n1\r\n--a\r\n\r\n2\r\n--a--",
     "M(M(<1>)<2>)"},
    {"epilogue of the inner hides its delimiter",
     MULTI("a") "--a\r\n" MULTI("b") "--b\r\n\r\n1\r\n--b--\r\n--b\r\n\r\nno\r\n--a--",
     "M(M(<1>))"},
    {"message", "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody",
     "R(<body>)"},
    {"message in a part",
     MULTI("b") "--b\r\nContent-Type: message/rfc822\r\n\r\nA: b\r\n\r\nin\r\n--b--",
     "M(R(<in>))"},
    {"an encoded message stays closed",
     "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==",
     "<QQ==>"},
    {"rfc2046_5_1_5 digest",
     "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nA: "
     "b\r\n\r\nin\r\n--b--",
     "M(R(<in>))"},
};

static void test_trees(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(trees); i++) {
        size_t n = strlen(trees[i].in);
        uint8_t *copy = mem_dup(trees[i].in, n); /* exact: an over-read is seen */
        struct arena *a = arena_new(1u << 20);
        struct mime_tree t;
        struct buf out;

        buf_init(&out, 10000);
        assert_true(mime_parse(span_of(copy, n), a, &t));
        draw(&t, 0, span_of(copy, n), &out);
        if (strcmp(buf_cstr(&out), trees[i].want) != 0)
            print_error("case: %s\n", trees[i].name);
        assert_string_equal(buf_cstr(&out), trees[i].want);
        buf_free(&out);
        arena_free(&a);
        free(copy);
    }
}

/* Every cut of every case is a message too. */
static void test_any_prefix_is_a_message(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(trees); i++) {
        for (size_t n = 0; n <= strlen(trees[i].in); n++) {
            uint8_t *copy = mem_dup(trees[i].in, n);
            struct arena *a = arena_new(1u << 20);
            struct mime_tree t;
            struct buf out;

            buf_init(&out, 10000);
            assert_true(mime_parse(span_of(copy, n), a, &t));
            draw(&t, 0, span_of(copy, n), &out);
            buf_free(&out);
            arena_free(&a);
            free(copy);
        }
    }
}

/* Bound law: depth and number of parts have a ceiling, the rest stays opaque. */
static void test_limits(void **state)
{
    struct arena *a = arena_new(64u << 20);
    struct mime_tree t;
    struct buf b;

    (void)state;
    buf_init(&b, 4u << 20);
    for (int i = 0; i < 200; i++)
        assert_int_equal(buf_printf(&b,
                                    "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n"
                                    "--b%d\r\n",
                                    i, i),
                         0);
    assert_true(mime_parse(buf_all(&b), a, &t));
    assert_true(t.n <= MIME_DEPTH_MAX + 2);
    buf_reset(&b);
    assert_int_equal(buf_str(&b, MULTI("b")), 0);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(buf_str(&b, "--b\r\n\r\nx\r\n"), 0);
    assert_true(mime_parse(buf_all(&b), a, &t));
    assert_int_equal(t.n, MIME_PARTS_MAX);
    buf_reset(&b);
    for (int i = 0; i < 300; i++)
        assert_int_equal(buf_str(&b, "Content-Type: message/rfc822\r\n\r\n"), 0);
    assert_true(mime_parse(buf_all(&b), a, &t));
    assert_true(t.n <= MIME_DEPTH_MAX + 2);
    buf_free(&b);
    arena_free(&a);
}

static void test_values(void **state)
{
    static const struct {
        const char *in, *want;
    } cases[] = {
        {"text/plain", "text/plain"},
        {" Text / HTML (a (nested) comment) ; charset=utf-8", "Text/HTML;charset=utf-8"},
        {"text/plain; name=\"a \\\"b\\\"\"; x=1", "text/plain;name=a \"b\";x=1"},
        {"text/plain;;; x=1;", "text/plain;x=1"},
        {"text/plain; x", "text/plain"},
        {"text/plain; x=", "text/plain;x="},
        {"text/plain; x=\"open", "text/plain;x=open"},
        {"attachment; filename=a b.txt", "attachment/;filename=a"},
        {"application/x; name=a/b=c", "application/x;name=a/b=c"},
        {"; filename=x", "none"},
        {"", "none"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t n = strlen(cases[i].in);
        uint8_t *copy = mem_dup(cases[i].in, n);
        struct arena *a = arena_new(1u << 16);
        struct mime_value v;
        struct buf out;

        buf_init(&out, 1000);
        if (mime_value_parse(span_of(copy, n), a, &v)) {
            assert_int_equal(
                buf_printf(&out, "%.*s%s%.*s", SPAN_ARG(v.type),
                           v.subtype.n > 0 || span_index(v.type, '/') < 0 ? "/" : "",
                           SPAN_ARG(v.subtype)),
                0);
            for (int k = 0; k < v.n; k++)
                assert_int_equal(buf_printf(&out, ";%.*s=%.*s",
                                            SPAN_ARG(v.params[k].name),
                                            SPAN_ARG(v.params[k].value)),
                                 0);
        } else {
            assert_int_equal(buf_str(&out, "none"), 0);
        }
        assert_string_equal(buf_cstr(&out), cases[i].want);
        buf_free(&out);
        arena_free(&a);
        free(copy);
    }
}

/* A header of quotes costs its length and no more, and a full arena ends nothing but the
 * values that would be in it. */
static void test_a_field_of_quotes(void **state)
{
    static const char front[] = "text/plain; name=\"a\"";
    size_t n = 60000;
    uint8_t *field = mem_new(n, 1);
    struct mime_value v;

    (void)state;
    memset(field, '"', n);
    memcpy(field, front, sizeof(front) - 1);
    for (size_t max = 16; max <= 4096; max *= 16) {
        struct arena *a = arena_new(max);

        assert_true(mime_value_parse(span_of(field, n), a, &v));
        assert_true(v.n <= 1);
        assert_true(arena_used(a) <= 4096);
        arena_free(&a);
    }
    free(field);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees),
        cmocka_unit_test(test_any_prefix_is_a_message),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_a_field_of_quotes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
