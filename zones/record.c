/* SPDX-License-Identifier: ISC */
#include "zones/record.h"

int record_each(struct domaindb *d, int64_t domain_id,
                void (*each)(void *ctx, const struct record_row *row), void *ctx,
                struct err *err)
{
    /* Two statements: with an OR SQLite would read the whole table for one domain. */
    struct db_stmt *s = db_stmt(
        d->main,
        domain_id == 0 ? "SELECT id, domain_id, owner, type, ttl_s, rdata FROM record"
                         " WHERE ?1 = 0 ORDER BY domain_id, owner, type, id"
                       : "SELECT id, domain_id, owner, type, ttl_s, rdata FROM record"
                         " WHERE domain_id = ?1 ORDER BY owner, type, id",
        err);
    struct record_row r;
    enum db_result got;

    db_bind_int(s, 1, domain_id);
    while ((got = db_step(s, err)) == DB_ROW) {
        r.id = db_col_int(s, 0);
        r.domain_id = db_col_int(s, 1);
        if (!span_copy(db_col_span(s, 2), r.owner, sizeof(r.owner)))
            continue;
        r.type = (uint16_t)(db_col_int(s, 3) & 0xffff);
        r.ttl_s = (uint32_t)(db_col_int(s, 4) & INT32_MAX); /* RFC 2181 8 */
        r.rdata = db_col_text(s, 5);
        each(ctx, &r);
    }
    return got == DB_DONE ? 0 : -1;
}

enum domaindb_result record_insert(struct domaindb *d, struct record_row *row,
                                   struct err *err)
{
    struct db_stmt *s = db_stmt(d->main,
                                "INSERT INTO record(domain_id, owner, type, ttl_s, rdata)"
                                " VALUES(?1, ?2, ?3, ?4, ?5)",
                                err);

    db_bind_int(s, 1, row->domain_id);
    db_bind_text(s, 2, row->owner);
    db_bind_int(s, 3, row->type);
    db_bind_int(s, 4, row->ttl_s);
    db_bind_text(s, 5, row->rdata);
    switch (db_step(s, err)) {
    case DB_DONE:
        row->id = db_last_id(d->main);
        return DOMAINDB_OK;
    case DB_CONSTRAINT:
        (void)err_set(err, "%s has this record already", row->owner);
        return DOMAINDB_EXISTS;
    case DB_ROW:
    case DB_ERROR:
    case DB_BUSY:
        break;
    }
    return DOMAINDB_FAULT;
}

enum domaindb_result record_delete(struct domaindb *d, int64_t id, struct err *err)
{
    struct db_stmt *s = db_stmt(d->main, "DELETE FROM record WHERE id = ?1", err);

    db_bind_int(s, 1, id);
    if (db_step(s, err) != DB_DONE)
        return DOMAINDB_FAULT;
    return db_changed_rows(d->main) == 0 ? DOMAINDB_NONE : DOMAINDB_OK;
}
