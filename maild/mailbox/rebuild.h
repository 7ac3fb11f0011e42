/* SPDX-License-Identifier: ISC */
/* maild/mailbox/rebuild.h - an index that is lost or damaged is made again.
 *
 * Why:       mail is never lost with its index. Flags and mailboxes come from the last snapshot;
 *            every message file that has no row there goes to its account's INBOX.
 * Ownership: `path` is borrowed.
 * Threads:   the shard's database thread. Takes as long as reading all its mail takes.
 *
 * UIDs given after the snapshot are not known any more, so every mailbox gets a new UIDVALIDITY
 * (RFC 3501 2.3.1.1): clients load them anew, and no UID stands for two messages. */
#ifndef MAILD_MAILBOX_REBUILD_H
#define MAILD_MAILBOX_REBUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/err.h"
#include "maild/mailbox/index.h"

struct rebuild {
    bool is_done;       /* the index was made again, and the rest says how */
    bool has_snapshot;  /* else from nothing */
    int64_t snapshot_s; /* when it was taken */
    uint64_t put_back;  /* files without row, now in INBOX */
    uint64_t gone;      /* rows of the snapshot whose file is gone: expunged since */
    uint64_t not_read;  /* files that are no whole message; they stay where they are */
    char why[ERR_TEXT_MAX]; /* what was wrong with the index */
};

/* Open the index of shard `number` at `path` (D/mail/NN/index.db), if need be after making it
 * again. A damaged one is kept as index.db.unusable. NULL with *err. */
struct index *rebuild_open(int dirfd, unsigned number, const char *path, int64_t now_s,
                           struct rebuild *r, struct err *err);

#endif
