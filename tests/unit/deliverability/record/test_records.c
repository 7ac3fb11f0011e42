/* SPDX-License-Identifier: ISC */
/* DKIM, DMARC and TLS-RPT records share the tag list, so they share this table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "deliverability/record/dkim.h"
#include "deliverability/record/dmarc.h"
#include "deliverability/record/tlsrpt.h"

static int dkim(struct span text, struct err *err)
{
    struct dkim_record r;

    return dkim_record_parse(text, &r, err);
}

static int dmarc(struct span text, struct err *err)
{
    struct dmarc_record r;

    return dmarc_record_parse(text, &r, err);
}

static int tlsrpt(struct span text, struct err *err)
{
    struct tlsrpt_record r;

    return tlsrpt_record_parse(text, &r, err);
}

static const struct {
    const char *name;
    int (*parse)(struct span text, struct err *err);
    const char *text;
    const char *want_in_error; /* NULL: accepted */
} cases[] = {
    {"dkim rsa", dkim, "v=DKIM1; k=rsa; p=TUlJQg==", NULL},
    {"dkim without version", dkim, "p=TUlJQg==", NULL},
    {"dkim ends with semicolon", dkim, "v=DKIM1; p=TUlJQg==;", NULL},
    {"rfc6376_3_6_1 revoked", dkim, "v=DKIM1; p=", NULL},
    {"rfc6376_3_6_1 blanks in p", dkim, "v=DKIM1; p=TUlJ QkFB", NULL},
    {"rfc6376_3_6_1 unknown tags", dkim, "v=DKIM1; n=note; x=1; p=TUlJQg==", NULL},
    {"dkim version wrong", dkim, "v=DKIM;t=s;k=rsa;p=TUlJQg==", "v=DKIM1"},
    {"dkim version not first", dkim, "k=rsa; v=DKIM1; p=TUlJQg==", "first"},
    {"dkim key type", dkim, "v=DKIM1; k=dsa; p=TUlJQg==", "rsa or ed25519"},
    {"dkim no key", dkim, "v=DKIM1; k=rsa", "no p="},
    {"dkim bad base64", dkim, "v=DKIM1; p=TUlJ*g==", "base64"},
    {"dkim cut base64", dkim, "v=DKIM1; p=TUlJQ", "multiple of 4"},
    {"rfc6376_3_2 tag twice", dkim, "v=DKIM1; p=TUlJ; p=TUlJ", "twice"},
    {"no equals sign", dkim, "v=DKIM1; rsa; p=TUlJ", "not tag=value"},
    {"empty tag", dkim, "v=DKIM1;; p=TUlJ", "nothing in front"},

    {"dmarc", dmarc, "v=DMARC1; p=reject; rua=mailto:a@example.com", NULL},
    {"dmarc everything", dmarc,
     "v=DMARC1;p=none;sp=quarantine;adkim=s;aspf=r;pct=50;ri=3600;fo=1;"
     "rua=mailto:a@example.com!10m,https://r.example/;ruf=mailto:b@example.com",
     NULL},
    {"rfc7489_6_3 unknown tag", dmarc, "v=DMARC1; p=none; np=reject", NULL},
    {"dmarc not first", dmarc, "p=none; v=DMARC1", "begin with v=DMARC1"},
    {"dmarc empty", dmarc, "", "begin with v=DMARC1"},
    {"dmarc without policy", dmarc, "v=DMARC1; rua=mailto:a@example.com", "no p="},
    {"dmarc bad policy", dmarc, "v=DMARC1; p=deny", "none, quarantine or reject"},
    {"dmarc bare address", dmarc, "v=DMARC1; p=none; rua=a@example.com",
     "write mailto:a@example.com"},
    {"dmarc mailto without address", dmarc, "v=DMARC1; p=none; rua=mailto:example.com",
     "no mail address"},
    {"dmarc bad size", dmarc, "v=DMARC1; p=none; rua=mailto:a@example.com!ten", "size"},
    {"dmarc pct", dmarc, "v=DMARC1; p=none; pct=101", "0 to 100"},
    {"dmarc alignment", dmarc, "v=DMARC1; p=none; adkim=x", "r or s"},

    {"tlsrpt", tlsrpt, "v=TLSRPTv1; rua=mailto:a@example.com", NULL},
    {"tlsrpt two", tlsrpt, "v=TLSRPTv1;rua=mailto:a@example.com,https://r.example/x",
     NULL},
    {"tlsrpt version", tlsrpt, "v=TLSRPT1; rua=mailto:a@example.com", "v=TLSRPTv1"},
    {"tlsrpt nobody", tlsrpt, "v=TLSRPTv1", "no rua="},
    {"tlsrpt bare address", tlsrpt, "v=TLSRPTv1; rua=a@example.com",
     "write mailto:a@example.com"},
    {"tlsrpt ftp", tlsrpt, "v=TLSRPTv1; rua=ftp://example.com", "neither"},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t n = strlen(cases[i].text);
        struct err err = {0};

        for (size_t cut = 0; cut <= n; cut++) {
            char *copy = malloc(cut == 0 ? 1 : cut);
            int rc;

            assert_non_null(copy);
            memcpy(copy, cases[i].text, cut);
            rc = cases[i].parse(span_of(copy, cut), &err);
            if (cut == n && (rc == 0) != (cases[i].want_in_error == NULL))
                fail_msg("%s: result %d (%s)", cases[i].name, rc, err.text);
            free(copy);
        }
        if (cases[i].want_in_error != NULL &&
            strstr(err.text, cases[i].want_in_error) == NULL)
            fail_msg("%s: says \"%s\"", cases[i].name, err.text);
    }
}

static void test_dmarc_values(void **state)
{
    struct dmarc_record r;
    struct span domain;

    (void)state;
    assert_int_equal(
        dmarc_record_parse(span_str("v=DMARC1; sp=none; p=reject; pct=7; "
                                    "rua=mailto:a@x.example!1m,mailto:b@y.example"),
                           &r, NULL),
        0);
    assert_int_equal(r.policy, DMARC_REJECT);
    assert_int_equal(r.subdomain_policy, DMARC_NONE);
    assert_int_equal(r.percent, 7);
    assert_int_equal(r.n_rua, 2);
    assert_true(dmarc_uri_domain(r.rua[0], &domain));
    assert_true(span_eq_str(domain, "x.example"));
    assert_false(dmarc_uri_domain(span_str("https://x.example/a@b"), &domain));
}

static void test_dkim_flags(void **state)
{
    struct dkim_record r;

    (void)state;
    assert_int_equal(
        dkim_record_parse(span_str("v=DKIM1; k=ed25519; t=y:s; h=sha256; p=AAAA"), &r,
                          NULL),
        0);
    assert_int_equal(r.type, DKIM_KEY_ED25519);
    assert_true(r.is_testing);
    assert_true(r.is_strict);
    assert_false(r.is_revoked);
    assert_true(span_eq_str(r.hashes, "sha256"));
}

/* What we print, we accept. */
static void test_printed_is_parsed(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1024);
    assert_int_equal(dkim_record_print(DKIM_KEY_RSA, span_str("TUlJQg=="), &out), 0);
    assert_true(span_eq_str(buf_all(&out), "v=DKIM1; k=rsa; p=TUlJQg=="));
    assert_int_equal(dkim(buf_all(&out), NULL), 0);
    buf_reset(&out);
    assert_int_equal(
        dmarc_record_print(DMARC_QUARANTINE, span_str("a@example.com"), &out), 0);
    assert_true(
        span_eq_str(buf_all(&out), "v=DMARC1; p=quarantine; rua=mailto:a@example.com"));
    assert_int_equal(dmarc(buf_all(&out), NULL), 0);
    buf_reset(&out);
    assert_int_equal(tlsrpt_record_print(span_str("a@example.com"), &out), 0);
    assert_int_equal(tlsrpt(buf_all(&out), NULL), 0);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_dmarc_values),
        cmocka_unit_test(test_dkim_flags),
        cmocka_unit_test(test_printed_is_parsed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
