/* SPDX-License-Identifier: ISC */
/* maild/edge/body.c - from memory to file, one write job at a time.
 *
 *     MEMORY --over 64 KiB--> OPENING --descriptor--> FILE
 *                                |                      |
 *                                +------ FAILED <-------+
 *
 * Two buffers: `fresh` gathers what comes in, `job.octets` is being written; they are swapped
 * when a job starts. So memory is bounded by twice PIECE, and the job touches nothing that
 * the loop touches.
 *
 * Invariant: struct job outlives the body when that goes first (`body` is then NULL); the
 * descriptor is closed by whoever is last. */
#include "maild/edge/body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "maild/ipc_msgs.h"

#define PIECE   (256u * 1024u)
#define OPEN_MS 30000

struct job {
    struct body *body; /* NULL when it has gone */
    struct buf octets;
    int fd;
    int sys; /* errno of the write, 0 for success */
    bool is_running;
};

struct body {
    struct edge *edge;
    struct msgid id;
    enum { BODY_MEMORY, BODY_OPENING, BODY_FILE, BODY_FAILED } state;
    struct buf fresh;
    uint64_t size;
    struct ipc_call *call;
    struct job *job;
    bool has_asked; /* queue for a file */
    bool is_flushing;
    const char *fault;
    void (*ready)(void *ctx);
    void *ctx;
};

struct body *body_new(struct edge *e, const struct msgid *id, void (*ready)(void *ctx),
                      void *ctx)
{
    struct body *b = mem_new(1, sizeof(*b));

    b->edge = e;
    b->id = *id;
    b->ready = ready;
    b->ctx = ctx;
    buf_init(&b->fresh, PIECE * 2);
    return b;
}

static void job_free(struct job *j)
{
    if (j->fd != -1)
        (void)close(j->fd);
    buf_free(&j->octets);
    free(j);
}

/* Also behind an ACCEPT: what became a message has another name by then. */
static void drop_file(struct body *b)
{
    const struct m_body_drop m = {.id = b->id};
    struct ipc *queue = role_peer(b->edge->env, ROLE_QUEUE, 0);
    struct buf out;
    struct wr w;

    buf_init(&out, 64);
    wr_init(&w, &out);
    m_body_drop_encode(&m, &w);
    /* one that is not told of stays until a restart of either role */
    if (!w.is_bad)
        (void)!ipc_send(queue, IPC_BODY_DROP, buf_all(&out), -1);
    buf_free(&out);
}

void body_free(struct body **bp)
{
    struct body *b = *bp;

    if (b == NULL)
        return;
    *bp = NULL;
    if (b->has_asked)
        drop_file(b);
    ipc_cancel(&b->call);
    if (b->job != NULL && b->job->is_running)
        b->job->body = NULL;
    else if (b->job != NULL)
        job_free(b->job);
    buf_free(&b->fresh);
    free(b);
}

static void fail(struct body *b, int sys)
{
    b->state = BODY_FAILED;
    b->fault = sys == ENOSPC || sys == EDQUOT
                   ? "4.3.1 No room on the disk, try again later"
                   : "4.3.0 Cannot store the message now";
    buf_free(&b->fresh);
    log_event(b->edge->env->log, LOG_SMTP_BODY_FAILED,
              LOGF_S("error", sys != 0 ? strerror(sys) : "queue gave no file"));
}

static void write_work(void *ctx)
{
    struct job *j = ctx;
    struct span rest = buf_all(&j->octets);

    j->sys = 0;
    while (rest.n > 0) {
        ssize_t n = write(j->fd, rest.p, rest.n);

        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0) {
            j->sys = n == 0 ? EIO : errno;
            return;
        }
        rest = span_drop(rest, (size_t)n);
    }
}

static void start_write(struct body *b);

static void write_done(void *ctx)
{
    struct job *j = ctx;
    struct body *b = j->body;

    j->is_running = false;
    buf_reset(&j->octets);
    if (b == NULL) {
        job_free(j);
        return;
    }
    if (j->sys != 0)
        fail(b, j->sys);
    else if (b->fresh.len >= PIECE || (b->is_flushing && b->fresh.len > 0))
        start_write(b);
    if (!body_is_busy(b))
        b->ready(b->ctx);
}

static void start_write(struct body *b)
{
    struct buf swap = b->job->octets;

    b->job->octets = b->fresh;
    b->fresh = swap;
    b->job->is_running = true;
    if (pool_run(b->edge->disk, write_work, write_done, b->job) == -1) {
        b->job->is_running = false;
        fail(b, EAGAIN);
    }
}

static void on_file(void *ctx, const struct ipc_in *in)
{
    struct body *b = ctx;
    struct m_body_file m;

    b->call = NULL;
    if (in == NULL || !m_body_file_decode(in->payload, &m) || m.status != ANSWER_YES ||
        in->fd == -1) {
        bool is_full =
            in != NULL && m_body_file_decode(in->payload, &m) && m.status == ANSWER_NO;

        if (in != NULL && in->fd != -1)
            (void)close(in->fd);
        fail(b, is_full ? ENOSPC : 0);
    } else {
        b->job = mem_new(1, sizeof(*b->job));
        b->job->body = b;
        b->job->fd = in->fd;
        buf_init(&b->job->octets, b->fresh.max);
        b->state = BODY_FILE;
        start_write(b);
    }
    if (!body_is_busy(b))
        b->ready(b->ctx);
}

static void ask_file(struct body *b)
{
    const struct m_body_open m = {.id = b->id};
    struct ipc *queue = role_peer(b->edge->env, ROLE_QUEUE, 0);
    struct buf out;
    struct wr w;

    buf_init(&out, 64);
    wr_init(&w, &out);
    m_body_open_encode(&m, &w);
    b->state = BODY_OPENING;
    b->has_asked = true;
    b->call = ipc_call(queue, IPC_BODY_OPEN, buf_all(&out), -1, OPEN_MS, on_file, b);
    buf_free(&out);
}

void body_append(struct body *b, struct span octets)
{
    b->size += octets.n;
    if (b->state == BODY_FAILED)
        return;
    if (buf_span(&b->fresh, octets) == -1) {
        fail(b, ENOBUFS); /* the driver did not heed body_is_busy() */
        return;
    }
    if (b->state == BODY_MEMORY && b->fresh.len > BODY_MEMORY_MAX)
        ask_file(b);
    else if (b->state == BODY_FILE && b->fresh.len >= PIECE && !b->job->is_running)
        start_write(b);
}

bool body_is_busy(const struct body *b)
{
    switch (b->state) {
    case BODY_MEMORY:
    case BODY_FAILED:
        break;
    case BODY_OPENING:
        return true;
    case BODY_FILE:
        return b->job->is_running && (b->is_flushing || b->fresh.len >= PIECE);
    }
    return false;
}

void body_flush(struct body *b)
{
    b->is_flushing = true;
    if (b->state == BODY_FILE && !b->job->is_running && b->fresh.len > 0)
        start_write(b);
}

uint64_t body_size(const struct body *b)
{
    return b->size;
}

struct span body_memory(const struct body *b)
{
    return b->state == BODY_MEMORY ? buf_all(&b->fresh) : (struct span){NULL, 0};
}

int body_fd(const struct body *b)
{
    return b->state == BODY_FILE ? b->job->fd : -1;
}

const char *body_fault(const struct body *b)
{
    return b->fault;
}
