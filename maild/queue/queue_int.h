/* SPDX-License-Identifier: ISC */
/* maild/queue/queue_int.h - the state of the queue role and what its files call of each other.
 *
 * Why:       one role, one struct; each file is one stage of a message's way.
 * Threads:   the loop's. Jobs get copies or things that nobody else touches meanwhile.
 *
 *     body_file.c  BODY_OPEN --> a file that edge writes
 *     accept.c   ACCEPT --> prepared, signed, in the journal --> 250
 *     spool.c    blob written; messages leave memory or the world
 *     checkpoint.c  everything durable elsewhere, then the journal forgets
 *     deliver.c  due recipients --> DELIVER, RELAY --> results
 *     report.c   failed recipients --> a bounce --> accept.c
 *     recover.c  the start: queue.db, journal, blobs --> messages
 *     control.c  the control socket
 *     queue.c    start, stop, channels, the tick once a second */
#ifndef MAILD_QUEUE_QUEUE_INT_H
#define MAILD_QUEUE_QUEUE_INT_H

#include "base/core/map.h"
#include "base/io/control.h"
#include "base/io/pool.h"
#include "maild/ipc_msgs.h"
#include "maild/queue/history.h"
#include "maild/queue/qdb.h"
#include "maild/queue/qmsg.h"
#include "maild/queue/schedule.h"
#include "maild/roles.h"
#include "maild/store/blob.h"
#include "maild/store/journal.h"

#define QUEUE_MESSAGES_MAX 100000u /* in memory; beyond, nothing new is accepted */
#define QUEUE_JOURNAL_MAX  (512u * 1024u * 1024u) /* octets not released; likewise */
#define QUEUE_MAP_MAX                                                                    \
    4000000u /* ids: more than a journal of that size can name, so that a
                                       start finds room for whatever was promised */
#define QUEUE_WINDOW       10000u /* loaded from the database up to here */
#define QUEUE_SYNC_THREADS 4u     /* that make message files durable */
#define QUEUE_BODIES       20000u /* large bodies on their way in */
#define QUEUE_SPILL        20000u /* beyond, new outbound mail waits in the database */

/* Deliveries under way (deliver.c). */
struct deliveries {
    struct {
        struct list tasks; /* struct task.link */
        unsigned active;
    } local[ROLE_INSTANCES_MAX]; /* by mailbox instance */
    struct list flying;          /* tasks whose answer is awaited */
    struct map *dests;           /* domain --> struct dest */
    struct list ready_dests;     /* with tasks and room for one more session */
    unsigned remote_active;
};

/* Checkpoint under way (checkpoint.c). */
struct checkpoint {
    enum {
        CP_IDLE,
        CP_MARKING, /* a new journal segment is begun */
        CP_BLOBS,   /* message files below the mark: written, then synced */
        CP_ROWS,    /* unfinished messages into queue.db */
        CP_SETTLE,  /* every mailbox instance makes its links durable */
    } state;
    uint64_t mark;
    struct msgid *ids; /* of the blobs to sync */
    size_t n, at;
    size_t waiting;      /* files below the mark that are still to be written */
    uint32_t generation; /* marks their messages */
    unsigned syncs;      /* jobs that run on what is below ids[at] */
    struct err error;    /* of the first of them that failed */
    unsigned settling;   /* mailbox instances that have not answered SETTLE yet */
    bool is_unsettled;   /* one of them did not say yes */
    bool has_failed;
    int64_t next_ms; /* not before */
    uint64_t n_done; /* checkpoints since the start, for tests */
};

struct queue {
    struct role_env *env;
    const struct log *log;
    const struct fsops *fs;
    uint32_t segment_octets;
    const char *hostname;
    struct schedule_config schedule;
    int64_t started_s;

    struct journal *journal;
    struct blob_store *blobs;
    struct qdb *db;
    struct history *history;
    struct control *control;
    struct pool *work_pool; /* preparing, large bodies */
    struct pool *blob_pool; /* one thread: message files are written in order */
    struct pool *sync_pool; /* QUEUE_SYNC_THREADS: checkpoints */
    struct loop_timer *tick;

    struct map *messages;    /* id --> struct qmsg */
    struct map *bodies;      /* ids of large bodies on their way in --> edge's channel */
    struct map *unsynced;    /* ids of message files that no checkpoint has synced yet */
    struct list all;         /* struct qmsg.link, oldest first */
    struct list acceptances; /* under way (accept.c) */
    struct list reports;     /* under way (report.c) */
    size_t accepting, accepting_octets;
    struct {
        size_t messages;
        uint64_t journal_octets;
    } ceiling; /* of what is taken over; smaller in tests */

    struct list blob_wait; /* struct qmsg.wait: accepted, file to be written */
    size_t waiting_octets; /* of messages in blob_wait */
    bool is_blob_running;
    bool is_disk_full;
    bool is_stopping;
    struct checkpoint cp;
    uint32_t settles;   /* SETTLE messages sent */
    uint32_t unsettled; /* messages or recipients that wait for one */

    struct deliveries out;
    bool is_loading;
    int64_t next_due_s; /* of messages in queue.db */
    int64_t next_expire_s;

    struct {
        uint64_t accepted, refused, delivered, relayed, deferred, failed, bounced;
    } count;
};

int64_t queue_now(const struct queue *q); /* wall clock, seconds */

/* queue.c: start with other file calls and smaller journal segments (0: as usual), for tests */
void *queue_start_with(struct role_env *env, const struct fsops *fs,
                       uint32_t segment_octets, struct err *err);
void queue_event(struct queue *q, const struct qmsg *m, size_t number, const char *event,
                 struct span host, struct span text);
/* Put the recipient's state into the journal; survives a kill from then on. */
void queue_note_result(struct queue *q, const struct qmsg *m, const size_t *numbers,
                       size_t n);
struct qmsg *queue_find(const struct queue *q, const struct msgid *id);

/* accept.c */
void accept_message(struct queue *q, struct ipc *ch, const struct ipc_in *in);
/* At the stop: what is under way is forgotten; nobody was promised anything. */
void accept_free(struct queue *q);

/* body_file.c */
void accept_body_open(struct queue *q, struct ipc *ch, const struct ipc_in *in);
void accept_body_drop(struct queue *q, const struct ipc *ch, const struct ipc_in *in);
/* Did this edge ask for the file of message `id`? */
bool accept_body_is_from(const struct queue *q, const struct msgid *id,
                         const struct ipc *ch);
/* That edge is gone, and with it the clients whose bodies these are. */
void accept_body_closed(struct queue *q, const struct ipc *ch);

/* accept.c */
/* That edge is gone: what it has not been promised yet is not taken. */
void accept_orphan(struct queue *q, const struct ipc *edge);
/* The signer is back: ask it what waits. */
void accept_signer(struct queue *q);
/* Give up on a signer that stays away. */
void accept_tick(struct queue *q);
/* A message of our own. `message` and `reported` (jrec.h) are copied; fn is told once. */
typedef void (*accept_own_fn)(void *ctx, bool is_accepted);
void accept_own(struct queue *q, const struct envelope *e, struct span message,
                struct span reported, accept_own_fn fn, void *ctx);

/* spool.c */
/* The message is ours now: in the journal or in the database. */
void spool_take(struct queue *q, struct qmsg *m);
void spool_write(struct queue *q); /* start writing what waits, if nothing runs */
void spool_remove_blob(struct queue *q, const struct msgid *id);
/* Nothing is under way for it: report, deliver, put away or finish. `m` may be gone. */
void spool_after(struct queue *q, struct qmsg *m);
/* Every recipient is final and settled: row and file go. `m` is gone. */
void spool_finish(struct queue *q, struct qmsg *m);
void spool_tick(struct queue *q);
void spool_load(struct queue *q); /* from the database what is due */

/* checkpoint.c */
void checkpoint_begin(struct queue *q); /* if none runs */
void checkpoint_tick(struct queue *q);
void checkpoint_blob_written(struct queue *q, struct qmsg *m);

/* deliver.c */
void deliver_init(struct queue *q);
void deliver_free(struct queue *q);
/* Make tasks for all recipients that are due. True when there were any. */
bool deliver_due(struct queue *q, struct qmsg *m);
void deliver_dispatch(struct queue *q);
/* A mailbox or relay instance came or went: go on with what waited for it. */
void deliver_peer(struct queue *q);
/* Look at all destinations again; with `do_forgive`, forget which did not answer lately. */
void deliver_wake(struct queue *q, bool do_forgive);

/* report.c: true when a report is being made (or was not wanted and states have changed). */
bool report_begin(struct queue *q, struct qmsg *m);
void report_free(struct queue *q);

/* recover.c */
MUST_USE int recover(struct queue *q, bool is_db_new, struct err *err);

/* control.c */
MUST_USE int control_begin(struct queue *q, struct err *err);

#endif
