/* SPDX-License-Identifier: ISC */
/* maild/queue/history.h - history.db: what was decided about each message, and what became
 * of it.
 *
 * Why:       "why did my mail not arrive" is answered from here, also for mail that was refused
 *            and never entered the queue.
 * Ownership: texts are copied.
 * Threads:   the loop's; statements run on the database thread. Not synced: losing the last
 *            second of history in a power loss loses no mail. */
#ifndef MAILD_QUEUE_HISTORY_H
#define MAILD_QUEUE_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/msgid.h"
#include "base/core/span.h"
#include "base/io/loop.h"

struct history;

/* What was decided about one message. Texts may be empty, never NULL. */
struct history_message {
    struct msgid id;
    int64_t when_s;
    const char *via; /* smtp, submission, bounce, local, refused */
    struct span sender, peer, helo;
    struct span from, message_id, subject; /* of the header */
    uint64_t size;
    struct span outcome, reply;
    struct span facts;        /* JSON object */
    const struct span *rcpts; /* as given in RCPT, and where they went */
    size_t n_rcpts;
};

/* What happened to one recipient. */
struct history_event {
    struct msgid id;
    int64_t when_s;
    int64_t number; /* -1: the whole message */
    struct span rcpt;
    const char *event; /* delivered, relayed, deferred, failed, bounced, removed */
    struct span host, text;
};

/* NULL with *err. */
struct history *history_open(struct loop *l, const char *path, struct err *err);
void history_close(struct history **h);

void history_message(struct history *h, const struct history_message *m);
void history_event(struct history *h, const struct history_event *e);
/* Forget what is older, at most some thousand rows; call now and then. */
void history_expire(struct history *h, int64_t before_s);

/* Rows for `text` (address, Message-ID with or without <>, id), as JSON texts in print order,
 * at most `max` messages, newest first. Rows belong to the callback's caller. */
typedef void (*history_rows_fn)(void *ctx, char *const *rows, size_t n,
                                const struct err *err);
void history_trace(struct history *h, struct span text, size_t max, history_rows_fn fn,
                   void *ctx);

#endif
