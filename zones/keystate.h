/* SPDX-License-Identifier: ISC */
/* zones/keystate.h - life cycle of DKIM keys: which are published, which sign.
 *
 * generated -> published -> active -> retired -> removed. A key may sign only while its
 * record is in the zone; a retired key stays published until no message signed with it is
 * on its way any more. Keys made together with a new domain start as active, because
 * nothing can have cached the absence of a record in a zone that did not exist. */
#ifndef ZONES_KEYSTATE_H
#define ZONES_KEYSTATE_H

#include "zones/domaindb.h"

#define KEYSTATE_SELECTOR_MAX 63
#define KEYSTATE_PUBLIC_MAX   1024 /* base64 characters of p= */

enum keystate {
    KEYSTATE_GENERATED,
    KEYSTATE_PUBLISHED,
    KEYSTATE_ACTIVE,
    KEYSTATE_RETIRED,
    KEYSTATE_REMOVED
};
enum key_algorithm { KEY_RSA2048, KEY_ED25519 };

struct dkim_key_row {
    int64_t id;
    int64_t domain_id;
    char selector[KEYSTATE_SELECTOR_MAX + 1];
    enum key_algorithm algorithm;
    enum keystate state;
    char public_b64[KEYSTATE_PUBLIC_MAX + 1]; /* DKIM p= */
    char key_ref[DOMAINDB_REF_TEXT + 1];      /* of the private key in keys.db */
    int64_t created_s;
};

bool keystate_is_published(enum keystate s); /* its TXT record stands in the zone */
bool keystate_signs(enum keystate s);
const char *keystate_name(enum keystate s);
const char *key_algorithm_name(enum key_algorithm a); /* DKIM k=: "rsa", "ed25519" */

MUST_USE int dkim_key_each(struct domaindb *d, int64_t domain_id,
                           void (*each)(void *ctx, const struct dkim_key_row *row),
                           void *ctx, struct err *err);
/* The active keys of the domain that signs for `from_domain`: itself, or the closest
 * parent that is hosted here. *name: that domain (d=). NONE when there is none. For the
 * signer. */
enum domaindb_result dkim_key_active(struct domaindb *d, struct span from_domain,
                                     char name[DOMAINDB_NAME_MAX + 1],
                                     struct dkim_key_row *keys, size_t cap, size_t *n,
                                     struct err *err);
/* Inside a change. */
enum domaindb_result dkim_key_insert(struct domaindb *d, struct dkim_key_row *row,
                                     struct err *err);

#endif
