/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/attr.h"
#include "base/core/mem.h"
#include "base/dns/dname.h"

#define L10 "abcdefghij"
#define L63 L10 L10 L10 L10 L10 L10 "abc"
#define L61 L10 L10 L10 L10 L10 L10 "a"

/* Parse from an exact-size heap copy, so that the sanitizer sees any over-read. */
static enum dname_result parse(const char *text, const struct dname *origin,
                               struct dname *out)
{
    size_t n = strlen(text);
    uint8_t *copy = mem_dup(text, n);
    enum dname_result r = dname_parse(span_of(copy, n), origin, out);

    free(copy);
    return r;
}

static void test_parse_and_print(void **state)
{
    static const struct {
        const char *name, *in, *origin;
        enum dname_result want;
        const char *want_text;
        size_t want_octets;
    } cases[] = {
        {"absolute", "mail.example.com.", NULL, DNAME_OK, "mail.example.com.", 18},
        {"without dot, no origin", "a.b", NULL, DNAME_OK, "a.b.", 5},
        {"relative", "mail", "example.com.", DNAME_OK, "mail.example.com.", 18},
        {"absolute beats origin", "a.", "example.com.", DNAME_OK, "a.", 3},
        {"at sign", "@", "example.com.", DNAME_OK, "example.com.", 13},
        {"at sign without origin", "@", NULL, DNAME_OK, "\\@.", 3},
        {"root", ".", "example.com.", DNAME_OK, ".", 1},
        {"case is kept", "MaiL.Example.", NULL, DNAME_OK, "MaiL.Example.", 14},
        {"rfc1035_5_1 escaped dot", "john\\.doe.x.", NULL, DNAME_OK, "john\\.doe.x.", 12},
        {"rfc1035_5_1 decimal", "a\\046b\\000.", NULL, DNAME_OK, "a\\.b\\000.", 6},
        {"decimal of a letter", "\\097.", NULL, DNAME_OK, "a.", 3},
        {"high octets", "\xc3\xa9.", NULL, DNAME_OK, "\\195\\169.", 4},
        {"special octets", "a\\;b\\(c\\)\\\"\\$.", NULL, DNAME_OK, "a\\;b\\(c\\)\\\"\\$.",
         10},
        {"longest label", L63 ".", NULL, DNAME_OK, L63 ".", 65},
        {"longest name", L63 "." L63 "." L63 "." L61 ".", NULL, DNAME_OK,
         L63 "." L63 "." L63 "." L61 ".", 255},
        {"longest name without dot", L63 "." L63 "." L63 "." L61, NULL, DNAME_OK,
         L63 "." L63 "." L63 "." L61 ".", 255},
        {"empty", "", NULL, DNAME_EMPTY, NULL, 0},
        {"empty label", "a..b.", NULL, DNAME_EMPTY_LABEL, NULL, 0},
        {"leading dot", ".a", NULL, DNAME_EMPTY_LABEL, NULL, 0},
        {"two dots", "..", NULL, DNAME_EMPTY_LABEL, NULL, 0},
        {"label of 64", L63 "x.", NULL, DNAME_LABEL_LONG, NULL, 0},
        {"name of 256", L63 "." L63 "." L63 "." L61 "x.", NULL, DNAME_LONG, NULL, 0},
        {"name of 256 without dot", L63 "." L63 "." L63 "." L61 "x", NULL, DNAME_LONG,
         NULL, 0},
        {"name of 257 by a label", L63 "." L63 "." L63 "." L61 ".a", NULL, DNAME_LONG,
         NULL, 0},
        {"too long with origin", L63 "." L63 "." L63 "." L61, "com.", DNAME_LONG, NULL,
         0},
        {"backslash at end", "a\\", NULL, DNAME_BAD_ESCAPE, NULL, 0},
        {"decimal above 255", "\\256.", NULL, DNAME_BAD_ESCAPE, NULL, 0},
        {"two digits", "\\25", NULL, DNAME_BAD_ESCAPE, NULL, 0},
        {"two digits and a letter", "\\25a", NULL, DNAME_BAD_ESCAPE, NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct dname origin;
        struct dname out;
        char text[DNAME_TEXT];
        enum dname_result r;

        if (cases[i].origin != NULL)
            assert_int_equal(parse(cases[i].origin, NULL, &origin), DNAME_OK);
        r = parse(cases[i].in, cases[i].origin != NULL ? &origin : NULL, &out);
        if (r != cases[i].want)
            print_message("case: %s\n", cases[i].name);
        assert_int_equal(r, cases[i].want);
        assert_int_equal(out.n, cases[i].want_octets);
        assert_non_null(dname_result_text(r));
        if (r != DNAME_OK)
            continue;
        assert_int_equal(dname_check(dname_span(&out)), out.n);
        assert_int_equal(dname_print(dname_span(&out), text), strlen(cases[i].want_text));
        assert_string_equal(text, cases[i].want_text);
    }
}

/* Whatever octets a name has, its text reads back as the same octets. */
static void test_print_then_parse_is_identity(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        uint8_t w[] = {3, 'a', (uint8_t)c, 'z', 1, (uint8_t)c, 0};
        char text[DNAME_TEXT];
        struct dname out;

        (void)dname_print(span_of(w, sizeof(w)), text);
        assert_int_equal(parse(text, NULL, &out), DNAME_OK);
        assert_int_equal(out.n, sizeof(w));
        assert_memory_equal(out.w, w, sizeof(w));
    }
}

static void test_print_longest_text_fits(void **state)
{
    uint8_t w[DNAME_MAX];
    char text[DNAME_TEXT];

    (void)state;
    memset(w, 1, sizeof(w));
    w[0] = w[64] = w[128] = 63;
    w[192] = 61;
    w[254] = 0;
    assert_int_equal(dname_check(span_of(w, sizeof(w))), 255);
    assert_true(dname_print(span_of(w, sizeof(w)), text) < DNAME_TEXT);
}

static void test_check_wire(void **state)
{
    static const struct {
        const char *name;
        const char *in;
        size_t n, want;
    } cases[] = {
        {"root", "\0", 1, 1},
        {"one label", "\1a\0", 3, 3},
        {"octets behind", "\1a\0xyz", 6, 3},
        {"empty", "", 0, 0},
        {"no root label", "\1a", 2, 0},
        {"label runs out", "\5ab", 3, 0},
        {"compression pointer", "\xc0\x0c", 2, 0},
        {"label type 01", "\x41z\0", 3, 0},
        {"label type 10", "\x81z\0", 3, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t *copy = mem_dup(cases[i].in, cases[i].n);

        assert_int_equal(dname_check(span_of(copy, cases[i].n)), cases[i].want);
        free(copy);
    }
}

static void test_check_refuses_256_octets(void **state)
{
    uint8_t w[260];

    (void)state;
    memset(w, 'a', sizeof(w));
    w[0] = w[64] = w[128] = 63;
    w[192] = 62;
    w[255] = 0;
    assert_int_equal(dname_check(span_of(w, sizeof(w))), 0);
}

static struct dname name(const char *text)
{
    struct dname d;

    assert_int_equal(dname_parse(span_str(text), NULL, &d), DNAME_OK);
    return d;
}

/* The list of RFC 4034 6.1, in order. */
static void test_rfc4034_6_1_canonical_order(void **state)
{
    static const char *const order[] = {
        "example.",         "a.example.",      "yljkjljk.a.example.",
        "Z.a.example.",     "zABC.a.EXAMPLE.", "z.example.",
        "\\001.z.example.", "*.z.example.",    "\\200.z.example.",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(order); i++)
        for (size_t j = 0; j < COUNT_OF(order); j++) {
            struct dname a = name(order[i]);
            struct dname b = name(order[j]);
            int c = dname_cmp(dname_span(&a), dname_span(&b));

            assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
        }
}

static void test_relations(void **state)
{
    static const struct {
        const char *name, *zone;
        bool want_in, want_eq;
    } cases[] = {
        {"a.example.com.", "example.com.", true, false},
        {"EXAMPLE.com.", "example.COM.", true, true},
        {"xexample.com.", "example.com.", false, false},
        {"com.", "example.com.", false, false},
        {"example.com.", ".", true, false},
        {".", ".", true, true},
        {"a\\.example.com.", "example.com.", false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct dname a = name(cases[i].name);
        struct dname z = name(cases[i].zone);

        assert_int_equal(dname_in(dname_span(&a), dname_span(&z)), cases[i].want_in);
        assert_int_equal(dname_eq(dname_span(&a), dname_span(&z)), cases[i].want_eq);
    }
}

/* The octets of a label may look like the end of another name: borders count. */
static void test_in_respects_label_borders(void **state)
{
    static const uint8_t tricky[] = {6, 'x', 3, 'c', 'o', 'm', 0, 0};
    static const uint8_t com[] = {3, 'c', 'o', 'm', 0};

    (void)state;
    assert_int_equal(dname_check(span_of(tricky, sizeof(tricky))), sizeof(tricky));
    assert_false(dname_in(span_of(tricky, 7), span_of(com, sizeof(com))));
}

static void test_small_facts(void **state)
{
    struct dname d = name("*.Mail.example.");
    struct dname joined;

    (void)state;
    assert_true(dname_is_wildcard(dname_span(&d)));
    assert_int_equal(dname_labels(dname_span(&d)), 3);
    assert_false(dname_is_wildcard(dname_parent(dname_span(&d))));
    assert_int_equal(dname_labels(dname_parent(dname_root())), 0);
    dname_lower(&d);
    assert_memory_equal(d.w, "\1*\4mail\7example\0", d.n);
    assert_true(dname_join(SPAN_LIT("mx"), dname_parent(dname_span(&d)), &joined));
    assert_memory_equal(joined.w, "\2mx\4mail\7example\0", joined.n);
    assert_false(dname_join(span_of(NULL, 0), dname_root(), &joined));
    d = name("a-b.c0.example.");
    assert_true(dname_is_host(dname_span(&d)));
    d = name("-a.example.");
    assert_false(dname_is_host(dname_span(&d)));
    d = name("a_b.example.");
    assert_false(dname_is_host(dname_span(&d)));
    assert_false(dname_is_host(dname_root()));
    assert_false(dname_set(&d, SPAN_LIT("\1a")));
    assert_int_equal(d.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_and_print),
        cmocka_unit_test(test_print_then_parse_is_identity),
        cmocka_unit_test(test_print_longest_text_fits),
        cmocka_unit_test(test_check_wire),
        cmocka_unit_test(test_check_refuses_256_octets),
        cmocka_unit_test(test_rfc4034_6_1_canonical_order),
        cmocka_unit_test(test_relations),
        cmocka_unit_test(test_in_respects_label_borders),
        cmocka_unit_test(test_small_facts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
