/* SPDX-License-Identifier: ISC */
/* The order of it, so that a crash at any point leads to the same end (docs/STATES.md, I8 to I12):
 *
 *   1. a damaged index.db gets the name index.db.unusable, durable; from now on it is lost
 *   2. its -wal gets such a name too: it must never meet another index
 *   3. snapshot.db, else snapshot.old.db, else nothing, is copied to rebuild.db
 *   4. in rebuild.db: a new UIDVALIDITY for every mailbox; rows whose file is gone go; files
 *      without row become messages in their account's INBOX
 *   5. rebuild.db, synced, gets the name index.db, durable
 *
 * Whose a file is says its path. What it holds says its leading record, when it came by mail;
 * an appended message is the whole file. Files in mail/NN/pending may be answered APPENDs: they
 * count like the others.
 *
 * A message that is put back is remembered as delivered, so that the queue, which may ask for it
 * once more, is told that it is there. */
#include "maild/mailbox/rebuild.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/msg/envelope.h"
#include "maild/mailbox/digest.h"
#include "maild/mailbox/mailfile.h"
#include "maild/store/blob.h"

#define BATCH     200 /* messages of one transaction */
#define PATH_ROOM 4096

struct job {
    int dirfd;
    unsigned number;
    int64_t now_s;
    struct index *ix;
    struct rebuild *r;
    size_t in_batch;
};

/* ---- names ------------------------------------------------------------------------------ */

/* "mail/NN/<name>", below dirfd. */
static void rel(const struct job *j, const char *name, char path[MAILFILE_PATH_MAX])
{
    (void)snprintf(path, MAILFILE_PATH_MAX, "mail/%02u/%s", j->number, name);
}

static int sync_shard(const struct job *j, struct err *err)
{
    char folder[MAILFILE_PATH_MAX];

    (void)snprintf(folder, sizeof(folder), "mail/%02u", j->number);
    return mailfile_sync_folder(j->dirfd, folder, err);
}

static int move(const struct job *j, const char *from, const char *to, struct err *err)
{
    char a[MAILFILE_PATH_MAX], b[MAILFILE_PATH_MAX];

    rel(j, from, a);
    rel(j, to, b);
    if (renameat(j->dirfd, a, j->dirfd, b) == -1 && errno != ENOENT)
        return err_sys(err, "rename %s to %s", a, b);
    return 0;
}

static int drop(const struct job *j, const char *name, struct err *err)
{
    char path[MAILFILE_PATH_MAX];

    rel(j, name, path);
    if (unlinkat(j->dirfd, path, 0) == -1 && errno != ENOENT)
        return err_sys(err, "remove %s", path);
    return 0;
}

static bool is_there(const struct job *j, const char *name, struct stat *st)
{
    char path[MAILFILE_PATH_MAX];

    rel(j, name, path);
    return fstatat(j->dirfd, path, st, 0) == 0;
}

/* The name first: without it the index is lost, which the next start finds. */
static int move_aside(const struct job *j, struct err *err)
{
    if (move(j, "index.db", "index.db.unusable", err) == -1 || sync_shard(j, err) == -1 ||
        move(j, "index.db-wal", "index.db.unusable-wal", err) == -1)
        return -1;
    return 0;
}

static int make_room(const struct job *j, struct err *err)
{
    static const char *const names[] = {"index.db-wal",       "index.db-shm",
                                        "rebuild.db-journal", "rebuild.db-wal",
                                        "rebuild.db-shm",     "rebuild.db"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (drop(j, names[i], err) == -1)
            return -1;
    }
    return sync_shard(j, err);
}

/* ---- one file ---------------------------------------------------------------------------- */

static char *make_prefix(const struct blob_head *h, const struct index_file *f)
{
    struct arena *a = arena_new(256u * 1024u);
    struct envelope e;
    struct buf b;
    struct rd rd;
    char *text;

    buf_init(&b, 4096);
    rd_init(&rd, h->envelope);
    if (!envelope_decode(&rd, a, &e) || f->number >= e.n ||
        e.rcpts[f->number].account_id != f->account ||
        buf_printf(&b, "Return-Path: <%s>\r\nDelivered-To: %s\r\n", e.sender,
                   e.rcpts[f->number].original) == -1)
        buf_reset(&b);
    text = span_dup(buf_all(&b));
    buf_free(&b);
    arena_free(&a);
    return text;
}

/* What stands in the file: f->head and f->size, its date, the fields in front. False: no whole
 * message (its octets were lost with the power; the queue has it). */
static bool look(int fd, struct index_file *f, int64_t *date_s, char **prefix)
{
    struct buf space;
    struct blob_head h;
    struct stat st;
    bool ok = false;
    ssize_t n;

    *prefix = NULL;
    buf_init(&space, BLOB_HEAD_MAX);
    if (fstat(fd, &st) == -1 || buf_reserve(&space, BLOB_HEAD_MAX) == -1)
        goto out;
    n = pread(fd, space.data, BLOB_HEAD_MAX, 0);
    if (n <= 0 || space.data[0] == 0)
        goto out;
    space.len = (size_t)n;
    if (blob_head_decode(buf_all(&space), &h) && msgid_eq(&h.id, &f->id)) {
        f->head = h.offset;
        f->size = h.size;
        *date_s = h.accepted_s;
        ok =
            (uint64_t)st.st_size >= h.offset && (uint64_t)st.st_size - h.offset >= h.size;
        *prefix = make_prefix(&h, f);
    } else {
        f->size = (uint64_t)st.st_size;
        *date_s = st.st_mtim.tv_sec;
        ok = !span_starts(buf_all(&space), SPAN_LIT("SPBL"));
        *prefix = mem_strdup("");
    }
out:
    buf_free(&space);
    return ok;
}

static enum index_result add(struct job *j, const struct index_file *f, int fd,
                             int64_t date_s, const char *prefix, struct err *err)
{
    uint8_t *octets = mem_new((size_t)f->size + 1, 1);
    struct index_new row = {.file = *f,
                            .is_delivery = true,
                            .prefix = span_str(prefix),
                            .date_s = date_s,
                            .now_s = j->now_s};
    struct digest d;
    struct index_box box;
    enum index_result r;
    bool has_file;

    if (mailfile_read(fd, f->head, octets, (size_t)f->size, err) == -1) {
        free(octets);
        return INDEX_NONE; /* one unreadable file must not cost the others */
    }
    digest_make(&d, span_of(octets, (size_t)f->size));
    free(octets);
    row.envelope = buf_all(&d.envelope);
    row.body = buf_all(&d.body);
    row.structure = buf_all(&d.structure);
    row.fields = buf_all(&d.fields);
    row.has_fields = d.has_fields;
    r = index_account_ensure(j->ix, f->account, j->now_s + INDEX_BOXES_MAX, err);
    if (r == INDEX_OK)
        r = index_box_find(j->ix, f->account, SPAN_LIT("INBOX"), &box, err);
    if (r == INDEX_OK) {
        row.box = box.id;
        r = index_add(j->ix, &row, &has_file, err);
    }
    digest_free(&d);
    return r;
}

static int next_batch(struct job *j, struct err *err)
{
    if (++j->in_batch < BATCH)
        return 0;
    j->in_batch = 0;
    return index_commit(j->ix, err) == -1 ? -1 : index_begin(j->ix, err);
}

/* A file of an account that may have no row. */
static int put_back(struct job *j, struct index_file *f, struct err *err)
{
    enum index_result r = index_has_file(j->ix, f, err);
    int64_t date_s = 0;
    char *prefix = NULL;
    int fd;

    if (r != INDEX_NONE)
        return r == INDEX_OK ? 0 : -1;
    fd = mailfile_open(j->dirfd, f, err);
    if (fd == -1)
        return err->sys == ENOENT ? 0 : -1;
    if (look(fd, f, &date_s, &prefix))
        r = add(j, f, fd, date_s, prefix, err);
    (void)close(fd);
    free(prefix);
    switch (r) {
    case INDEX_OK:
        j->r->put_back++;
        return next_batch(j, err);
    case INDEX_NONE:
        j->r->not_read++;
        return 0;
    case INDEX_EXISTS: /* delivered, and expunged since: its removal was under way */
        return 0;
    case INDEX_INBOX:
    case INDEX_CHILDREN:
    case INDEX_FULL:
    case INDEX_ERROR:
        break;
    }
    return -1;
}

/* ---- all files ---------------------------------------------------------------------------- */

/* Call fn for each name in a folder that begins with a letter or digit. */
static int each_name(struct job *j, const char *folder,
                     int (*fn)(struct job *j, const char *folder, const char *name,
                               struct err *err),
                     struct err *err)
{
    int fd = openat(j->dirfd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd == -1 ? NULL : fdopendir(fd);
    const struct dirent *e;
    int rc = 0;

    if (d == NULL) {
        (void)err_sys(err, "read folder %s", folder);
        if (fd != -1)
            (void)close(fd);
        return -1;
    }
    while (rc == 0 && (e = readdir(d)) != NULL) {
        if (e->d_name[0] != '.')
            rc = fn(j, folder, e->d_name, err);
    }
    (void)closedir(d);
    return rc;
}

/* "<id>.<n>" in mail/NN/<account>/<ab>. */
static int take_file(struct job *j, const char *folder, const char *name, struct err *err)
{
    struct index_file f = {.account =
                               strtoull(folder + sizeof("mail/NN/") - 1, NULL, 10)};
    struct span id, number;
    uint64_t n;

    if (!span_cut(span_str(name), '.', &id, &number) || !msgid_parse(id, &f.id) ||
        !span_to_u64(number, UINT32_MAX, &n))
        return 0;
    f.number = (uint32_t)n;
    return put_back(j, &f, err);
}

static int take_folder(struct job *j, const char *folder, const char *name,
                       struct err *err)
{
    char path[MAILFILE_PATH_MAX];

    if (strlen(name) != 2)
        return 0;
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return each_name(j, path, take_file, err);
}

static int take_account(struct job *j, const char *folder, const char *name,
                        struct err *err)
{
    char path[MAILFILE_PATH_MAX];
    uint64_t id;

    if (!span_to_u64(span_str(name), UINT64_MAX, &id))
        return 0;
    (void)snprintf(path, sizeof(path), "%s/%.20s", folder, name);
    return each_name(j, path, take_folder, err);
}

/* Rows of the snapshot whose file is gone. */
static int drop_rows(struct job *j, struct err *err)
{
    struct index_doomed v[100];
    uint64_t after = 0;
    size_t n;

    do {
        if (index_files(j->ix, after, v, COUNT_OF(v), &n, err) != INDEX_OK)
            return -1;
        for (size_t i = 0; i < n; i++) {
            char path[MAILFILE_PATH_MAX];

            after = v[i].row;
            mailfile_path(&v[i].file, path);
            if (faccessat(j->dirfd, path, F_OK, 0) == 0)
                continue;
            if (errno != ENOENT)
                return err_sys(err, "look for %s", path);
            if (index_drop(j->ix, v[i].row, err) != INDEX_OK)
                return -1;
            j->r->gone++;
        }
    } while (n == COUNT_OF(v));
    return 0;
}

static int fill(struct job *j, struct err *err)
{
    char folder[MAILFILE_PATH_MAX];

    (void)snprintf(folder, sizeof(folder), "mail/%02u", j->number);
    if (index_begin(j->ix, err) == -1)
        return -1;
    if (index_renew(j->ix, j->now_s, err) != INDEX_OK || drop_rows(j, err) == -1 ||
        each_name(j, folder, take_account, err) == -1 || index_commit(j->ix, err) == -1) {
        index_rollback(j->ix);
        return -1;
    }
    return 0;
}

/* ---- the whole ----------------------------------------------------------------------------- */

/* `path` with another last part. */
static void beside(const char *path, const char *name, char out[PATH_ROOM])
{
    const char *slash = strrchr(path, '/');

    (void)snprintf(out, PATH_ROOM, "%.*s/%s", (int)(slash - path), path, name);
}

/* The newest snapshot that is whole, as rebuild.db; without one that is made anew. */
static struct index *open_copy(struct job *j, const char *path, struct err *err)
{
    static const char *const names[] = {"snapshot.db", "snapshot.old.db"};
    char from[PATH_ROOM], to[PATH_ROOM];
    struct index *ix;
    struct stat st;

    beside(path, "rebuild.db", to);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (!is_there(j, names[i], &st))
            continue;
        beside(path, names[i], from);
        if (make_room(j, err) == -1)
            return NULL;
        if (index_copy_file(from, to, err) == -1)
            continue;
        ix = index_open(to, err);
        if (ix != NULL && index_check(ix, err) == INDEX_OK) {
            j->r->has_snapshot = true;
            j->r->snapshot_s = st.st_mtim.tv_sec;
            return ix;
        }
        index_close(&ix);
    }
    return make_room(j, err) == -1 ? NULL : index_open(to, err);
}

/* Everything in the one file, synced, then its name. */
static int put_in_place(const struct job *j, struct err *err)
{
    char path[MAILFILE_PATH_MAX];
    int fd, rc;

    rel(j, "rebuild.db", path);
    fd = openat(j->dirfd, path, O_RDWR | O_CLOEXEC);
    rc = fd == -1 || fchmod(fd, INDEX_FILE_MODE) == -1 || fsync(fd) == -1
             ? err_sys(err, "make %s durable", path)
             : 0;
    if (fd != -1)
        (void)close(fd);
    if (rc == -1 || drop(j, "rebuild.db-wal", err) == -1 ||
        drop(j, "rebuild.db-shm", err) == -1 ||
        move(j, "rebuild.db", "index.db", err) == -1)
        return -1;
    return sync_shard(j, err);
}

static int rebuild(struct job *j, const char *path, struct err *err)
{
    int rc = -1;

    j->ix = open_copy(j, path, err);
    if (j->ix == NULL)
        return err_wrap(err, "make the index of mail/%02u again", j->number);
    if (fill(j, err) == 0 && index_flatten(j->ix, err) == 0)
        rc = 0;
    index_close(&j->ix);
    if (rc == -1 || put_in_place(j, err) == -1)
        return err_wrap(err, "make the index of mail/%02u again", j->number);
    j->r->is_done = true;
    return 0;
}

/* Is there an account with mail, or a trace of an index? */
static int note_account(struct job *j, const char *folder, const char *name,
                        struct err *err)
{
    uint64_t id;

    (void)folder;
    (void)err;
    if (span_to_u64(span_str(name), UINT64_MAX, &id))
        j->in_batch = 1;
    return 0;
}

static bool is_lost(struct job *j)
{
    char folder[MAILFILE_PATH_MAX];
    struct stat st;
    struct err err;

    if (is_there(j, "index.db", &st) && st.st_size > 0)
        return false;
    (void)snprintf(folder, sizeof(folder), "mail/%02u", j->number);
    j->in_batch = 0;
    (void)each_name(j, folder, note_account, &err);
    return j->in_batch > 0 || is_there(j, "snapshot.db", &st);
}

static struct index *open_checked(const char *path, struct err *err)
{
    struct index *ix = index_open(path, err);

    if (ix != NULL && index_check(ix, err) != INDEX_OK)
        index_close(&ix);
    return ix;
}

struct index *rebuild_open(int dirfd, unsigned number, const char *path, int64_t now_s,
                           struct rebuild *r, struct err *err)
{
    struct job j = {.dirfd = dirfd, .number = number, .now_s = now_s, .r = r};
    struct index *ix = NULL;

    memset(r, 0, sizeof(*r));
    if (is_lost(&j)) {
        (void)snprintf(r->why, sizeof(r->why), "the index was missing");
    } else {
        ix = open_checked(path, err);
        if (ix != NULL || err->sys != EUCLEAN)
            return ix;
        (void)snprintf(r->why, sizeof(r->why), "%s", err->text);
        if (move_aside(&j, err) == -1)
            return NULL;
    }
    j.in_batch = 0;
    return rebuild(&j, path, err) == -1 ? NULL : index_open(path, err);
}
