/* SPDX-License-Identifier: ISC */
/* base/db/migrate.c - numbered schema steps. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/buf.h"
#include "base/db/db.h"

int db_version(struct db *db)
{
    struct db_stmt *s = db_stmt(db, "PRAGMA user_version", NULL);
    int v = -1;

    if (db_step(s, NULL) == DB_ROW && db_col_int(s, 0) >= 0 && db_col_int(s, 0) < 1000000)
        v = (int)db_col_int(s, 0);
    db_reset(s);
    return v;
}

static int newer(const char *path, int have, int n, struct err *err)
{
    return err_set(
        err,
        "%s: made by a newer version of Signpost (schema %d, this program knows "
        "%d); install the newer version or restore a backup",
        path, have, n);
}

int db_need_version(struct db *db, const char *path, int n, struct err *err)
{
    int have = db_version(db);

    if (have == -1)
        return err_set(err, "%s: cannot read the schema version", path);
    if (have > n)
        return newer(path, have, n, err);
    if (have < n)
        return err_set(
            err, "%s: schema %d is older than this program's %d; run `signpost setup`",
            path, have, n);
    return 0;
}

/* Make the copy's name and data durable. */
static int sync_copy(const char *path, const char *tmp, const char *copy, mode_t mode,
                     struct err *err)
{
    int fd = open(tmp, O_RDONLY | O_CLOEXEC);
    int rc = -1;

    if (fd == -1 || fchmod(fd, mode) == -1 || fsync(fd) == -1)
        (void)err_sys(err, "make the copy %s durable", tmp);
    else if (rename(tmp, copy) == -1)
        (void)err_sys(err, "name the copy of %s %s", path, copy);
    else
        rc = 0;
    if (fd != -1)
        (void)close(fd);
    return rc;
}

static int make_empty(const char *path, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd == -1)
        return err_sys(err, "create %s", path);
    (void)close(fd);
    return 0;
}

static int copy_before(struct db *db, const char *path, int have, struct err *err)
{
    struct buf copy, tmp;
    struct db_stmt *s;
    struct stat st;
    int rc = -1;

    buf_init(&copy, 4096);
    buf_init(&tmp, 4096);
    if (buf_printf(&copy, "%s.before-%d", path, have) == -1 ||
        buf_printf(&tmp, "%s.before-%d.tmp", path, have) == -1) {
        (void)err_set(err, "%s: path too long", path);
        goto out;
    }
    if (stat(path, &st) == -1 || (unlink(buf_cstr(&tmp)) == -1 && errno != ENOENT)) {
        (void)err_sys(err, "prepare a copy of %s", path);
        goto out;
    }
    /* SQLite fills an empty file as it is; one it makes itself would be readable to all for a
     * moment, and these may be passwords. */
    if (make_empty(buf_cstr(&tmp), err) == -1)
        goto out;
    s = db_stmt(db, "VACUUM INTO ?1", err);
    db_bind_text(s, 1, buf_cstr(&tmp));
    if (db_step(s, err) != DB_DONE) {
        (void)err_wrap(err, "copy before the upgrade");
        goto out;
    }
    rc = sync_copy(path, buf_cstr(&tmp), buf_cstr(&copy), st.st_mode & 0777, err);
out:
    buf_free(&copy);
    buf_free(&tmp);
    return rc;
}

static int check_foreign_keys(struct db *db, struct err *err)
{
    struct db_stmt *s = db_stmt(db, "PRAGMA foreign_key_check", err);
    enum db_result r = db_step(s, err);

    if (r == DB_ROW)
        (void)err_set(err, "table %s would hold rows that refer to nothing",
                      db_col_text(s, 0));
    db_reset(s);
    return r == DB_DONE ? 0 : -1;
}

/* Step `at` (from 0) in one transaction; harmless when another program has just done it. */
static int step(struct db *db, const struct db_migration *m, int at, struct err *err)
{
    char version[64];

    if (db_begin(db, err) == -1)
        return -1;
    if (db_version(db) > at) {
        db_rollback(db);
        return 0;
    }
    (void)snprintf(version, sizeof(version), "PRAGMA user_version = %d", at + 1);
    if (db_exec(db, m->sql, err) == -1 || check_foreign_keys(db, err) == -1 ||
        db_exec(db, version, err) == -1 || db_commit(db, err) == -1) {
        db_rollback(db);
        return err_wrap(err, "upgrade step %d (%s)", at + 1, m->name);
    }
    return 0;
}

int db_migrate(struct db *db, const char *path, const struct db_migration *steps, int n,
               struct err *err)
{
    int have = db_version(db);
    int rc = 0;

    if (have == -1)
        return err_set(err, "%s: cannot read the schema version", path);
    if (have > n)
        return newer(path, have, n, err);
    if (have == n)
        return 0;
    if (have > 0 && copy_before(db, path, have, err) == -1)
        return -1;
    /* A step may rebuild a table that others refer to; the check at its end replaces the
     * enforcement (sqlite.org/lang_altertable.html, section 7). */
    if (db_exec(db, "PRAGMA foreign_keys = OFF", err) == -1)
        return -1;
    for (int i = have; i < n && rc == 0; i++)
        rc = step(db, &steps[i], i, err);
    if (db_exec(db, "PRAGMA foreign_keys = ON", rc == 0 ? err : NULL) == -1)
        rc = -1;
    return rc;
}
