/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "maild/smtp/params.h"
#include "maild/smtp/path.h"

#define L64 "0123456789012345678901234567890123456789012345678901234567890123"
#define D63 "a12345678901234567890123456789012345678901234567890123456789012"

static const struct {
    const char *name, *in;
    enum smtp_path_result want;
    const char *want_text, *want_rest;
} paths[] = {
    {"plain", "<a@b>", SMTP_PATH_OK, "a@b", ""},
    {"rfc5321_4_5_5 null", "<>", SMTP_PATH_OK, "", ""},
    {"parameters", "<a@b> SIZE=1 X", SMTP_PATH_OK, "a@b", " SIZE=1 X"},
    {"blanks before", "  <a@b>", SMTP_PATH_OK, "a@b", ""},
    {"no brackets", "a@b SIZE=1", SMTP_PATH_OK, "a@b", " SIZE=1"},
    {"rfc5321_4_1_1_3 route", "<@x.y,@z:a@b>", SMTP_PATH_OK, "a@b", ""},
    {"rfc5321_4_1_1_3 postmaster", "<PostMaster>", SMTP_PATH_OK, "postmaster@host", ""},
    {"postmaster with domain", "<postmaster@b>", SMTP_PATH_OK, "postmaster@b", ""},
    {"quoted with bracket", "<\"a>b\"@c>", SMTP_PATH_OK, "\"a>b\"@c", ""},
    {"literal", "<a@[192.0.2.1]>", SMTP_PATH_OK, "a@[192.0.2.1]", ""},
    {"empty", "", SMTP_PATH_SYNTAX, NULL, NULL},
    {"not closed", "<a@b", SMTP_PATH_SYNTAX, NULL, NULL},
    {"closed only", "a@b>", SMTP_PATH_SYNTAX, NULL, NULL},
    {"two brackets", "<<a@b>>", SMTP_PATH_SYNTAX, NULL, NULL},
    {"glued parameter", "<a@b>SIZE=1", SMTP_PATH_SYNTAX, NULL, NULL},
    {"blank inside", "<a@b >", SMTP_PATH_SYNTAX, NULL, NULL},
    {"no domain", "<a>", SMTP_PATH_SYNTAX, NULL, NULL},
    {"bad route", "<@x;a@b>", SMTP_PATH_SYNTAX, NULL, NULL},
    {"route without colon", "<@x>", SMTP_PATH_SYNTAX, NULL, NULL},
    {"bad domain", "<a@-b>", SMTP_PATH_DOMAIN, NULL, NULL},
    {"rfc6531", "<\xc3\xa9@b>", SMTP_PATH_NOT_ASCII, NULL, NULL},
    {"rfc6531 domain", "<a@b\xc3\xa9>", SMTP_PATH_NOT_ASCII, NULL, NULL},
    {"rfc5321_4_5_3_1_1", "<" L64 "x@b>", SMTP_PATH_LONG, NULL, NULL},
    {"rfc5321_4_5_3_1_3", "<" L64 "@" D63 "." D63 "." D63 ">", SMTP_PATH_LONG, NULL,
     NULL},
};

static void test_path(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        size_t n = strlen(paths[i].in);
        uint8_t *copy = n == 0 ? NULL : mem_dup(paths[i].in, n);
        struct smtp_path p;
        struct span rest;
        struct buf out;

        print_message("%s\n", paths[i].name);
        buf_init(&out, 600);
        assert_int_equal(smtp_path_parse(span_of(copy, n), &p, &rest), paths[i].want);
        if (paths[i].want == SMTP_PATH_OK) {
            assert_int_equal(smtp_path_print(&p, "HOST", &out), 0);
            assert_string_equal(buf_cstr(&out), paths[i].want_text);
            assert_true(span_eq_str(rest, paths[i].want_rest));
        }
        buf_free(&out);
        free(copy);
    }
}

/* No prefix is read past its end. */
static void test_path_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        for (size_t n = 1; n < strlen(paths[i].in); n++) {
            uint8_t *copy = mem_dup(paths[i].in, n);
            struct smtp_path p;
            struct span rest;

            if (smtp_path_parse(span_of(copy, n), &p, &rest) == SMTP_PATH_OK)
                assert_true(rest.n <= n);
            free(copy);
        }
    }
}

static const struct {
    const char *name, *in;
    enum smtp_params_result want;
    uint64_t want_size;
    bool want_8bit;
} params[] = {
    {"none", "", SMTP_PARAMS_OK, 0, false},
    {"blanks", "   ", SMTP_PARAMS_OK, 0, false},
    {"rfc1870 size", " SIZE=12", SMTP_PARAMS_OK, 12, false},
    {"both, any case", " size=1  Body=8bitmime", SMTP_PARAMS_OK, 1, true},
    {"rfc6152 7bit", " BODY=7BIT", SMTP_PARAMS_OK, 0, false},
    {"rfc4954 auth", " AUTH=e+3Dmc2@example.com", SMTP_PARAMS_OK, 0, false},
    {"huge size", " SIZE=99999999999999999999", SMTP_PARAMS_OK, UINT64_MAX, false},
    {"21 digits", " SIZE=000000000000000000001", SMTP_PARAMS_SYNTAX, 0, false},
    {"size twice", " SIZE=1 SIZE=1", SMTP_PARAMS_SYNTAX, 0, false},
    {"body twice", " BODY=7BIT BODY=7BIT", SMTP_PARAMS_SYNTAX, 0, false},
    {"size without value", " SIZE", SMTP_PARAMS_SYNTAX, 0, false},
    {"size not a number", " SIZE=1x", SMTP_PARAMS_SYNTAX, 0, false},
    {"body unknown", " BODY=BINARYMIME", SMTP_PARAMS_SYNTAX, 0, false},
    {"empty value", " SIZE=", SMTP_PARAMS_SYNTAX, 0, false},
    {"no keyword", " =1", SMTP_PARAMS_SYNTAX, 0, false},
    {"two equals", " SIZE=1=2", SMTP_PARAMS_SYNTAX, 0, false},
    {"hyphen first", " -A=1", SMTP_PARAMS_SYNTAX, 0, false},
    {"8-bit value", " A=\xc3\xa9", SMTP_PARAMS_SYNTAX, 0, false},
    {"unknown", " SMTPUTF8", SMTP_PARAMS_UNKNOWN, 0, false},
};

static void test_params(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(params); i++) {
        size_t n = strlen(params[i].in);
        uint8_t *copy = n == 0 ? NULL : mem_dup(params[i].in, n);
        struct smtp_mail_params m;

        print_message("%s\n", params[i].name);
        assert_int_equal(smtp_mail_params(span_of(copy, n), &m), params[i].want);
        if (params[i].want == SMTP_PARAMS_OK) {
            assert_true(m.size == params[i].want_size);
            assert_int_equal(m.is_8bit, params[i].want_8bit);
        }
        free(copy);
    }
    assert_int_equal(smtp_rcpt_params(SPAN_LIT(" ")), SMTP_PARAMS_OK);
    assert_int_equal(smtp_rcpt_params(SPAN_LIT(" NOTIFY=NEVER")), SMTP_PARAMS_UNKNOWN);
    assert_int_equal(smtp_rcpt_params(SPAN_LIT(" =")), SMTP_PARAMS_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_path_prefixes),
        cmocka_unit_test(test_params),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
