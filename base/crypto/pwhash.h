/* SPDX-License-Identifier: ISC */
/* base/crypto/pwhash.h - password hashes: scrypt, tagged, compared in constant time.
 *
 * Why:     a tag in front lets parameters and algorithm change later without touching
 *          what is stored.
 * Threads: safe everywhere; about 100 ms and 32 MiB a call, so run it in a pool.
 *
 * Text form: $scrypt$ln=15,r=8,p=1$<salt>$<hash>, base64 without padding (PHC string
 * format); salt of 16 octets, hash of 32. */
#ifndef BASE_CRYPTO_PWHASH_H
#define BASE_CRYPTO_PWHASH_H

#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/span.h"

#define PWHASH_SALT 16
#define PWHASH_MAX  127 /* characters without NUL */

/* What scrypt costs: N = 2^ln. Tests use a small ln. */
struct pwhash_cost {
    unsigned ln, r, p;
};
extern const struct pwhash_cost pwhash_default; /* 15, 8, 1: 32 MiB */

/* Hash `password` with `salt` (16 random octets). 0, or -1 with *err. */
MUST_USE int pwhash_make(struct span password, const uint8_t salt[PWHASH_SALT],
                         const struct pwhash_cost *cost, char text[PWHASH_MAX + 1],
                         struct err *err);

enum pwhash_result {
    PWHASH_MATCH,
    PWHASH_MISMATCH,
    PWHASH_MALFORMED /* not a hash of ours, or asks for more than 256 MiB */
};
enum pwhash_result pwhash_check(struct span password, const char *text);
/* As slow as pwhash_check of a default hash and never a match: for logins that do not
 * exist, so that the time of an answer does not tell which ones do. */
void pwhash_check_nobody(struct span password);

#endif
