/* SPDX-License-Identifier: ISC */
/* maild/queue/qmsg.h - one message in the queue and what is known of each recipient.
 *
 * Why:       accepting, delivering, storing, listing and reporting all speak of it.
 * Ownership: a struct qmsg is owned by the queue's map of messages. The envelope is shared
 *            with database operations under way: counted, counted on the loop only.
 * Threads:   the loop's thread; a struct qenvelope may be read by a job that holds it. */
#ifndef MAILD_QUEUE_QMSG_H
#define MAILD_QUEUE_QMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/list.h"
#include "base/msg/envelope.h"

/* On disk (queue.db, journal): only WAITING, DONE and FAILED are written; add at the end. */
enum rcpt_state {
    RCPT_WAITING = 0,   /* to be tried at next_try_s */
    RCPT_DONE = 1,      /* nothing more to do */
    RCPT_REPORT = 2,    /* failed; the sender is still to be told */
    RCPT_ACTIVE = 3,    /* being tried; written as WAITING */
    RCPT_DELIVERED = 4, /* in the mailbox, whose folder is not yet known to be durable;
                           written as WAITING: after a crash DELIVER goes out again */
};
enum rcpt_outcome { OUTCOME_NONE, OUTCOME_DELIVERED, OUTCOME_FAILED, OUTCOME_REMOVED };

struct qrcpt {
    enum rcpt_state state;
    enum rcpt_outcome outcome;
    uint32_t attempts;
    int64_t next_try_s, last_s;
    uint32_t settle; /* DELIVERED: number of SETTLE messages sent before */
    bool is_redo;    /* delivered before a restart: no second line in log and history */
    bool is_expired;
    char *reason; /* last answer, heap, NULL for none */
    char *host;   /* who gave it, heap, NULL for us */
};

struct qenvelope {
    unsigned refs;
    struct arena *arena;
    struct envelope e;
    struct buf encoded;
};

struct qmsg {
    struct msgid id;
    struct list link;         /* in the queue's list of all, oldest first */
    struct list wait;         /* while its blob is to be written */
    struct qenvelope *env;    /* NULL once every recipient is final */
    struct qrcpt *rcpts;      /* env->e.n of them; NULL with env */
    uint64_t offset, size;    /* of the message in the blob */
    struct buf body;          /* message octets until the blob is written */
    char *facts;              /* for the history, until the blob is written; heap */
    unsigned active;          /* recipients RCPT_ACTIVE or in a task */
    uint32_t generation;      /* of the checkpoint that waits for its blob */
    uint32_t settle;          /* once final: SETTLE messages sent before */
    bool is_file_made;        /* before it was taken: large, or replayed */
    bool has_blob, is_synced; /* the file is there; its content is durable */
    bool is_in_db;            /* has a row */
    bool has_local;           /* some mailbox may hold a link to the blob */
    bool is_reporting;        /* a bounce is being made */
    bool is_removed;          /* by the administrator: no report */
};

/* A message for an encoded envelope; all recipients wait, due at once. NULL when the
 * envelope is malformed. */
struct qmsg *qmsg_new(struct span envelope);
void qmsg_free(struct qmsg **m);
/* All recipients are final: keep only what removing it needs. */
void qmsg_shrink(struct qmsg *m);
struct qenvelope *qenvelope_hold(struct qenvelope *e);
void qenvelope_drop(struct qenvelope **e);

/* Note the answer to an attempt. Texts are copied; host NULL for our own words. */
void qrcpt_answer(struct qrcpt *r, struct span reason, struct span host, int64_t now_s);
void qrcpt_clear(struct qrcpt *r); /* frees its texts */
/* What is written to disk for this state. */
enum rcpt_state rcpt_state_stored(enum rcpt_state s);
/* Earliest next_try_s of those waiting or to be reported; INT64_MAX for none. */
int64_t qmsg_due(const struct qmsg *m);
/* Recipients in this state. */
size_t qmsg_count(const struct qmsg *m, enum rcpt_state s);
/* "smtp", "submission", ... as control rows and history have it. */
const char *envelope_via_name(enum envelope_via v);
/* Domain behind the last @ of an address. */
struct span address_domain(const char *address);

#endif
