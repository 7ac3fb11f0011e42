/* SPDX-License-Identifier: ISC */
/* maild/store/blob.c
 *
 * Small message:  [ leading record ][ message            ]   written whole from memory
 * Large message:  [ leading record ][ hole ][ front ][ rest of the body ]
 *                 0                         ^ offset  ^ BLOB_BODY_AT + skip
 *                 the body was received at BLOB_BODY_AT before anything else was known; the
 *                 header fields that come in front (and replace the body's first `skip`
 *                 octets when the header was changed) are written right before what stays.
 *
 * Invariant: a name in D/mail/blobs/<ab>/ never stands for other octets than those of its
 * first writing. Writing again (replay) goes into the same inode, since mailboxes may hold
 * hard links to it.
 *
 * Over 500 lines because the store's one folder has one owner: small files, large ones on
 * their way in, their names, their sweep. */
#include "maild/store/blob.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/hash.h"
#include "base/core/mem.h"
#include "base/core/wire.h"

#define BLOB_MAGIC   0x4c425053u /* "SPBL" */
#define BLOB_VERSION 1u
#define CRC_AT       12u
#define FIXED        60u /* octets in front of the envelope */
/* For the group, too: the mailbox role, another user, makes hard links to blobs, and Linux
 * lets it only where it could write (fs.protected_hardlinks). The umask has the last word. */
#define FILE_MODE 0660
#define PREFIX    2u /* characters of the id that name the folder */
#define BODY_DIR  "tmp"

struct blob_store {
    const struct fsops *fs;
    int dirfd;
    char *dir;
};

/* Leading record ---------------------------------------------------------------------- */

size_t blob_head_size(size_t n)
{
    return FIXED + n;
}

int blob_head_encode(const struct blob_head *h, struct buf *out)
{
    const size_t from = out->len, length = blob_head_size(h->envelope.n);
    struct wr w;
    uint32_t crc;

    if (length > BLOB_HEAD_MAX || buf_reserve(out, length) == -1)
        return -1;
    wr_init(&w, out);
    wr_le32(&w, BLOB_MAGIC);
    wr_le32(&w, BLOB_VERSION);
    wr_le32(&w, (uint32_t)length);
    wr_le32(&w, 0);
    wr_le64(&w, h->offset);
    wr_le64(&w, h->size);
    wr_le64(&w, (uint64_t)h->accepted_s);
    wr_bytes(&w, span_of(h->id.b, MSGID_OCTETS));
    wr_le32(&w, (uint32_t)h->envelope.n);
    wr_bytes(&w, h->envelope);
    assert(!w.is_bad && out->len == from + length);
    crc = crc32c(0, span_of(out->data + from + CRC_AT + 4, length - CRC_AT - 4));
    for (size_t i = 0; i < 4; i++)
        out->data[from + CRC_AT + i] = (uint8_t)(crc >> (8 * i) & 0xff);
    return 0;
}

bool blob_head_decode(struct span in, struct blob_head *h)
{
    uint32_t length, crc, n;
    struct span id;
    struct rd r;

    rd_init(&r, in);
    if (rd_le32(&r) != BLOB_MAGIC || rd_le32(&r) != BLOB_VERSION)
        return false;
    length = rd_le32(&r);
    crc = rd_le32(&r);
    if (r.is_bad || length < FIXED || length > in.n ||
        crc != crc32c(0, span_drop(span_take(in, length), CRC_AT + 4)))
        return false;
    h->offset = rd_le64(&r);
    h->size = rd_le64(&r);
    h->accepted_s = (int64_t)rd_le64(&r);
    id = rd_bytes(&r, MSGID_OCTETS);
    n = rd_le32(&r);
    h->envelope = rd_bytes(&r, n);
    if (r.is_bad || FIXED + n != length || h->offset < length)
        return false;
    memcpy(h->id.b, id.p, MSGID_OCTETS);
    return true;
}

/* Names ------------------------------------------------------------------------------- */

/* "ab/abcdef...": below D/mail/blobs. */
static void short_path(const struct msgid *id, char path[BLOB_PATH_MAX])
{
    char text[MSGID_TEXT + 1];

    msgid_print(id, text);
    (void)snprintf(path, BLOB_PATH_MAX, "%.*s/%s", (int)PREFIX, text, text);
}

void blob_path(const struct msgid *id, char path[BLOB_PATH_MAX])
{
    char rest[BLOB_PATH_MAX];

    short_path(id, rest);
    (void)snprintf(path, BLOB_PATH_MAX, "mail/blobs/%.40s", rest);
}

static int make_prefix_dir(const struct blob_store *bs, const char *path)
{
    char dir[PREFIX + 1];

    memcpy(dir, path, PREFIX);
    dir[PREFIX] = '\0';
    if (bs->fs->mkdir(bs->fs, bs->dirfd, dir, 0750) == -1 && errno != EEXIST)
        return -1;
    return 0;
}

/* Store ------------------------------------------------------------------------------- */

struct blob_store *blob_store_open(const struct fsops *fs, const char *data_dir,
                                   struct err *err)
{
    struct blob_store *bs = mem_new(1, sizeof(*bs));
    struct buf path;

    buf_init(&path, 4096);
    bs->fs = fs;
    bs->dirfd = -1;
    if (buf_printf(&path, "%s/mail/blobs", data_dir) == -1 || buf_byte(&path, 0) == -1)
        err_set(err, "%s: name too long", data_dir);
    else {
        bs->dir = mem_strdup((const char *)path.data);
        bs->dirfd = fsops_open_dir(fs, bs->dir, err);
    }
    buf_free(&path);
    if (bs->dirfd == -1)
        blob_store_close(&bs);
    return bs;
}

void blob_store_close(struct blob_store **bsp)
{
    struct blob_store *bs = *bsp;

    *bsp = NULL;
    if (bs == NULL)
        return;
    if (bs->dirfd != -1)
        (void)close(bs->dirfd);
    free(bs->dir);
    free(bs);
}

/* Open for writing, in a folder that may not exist yet. */
static int open_for_writing(const struct blob_store *bs, const char *path)
{
    const int flags = O_RDWR | O_CREAT;
    int fd = bs->fs->open(bs->fs, bs->dirfd, path, flags, FILE_MODE);

    if (fd == -1 && errno == ENOENT && make_prefix_dir(bs, path) == 0)
        fd = bs->fs->open(bs->fs, bs->dirfd, path, flags, FILE_MODE);
    return fd;
}

int blob_write(const struct blob_store *bs, struct blob_head *h, const struct span *parts,
               size_t n, struct err *err)
{
    char path[BLOB_PATH_MAX];
    struct buf file;
    struct stat st;
    int rc = -1, fd = -1, bad;

    h->offset = blob_head_size(h->envelope.n);
    h->size = 0;
    for (size_t i = 0; i < n; i++)
        h->size += parts[i].n;
    buf_init(&file, (size_t)(h->offset + h->size));
    short_path(&h->id, path);
    bad = buf_reserve(&file, file.max) | blob_head_encode(h, &file);
    for (size_t i = 0; i < n; i++)
        bad |= buf_span(&file, parts[i]);
    if (bad != 0) {
        err_set(err, "message file %s: envelope of %zu octets is too long", path,
                h->envelope.n);
        goto out;
    }
    fd = open_for_writing(bs, path);
    if (fd == -1 || fstat(fd, &st) == -1) {
        err_sys(err, "make message file %s/%s", bs->dir, path);
        goto out;
    }
    if (fsops_write(bs->fs, fd, buf_all(&file), 0) == -1 ||
        (st.st_size > (off_t)file.len &&
         bs->fs->truncate(bs->fs, fd, (off_t)file.len) == -1)) {
        err_sys(err, "write message file %s/%s", bs->dir, path);
        goto out;
    }
    rc = 0;
out:
    if (fd != -1)
        (void)close(fd);
    buf_free(&file);
    return rc;
}

/* Bodies on their way in ----------------------------------------------------------------- */

/* "tmp/abcdef...": the same file system, so that a rename is enough. */
static void body_path(const struct msgid *id, char path[BLOB_PATH_MAX])
{
    char text[MSGID_TEXT + 1];

    msgid_print(id, text);
    (void)snprintf(path, BLOB_PATH_MAX, BODY_DIR "/%s", text);
}

int blob_body_open(const struct blob_store *bs, const struct msgid *id, struct err *err)
{
    const int flags = O_RDWR | O_CREAT | O_EXCL;
    char path[BLOB_PATH_MAX];
    int fd;

    body_path(id, path);
    fd = bs->fs->open(bs->fs, bs->dirfd, path, flags, FILE_MODE);
    if (fd == -1 && errno == ENOENT &&
        (bs->fs->mkdir(bs->fs, bs->dirfd, BODY_DIR, 0750) == 0 || errno == EEXIST))
        fd = bs->fs->open(bs->fs, bs->dirfd, path, flags, FILE_MODE);
    if (fd == -1)
        return err_sys(err, "make a file for a large message, %s/%s", bs->dir, path);
    (void)lseek(fd, BLOB_BODY_AT, SEEK_SET);
    return fd;
}

int blob_body_drop(const struct blob_store *bs, const struct msgid *id, struct err *err)
{
    char path[BLOB_PATH_MAX];

    body_path(id, path);
    if (bs->fs->unlink(bs->fs, bs->dirfd, path) == -1 && errno != ENOENT)
        return err_sys(err, "remove %s/%s", bs->dir, path);
    return 0;
}

/* `fd` came back from another role: it must be the file that was made for this message. */
static bool is_body_of(const struct blob_store *bs, int fd, const struct msgid *id)
{
    char path[BLOB_PATH_MAX];
    struct stat a, b;

    body_path(id, path);
    return fstat(fd, &a) == 0 && fstatat(bs->dirfd, path, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int name_file(const struct blob_store *bs, const struct msgid *id,
                     const char *path)
{
    char from[BLOB_PATH_MAX];
    int rc;

    body_path(id, from);
    rc = bs->fs->rename(bs->fs, bs->dirfd, from, bs->dirfd, path);
    if (rc == -1 && errno == ENOENT && make_prefix_dir(bs, path) == 0)
        rc = bs->fs->rename(bs->fs, bs->dirfd, from, bs->dirfd, path);
    return rc;
}

int blob_adopt(const struct blob_store *bs, int fd, struct blob_head *h,
               struct span front, uint64_t skip, uint64_t body_size, struct err *err)
{
    char path[BLOB_PATH_MAX];
    struct buf head;
    struct stat st;
    int rc = -1;

    buf_init(&head, BLOB_HEAD_MAX);
    short_path(&h->id, path);
    if (skip > body_size || front.n > BLOB_BODY_AT - BLOB_HEAD_MAX + skip) {
        err_set(err, "message file %s: header of %zu octets is too long", path, front.n);
        goto out;
    }
    if (!is_body_of(bs, fd, &h->id)) {
        err_set(err, "message file %s: not the file that was given out for it", path);
        goto out;
    }
    if (fstat(fd, &st) == -1 || st.st_size < (off_t)(BLOB_BODY_AT + body_size)) {
        err_set(err, "message file %s: fewer octets than were announced", path);
        goto out;
    }
    h->offset = BLOB_BODY_AT + skip - front.n;
    h->size = front.n + body_size - skip;
    if (blob_head_encode(h, &head) == -1) {
        err_set(err, "message file %s: envelope of %zu octets is too long", path,
                h->envelope.n);
        goto out;
    }
    if (fsops_write(bs->fs, fd, buf_all(&head), 0) == -1 ||
        fsops_write(bs->fs, fd, front, h->offset) == -1 ||
        bs->fs->truncate(bs->fs, fd, (off_t)(h->offset + h->size)) == -1 ||
        bs->fs->data_sync(bs->fs, fd) == -1 || name_file(bs, &h->id, path) == -1) {
        err_sys(err, "write message file %s/%s", bs->dir, path);
        goto out;
    }
    rc = blob_sync_names(bs, &h->id, err);
out:
    buf_free(&head);
    return rc;
}

int blob_open(const struct blob_store *bs, const struct msgid *id, struct err *err)
{
    char path[BLOB_PATH_MAX];
    int fd;

    short_path(id, path);
    fd = openat(bs->dirfd, path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return err_sys(err, "open message file %s/%s", bs->dir, path);
    return fd;
}

int blob_open_head(const struct blob_store *bs, const struct msgid *id, struct buf *space,
                   struct blob_head *h, struct err *err)
{
    char path[BLOB_PATH_MAX];
    int fd = blob_open(bs, id, err);
    struct stat st;
    ssize_t n;

    if (fd == -1)
        return -1;
    short_path(id, path);
    buf_reset(space);
    if (buf_reserve(space, BLOB_HEAD_MAX) == -1) {
        err_set(err, "message file %s: no room for its head", path);
        goto fail;
    }
    n = pread(fd, space->data, BLOB_HEAD_MAX, 0);
    if (n == -1 || fstat(fd, &st) == -1) {
        err_sys(err, "read message file %s/%s", bs->dir, path);
        goto fail;
    }
    space->len = (size_t)n;
    if (!blob_head_decode(buf_all(space), h) || !msgid_eq(&h->id, id) ||
        st.st_size < (off_t)(h->offset + h->size)) {
        err_set(err, "message file %s/%s is damaged", bs->dir, path);
        goto fail;
    }
    return fd;
fail:
    (void)close(fd);
    return -1;
}

/* -1: gone, which is no fault, or *err is set. */
static int open_to_sync(const struct blob_store *bs, const struct msgid *id,
                        struct err *err)
{
    char path[BLOB_PATH_MAX];
    int fd;

    short_path(id, path);
    fd = openat(bs->dirfd, path, O_RDWR | O_CLOEXEC);
    if (fd == -1 && errno != ENOENT)
        err_sys(err, "open message file %s/%s", bs->dir, path);
    return fd;
}

int blob_sync(const struct blob_store *bs, const struct msgid *ids, size_t n,
              struct err *err)
{
    int fds[BLOB_SYNC_MAX], rc = 0;

    assert(n <= BLOB_SYNC_MAX);
    err->text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        fds[i] = open_to_sync(bs, &ids[i], err);
        if (fds[i] != -1)
            (void)bs->fs->write_back(bs->fs, fds[i]);
    }
    if (err->text[0] != '\0')
        rc = -1;
    for (size_t i = 0; i < n; i++) {
        if (rc == 0 && fds[i] != -1 && bs->fs->data_sync(bs->fs, fds[i]) == -1) {
            char path[BLOB_PATH_MAX];

            short_path(&ids[i], path);
            rc = err_sys(err, "make message file %s/%s durable", bs->dir, path);
        }
        if (fds[i] != -1)
            (void)close(fds[i]);
    }
    return rc;
}

int blob_sync_names(const struct blob_store *bs, const struct msgid *id, struct err *err)
{
    char path[BLOB_PATH_MAX];
    int fd, rc = 0;

    short_path(id, path);
    path[PREFIX] = '\0';
    fd = openat(bs->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1 && errno == ENOENT)
        return 0;
    if (fd == -1 || bs->fs->dir_sync(bs->fs, fd) == -1 ||
        bs->fs->dir_sync(bs->fs, bs->dirfd) == -1)
        rc = err_sys(err, "make folder %s/%s durable", bs->dir, path);
    if (fd != -1)
        (void)close(fd);
    return rc;
}

int blob_remove(const struct blob_store *bs, const struct msgid *id, struct err *err)
{
    char path[BLOB_PATH_MAX];

    short_path(id, path);
    if (bs->fs->unlink(bs->fs, bs->dirfd, path) == -1 && errno != ENOENT)
        return err_sys(err, "remove message file %s/%s", bs->dir, path);
    return 0;
}

static int list_folder(int dirfd, const char *name,
                       int (*fn)(void *ctx, const struct msgid *id), void *ctx,
                       struct err *err)
{
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd == -1 ? NULL : fdopendir(fd);
    struct dirent *e;
    int rc = 0;

    if (d == NULL) {
        err_sys(err, "read folder %s", name);
        if (fd != -1)
            (void)close(fd);
        return -1;
    }
    while (rc == 0 && (e = readdir(d)) != NULL) {
        struct msgid id;

        if (msgid_parse(span_str(e->d_name), &id))
            rc = fn(ctx, &id);
    }
    (void)closedir(d);
    return rc == 0 ? 0 : err_set(err, "stopped");
}

int blob_list(const struct blob_store *bs, int (*fn)(void *ctx, const struct msgid *id),
              void *ctx, struct err *err)
{
    int fd = openat(bs->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd == -1 ? NULL : fdopendir(fd);
    struct dirent *e;
    int rc = 0;

    if (d == NULL) {
        err_sys(err, "read folder %s", bs->dir);
        if (fd != -1)
            (void)close(fd);
        return -1;
    }
    while (rc == 0 && (e = readdir(d)) != NULL) {
        if (strlen(e->d_name) == PREFIX && e->d_name[0] != '.')
            rc = list_folder(bs->dirfd, e->d_name, fn, ctx, err);
    }
    (void)closedir(d);
    return rc;
}

struct body_sweep {
    const struct blob_store *bs;
    struct err *err;
    size_t n;
};

static int sweep_body(void *ctx, const struct msgid *id)
{
    struct body_sweep *w = ctx;

    w->n++;
    return blob_body_drop(w->bs, id, w->err);
}

int blob_body_sweep(const struct blob_store *bs, size_t *n, struct err *err)
{
    struct body_sweep w = {.bs = bs, .err = err};
    int rc = 0;

    if (faccessat(bs->dirfd, BODY_DIR, F_OK, 0) == 0)
        rc = list_folder(bs->dirfd, BODY_DIR, sweep_body, &w, err);
    *n = w.n;
    return rc;
}
