/* SPDX-License-Identifier: ISC */
/* maild/mailbox/mailfile.h - the message files of accounts: link, write, read, remove.
 *
 * Why:       a message at rest is one immutable file, D/mail/NN/<account>/<ab>/<id>.<n>, a
 *            hard link of the queue's blob where it came by mail; every file call of the
 *            mailbox role is here.
 * Ownership: `dirfd` is the data directory's descriptor, the caller's.
 * Threads:   any; calls may sleep in the kernel: pool jobs only. */
#ifndef MAILD_MAILBOX_MAILFILE_H
#define MAILD_MAILBOX_MAILFILE_H

#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/span.h"
#include "maild/mailbox/index.h"
#include "maild/roles.h"

#define MAILFILE_SHARDS   ROLE_SHARDS /* fixed: it is part of every path */
#define MAILFILE_PATH_MAX 128

/* Which shard an account's mail and index live in. */
unsigned mailfile_shard(uint64_t account);
/* "mail/NN/<account>/<ab>/<id>.<n>", below the data directory. */
void mailfile_path(const struct index_file *f, char path[MAILFILE_PATH_MAX]);
/* The folder of that path. */
void mailfile_folder(const struct index_file *f, char path[MAILFILE_PATH_MAX]);

/* Make `f` another name of the file `blob` (below dirfd). When `f` stands there already it
 * must be the same file, else it is replaced: after a power loss an old link may lead to
 * octets that never reached the disk. Copies where no link can be made. Not synced.
 * 0, or -1; err->sys is ENOENT when there is no such blob. */
MUST_USE int mailfile_adopt(int dirfd, const char *blob, const struct index_file *f,
                            struct err *err);
/* A new file for a message that is being appended, named in mail/NN/pending until
 * mailfile_settled(): what a crash leaves there has no row and is removed at the next start.
 * (An unnamed file could not be named later: that needs /proc or a capability.) */
MUST_USE int mailfile_tmp(int dirfd, const struct index_file *f, struct err *err);
/* Append `s` to it. */
MUST_USE int mailfile_write(int fd, struct span s, struct err *err);
/* Make its octets and then its name durable. It keeps the one in mail/NN/pending: a crash
 * between its name and its row is found there at the next start. */
MUST_USE int mailfile_publish(int dirfd, int fd, const struct index_file *f,
                              struct err *err);
/* Descriptor for reading, or -1 (err->sys ENOENT when it is gone). */
MUST_USE int mailfile_open(int dirfd, const struct index_file *f, struct err *err);
/* `n` octets at `at`, all of them. */
MUST_USE int mailfile_read(int fd, uint64_t at, void *dst, size_t n, struct err *err);
/* Gone already is no error. */
MUST_USE int mailfile_remove(int dirfd, const struct index_file *f, struct err *err);
/* Make the names in a folder, and the folder's own name, durable. */
MUST_USE int mailfile_sync_folder(int dirfd, const char *folder, struct err *err);
/* Its row is committed, or the file was removed: it is not pending any more. */
void mailfile_settled(int dirfd, const struct index_file *f);
/* Call `fn` for each pending file of a shard. -1 when the folder cannot be read. */
MUST_USE int mailfile_pending(int dirfd, unsigned shard,
                              void (*fn)(void *ctx, const struct index_file *f),
                              void *ctx, struct err *err);
/* Make mail/NN of every shard. -1 names the one that cannot be made or written. */
MUST_USE int mailfile_prepare(int dirfd, struct err *err);

#endif
