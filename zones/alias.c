/* SPDX-License-Identifier: ISC */
/* zones/alias.c - see alias.h.
 *
 * Expansion is a walk over a graph whose nodes are addresses of ours. `seen` holds every
 * address visited: each is expanded once, so circles end, and an alias that names its own
 * account delivers there. Targets of one alias are read completely before the walk goes on,
 * because the next alias is read by the same statement. */
#include "zones/alias.h"

#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "zones/account.h"

#define SEEN_MAX (2 * ADDRESS_TARGETS_MAX)

struct walk {
    struct domaindb *d;
    struct address_targets *list;
    char (*seen)[DOMAINDB_ADDRESS_MAX + 1]; /* SEEN_MAX of them */
    size_t n_seen;
    bool met_circle, met_disabled, is_too_much;
    struct err *err;
};

/* ---- rows ---- */

int alias_each(struct domaindb *d, int64_t domain_id,
               void (*each)(void *ctx, const struct alias_row *row), void *ctx,
               struct err *err)
{
    struct db_stmt *s = db_stmt(
        d->main,
        "SELECT a.id, a.domain_id, a.local || '@' || d.name, a.target FROM alias a"
        " JOIN domain d ON d.id = a.domain_id WHERE ?1 = 0 OR a.domain_id = ?1"
        " ORDER BY d.name, a.local, a.target",
        err);
    struct alias_row r;
    enum db_result got;

    db_bind_int(s, 1, domain_id);
    while ((got = db_step(s, err)) == DB_ROW) {
        r.id = db_col_int(s, 0);
        r.domain_id = db_col_int(s, 1);
        if (span_copy(db_col_span(s, 2), r.address, sizeof(r.address)) &&
            span_copy(db_col_span(s, 3), r.target, sizeof(r.target)))
            each(ctx, &r);
    }
    return got == DB_DONE ? 0 : -1;
}

enum domaindb_result alias_insert(struct domaindb *d, struct alias_row *row,
                                  struct err *err)
{
    struct span local, domain;
    struct db_stmt *s =
        db_stmt(d->main,
                "INSERT INTO alias(domain_id, local, target) SELECT id, ?2, ?3"
                " FROM domain WHERE name = ?1 RETURNING domain_id",
                err);

    span_cut(span_str(row->address), '@', &local, &domain);
    db_bind_span(s, 1, domain);
    db_bind_span(s, 2, local);
    db_bind_text(s, 3, row->target);
    switch (db_step(s, err)) {
    case DB_ROW:
        row->domain_id = db_col_int(s, 0);
        row->id = db_last_id(d->main);
        db_reset(s);
        return DOMAINDB_OK;
    case DB_DONE:
        (void)err_set(err,
                      "domain %.*s is not hosted here; add it first with: "
                      "signpost domain add %.*s",
                      SPAN_ARG(domain), SPAN_ARG(domain));
        return DOMAINDB_NONE;
    case DB_CONSTRAINT:
        (void)err_set(err, "alias %s leads to %s already", row->address, row->target);
        return DOMAINDB_EXISTS;
    case DB_ERROR:
    case DB_BUSY:
        break;
    }
    return DOMAINDB_FAULT;
}

enum domaindb_result alias_delete(struct domaindb *d, struct span address,
                                  struct span target, struct err *err)
{
    struct span local, domain;
    struct db_stmt *s =
        db_stmt(d->main,
                "DELETE FROM alias WHERE local = ?2 AND (?3 = '' OR target = ?3)"
                " AND domain_id = (SELECT id FROM domain WHERE name = ?1)",
                err);

    span_cut(address, '@', &local, &domain);
    db_bind_span(s, 1, domain);
    db_bind_span(s, 2, local);
    db_bind_span(s, 3, target);
    if (db_step(s, err) != DB_DONE)
        return DOMAINDB_FAULT;
    return db_changed_rows(d->main) == 0 ? DOMAINDB_NONE : DOMAINDB_OK;
}

/* ---- expansion ---- */

static void add_target(struct walk *w, int64_t account_id, const char *address)
{
    for (size_t i = 0; i < w->list->n; i++) {
        const struct address_target *t = &w->list->t[i];

        if (account_id != 0 ? t->account_id == account_id
                            : t->account_id == 0 && strcmp(t->address, address) == 0)
            return;
    }
    if (w->list->n == ADDRESS_TARGETS_MAX) {
        w->is_too_much = true;
        return;
    }
    struct address_target *t = &w->list->t[w->list->n++];

    t->account_id = account_id;
    if (!span_copy(span_str(address), t->address, sizeof(t->address)))
        w->list->n--;
}

/* The domain's id, 0 when it is not ours, -1 on error. */
static int64_t domain_id_of(struct walk *w, const char *domain)
{
    struct db_stmt *s =
        db_stmt(w->d->main, "SELECT id FROM domain WHERE name = ?1", w->err);
    enum db_result got;
    int64_t id = -1;

    db_bind_text(s, 1, domain);
    got = db_step(s, w->err);
    if (got == DB_ROW)
        id = db_col_int(s, 0);
    else if (got == DB_DONE)
        id = 0;
    db_reset(s);
    return id;
}

/* 1 when there is an account of that local part (it becomes a target unless switched off),
 * 0 when not, -1 on error. */
static int take_account(struct walk *w, int64_t domain_id, struct span local,
                        const char *domain)
{
    struct db_stmt *s = db_stmt(
        w->d->main,
        "SELECT id, is_enabled FROM account WHERE domain_id = ?1 AND local = ?2", w->err);
    enum db_result got;
    int found = -1;

    db_bind_int(s, 1, domain_id);
    db_bind_span(s, 2, local);
    got = db_step(s, w->err);
    if (got == DB_DONE) {
        found = 0;
    } else if (got == DB_ROW) {
        char address[DOMAINDB_ADDRESS_MAX + 1];

        found = 1;
        memcpy(address, local.p, local.n);
        address[local.n] = '@';
        memcpy(address + local.n + 1, domain, strlen(domain) + 1);
        if (db_col_int(s, 1) != 0)
            add_target(w, db_col_int(s, 0), address);
        else
            w->met_disabled = true;
    }
    db_reset(s);
    return found;
}

typedef char address_text[DOMAINDB_ADDRESS_MAX + 1];

/* All targets of one alias: how many, or -1 on error. *out is the caller's to free. */
static int alias_targets(struct walk *w, int64_t domain_id, struct span local,
                         address_text **out)
{
    struct db_stmt *s = db_stmt(
        w->d->main,
        "SELECT target FROM alias WHERE domain_id = ?1 AND local = ?2 ORDER BY target",
        w->err);
    enum db_result got;
    int n = 0;

    *out = NULL;
    db_bind_int(s, 1, domain_id);
    db_bind_span(s, 2, local);
    while ((got = db_step(s, w->err)) == DB_ROW && n < ADDRESS_TARGETS_MAX) {
        if (n % 8 == 0)
            *out = mem_resize(*out, (size_t)n + 8, sizeof(**out));
        if (span_copy(db_col_span(s, 0), (*out)[n], sizeof((*out)[n])))
            n++;
    }
    db_reset(s);
    w->is_too_much |= got == DB_ROW;
    if (got == DB_DONE || got == DB_ROW)
        return n;
    free(*out);
    *out = NULL;
    return -1;
}

static bool was_seen(struct walk *w, const char *address)
{
    for (size_t i = 0; i < w->n_seen; i++)
        if (strcmp(w->seen[i], address) == 0)
            return true;
    if (w->n_seen == SEEN_MAX) {
        w->is_too_much = true;
        return true;
    }
    memcpy(w->seen[w->n_seen++], address, strlen(address) + 1);
    return false;
}

static int visit(struct walk *w, const char *address, unsigned depth);

/* Account and alias of exactly this local part. 1 when either is there, 0, -1. */
static int visit_local(struct walk *w, int64_t domain_id, struct span local,
                       const char *domain, unsigned depth)
{
    address_text *targets;
    int account = take_account(w, domain_id, local, domain), n;

    if (account == -1)
        return -1;
    n = alias_targets(w, domain_id, local, &targets);
    for (int i = 0; i < n; i++) {
        if (visit(w, targets[i], depth + 1) == -1) {
            n = -1;
            break;
        }
    }
    free(targets);
    return n == -1 ? -1 : account == 1 || n > 0;
}

/* Look an address of ours up in the order of alias.h. 1 known, 0 unknown, -1 error. */
static int visit_ours(struct walk *w, int64_t domain_id, const char *address,
                      size_t local_n, unsigned depth)
{
    struct span local = span_of(address, local_n);
    const char *domain = address + local_n + 1;
    int known = visit_local(w, domain_id, local, domain, depth);
    ptrdiff_t plus = span_index(local, '+');

    if (known == 0 && plus > 0)
        known = visit_local(w, domain_id, span_take(local, (size_t)plus), domain, depth);
    if (known == 0)
        known = visit_local(w, domain_id, SPAN_LIT("*"), domain, depth);
    return known;
}

/* 0, or -1 on error. */
static int visit(struct walk *w, const char *address, unsigned depth)
{
    char folded[DOMAINDB_ADDRESS_MAX + 1];
    size_t local_n;
    int64_t domain_id;

    if (depth > ADDRESS_DEPTH_MAX) {
        w->is_too_much = true;
        return 0;
    }
    if (address_fold(span_str(address), folded, &local_n, NULL) != DOMAINDB_OK)
        return 0;
    domain_id = domain_id_of(w, folded + local_n + 1);
    if (domain_id == -1)
        return -1;
    if (domain_id == 0) {
        add_target(w, 0, address);
        return 0;
    }
    if (was_seen(w, folded)) {
        w->met_circle = true;
        return 0;
    }
    return visit_ours(w, domain_id, folded, local_n, depth) == -1 ? -1 : 0;
}

/* "postmaster" alone is the oldest domain's (RFC 5321 4.5.1). */
static int complete_postmaster(struct domaindb *d, char address[DOMAINDB_ADDRESS_MAX + 1],
                               struct err *err)
{
    struct db_stmt *s = db_stmt(
        d->main, "SELECT 'postmaster@' || name FROM domain ORDER BY id LIMIT 1", err);
    enum db_result got = db_step(s, err);
    int rc = got == DB_DONE ? 0 : -1;

    if (got == DB_ROW)
        rc = span_copy(db_col_span(s, 0), address, DOMAINDB_ADDRESS_MAX + 1) ? 1 : -1;
    db_reset(s);
    return rc;
}

static enum address_result outcome(const struct walk *w, int rc)
{
    if (rc == -1)
        return ADDRESS_FAULT;
    if (w->is_too_much)
        return ADDRESS_LOOP;
    if (w->list->n > 0)
        return ADDRESS_OK;
    if (w->met_disabled)
        return ADDRESS_DISABLED;
    return w->met_circle ? ADDRESS_LOOP : ADDRESS_UNKNOWN;
}

enum address_result address_expand(struct domaindb *d, struct span address,
                                   struct address_targets *list, struct err *err)
{
    struct walk w = {.d = d, .list = list, .err = err};
    char folded[DOMAINDB_ADDRESS_MAX + 1];
    size_t local_n;
    int64_t domain_id;
    int rc;

    list->n = 0;
    if (span_eq_str_nocase(address, "postmaster")) {
        rc = complete_postmaster(d, folded, err);
        if (rc != 1)
            return rc == 0 ? ADDRESS_UNKNOWN : ADDRESS_FAULT;
        address = span_str(folded);
    }
    if (address_fold(address, folded, &local_n, NULL) != DOMAINDB_OK)
        return ADDRESS_MALFORMED;
    domain_id = domain_id_of(&w, folded + local_n + 1);
    if (domain_id <= 0)
        return domain_id == 0 ? ADDRESS_NOT_OURS : ADDRESS_FAULT;
    w.seen = mem_resize(NULL, SEEN_MAX, sizeof(*w.seen)); /* 64 KiB: not zeroed */
    rc = was_seen(&w, folded) ? 0 : visit_ours(&w, domain_id, folded, local_n, 0);
    free(w.seen);
    return outcome(&w, rc);
}

int address_may_send(struct domaindb *d, int64_t account_id, struct span address,
                     struct err *err)
{
    struct address_targets *list = mem_resize(NULL, 1, sizeof(*list));
    int may = 0;

    switch (address_expand(d, address, list, err)) {
    case ADDRESS_OK:
        for (size_t i = 0; i < list->n; i++)
            may |= list->t[i].account_id == account_id;
        break;
    case ADDRESS_FAULT:
        may = -1;
        break;
    case ADDRESS_NOT_OURS:
    case ADDRESS_UNKNOWN:
    case ADDRESS_DISABLED:
    case ADDRESS_LOOP:
    case ADDRESS_MALFORMED:
        break;
    }
    free(list);
    return may;
}
