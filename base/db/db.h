/* SPDX-License-Identifier: ISC */
/* base/db/db.h - SQLite opened our way, with prepared statements and clear errors.
 *
 * Why:       the pragmas, the busy policy and the error text are decided once.
 * Ownership: one struct db per thread and process; never carried across fork.
 * Threads:   the thread that opened it.
 *
 * Statement use:
 *     struct db_stmt *s = db_stmt(db, "SELECT id FROM domain WHERE name = ?1", err);
 *     db_bind_text(s, 1, name);
 *     switch (db_step(s, err)) { case DB_ROW: ... case DB_DONE: ... case DB_ERROR: ... }
 *     db_reset(s);
 * The same SQL text gives the same cached statement, so use string literals only, and do not
 * ask for a text again while its rows are being read. An error's err->sys is EUCLEAN when the file
 * is damaged or no database. A NULL statement (bad SQL) is allowed in
 * every call: db_step() then answers DB_ERROR and leaves the text that db_stmt() set. */
#ifndef BASE_DB_DB_H
#define BASE_DB_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/span.h"

struct db;
struct db_stmt;

enum db_result {
    DB_ROW,
    DB_DONE,
    DB_ERROR,
    DB_CONSTRAINT, /* a UNIQUE, CHECK, foreign key... said no */
    DB_BUSY,       /* another connection holds the lock, also after busy_ms */
};

enum db_mode {
    DB_READ,
    DB_WRITE,  /* the file must be there */
    DB_CREATE, /* made when missing, with file_mode whatever the umask says */
};

struct db_options {
    enum db_mode mode;
    int busy_ms;        /* how long to wait for another writer */
    bool is_sync_full;  /* PRAGMA synchronous: FULL, else NORMAL */
    unsigned file_mode; /* for DB_CREATE, e.g. 0640 */
};

/* WAL, foreign keys on, persistent WAL (readers of another user need the files), trusted
 * schema off for readers. NULL with *err; a file that is not a database says so. */
struct db *db_open(const char *path, const struct db_options *o, struct err *err);
void db_close(struct db **db);

struct db_stmt *db_stmt(struct db *db, const char *sql, struct err *err);
void db_bind_text(struct db_stmt *s, int at, const char *text); /* NULL binds NULL */
void db_bind_span(struct db_stmt *s, int at, struct span text); /* as text */
void db_bind_blob(struct db_stmt *s, int at, struct span octets);
void db_bind_int(struct db_stmt *s, int at, int64_t v);
void db_bind_null(struct db_stmt *s, int at);
/* Anything but DB_ROW has reset the statement already. */
MUST_USE enum db_result db_step(struct db_stmt *s, struct err *err);
void db_reset(struct db_stmt *s);
int64_t db_col_int(struct db_stmt *s, int col);
/* Valid until the next db_step/db_reset of this statement. NULL text reads as "". */
const char *db_col_text(struct db_stmt *s, int col);
struct span db_col_span(struct db_stmt *s, int col);
bool db_col_is_null(struct db_stmt *s, int col);

/* Run one or more statements without results. */
MUST_USE int db_exec(struct db *db, const char *sql, struct err *err);
/* BEGIN IMMEDIATE / COMMIT / ROLLBACK. */
MUST_USE int db_begin(struct db *db, struct err *err);
MUST_USE int db_commit(struct db *db, struct err *err);
void db_rollback(struct db *db);
int64_t db_last_id(struct db *db);
int64_t db_changed_rows(struct db *db);
/* Copy everything committed into the database file and sync it. What was written with
 * synchronous NORMAL survives power loss from here on. -1 also when a reader or writer was in
 * the way (err says "locked"); nothing is lost then, try again later. */
MUST_USE int db_checkpoint(struct db *db, struct err *err);
/* Did the last failing call find the file damaged, or no database at all? */
bool db_is_damaged(const struct db *db);
/* PRAGMA data_version: moves with each commit of another connection. -1 on error. */
int64_t db_data_version(struct db *db);

/* base/db/migrate.c: bring the schema to steps[n-1]. PRAGMA user_version counts the steps
 * done; each is one transaction that ends with a check of the foreign keys. A database from
 * a newer program is refused; before the first step on a database that holds data the file
 * is copied to "<path>.before-<version>". */
struct db_migration {
    const char *name;
    const char *sql;
};
MUST_USE int db_migrate(struct db *db, const char *path, const struct db_migration *steps,
                        int n, struct err *err);
/* For those who only read: -1 with a clear text unless exactly `n` steps have been done. */
MUST_USE int db_need_version(struct db *db, const char *path, int n, struct err *err);
/* PRAGMA user_version, -1 on error. */
int db_version(struct db *db);

#endif
