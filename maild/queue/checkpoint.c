/* SPDX-License-Identifier: ISC */
/* maild/queue/checkpoint.c - making everything durable elsewhere, so that the journal may forget.
 *
 *     CP_MARKING  a new journal segment begins at the mark
 *     CP_BLOBS    every file of a message below the mark is written, then synced, some at a
 *                 time, with the folders that hold their names
 *     CP_ROWS     unfinished messages get their rows, committed
 *     CP_SETTLE   every mailbox instance makes durable what it answered DELIVER for
 *     CP_IDLE     the journal below the mark has been released, then what was settled finished
 *
 * A failure anywhere ends it: the journal keeps everything and the next one tries again. Nothing
 * here holds up acceptance or delivery; syncs go one by one on threads of their own, never
 * syncfs, which would hold up the journal. */
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "maild/queue/queue_int.h"

#define CHECKPOINT_OCTETS   (8u * 1024u * 1024u)
#define CHECKPOINT_MS       15000
#define CHECKPOINT_SOON_MS  2000 /* when something waits to be settled */
#define CHECKPOINT_AGAIN_MS 5000
#define SETTLE_MS           60000

static void cp_sync_next(struct queue *q);

static void cp_end(struct queue *q, const struct err *err)
{
    struct checkpoint *cp = &q->cp;
    int64_t now = clock_mono_ms(q->env->clock);

    free(cp->ids);
    cp->ids = NULL;
    cp->n = cp->at = 0;
    cp->state = CP_IDLE;
    if (err != NULL) {
        log_event(q->log, LOG_QUEUE_FAULT, LOGF_S("checkpoint", "not finished"),
                  LOGF_S("error", err->text));
        cp->next_ms = now + CHECKPOINT_AGAIN_MS;
        return;
    }
    cp->n_done++;
    cp->next_ms = now + (q->unsettled > 0 ? CHECKPOINT_SOON_MS : CHECKPOINT_MS);
    log_event(q->log, LOG_QUEUE_CHECKPOINT, LOGF_N("mark", cp->mark));
}

/* Turn deliveries made before SETTLE number `n` into settled ones. */
static void settle_all(struct queue *q, uint32_t n)
{
    struct list *next;

    for (struct list *it = q->all.next; it != &q->all; it = next) {
        struct qmsg *m = LIST_ENTRY(it, struct qmsg, link);

        next = it->next;
        if (!m->is_synced)
            continue; /* its content comes with the next checkpoint */
        if (m->env == NULL) {
            if (m->settle < n) {
                q->unsettled--;
                spool_finish(q, m);
            }
            continue;
        }
        for (size_t i = 0; i < m->env->e.n; i++) {
            if (m->rcpts[i].state == RCPT_DELIVERED && m->rcpts[i].settle < n)
                m->rcpts[i].state = RCPT_DONE;
        }
        spool_after(q, m);
    }
}

/* Only now do files go: the record of a large body does not outlive its file (Q5). */
static void cp_released(void *ctx)
{
    struct queue *q = ctx;

    if (q->is_stopping)
        return;
    /* A row that could not be written before, and was now, may be due already. */
    q->next_due_s = 0;
    settle_all(q, q->settles);
    cp_end(q, NULL);
}

static void cp_settled(void *ctx, const struct ipc_in *in)
{
    struct queue *q = ctx;
    struct m_settle_result r;
    struct err err;

    if (in == NULL || !m_settle_result_decode(in->payload, &r) || r.status != ANSWER_YES)
        q->cp.is_unsettled = true;
    if (--q->cp.settling > 0)
        return;
    if (q->cp.is_unsettled) {
        err_set(&err, "the mailboxes could not make their folders durable");
        cp_end(q, &err);
        return;
    }
    if (!q->is_stopping)
        journal_release(q->journal, q->cp.mark, cp_released, q);
}

static void cp_settle(void *ctx, const struct err *err)
{
    struct queue *q = ctx;
    const struct m_settle msg = {.number = q->settles + 1};
    struct buf payload;
    struct wr w;

    if (err != NULL) {
        cp_end(q, err);
        return;
    }
    q->cp.state = CP_SETTLE;
    q->settles++;
    buf_init(&payload, 64);
    wr_init(&w, &payload);
    m_settle_encode(&msg, &w);
    q->cp.is_unsettled = false;
    q->cp.settling = q->env->count[ROLE_MAILBOX];
    for (unsigned i = 0; i < q->env->count[ROLE_MAILBOX]; i++)
        (void)ipc_call(role_peer(q->env, ROLE_MAILBOX, i), IPC_SETTLE, buf_all(&payload),
                       -1, SETTLE_MS, cp_settled, q);
    buf_free(&payload);
}

/* Everything unfinished gets its row. */
static void cp_rows(struct queue *q)
{
    q->cp.state = CP_ROWS;
    LIST_EACH (it, &q->all) {
        struct qmsg *m = LIST_ENTRY(it, struct qmsg, link);

        if (m->env == NULL || !m->has_blob)
            continue;
        qdb_save(q->db, m, true);
        m->is_in_db = true;
    }
    qdb_barrier(q->db, cp_settle, q);
}

/* Some of cp.ids, made durable by one of the sync threads. Several at once: a disk, and the
 * journal of its file system, serve those who wait together in one go. */
struct sync_job {
    struct queue *q;
    const struct msgid *ids;
    size_t n;
    bool has_failed;
    struct err error;
};

/* Sorted by id, so those of a folder (the first ten bits) stand together. */
static bool is_same_folder(const struct msgid *a, const struct msgid *b)
{
    return a->b[0] == b->b[0] && (a->b[1] & 0xc0) == (b->b[1] & 0xc0);
}

static void cp_sync_work(void *ctx)
{
    struct sync_job *j = ctx;

    j->has_failed = blob_sync(j->q->blobs, j->ids, j->n, &j->error) == -1;
    for (size_t i = 0; i < j->n && !j->has_failed; i++) {
        if (i + 1 == j->n || !is_same_folder(&j->ids[i], &j->ids[i + 1]))
            j->has_failed = blob_sync_names(j->q->blobs, &j->ids[i], &j->error) == -1;
    }
}

static void cp_sync_done(void *ctx)
{
    struct sync_job *j = ctx;
    struct queue *q = j->q;
    struct checkpoint *cp = &q->cp;

    cp->syncs--;
    if (j->has_failed && !cp->has_failed) {
        cp->has_failed = true;
        cp->error = j->error;
    }
    for (size_t i = 0; i < j->n && !j->has_failed; i++) {
        struct qmsg *m = queue_find(q, &j->ids[i]);

        (void)map_take(q->unsynced, span_of(j->ids[i].b, MSGID_OCTETS));
        if (m != NULL)
            m->is_synced = true;
    }
    free(j);
    cp_sync_next(q);
}

static void cp_sync_start(struct queue *q)
{
    struct checkpoint *cp = &q->cp;
    struct sync_job *j = mem_new(1, sizeof(*j));

    j->q = q;
    j->ids = cp->ids + cp->at;
    j->n = cp->n - cp->at < BLOB_SYNC_MAX ? cp->n - cp->at : BLOB_SYNC_MAX;
    if (pool_run(q->sync_pool, cp_sync_work, cp_sync_done, j) == -1) {
        free(j);
        cp->has_failed = true;
        err_set(&cp->error, "too many jobs");
        return;
    }
    cp->at += j->n;
    cp->syncs++;
}

static void cp_sync_next(struct queue *q)
{
    struct checkpoint *cp = &q->cp;

    if (q->is_stopping)
        return;
    while (cp->syncs < QUEUE_SYNC_THREADS && cp->at < cp->n && !cp->has_failed)
        cp_sync_start(q);
    if (cp->syncs > 0)
        return;
    if (cp->has_failed)
        cp_end(q, &cp->error);
    else
        cp_rows(q);
}

static int by_id(const void *a, const void *b)
{
    const struct msgid *x = a, *y = b;

    return span_cmp(span_of(x->b, MSGID_OCTETS), span_of(y->b, MSGID_OCTETS));
}

static void cp_marked(void *ctx, uint64_t mark, const struct err *err)
{
    struct queue *q = ctx;
    struct checkpoint *cp = &q->cp;
    size_t cursor = 0;
    struct span key;
    void *value;

    if (err != NULL) {
        cp_end(q, err);
        return;
    }
    cp->mark = mark;
    cp->state = CP_BLOBS;
    cp->generation++;
    cp->n = cp->at = cp->waiting = cp->syncs = 0;
    cp->has_failed = false;
    cp->ids = mem_new(map_count(q->unsynced) + 1, sizeof(*cp->ids));
    while (map_next(q->unsynced, &cursor, &key, &value))
        memcpy(cp->ids[cp->n++].b, key.p, MSGID_OCTETS);
    if (cp->n > 0)
        qsort(cp->ids, cp->n, sizeof(*cp->ids), by_id);
    /* Everything below the mark must have its file before any is synced. */
    LIST_EACH (it, &q->all) {
        struct qmsg *m = LIST_ENTRY(it, struct qmsg, link);

        if (!m->has_blob) {
            m->generation = cp->generation;
            cp->waiting++;
        }
    }
    if (cp->waiting == 0)
        cp_sync_next(q);
}

void checkpoint_begin(struct queue *q)
{
    if (q->cp.state != CP_IDLE || q->is_stopping)
        return;
    q->cp.state = CP_MARKING;
    journal_mark(q->journal, cp_marked, q);
}

void checkpoint_blob_written(struct queue *q, struct qmsg *m)
{
    if (m->generation != q->cp.generation || q->cp.state != CP_BLOBS)
        return;
    m->generation = 0;
    if (--q->cp.waiting == 0)
        cp_sync_next(q);
}

void checkpoint_tick(struct queue *q)
{
    uint64_t octets = journal_unreleased(q->journal);
    int64_t now = clock_mono_ms(q->env->clock);

    if (q->cp.state == CP_IDLE && (octets > 0 || q->unsettled > 0) &&
        (now >= q->cp.next_ms || octets >= CHECKPOINT_OCTETS))
        checkpoint_begin(q);
}
