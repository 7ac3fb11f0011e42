/* SPDX-License-Identifier: ISC */
/* maild/queue/body_file.c - BODY_OPEN: a file for a body that outgrew edge's memory.
 *
 * It stands under a temporary name where the message files are, its offset behind the room for
 * the head: accept.c makes it the message's file without copying. It is removed when edge says
 * BODY_DROP, when that edge has gone, and by the next start (J0).
 *
 * Opening and removing are jobs of a pool with one thread, so that a BODY_DROP that comes right
 * behind its BODY_OPEN finds the file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "maild/queue/queue_int.h"

struct body_job {
    struct queue *q;
    struct ipc *ch;
    uint64_t call;
    struct msgid id;
    int fd;
    struct err err;
};

static struct span key_of(const struct msgid *id)
{
    return span_of(id->b, MSGID_OCTETS);
}

static void open_work(void *ctx)
{
    struct body_job *o = ctx;

    o->fd = blob_body_open(o->q->blobs, &o->id, &o->err);
}

static void open_reply(struct body_job *o)
{
    bool is_full = o->q->is_disk_full || o->err.sys == ENOSPC || o->err.sys == EDQUOT;
    const struct m_body_file r = {.status = o->fd != -1 ? ANSWER_YES
                                            : is_full   ? ANSWER_NO
                                                        : ANSWER_LATER};
    struct buf payload;
    struct wr w;

    buf_init(&payload, 64);
    wr_init(&w, &payload);
    m_body_file_encode(&r, &w);
    if (w.is_bad ||
        ipc_reply(o->ch, o->call, IPC_BODY_FILE, buf_all(&payload), o->fd) == -1)
        log_event(o->q->log, LOG_IPC_FULL, LOGF_S("to", "edge"));
    buf_free(&payload);
    if (o->fd != -1)
        (void)close(o->fd);
    free(o);
}

static void open_done(void *ctx)
{
    struct body_job *o = ctx;

    if (o->fd == -1) {
        (void)map_take(o->q->bodies, key_of(&o->id));
        log_event(o->q->log, LOG_BLOB_FAILED, LOGF_S("error", o->err.text));
    }
    open_reply(o);
}

void accept_body_open(struct queue *q, struct ipc *ch, const struct ipc_in *in)
{
    struct body_job *o = mem_new(1, sizeof(*o));
    struct m_body_open m;

    o->q = q;
    o->ch = ch;
    o->call = in->call;
    o->fd = -1;
    if (q->is_disk_full || !m_body_open_decode(in->payload, &m) ||
        map_put(q->bodies, key_of(&m.id), ch) == -1) {
        open_reply(o);
        return;
    }
    o->id = m.id;
    if (pool_run(q->blob_pool, open_work, open_done, o) == -1) {
        (void)map_take(q->bodies, key_of(&m.id));
        open_reply(o);
    }
}

bool accept_body_is_from(const struct queue *q, const struct msgid *id,
                         const struct ipc *ch)
{
    return map_get(q->bodies, key_of(id)) == ch;
}

static void drop_work(void *ctx)
{
    struct body_job *o = ctx;

    if (blob_body_drop(o->q->blobs, &o->id, &o->err) == -1)
        log_event(o->q->log, LOG_BLOB_FAILED, LOGF_S("error", o->err.text));
}

static void drop_done(void *ctx)
{
    free(ctx);
}

static void drop(struct queue *q, const struct msgid *id)
{
    struct body_job *o = mem_new(1, sizeof(*o));

    o->q = q;
    o->id = *id;
    if (pool_run(q->blob_pool, drop_work, drop_done, o) == -1)
        free(o); /* stays until the next start */
}

void accept_body_drop(struct queue *q, const struct ipc *ch, const struct ipc_in *in)
{
    struct m_body_drop m;

    if (!m_body_drop_decode(in->payload, &m) || !accept_body_is_from(q, &m.id, ch))
        return;
    (void)map_take(q->bodies, key_of(&m.id));
    drop(q, &m.id);
}

void accept_body_closed(struct queue *q, const struct ipc *ch)
{
    size_t cursor = 0;
    struct span key;
    void *value;

    while (map_next(q->bodies, &cursor, &key, &value)) {
        struct msgid id;

        if (value != ch)
            continue;
        memcpy(id.b, key.p, MSGID_OCTETS);
        (void)map_take(q->bodies, key_of(&id));
        drop(q, &id);
    }
}
