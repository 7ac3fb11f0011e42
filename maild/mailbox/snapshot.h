/* SPDX-License-Identifier: ISC */
/* maild/mailbox/snapshot.h - copies of the indexes, now and then, for the day one is lost.
 *
 * Why:       mailboxes, flags and moves are in the index only (rebuild.h has the rest).
 * Ownership: the role's; snapshots_free() after the file threads have ended.
 * Threads:   the loop; one copy at a time runs on a file thread, beside the index in use.
 *
 * D/mail/NN/snapshot.db is the last copy, snapshot.old.db the one before. */
#ifndef MAILD_MAILBOX_SNAPSHOT_H
#define MAILD_MAILBOX_SNAPSHOT_H

#include "maild/mailbox/mailbox_int.h"

struct snapshots *snapshots_new(struct mailbox *m);
void snapshots_free(struct snapshots **s);
/* Once a second: begin the copy that is due longest, if any. */
void snapshots_tick(struct snapshots *s);

#endif
