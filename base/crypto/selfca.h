/* SPDX-License-Identifier: ISC */
/* base/crypto/selfca.h - a certificate authority of one's own, for tests and first steps.
 *
 * Why:     without ACME a listener still needs a certificate; clients that trust ca.pem
 *          accept it with full verification, everyone else can at least encrypt.
 * Threads: safe everywhere.
 *
 * ECDSA P-256; the authority lives 10 years, host certificates 825 days. The authority's
 * private key is thrown away after signing: nothing is left that could sign another. */
#ifndef BASE_CRYPTO_SELFCA_H
#define BASE_CRYPTO_SELFCA_H

#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/ipaddr.h"
#include "base/core/rng.h"

struct selfca_request {
    const char *const *names; /* DNS names, the first is the subject too */
    size_t n_names;
    const struct ipaddr *addrs; /* IP addresses, may be none */
    size_t n_addrs;
    int64_t now_s;
    struct rng *rng; /* serial numbers */
};

/* PEM texts appended: the authority, the chain (host certificate, authority), the host's
 * private key (caller cleanses). 0, or -1 with *err. */
MUST_USE int selfca_make(const struct selfca_request *r, struct buf *ca_pem,
                         struct buf *chain_pem, struct buf *key_pem, struct err *err);

#endif
