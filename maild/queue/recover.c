/* SPDX-License-Identifier: ISC */
/* maild/queue/recover.c - from what is on disk to messages in memory, at the start.
 *
 * Numbers are those of docs/STATES.md.
 *
 *  0. Large bodies whose client was still sending (J0) are removed.
 *  1. queue.db: every message becomes due again when it says so (nothing is held).
 *  2. Journal, oldest record first. ACCEPT (J2): the blob is written (again, into the same
 *     inode: a power loss may have taken its octets), its recipients wait. RESULT: takes
 *     effect, except that local deliveries are asked for again, since the mailbox's folder may
 *     not have been durable (Q3); the mailbox knows (id, number) and does nothing twice.
 *  3. Rows without blob: the end of that message was interrupted (Q5); the row goes.
 *  4. Blobs without row and journal record: the same (B3), or a large body that was never
 *     acknowledged (B1): the file goes. If queue.db was lost, they are messages (Q6): every
 *     recipient is tried again, mailboxes sort out what they have. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "maild/queue/jrec.h"
#include "maild/queue/queue_int.h"

struct recovery {
    struct queue *q;
    bool is_db_new;
    size_t replayed, rebuilt, swept;
    struct err *err;
};

static struct span id_key(const struct msgid *id)
{
    return span_of(id->b, MSGID_OCTETS);
}

/* Bring a message into memory without starting anything yet. */
static int keep(struct queue *q, struct qmsg *m, struct err *err)
{
    if (map_put(q->messages, id_key(&m->id), m) == -1)
        return err_set(err, "more messages in the journal than fit into memory");
    list_add_tail(&q->all, &m->link);
    return 0;
}

static void forget(struct queue *q, struct qmsg *m)
{
    (void)map_take(q->messages, id_key(&m->id));
    qmsg_free(&m);
}

/* In memory already, or in the database; NULL when it is finished. */
static struct qmsg *known(struct queue *q, const struct msgid *id, struct err *err,
                          bool *bad)
{
    struct qmsg *m = queue_find(q, id);

    *bad = false;
    if (m != NULL)
        return m;
    switch (qdb_start_load(q->db, id, &m, err)) {
    case QDB_OK:
        if (keep(q, m, err) == 0)
            return m;
        qmsg_free(&m);
        *bad = true;
        return NULL;
    case QDB_NONE:
        return NULL;
    case QDB_FAULT:
        *bad = true;
        return NULL;
    }
    return NULL;
}

/* A bounce that was accepted: the recipients it reports on are done. */
static int replay_reported(struct recovery *v, struct span reported, struct err *err)
{
    struct msgid about;
    struct qmsg *m;
    struct rd r;
    bool bad;

    if (reported.n == 0)
        return 0;
    if (!jrec_reported_open(reported, &about, &r))
        return err_set(err, "malformed report record");
    m = known(v->q, &about, err, &bad);
    while (m != NULL && rd_left(&r) > 0) {
        uint32_t number = rd_le32(&r);

        if (number < m->env->e.n)
            m->rcpts[number].state = RCPT_DONE;
    }
    return bad ? -1 : 0;
}

/* Files are removed last, so this is the end of a finished message that a crash cut short,
 * or a disk that lost a file: a person who looks for mail must be able to find it. */
static void say_no_file(const struct recovery *v, const struct msgid *id)
{
    char text[MSGID_TEXT + 1];

    msgid_print(id, text);
    log_event(v->q->log, LOG_QUEUE_NO_FILE, LOGF_S("mid", text));
}

/* The file of a replayed message. False (and *is_gone) when a large one was removed. */
static int replay_blob(struct recovery *v, struct qmsg *m, const struct jrec_accept *a,
                       bool *is_gone, struct err *err)
{
    struct blob_head h = {
        .id = m->id, .accepted_s = m->env->e.accepted_s, .envelope = a->envelope};
    int fd;

    *is_gone = false;
    if (!a->is_in_blob) {
        if (blob_write(v->q->blobs, &h, &a->message, 1, err) == -1)
            return -1;
        m->offset = h.offset;
        m->size = h.size;
        return 0;
    }
    fd = blob_open(v->q->blobs, &m->id, err);
    if (fd == -1 && err->sys != ENOENT)
        return -1;
    *is_gone = fd == -1;
    if (fd != -1)
        (void)close(fd);
    m->offset = a->offset;
    m->size = a->size;
    m->is_synced = true;
    return 0;
}

static int replay_accept(struct recovery *v, struct span payload, struct err *err)
{
    struct queue *q = v->q;
    struct jrec_accept a;
    struct qmsg *m;
    bool bad, is_gone;
    struct msgid id;

    if (!jrec_accept_decode(payload, &a) || (m = qmsg_new(a.envelope)) == NULL)
        return err_set(err, "malformed message record");
    id = m->id;
    if (known(q, &id, err, &bad) != NULL || bad) {
        /* A checkpoint gave it a row; the row knows more. The octets may still be needed. */
        int rc = bad ? -1 : replay_blob(v, m, &a, &is_gone, err);

        qmsg_free(&m);
        return rc == -1 ? -1 : replay_reported(v, a.reported, err);
    }
    if (replay_blob(v, m, &a, &is_gone, err) == -1) {
        qmsg_free(&m);
        return -1;
    }
    if (is_gone) {
        say_no_file(v, &id);
        qmsg_free(&m);
    } else {
        m->is_file_made = true;
        m->facts = span_dup(a.facts);
        if (keep(q, m, err) == -1) {
            qmsg_free(&m);
            return -1;
        }
        v->replayed++;
    }
    return replay_reported(v, a.reported, err);
}

static int replay_result(struct recovery *v, struct span payload, struct err *err)
{
    struct jrec_result e;
    struct msgid id;
    struct qmsg *m;
    struct rd r;
    uint32_t n;
    bool bad;

    if (!jrec_result_open(payload, &id, &n, &r))
        return err_set(err, "malformed result record");
    m = known(v->q, &id, err, &bad);
    if (m == NULL)
        return bad ? -1 : 0;
    for (uint32_t i = 0; i < n; i++) {
        struct qrcpt *q;

        if (!jrec_result_next(&r, &e))
            return err_set(err, "malformed result record");
        if (e.number >= m->env->e.n)
            continue;
        q = &m->rcpts[e.number];
        if (q->state == RCPT_DONE)
            continue; /* a row that is newer than this record */
        qrcpt_answer(q, e.reason, e.host, e.last_s);
        q->is_expired = e.is_expired;
        q->state = e.state == RCPT_DONE     ? RCPT_DONE
                   : e.state == RCPT_REPORT ? RCPT_REPORT
                                            : RCPT_WAITING;
        q->outcome = (enum rcpt_outcome)(e.outcome & 3);
        q->attempts = e.attempts;
        q->next_try_s = e.next_try_s;
        q->is_redo = q->outcome == OUTCOME_DELIVERED && q->state == RCPT_WAITING;
    }
    return 0;
}

static int replay(void *ctx, const struct record *rec, struct err *err)
{
    struct recovery *v = ctx;

    switch (rec->type) {
    case JREC_ACCEPT:
        return replay_accept(v, rec->payload, err);
    case JREC_RESULT:
        return replay_result(v, rec->payload, err);
    default:
        return err_set(err, "record of type %u was written by a newer version",
                       rec->type);
    }
}

/* Rows ------------------------------------------------------------------------------------ */

static int drop_row_without_blob(void *ctx, const struct msgid *id, struct err *err)
{
    struct recovery *v = ctx;
    struct qmsg *m = queue_find(v->q, id);
    int fd = blob_open(v->q->blobs, id, err);

    if (fd != -1) {
        (void)close(fd);
        return 0;
    }
    if (err->sys != ENOENT)
        return -1;
    v->swept++;
    say_no_file(v, id);
    if (m != NULL)
        forget(v->q, m);
    return qdb_start_delete(v->q->db, id, err);
}

/* Blobs ------------------------------------------------------------------------------------ */

/* Make a message of a file that queue.db ought to know. */
static int adopt_blob(struct recovery *v, const struct msgid *id)
{
    struct buf space;
    struct blob_head h;
    struct qmsg *m = NULL;
    int fd, rc = 0;

    buf_init(&space, BLOB_HEAD_MAX);
    fd = blob_open_head(v->q->blobs, id, &space, &h, v->err);
    if (fd != -1) {
        (void)close(fd);
        m = qmsg_new(h.envelope);
    }
    if (m == NULL) {
        /* Not readable: left where it is for a person to look at. */
        log_event(v->q->log, LOG_BLOB_FAILED, LOGF_S("error", v->err->text));
        goto out;
    }
    m->offset = h.offset;
    m->size = h.size;
    m->has_blob = true;
    rc = qdb_start_save(v->q->db, m, false, v->err);
    v->rebuilt++;
    qmsg_free(&m);
out:
    buf_free(&space);
    return rc;
}

static int look_at_blob(void *ctx, const struct msgid *id)
{
    struct recovery *v = ctx;
    struct qmsg *m = NULL;

    if (queue_find(v->q, id) != NULL)
        return 0;
    switch (qdb_start_load(v->q->db, id, &m, v->err)) {
    case QDB_OK:
        qmsg_free(&m);
        return 0;
    case QDB_FAULT:
        return -1;
    case QDB_NONE:
        break;
    }
    if (v->is_db_new)
        return adopt_blob(v, id);
    v->swept++;
    return blob_remove(v->q->blobs, id, v->err);
}

/* Those that the journal brought: hand them over as if they had just been accepted. */
static int start_all(struct recovery *v, struct err *err)
{
    struct queue *q = v->q;
    struct list all, *l;

    /* spool_take() wants them in no list. */
    list_init(&all);
    while (!list_is_empty(&q->all)) {
        l = q->all.next;
        list_remove(l);
        list_add_tail(&all, l);
    }
    while (!list_is_empty(&all)) {
        struct qmsg *m = LIST_ENTRY(all.next, struct qmsg, link);

        list_remove(&m->link);
        (void)map_take(q->messages, id_key(&m->id));
        if (m->is_in_db && qdb_start_save(q->db, m, true, err) == -1)
            return -1;
        spool_take(q, m);
    }
    return 0;
}

int recover(struct queue *q, bool is_db_new, struct err *err)
{
    struct recovery v = {.q = q, .is_db_new = is_db_new, .err = err};

    if (blob_body_sweep(q->blobs, &v.swept, err) == -1)
        return err_wrap(err, "recover the queue");
    if (qdb_start_release(q->db, err) == -1 ||
        journal_replay(q->journal, replay, &v, err) == -1 ||
        qdb_start_each(q->db, drop_row_without_blob, &v, err) == -1)
        return err_wrap(err, "recover the queue");
    if (blob_list(q->blobs, look_at_blob, &v, err) == -1)
        return err_wrap(err, "recover the queue");
    if (v.is_db_new && v.rebuilt > 0)
        log_event(q->log, LOG_QUEUE_REBUILT, LOGF_N("messages", v.rebuilt));
    log_event(q->log, LOG_QUEUE_START, LOGF_N("replayed", v.replayed),
              LOGF_N("swept", v.swept));
    return start_all(&v, err);
}
