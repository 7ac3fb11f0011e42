/* SPDX-License-Identifier: ISC */
/* maild/signer/keyset.c
 *
 * Loading: the signing domain and its active keys from signpost.db, each private key by its
 * reference from keys.db; the PEM text is cleansed at once. A key that is listed as active but
 * cannot be read makes the whole load fail: half a set would sign and look right.
 *
 * Signing: the field without signature and its input (dkim_sign), then RSA over the SHA-256 of
 * the input, or Ed25519 over the octets of that digest. OpenSSL allows many threads to sign with
 * one EVP_PKEY, each with its own context. */
#include "maild/signer/keyset.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/core/mem.h"
#include "base/crypto/keys.h"
#include "base/msg/header.h"
#include "zones/dkimkeys.h"

#define INPUT_MAX     (256u * 1024u) /* canonical header */
#define SIGNATURE_MAX 1024

struct keyset *keyset_new(const char *domain)
{
    struct keyset *k = mem_new(1, sizeof(*k));

    k->refs = 1;
    if (!span_copy(span_str(domain), k->domain, sizeof(k->domain)))
        k->domain[0] = '\0';
    return k;
}

struct keyset *keyset_hold(struct keyset *k)
{
    k->refs++;
    return k;
}

void keyset_drop(struct keyset **kp)
{
    struct keyset *k = *kp;

    *kp = NULL;
    if (k == NULL || --k->refs > 0)
        return;
    for (size_t i = 0; i < k->n; i++)
        EVP_PKEY_free(k->keys[i].key); /* clears the key's memory */
    free(k);
}

int keyset_add(struct keyset *k, EVP_PKEY *key, enum dkim_algorithm a,
               const char *selector)
{
    struct signing_key *s = &k->keys[k->n];

    if (k->n == KEYSET_MAX ||
        !span_copy(span_str(selector), s->selector, sizeof(s->selector)))
        return -1;
    s->key = key;
    s->algorithm = a;
    k->n++;
    return 0;
}

static enum dkim_algorithm algorithm_of(enum key_algorithm a)
{
    switch (a) {
    case KEY_RSA2048:
        return DKIM_RSA_SHA256;
    case KEY_ED25519:
        return DKIM_ED25519_SHA256;
    }
    return DKIM_RSA_SHA256;
}

static EVP_PKEY *load_key(struct domaindb *db, const struct dkim_key_row *row,
                          struct err *err)
{
    EVP_PKEY *key = NULL;
    struct buf pem;

    buf_init(&pem, DKIMKEYS_PEM_MAX);
    switch (dkimkeys_get(db, row->key_ref, &pem, err)) {
    case DOMAINDB_OK:
        key = keys_from_pem(buf_all(&pem), err);
        break;
    case DOMAINDB_NONE:
        err_set(err, "keys.db has no private key for selector %s", row->selector);
        break;
    case DOMAINDB_EXISTS:
    case DOMAINDB_REFUSED:
    case DOMAINDB_FAULT:
        break;
    }
    if (pem.cap > 0)
        OPENSSL_cleanse(pem.data, pem.cap);
    buf_free(&pem);
    return key;
}

struct keyset *keyset_load(struct domaindb *db, struct span from_domain, struct err *err)
{
    struct dkim_key_row rows[KEYSET_MAX];
    char name[DOMAINDB_NAME_MAX + 1] = "";
    struct keyset *k;
    size_t n = 0;

    switch (dkim_key_active(db, from_domain, name, rows, KEYSET_MAX, &n, err)) {
    case DOMAINDB_OK:
    case DOMAINDB_NONE:
        break;
    case DOMAINDB_EXISTS:
    case DOMAINDB_REFUSED:
    case DOMAINDB_FAULT:
        return NULL;
    }
    k = keyset_new(name);
    /* RSA first: old verifiers look at the first signature only. */
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < n; i++) {
            EVP_PKEY *key;

            if ((rows[i].algorithm == KEY_RSA2048) != (pass == 0))
                continue;
            key = load_key(db, &rows[i], err);
            if (key == NULL || keyset_add(k, key, algorithm_of(rows[i].algorithm),
                                          rows[i].selector) == -1) {
                EVP_PKEY_free(key);
                err_wrap(err, "signing key of %s", name);
                keyset_drop(&k);
                return NULL;
            }
        }
    }
    return k;
}

/* RSA signs the digest of the input; Ed25519 signs the digest's octets (RFC 8463 3). */
static int sign_input(const struct signing_key *s, struct span input, uint8_t *out,
                      size_t *n)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t digest[SHA256_DIGEST_LENGTH];
    const EVP_MD *md = NULL;
    int ok = 0;

    switch (s->algorithm) {
    case DKIM_RSA_SHA256:
        md = EVP_sha256();
        break;
    case DKIM_ED25519_SHA256:
        if (EVP_Digest(input.p, input.n, digest, NULL, EVP_sha256(), NULL) != 1)
            goto out;
        input = span_of(digest, sizeof(digest));
        break;
    }
    ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, md, NULL, s->key) == 1 &&
         EVP_DigestSign(ctx, out, n, input.p, input.n) == 1;
out:
    EVP_MD_CTX_free(ctx);
    return ok ? 0 : -1;
}

static int sign_with(const struct keyset *k, const struct signing_key *key,
                     struct span header, struct span body_hash, int64_t now_s,
                     struct buf *fields, struct err *err)
{
    const struct dkim_sign s = {.algorithm = key->algorithm,
                                .domain = span_str(k->domain),
                                .selector = span_str(key->selector),
                                .now_s = now_s,
                                .body_hash = body_hash};
    uint8_t signature[SIGNATURE_MAX];
    size_t n = sizeof(signature);
    struct buf field, input;
    int rc = -1;

    buf_init(&field, DKIM_FIELD_MAX);
    buf_init(&input, INPUT_MAX);
    if (dkim_sign_begin(&s, header, &field, &input) == -1)
        err_set(err, "header too long to be signed");
    else if (sign_input(key, buf_all(&input), signature, &n) == -1)
        err_set(err, "key %s cannot sign", key->selector);
    else if (dkim_sign_end(&field, span_of(signature, n)) == -1 ||
             buf_span(fields, buf_all(&field)) == -1)
        err_set(err, "signature of key %s is too long", key->selector);
    else
        rc = 0;
    buf_free(&field);
    buf_free(&input);
    return rc;
}

int keyset_sign(const struct keyset *k, struct span header, struct span body_hash,
                int64_t now_s, struct buf *fields, struct err *err)
{
    const size_t from = fields->len;

    if (header_count(header, "from") == 0)
        return 0;
    for (size_t i = 0; i < k->n; i++) {
        if (sign_with(k, &k->keys[i], header, body_hash, now_s, fields, err) == -1) {
            buf_truncate(fields, from);
            return -1;
        }
    }
    return 0;
}
