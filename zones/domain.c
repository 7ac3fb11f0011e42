/* SPDX-License-Identifier: ISC */
/* zones/domain.c - see domain.h.
 *
 * One SELECT text serves every look-up, with a WHERE of its own each; the zone serial is the
 * larger of the zone's own touch and that of "all zones" (zones/change.h).
 *
 * What a domain's row means for other zones is told to them here: the closest hosted domain
 * above delegates to this one, and a hosted domain that receives this one's reports publishes
 * the consent (RFC 7489 7.1). Both get a change_touch(). */
#include "zones/domain.h"

#include <string.h>

#include "zones/change_int.h"

#define SELECT                                                                           \
    "SELECT d.id, d.name, d.host_id, d.mx_preference, d.spf, d.spf_extra, d.dmarc,"      \
    " d.rua, d.has_apex, d.is_settled, d.created_s,"                                     \
    " max(coalesce((SELECT serial FROM zone_touch WHERE domain_id = d.id), 0),"          \
    "     coalesce((SELECT serial FROM zone_touch WHERE domain_id = 0), 0))"             \
    " FROM domain d "

static bool read_row(struct db_stmt *s, struct domain_row *r)
{
    r->id = db_col_int(s, 0);
    r->host_id = db_col_int(s, 2);
    r->mx_preference = (int)(db_col_int(s, 3) & 0xffff);
    r->spf = db_col_int(s, 4) == DOMAIN_SPF_HARD ? DOMAIN_SPF_HARD : DOMAIN_SPF_SOFT;
    r->dmarc = db_col_int(s, 6) == DOMAIN_DMARC_REJECT       ? DOMAIN_DMARC_REJECT
               : db_col_int(s, 6) == DOMAIN_DMARC_QUARANTINE ? DOMAIN_DMARC_QUARANTINE
                                                             : DOMAIN_DMARC_NONE;
    r->has_apex_address = db_col_int(s, 8) != 0;
    r->is_settled = db_col_int(s, 9) != 0;
    r->created_s = db_col_int(s, 10);
    r->zone_serial = db_col_int(s, 11);
    return span_copy(db_col_span(s, 1), r->name, sizeof(r->name)) &&
           span_copy(db_col_span(s, 5), r->spf_extra, sizeof(r->spf_extra)) &&
           span_copy(db_col_span(s, 7), r->rua, sizeof(r->rua));
}

static enum domaindb_result one(struct db_stmt *s, struct domain_row *row,
                                struct err *err)
{
    enum domaindb_result rc = DOMAINDB_FAULT;
    enum db_result got = db_step(s, err);

    if (got == DB_DONE)
        rc = DOMAINDB_NONE;
    else if (got == DB_ROW && read_row(s, row))
        rc = DOMAINDB_OK;
    else if (got == DB_ROW)
        (void)err_set(err, "a row of table domain is too long: the database is damaged");
    db_reset(s);
    return rc;
}

/* Lower case without final dot: how names are stored. False when it cannot be a name. */
static bool fold(struct span name, char out[DOMAINDB_NAME_MAX + 1])
{
    if (name.n > 0 && name.p[name.n - 1] == '.')
        name.n--;
    if (!span_copy(name, out, DOMAINDB_NAME_MAX + 1))
        return false;
    ascii_lower_all((uint8_t *)out, strlen(out));
    return true;
}

enum domaindb_result domain_find(struct domaindb *d, struct span name,
                                 struct domain_row *row, struct err *err)
{
    struct db_stmt *s = db_stmt(d->main, SELECT "WHERE d.name = ?1", err);
    char folded[DOMAINDB_NAME_MAX + 1];

    if (!fold(name, folded))
        return DOMAINDB_NONE;
    db_bind_text(s, 1, folded);
    return one(s, row, err);
}

enum domaindb_result domain_get(struct domaindb *d, int64_t id, struct domain_row *row,
                                struct err *err)
{
    struct db_stmt *s = db_stmt(d->main, SELECT "WHERE d.id = ?1", err);

    db_bind_int(s, 1, id);
    return one(s, row, err);
}

int domain_each(struct domaindb *d, void (*each)(void *ctx, const struct domain_row *row),
                void *ctx, struct err *err)
{
    struct db_stmt *s = db_stmt(d->main, SELECT "ORDER BY d.name", err);
    struct domain_row row;
    enum db_result got;

    while ((got = db_step(s, err)) == DB_ROW)
        if (read_row(s, &row))
            each(ctx, &row);
    return got == DB_DONE ? 0 : -1;
}

int64_t domain_count(struct domaindb *d, struct err *err)
{
    struct db_stmt *s = db_stmt(d->main, "SELECT count(*) FROM domain", err);
    int64_t n = db_step(s, err) == DB_ROW ? db_col_int(s, 0) : -1;

    db_reset(s);
    return n;
}

int domain_is_ours(struct domaindb *d, struct span name, struct err *err)
{
    struct db_stmt *s = db_stmt(d->main, "SELECT 1 FROM domain WHERE name = ?1", err);
    char folded[DOMAINDB_NAME_MAX + 1];
    enum db_result got;

    if (!fold(name, folded))
        return 0;
    db_bind_text(s, 1, folded);
    got = db_step(s, err);
    db_reset(s);
    return got == DB_ROW ? 1 : got == DB_DONE ? 0 : -1;
}

/* ---- zones that follow from this one ---- */

/* The closest hosted domain at or above `name`; 0 when there is none, -1 on error. */
static int64_t closest_above(struct domaindb *d, struct span name, struct err *err)
{
    for (;;) {
        struct db_stmt *s =
            db_stmt(d->main, "SELECT id FROM domain WHERE name = ?1", err);
        struct span head;
        enum db_result got;

        if (name.n == 0)
            return 0;
        db_bind_span(s, 1, name);
        got = db_step(s, err);
        if (got == DB_ROW) {
            int64_t id = db_col_int(s, 0);

            db_reset(s);
            return id;
        }
        if (got != DB_DONE)
            return -1;
        span_cut(name, '.', &head, &name);
    }
}

static int touch_above(struct domaindb *d, struct span name, int64_t self,
                       struct err *err)
{
    int64_t id = closest_above(d, name, err);

    if (id == -1)
        return -1;
    return id == 0 || id == self ? 0 : change_touch(d, id, err);
}

static struct span rua_domain(const struct domain_row *row)
{
    struct span local, domain;

    if (!span_cut(span_str(row->rua), '@', &local, &domain))
        return span_of(NULL, 0);
    return domain;
}

static int touch_around(struct domaindb *d, const struct domain_row *row, struct err *err)
{
    struct span parent, head;

    span_cut(span_str(row->name), '.', &head, &parent);
    if (touch_above(d, parent, row->id, err) == -1)
        return -1;
    return touch_above(d, rua_domain(row), row->id, err);
}

/* "mail.example.com" -> "com.example.mail." */
static void reverse_labels(const char *name, char out[DOMAINDB_NAME_MAX + 2])
{
    size_t end = strlen(name), at = 0;

    while (end > 0) {
        size_t begin = end;

        while (begin > 0 && name[begin - 1] != '.')
            begin--;
        memcpy(out + at, name + begin, end - begin);
        at += end - begin;
        out[at++] = '.';
        end = begin > 0 ? begin - 1 : 0;
    }
    out[at] = '\0';
}

static void bind_policy(struct db_stmt *s, const struct domain_row *row)
{
    db_bind_int(s, 2, row->host_id);
    db_bind_int(s, 3, row->mx_preference);
    db_bind_int(s, 4, row->spf);
    db_bind_text(s, 5, row->spf_extra);
    db_bind_int(s, 6, row->dmarc);
    db_bind_text(s, 7, row->rua);
    db_bind_span(s, 8, rua_domain(row));
    db_bind_int(s, 9, row->has_apex_address);
}

enum domaindb_result domain_insert(struct domaindb *d, struct domain_row *row,
                                   struct err *err)
{
    struct db_stmt *s = db_stmt(
        d->main,
        "INSERT INTO domain(name, host_id, mx_preference, spf, spf_extra, dmarc, rua,"
        " rua_domain, has_apex, created_s, rname)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        err);
    char rname[DOMAINDB_NAME_MAX + 2];

    reverse_labels(row->name, rname);
    db_bind_text(s, 1, row->name);
    bind_policy(s, row);
    db_bind_int(s, 10, row->created_s);
    db_bind_text(s, 11, rname);
    switch (db_step(s, err)) {
    case DB_DONE:
        row->id = db_last_id(d->main);
        row->is_settled = false;
        return touch_around(d, row, err) == 0 ? DOMAINDB_OK : DOMAINDB_FAULT;
    case DB_CONSTRAINT:
        (void)err_set(err, "domain %s is hosted here already", row->name);
        return DOMAINDB_EXISTS;
    case DB_ROW:
    case DB_ERROR:
    case DB_BUSY:
        break;
    }
    return DOMAINDB_FAULT;
}

enum domaindb_result domain_update(struct domaindb *d, const struct domain_row *row,
                                   struct err *err)
{
    struct domain_row old;
    enum domaindb_result rc = domain_get(d, row->id, &old, err);
    struct db_stmt *s;

    if (rc != DOMAINDB_OK)
        return rc;
    s = db_stmt(d->main,
                "UPDATE domain SET host_id = ?2, mx_preference = ?3, spf = ?4,"
                " spf_extra = ?5, dmarc = ?6, rua = ?7, rua_domain = ?8, has_apex = ?9"
                " WHERE id = ?1",
                err);
    db_bind_int(s, 1, row->id);
    bind_policy(s, row);
    if (db_step(s, err) != DB_DONE)
        return DOMAINDB_FAULT;
    if (strcmp(old.rua, row->rua) != 0 &&
        (touch_above(d, rua_domain(&old), row->id, err) == -1 ||
         touch_above(d, rua_domain(row), row->id, err) == -1))
        return DOMAINDB_FAULT;
    return DOMAINDB_OK;
}

enum domaindb_result domain_delete(struct domaindb *d, int64_t id, struct err *err)
{
    /* Children first: rows refer to the domain, and the log shall end with it. */
    static const char *const sql[] = {
        "DELETE FROM alias WHERE domain_id = ?1",
        "DELETE FROM account WHERE domain_id = ?1",
        "DELETE FROM record WHERE domain_id = ?1",
        "DELETE FROM dkim_key WHERE domain_id = ?1",
        "DELETE FROM domain WHERE id = ?1",
    };
    struct domain_row old;
    enum domaindb_result rc = domain_get(d, id, &old, err);

    if (rc != DOMAINDB_OK)
        return rc;
    for (size_t i = 0; i < COUNT_OF(sql); i++) {
        struct db_stmt *s = db_stmt(d->main, sql[i], err);

        db_bind_int(s, 1, id);
        if (db_step(s, err) != DB_DONE)
            return DOMAINDB_FAULT;
    }
    return touch_around(d, &old, err) == 0 ? DOMAINDB_OK : DOMAINDB_FAULT;
}

/* ---- settling ---- */

/* Is there anything to settle? Reading first keeps the usual call free of write locks. */
static int any_due(struct domaindb *d, int64_t before_s, struct err *err)
{
    struct db_stmt *s = db_stmt(
        d->main,
        "SELECT EXISTS(SELECT 1 FROM zone_touch t JOIN domain d ON d.id = t.domain_id"
        "              WHERE t.at_s <= ?1 AND d.is_settled = 0)"
        " OR EXISTS(SELECT 1 FROM host WHERE is_settled = 0 AND"
        "           (SELECT at_s FROM zone_touch WHERE domain_id = 0) <= ?1)",
        err);
    int due = -1;

    db_bind_int(s, 1, before_s);
    if (db_step(s, err) == DB_ROW)
        due = db_col_int(s, 0) != 0;
    db_reset(s);
    return due;
}

int domain_settle(struct domaindb *d, int64_t now_s, int64_t before_s, int *n,
                  struct err *err)
{
    static const char *const sql[] = {
        "UPDATE domain SET is_settled = 1 WHERE is_settled = 0 AND id IN"
        " (SELECT domain_id FROM zone_touch WHERE at_s <= ?1)",
        "UPDATE host SET is_settled = 1 WHERE is_settled = 0 AND"
        " (SELECT at_s FROM zone_touch WHERE domain_id = 0) <= ?1",
    };
    int64_t serial;
    int due = any_due(d, before_s, err);

    *n = 0;
    if (due != 1)
        return due;
    if (change_begin(
            d,
            &(struct change_intent){"builder", "zones have settled: longer TTLs", now_s},
            err) == -1)
        return -1;
    for (size_t i = 0; i < COUNT_OF(sql); i++) {
        struct db_stmt *s = db_stmt(d->main, sql[i], err);

        db_bind_int(s, 1, before_s);
        if (db_step(s, err) != DB_DONE) {
            change_rollback(d);
            return -1;
        }
        *n += (int)db_changed_rows(d->main);
    }
    return change_finish(d, true, &serial, err);
}
