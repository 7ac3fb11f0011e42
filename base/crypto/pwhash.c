/* SPDX-License-Identifier: ISC */
#include "base/crypto/pwhash.h"

#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#define HASH_OCTETS 32
#define MEMORY_MAX  (256u << 20)

const struct pwhash_cost pwhash_default = {15, 8, 1};

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* base64 without padding, as the PHC string format wants it. Returns characters. */
static size_t b64_put(const uint8_t *in, size_t n, char *out)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v = (uint32_t)in[i] << 16;

        v |= left > 1 ? (uint32_t)in[i + 1] << 8 : 0;
        v |= left > 2 ? (uint32_t)in[i + 2] : 0;
        out[at++] = alphabet[v >> 18];
        out[at++] = alphabet[v >> 12 & 63];
        if (left > 1)
            out[at++] = alphabet[v >> 6 & 63];
        if (left > 2)
            out[at++] = alphabet[v & 63];
    }
    return at;
}

/* Exactly `want` octets from unpadded base64 with zero trailing bits. */
static bool b64_get(struct span text, uint8_t *out, size_t want)
{
    uint32_t acc = 0;
    unsigned bits = 0;
    size_t at = 0;

    if (text.n != (want * 8 + 5) / 6)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        const char *c = text.p[i] == 0 ? NULL : strchr(alphabet, text.p[i]);

        if (c == NULL)
            return false;
        acc = acc << 6 | (uint32_t)(c - alphabet);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[at++] = (uint8_t)(acc >> bits & 0xff);
        }
    }
    return at == want && (acc & ((1u << bits) - 1)) == 0;
}

/* 128 * N * r octets: what scrypt fills (RFC 7914 2). */
static bool cost_is_sane(const struct pwhash_cost *c)
{
    return c->ln >= 1 && c->ln <= 20 && c->r >= 1 && c->r <= 32 && c->p >= 1 &&
           c->p <= 16 && ((uint64_t)128 << c->ln) * c->r <= MEMORY_MAX;
}

static int derive(struct span password, const uint8_t *salt, const struct pwhash_cost *c,
                  uint8_t out[HASH_OCTETS])
{
    uint64_t n = (uint64_t)1 << c->ln, memory = (uint64_t)MEMORY_MAX * 2;
    uint32_t r = c->r, p = c->p;
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
    EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    uint8_t copy_salt[PWHASH_SALT];
    /* OSSL_PARAM takes non-const pointers though it only reads them here. */
    uint8_t *pass = OPENSSL_malloc(password.n + 1);
    int rc = -1;

    if (ctx == NULL || pass == NULL)
        goto out;
    memcpy(copy_salt, salt, sizeof(copy_salt));
    if (password.n > 0)
        memcpy(pass, password.p, password.n);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, pass, password.n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, copy_salt, PWHASH_SALT),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
        OSSL_PARAM_construct_end(),
    };
    if (EVP_KDF_derive(ctx, out, HASH_OCTETS, params) == 1)
        rc = 0;
out:
    if (pass != NULL)
        OPENSSL_clear_free(pass, password.n + 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return rc;
}

int pwhash_make(struct span password, const uint8_t salt[PWHASH_SALT],
                const struct pwhash_cost *cost, char text[PWHASH_MAX + 1],
                struct err *err)
{
    uint8_t hash[HASH_OCTETS];
    char salt64[32], hash64[48];
    int n;

    if (!cost_is_sane(cost))
        return err_set(err, "scrypt cost ln=%u,r=%u,p=%u is out of range", cost->ln,
                       cost->r, cost->p);
    if (derive(password, salt, cost, hash) == -1)
        return err_set(err, "scrypt failed (it needs %u MiB of memory)",
                       (unsigned)((((uint64_t)128 << cost->ln) * cost->r) >> 20));
    salt64[b64_put(salt, PWHASH_SALT, salt64)] = '\0';
    hash64[b64_put(hash, HASH_OCTETS, hash64)] = '\0';
    OPENSSL_cleanse(hash, sizeof(hash));
    n = snprintf(text, PWHASH_MAX + 1, "$scrypt$ln=%u,r=%u,p=%u$%s$%s", cost->ln, cost->r,
                 cost->p, salt64, hash64);
    OPENSSL_cleanse(hash64, sizeof(hash64));
    return n > 0 && n <= PWHASH_MAX ? 0 : err_set(err, "hash text too long");
}

/* "ln=15,r=8,p=1" */
static bool cost_parse(struct span s, struct pwhash_cost *c)
{
    static const char *const names[] = {"ln=", "r=", "p="};
    unsigned *const to[] = {&c->ln, &c->r, &c->p};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct span field;
        uint64_t v;

        span_cut(s, ',', &field, &s);
        if (!span_starts(field, span_str(names[i])) ||
            !span_to_u64(span_drop(field, strlen(names[i])), 64, &v))
            return false;
        *to[i] = (unsigned)v;
    }
    return s.n == 0 && cost_is_sane(c);
}

enum pwhash_result pwhash_check(struct span password, const char *text)
{
    struct span s = span_str(text), cost_text, salt64;
    struct pwhash_cost cost;
    uint8_t salt[PWHASH_SALT], want[HASH_OCTETS], got[HASH_OCTETS];
    int differ;

    if (!span_starts(s, SPAN_LIT("$scrypt$")))
        return PWHASH_MALFORMED;
    s = span_drop(s, 8);
    if (!span_cut(s, '$', &cost_text, &s) || !span_cut(s, '$', &salt64, &s) ||
        !cost_parse(cost_text, &cost) || !b64_get(salt64, salt, sizeof(salt)) ||
        !b64_get(s, want, sizeof(want)))
        return PWHASH_MALFORMED;
    if (derive(password, salt, &cost, got) == -1)
        return PWHASH_MALFORMED;
    differ = CRYPTO_memcmp(got, want, sizeof(want));
    OPENSSL_cleanse(got, sizeof(got));
    OPENSSL_cleanse(want, sizeof(want));
    return differ == 0 ? PWHASH_MATCH : PWHASH_MISMATCH;
}

void pwhash_check_nobody(struct span password)
{
    static const uint8_t salt[PWHASH_SALT] = {0};
    uint8_t hash[HASH_OCTETS];

    if (derive(password, salt, &pwhash_default, hash) == 0)
        OPENSSL_cleanse(hash, sizeof(hash));
}
