/* SPDX-License-Identifier: ISC */
/* zones/account.h - mailboxes with a login, and their password hashes.
 *
 * A login is the whole address. Local parts are compared without letter case and stored
 * in lower case; only RFC 5321 dot-strings are accepted, so no quoting is ever needed.
 * The hash is in secrets.db under account.secret_ref: a new password is a new reference,
 * so the row in signpost.db decides which hash counts, and readers see old or new. */
#ifndef ZONES_ACCOUNT_H
#define ZONES_ACCOUNT_H

#include "zones/domaindb.h"

#define ACCOUNT_HASH_MAX 255 /* characters of a tagged hash (base/crypto/pwhash.h) */

struct account_row {
    int64_t id;
    int64_t domain_id;
    char address[DOMAINDB_ADDRESS_MAX + 1]; /* local@domain, lower case, A-labels */
    bool is_enabled;
    char secret_ref[DOMAINDB_REF_TEXT + 1];
    int64_t created_s;
};

/* Exact account of this address (no alias, no +detail). U-labels are accepted. */
enum domaindb_result account_find(struct domaindb *d, struct span address,
                                  struct account_row *row, struct err *err);
enum domaindb_result account_get(struct domaindb *d, int64_t id, struct account_row *row,
                                 struct err *err);
/* domain_id 0: of all domains. By domain and local part. */
MUST_USE int account_each(struct domaindb *d, int64_t domain_id,
                          void (*each)(void *ctx, const struct account_row *row),
                          void *ctx, struct err *err);

/* Inside a change. insert needs address, secret_ref, created_s; sets id and domain_id. */
enum domaindb_result account_insert(struct domaindb *d, struct account_row *row,
                                    struct err *err);
enum domaindb_result account_set_secret(struct domaindb *d, int64_t id, const char *ref,
                                        struct err *err);
/* A disabled account cannot log in, and mail to it is put off, not refused. */
enum domaindb_result account_set_enabled(struct domaindb *d, int64_t id, bool is_enabled,
                                         struct err *err);
enum domaindb_result account_delete(struct domaindb *d, int64_t id, struct err *err);

/* secrets.db. put commits by itself and comes before the change; get serves the login. */
MUST_USE int secret_put(struct domaindb *d, const char *ref, const char *hash,
                        int64_t now_s, struct err *err);
enum domaindb_result secret_get(struct domaindb *d, const char *ref,
                                char hash[ACCOUNT_HASH_MAX + 1], struct err *err);

/* Check an address and bring it into the form that is stored: the local part a dot-string in
 * lower case, the domain in A-labels. *local_n: octets in front of the @. Returns OK, or
 * REFUSED with the reason in *err. */
enum domaindb_result address_fold(struct span text, char out[DOMAINDB_ADDRESS_MAX + 1],
                                  size_t *local_n, struct err *err);
/* The same for addresses elsewhere: the local part's letters stay as they are, for its
 * meaning is its owner's business (RFC 5321 2.4). */
enum domaindb_result address_fold_remote(struct span text,
                                         char out[DOMAINDB_ADDRESS_MAX + 1],
                                         size_t *local_n, struct err *err);

#endif
