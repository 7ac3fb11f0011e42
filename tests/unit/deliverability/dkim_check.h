/* SPDX-License-Identifier: ISC */
/* tests/unit/deliverability/dkim_check.h - just enough of a DKIM verifier to prove our
 * signatures and the standards' examples; written apart from the signer's code, but for the
 * canonical forms. */
#ifndef TESTS_UNIT_DELIVERABILITY_DKIM_CHECK_H
#define TESTS_UNIT_DELIVERABILITY_DKIM_CHECK_H

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/core/codec.h"
#include "base/crypto/keys.h"
#include "base/msg/header.h"
#include "deliverability/canon.h"

/* Value of a tag in a tag list, white space removed; false when it is not there. */
static bool check_tag(struct span list, const char *name, struct buf *out)
{
    buf_reset(out);
    for (bool more = true; more;) {
        struct span item, key, value;

        more = span_cut(list, ';', &item, &list);
        if (!span_cut(item, '=', &key, &value))
            continue;
        while (key.n > 0 && (key.p[0] == ' ' || key.p[0] == '\r' || key.p[0] == '\n' ||
                             key.p[0] == '\t'))
            key = span_drop(key, 1);
        if (!span_eq_str(span_trim(key), name))
            continue;
        for (size_t i = 0; i < value.n; i++) {
            if (strchr(" \t\r\n", value.p[i]) == NULL && buf_byte(out, value.p[i]) == -1)
                abort();
        }
        return true;
    }
    return false;
}

static void check_sink(void *ctx, struct span octets)
{
    if (buf_span(ctx, octets) == -1)
        abort();
}

/* The instance of a field counted from the bottom; false when there are fewer. */
static bool check_field(struct span message, struct span name, size_t from_bottom,
                        struct header_field *out)
{
    struct header_field all[64], f;
    struct header_iter it;
    size_t n = 0;

    header_begin(&it, message);
    while (n < 64 && header_next(&it, &f)) {
        if (span_eq_nocase(f.name, name))
            all[n++] = f;
    }
    if (from_bottom >= n)
        return false;
    *out = all[n - 1 - from_bottom];
    return true;
}

/* The field itself, with the value of b= taken out. */
static void check_self(const struct header_field *sig, struct buf *input)
{
    struct buf text;
    struct header_field bare;
    struct header_iter it;
    ptrdiff_t at;
    struct span raw = sig->raw;

    buf_init(&text, 65536);
    for (at = (ptrdiff_t)raw.n - 2; at > 1; at--) {
        if (raw.p[at] == 'b' && raw.p[at + 1] == '=' &&
            (raw.p[at - 1] == ' ' || raw.p[at - 1] == ';'))
            break;
    }
    if (buf_span(&text, span_take(raw, (size_t)at + 2)) == -1 ||
        buf_str(&text, "\r\n") == -1)
        abort();
    header_begin(&it, buf_all(&text));
    if (!header_next(&it, &bare) || canon_header(CANON_RELAXED, &bare, input) == -1)
        abort();
    buf_truncate(input, input->len - 2);
    buf_free(&text);
}

static bool check_body_hash(struct span message, struct buf *bh)
{
    struct canon_body c;
    struct buf body, hash;
    uint8_t digest[32];
    bool ok;

    buf_init(&body, 1u << 20);
    buf_init(&hash, 64);
    canon_body_begin(&c, CANON_RELAXED, check_sink, &body);
    canon_body_put(&c, header_body(message));
    canon_body_end(&c);
    if (EVP_Digest(body.data, body.len, digest, NULL, EVP_sha256(), NULL) != 1 ||
        base64_encode(span_of(digest, 32), &hash) == -1)
        abort();
    ok = span_eq(buf_all(&hash), buf_all(bh));
    buf_free(&body);
    buf_free(&hash);
    return ok;
}

static bool check_signature(EVP_PKEY *key, bool is_ed25519, struct span input,
                            struct span signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t digest[32];
    bool ok;

    if (EVP_Digest(input.p, input.n, digest, NULL, EVP_sha256(), NULL) != 1)
        abort();
    if (is_ed25519)
        input = span_of(digest, sizeof(digest));
    ok = EVP_DigestVerifyInit(ctx, NULL, is_ed25519 ? NULL : EVP_sha256(), NULL, key) ==
             1 &&
         EVP_DigestVerify(ctx, signature.p, signature.n, input.p, input.n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

/* Verify DKIM-Signature number `nth` (0: the top one) of a relaxed/relaxed message with the
 * p= text of its key. */
static bool check_dkim(struct span message, size_t nth, const char *public_b64)
{
    struct header_field sig, f;
    struct header_iter it;
    struct buf tag, b, h, input;
    struct span names, name;
    bool ok = false, is_ed25519, more = true;
    EVP_PKEY *key;
    struct err err;

    buf_init(&tag, 8192);
    buf_init(&b, 8192);
    buf_init(&h, 8192);
    buf_init(&input, 1u << 20);
    header_begin(&it, message);
    for (size_t i = 0; i <= nth; i++) {
        if (!header_find_next(&it, "dkim-signature", &sig))
            abort();
    }
    is_ed25519 =
        check_tag(sig.value, "a", &tag) && span_eq_str(buf_all(&tag), "ed25519-sha256");
    key = keys_from_dkim(span_str(public_b64), is_ed25519, &err);
    if (key == NULL || !check_tag(sig.value, "bh", &tag) ||
        !check_body_hash(message, &tag) || !check_tag(sig.value, "h", &h) ||
        !check_tag(sig.value, "b", &tag) || !base64_decode(buf_all(&tag), &b))
        goto out;
    for (names = buf_all(&h); more;) {
        size_t seen = 0;
        struct span before = buf_all(&h), earlier;

        more = span_cut(names, ':', &name, &names);
        while (span_cut(before, ':', &earlier, &before) && earlier.p != name.p)
            seen += span_eq_nocase(earlier, name);
        if (check_field(message, name, seen, &f) &&
            canon_header(CANON_RELAXED, &f, &input) == -1)
            abort();
    }
    check_self(&sig, &input);
    ok = check_signature(key, is_ed25519, buf_all(&input), buf_all(&b));
out:
    EVP_PKEY_free(key);
    buf_free(&tag);
    buf_free(&b);
    buf_free(&h);
    buf_free(&input);
    return ok;
}

#endif
