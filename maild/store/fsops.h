/* SPDX-License-Identifier: ISC */
/* maild/store/fsops.h - the file calls of the store, as a table.
 *
 * Why:       a test must be able to stop the program between any two file calls, to fail any
 *            one of them, and to forget what was never synced (tests/unit/maild/store).
 * Ownership: the table outlives everything opened through it.
 * Threads:   the system's table is constant; a test's table locks inside.
 *
 * Only calls that change something on disk are in the table; reading goes to the kernel
 * directly. Each returns what the system call of the same name returns, with errno. */
#ifndef MAILD_STORE_FSOPS_H
#define MAILD_STORE_FSOPS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/span.h"

struct fsops {
    int (*open)(const struct fsops *fs, int dirfd, const char *path, int flags,
                mode_t mode);
    ssize_t (*pwrite)(const struct fsops *fs, int fd, const void *p, size_t n, off_t at);
    int (*allocate)(const struct fsops *fs, int fd, off_t octets); /* fallocate(2) */
    int (*truncate)(const struct fsops *fs, int fd, off_t octets);
    int (*data_sync)(const struct fsops *fs, int fd);   /* fdatasync(2) */
    int (*dir_sync)(const struct fsops *fs, int dirfd); /* fsync(2) of a directory */
    int (*write_back)(const struct fsops *fs, int fd);  /* begin, do not wait */
    int (*link)(const struct fsops *fs, int fromdir, const char *from, int todir,
                const char *to);
    int (*rename)(const struct fsops *fs, int fromdir, const char *from, int todir,
                  const char *to);
    int (*unlink)(const struct fsops *fs, int dirfd, const char *path);
    int (*mkdir)(const struct fsops *fs, int dirfd, const char *path, mode_t mode);
};

/* The kernel's. */
const struct fsops *fsops_system(void);

/* All of `s` at `at`, whatever the number of calls. 0, or -1 with errno. */
MUST_USE int fsops_write(const struct fsops *fs, int fd, struct span s, uint64_t at);
/* Open directory `path`, making it (0750) when it is missing; checks that files can be made
 * in it, so that a wrong owner is told at the start and not with the first message.
 * Descriptor, or -1 with *err. */
MUST_USE int fsops_open_dir(const struct fsops *fs, const char *path, struct err *err);

#endif
