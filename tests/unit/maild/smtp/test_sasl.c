/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/attr.h"
#include "maild/smtp/sasl.h"

/* Lines of one exchange; "" ends them. The first may be an initial response. */
static const struct {
    const char *name, *mech, *initial, *lines[3];
    enum sasl_result want;
    const char *want_login, *want_password;
} cases[] = {
    {"rfc4616 initial", "PLAIN", "AGFubmEAc2VjcmV0", {0}, SASL_DONE, "anna", "secret"},
    {"rfc4616 line", "plain", NULL, {"AGFubmEAc2VjcmV0"}, SASL_DONE, "anna", "secret"},
    {"authzid is authcid", "PLAIN", "YW5uYQBBbm5hAHM=", {0}, SASL_DONE, "Anna", "s"},
    {"authzid is another", "PLAIN", "ZXZlAGFubmEAcw==", {0}, SASL_BAD_FORM, "", ""},
    {"no password", "PLAIN", "AGFubmE=", {0}, SASL_BAD_FORM, "", ""},
    {"empty password", "PLAIN", "AGFubmEA", {0}, SASL_BAD_FORM, "", ""},
    {"nul in password", "PLAIN", "AGFubmEAcwBz", {0}, SASL_BAD_FORM, "", ""},
    {"rfc4954 empty initial", "PLAIN", "=", {0}, SASL_BAD_FORM, "", ""},
    {"rfc4954 cancel", "PLAIN", NULL, {"*"}, SASL_CANCELLED, "", ""},
    {"not base64", "PLAIN", "an na", {0}, SASL_BAD_BASE64, "", ""},
    {"another password", "PLAIN", "AGFubmEAc2VjcmV1", {0}, SASL_DONE, "anna", "secreu"},
    {"login", "LOGIN", NULL, {"YW5uYQ==", "c2VjcmV0"}, SASL_DONE, "anna", "secret"},
    {"login initial", "LOGIN", "YW5uYQ==", {"c2VjcmV0"}, SASL_DONE, "anna", "secret"},
    {"login cancel", "LOGIN", "YW5uYQ==", {"*"}, SASL_CANCELLED, "", ""},
    {"login empty name", "LOGIN", NULL, {""}, SASL_BAD_FORM, "", ""},
    {"unknown", "CRAM-MD5", NULL, {0}, SASL_BAD_MECH, "", ""},
};

static void test_sasl(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum sasl_result r;
        struct sasl s = {0};

        print_message("%s\n", cases[i].name);
        r = sasl_begin(&s, span_str(cases[i].mech), cases[i].initial != NULL,
                       span_str(cases[i].initial));
        for (size_t l = 0; r == SASL_CHALLENGE && l < 3 && cases[i].lines[l] != NULL; l++)
            r = sasl_line(&s, span_str(cases[i].lines[l]));
        assert_int_equal(r, cases[i].want);
        if (r == SASL_DONE) {
            assert_string_equal(s.login, cases[i].want_login);
            assert_string_equal(s.password, cases[i].want_password);
        }
        sasl_clear(&s);
        assert_string_equal(s.login, "");
        assert_string_equal(s.password, "");
    }
}

static void test_sasl_challenges(void **state)
{
    struct sasl s = {0};

    (void)state;
    assert_int_equal(sasl_begin(&s, SPAN_LIT("PLAIN"), false, SPAN_LIT("")),
                     SASL_CHALLENGE);
    assert_string_equal(sasl_challenge(&s), "");
    assert_int_equal(sasl_begin(&s, SPAN_LIT("LOGIN"), false, SPAN_LIT("")),
                     SASL_CHALLENGE);
    assert_string_equal(sasl_challenge(&s), "VXNlcm5hbWU6");
    assert_int_equal(sasl_line(&s, SPAN_LIT("YQ==")), SASL_CHALLENGE);
    assert_string_equal(sasl_challenge(&s), "UGFzc3dvcmQ6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sasl),
        cmocka_unit_test(test_sasl_challenges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
