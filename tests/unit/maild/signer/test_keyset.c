/* SPDX-License-Identifier: ISC */
/* Signatures of the signer, verified from the key record as a stranger would; and the
 * standard's own signed example, to prove the verifier. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "maild/signer/keyset.h"
#include "tests/unit/deliverability/dkim_check.h"

#define MESSAGE                                                                          \
    "From: Joe SixPack <joe@football.example.com>\r\n"                                   \
    "To: Suzie Q <suzie@shopping.example.net>\r\n"                                       \
    "Subject: Is dinner ready?\r\n"                                                      \
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"                                    \
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"                   \
    "\r\n"                                                                               \
    "Hi.\r\n"                                                                            \
    "\r\n"                                                                               \
    "We lost the game.  Are you hungry yet?\r\n"                                         \
    "\r\n"                                                                               \
    "Joe.\r\n"

/* RFC 8463 A.3 */
static const char rfc8463[] =
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
    " subject : date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
    " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
    " date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
    " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"
    " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n" MESSAGE;
#define RFC8463_ED25519 "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define RFC8463_RSA                                                                      \
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOK" \
    "b"                                                                                  \
    "2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/"                                    \
    "8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5Qj"                                               \
    "vHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"

static void rfc8463_a_3_verifies(void **state)
{
    (void)state;
    assert_true(check_dkim(span_str(rfc8463), 0, RFC8463_ED25519));
    assert_true(check_dkim(span_str(rfc8463), 1, RFC8463_RSA));
    assert_false(check_dkim(span_str(rfc8463), 0, "Y" RFC8463_ED25519));
}

struct fixture {
    struct keyset *set;
    struct buf public[2];
};

static int setup(void **state)
{
    static struct fixture f;
    EVP_PKEY *rsa, *ed;
    struct err err;

    f.set = keyset_new("football.example.com");
    rsa = keys_new_rsa(2048, &err);
    ed = keys_new_ed25519(&err);
    assert_non_null(rsa);
    assert_non_null(ed);
    for (int i = 0; i < 2; i++) {
        buf_init(&f.public[i], 2048);
        assert_int_equal(keys_dkim_public(i == 0 ? rsa : ed, &f.public[i], &err), 0);
    }
    assert_int_equal(keyset_add(f.set, rsa, DKIM_RSA_SHA256, "r1"), 0);
    assert_int_equal(keyset_add(f.set, ed, DKIM_ED25519_SHA256, "e1"), 0);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    keyset_drop(&f->set);
    for (int i = 0; i < 2; i++)
        buf_free(&f->public[i]);
    return 0;
}

/* Sign a message as queue and signer do. */
static void sign_message(struct fixture *f, const char *message, struct buf *out)
{
    struct span m = span_str(message);
    struct canon_body c;
    struct buf body, fields;
    uint8_t hash[32];
    struct err err;

    buf_init(&body, 1u << 20);
    buf_init(&fields, 8192);
    canon_body_begin(&c, CANON_RELAXED, check_sink, &body);
    canon_body_put(&c, header_body(m));
    canon_body_end(&c);
    assert_int_equal(EVP_Digest(body.data, body.len, hash, NULL, EVP_sha256(), NULL), 1);
    assert_int_equal(keyset_sign(f->set, span_take(m, header_size(m)), span_of(hash, 32),
                                 1795000000, &fields, &err),
                     0);
    assert_int_equal(buf_span(out, buf_all(&fields)), 0);
    assert_int_equal(buf_span(out, m), 0);
    buf_free(&body);
    buf_free(&fields);
}

static const struct {
    const char *name, *message;
} messages[] = {
    {"plain", MESSAGE},
    {"no body", "From: a@b.example\r\n\r\n"},
    {"folded and blank",
     "From:  a@b.example\r\nSubject: a\r\n\tlong  one \r\nTo: \r\n b@c\r\n\r\n"
     " x \r\n\r\n\r\n"},
    {"several of a kind",
     "From: a@b.example\r\nTo: x@y\r\nTo: z@y\r\nReferences: <1@2>\r\n\r\nb\r\n"},
};

static void both_signatures_verify(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        struct buf out;

        buf_init(&out, 1u << 20);
        sign_message(f, messages[i].message, &out);
        for (size_t k = 0; k < 2; k++) {
            if (!check_dkim(buf_all(&out), k, buf_cstr(&f->public[k])))
                fail_msg("%s, signature %zu: %.*s", messages[i].name, k,
                         SPAN_ARG(buf_all(&out)));
        }
        buf_free(&out);
    }
}

static void signature_says_whose_it_is_in_short_lines(void **state)
{
    struct fixture *f = *state;
    struct header_field sig;
    struct span line, rest;
    struct buf out, tag;

    buf_init(&out, 1u << 20);
    buf_init(&tag, 4096);
    sign_message(f, MESSAGE, &out);
    assert_true(header_find(buf_all(&out), "dkim-signature", &sig));
    assert_true(check_tag(sig.value, "d", &tag) &&
                span_eq_str(buf_all(&tag), "football.example.com"));
    assert_true(check_tag(sig.value, "s", &tag) && span_eq_str(buf_all(&tag), "r1"));
    assert_true(check_tag(sig.value, "a", &tag) &&
                span_eq_str(buf_all(&tag), "rsa-sha256"));
    assert_true(check_tag(sig.value, "t", &tag) &&
                span_eq_str(buf_all(&tag), "1795000000"));
    assert_true(
        check_tag(sig.value, "bh", &tag) &&
        span_eq_str(buf_all(&tag), "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="));
    for (rest = sig.raw; rest.n > 0;) {
        (void)span_cut(rest, '\n', &line, &rest);
        assert_true(line.n <= 79);
    }
    buf_free(&out);
    buf_free(&tag);
}

static void another_field_of_a_sealed_name_breaks_the_signature(void **state)
{
    struct fixture *f = *state;
    static const char *const added[] = {
        "From: evil@x.example\r\n", "Subject: buy\r\n", "To: everyone@x.example\r\n",
        "Cc: x@y.example\r\n", "Reply-To: evil@x.example\r\n"};

    for (size_t i = 0; i < COUNT_OF(added); i++) {
        struct buf out;

        buf_init(&out, 1u << 20);
        sign_message(f, MESSAGE, &out);
        assert_int_equal(buf_prepend(&out, added[i], strlen(added[i])), 0);
        if (check_dkim(buf_all(&out), 0, buf_cstr(&f->public[0])))
            fail_msg("%s", added[i]);
        buf_free(&out);
    }
}

static void message_without_from_or_keys_gets_no_signature(void **state)
{
    struct fixture *f = *state;
    uint8_t hash[32] = {0};
    struct buf fields;
    struct keyset *none = keyset_new("");
    struct err err;

    buf_init(&fields, 8192);
    assert_int_equal(keyset_sign(f->set, SPAN_LIT("To: x@y\r\n\r\n"), span_of(hash, 32),
                                 1, &fields, &err),
                     0);
    assert_int_equal(keyset_sign(none, SPAN_LIT("From: x@y\r\n\r\n"), span_of(hash, 32),
                                 1, &fields, &err),
                     0);
    assert_int_equal(fields.len, 0);
    keyset_drop(&none);
    buf_free(&fields);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc8463_a_3_verifies),
        cmocka_unit_test(both_signatures_verify),
        cmocka_unit_test(signature_says_whose_it_is_in_short_lines),
        cmocka_unit_test(another_field_of_a_sealed_name_breaks_the_signature),
        cmocka_unit_test(message_without_from_or_keys_gets_no_signature),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
