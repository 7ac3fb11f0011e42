/* SPDX-License-Identifier: ISC */
#include "zones/dkimkeys.h"

#include <stdio.h>
#include <time.h>

#include "base/crypto/keys.h"

/* rsa-20261122-k3: algorithm, day, two random characters. */
static int make_selector(enum key_algorithm a, int64_t now_s, struct rng *rng,
                         char out[KEYSTATE_SELECTOR_MAX + 1], struct err *err)
{
    static const char chars[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* no l, o, 0, 1 */
    const time_t t = (time_t)now_s;
    struct tm tm;
    int n;

    if (gmtime_r(&t, &tm) == NULL)
        return err_set(err, "the clock shows no date");
    n = snprintf(out, KEYSTATE_SELECTOR_MAX + 1, "%s-%04d%02d%02d-%c%c",
                 key_algorithm_name(a), tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                 chars[rng_below(rng, sizeof(chars) - 1)],
                 chars[rng_below(rng, sizeof(chars) - 1)]);
    return n > 0 && n <= KEYSTATE_SELECTOR_MAX ? 0 : err_set(err, "selector too long");
}

int dkimkeys_generate(enum key_algorithm a, int64_t now_s, struct rng *rng,
                      struct dkim_key_row *row, struct buf *pem, struct err *err)
{
    EVP_PKEY *key = a == KEY_RSA2048 ? keys_new_rsa(2048, err) : keys_new_ed25519(err);
    struct buf b64;
    int rc = -1;

    buf_init(&b64, KEYSTATE_PUBLIC_MAX);
    *row = (struct dkim_key_row){
        .algorithm = a, .state = KEYSTATE_GENERATED, .created_s = now_s};
    domaindb_new_ref(rng, row->key_ref);
    if (key == NULL || make_selector(a, now_s, rng, row->selector, err) == -1 ||
        keys_to_pem(key, pem, err) == -1 || keys_dkim_public(key, &b64, err) == -1)
        goto out;
    rc = span_copy(buf_all(&b64), row->public_b64, sizeof(row->public_b64))
             ? 0
             : err_set(err, "public key too long");
out:
    buf_free(&b64);
    EVP_PKEY_free(key);
    return rc;
}

int dkimkeys_put(struct domaindb *d, const struct dkim_key_row *row, struct span pem,
                 struct err *err)
{
    struct db_stmt *s = db_stmt(
        d->keys, "INSERT INTO private_key(ref, pem, created_s) VALUES(?1, ?2, ?3)", err);
    int rc;

    db_bind_text(s, 1, row->key_ref);
    db_bind_span(s, 2, pem);
    db_bind_int(s, 3, row->created_s);
    rc = db_step(s, err) == DB_DONE ? 0 : -1;
    db_reset(s); /* drops the copy of the key that SQLite holds */
    return rc;
}

enum domaindb_result dkimkeys_get(struct domaindb *d, const char *ref, struct buf *pem,
                                  struct err *err)
{
    struct db_stmt *s =
        db_stmt(d->keys, "SELECT pem FROM private_key WHERE ref = ?1", err);
    enum domaindb_result rc = DOMAINDB_FAULT;
    enum db_result got;

    db_bind_text(s, 1, ref);
    got = db_step(s, err);
    if (got == DB_DONE)
        rc = DOMAINDB_NONE;
    else if (got == DB_ROW && buf_span(pem, db_col_span(s, 0)) == 0)
        rc = DOMAINDB_OK;
    else if (got == DB_ROW)
        (void)err_set(err, "the private key %s is too long", ref);
    db_reset(s);
    return rc;
}
