/* SPDX-License-Identifier: ISC */
/* zones/account.c - see account.h. Addresses are brought into one form at the border (fold),
 * so that everything behind it compares octets; rows are read by one SELECT text with a WHERE
 * of its own each. secrets.db commits by itself: see "secrets first" in zones/domaindb.h. */
#include "zones/account.h"

#include <string.h>

#include "base/dns/idna.h"
#include "base/msg/address.h"

#define SELECT                                                                           \
    "SELECT a.id, a.domain_id, a.local || '@' || d.name, a.is_enabled, a.secret_ref,"    \
    " a.created_s FROM account a JOIN domain d ON d.id = a.domain_id "

/* ---- addresses ---- */

static enum domaindb_result refuse(struct err *err, struct span text, const char *why)
{
    (void)err_set(err, "\"%.*s\" %s", SPAN_ARG(text), why);
    return DOMAINDB_REFUSED;
}

static enum domaindb_result fold(struct span text, bool is_lowered, char *out,
                                 size_t *local_n, struct err *err)
{
    ptrdiff_t at = span_rindex(text, '@');
    struct span local;
    size_t used = 0;
    char domain[IDNA_NAME_MAX + 1];

    if (at < 0)
        return refuse(err, text, "is not a mail address: it has no @");
    switch (mailbox_parse_local(span_take(text, (size_t)at), &local, &used)) {
    case MAILBOX_OK:
        break;
    case MAILBOX_LOCAL_LONG:
        return refuse(err, text, "has more than 64 characters in front of the @");
    case MAILBOX_NOT_ASCII:
        return refuse(err, text,
                      "has letters beyond ASCII in front of the @, which mail cannot "
                      "carry without SMTPUTF8");
    case MAILBOX_SYNTAX:
    case MAILBOX_DOMAIN_LONG:
    case MAILBOX_DOMAIN_BAD:
        return refuse(err, text, "is not a mail address");
    }
    if (used != (size_t)at || local.p[0] == '"')
        return refuse(err, text,
                      "needs quotes in front of the @; use letters, digits, dots and "
                      "!#$%&'*+-/=?^_`{|}~");
    if (idna_to_ascii(span_drop(text, (size_t)at + 1), domain, err) == -1)
        return DOMAINDB_REFUSED;
    if (!mailbox_domain_ok(span_str(domain)))
        return refuse(err, text, "has no valid domain behind the @");
    memcpy(out, local.p, local.n);
    if (is_lowered)
        ascii_lower_all((uint8_t *)out, local.n);
    out[local.n] = '@';
    memcpy(out + local.n + 1, domain, strlen(domain) + 1);
    *local_n = local.n;
    return DOMAINDB_OK;
}

enum domaindb_result address_fold(struct span text, char out[DOMAINDB_ADDRESS_MAX + 1],
                                  size_t *local_n, struct err *err)
{
    return fold(text, true, out, local_n, err);
}

enum domaindb_result address_fold_remote(struct span text,
                                         char out[DOMAINDB_ADDRESS_MAX + 1],
                                         size_t *local_n, struct err *err)
{
    return fold(text, false, out, local_n, err);
}

/* ---- accounts ---- */

static bool read_row(struct db_stmt *s, struct account_row *r)
{
    r->id = db_col_int(s, 0);
    r->domain_id = db_col_int(s, 1);
    r->is_enabled = db_col_int(s, 3) != 0;
    r->created_s = db_col_int(s, 5);
    return span_copy(db_col_span(s, 2), r->address, sizeof(r->address)) &&
           span_copy(db_col_span(s, 4), r->secret_ref, sizeof(r->secret_ref));
}

static enum domaindb_result one(struct db_stmt *s, struct account_row *row,
                                struct err *err)
{
    enum domaindb_result rc = DOMAINDB_FAULT;
    enum db_result got = db_step(s, err);

    if (got == DB_DONE)
        rc = DOMAINDB_NONE;
    else if (got == DB_ROW && read_row(s, row))
        rc = DOMAINDB_OK;
    else if (got == DB_ROW)
        (void)err_set(err, "a row of table account is too long: the database is damaged");
    db_reset(s);
    return rc;
}

enum domaindb_result account_find(struct domaindb *d, struct span address,
                                  struct account_row *row, struct err *err)
{
    struct db_stmt *s;
    char folded[DOMAINDB_ADDRESS_MAX + 1];
    size_t local_n;

    if (address_fold(address, folded, &local_n, NULL) != DOMAINDB_OK)
        return DOMAINDB_NONE;
    s = db_stmt(d->main, SELECT "WHERE d.name = ?1 AND a.local = ?2", err);
    db_bind_text(s, 1, folded + local_n + 1);
    db_bind_span(s, 2, span_of(folded, local_n));
    return one(s, row, err);
}

enum domaindb_result account_get(struct domaindb *d, int64_t id, struct account_row *row,
                                 struct err *err)
{
    struct db_stmt *s = db_stmt(d->main, SELECT "WHERE a.id = ?1", err);

    db_bind_int(s, 1, id);
    return one(s, row, err);
}

int account_each(struct domaindb *d, int64_t domain_id,
                 void (*each)(void *ctx, const struct account_row *row), void *ctx,
                 struct err *err)
{
    struct db_stmt *s = db_stmt(
        d->main, SELECT "WHERE ?1 = 0 OR a.domain_id = ?1 ORDER BY d.name, a.local", err);
    struct account_row row;
    enum db_result got;

    db_bind_int(s, 1, domain_id);
    while ((got = db_step(s, err)) == DB_ROW)
        if (read_row(s, &row))
            each(ctx, &row);
    return got == DB_DONE ? 0 : -1;
}

enum domaindb_result account_insert(struct domaindb *d, struct account_row *row,
                                    struct err *err)
{
    struct span local, domain;
    struct db_stmt *s =
        db_stmt(d->main,
                "INSERT INTO account(domain_id, local, secret_ref, created_s)"
                " SELECT id, ?2, ?3, ?4 FROM domain WHERE name = ?1 RETURNING domain_id",
                err);

    span_cut(span_str(row->address), '@', &local, &domain);
    db_bind_span(s, 1, domain);
    db_bind_span(s, 2, local);
    db_bind_text(s, 3, row->secret_ref);
    db_bind_int(s, 4, row->created_s);
    switch (db_step(s, err)) {
    case DB_ROW:
        row->domain_id = db_col_int(s, 0);
        row->id = db_last_id(d->main);
        row->is_enabled = true;
        db_reset(s);
        return DOMAINDB_OK;
    case DB_DONE:
        (void)err_set(err,
                      "domain %.*s is not hosted here; add it first with: "
                      "signpost domain add %.*s",
                      SPAN_ARG(domain), SPAN_ARG(domain));
        return DOMAINDB_NONE;
    case DB_CONSTRAINT:
        (void)err_set(err, "account %s is there already", row->address);
        return DOMAINDB_EXISTS;
    case DB_ERROR:
    case DB_BUSY:
        break;
    }
    return DOMAINDB_FAULT;
}

static enum domaindb_result run(struct domaindb *d, struct db_stmt *s, struct err *err)
{
    if (db_step(s, err) != DB_DONE)
        return DOMAINDB_FAULT;
    return db_changed_rows(d->main) == 0 ? DOMAINDB_NONE : DOMAINDB_OK;
}

enum domaindb_result account_set_secret(struct domaindb *d, int64_t id, const char *ref,
                                        struct err *err)
{
    struct db_stmt *s =
        db_stmt(d->main, "UPDATE account SET secret_ref = ?2 WHERE id = ?1", err);

    db_bind_int(s, 1, id);
    db_bind_text(s, 2, ref);
    return run(d, s, err);
}

enum domaindb_result account_set_enabled(struct domaindb *d, int64_t id, bool is_enabled,
                                         struct err *err)
{
    struct db_stmt *s =
        db_stmt(d->main, "UPDATE account SET is_enabled = ?2 WHERE id = ?1", err);

    db_bind_int(s, 1, id);
    db_bind_int(s, 2, is_enabled);
    return run(d, s, err);
}

enum domaindb_result account_delete(struct domaindb *d, int64_t id, struct err *err)
{
    struct db_stmt *s = db_stmt(d->main, "DELETE FROM account WHERE id = ?1", err);

    db_bind_int(s, 1, id);
    return run(d, s, err);
}

/* ---- secrets.db ---- */

int secret_put(struct domaindb *d, const char *ref, const char *hash, int64_t now_s,
               struct err *err)
{
    struct db_stmt *s = db_stmt(
        d->secrets, "INSERT INTO secret(ref, hash, created_s) VALUES(?1, ?2, ?3)", err);
    int rc;

    db_bind_text(s, 1, ref);
    db_bind_text(s, 2, hash);
    db_bind_int(s, 3, now_s);
    rc = db_step(s, err) == DB_DONE ? 0 : -1;
    db_reset(s);
    return rc;
}

enum domaindb_result secret_get(struct domaindb *d, const char *ref,
                                char hash[ACCOUNT_HASH_MAX + 1], struct err *err)
{
    struct db_stmt *s =
        db_stmt(d->secrets, "SELECT hash FROM secret WHERE ref = ?1", err);
    enum domaindb_result rc = DOMAINDB_FAULT;
    enum db_result got;

    db_bind_text(s, 1, ref);
    got = db_step(s, err);
    if (got == DB_DONE)
        rc = DOMAINDB_NONE;
    else if (got == DB_ROW && span_copy(db_col_span(s, 0), hash, ACCOUNT_HASH_MAX + 1))
        rc = DOMAINDB_OK;
    else if (got == DB_ROW)
        (void)err_set(err, "a password hash is too long: the database is damaged");
    db_reset(s);
    return rc;
}
