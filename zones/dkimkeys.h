/* SPDX-License-Identifier: ISC */
/* zones/dkimkeys.h - keys.db: DKIM private keys, written by the CLI, read by the signer.
 *
 * A key is stored here under a random reference and committed before the change in
 * signpost.db that refers to it. PEM text (PKCS #8). */
#ifndef ZONES_DKIMKEYS_H
#define ZONES_DKIMKEYS_H

#include "base/core/buf.h"
#include "base/core/rng.h"
#include "zones/keystate.h"

#define DKIMKEYS_PEM_MAX 4096

/* A new key pair, ready to be stored: slow (RSA), so made before any transaction. Fills
 * algorithm, selector, state, public_b64, key_ref, created_s of *row and the PEM text.
 * The selector carries algorithm, date and two random characters, so that a domain that
 * is removed and added again does not reuse one that caches still hold. */
MUST_USE int dkimkeys_generate(enum key_algorithm a, int64_t now_s, struct rng *rng,
                               struct dkim_key_row *row, struct buf *pem,
                               struct err *err);
/* Commits by itself. */
MUST_USE int dkimkeys_put(struct domaindb *d, const struct dkim_key_row *row,
                          struct span pem, struct err *err);
/* Appends the PEM text; the caller cleanses it. NONE when the reference is unknown. */
enum domaindb_result dkimkeys_get(struct domaindb *d, const char *ref, struct buf *pem,
                                  struct err *err);

#endif
