/* SPDX-License-Identifier: ISC */
/* zones/imagestore.c - see imagestore.h.
 *
 * One table, one row a zone. The checksum covers every column, so that a torn or swapped page
 * shows as a damaged row and never as a wrong answer; image_open() of who serves it checks the
 * image itself once more. */
#include "zones/imagestore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/buf.h"
#include "base/core/hash.h"
#include "base/core/mem.h"
#include "base/core/wire.h"
#include "base/db/db.h"
#include "zones/image.h"

enum { BUSY_MS = 1000, PATH_TEXT = 4096, HEAD_OCTETS = 36 };

struct imagestore {
    struct db *db;
};

static const struct db_migration steps[] = {
    {"images",
     "CREATE TABLE image(domain_id INTEGER PRIMARY KEY, name TEXT NOT NULL,"
     "  serial INTEGER NOT NULL, at_s INTEGER NOT NULL, generator INTEGER NOT NULL,"
     "  format INTEGER NOT NULL, sum INTEGER NOT NULL, image BLOB NOT NULL) STRICT;"
     "CREATE INDEX image_name ON image(name);"},
};

/* --- the file --- */

static int path_of(const char *data_dir, const char *end, char path[PATH_TEXT],
                   struct err *err)
{
    int n = snprintf(path, PATH_TEXT, "%s/dns/images.db%s", data_dir, end);

    return n > 0 && n < PATH_TEXT ? 0 : err_set(err, "data_dir is too long");
}

int imagestore_set_aside(const char *data_dir, struct err *err)
{
    static const struct {
        const char *from, *to;
    } names[] = {{"", ".unusable"}, {"-wal", ".unusable-wal"}, {"-shm", ".unusable-shm"}};
    char from[PATH_TEXT];
    char to[PATH_TEXT];

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (path_of(data_dir, names[i].from, from, err) != 0 ||
            path_of(data_dir, names[i].to, to, err) != 0)
            return -1;
        if (rename(from, to) == -1 && errno != ENOENT)
            return err_sys(err, "move %s aside", from);
    }
    return 0;
}

/* A folder of its own: who writes images must not be able to put files beside the domain
 * database. */
static int make_dir(const char *data_dir, struct err *err)
{
    char path[PATH_TEXT];
    int n = snprintf(path, sizeof(path), "%s/dns", data_dir);

    if (n < 0 || n >= PATH_TEXT)
        return err_set(err, "data_dir is too long");
    if (mkdir(path, 0700) == -1 && errno != EEXIST)
        return err_sys(err, "create directory %s", path);
    return 0;
}

static struct db *open_file(const char *data_dir, struct err *err)
{
    const struct db_options o = {
        .mode = DB_CREATE, .busy_ms = BUSY_MS, .is_sync_full = false, .file_mode = 0640};
    char path[PATH_TEXT];
    struct db *db = NULL;

    if (path_of(data_dir, "", path, err) == 0 && make_dir(data_dir, err) == 0)
        db = db_open(path, &o, err);
    if (db == NULL)
        return NULL;
    /* Not db_migrate() for what is there: a copy of what can be made again is of no use. */
    if (db_version(db) == 0 ? db_migrate(db, path, steps, (int)COUNT_OF(steps), err) == -1
                            : db_need_version(db, path, (int)COUNT_OF(steps), err) == -1)
        db_close(&db);
    return db;
}

struct imagestore *imagestore_open(const char *data_dir, bool *was_unusable,
                                   struct err *err)
{
    struct db *db = open_file(data_dir, err);
    struct imagestore *s;
    struct err again = {0};

    *was_unusable = false;
    if (db == NULL) {
        char path[PATH_TEXT];

        if (path_of(data_dir, "", path, &again) != 0 || access(path, F_OK) == -1 ||
            imagestore_set_aside(data_dir, &again) != 0)
            return NULL;
        *was_unusable = true;
        db = open_file(data_dir, &again);
    }
    if (db == NULL)
        return NULL;
    s = mem_new(1, sizeof(*s));
    s->db = db;
    return s;
}

void imagestore_close(struct imagestore **sp)
{
    struct imagestore *s = *sp;

    if (s == NULL)
        return;
    *sp = NULL;
    db_rollback(s->db);
    db_close(&s->db);
    free(s);
}

bool imagestore_is_damaged(const struct imagestore *s)
{
    return db_is_damaged(s->db);
}

/* --- rows --- */

static uint32_t sum_of(const struct imagestore_row *r)
{
    struct buf head;
    struct wr w;
    uint32_t crc;

    buf_init(&head, HEAD_OCTETS);
    wr_init(&w, &head);
    wr_le64(&w, (uint64_t)r->domain_id);
    wr_le64(&w, (uint64_t)r->serial);
    wr_le64(&w, (uint64_t)r->at_s);
    wr_le32(&w, r->generator);
    wr_le32(&w, r->format);
    wr_le32(&w, (uint32_t)r->name.n);
    crc = crc32c(0, buf_all(&head));
    buf_free(&head);
    return crc32c(crc32c(crc, r->name), r->image);
}

static void read_row(struct db_stmt *st, struct imagestore_row *r)
{
    *r = (struct imagestore_row){.domain_id = db_col_int(st, 0),
                                 .serial = db_col_int(st, 2),
                                 .at_s = db_col_int(st, 3),
                                 .generator = (uint32_t)db_col_int(st, 4),
                                 .format = (uint32_t)db_col_int(st, 5),
                                 .name = db_col_span(st, 1),
                                 .image = db_col_span(st, 7)};
    if (sum_of(r) != (uint32_t)db_col_int(st, 6))
        r->state = IMAGESTORE_DAMAGED;
    else if (r->format != IMAGE_VERSION)
        r->state = IMAGESTORE_FOREIGN;
    if (r->state == IMAGESTORE_GOOD)
        return;
    r->name = span_of(NULL, 0);
    r->image = span_of(NULL, 0);
}

int imagestore_each(struct imagestore *s, int64_t after,
                    bool (*each)(void *ctx, const struct imagestore_row *row), void *ctx,
                    struct err *err)
{
    struct db_stmt *st =
        db_stmt(s->db,
                "SELECT domain_id, name, serial, at_s, generator, format, sum, image"
                " FROM image WHERE domain_id > ?1 ORDER BY domain_id",
                err);
    enum db_result got;
    bool goes_on = true;

    db_bind_int(st, 1, after);
    while (goes_on && (got = db_step(st, err)) != DB_DONE) {
        struct imagestore_row row;

        if (got != DB_ROW)
            return -1;
        read_row(st, &row);
        goes_on = each(ctx, &row);
    }
    db_reset(st);
    return 0;
}

int64_t imagestore_count(struct imagestore *s, struct err *err)
{
    struct db_stmt *st = db_stmt(s->db, "SELECT count(*) FROM image", err);
    int64_t n = db_step(st, err) == DB_ROW ? db_col_int(st, 0) : -1;

    db_reset(st);
    return n;
}

/* --- writing --- */

static int run(struct db_stmt *st, struct err *err)
{
    return db_step(st, err) == DB_DONE ? 0 : -1;
}

int imagestore_begin(struct imagestore *s, struct err *err)
{
    return db_begin(s->db, err);
}

int imagestore_put(struct imagestore *s, const struct imagestore_row *row,
                   struct err *err)
{
    struct db_stmt *st = db_stmt(s->db,
                                 "INSERT OR REPLACE INTO image(domain_id, name, serial,"
                                 " at_s, generator, format, sum, image)"
                                 " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                                 err);

    db_bind_int(st, 1, row->domain_id);
    db_bind_span(st, 2, row->name);
    db_bind_int(st, 3, row->serial);
    db_bind_int(st, 4, row->at_s);
    db_bind_int(st, 5, row->generator);
    db_bind_int(st, 6, row->format);
    db_bind_int(st, 7, sum_of(row));
    db_bind_blob(st, 8, row->image);
    return run(st, err);
}

int imagestore_remove(struct imagestore *s, int64_t domain_id, struct err *err)
{
    struct db_stmt *st = db_stmt(s->db, "DELETE FROM image WHERE domain_id = ?1", err);

    db_bind_int(st, 1, domain_id);
    return run(st, err);
}

int imagestore_remove_named(struct imagestore *s, struct span name, struct err *err)
{
    struct db_stmt *st = db_stmt(s->db, "DELETE FROM image WHERE name = ?1", err);

    db_bind_span(st, 1, name);
    return run(st, err);
}

int imagestore_commit(struct imagestore *s, struct err *err)
{
    return db_commit(s->db, err);
}

void imagestore_rollback(struct imagestore *s)
{
    db_rollback(s->db);
}
