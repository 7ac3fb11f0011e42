/* SPDX-License-Identifier: ISC */
/* maild/store/fsops.c - the calls as the system makes them, and two things made of them.
 *
 * Invariants:
 *  1. A row of the table is one system call with its one fallback and no decision of ours, so
 *     that a test which fails row n fails what the disk would have failed.
 *  2. fsops_write() writes all or fails; what was written before the failure stays.
 *  3. A folder that fsops_open_dir() made has a durable name when it returns. */
#include "maild/store/fsops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int sys_open(const struct fsops *fs, int dirfd, const char *path, int flags,
                    mode_t mode)
{
    (void)fs;
    return openat(dirfd, path, flags | O_CLOEXEC, mode);
}

static ssize_t sys_pwrite(const struct fsops *fs, int fd, const void *p, size_t n,
                          off_t at)
{
    (void)fs;
    return pwrite(fd, p, n, at);
}

static int sys_allocate(const struct fsops *fs, int fd, off_t octets)
{
    int rc = fallocate(fd, 0, 0, octets);

    (void)fs;
    /* A file system without it: the size alone must do; a full disk is then found by
     * the first write into the hole. */
    if (rc == -1 && (errno == EOPNOTSUPP || errno == ENOSYS))
        rc = ftruncate(fd, octets);
    return rc;
}

static int sys_truncate(const struct fsops *fs, int fd, off_t octets)
{
    (void)fs;
    return ftruncate(fd, octets);
}

static int sys_data_sync(const struct fsops *fs, int fd)
{
    (void)fs;
    return fdatasync(fd);
}

static int sys_dir_sync(const struct fsops *fs, int dirfd)
{
    (void)fs;
    return fsync(dirfd);
}

static int sys_write_back(const struct fsops *fs, int fd)
{
    (void)fs;
    return sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

static int sys_link(const struct fsops *fs, int fromdir, const char *from, int todir,
                    const char *to)
{
    (void)fs;
    return linkat(fromdir, from, todir, to, 0);
}

static int sys_rename(const struct fsops *fs, int fromdir, const char *from, int todir,
                      const char *to)
{
    (void)fs;
    return renameat(fromdir, from, todir, to);
}

static int sys_unlink(const struct fsops *fs, int dirfd, const char *path)
{
    (void)fs;
    return unlinkat(dirfd, path, 0);
}

static int sys_mkdir(const struct fsops *fs, int dirfd, const char *path, mode_t mode)
{
    (void)fs;
    return mkdirat(dirfd, path, mode);
}

const struct fsops *fsops_system(void)
{
    static const struct fsops system_ops = {
        .open = sys_open,
        .pwrite = sys_pwrite,
        .allocate = sys_allocate,
        .truncate = sys_truncate,
        .data_sync = sys_data_sync,
        .dir_sync = sys_dir_sync,
        .write_back = sys_write_back,
        .link = sys_link,
        .rename = sys_rename,
        .unlink = sys_unlink,
        .mkdir = sys_mkdir,
    };

    return &system_ops;
}

int fsops_write(const struct fsops *fs, int fd, struct span s, uint64_t at)
{
    while (s.n > 0) {
        ssize_t n = fs->pwrite(fs, fd, s.p, s.n, (off_t)at);

        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = ENOSPC;
            return -1;
        }
        at += (uint64_t)n;
        s = span_drop(s, (size_t)n);
    }
    return 0;
}

/* The name of the folder `path` just made, in the folder above it. */
static int sync_name(const struct fsops *fs, const char *path, struct err *err)
{
    char parent[4096];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - path);
    int fd, rc = 0;

    (void)snprintf(parent, sizeof(parent), "%.*s", (int)n, path);
    fd = fs->open(fs, AT_FDCWD,
                  n > 0           ? parent
                  : slash == path ? "/"
                                  : ".",
                  O_RDONLY | O_DIRECTORY, 0);
    if (fd == -1 || fs->dir_sync(fs, fd) == -1)
        rc = err_sys(err, "make the name of folder %s durable", path);
    if (fd != -1)
        (void)close(fd);
    return rc;
}

/* mkdir -p, without complaint about what exists. What is promised in a folder is lost with
 * its name, so the names of new ones are made durable. */
static int make_dirs(const struct fsops *fs, const char *path, struct err *err)
{
    char part[4096];

    if (!span_copy(span_str(path), part, sizeof(part)))
        return err_set(err, "%s: name too long", path);
    for (char *p = part + 1;; p++) {
        char c = *p;

        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (fs->mkdir(fs, AT_FDCWD, part, 0750) == 0) {
            if (sync_name(fs, part, err) == -1)
                return -1;
        } else if (errno != EEXIST)
            return err_sys(err, "make folder %s", part);
        if (c == '\0')
            return 0;
        *p = c;
    }
}

int fsops_open_dir(const struct fsops *fs, const char *path, struct err *err)
{
    int fd = fs->open(fs, AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);

    if (fd == -1 && errno == ENOENT) {
        if (make_dirs(fs, path, err) == -1)
            return -1;
        fd = fs->open(fs, AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
    }
    if (fd == -1)
        return err_sys(err, "open folder %s", path);
    if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == -1) {
        err_sys(err, "write to folder %s", path);
        (void)close(fd);
        return -1;
    }
    return fd;
}
