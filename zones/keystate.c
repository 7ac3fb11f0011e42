/* SPDX-License-Identifier: ISC */
#include "zones/keystate.h"

#define SELECT                                                                           \
    "SELECT id, domain_id, selector, algorithm, state, public_b64, key_ref, created_s"   \
    " FROM dkim_key WHERE domain_id = ?1 ORDER BY algorithm, id"

/* What each state means, in order of enum keystate. */
static const struct {
    const char *name;
    bool is_published, signs;
} states[] = {
    {"generated", false, false}, {"published", true, false}, {"active", true, true},
    {"retired", true, false},    {"removed", false, false},
};

bool keystate_is_published(enum keystate s)
{
    return states[s].is_published;
}

bool keystate_signs(enum keystate s)
{
    return states[s].signs;
}

const char *keystate_name(enum keystate s)
{
    return states[s].name;
}

const char *key_algorithm_name(enum key_algorithm a)
{
    return a == KEY_RSA2048 ? "rsa" : "ed25519";
}

static bool read_row(struct db_stmt *s, struct dkim_key_row *r)
{
    int64_t state = db_col_int(s, 4);

    r->id = db_col_int(s, 0);
    r->domain_id = db_col_int(s, 1);
    r->algorithm = db_col_int(s, 3) == KEY_ED25519 ? KEY_ED25519 : KEY_RSA2048;
    r->state = state >= 0 && state < (int64_t)COUNT_OF(states) ? (enum keystate)state
                                                               : KEYSTATE_REMOVED;
    r->created_s = db_col_int(s, 7);
    return span_copy(db_col_span(s, 2), r->selector, sizeof(r->selector)) &&
           span_copy(db_col_span(s, 5), r->public_b64, sizeof(r->public_b64)) &&
           span_copy(db_col_span(s, 6), r->key_ref, sizeof(r->key_ref));
}

int dkim_key_each(struct domaindb *d, int64_t domain_id,
                  void (*each)(void *ctx, const struct dkim_key_row *row), void *ctx,
                  struct err *err)
{
    struct db_stmt *s = db_stmt(d->main, SELECT, err);
    struct dkim_key_row row;
    enum db_result got;

    db_bind_int(s, 1, domain_id);
    while ((got = db_step(s, err)) == DB_ROW)
        if (read_row(s, &row))
            each(ctx, &row);
    return got == DB_DONE ? 0 : -1;
}

/* The domain itself or the closest hosted one above: its id, 0, or -1. */
static int64_t signing_domain(struct domaindb *d, struct span from,
                              char name[DOMAINDB_NAME_MAX + 1], struct err *err)
{
    while (from.n > 0) {
        struct db_stmt *s =
            db_stmt(d->main, "SELECT id FROM domain WHERE name = lower(?1)", err);
        enum db_result got;
        struct span head;

        db_bind_span(s, 1, from);
        got = db_step(s, err);
        if (got == DB_ROW && span_copy(from, name, DOMAINDB_NAME_MAX + 1)) {
            int64_t id = db_col_int(s, 0);

            db_reset(s);
            for (char *p = name; *p != '\0'; p++)
                *p = (char)ascii_lower((uint8_t)*p);
            return id;
        }
        db_reset(s);
        if (got != DB_DONE && got != DB_ROW)
            return -1;
        span_cut(from, '.', &head, &from);
    }
    return 0;
}

enum domaindb_result dkim_key_active(struct domaindb *d, struct span from_domain,
                                     char name[DOMAINDB_NAME_MAX + 1],
                                     struct dkim_key_row *keys, size_t cap, size_t *n,
                                     struct err *err)
{
    int64_t id = signing_domain(d, from_domain, name, err);
    struct db_stmt *s;
    enum db_result got;

    *n = 0;
    if (id <= 0)
        return id == 0 ? DOMAINDB_NONE : DOMAINDB_FAULT;
    s = db_stmt(d->main, SELECT, err);
    db_bind_int(s, 1, id);
    while ((got = db_step(s, err)) == DB_ROW)
        if (*n < cap && read_row(s, &keys[*n]) && keystate_signs(keys[*n].state))
            (*n)++;
    if (got != DB_DONE)
        return DOMAINDB_FAULT;
    return *n == 0 ? DOMAINDB_NONE : DOMAINDB_OK;
}

enum domaindb_result dkim_key_insert(struct domaindb *d, struct dkim_key_row *row,
                                     struct err *err)
{
    struct db_stmt *s =
        db_stmt(d->main,
                "INSERT INTO dkim_key(domain_id, selector, algorithm, state, public_b64,"
                " key_ref, created_s) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                err);

    db_bind_int(s, 1, row->domain_id);
    db_bind_text(s, 2, row->selector);
    db_bind_int(s, 3, row->algorithm);
    db_bind_int(s, 4, row->state);
    db_bind_text(s, 5, row->public_b64);
    db_bind_text(s, 6, row->key_ref);
    db_bind_int(s, 7, row->created_s);
    switch (db_step(s, err)) {
    case DB_DONE:
        row->id = db_last_id(d->main);
        return DOMAINDB_OK;
    case DB_CONSTRAINT:
        (void)err_set(err, "selector %s is in use", row->selector);
        return DOMAINDB_EXISTS;
    case DB_ROW:
    case DB_ERROR:
    case DB_BUSY:
        break;
    }
    return DOMAINDB_FAULT;
}
