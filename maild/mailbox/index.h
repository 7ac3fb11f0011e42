/* SPDX-License-Identifier: ISC */
/* maild/mailbox/index.h - the index of one shard: mailboxes, messages, flags (SQLite).
 *
 * Why:       a flag change is a row, a folder listing a query; losing the index loses flags,
 *            never mail.
 * Ownership: the caller; arrays given out are the caller's to free().
 * Threads:   the shard's database thread, from open to close.
 *
 * Nothing here begins or commits: a batch of calls is one transaction (maild/mailbox/shard).
 *
 * Invariants
 *   1. A UID is given out by the transaction that stores its message, from box.uidnext, which
 *      only grows; the transaction is synchronous before anybody hears of the UID. So no UID
 *      is ever used twice, whatever ends the process.
 *   2. blob.refs counts the message rows that point to it. A row with refs 0 is a file to be
 *      removed (index_doomed), and only then goes.
 *   3. delivered(account, id, number) outlives the message: a repeated delivery is known.
 *   4. uidvalidity of an account only grows: a name that comes back is a new mailbox. */
#ifndef MAILD_MAILBOX_INDEX_H
#define MAILD_MAILBOX_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/msgid.h"
#include "base/core/span.h"

struct index;

enum index_result {
    INDEX_OK,
    INDEX_NONE,     /* no such mailbox or message */
    INDEX_EXISTS,   /* it is there already */
    INDEX_INBOX,    /* INBOX cannot be treated so */
    INDEX_CHILDREN, /* a \Noselect name that still has children */
    INDEX_FULL,     /* a limit of the account is reached */
    INDEX_ERROR,    /* the database failed, *err says how; the batch is lost */
};

#define INDEX_BOXES_MAX 5000 /* of one account */
#define INDEX_FILE_MODE 0640

struct index *index_open(const char *path, struct err *err);
/* A second connection that only reads: sees what is committed, waits for no writer. The
 * index must be open. */
struct index *index_open_reader(const char *path, struct err *err);
void index_close(struct index **ix);
MUST_USE int index_begin(struct index *ix, struct err *err);
MUST_USE int index_commit(struct index *ix, struct err *err);
void index_rollback(struct index *ix);
/* One call of a batch may fail without the others: a savepoint around it. */
MUST_USE int index_mark(struct index *ix, struct err *err);
MUST_USE int index_unmark(struct index *ix, bool keep, struct err *err);

/* ---- accounts and mailboxes (index_box.c) ---- */

struct index_box {
    uint64_t id; /* 0: only subscribed, there is no such mailbox */
    char *name;
    char use[16]; /* "\\Sent" ... or "" (RFC 6154) */
    bool is_noselect, is_subscribed;
    uint32_t uidvalidity, uidnext, recent_uid;
};
struct index_boxes {
    struct index_box *v;
    size_t n;
};
void index_boxes_free(struct index_boxes *b);

struct index_status {
    uint64_t messages, unseen, recent, size;
    uint32_t uidnext, uidvalidity;
};

/* Make INBOX and the special-use mailboxes unless the account has an INBOX. */
enum index_result index_account_ensure(struct index *ix, uint64_t account, int64_t now_s,
                                       struct err *err);
/* All of an account, sorted by name, subscriptions to missing names included. */
enum index_result index_box_list(struct index *ix, uint64_t account,
                                 struct index_boxes *out, struct err *err);
/* By name; `box->name` is not set. NONE also for a \Noselect one. */
enum index_result index_box_find(struct index *ix, uint64_t account, struct span name,
                                 struct index_box *box, struct err *err);
/* Missing superiors are made too (RFC 3501 6.3.3). */
enum index_result index_box_create(struct index *ix, uint64_t account, struct span name,
                                   int64_t now_s, struct err *err);
/* Its messages go; with children the name stays, \Noselect (RFC 3501 6.3.4). *gone is the
 * id of the mailbox that lost its messages. */
enum index_result index_box_delete(struct index *ix, uint64_t account, struct span name,
                                   uint64_t *gone, struct err *err);
/* With its children. INBOX keeps its name: its messages move to the new one, its children
 * stay (RFC 3501 6.3.5). */
enum index_result index_box_rename(struct index *ix, uint64_t account, struct span from,
                                   struct span to, int64_t now_s, struct err *err);
enum index_result index_subscribe(struct index *ix, uint64_t account, struct span name,
                                  bool is_on, struct err *err);
enum index_result index_box_status(struct index *ix, uint64_t box,
                                   struct index_status *st, struct err *err);
/* Messages below `uid` are not recent any more. */
enum index_result index_box_recent(struct index *ix, uint64_t box, uint32_t uid,
                                   struct err *err);
/* Names of the account's keywords: names[bit], NULL when free; heap strings. */
enum index_result index_keywords(struct index *ix, uint64_t account, char **names,
                                 size_t n, struct err *err);
enum index_result index_keyword_add(struct index *ix, uint64_t account, unsigned bit,
                                    const char *name, struct err *err);

/* ---- messages (index_msg.c) ---- */

struct index_msg {
    uint32_t uid;
    uint64_t flags;
    int64_t date_s;
    uint64_t size; /* as read: prefix and message */
};

/* A file of an account: D/mail/NN/<account>/<ab>/<id>.<number>. */
struct index_file {
    uint64_t account;
    struct msgid id;
    uint32_t number;
    uint64_t head; /* octets in front of the message */
    uint64_t size; /* octets of the message */
};

/* A message to be stored; the file stands there already. */
struct index_new {
    struct index_file file;
    uint64_t box;
    bool is_delivery; /* remember (id, number) */
    struct span prefix, envelope, body, structure;
    struct span fields; /* digest.h; none are kept without has_fields */
    bool has_fields;
    uint64_t flags;
    int64_t date_s, now_s;
    /* out */
    uint32_t uid, uidvalidity;
};
/* EXISTS: this delivery was made before; *has_file says whether its file is still wanted. */
enum index_result index_add(struct index *ix, struct index_new *m, bool *has_file,
                            struct err *err);
/* All messages of a mailbox by UID. */
enum index_result index_load(struct index *ix, uint64_t box, struct index_msg **v,
                             size_t *n, struct err *err);

/* What a FETCH or SEARCH needs beyond struct index_msg. */
struct index_row {
    struct index_file file;
    struct span prefix, envelope, body, structure, fields; /* in the arena */
    bool has_fields;
};
enum {
    INDEX_NEED_TEXTS = 1, /* envelope, body, structure */
    INDEX_NEED_FIELDS = 2,
};
/* The rows of some messages of a mailbox; `row` is called for each that is there. */
struct index_rows {
    uint64_t box;
    unsigned need;        /* besides file and prefix */
    const uint32_t *uids; /* ascending */
    size_t n;
    struct arena *arena;
    void (*row)(void *ctx, size_t i, const struct index_row *row);
    void *ctx;
};
enum index_result index_rows(struct index *ix, const struct index_rows *q,
                             struct err *err);

/* Copy or move; to[i] is the new UID of uids[i], 0 when that message is gone. */
struct index_copy {
    uint64_t from, to;
    size_t n;
    const uint32_t *uids;
    uint32_t *new_uids;
    bool is_move;
    uint32_t uidvalidity; /* out: of the target */
};
enum index_result index_copy(struct index *ix, struct index_copy *c, struct err *err);
enum index_result index_expunge(struct index *ix, uint64_t box, const uint32_t *uids,
                                size_t n, struct err *err);
struct index_flag {
    uint32_t uid;
    uint64_t flags;
};
enum index_result index_flags(struct index *ix, uint64_t box, const struct index_flag *v,
                              size_t n, struct err *err);

/* Up to `max` files nobody refers to, and taking their rows out once they are removed. */
struct index_doomed {
    uint64_t row;
    struct index_file file;
};
enum index_result index_doomed(struct index *ix, struct index_doomed *v, size_t max,
                               size_t *n, struct err *err);
enum index_result index_forget(struct index *ix, uint64_t row, struct err *err);
/* Is there a row for this file? For the sweeper of files without one. */
enum index_result index_has_file(struct index *ix, const struct index_file *f,
                                 struct err *err);

/* ---- lost and made again (index_again.c) ---- */

/* Reads all of it. INDEX_ERROR with err->sys EUCLEAN: damaged. */
enum index_result index_check(struct index *ix, struct err *err);
/* A copy of the index at `path`, as of its last commit, in the new file `copy`; not synced. On
 * any thread, beside the index in use. */
MUST_USE int index_copy_file(const char *path, const char *copy, struct err *err);
/* All that was committed goes into the one file, synced. */
MUST_USE int index_flatten(struct index *ix, struct err *err);
/* Every mailbox gets a UIDVALIDITY beyond all that were given before `now_s`. */
enum index_result index_renew(struct index *ix, int64_t now_s, struct err *err);
/* Up to `max` files that are wanted, in the order of their rows, behind row `after`. */
enum index_result index_files(struct index *ix, uint64_t after, struct index_doomed *v,
                              size_t max, size_t *n, struct err *err);
/* The file of that row does not exist: its messages go, and a DELIVER of it is new again. */
enum index_result index_drop(struct index *ix, uint64_t row, struct err *err);

#endif
