/* SPDX-License-Identifier: ISC */
/* Names: D/mail/NN/<account>/<ab>/<id>.<n>; NN and the first folder of an account keep
 * folders small, <ab> (two characters of the id) keeps an account's apart.
 *
 *   adopt    hard link of the queue's blob; its name is made durable by the next SETTLE
 *   publish  an APPEND: received as mail/NN/pending/<account>.<id>.<n>; then octets, name
 *            and folder durable, before anyone is told. The first name stays until the row is
 *            committed, so that what a crash leaves is found without walking everything
 *
 * Published files are never opened for writing. */
#include "maild/mailbox/mailfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_MODE 0750
#define FILE_MODE   0640
#define COPY_CHUNK  (64u * 1024u)

unsigned mailfile_shard(uint64_t account)
{
    return role_shard(account);
}

static void account_folder(uint64_t account, char path[MAILFILE_PATH_MAX])
{
    (void)snprintf(path, MAILFILE_PATH_MAX, "mail/%02u/%" PRIu64, mailfile_shard(account),
                   account);
}

void mailfile_folder(const struct index_file *f, char path[MAILFILE_PATH_MAX])
{
    char id[MSGID_TEXT + 1];

    msgid_print(&f->id, id);
    (void)snprintf(path, MAILFILE_PATH_MAX, "mail/%02u/%" PRIu64 "/%.2s",
                   mailfile_shard(f->account), f->account, id);
}

void mailfile_path(const struct index_file *f, char path[MAILFILE_PATH_MAX])
{
    char id[MSGID_TEXT + 1];

    msgid_print(&f->id, id);
    (void)snprintf(path, MAILFILE_PATH_MAX, "mail/%02u/%" PRIu64 "/%.2s/%s.%u",
                   mailfile_shard(f->account), f->account, id, id, f->number);
}

static int make_folder(int dirfd, const char *path, struct err *err)
{
    if (mkdirat(dirfd, path, FOLDER_MODE) == -1 && errno != EEXIST)
        return err_sys(err, "make folder %s", path);
    return 0;
}

static int sync_one(int dirfd, const char *folder, struct err *err)
{
    int fd = openat(dirfd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = 0;

    if (fd == -1 || fsync(fd) == -1)
        rc = err_sys(err, "make the names in %s durable", folder);
    if (fd != -1)
        (void)close(fd);
    return rc;
}

/* The folders of f's path below mail/NN. */
static int make_folders(int dirfd, const struct index_file *f, struct err *err)
{
    char path[MAILFILE_PATH_MAX];

    account_folder(f->account, path);
    if (make_folder(dirfd, path, err) == -1)
        return -1;
    mailfile_folder(f, path);
    return make_folder(dirfd, path, err);
}

int mailfile_prepare(int dirfd, struct err *err)
{
    char path[MAILFILE_PATH_MAX];

    if (make_folder(dirfd, "mail", err) == -1)
        return -1;
    for (unsigned i = 0; i < MAILFILE_SHARDS; i++) {
        (void)snprintf(path, sizeof(path), "mail/%02u", i);
        if (make_folder(dirfd, path, err) == -1)
            return -1;
        (void)snprintf(path, sizeof(path), "mail/%02u/pending", i);
        if (make_folder(dirfd, path, err) == -1)
            return -1;
        if (faccessat(dirfd, path, W_OK | X_OK, 0) == -1)
            return err_sys(err, "write to folder %s", path);
    }
    /* a row that is committed must not outlive the folders above its file */
    return sync_one(dirfd, "mail", err) == -1 ? -1 : sync_one(dirfd, ".", err);
}

int mailfile_write(int fd, struct span s, struct err *err)
{
    while (s.n > 0) {
        ssize_t n = write(fd, s.p, s.n);

        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            return err_sys(err, "write a message");
        s = span_drop(s, (size_t)n);
    }
    return 0;
}

/* With read and write: copy_file_range() refuses file systems of different kinds. */
static int copy_octets(int from, int to, struct err *err)
{
    uint8_t chunk[COPY_CHUNK];

    for (;;) {
        ssize_t n = read(from, chunk, sizeof(chunk));

        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            return err_sys(err, "read a message");
        if (n == 0)
            return 0;
        if (mailfile_write(to, span_of(chunk, (size_t)n), err) == -1)
            return -1;
    }
}

/* Where the file systems differ, or the file has all the links it may have. */
static int copy_file(int dirfd, const char *blob, const char *path, struct err *err)
{
    int from = openat(dirfd, blob, O_RDONLY | O_CLOEXEC), to = -1, rc = -1;

    if (from != -1)
        to = openat(dirfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (to == -1) {
        (void)err_sys(err, "copy %s to %s", blob, path);
        goto out;
    }
    if (copy_octets(from, to, err) == -1) {
        (void)err_wrap(err, "copy %s to %s", blob, path);
        goto out;
    }
    if (fdatasync(to) == -1) {
        (void)err_sys(err, "make %s durable", path);
        goto out;
    }
    rc = 0;
out:
    if (from != -1)
        (void)close(from);
    if (to != -1)
        (void)close(to);
    return rc;
}

static bool is_same_file(int dirfd, const char *a, const char *b)
{
    struct stat x, y;

    return fstatat(dirfd, a, &x, 0) == 0 && fstatat(dirfd, b, &y, 0) == 0 &&
           x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int mailfile_adopt(int dirfd, const char *blob, const struct index_file *f,
                   struct err *err)
{
    char path[MAILFILE_PATH_MAX];

    mailfile_path(f, path);
    if (linkat(dirfd, blob, dirfd, path, 0) == 0)
        return 0;
    if (errno == ENOENT) { /* no folder yet, or no such blob */
        if (make_folders(dirfd, f, err) == -1)
            return -1;
        if (linkat(dirfd, blob, dirfd, path, 0) == 0)
            return 0;
    }
    if (errno == EEXIST) { /* of an earlier delivery: ours, a copy, or lost its octets */
        if (is_same_file(dirfd, blob, path))
            return 0;
        if (unlinkat(dirfd, path, 0) == -1)
            return err_sys(err, "remove %s", path);
        if (linkat(dirfd, blob, dirfd, path, 0) == 0)
            return 0;
    }
    if (errno == EMLINK || errno == EXDEV)
        return copy_file(dirfd, blob, path, err);
    return err_sys(err, "link %s to %s", blob, path);
}

/* ---- pending ---- */

static void pending_path(const struct index_file *f, char path[MAILFILE_PATH_MAX])
{
    char id[MSGID_TEXT + 1];

    msgid_print(&f->id, id);
    (void)snprintf(path, MAILFILE_PATH_MAX, "mail/%02u/pending/%" PRIu64 ".%s.%u",
                   mailfile_shard(f->account), f->account, id, f->number);
}

void mailfile_settled(int dirfd, const struct index_file *f)
{
    char path[MAILFILE_PATH_MAX];

    pending_path(f, path);
    /* a name that stays is looked at again at the next start, and does no harm */
    (void)unlinkat(dirfd, path, 0);
}

static bool parse_pending(struct span name, struct index_file *f)
{
    struct span account, id, number;
    uint64_t n;

    memset(f, 0, sizeof(*f));
    if (!span_cut(name, '.', &account, &id) || !span_cut(id, '.', &id, &number) ||
        !span_to_u64(account, UINT64_MAX, &f->account) || !msgid_parse(id, &f->id) ||
        !span_to_u64(number, UINT32_MAX, &n))
        return false;
    f->number = (uint32_t)n;
    return true;
}

int mailfile_pending(int dirfd, unsigned shard,
                     void (*fn)(void *ctx, const struct index_file *f), void *ctx,
                     struct err *err)
{
    char path[MAILFILE_PATH_MAX];
    const struct dirent *e;
    DIR *dir;
    int fd;

    (void)snprintf(path, sizeof(path), "mail/%02u/pending", shard);
    fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir = fd == -1 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        if (fd != -1)
            (void)close(fd);
        return err_sys(err, "read folder %s", path);
    }
    while ((e = readdir(dir)) != NULL) {
        struct index_file f;

        if (parse_pending(span_str(e->d_name), &f))
            fn(ctx, &f);
    }
    (void)closedir(dir);
    return 0;
}

int mailfile_tmp(int dirfd, const struct index_file *f, struct err *err)
{
    char path[MAILFILE_PATH_MAX];
    int fd;

    pending_path(f, path);
    fd = openat(dirfd, path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, FILE_MODE);
    return fd == -1 ? err_sys(err, "make a file %s", path) : fd;
}

int mailfile_publish(int dirfd, int fd, const struct index_file *f, struct err *err)
{
    char path[MAILFILE_PATH_MAX], pending[MAILFILE_PATH_MAX];

    if (make_folders(dirfd, f, err) == -1)
        return -1;
    mailfile_path(f, path);
    if (fdatasync(fd) == -1)
        return err_sys(err, "make %s durable", path);
    pending_path(f, pending);
    if (linkat(dirfd, pending, dirfd, path, 0) == -1)
        return err_sys(err, "name a message %s", path);
    mailfile_folder(f, path);
    return mailfile_sync_folder(dirfd, path, err);
}

int mailfile_open(int dirfd, const struct index_file *f, struct err *err)
{
    char path[MAILFILE_PATH_MAX];
    int fd;

    mailfile_path(f, path);
    fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
    return fd == -1 ? err_sys(err, "open %s", path) : fd;
}

int mailfile_read(int fd, uint64_t at, void *dst, size_t n, struct err *err)
{
    uint8_t *to = dst;

    while (n > 0) {
        ssize_t got = pread(fd, to, n, (off_t)at);

        if (got == -1 && errno == EINTR)
            continue;
        if (got == -1)
            return err_sys(err, "read a message");
        if (got == 0)
            return err_set(err, "a message file is shorter than the index says");
        to += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

int mailfile_remove(int dirfd, const struct index_file *f, struct err *err)
{
    char path[MAILFILE_PATH_MAX];

    mailfile_path(f, path);
    if (unlinkat(dirfd, path, 0) == -1 && errno != ENOENT)
        return err_sys(err, "remove %s", path);
    return 0;
}

int mailfile_sync_folder(int dirfd, const char *folder, struct err *err)
{
    char path[MAILFILE_PATH_MAX], *slash;

    if (!span_copy(span_str(folder), path, sizeof(path)))
        return err_set(err, "the path %s is too long", folder);
    /* upwards below mail/: each folder may be new. A sync without changes costs nothing. */
    while ((slash = strrchr(path, '/')) != NULL) {
        if (sync_one(dirfd, path, err) == -1)
            return -1;
        *slash = '\0';
    }
    return 0;
}
