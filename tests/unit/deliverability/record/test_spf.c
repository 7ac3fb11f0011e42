/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "deliverability/record/spf.h"

static const struct {
    const char *name, *text;
    enum spf_parse want;
    unsigned want_lookups;
    const char *want_in_error; /* part of the message */
} cases[] = {
    {"plain", "v=spf1 ip4:192.0.2.1 mx ~all", SPF_PARSE_OK, 1, NULL},
    {"version alone", "v=spf1", SPF_PARSE_OK, 0, NULL},
    {"rfc7208_4_6_1 several blanks", "v=spf1  a   -all ", SPF_PARSE_OK, 1, NULL},
    {"rfc7208_4_6_1 names without letter case", "V=SPF1 MX -ALL", SPF_PARSE_OK, 1, NULL},
    {"ip6 with prefix", "v=spf1 ip6:2001:db8::/32 -all", SPF_PARSE_OK, 0, NULL},
    {"dual cidr", "v=spf1 a:mail.example.com/24//64 mx/30 a//48 -all", SPF_PARSE_OK, 3,
     NULL},
    {"macro", "v=spf1 exists:%{ir}.%{v}._spf.%{d2} -all", SPF_PARSE_OK, 1, NULL},
    {"macro delimiter slash", "v=spf1 a:%{d1r/}.example.com/24 -all", SPF_PARSE_OK, 1,
     NULL},
    {"escapes", "v=spf1 exists:a%%b%_c%-.example.com -all", SPF_PARSE_OK, 1, NULL},
    {"redirect", "v=spf1 redirect=_spf.example.com", SPF_PARSE_OK, 1, NULL},
    {"exp costs nothing", "v=spf1 -all exp=why.example.com", SPF_PARSE_OK, 0, NULL},
    {"rfc7208_6 unknown modifier is ignored", "v=spf1 -all moo=cow", SPF_PARSE_OK, 0,
     NULL},
    {"qualifiers", "v=spf1 +a -mx ?ptr ~include:a.example -all", SPF_PARSE_OK, 4, NULL},
    {"rfc7208_4_5 other version", "v=spf10 -all", SPF_PARSE_NOT_SPF, 0, "v=spf1"},
    {"not spf", "google-site-verification=x", SPF_PARSE_NOT_SPF, 0, "v=spf1"},
    {"empty", "", SPF_PARSE_NOT_SPF, 0, "v=spf1"},
    {"no such address", "v=spf1 ip4:299.299.299.299 -all", SPF_PARSE_BAD, 0, "IPv4"},
    {"ip4 given an ip6", "v=spf1 ip4:2001:db8::1", SPF_PARSE_BAD, 0, "IPv4"},
    {"ip6 given an ip4", "v=spf1 ip6:192.0.2.1", SPF_PARSE_BAD, 0, "IPv6"},
    {"prefix too long", "v=spf1 ip4:192.0.2.0/33", SPF_PARSE_BAD, 0, "0 to 32"},
    {"prefix with zero in front", "v=spf1 ip4:192.0.2.0/08", SPF_PARSE_BAD, 0, "0 to 32"},
    {"prefix empty", "v=spf1 a/ -all", SPF_PARSE_BAD, 0, "prefix length"},
    {"rfc7208_6 unknown modifier with an octet no record has", "v=spf1 moo=c\x0cw -all",
     SPF_PARSE_BAD, 0, "modifier"},
    {"rfc7208_7_1 unknown modifier with half a macro", "v=spf1 moo=%{d -all",
     SPF_PARSE_BAD, 0, "modifier"},
    {"rfc7208_7_1 unknown modifier with macros", "v=spf1 moo=%{d}%_%% boo= -all",
     SPF_PARSE_OK, 0, NULL},
    {"unknown mechanism", "v=spf1 ipv4:192.0.2.1 -all", SPF_PARSE_BAD, 0, "a mechanism"},
    {"all takes nothing", "v=spf1 all:example.com", SPF_PARSE_BAD, 0,
     "nothing may follow"},
    {"include needs a name", "v=spf1 include -all", SPF_PARSE_BAD, 0, "missing"},
    {"include of nothing", "v=spf1 include: -all", SPF_PARSE_BAD, 0, "missing"},
    {"one label", "v=spf1 include:relay -all", SPF_PARSE_BAD, 0, "without a dot"},
    {"empty label", "v=spf1 include:a..example -all", SPF_PARSE_BAD, 0, "empty label"},
    {"bad macro letter", "v=spf1 exists:%{z}.example -all", SPF_PARSE_BAD, 0, "macro"},
    {"macro not closed", "v=spf1 exists:%{i.example -all", SPF_PARSE_BAD, 0, "macro"},
    {"percent at the end", "v=spf1 exists:a.example% -all", SPF_PARSE_BAD, 0, "macro"},
    {"modifier with qualifier", "v=spf1 -redirect=a.example", SPF_PARSE_BAD, 0,
     "qualifier"},
    {"rfc7208_6 redirect twice", "v=spf1 redirect=a.example redirect=b.example",
     SPF_PARSE_BAD, 0, "only once"},
    {"high octet", "v=spf1 include:\xc3\xa4.example -all", SPF_PARSE_BAD, 0, "ASCII"},
};

/* From an exact-size heap copy, so that a read past the end is seen. */
static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t n = strlen(cases[i].text);
        char *copy = malloc(n + 1);
        struct spf_record r;
        struct err err = {0};
        enum spf_parse got;

        assert_non_null(copy);
        memcpy(copy, cases[i].text, n + 1);
        copy = realloc(copy, n == 0 ? 1 : n);
        got = spf_parse(span_of(copy, n), &r, &err);
        if (got != cases[i].want)
            fail_msg("%s: got %d, wanted %d (%s)", cases[i].name, (int)got,
                     (int)cases[i].want, err.text);
        if (got == SPF_PARSE_OK && r.lookups != cases[i].want_lookups)
            fail_msg("%s: %u look-ups", cases[i].name, r.lookups);
        if (got != SPF_PARSE_OK && strstr(err.text, cases[i].want_in_error) == NULL)
            fail_msg("%s: says \"%s\"", cases[i].name, err.text);
        free(copy);
    }
}

/* Every prefix of every case: no crash, no over-read, and a result. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t n = 0; n <= strlen(cases[i].text); n++) {
            char *copy = malloc(n == 0 ? 1 : n);
            struct spf_record r;
            struct err err;

            assert_non_null(copy);
            memcpy(copy, cases[i].text, n);
            (void)spf_parse(span_of(copy, n), &r, &err);
            free(copy);
        }
    }
}

static void test_terms_and_print(void **state)
{
    struct spf_record r;
    struct buf out;

    (void)state;
    buf_init(&out, 256);
    assert_int_equal(spf_parse(span_str("v=spf1  a:m.example/24//64  ~all"), &r, NULL),
                     SPF_PARSE_OK);
    assert_int_equal(r.n, 2);
    assert_int_equal(r.term[0].prefix4, 24);
    assert_int_equal(r.term[0].prefix6, 64);
    assert_true(span_eq_str(r.term[0].domain, "m.example"));
    assert_int_equal(r.term[1].qualifier, SPF_SOFTFAIL);
    assert_true(r.has_all);
    assert_int_equal(spf_print(&r, &out), 0);
    assert_true(span_eq_str(buf_all(&out), "v=spf1 a:m.example/24//64 ~all"));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_terms_and_print),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
