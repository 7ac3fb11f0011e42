/* SPDX-License-Identifier: ISC */
/* base/db/db.c - one SQLite connection and its prepared statements.
 *
 * 1. Statements are prepared once per connection and found again by their text; db_stmt()
 *    hands one out reset and with all parameters NULL.
 * 2. A statement never stays open by accident: any result but a row resets it, so that a
 *    forgotten db_reset() cannot pin the write-ahead log.
 * 3. Every error text begins with the path of the database and names the cause in words an
 *    administrator can act on; the SQL is added only when the fault is in it. */
#include "base/db/db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/core/buf.h"
#include "base/core/hash.h"
#include "base/core/mem.h"

enum { BUCKETS = 64, WAL_PAGES = 4000 /* checkpoint at about 16 MiB */ };

struct db_stmt {
    struct db_stmt *next; /* in its bucket */
    struct db *db;
    const char *sql;
    sqlite3_stmt *st;
};

struct db {
    sqlite3 *h;
    char *path;
    struct db_stmt *bucket[BUCKETS];
};

/* ---- error texts ---- */

static const char *cause(int code)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "locked by another program";
    case SQLITE_NOTADB:
        return "this file is not a database";
    case SQLITE_CORRUPT:
        return "the database is damaged; restore it from a backup";
    case SQLITE_FULL:
        return "disk full";
    case SQLITE_READONLY:
        return "no permission to write";
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return "permission denied";
    case SQLITE_NOMEM:
        return "out of memory";
    default:
        return NULL;
    }
}

static bool is_damage(int code)
{
    return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

/* Always -1. `sql` NULL when the statement is not the point. */
static int fail(const struct db *db, int code, const char *sql, struct err *err)
{
    const char *words = cause(code);
    int sys = sqlite3_system_errno(db->h);

    if ((code & 0xff) == SQLITE_IOERR && sys == ENOSPC)
        words = "disk full";
    if (words != NULL)
        (void)err_set(err, "%s: %s", db->path, words);
    else if ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN)
        (void)err_set(err, "%s: %s%s%s", db->path, sqlite3_errmsg(db->h), sys ? ": " : "",
                      sys ? strerror(sys) : "");
    else if (sql != NULL)
        (void)err_set(err, "%s: %s in: %.200s", db->path, sqlite3_errmsg(db->h), sql);
    else
        (void)err_set(err, "%s: %s", db->path, sqlite3_errmsg(db->h));
    if (err != NULL)
        err->sys = is_damage(code)                ? EUCLEAN
                   : (code & 0xff) == SQLITE_FULL ? ENOSPC
                                                  : sys;
    return -1;
}

/* ---- opening ---- */

/* SQLite gives new files the process's umask; readers of another user need more. */
static int make_file(const char *path, unsigned mode, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int rc = 0;

    if (fd == -1)
        return errno == EEXIST ? 0 : err_sys(err, "create %s", path);
    if (fchmod(fd, (mode_t)mode) == -1)
        rc = err_sys(err, "set the mode of %s", path);
    (void)close(fd);
    return rc;
}

/* One row, one text column. */
static int pragma_text(struct db *db, const char *sql, char *out, size_t cap,
                       struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db->h, sql, -1, &st, NULL);

    out[0] = '\0';
    if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(st, 0);

        if (text != NULL && !span_copy(span_str((const char *)text), out, cap))
            out[0] = '\0';
        rc = SQLITE_OK;
    }
    if (rc != SQLITE_OK)
        (void)fail(db, rc, sql, err);
    (void)sqlite3_finalize(st);
    return rc == SQLITE_OK ? 0 : -1;
}

/* Whoever may read the database must be able to write its -shm (the marks of readers stand
 * there), and nothing else. SQLite gives it the mode of the database. Where we may not, we
 * are not the one who made it. */
static void share_marks(const struct db *db)
{
    struct stat st, shm;
    struct buf path;
    mode_t mode;

    buf_init(&path, 4096);
    if (buf_printf(&path, "%s-shm", db->path) == 0 && stat(db->path, &st) == 0 &&
        stat(buf_cstr(&path), &shm) == 0) {
        mode = (st.st_mode & 0666) | (st.st_mode & 0040) >> 1;
        if ((shm.st_mode & 0777) != mode)
            (void)chmod(buf_cstr(&path), mode);
    }
    buf_free(&path);
}

static int set_up(struct db *db, const struct db_options *o, struct err *err)
{
    char mode[16];
    int on = 1;

    (void)sqlite3_extended_result_codes(db->h, 1);
    (void)sqlite3_busy_timeout(db->h, o->busy_ms);
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    /* Writers run the triggers of our own change log, which call json_object(): SQLite
     * 3.40 counts that among the functions a schema of unknown origin must not call. */
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_TRUSTED_SCHEMA, o->mode != DB_READ,
                            NULL);
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    /* The last one to close keeps -wal and -shm: a reader of another user may not be able
     * to make them, and cannot open the database without. */
    (void)sqlite3_file_control(db->h, NULL, SQLITE_FCNTL_PERSIST_WAL, &on);
    if (o->mode != DB_READ) {
        if (pragma_text(db, "PRAGMA journal_mode = WAL", mode, sizeof(mode), err) == -1)
            return -1;
        if (strcmp(mode, "wal") != 0)
            return err_set(err, "%s: cannot use a write-ahead log here (network disk?)",
                           db->path);
        (void)sqlite3_wal_autocheckpoint(db->h, WAL_PAGES);
    }
    if (db_exec(db,
                o->is_sync_full ? "PRAGMA synchronous = FULL"
                                : "PRAGMA synchronous = NORMAL",
                err) == -1)
        return -1;
    /* Large sorts stay in memory: a confined process has no folder for temporary files. */
    if (db_exec(db, "PRAGMA temp_store = MEMORY", err) == -1)
        return -1;
    /* The first read: says now, not later, that the file is no database. */
    if (pragma_text(db, "SELECT count(*) FROM sqlite_schema", mode, sizeof(mode), err) ==
        -1)
        return -1;
    if (o->mode != DB_READ)
        share_marks(db);
    return 0;
}

/* A reader that may not write the folder needs -wal and -shm to be there. */
static void explain_reader(const char *path, const struct db_options *o, struct err *err)
{
    struct buf wal;

    if (o->mode != DB_READ || access(path, R_OK) == -1)
        return;
    buf_init(&wal, 4096);
    if (buf_printf(&wal, "%s-wal", path) == 0 && access(buf_cstr(&wal), F_OK) == -1)
        (void)err_set(err,
                      "%s: cannot be read before its writer has been started once "
                      "(no %s-wal)",
                      path, path);
    buf_free(&wal);
}

struct db *db_open(const char *path, const struct db_options *o, struct err *err)
{
    struct db *db = mem_new(1, sizeof(*db));
    int flags = SQLITE_OPEN_NOMUTEX |
                (o->mode == DB_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    int rc;

    db->path = mem_strdup(path);
    if (o->mode == DB_CREATE && make_file(path, o->file_mode, err) == -1)
        goto bad;
    if (access(path, F_OK) == -1) {
        (void)err_sys(err, "open %s", path);
        goto bad;
    }
    rc = sqlite3_open_v2(path, &db->h, flags, NULL);
    if (rc != SQLITE_OK) {
        if (db->h == NULL)
            (void)err_set(err, "open %s: out of memory", path);
        else
            (void)fail(db, rc, NULL, err);
        explain_reader(path, o, err);
        goto bad;
    }
    if (set_up(db, o, err) == -1) {
        explain_reader(path, o, err);
        goto bad;
    }
    return db;
bad:
    db_close(&db);
    return NULL;
}

void db_close(struct db **dbp)
{
    struct db *db = *dbp;

    if (db == NULL)
        return;
    *dbp = NULL;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (db->bucket[i] != NULL) {
            struct db_stmt *s = db->bucket[i];

            db->bucket[i] = s->next;
            (void)sqlite3_finalize(s->st);
            free(s);
        }
    }
    if (sqlite3_close(db->h) != SQLITE_OK)
        assert(!"statement left open");
    free(db->path);
    free(db);
}

/* ---- statements ---- */

static size_t bucket_of(const char *sql)
{
    static const uint64_t key[2] = {1,
                                    2}; /* the texts are ours: no attacker chooses them */

    return (size_t)(siphash13(key, span_str(sql)) % BUCKETS);
}

struct db_stmt *db_stmt(struct db *db, const char *sql, struct err *err)
{
    struct db_stmt **head = &db->bucket[bucket_of(sql)];
    struct db_stmt *s;
    sqlite3_stmt *st = NULL;
    int rc;

    for (s = *head; s != NULL; s = s->next) {
        if (s->sql == sql || strcmp(s->sql, sql) == 0) {
            db_reset(s);
            return s;
        }
    }
    rc = sqlite3_prepare_v3(db->h, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL);
    if (rc != SQLITE_OK) {
        (void)fail(db, rc, sql, err);
        return NULL;
    }
    s = mem_new(1, sizeof(*s));
    s->db = db;
    s->sql = sql;
    s->st = st;
    s->next = *head;
    *head = s;
    return s;
}

/* Binding fails only for a wrong parameter number or a value beyond SQLite's limits: both
 * are bugs of the caller. */
static void bound(int rc)
{
    assert(rc == SQLITE_OK);
    (void)rc;
}

void db_bind_text(struct db_stmt *s, int at, const char *text)
{
    if (s != NULL)
        bound(sqlite3_bind_text(s->st, at, text, -1, SQLITE_TRANSIENT));
}

void db_bind_span(struct db_stmt *s, int at, struct span text)
{
    if (s != NULL)
        bound(sqlite3_bind_text64(s->st, at, text.n > 0 ? (const char *)text.p : "",
                                  text.n, SQLITE_TRANSIENT, SQLITE_UTF8));
}

void db_bind_blob(struct db_stmt *s, int at, struct span octets)
{
    if (s == NULL)
        return;
    if (octets.n == 0) /* a NULL pointer would bind NULL */
        bound(sqlite3_bind_zeroblob(s->st, at, 0));
    else
        bound(sqlite3_bind_blob64(s->st, at, octets.p, octets.n, SQLITE_TRANSIENT));
}

void db_bind_int(struct db_stmt *s, int at, int64_t v)
{
    if (s != NULL)
        bound(sqlite3_bind_int64(s->st, at, v));
}

void db_bind_null(struct db_stmt *s, int at)
{
    if (s != NULL)
        bound(sqlite3_bind_null(s->st, at));
}

enum db_result db_step(struct db_stmt *s, struct err *err)
{
    int rc;

    if (s == NULL)
        return DB_ERROR;
    rc = sqlite3_step(s->st);
    if (rc == SQLITE_ROW)
        return DB_ROW;
    if (rc != SQLITE_DONE)
        (void)fail(s->db, rc, s->sql, err);
    (void)sqlite3_reset(s->st);
    switch (rc & 0xff) {
    case SQLITE_DONE:
        return DB_DONE;
    case SQLITE_CONSTRAINT:
        return DB_CONSTRAINT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return DB_BUSY;
    default:
        return DB_ERROR;
    }
}

void db_reset(struct db_stmt *s)
{
    if (s == NULL)
        return;
    (void)sqlite3_reset(s->st);
    (void)sqlite3_clear_bindings(s->st);
}

int64_t db_col_int(struct db_stmt *s, int col)
{
    return sqlite3_column_int64(s->st, col);
}

const char *db_col_text(struct db_stmt *s, int col)
{
    const unsigned char *text = sqlite3_column_text(s->st, col);

    return text == NULL ? "" : (const char *)text;
}

struct span db_col_span(struct db_stmt *s, int col)
{
    const void *p = sqlite3_column_blob(s->st, col); /* first: it may convert */
    int n = sqlite3_column_bytes(s->st, col);

    return span_of(p, n > 0 ? (size_t)n : 0);
}

bool db_col_is_null(struct db_stmt *s, int col)
{
    return sqlite3_column_type(s->st, col) == SQLITE_NULL;
}

/* ---- whole statements ---- */

int db_exec(struct db *db, const char *sql, struct err *err)
{
    int rc = sqlite3_exec(db->h, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : fail(db, rc, sql, err);
}

static int run(struct db *db, const char *sql, struct err *err)
{
    return db_step(db_stmt(db, sql, err), err) == DB_DONE ? 0 : -1;
}

int db_begin(struct db *db, struct err *err)
{
    return run(db, "BEGIN IMMEDIATE", err);
}

int db_commit(struct db *db, struct err *err)
{
    return run(db, "COMMIT", err);
}

void db_rollback(struct db *db)
{
    /* Some errors (disk full) have rolled back already. */
    if (sqlite3_get_autocommit(db->h) == 0)
        (void)run(db, "ROLLBACK", NULL);
}

int64_t db_last_id(struct db *db)
{
    return sqlite3_last_insert_rowid(db->h);
}

int64_t db_changed_rows(struct db *db)
{
    return sqlite3_changes64(db->h);
}

int db_checkpoint(struct db *db, struct err *err)
{
    int rc = sqlite3_wal_checkpoint_v2(db->h, NULL, SQLITE_CHECKPOINT_FULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : fail(db, rc, NULL, err);
}

bool db_is_damaged(const struct db *db)
{
    return is_damage(sqlite3_errcode(db->h));
}

int64_t db_data_version(struct db *db)
{
    struct db_stmt *s = db_stmt(db, "PRAGMA data_version", NULL);
    int64_t v = -1;

    if (db_step(s, NULL) == DB_ROW)
        v = db_col_int(s, 0);
    db_reset(s);
    return v;
}
