/* SPDX-License-Identifier: ISC */
/* One batch:
 *
 *   0. the first time: open the index (made again if it is lost), look after files an APPEND
 *      left pending
 *   1. remove files nobody refers to: rows with refs 0 that an earlier batch committed; the
 *      file first, then the row, so that a crash in between is repaired by doing it again
 *   2. files of deliveries are linked and read (prepare), before others are kept waiting
 *   3. BEGIN (when any op writes), each op in a savepoint of its own, COMMIT
 *   4. on the loop: done() of each
 *
 * A failed commit, or a savepoint that the database has thrown away with the whole
 * transaction (disk full), fails every op of the batch. */
#include "maild/mailbox/shard.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/core/mem.h"
#include "maild/mailbox/mailfile.h"
#include "maild/mailbox/rebuild.h"

#define BATCH_MAX 256
#define REAP_MAX  100
#define READERS   4 /* kept; more are made and closed again */

struct shard {
    struct loop *loop;
    struct pool *pool;
    struct index *ix; /* of the database thread */
    char *path;
    int dirfd;
    unsigned number; /* NN of mail/NN */
    struct list waiting, running;
    size_t backlog;
    uint64_t changes; /* ops that were committed */
    bool is_busy, is_stopped;
    bool is_urgent; /* one of `waiting` cannot wait */
    int64_t not_before_ms;
    struct loop_timer *gather;
    bool must_reap;       /* set at the start: files left over from the last run */
    bool failed_log;      /* log an index that cannot be opened once */
    pthread_mutex_t lock; /* of the readers that nobody uses now */
    struct index *readers[READERS];
    size_t n_readers;
};

static void start_batch(struct shard *sh);

static void gather_over(void *ctx)
{
    struct shard *sh = ctx;

    sh->not_before_ms = 0;
    start_batch(sh);
}

struct shard *shard_new(struct loop *l, struct pool *pool, int dirfd, unsigned number,
                        const char *db_path)
{
    struct shard *sh = mem_new(1, sizeof(*sh));

    sh->loop = l;
    sh->pool = pool;
    sh->dirfd = dirfd;
    sh->number = number;
    sh->path = mem_strdup(db_path);
    sh->must_reap = true;
    if (pthread_mutex_init(&sh->lock, NULL) != 0)
        abort();
    sh->gather = loop_timer_new(l, "shard.gather", gather_over, sh);
    list_init(&sh->waiting);
    list_init(&sh->running);
    return sh;
}

size_t shard_backlog(const struct shard *sh)
{
    return sh->backlog;
}

uint64_t shard_changes(const struct shard *sh)
{
    return sh->changes;
}

const char *shard_path(const struct shard *sh)
{
    return sh->path;
}

/* ---- on the database thread ------------------------------------------------------- */

static void reap(struct shard *sh)
{
    struct index_doomed v[REAP_MAX];
    struct err err;
    size_t n = 0, gone = 0;

    sh->must_reap = false;
    if (index_doomed(sh->ix, v, REAP_MAX, &n, &err) != INDEX_OK || n == 0)
        return;
    while (gone < n && mailfile_remove(sh->dirfd, &v[gone].file, &err) == 0)
        gone++;
    if (index_begin(sh->ix, &err) == -1)
        return;
    for (size_t i = 0; i < gone; i++) {
        if (index_forget(sh->ix, v[i].row, &err) != INDEX_OK) {
            index_rollback(sh->ix);
            return;
        }
    }
    if (index_commit(sh->ix, &err) == -1)
        index_rollback(sh->ix);
    else
        sh->must_reap = gone == REAP_MAX;
}

/* A file that an APPEND named before a crash: wanted only if its row was committed. */
static void settle_pending(void *ctx, const struct index_file *f)
{
    struct shard *sh = ctx;
    struct err err;
    enum index_result r = index_has_file(sh->ix, f, &err);

    if (r == INDEX_NONE && mailfile_remove(sh->dirfd, f, &err) == -1)
        return;
    if (r == INDEX_OK || r == INDEX_NONE)
        mailfile_settled(sh->dirfd, f);
}

/* No session of this shard has come further than its first op, so nothing that is pending
 * now is still on its way. */
static int open_index(struct shard *sh, struct err *err)
{
    struct rebuild r;

    sh->ix = rebuild_open(sh->dirfd, sh->number, sh->path,
                          clock_wall_s(loop_clock(sh->loop)), &r, err);
    if (r.is_done)
        log_event(loop_log(sh->loop), LOG_MAILBOX_REBUILT, LOGF_N("shard", sh->number),
                  LOGF_S("why", r.why), LOGF_N("snapshot_s", r.snapshot_s),
                  LOGF_N("put_back", r.put_back), LOGF_N("gone", r.gone),
                  LOGF_N("not_read", r.not_read));
    if (sh->ix == NULL)
        return -1;
    return mailfile_pending(sh->dirfd, sh->number, settle_pending, sh, err);
}

static void fail_all(struct shard *sh, const struct err *err)
{
    LIST_EACH (it, &sh->running) {
        struct shard_op *op = LIST_ENTRY(it, struct shard_op, link);

        op->result = INDEX_ERROR;
        op->err = *err;
    }
}

/* False when the transaction is lost. */
static bool run_op(struct shard *sh, struct shard_op *op, struct err *err)
{
    if (!op->is_write) {
        op->run(op, sh->ix);
        return true;
    }
    if (index_mark(sh->ix, err) == -1)
        return false;
    op->run(op, sh->ix);
    return index_unmark(sh->ix, op->result == INDEX_OK, err) == 0;
}

static bool run_all(struct shard *sh, struct err *err)
{
    bool is_write = false, is_doomed = false;

    LIST_EACH (it, &sh->running)
        is_write = is_write || LIST_ENTRY(it, struct shard_op, link)->is_write;
    if (is_write && index_begin(sh->ix, err) == -1)
        return false;
    LIST_EACH (it, &sh->running) {
        struct shard_op *op = LIST_ENTRY(it, struct shard_op, link);

        if (!run_op(sh, op, err)) {
            index_rollback(sh->ix);
            return false;
        }
        is_doomed = is_doomed || (op->makes_doomed && op->result == INDEX_OK);
    }
    if (is_write && index_commit(sh->ix, err) == -1) {
        index_rollback(sh->ix);
        return false;
    }
    sh->must_reap = sh->must_reap || is_doomed;
    return true;
}

static void batch_work(void *ctx)
{
    struct shard *sh = ctx;
    struct err err = {0, ""};

    if (sh->ix == NULL && open_index(sh, &err) == -1) {
        index_close(&sh->ix);
        sh->must_reap = false;
        if (!sh->failed_log)
            log_event(loop_log(sh->loop), LOG_PROCESS_FAULT, LOGF_S("error", err.text));
        sh->failed_log = true;
        fail_all(sh, &err);
        return;
    }
    if (sh->must_reap)
        reap(sh);
    LIST_EACH (it, &sh->running) {
        struct shard_op *op = LIST_ENTRY(it, struct shard_op, link);

        if (op->prepare != NULL)
            op->prepare(op);
    }
    if (!run_all(sh, &err)) {
        log_event(loop_log(sh->loop), LOG_PROCESS_FAULT, LOGF_S("error", err.text));
        fail_all(sh, &err);
    }
}

/* ---- on the loop ------------------------------------------------------------------ */

static int64_t now_ms(const struct shard *sh)
{
    return clock_mono_ms(loop_clock(sh->loop));
}

static void take_batch(struct shard *sh)
{
    for (size_t i = 0; i < BATCH_MAX && !list_is_empty(&sh->waiting); i++) {
        struct list *first = sh->waiting.next;

        list_remove(first);
        list_add_tail(&sh->running, first);
    }
}

static void finish_batch(struct shard *sh)
{
    while (!list_is_empty(&sh->running)) {
        struct shard_op *op = LIST_ENTRY(sh->running.next, struct shard_op, link);

        list_remove(&op->link);
        sh->backlog--;
        sh->changes += op->is_write && op->result == INDEX_OK;
        op->done(op);
    }
}

static void batch_done(void *ctx)
{
    struct shard *sh = ctx;

    finish_batch(sh);
    sh->is_busy = false;
    sh->not_before_ms = now_ms(sh) + SHARD_GATHER_MS;
    start_batch(sh);
}

static void start_batch(struct shard *sh)
{
    int64_t left;

    if (sh->is_busy || sh->is_stopped ||
        (list_is_empty(&sh->waiting) && !(sh->must_reap && sh->ix != NULL)))
        return;
    left = sh->not_before_ms - now_ms(sh);
    if (!sh->is_urgent && sh->backlog < BATCH_MAX && left > 0) {
        loop_timer_set(sh->gather, left);
        return;
    }
    loop_timer_cancel(sh->gather);
    take_batch(sh);
    sh->is_urgent = sh->is_urgent && !list_is_empty(&sh->waiting);
    sh->is_busy = true;
    /* each shard has one job at a time in its pool, which has room for all shards */
    if (pool_run(sh->pool, batch_work, batch_done, sh) == -1)
        assert(false && "the database pool has no room");
}

void shard_submit(struct shard *sh, struct shard_op *op)
{
    op->result = INDEX_ERROR;
    op->err.text[0] = '\0';
    list_add_tail(&sh->waiting, &op->link);
    sh->is_urgent = sh->is_urgent || !op->can_wait;
    sh->backlog++;
    start_batch(sh);
}

void shard_stop(struct shard *sh)
{
    sh->is_stopped = true;
    loop_timer_cancel(sh->gather);
}

void shard_free(struct shard **shp)
{
    struct shard *sh = *shp;

    if (sh == NULL)
        return;
    *shp = NULL;
    sh->is_stopped = true;
    loop_timer_free(&sh->gather);
    while (!list_is_empty(&sh->waiting)) {
        take_batch(sh);
        batch_work(sh);
        finish_batch(sh);
    }
    while (sh->n_readers > 0)
        index_close(&sh->readers[--sh->n_readers]);
    index_close(&sh->ix);
    (void)pthread_mutex_destroy(&sh->lock);
    free(sh->path);
    free(sh);
}

/* ---- readers ---------------------------------------------------------------------- */

struct index *shard_reader_take(struct shard *sh, struct err *err)
{
    struct index *ix = NULL;

    (void)pthread_mutex_lock(&sh->lock);
    if (sh->n_readers > 0)
        ix = sh->readers[--sh->n_readers];
    (void)pthread_mutex_unlock(&sh->lock);
    return ix != NULL ? ix : index_open_reader(sh->path, err);
}

void shard_reader_give(struct shard *sh, struct index *reader, bool is_good)
{
    (void)pthread_mutex_lock(&sh->lock);
    if (is_good && sh->n_readers < READERS) {
        sh->readers[sh->n_readers++] = reader;
        reader = NULL;
    }
    (void)pthread_mutex_unlock(&sh->lock);
    index_close(&reader);
}
