/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/dns/idna.h"

static const struct {
    const char *in, *want; /* NULL: refused */
    const char *want_in_error;
} cases[] = {
    {"Example.COM", "example.com", NULL},
    {"example.com.", "example.com", NULL},
    {"_dmarc.example.com", "_dmarc.example.com", NULL},
    {"*.example.com", "*.example.com", NULL},
    {"xn--3e0b707e.test", "xn--3e0b707e.test", NULL},
    {"\xed\x95\x9c\xea\xb5\xad.test", "xn--3e0b707e.test", NULL}, /* Hangul */
    {"fa\xc3\x9f.de", "xn--fa-hia.de", NULL}, /* sharp s keeps its meaning */
    {"M\xc3\xbcnchen.de", "xn--mnchen-3ya.de", NULL},
    {"a\xe3\x80\x82"
     "b.example",
     "a.b.example", NULL}, /* ideographic full stop */
    {"", NULL, "missing"},
    {".", NULL, "empty label"},
    {"a..b", NULL, "empty label"},
    {".a", NULL, "empty label"},
    {"-a.example", NULL, "hyphen"},
    {"a-.example", NULL, "hyphen"},
    {"a b.example", NULL, "character"},
    {"a*b.example", NULL, "character"},
    {"xn--\xc3\xa4.example", NULL, "label"},
    {"\xff\xfe.example", NULL, "label"},
    {"a\xef\xbc\x8a.example", NULL, "character"}, /* full-width asterisk: maps to "a*" */
    {"a\xe2\x80\xa4"
     "b.example",
     NULL, "character"},                      /* one dot leader: maps to "a.b" */
    {"\xc2\xad.example", NULL, "characters"}, /* soft hyphen: maps to nothing */
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example", NULL,
     "longer than 63"},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[IDNA_NAME_MAX + 1] = "";
        struct err err = {0};
        int rc = idna_to_ascii(span_str(cases[i].in), out, &err);

        if (cases[i].want != NULL && (rc != 0 || strcmp(out, cases[i].want) != 0))
            fail_msg("%s: got \"%s\" (%s)", cases[i].in, out, err.text);
        if (cases[i].want == NULL &&
            (rc == 0 || strstr(err.text, cases[i].want_in_error) == NULL))
            fail_msg("%s: got %d, \"%s\"", cases[i].in, rc, rc == 0 ? out : err.text);
    }
}

static void test_longest_name(void **state)
{
    char in[300] = "", out[IDNA_NAME_MAX + 1];
    struct err err;

    (void)state;
    for (size_t i = 0; i < 253; i++)
        in[i] = i % 2 == 0 ? 'a' : '.';
    assert_int_equal(idna_to_ascii(span_str(in), out, &err), 0);
    assert_int_equal(strlen(out), 253);
    in[253] = '.';
    in[254] = 'a';
    assert_int_equal(idna_to_ascii(span_str(in), out, &err), -1);
}

static void test_display(void **state)
{
    char out[IDNA_DISPLAY_MAX + 1];

    (void)state;
    idna_to_display("xn--3e0b707e.test", out);
    assert_string_equal(out, "\xed\x95\x9c\xea\xb5\xad.test");
    idna_to_display("plain.test", out);
    assert_string_equal(out, "plain.test");
    idna_to_display("xn--99999999.test", out); /* not an A-label: shown as it is */
    assert_string_equal(out, "xn--99999999.test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_longest_name),
        cmocka_unit_test(test_display),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
