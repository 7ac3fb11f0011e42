/* SPDX-License-Identifier: ISC */
#include "maild/mailbox/index.h"

#include <stdlib.h>

#include "base/core/mem.h"
#include "maild/mailbox/index_int.h"

/* box.uidnext   the UID the next message gets
 * box.recent    first UID no session has been told of (RFC 3501 2.3.2, \Recent)
 * blob          one file; envelope, body, structure are what FETCH answers
 * blob.fields   header fields for lists (digest.h); NULL: see the file
 * account       quota_* are filled by a later version; 0 is no limit */
static const struct db_migration steps[] = {
    {"first",
     "CREATE TABLE account ("
     " id INTEGER PRIMARY KEY, uidvalidity INTEGER NOT NULL DEFAULT 0,"
     " quota_octets INTEGER NOT NULL DEFAULT 0, used_octets INTEGER NOT NULL DEFAULT 0);"
     "CREATE TABLE box ("
     " id INTEGER PRIMARY KEY, account INTEGER NOT NULL, name TEXT NOT NULL,"
     " special TEXT NOT NULL DEFAULT '', noselect INTEGER NOT NULL DEFAULT 0,"
     " uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL DEFAULT 1,"
     " recent INTEGER NOT NULL DEFAULT 1, UNIQUE(account, name));"
     "CREATE TABLE subscription ("
     " account INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY(account, name))"
     " WITHOUT ROWID;"
     "CREATE TABLE keyword ("
     " account INTEGER NOT NULL, bit INTEGER NOT NULL, name TEXT NOT NULL,"
     " PRIMARY KEY(account, bit)) WITHOUT ROWID;"
     "CREATE TABLE blob ("
     " id INTEGER PRIMARY KEY, account INTEGER NOT NULL, msgid BLOB NOT NULL,"
     " number INTEGER NOT NULL, head INTEGER NOT NULL, size INTEGER NOT NULL,"
     " refs INTEGER NOT NULL, prefix TEXT NOT NULL, envelope BLOB NOT NULL,"
     " body BLOB NOT NULL, structure BLOB NOT NULL, UNIQUE(account, msgid, number));"
     "CREATE INDEX blob_doomed ON blob(id) WHERE refs = 0;"
     "CREATE TABLE message ("
     " box INTEGER NOT NULL, uid INTEGER NOT NULL, blob INTEGER NOT NULL,"
     " flags INTEGER NOT NULL, date INTEGER NOT NULL, size INTEGER NOT NULL,"
     " PRIMARY KEY(box, uid)) WITHOUT ROWID;"
     "CREATE TABLE delivered ("
     " account INTEGER NOT NULL, msgid BLOB NOT NULL, number INTEGER NOT NULL,"
     " at INTEGER NOT NULL, PRIMARY KEY(account, msgid, number)) WITHOUT ROWID;"
     "CREATE INDEX delivered_at ON delivered(at);"},
    {"header fields for lists", "ALTER TABLE blob ADD COLUMN fields BLOB;"},
};

struct index *index_open(const char *path, struct err *err)
{
    const struct db_options o = {.mode = DB_CREATE,
                                 .busy_ms = 1000,
                                 .is_sync_full = true,
                                 .file_mode = INDEX_FILE_MODE};
    struct db *db = db_open(path, &o, err);
    struct index *ix;

    if (db == NULL)
        return NULL;
    if (db_migrate(db, path, steps, (int)COUNT_OF(steps), err) == -1) {
        db_close(&db);
        return NULL;
    }
    ix = mem_new(1, sizeof(*ix));
    ix->db = db;
    return ix;
}

struct index *index_open_reader(const char *path, struct err *err)
{
    const struct db_options o = {.mode = DB_READ, .busy_ms = 1000};
    struct db *db = db_open(path, &o, err);
    struct index *ix;

    if (db == NULL)
        return NULL;
    if (db_exec(db, "PRAGMA cache_size = -512", err) == -1) { /* KiB: there are many */
        db_close(&db);
        return NULL;
    }
    ix = mem_new(1, sizeof(*ix));
    ix->db = db;
    return ix;
}

void index_close(struct index **ixp)
{
    struct index *ix = *ixp;

    if (ix == NULL)
        return;
    *ixp = NULL;
    db_close(&ix->db);
    free(ix);
}

int index_begin(struct index *ix, struct err *err)
{
    return db_begin(ix->db, err);
}

int index_commit(struct index *ix, struct err *err)
{
    return db_commit(ix->db, err);
}

void index_rollback(struct index *ix)
{
    db_rollback(ix->db);
}

/* Prepared like all that each delivery does. */
int index_mark(struct index *ix, struct err *err)
{
    return index_run(db_stmt(ix->db, "SAVEPOINT op", err), err) == INDEX_OK ? 0 : -1;
}

int index_unmark(struct index *ix, bool keep, struct err *err)
{
    if (!keep)
        return db_exec(ix->db, "ROLLBACK TO op; RELEASE op", err);
    return index_run(db_stmt(ix->db, "RELEASE op", err), err) == INDEX_OK ? 0 : -1;
}

enum index_result index_run(struct db_stmt *s, struct err *err)
{
    enum db_result r = db_step(s, err);

    db_reset(s);
    switch (r) {
    case DB_ROW:
    case DB_DONE:
        return INDEX_OK;
    case DB_CONSTRAINT:
        return INDEX_EXISTS;
    case DB_ERROR:
    case DB_BUSY:
        break;
    }
    return INDEX_ERROR;
}

enum index_result index_one(struct db_stmt *s, struct err *err)
{
    switch (db_step(s, err)) {
    case DB_ROW:
        return INDEX_OK;
    case DB_DONE:
        db_reset(s);
        return INDEX_NONE;
    case DB_CONSTRAINT:
    case DB_ERROR:
    case DB_BUSY:
        break;
    }
    db_reset(s);
    return INDEX_ERROR;
}
