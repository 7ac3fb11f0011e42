/* SPDX-License-Identifier: ISC */
#include "base/crypto/keys.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/core/codec.h"

#define ED25519_OCTETS 32
#define DKIM_RSA_MIN   1024 /* RFC 8301 3.2: verifiers need not look at less */

/* OpenSSL's own reason behind our sentence. */
static EVP_PKEY *fail(struct err *err, const char *what)
{
    unsigned long code = ERR_get_error();
    const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);

    ERR_clear_error();
    (void)err_set(err, "%s: %s", what,
                  reason == NULL ? "OpenSSL gives no reason" : reason);
    return NULL;
}

EVP_PKEY *keys_new_rsa(unsigned bits, struct err *err)
{
    EVP_PKEY *key = EVP_RSA_gen(bits);

    return key != NULL ? key : fail(err, "make an RSA key");
}

EVP_PKEY *keys_new_ed25519(struct err *err)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

    return key != NULL ? key : fail(err, "make an Ed25519 key");
}

EVP_PKEY *keys_new_p256(struct err *err)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");

    return key != NULL ? key : fail(err, "make a P-256 key");
}

int keys_to_pem(EVP_PKEY *key, struct buf *out, struct err *err)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *text;
    long n;
    int rc = -1;

    if (bio == NULL ||
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
        (void)fail(err, "print a private key");
        goto out;
    }
    n = BIO_get_mem_data(bio, &text);
    if (n <= 0 || buf_append(out, text, (size_t)n) == -1) {
        (void)err_set(err, "print a private key: no room");
        goto out;
    }
    rc = 0;
out:
    BIO_free(bio);
    return rc;
}

EVP_PKEY *keys_from_pem(struct span pem, struct err *err)
{
    BIO *bio;
    EVP_PKEY *key;

    if (pem.n == 0 || pem.n > 65536) {
        (void)err_set(err, "read a private key: no PEM text");
        return NULL;
    }
    bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return key != NULL ? key : fail(err, "read a private key");
}

int keys_dkim_public(EVP_PKEY *key, struct buf *b64, struct err *err)
{
    uint8_t raw[ED25519_OCTETS];
    size_t n = sizeof(raw);
    uint8_t *der = NULL;
    int der_n, rc;

    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) {
        if (EVP_PKEY_get_raw_public_key(key, raw, &n) != 1 || n != sizeof(raw)) {
            (void)fail(err, "read the public half of an Ed25519 key");
            return -1;
        }
        rc = base64_encode(span_of(raw, n), b64);
        return rc == 0 ? 0 : err_set(err, "no room for a public key");
    }
    der_n = i2d_PUBKEY(key, &der);
    if (der_n <= 0) {
        (void)fail(err, "read the public half of a key");
        return -1;
    }
    rc = base64_encode(span_of(der, (size_t)der_n), b64);
    OPENSSL_free(der);
    return rc == 0 ? 0 : err_set(err, "no room for a public key");
}

static EVP_PKEY *rsa_from_der(const struct buf *der, struct err *err)
{
    const uint8_t *p = der->data;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)der->len);

    ERR_clear_error();
    if (key == NULL) {
        /* RFC 6376 3.6.1 names RSAPublicKey, its example and everyone SubjectPublicKeyInfo;
         * verifiers have to read both. */
        p = der->data;
        key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)der->len);
    }
    if (key == NULL)
        return fail(err, "p= does not hold an RSA public key");
    if (p != der->data + der->len) {
        (void)err_set(err, "p= has octets behind the RSA public key");
    } else if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
        (void)err_set(err, "p= holds a key of another kind than k=rsa says");
    } else if (EVP_PKEY_get_bits(key) < DKIM_RSA_MIN) {
        (void)err_set(err, "p= holds an RSA key of %d bits; below %d nobody accepts it",
                      EVP_PKEY_get_bits(key), DKIM_RSA_MIN);
    } else {
        return key;
    }
    EVP_PKEY_free(key);
    return NULL;
}

EVP_PKEY *keys_from_dkim(struct span b64, bool is_ed25519, struct err *err)
{
    struct buf der;
    EVP_PKEY *key = NULL;

    buf_init(&der, 4096);
    if (!base64_decode(b64, &der)) {
        (void)err_set(err, "p= is not base64");
    } else if (!is_ed25519) {
        key = rsa_from_der(&der, err);
    } else if (der.len != ED25519_OCTETS) {
        (void)err_set(err, "p= holds %zu octets; an Ed25519 key has %d", der.len,
                      ED25519_OCTETS);
    } else {
        key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, der.data, der.len);
        if (key == NULL)
            (void)fail(err, "p= does not hold an Ed25519 public key");
    }
    buf_free(&der);
    return key;
}
