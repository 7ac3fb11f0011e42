/* SPDX-License-Identifier: ISC */
/* tests/unit/maild/store/fs_sandbox.h - file calls that can be counted, failed, stopped and
 * forgotten.
 *
 * Real files in a real folder, with three ways to go wrong at call number `at`:
 *     FSBOX_FAIL   this one call fails with `error`
 *     FSBOX_STOP   this and every later call fails with EIO and does nothing: the process
 *                    was killed, what the kernel has stays
 *     FSBOX_EXIT   the process really ends, as by kill -9
 * or from now on with FSBOX_FULL: nothing that needs room succeeds (ENOSPC).
 * fsbox_power_loss() then takes back everything that was not synced: contents by file,
 * names by folder. With `keep` it keeps a random part of the contents, as disks do. */
#ifndef TESTS_UNIT_MAILD_STORE_FS_SANDBOX_H
#define TESTS_UNIT_MAILD_STORE_FS_SANDBOX_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/core/rng.h"
#include "maild/store/fsops.h"

enum fsbox_mode { FSBOX_COUNT, FSBOX_FAIL, FSBOX_STOP, FSBOX_EXIT, FSBOX_FULL };

/* One change that is not durable yet. */
struct fsbox_undo {
    enum {
        UNDO_WRITE,
        UNDO_SIZE,
        UNDO_CREATE,
        UNDO_RENAME,
        UNDO_UNLINK,
        UNDO_MKDIR
    } what;
    ino_t ino; /* file of WRITE and SIZE, folder of the others */
    int fd;    /* the file, or the folder, kept open */
    uint64_t at;
    uint8_t *old;
    size_t n;
    char from[64], to[64];
};

struct fsbox {
    struct fsops ops; /* first */
    const struct fsops *sys;
    enum fsbox_mode mode;
    int error;
    unsigned calls, at;
    struct fsbox_undo *undo;
    size_t n, cap;
    unsigned graves;
};

/* Calls so far, in whatever thread. */
static inline unsigned fsbox_calls(const struct fsbox *s)
{
    return __atomic_load_n(&s->calls, __ATOMIC_SEQ_CST);
}

static bool fsbox_stops(const struct fsops *fs)
{
    struct fsbox *s = (struct fsbox *)(void *)(uintptr_t)fs;
    unsigned call = __atomic_add_fetch(&s->calls, 1, __ATOMIC_SEQ_CST);

    if (s->mode == FSBOX_EXIT && call == s->at)
        (void)kill(getpid(), SIGKILL);
    if ((s->mode == FSBOX_FAIL && call == s->at) ||
        (s->mode == FSBOX_STOP && call >= s->at)) {
        errno = s->mode == FSBOX_FAIL ? s->error : EIO;
        return true;
    }
    return false;
}

static struct fsbox *fsbox_of(const struct fsops *fs)
{
    return (struct fsbox *)(void *)(uintptr_t)fs;
}

static ino_t ino_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static struct fsbox_undo *fsbox_note(struct fsbox *s, int what, int fd)
{
    struct fsbox_undo *u;

    if (s->n == s->cap) {
        s->cap = s->cap == 0 ? 64 : 2 * s->cap;
        s->undo = mem_resize(s->undo, s->cap, sizeof(*s->undo));
    }
    u = &s->undo[s->n++];
    memset(u, 0, sizeof(*u));
    u->what = what;
    u->ino = ino_of(fd);
    u->fd = dup(fd);
    return u;
}

/* Durable now: forget how to undo it. */
static void fsbox_commit(struct fsbox *s, ino_t ino, bool is_folder)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->n; i++) {
        struct fsbox_undo *u = &s->undo[i];

        if (u->ino == ino && (u->what >= UNDO_CREATE) == is_folder) {
            if (u->what == UNDO_UNLINK)
                (void)unlinkat(u->fd, u->to, 0);
            (void)close(u->fd);
            free(u->old);
            continue;
        }
        s->undo[kept++] = *u;
    }
    s->n = kept;
}

static bool fsbox_is_full(const struct fsops *fs)
{
    if (fsbox_of(fs)->mode != FSBOX_FULL)
        return false;
    errno = ENOSPC;
    return true;
}

static int sb_open(const struct fsops *fs, int dirfd, const char *path, int flags,
                   mode_t mode)
{
    struct fsbox *s = fsbox_of(fs);
    bool is_new;
    int fd;

    if (fsbox_stops(fs))
        return -1;
    is_new = (flags & O_CREAT) != 0 && faccessat(dirfd, path, F_OK, 0) == -1;
    fd = s->sys->open(s->sys, dirfd, path, flags & ~O_TRUNC, mode);
    /* of a file nobody needs: not undone */
    if (fd != -1 && (flags & O_TRUNC) != 0 && ftruncate(fd, 0) == -1)
        abort();
    if (fd != -1 && is_new && dirfd != AT_FDCWD) {
        /* the name belongs to the folder that holds it */
        char dir[64];
        const char *slash = strrchr(path, '/');
        int parent;

        (void)snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) : 1,
                       slash ? path : ".");
        parent = openat(dirfd, dir, O_RDONLY | O_DIRECTORY);
        (void)snprintf(fsbox_note(s, UNDO_CREATE, parent)->from, 64, "%s",
                       slash ? slash + 1 : path);
        (void)close(parent);
    }
    return fd;
}

static ssize_t sb_pwrite(const struct fsops *fs, int fd, const void *p, size_t n,
                         off_t at)
{
    struct fsbox *s = fsbox_of(fs);
    struct fsbox_undo *u;
    struct stat st;
    ssize_t old;

    if (fsbox_stops(fs) || fsbox_is_full(fs))
        return -1;
    (void)fstat(fd, &st);
    u = fsbox_note(s, UNDO_WRITE, fd);
    u->at = (uint64_t)at;
    u->old = mem_new(1, n + 1);
    old = pread(fd, u->old, n, at);
    u->n = old > 0 ? (size_t)old : 0;
    if (st.st_size < at + (off_t)n) {
        u = fsbox_note(s, UNDO_SIZE, fd);
        u->at = (uint64_t)st.st_size;
    }
    return pwrite(fd, p, n, at);
}

static int sb_allocate(const struct fsops *fs, int fd, off_t octets)
{
    return fsbox_stops(fs) || fsbox_is_full(fs) ? -1 : fallocate(fd, 0, 0, octets);
}

static int sb_truncate(const struct fsops *fs, int fd, off_t octets)
{
    return fsbox_stops(fs) ? -1 : ftruncate(fd, octets);
}

static int sb_data_sync(const struct fsops *fs, int fd)
{
    if (fsbox_stops(fs))
        return -1;
    fsbox_commit(fsbox_of(fs), ino_of(fd), false);
    return 0;
}

static int sb_dir_sync(const struct fsops *fs, int dirfd)
{
    if (fsbox_stops(fs))
        return -1;
    fsbox_commit(fsbox_of(fs), ino_of(dirfd), true);
    return 0;
}

static int sb_write_back(const struct fsops *fs, int fd)
{
    (void)fd;
    return fsbox_stops(fs) ? -1 : 0;
}

static int sb_link(const struct fsops *fs, int fromdir, const char *from, int todir,
                   const char *to)
{
    return fsbox_stops(fs) ? -1 : linkat(fromdir, from, todir, to, 0);
}

static int sb_rename(const struct fsops *fs, int fromdir, const char *from, int todir,
                     const char *to)
{
    struct fsbox_undo *u;

    if (fsbox_stops(fs))
        return -1;
    u = fsbox_note(fsbox_of(fs), UNDO_RENAME, fromdir);
    (void)snprintf(u->from, sizeof(u->from), "%s", from);
    (void)snprintf(u->to, sizeof(u->to), "%s", to);
    return renameat(fromdir, from, todir, to);
}

/* Put into a grave until the folder is synced. */
static int sb_unlink(const struct fsops *fs, int dirfd, const char *path)
{
    struct fsbox *s = fsbox_of(fs);
    struct fsbox_undo *u;
    const char *slash = strrchr(path, '/');
    char dir[64];
    int parent;

    if (fsbox_stops(fs))
        return -1;
    if (s->mode == FSBOX_EXIT)
        return unlinkat(dirfd, path, 0); /* nobody will undo it */
    if (faccessat(dirfd, path, F_OK, 0) == -1)
        return -1;
    (void)snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) : 1,
                   slash ? path : ".");
    parent = openat(dirfd, dir, O_RDONLY | O_DIRECTORY);
    u = fsbox_note(s, UNDO_UNLINK, parent);
    (void)snprintf(u->from, sizeof(u->from), "%s", slash ? slash + 1 : path);
    (void)snprintf(u->to, sizeof(u->to), ".grave-%u", s->graves++);
    (void)renameat(parent, u->from, parent, u->to);
    (void)close(parent);
    return 0;
}

static int sb_mkdir(const struct fsops *fs, int dirfd, const char *path, mode_t mode)
{
    /* Folders are not undone: an empty one has no meaning anywhere. */
    return fsbox_stops(fs) ? -1 : mkdirat(dirfd, path, mode);
}

static inline void fsbox_init(struct fsbox *s)
{
    memset(s, 0, sizeof(*s));
    s->sys = fsops_system();
    s->ops = (struct fsops){.open = sb_open,
                            .pwrite = sb_pwrite,
                            .allocate = sb_allocate,
                            .truncate = sb_truncate,
                            .data_sync = sb_data_sync,
                            .dir_sync = sb_dir_sync,
                            .write_back = sb_write_back,
                            .link = sb_link,
                            .rename = sb_rename,
                            .unlink = sb_unlink,
                            .mkdir = sb_mkdir};
}

/* Forget what was done without undoing it: the process was killed. */
static inline void fsbox_kill(struct fsbox *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->undo[i].what == UNDO_UNLINK)
            (void)unlinkat(s->undo[i].fd, s->undo[i].to, 0);
        (void)close(s->undo[i].fd);
        free(s->undo[i].old);
    }
    s->n = 0;
}

/* Undo, newest first. `keep` (or NULL): some contents reached the disk all the same. */
static inline void fsbox_power_loss(struct fsbox *s, struct rng *keep)
{
    while (s->n > 0) {
        struct fsbox_undo *u = &s->undo[--s->n];
        bool is_kept = keep != NULL && u->what <= UNDO_SIZE && rng_below(keep, 2) == 0;

        switch (u->what) {
        case UNDO_WRITE:
            if (!is_kept && pwrite(u->fd, u->old, u->n, (off_t)u->at) != (ssize_t)u->n)
                abort();
            break;
        case UNDO_SIZE:
            if (!is_kept && ftruncate(u->fd, (off_t)u->at) == -1)
                abort();
            break;
        case UNDO_CREATE:
            (void)unlinkat(u->fd, u->from, 0);
            break;
        case UNDO_RENAME:
            (void)renameat(u->fd, u->to, u->fd, u->from);
            break;
        case UNDO_UNLINK:
            (void)renameat(u->fd, u->to, u->fd, u->from);
            break;
        case UNDO_MKDIR:
            break;
        }
        (void)close(u->fd);
        free(u->old);
    }
}

static inline void fsbox_free(struct fsbox *s)
{
    fsbox_kill(s);
    free(s->undo);
}

#endif
