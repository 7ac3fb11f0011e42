/* SPDX-License-Identifier: ISC */
/* maild/queue/spool.c - messages between memory, their files, queue.db and the end.
 *
 *     in the journal --> blob_wait --> file written --> deliver_due ... spool_after
 *                                                           |
 *             every recipient final, none in a mailbox <----+----> some must wait
 *             unsettled: file removed, row removed          |      row written, memory freed
 *                                                           v
 *                              final but unsettled: shrunk, stays until a checkpoint
 *
 * Invariants:
 *  1. Until the mailbox has settled a delivery, the blob has its name here and the message
 *     its journal record or row; after a power loss DELIVER goes out again.
 *  2. A row is removed before its blob, both only when every recipient is final and settled.
 *     A row whose blob is missing, or a blob without row and journal record, is therefore
 *     the trace of an interrupted end (recover.c). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "maild/queue/prepare.h"
#include "maild/queue/queue_int.h"

#define BLOBS_A_JOB   32u
#define DIGEST_OCTETS (64u * 1024u)
#define LOAD_AT_ONCE  500u

/* Files ---------------------------------------------------------------------------------- */

struct blob_item {
    struct qmsg *m;
    bool is_failed;
    struct err err;
    struct prepare_digest digest;
};

struct blob_job {
    struct queue *q;
    size_t n;
    struct blob_item items[BLOBS_A_JOB];
};

/* A large message: its header is in the file only. */
static void digest_file(struct queue *q, struct blob_item *it)
{
    uint8_t *octets = mem_new(1, DIGEST_OCTETS);
    int fd = blob_open(q->blobs, &it->m->id, &it->err);
    ssize_t n = fd == -1 ? -1 : pread(fd, octets, DIGEST_OCTETS, (off_t)it->m->offset);

    if (n > 0)
        prepare_digest(span_of(octets, (size_t)n), &it->digest);
    if (fd != -1)
        (void)close(fd);
    free(octets);
}

static void blob_work(void *ctx)
{
    struct blob_job *j = ctx;

    for (size_t i = 0; i < j->n; i++) {
        struct blob_item *it = &j->items[i];
        struct qmsg *m = it->m;
        struct blob_head h = {.id = m->id,
                              .accepted_s = m->env->e.accepted_s,
                              .envelope = buf_all(&m->env->encoded)};
        struct span message = buf_all(&m->body);

        if (m->is_file_made) {
            digest_file(j->q, it);
            continue;
        }
        it->is_failed = blob_write(j->q->blobs, &h, &message, 1, &it->err) == -1;
        prepare_digest(message, &it->digest);
    }
}

static void write_history(struct queue *q, const struct qmsg *m,
                          const struct prepare_digest *d)
{
    const struct envelope *e = &m->env->e;
    struct span *rcpts = mem_new(2 * e->n, sizeof(*rcpts));
    const struct history_message row = {
        .id = m->id,
        .when_s = e->accepted_s,
        .via = envelope_via_name(e->via),
        .sender = span_str(e->sender),
        .peer = span_str(e->peer),
        .helo = span_str(e->helo),
        .from = span_str(d->from),
        .message_id = span_str(d->message_id),
        .subject = span_str(d->subject),
        .size = m->size,
        .outcome = SPAN_LIT("accepted"),
        .reply = SPAN_LIT("250 2.0.0 queued"),
        .facts = span_str(m->facts),
        .rcpts = rcpts,
        .n_rcpts = 2 * e->n,
    };

    for (size_t i = 0; i < e->n; i++) {
        rcpts[2 * i] = span_str(e->rcpts[i].original);
        rcpts[2 * i + 1] = span_str(e->rcpts[i].address);
    }
    history_message(q->history, &row);
    free(rcpts);
}

static void blob_written(struct queue *q, struct qmsg *m, const struct prepare_digest *d)
{
    m->has_blob = true;
    q->waiting_octets -= m->body.len;
    buf_free(&m->body);
    write_history(q, m, d);
    free(m->facts);
    m->facts = NULL;
    q->is_disk_full = false;
    checkpoint_blob_written(q, m);
    /* Too much in memory: let outbound mail wait its turn in the database. */
    if (!m->has_local && map_count(q->messages) > QUEUE_SPILL) {
        q->next_due_s = queue_now(q);
        qdb_save(q->db, m, false);
        (void)map_take(q->messages, span_of(m->id.b, MSGID_OCTETS));
        qmsg_free(&m);
        return;
    }
    spool_after(q, m);
}

static void blob_done(void *ctx)
{
    struct blob_job *j = ctx;
    struct queue *q = j->q;
    bool has_failed = false;

    q->is_blob_running = false;
    for (size_t i = 0; i < j->n; i++) {
        struct blob_item *it = &j->items[i];

        if (!it->is_failed) {
            blob_written(q, it->m, &it->digest);
            continue;
        }
        /* The octets stay in memory and in the journal; the tick tries again. */
        has_failed = true;
        q->is_disk_full = it->err.sys == ENOSPC || it->err.sys == EDQUOT;
        list_add_tail(&q->blob_wait, &it->m->wait);
        log_event(q->log, LOG_BLOB_FAILED, LOGF_S("error", it->err.text));
    }
    free(j);
    if (!has_failed)
        spool_write(q);
}

void spool_write(struct queue *q)
{
    struct blob_job *j;

    if (q->is_blob_running || list_is_empty(&q->blob_wait) || q->is_stopping)
        return;
    j = mem_new(1, sizeof(*j));
    j->q = q;
    while (j->n < BLOBS_A_JOB && !list_is_empty(&q->blob_wait)) {
        struct qmsg *m = LIST_ENTRY(q->blob_wait.next, struct qmsg, wait);

        list_remove(&m->wait);
        j->items[j->n++].m = m;
    }
    q->is_blob_running = true;
    if (pool_run(q->blob_pool, blob_work, blob_done, j) == 0)
        return;
    q->is_blob_running = false;
    while (j->n > 0) /* the pool is full: back in front, in order */
        list_add_head(&q->blob_wait, &j->items[--j->n].m->wait);
    free(j);
}

void spool_take(struct queue *q, struct qmsg *m)
{
    if (map_put(q->messages, span_of(m->id.b, MSGID_OCTETS), m) == -1) {
        /* Cannot be: the ids differ, and the map has room for more than accept.c takes. */
        log_event(q->log, LOG_QUEUE_FAULT, LOGF_S("error", "no room for a message"));
        qmsg_free(&m);
        return;
    }
    list_add_tail(&q->all, &m->link);
    if (m->is_in_db) /* put away and loaded again, perhaps before a checkpoint came */
        m->is_synced = map_get(q->unsynced, span_of(m->id.b, MSGID_OCTETS)) == NULL;
    else if (!m->is_synced &&
             map_put(q->unsynced, span_of(m->id.b, MSGID_OCTETS), q) == -1)
        log_event(q->log, LOG_QUEUE_FAULT, LOGF_S("error", "too many files to sync"));
    if (m->is_in_db) {
        spool_after(q, m);
        return;
    }
    /* When the file is made already, its header is still to be read for the history. */
    q->waiting_octets += m->body.len;
    list_add_tail(&q->blob_wait, &m->wait);
    spool_write(q);
}

struct remove_job {
    struct queue *q;
    struct msgid id;
    struct err err;
    int rc;
};

static void remove_work(void *ctx)
{
    struct remove_job *j = ctx;

    j->rc = blob_remove(j->q->blobs, &j->id, &j->err);
}

static void remove_done(void *ctx)
{
    struct remove_job *j = ctx;

    if (j->rc == -1)
        log_event(j->q->log, LOG_BLOB_FAILED, LOGF_S("error", j->err.text));
    free(j);
}

void spool_remove_blob(struct queue *q, const struct msgid *id)
{
    struct remove_job *j = mem_new(1, sizeof(*j));

    (void)map_take(q->unsynced, span_of(id->b, MSGID_OCTETS));
    if (q->is_stopping) {
        free(j); /* the next start finds a file without row and record */
        return;
    }
    j->q = q;
    j->id = *id;
    if (pool_run(q->blob_pool, remove_work, remove_done, j) == -1)
        free(j); /* an orphan until the next start */
}

/* What comes next for a message ----------------------------------------------------------- */

void spool_finish(struct queue *q, struct qmsg *m)
{
    if (m->is_in_db)
        qdb_delete(q->db, &m->id);
    spool_remove_blob(q, &m->id);
    (void)map_take(q->messages, span_of(m->id.b, MSGID_OCTETS));
    qmsg_free(&m);
}

/* Wait in the database. */
static void park(struct queue *q, struct qmsg *m)
{
    int64_t due_s = qmsg_due(m);

    if (due_s < q->next_due_s)
        q->next_due_s = due_s;
    qdb_save(q->db, m, false);
    (void)map_take(q->messages, span_of(m->id.b, MSGID_OCTETS));
    qmsg_free(&m);
}

void spool_after(struct queue *q, struct qmsg *m)
{
    if (m->active > 0 || !m->has_blob || m->is_reporting || m->env == NULL)
        return;
    if (qmsg_count(m, RCPT_REPORT) > 0 && report_begin(q, m))
        return;
    if (deliver_due(q, m)) {
        deliver_dispatch(q);
        return;
    }
    if (qmsg_due(m) == INT64_MAX) {
        if (qmsg_count(m, RCPT_DELIVERED) == 0) {
            spool_finish(q, m);
            return;
        }
        m->settle = q->settles;
        q->unsettled++;
        qmsg_shrink(m);
    } else if (qmsg_count(m, RCPT_DELIVERED) == 0)
        park(q, m);
}

/* Loading -------------------------------------------------------------------------------- */

static void loaded(void *ctx, struct qmsg **v, size_t n, int64_t next_due_s,
                   const struct err *err)
{
    struct queue *q = ctx;

    q->is_loading = false;
    if (err != NULL) {
        log_event(q->log, LOG_QUEUE_FAULT, LOGF_S("database", "queue.db"),
                  LOGF_S("error", err->text));
        q->next_due_s = queue_now(q) + 10;
        return;
    }
    q->next_due_s = next_due_s;
    for (size_t i = 0; i < n; i++) {
        if (queue_find(q, &v[i]->id) != NULL)
            qmsg_free(&v[i]); /* cannot be: it would be held */
        else
            spool_take(q, v[i]);
    }
}

void spool_load(struct queue *q)
{
    size_t n = map_count(q->messages);

    if (q->is_loading || n >= QUEUE_WINDOW || q->next_due_s > queue_now(q))
        return;
    q->is_loading = true;
    qdb_load_due(q->db, queue_now(q), LOAD_AT_ONCE, loaded, q);
}

void spool_tick(struct queue *q)
{
    spool_write(q);
    spool_load(q);
    checkpoint_tick(q);
}
