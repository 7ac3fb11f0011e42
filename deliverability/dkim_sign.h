/* SPDX-License-Identifier: ISC */
/* deliverability/dkim_sign.h - make a DKIM-Signature field, all but the private key's part.
 *
 * Why:       what is signed and how it is written is protocol (RFC 6376 5, RFC 8463) and
 *            tested with the standards' own examples; the key stays in the signer role.
 * Ownership: borrows the header; writes into the caller's buffers.
 * Threads:   values.
 * Pure:      the time is an argument.
 *
 * Use: body hash with canon.h (relaxed) and SHA-256; dkim_sign_begin() gives the field up to
 * "b=" and the octets to sign; sign; dkim_sign_end() completes the field.
 *
 * What to sign: SHA-256 of `input`. RSA signs that digest in PKCS #1 v1.5 form; Ed25519 signs
 * the 32 octets of the digest themselves (RFC 8463 3). */
#ifndef DELIVERABILITY_DKIM_SIGN_H
#define DELIVERABILITY_DKIM_SIGN_H

#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/span.h"

#define DKIM_BODY_HASH 32
#define DKIM_FIELD_MAX 4096

enum dkim_algorithm { DKIM_RSA_SHA256, DKIM_ED25519_SHA256 };

struct dkim_sign {
    enum dkim_algorithm algorithm;
    struct span domain;    /* d=, A-labels */
    struct span selector;  /* s= */
    int64_t now_s;         /* t=; 0 leaves it out */
    struct span body_hash; /* DKIM_BODY_HASH octets */
};

/* `header` is the block of the message as it will be sent, with or without the empty line.
 * field  out, appended: "DKIM-Signature: ... b="
 * input  out, appended: the canonical header fields to be signed
 * From, To, Cc, Subject, Date, Message-ID, Reply-To and the MIME fields are listed once more
 * than they occur, so that nobody can add another (RFC 6376 8.15). 0, or -1 when the header
 * has no From field or a buffer's ceiling is reached. */
MUST_USE int dkim_sign_begin(const struct dkim_sign *s, struct span header,
                             struct buf *field, struct buf *input);
/* Append the signature in base64, folded, and CRLF. */
MUST_USE int dkim_sign_end(struct buf *field, struct span signature);

#endif
