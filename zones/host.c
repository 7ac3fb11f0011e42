/* SPDX-License-Identifier: ISC */
/* zones/host.c - see host.h.
 *
 * Design: the whole set is read in three queries, for it is small and every zone needs it.
 * Writing compares with what is there and changes only what differs, so that the change log
 * shows what happened and an unchanged host moves no serial. */
#include "zones/host.h"

#include <stdlib.h>

#include "base/core/mem.h"

static const char *const service_names[HOST_SERVICE_COUNT] = {
    "submission", "submissions", "imap", "imaps", "pop3", "pop3s", "sieve",
};

const char *host_service_name(enum host_service s)
{
    return service_names[s];
}

bool host_service_parse(struct span text, enum host_service *s)
{
    for (size_t i = 0; i < HOST_SERVICE_COUNT; i++) {
        if (span_eq_str_nocase(text, service_names[i])) {
            *s = (enum host_service)i;
            return true;
        }
    }
    return false;
}

/* ---- reading ---- */

static struct host_row *row_by_id(struct host_set *set, int64_t id)
{
    for (size_t i = 0; i < set->n; i++)
        if (set->host[i].id == id)
            return &set->host[i];
    return NULL;
}

static int load_hosts(struct domaindb *d, struct host_set *set, struct err *err)
{
    struct db_stmt *s =
        db_stmt(d->main, "SELECT id, name, roles, is_settled FROM host ORDER BY id", err);
    enum db_result got;

    while ((got = db_step(s, err)) == DB_ROW && set->n < HOSTS_MAX) {
        struct host_row *h = &set->host[set->n++];

        h->id = db_col_int(s, 0);
        if (!span_copy(db_col_span(s, 1), h->name, sizeof(h->name)))
            h->name[0] = '\0';
        h->roles = (unsigned)db_col_int(s, 2) & 7u;
        h->is_settled = db_col_int(s, 3) != 0;
    }
    db_reset(s);
    if (got == DB_ROW)
        return err_set(err, "more than %d hosts", HOSTS_MAX);
    return got == DB_DONE ? 0 : -1;
}

static int load_addresses(struct domaindb *d, struct host_set *set, struct err *err)
{
    struct db_stmt *s =
        db_stmt(d->main, "SELECT host_id, ip FROM address ORDER BY host_id, id", err);
    enum db_result got;

    while ((got = db_step(s, err)) == DB_ROW) {
        struct host_row *h = row_by_id(set, db_col_int(s, 0));

        if (h != NULL && h->n_addr < HOST_ADDRESSES_MAX &&
            ipaddr_parse(db_col_span(s, 1), &h->addr[h->n_addr]))
            h->n_addr++;
    }
    return got == DB_DONE ? 0 : -1;
}

static int load_services(struct domaindb *d, struct host_set *set, struct err *err)
{
    struct db_stmt *s = db_stmt(d->main, "SELECT host_id, name, port FROM service", err);
    enum db_result got;

    while ((got = db_step(s, err)) == DB_ROW) {
        struct host_row *h = row_by_id(set, db_col_int(s, 0));
        int64_t port = db_col_int(s, 2);
        enum host_service service;

        if (h != NULL && host_service_parse(db_col_span(s, 1), &service) && port > 0 &&
            port <= UINT16_MAX)
            h->port[service] = (uint16_t)port;
    }
    return got == DB_DONE ? 0 : -1;
}

int host_set_load(struct domaindb *d, struct host_set *set, struct err *err)
{
    set->n = 0;
    set->host = mem_new(HOSTS_MAX, sizeof(*set->host));
    if (load_hosts(d, set, err) == 0 && load_addresses(d, set, err) == 0 &&
        load_services(d, set, err) == 0)
        return 0;
    host_set_free(set);
    return -1;
}

void host_set_free(struct host_set *set)
{
    free(set->host);
    set->host = NULL;
    set->n = 0;
}

const struct host_row *host_set_find(const struct host_set *set, struct span name)
{
    if (name.n > 0 && name.p[name.n - 1] == '.')
        name.n--;
    for (size_t i = 0; i < set->n; i++)
        if (span_eq_str_nocase(name, set->host[i].name))
            return &set->host[i];
    return NULL;
}

const struct host_row *host_set_by_id(const struct host_set *set, int64_t id)
{
    for (size_t i = 0; i < set->n; i++)
        if (set->host[i].id == id)
            return &set->host[i];
    return NULL;
}

int host_is_ours(struct domaindb *d, struct span name, struct err *err)
{
    struct db_stmt *s =
        db_stmt(d->main, "SELECT 1 FROM host WHERE name = lower(?1)", err);
    enum db_result got;

    if (name.n > 0 && name.p[name.n - 1] == '.')
        name.n--;
    db_bind_span(s, 1, name);
    got = db_step(s, err);
    db_reset(s);
    return got == DB_ROW ? 1 : got == DB_DONE ? 0 : -1;
}

/* ---- writing ---- */

static int run_on_host(struct domaindb *d, const char *sql, int64_t host_id,
                       struct err *err)
{
    struct db_stmt *s = db_stmt(d->main, sql, err);

    db_bind_int(s, 1, host_id);
    return db_step(s, err) == DB_DONE ? 0 : -1;
}

/* Addresses that are no longer listed go; new ones come; the others are left alone, so that
 * the log shows only what changed. */
static int sync_addresses(struct domaindb *d, const struct host_row *row, struct err *err)
{
    struct db_stmt *s =
        db_stmt(d->main, "SELECT id, ip FROM address WHERE host_id = ?1", err);
    int64_t gone[HOST_ADDRESSES_MAX * 2];
    size_t n_gone = 0;
    enum db_result got;

    db_bind_int(s, 1, row->id);
    while ((got = db_step(s, err)) == DB_ROW) {
        struct ipaddr a;
        bool is_kept = false;

        if (ipaddr_parse(db_col_span(s, 1), &a))
            for (size_t i = 0; i < row->n_addr; i++)
                is_kept |= ipaddr_eq(&a, &row->addr[i]);
        if (!is_kept && n_gone < COUNT_OF(gone))
            gone[n_gone++] = db_col_int(s, 0);
    }
    if (got != DB_DONE)
        return -1;
    for (size_t i = 0; i < n_gone; i++)
        if (run_on_host(d, "DELETE FROM address WHERE id = ?1", gone[i], err) == -1)
            return -1;
    for (size_t i = 0; i < row->n_addr; i++) {
        char ip[IPADDR_TEXT];

        ipaddr_print(&row->addr[i], ip);
        s = db_stmt(d->main,
                    "INSERT INTO address(host_id, ip) VALUES(?1, ?2)"
                    " ON CONFLICT(host_id, ip) DO NOTHING",
                    err);
        db_bind_int(s, 1, row->id);
        db_bind_text(s, 2, ip);
        if (db_step(s, err) != DB_DONE)
            return -1;
    }
    return 0;
}

static int sync_services(struct domaindb *d, const struct host_row *row, struct err *err)
{
    for (size_t i = 0; i < HOST_SERVICE_COUNT; i++) {
        const char *sql =
            row->port[i] == 0
                ? "DELETE FROM service WHERE host_id = ?1 AND name = ?2 AND ?3 = 0"
                : "INSERT INTO service(host_id, name, port) VALUES(?1, ?2, ?3)"
                  " ON CONFLICT(host_id, name) DO UPDATE SET port = excluded.port";
        struct db_stmt *s = db_stmt(d->main, sql, err);

        db_bind_int(s, 1, row->id);
        db_bind_text(s, 2, service_names[i]);
        db_bind_int(s, 3, row->port[i]);
        if (db_step(s, err) != DB_DONE)
            return -1;
    }
    return 0;
}

static enum domaindb_result sync_rest(struct domaindb *d, const struct host_row *row,
                                      struct err *err)
{
    if (sync_addresses(d, row, err) == -1 || sync_services(d, row, err) == -1)
        return DOMAINDB_FAULT;
    return DOMAINDB_OK;
}

enum domaindb_result host_insert(struct domaindb *d, struct host_row *row,
                                 struct err *err)
{
    struct db_stmt *s = db_stmt(
        d->main, "INSERT INTO host(name, roles, is_settled) VALUES(?1, ?2, 0)", err);

    db_bind_text(s, 1, row->name);
    db_bind_int(s, 2, row->roles);
    switch (db_step(s, err)) {
    case DB_DONE:
        row->id = db_last_id(d->main);
        return sync_rest(d, row, err);
    case DB_CONSTRAINT:
        (void)err_set(err, "host %s is there already; change it with: host set %s",
                      row->name, row->name);
        return DOMAINDB_EXISTS;
    case DB_ROW:
    case DB_ERROR:
    case DB_BUSY:
        break;
    }
    return DOMAINDB_FAULT;
}

enum domaindb_result host_update(struct domaindb *d, const struct host_row *row,
                                 struct err *err)
{
    struct db_stmt *s = db_stmt(d->main, "UPDATE host SET roles = ?2 WHERE id = ?1", err);

    db_bind_int(s, 1, row->id);
    db_bind_int(s, 2, row->roles);
    if (db_step(s, err) != DB_DONE)
        return DOMAINDB_FAULT;
    return db_changed_rows(d->main) == 0 ? DOMAINDB_NONE : sync_rest(d, row, err);
}

enum domaindb_result host_delete(struct domaindb *d, int64_t id, struct err *err)
{
    struct db_stmt *s = db_stmt(
        d->main,
        "SELECT count(*), coalesce(min(name), '') FROM domain WHERE host_id = ?1", err);
    enum domaindb_result rc = DOMAINDB_FAULT;

    db_bind_int(s, 1, id);
    if (db_step(s, err) == DB_ROW)
        rc = db_col_int(s, 0) == 0 ? DOMAINDB_OK : DOMAINDB_REFUSED;
    if (rc == DOMAINDB_REFUSED)
        (void)err_set(err,
                      "%lld domain%s mail through it (%s%s); move them first with: "
                      "domain set NAME --host OTHER",
                      (long long)db_col_int(s, 0), db_col_int(s, 0) == 1 ? "" : "s",
                      db_col_text(s, 1), db_col_int(s, 0) == 1 ? "" : ", ...");
    db_reset(s);
    if (rc != DOMAINDB_OK)
        return rc;
    if (run_on_host(d, "DELETE FROM address WHERE host_id = ?1", id, err) == -1 ||
        run_on_host(d, "DELETE FROM service WHERE host_id = ?1", id, err) == -1 ||
        run_on_host(d, "DELETE FROM host WHERE id = ?1", id, err) == -1)
        return DOMAINDB_FAULT;
    return db_changed_rows(d->main) == 0 ? DOMAINDB_NONE : DOMAINDB_OK;
}
