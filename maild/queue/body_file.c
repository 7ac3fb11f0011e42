/* SPDX-License-Identifier: ISC */
/* maild/queue/body_file.c - BODY_OPEN: a file for a body that outgrew edge's memory.
 *
 * Unnamed, where the message files are, its offset behind the room for the head: accept.c makes
 * it the message's file without copying. When edge gives up, the kernel frees it. */
#include <stdlib.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "maild/queue/queue_int.h"

struct body_open {
    struct queue *q;
    struct ipc *ch;
    uint64_t call;
    int fd;
    struct err err;
};

static void body_open_work(void *ctx)
{
    struct body_open *o = ctx;

    o->fd = blob_body_open(o->q->blobs, &o->err);
}

static void body_open_reply(struct body_open *o)
{
    const struct m_body_file r = {.status = o->fd == -1 ? ANSWER_LATER : ANSWER_YES};
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

static void body_open_done(void *ctx)
{
    struct body_open *o = ctx;

    if (o->fd == -1)
        log_event(o->q->log, LOG_BLOB_FAILED, LOGF_S("error", o->err.text));
    body_open_reply(o);
}

void accept_body_open(struct queue *q, struct ipc *ch, const struct ipc_in *in)
{
    struct body_open *o = mem_new(1, sizeof(*o));

    o->q = q;
    o->ch = ch;
    o->call = in->call;
    o->fd = -1;
    if (q->is_disk_full ||
        pool_run(q->work_pool, body_open_work, body_open_done, o) == -1)
        body_open_reply(o);
}
