/* SPDX-License-Identifier: ISC */
/* pwhash, keys, selfca. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/crypto/keys.h"
#include "base/crypto/pwhash.h"
#include "base/crypto/selfca.h"

static const uint8_t salt[PWHASH_SALT] = "0123456789abcdef";
static const struct pwhash_cost cheap = {4, 8, 1};

static void test_hash_matches_only_its_password(void **state)
{
    char text[PWHASH_MAX + 1];

    (void)state;
    assert_int_equal(pwhash_make(span_str("correct horse"), salt, &cheap, text, NULL), 0);
    assert_int_equal(strncmp(text, "$scrypt$ln=4,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$", 44),
                     0);
    assert_int_equal(pwhash_check(span_str("correct horse"), text), PWHASH_MATCH);
    assert_int_equal(pwhash_check(span_str("correct horsf"), text), PWHASH_MISMATCH);
    assert_int_equal(pwhash_check(span_str(""), text), PWHASH_MISMATCH);
}

static void test_empty_and_binary_passwords(void **state)
{
    char text[PWHASH_MAX + 1];

    (void)state;
    assert_int_equal(pwhash_make(span_of(NULL, 0), salt, &cheap, text, NULL), 0);
    assert_int_equal(pwhash_check(span_of(NULL, 0), text), PWHASH_MATCH);
    assert_int_equal(pwhash_make(span_of("a\0b", 3), salt, &cheap, text, NULL), 0);
    assert_int_equal(pwhash_check(span_of("a\0c", 3), text), PWHASH_MISMATCH);
    assert_int_equal(pwhash_check(span_of("a", 1), text), PWHASH_MISMATCH);
}

/* Whatever octet of the text is altered or where it is cut: never a match. */
static void test_altered_text_never_matches(void **state)
{
    char text[PWHASH_MAX + 1];
    size_t n;

    (void)state;
    assert_int_equal(pwhash_make(span_str("x"), salt, &cheap, text, NULL), 0);
    n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        char saved = text[i];

        text[i] = saved == 'A' ? 'B' : 'A';
        assert_int_not_equal(pwhash_check(span_str("x"), text), PWHASH_MATCH);
        text[i] = '\0';
        assert_int_equal(pwhash_check(span_str("x"), text), PWHASH_MALFORMED);
        text[i] = saved;
    }
    assert_int_equal(pwhash_check(span_str("x"), text), PWHASH_MATCH);
}

static void test_greedy_cost_is_refused(void **state)
{
    (void)state;
    assert_int_equal(pwhash_check(span_str("x"),
                                  "$scrypt$ln=20,r=32,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"
                                  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
                     PWHASH_MALFORMED);
    assert_int_equal(pwhash_check(span_str("x"), "plain"), PWHASH_MALFORMED);
    assert_int_equal(pwhash_check(span_str("x"), ""), PWHASH_MALFORMED);
}

static void round_trip(EVP_PKEY *key, bool is_ed25519)
{
    struct buf pem, b64;
    EVP_PKEY *again, *public;

    assert_non_null(key);
    buf_init(&pem, 8192);
    buf_init(&b64, 8192);
    assert_int_equal(keys_to_pem(key, &pem, NULL), 0);
    assert_true(span_starts(buf_all(&pem), SPAN_LIT("-----BEGIN PRIVATE KEY-----")));
    again = keys_from_pem(buf_all(&pem), NULL);
    assert_int_equal(EVP_PKEY_eq(key, again), 1);
    assert_int_equal(keys_dkim_public(again, &b64, NULL), 0);
    public = keys_from_dkim(buf_all(&b64), is_ed25519, NULL);
    assert_int_equal(EVP_PKEY_eq(key, public), 1);
    assert_null(keys_from_dkim(buf_all(&b64), !is_ed25519, NULL));
    EVP_PKEY_free(public);
    EVP_PKEY_free(again);
    EVP_PKEY_free(key);
    buf_free(&b64);
    buf_free(&pem);
}

static void test_keys_round_trip(void **state)
{
    (void)state;
    round_trip(keys_new_rsa(2048, NULL), false);
    round_trip(keys_new_ed25519(NULL), true);
}

static void test_bad_public_keys(void **state)
{
    static const struct {
        const char *b64;
        bool is_ed25519;
        const char *want_in_error;
    } cases[] = {
        {"!!", false, "not base64"},
        {"TUlJQg==", false, "does not hold an RSA"},
        {"TUlJQg==", true, "an Ed25519 key has 32"},
        /* RSA of 512 bits */
        {"MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBANDiE2+Xi/WnO+s120NiiJhNyIButVu6zxqlVzz0wy2j4k"
         "QVUC4ZRZD80IY+4wIiX2YxKBZKGnd2TtPkcJ/ljkUCAwEAAQ==",
         false, "512 bits"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = {0};

        assert_null(keys_from_dkim(span_str(cases[i].b64), cases[i].is_ed25519, &err));
        if (strstr(err.text, cases[i].want_in_error) == NULL)
            fail_msg("%s: %s", cases[i].b64, err.text);
    }
}

static X509 *first_cert(const struct buf *pem)
{
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    BIO_free(bio);
    assert_non_null(cert);
    return cert;
}

static void test_selfca_verifies_strictly(void **state)
{
    static const char *const names[] = {"mail.example.com", "imap.example.com"};
    struct ipaddr ip;
    struct selfca_request r = {.names = names,
                               .n_names = 2,
                               .addrs = &ip,
                               .n_addrs = 1,
                               .now_s = 1795377600, /* 2026-11-22 */
                               .rng = rng_system()};
    struct buf ca_pem, chain_pem, key_pem;
    X509 *ca, *host;
    EVP_PKEY *key;
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();

    (void)state;
    assert_true(ipaddr_parse(span_str("192.0.2.1"), &ip));
    buf_init(&ca_pem, 65536);
    buf_init(&chain_pem, 65536);
    buf_init(&key_pem, 65536);
    assert_int_equal(selfca_make(&r, &ca_pem, &chain_pem, &key_pem, NULL), 0);
    ca = first_cert(&ca_pem);
    host = first_cert(&chain_pem);
    key = keys_from_pem(buf_all(&key_pem), NULL);
    assert_int_equal(X509_check_private_key(host, key), 1);
    assert_int_equal(X509_check_host(host, "imap.example.com", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(host, "other.example.com", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(host, "192.0.2.1", 0), 1);
    assert_int_equal(X509_STORE_add_cert(store, ca), 1);
    assert_int_equal(X509_STORE_CTX_init(ctx, store, host, NULL), 1);
    X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(ctx), X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), r.now_s + 86400);
    if (X509_verify_cert(ctx) != 1)
        fail_msg("%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    EVP_PKEY_free(key);
    X509_free(host);
    X509_free(ca);
    buf_free(&key_pem);
    buf_free(&chain_pem);
    buf_free(&ca_pem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_matches_only_its_password),
        cmocka_unit_test(test_empty_and_binary_passwords),
        cmocka_unit_test(test_altered_text_never_matches),
        cmocka_unit_test(test_greedy_cost_is_refused),
        cmocka_unit_test(test_keys_round_trip),
        cmocka_unit_test(test_bad_public_keys),
        cmocka_unit_test(test_selfca_verifies_strictly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
