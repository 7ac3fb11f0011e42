/* SPDX-License-Identifier: ISC */
/* zones/domaindb.c - see domaindb.h.
 *
 * A reader demands exactly our schema; a writer brings an older one up to date first (a copy of
 * the file is kept, base/db/migrate). Files are made by DOMAINDB_CREATE only, so that a typing
 * error in data_dir does not silently start an empty database. */
#include "zones/domaindb.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/buf.h"
#include "base/core/mem.h"
#include "zones/schema.h"

enum { BUSY_MS = 10000, ORPHAN_AGE_S = 3600 };

static const struct part {
    const char *path; /* below the data directory */
    unsigned flag;    /* 0: always opened */
    unsigned mode;
    const struct db_migration *steps;
    const int *n_steps;
} parts[] = {
    {"db/signpost.db", 0, 0640, schema_main, &schema_main_count},
    {"db/secrets.db", DOMAINDB_SECRETS, 0640, schema_secrets, &schema_secrets_count},
    {"keys/keys.db", DOMAINDB_KEYS, 0600, schema_keys, &schema_keys_count},
};

static int make_dir(const char *path, mode_t mode, struct err *err)
{
    if (mkdir(path, mode) == -1 && errno != EEXIST)
        return err_sys(err, "create directory %s", path);
    return 0;
}

static int make_dirs(const char *data_dir, struct err *err)
{
    static const struct {
        const char *name;
        mode_t mode;
    } dirs[] = {{"", 0750}, {"/db", 0750}, {"/keys", 0700}};
    struct buf path;
    int rc = 0;

    buf_init(&path, 4096);
    for (size_t i = 0; i < COUNT_OF(dirs) && rc == 0; i++) {
        buf_reset(&path);
        rc = buf_printf(&path, "%s%s", data_dir, dirs[i].name);
        if (rc == 0)
            rc = make_dir(buf_cstr(&path), dirs[i].mode, err);
        else
            (void)err_set(err, "data_dir is too long");
    }
    buf_free(&path);
    return rc;
}

static struct db *open_part(const char *data_dir, const struct part *p, unsigned flags,
                            struct err *err)
{
    struct db_options o = {.mode = flags & DOMAINDB_CREATE  ? DB_CREATE
                                   : flags & DOMAINDB_WRITE ? DB_WRITE
                                                            : DB_READ,
                           .busy_ms = BUSY_MS,
                           .is_sync_full = true,
                           .file_mode = p->mode};
    struct db *db = NULL;
    struct buf path;

    buf_init(&path, 4096);
    if (buf_printf(&path, "%s/%s", data_dir, p->path) == -1) {
        (void)err_set(err, "data_dir is too long");
        goto out;
    }
    if (o.mode != DB_CREATE && access(buf_cstr(&path), F_OK) == -1 && errno == ENOENT) {
        (void)err_set(err, "%s does not exist; make it with: signpost setup",
                      buf_cstr(&path));
        goto out;
    }
    db = db_open(buf_cstr(&path), &o, err);
    if (db == NULL)
        goto out;
    if ((o.mode == DB_READ
             ? db_need_version(db, buf_cstr(&path), *p->n_steps, err)
             : db_migrate(db, buf_cstr(&path), p->steps, *p->n_steps, err)) == -1)
        db_close(&db);
out:
    buf_free(&path);
    return db;
}

static char *notify_path(const char *run_dir)
{
    struct buf b;
    char *path = NULL;

    buf_init(&b, 4096);
    if (buf_printf(&b, "%s/notify", run_dir) == 0)
        path = mem_strdup(buf_cstr(&b));
    buf_free(&b);
    return path;
}

struct domaindb *domaindb_open(const char *data_dir, const char *run_dir, unsigned flags,
                               struct err *err)
{
    struct domaindb *d = mem_new(1, sizeof(*d));
    struct db **const at[] = {&d->main, &d->secrets, &d->keys};

    if ((flags & DOMAINDB_CREATE) && make_dirs(data_dir, err) == -1)
        goto bad;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (parts[i].flag != 0 && (flags & parts[i].flag) == 0)
            continue;
        *at[i] = open_part(data_dir, &parts[i], flags, err);
        if (*at[i] == NULL)
            goto bad;
    }
    if (run_dir != NULL)
        d->notify_dir = notify_path(run_dir);
    return d;
bad:
    domaindb_close(&d);
    return NULL;
}

void domaindb_close(struct domaindb **dp)
{
    struct domaindb *d = *dp;

    if (d == NULL)
        return;
    *dp = NULL;
    if (d->open_serial != 0)
        db_rollback(d->main);
    db_close(&d->keys);
    db_close(&d->secrets);
    db_close(&d->main);
    free(d->notify_dir);
    free(d);
}

int64_t domaindb_data_version(struct domaindb *d)
{
    return db_data_version(d->main);
}

enum domaindb_result setting_get(struct domaindb *d, const char *name,
                                 const char *fallback, char value[256], struct err *err)
{
    struct db_stmt *s =
        db_stmt(d->main, "SELECT value FROM setting WHERE name = ?1", err);
    enum domaindb_result rc = DOMAINDB_NONE;
    enum db_result got;

    db_bind_text(s, 1, name);
    got = db_step(s, err);
    if (got == DB_ROW) {
        rc = span_copy(db_col_span(s, 0), value, 256) ? DOMAINDB_OK : DOMAINDB_FAULT;
        if (rc == DOMAINDB_FAULT)
            (void)err_set(err, "setting %s is longer than 255 octets", name);
    } else if (got != DB_DONE) {
        rc = DOMAINDB_FAULT;
    } else if (fallback != NULL && span_copy(span_str(fallback), value, 256)) {
        rc = DOMAINDB_OK;
    }
    db_reset(s);
    return rc;
}

enum domaindb_result setting_put(struct domaindb *d, const char *name, const char *value,
                                 struct err *err)
{
    struct db_stmt *s = db_stmt(d->main,
                                "INSERT INTO setting(name, value) VALUES(?1, ?2) "
                                "ON CONFLICT(name) DO UPDATE SET value = excluded.value",
                                err);

    db_bind_text(s, 1, name);
    db_bind_text(s, 2, value);
    return db_step(s, err) == DB_DONE ? DOMAINDB_OK : DOMAINDB_FAULT;
}

/* ---- orphans ---- */

/* References of one kind that are older than the limit and that `used` does not know. */
static int sweep(struct db *from, const char *list_sql, const char *delete_sql,
                 struct db *main, const char *used_sql, int64_t before_s, struct err *err)
{
    struct db_stmt *list = db_stmt(from, list_sql, err);
    enum db_result got;

    db_bind_int(list, 1, before_s);
    while ((got = db_step(list, err)) == DB_ROW) {
        struct db_stmt *used = db_stmt(main, used_sql, err);
        enum db_result hit;

        db_bind_text(used, 1, db_col_text(list, 0));
        hit = db_step(used, err);
        db_reset(used);
        if (hit == DB_DONE) {
            struct db_stmt *del = db_stmt(from, delete_sql, err);

            db_bind_text(del, 1, db_col_text(list, 0));
            hit = db_step(del, err) == DB_DONE ? DB_ROW : DB_ERROR;
        }
        if (hit != DB_ROW) {
            db_reset(list);
            return -1;
        }
    }
    return got == DB_DONE ? 0 : -1;
}

int domaindb_sweep(struct domaindb *d, int64_t now_s, struct err *err)
{
    if (sweep(d->secrets, "SELECT ref FROM secret WHERE created_s < ?1",
              "DELETE FROM secret WHERE ref = ?1", d->main,
              "SELECT 1 FROM account WHERE secret_ref = ?1", now_s - ORPHAN_AGE_S,
              err) == -1)
        return -1;
    return sweep(d->keys, "SELECT ref FROM private_key WHERE created_s < ?1",
                 "DELETE FROM private_key WHERE ref = ?1", d->main,
                 "SELECT 1 FROM dkim_key WHERE key_ref = ?1", now_s - ORPHAN_AGE_S, err);
}

void domaindb_new_ref(struct rng *rng, char ref[DOMAINDB_REF_TEXT + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t raw[DOMAINDB_REF_TEXT / 2];

    rng_fill(rng, raw, sizeof(raw));
    for (size_t i = 0; i < sizeof(raw); i++) {
        ref[2 * i] = digits[raw[i] >> 4];
        ref[2 * i + 1] = digits[raw[i] & 15];
    }
    ref[DOMAINDB_REF_TEXT] = '\0';
}
