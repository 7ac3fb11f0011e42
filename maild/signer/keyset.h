/* SPDX-License-Identifier: ISC */
/* maild/signer/keyset.h - the private keys that sign for one From domain, and signing.
 *
 * Why:       reading and parsing a PEM key costs more than signing with it, so keys are kept
 *            ready until the domain database changes.
 * Ownership: counted; whoever holds one may sign with it though the cache forgot it.
 * Threads:   hold and drop on the loop; loading on the database thread; keyset_sign on any
 *            thread that holds it, also at the same time. */
#ifndef MAILD_SIGNER_KEYSET_H
#define MAILD_SIGNER_KEYSET_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/span.h"
#include "deliverability/dkim_sign.h"
#include "zones/keystate.h"

#define KEYSET_MAX 4 /* active keys of one domain: two algorithms, two during a roll */

struct signing_key {
    EVP_PKEY *key;
    enum dkim_algorithm algorithm;
    char selector[KEYSTATE_SELECTOR_MAX + 1];
};

struct keyset {
    unsigned refs;
    char domain[DOMAINDB_NAME_MAX + 1]; /* d=: the From domain or a hosted parent of it */
    struct signing_key keys[KEYSET_MAX];
    size_t n; /* 0: nobody signs for this domain */
};

struct keyset *keyset_new(const char *domain);
struct keyset *keyset_hold(struct keyset *k);
void keyset_drop(struct keyset **k);
/* The key goes over to the set. -1 when it is full. */
MUST_USE int keyset_add(struct keyset *k, EVP_PKEY *key, enum dkim_algorithm a,
                        const char *selector);

/* Active keys for mail from `from_domain`, from signpost.db and keys.db. NULL with *err when
 * they cannot be read; an empty set when there are none. */
struct keyset *keyset_load(struct domaindb *db, struct span from_domain, struct err *err);

/* Append one DKIM-Signature field for each key, RSA first. 0, or -1 with *err. A set without
 * keys, or a header without From, appends nothing. */
MUST_USE int keyset_sign(const struct keyset *k, struct span header,
                         struct span body_hash, int64_t now_s, struct buf *fields,
                         struct err *err);

#endif
