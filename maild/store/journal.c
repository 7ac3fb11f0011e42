/* SPDX-License-Identifier: ISC */
/* maild/store/journal.c
 *
 *     append --> gathering --+            (loop)
 *                            | the job under way has ended, or nothing is under way
 *                            v
 *                         writing --> one write, one fdatasync   (pool thread)
 *                            |
 *                            v
 *              gathering moves up; then everybody's `done`, in order   (loop)
 *
 * Two batches exist, so memory is bounded by twice the batch ceiling. A batch in which
 * nobody waits is written without a sync, a moment later, since more tends to come.
 *
 * Only the pool thread touches `disk`; the loop keeps its own copy of the end position. */
#include "maild/store/journal.h"

#include <assert.h>
#include <stdlib.h>

#include "base/core/log.h"
#include "base/core/mem.h"
#include "base/io/pool.h"

#define SEGMENT_OCTETS (16u * 1024u * 1024u)
#define LAZY_MS        10
#define JOBS_MAX       8

struct waiter {
    journal_done_fn done;
    void *ctx;
};

struct waiters {
    struct waiter *v;
    size_t n, cap;
};

struct batch {
    struct buf records;
    struct waiters waiting;
};

struct journal {
    struct loop *loop;
    struct segments *disk;
    struct pool *pool;
    struct loop_timer *lazy;
    struct batch batches[2];
    struct batch *gathering, *writing; /* swap places */
    struct waiters told;               /* being called back */
    bool is_writing;                   /* a job runs on `writing` */
    bool is_releasing;
    bool is_closing;
    size_t waiting_max;
    uint64_t end, released;  /* the loop's view */
    uint64_t releasing;      /* the job's mark */
    journal_mark_fn mark_cb; /* NULL: no checkpoint begins */
    void *mark_ctx;
    void (*release_cb)(void *ctx);
    void *release_ctx;
    uint64_t written_end; /* set by the job */
    bool failed;          /* set by the job */
    struct err error;
};

static void write_batch(struct journal *j, struct batch *b)
{
    j->failed = segments_append(j->disk, b->records.data, b->records.len,
                                b->waiting.n > 0, &j->error) == -1;
    j->written_end = segments_end(j->disk);
}

static void write_work(void *ctx)
{
    struct journal *j = ctx;

    write_batch(j, j->writing);
}

/* Empty the batch, so that it can gather again, and keep who waits in j->told. */
static void take_waiters(struct journal *j, struct batch *b)
{
    struct waiters empty = j->told;

    j->told = b->waiting;
    b->waiting = empty;
    buf_reset(&b->records);
}

/* Callbacks may append: that goes to a batch that is not being told. */
static void tell(struct journal *j, const struct err *err)
{
    for (size_t i = 0; i < j->told.n; i++)
        j->told.v[i].done(j->told.v[i].ctx, err);
    j->told.n = 0;
}

static void write_start(struct journal *j);
static void mark_start(struct journal *j);

/* What the pool thread does next, if anything. */
static void go_on(struct journal *j)
{
    if (j->is_writing || j->is_closing)
        return;
    if (j->mark_cb != NULL)
        mark_start(j);
    else if (j->gathering->records.len > 0)
        write_start(j);
}

static void mark_work(void *ctx)
{
    struct journal *j = ctx;

    j->failed = segments_roll(j->disk, &j->error) == -1;
}

static void mark_done(void *ctx)
{
    struct journal *j = ctx;
    journal_mark_fn cb = j->mark_cb;
    struct err error = j->error;
    bool failed = j->failed;

    j->is_writing = false;
    j->mark_cb = NULL;
    go_on(j);
    cb(j->mark_ctx, j->end, failed ? &error : NULL);
}

static void mark_start(struct journal *j)
{
    int rc;

    j->is_writing = true;
    rc = pool_run(j->pool, mark_work, mark_done, j);
    assert(rc == 0);
    (void)rc;
}

void journal_mark(struct journal *j, journal_mark_fn cb, void *ctx)
{
    assert(j->mark_cb == NULL);
    j->mark_cb = cb;
    j->mark_ctx = ctx;
    go_on(j);
}

static void write_done(void *ctx)
{
    struct journal *j = ctx;
    struct err error = j->error;
    bool failed = j->failed;

    j->is_writing = false;
    j->end = j->written_end;
    if (failed)
        log_event(loop_log(j->loop), LOG_JOURNAL_FAILED, LOGF_S("error", error.text));
    take_waiters(j, j->writing);
    go_on(j); /* first, so that the disk works while we tell */
    tell(j, failed ? &error : NULL);
}

static void write_start(struct journal *j)
{
    struct batch *b = j->gathering;
    int rc;

    assert(!j->is_writing);
    loop_timer_cancel(j->lazy);
    j->gathering = j->writing;
    j->writing = b;
    j->is_writing = true;
    rc = pool_run(j->pool, write_work, write_done, j);
    assert(rc == 0); /* one write and one release at a time: JOBS_MAX is never reached */
    (void)rc;
}

static void lazy_now(void *ctx)
{
    struct journal *j = ctx;

    go_on(j);
}

struct journal *journal_open(const struct journal_config *c, struct err *err)
{
    struct journal *j = mem_new(1, sizeof(*j));
    uint32_t octets = c->segment_octets != 0 ? c->segment_octets : SEGMENT_OCTETS;

    j->loop = c->loop;
    j->gathering = &j->batches[0];
    j->writing = &j->batches[1];
    j->disk = segments_open(c->fs, c->dir, octets, err);
    if (j->disk == NULL) {
        err_wrap(err, "journal");
        free(j);
        return NULL;
    }
    j->waiting_max = segments_batch_max(j->disk);
    if (c->waiting_max != 0 && c->waiting_max < j->waiting_max)
        j->waiting_max = c->waiting_max;
    for (size_t i = 0; i < 2; i++)
        buf_init(&j->batches[i].records, j->waiting_max);
    j->pool = pool_new(c->loop, "journal", 1, JOBS_MAX);
    j->lazy = loop_timer_new(c->loop, "journal.lazy", lazy_now, j);
    return j;
}

void journal_close(struct journal **jp)
{
    struct journal *j = *jp;

    *jp = NULL;
    if (j == NULL)
        return;
    j->is_closing = true;
    loop_timer_free(&j->lazy);
    pool_free(&j->pool);
    if (j->gathering->records.len > 0) {
        write_batch(j, j->gathering);
        take_waiters(j, j->gathering);
        tell(j, j->failed ? &j->error : NULL);
    }
    segments_close(&j->disk);
    for (size_t i = 0; i < 2; i++) {
        buf_free(&j->batches[i].records);
        free(j->batches[i].waiting.v);
    }
    free(j->told.v);
    free(j);
}

int journal_replay(struct journal *j, segments_record_fn fn, void *ctx, struct err *err)
{
    if (segments_replay(j->disk, fn, ctx, err) == -1)
        return err_wrap(err, "replay journal");
    if (segments_skipped(j->disk) > 0)
        log_event(loop_log(j->loop), LOG_JOURNAL_SKIPPED,
                  LOGF_N("places", segments_skipped(j->disk)));
    j->end = j->released = segments_end(j->disk);
    return 0;
}

static void add_waiter(struct waiters *w, journal_done_fn done, void *ctx)
{
    if (w->n == w->cap) {
        w->cap = w->cap == 0 ? 64 : w->cap * 2;
        w->v = mem_resize(w->v, w->cap, sizeof(*w->v));
    }
    w->v[w->n++] = (struct waiter){.done = done, .ctx = ctx};
}

int journal_append(struct journal *j, uint16_t type, const struct span *parts, size_t n,
                   journal_done_fn done, void *ctx)
{
    struct batch *b = j->gathering;

    if (record_encode(type, parts, n, &b->records) == -1)
        return -1;
    if (done != NULL)
        add_waiter(&b->waiting, done, ctx);
    if (!j->is_writing && !j->is_closing) {
        if (done != NULL)
            go_on(j);
        else
            loop_timer_set(j->lazy, LAZY_MS);
    }
    return 0;
}

uint64_t journal_unreleased(const struct journal *j)
{
    return j->end - j->released;
}

static void release_work(void *ctx)
{
    struct journal *j = ctx;
    struct err err;

    /* What is not released now stays and is replayed for nothing: no harm. */
    if (segments_release(j->disk, j->releasing, &err) == -1)
        log_event(loop_log(j->loop), LOG_JOURNAL_FAILED, LOGF_S("error", err.text));
}

static void release_done(void *ctx)
{
    struct journal *j = ctx;

    j->is_releasing = false;
    j->release_cb(j->release_ctx);
}

void journal_release(struct journal *j, uint64_t mark, void (*cb)(void *ctx), void *ctx)
{
    int rc;

    assert(mark <= j->end && !j->is_releasing && !j->is_closing);
    j->released = j->releasing = mark;
    j->release_cb = cb;
    j->release_ctx = ctx;
    j->is_releasing = true;
    rc = pool_run(j->pool, release_work, release_done, j);
    assert(rc == 0); /* one write and one release at a time */
    (void)rc;
}
