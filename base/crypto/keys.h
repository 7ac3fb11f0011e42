/* SPDX-License-Identifier: ISC */
/* base/crypto/keys.h - key pairs: make, print, read, and the DKIM form of the public half.
 *
 * Threads: safe everywhere. RSA generation takes some 100 ms. */
#ifndef BASE_CRYPTO_KEYS_H
#define BASE_CRYPTO_KEYS_H

#include <openssl/evp.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/span.h"

/* Each gives a key the caller frees with EVP_PKEY_free, or NULL with *err. */
EVP_PKEY *keys_new_rsa(unsigned bits, struct err *err);
EVP_PKEY *keys_new_ed25519(struct err *err);
EVP_PKEY *keys_new_p256(struct err *err);

/* Private key as PKCS #8 PEM appended to `out`; the caller cleanses it. */
MUST_USE int keys_to_pem(EVP_PKEY *key, struct buf *out, struct err *err);
EVP_PKEY *keys_from_pem(struct span pem, struct err *err);

/* base64 of what DKIM's p= holds: SubjectPublicKeyInfo for RSA (RFC 6376 3.6.1), the bare
 * 32 octets for Ed25519 (RFC 8463 4). Works on private and public keys. */
MUST_USE int keys_dkim_public(EVP_PKEY *key, struct buf *b64, struct err *err);
/* The other way: a public key from p= and k=; NULL with *err naming what is wrong. */
EVP_PKEY *keys_from_dkim(struct span b64, bool is_ed25519, struct err *err);

#endif
