/* SPDX-License-Identifier: ISC */
/* maild/queue/dbq.c
 *
 * What nobody waits for (dbq_put_lazy) gathers until LAZY_OPS of it are there, LAZY_MS have
 * passed, or something that is waited for comes: most of the cost of a small transaction is
 * writing the same pages of its indexes again and again. */
#include "maild/queue/dbq.h"

#include <assert.h>
#include <stdlib.h>

#include "base/core/mem.h"
#include "base/io/pool.h"

#define LAZY_MS  100
#define LAZY_OPS 512u

struct dbq {
    struct db *db;
    struct pool *pool;
    struct loop_timer *lazy;
    struct list gathering, running; /* struct dbq_op.link */
    size_t n_lazy;                  /* put since the last transaction began */
    bool is_wanted;                 /* `gathering` is to be run as soon as may be */
    bool is_running, is_closing;
};

static void move_all(struct list *to, struct list *from)
{
    while (!list_is_empty(from)) {
        struct list *l = from->next;

        list_remove(l);
        list_add_tail(to, l);
    }
}

static int run_together(struct dbq *q, struct err *err)
{
    if (db_begin(q->db, err) == -1)
        return -1;
    LIST_EACH (it, &q->running) {
        struct dbq_op *op = LIST_ENTRY(it, struct dbq_op, link);

        if (op->run(q->db, op, err) == -1) {
            db_rollback(q->db);
            return -1;
        }
    }
    if (db_commit(q->db, err) == 0)
        return 0;
    db_rollback(q->db);
    return -1;
}

static void run_alone(struct dbq *q, struct dbq_op *op)
{
    op->is_failed = true;
    if (db_begin(q->db, &op->error) == -1)
        return;
    if (op->run(q->db, op, &op->error) == -1 || db_commit(q->db, &op->error) == -1) {
        db_rollback(q->db);
        return;
    }
    op->is_failed = false;
}

static void work(void *ctx)
{
    struct dbq *q = ctx;
    struct err err;

    if (run_together(q, &err) == 0)
        return;
    LIST_EACH (it, &q->running) {
        run_alone(q, LIST_ENTRY(it, struct dbq_op, link));
    }
}

static void start(struct dbq *q);

static void done(void *ctx)
{
    struct dbq *q = ctx;
    struct list finished;

    list_init(&finished);
    move_all(&finished, &q->running);
    q->is_running = false;
    if (!q->is_closing)
        start(q);
    while (!list_is_empty(&finished)) {
        struct dbq_op *op = LIST_ENTRY(finished.next, struct dbq_op, link);

        list_remove(&op->link);
        op->done(op, op->is_failed ? &op->error : NULL);
    }
}

static void start(struct dbq *q)
{
    int rc;

    if (q->is_running || !q->is_wanted || list_is_empty(&q->gathering))
        return;
    loop_timer_cancel(q->lazy);
    move_all(&q->running, &q->gathering);
    q->n_lazy = 0;
    q->is_wanted = false;
    q->is_running = true;
    rc = pool_run(q->pool, work, done, q);
    assert(rc == 0); /* one job at a time */
    (void)rc;
}

static void lazy_now(void *ctx)
{
    struct dbq *q = ctx;

    q->is_wanted = true;
    start(q);
}

struct dbq *dbq_new(struct loop *l, const char *name, struct db *db)
{
    struct dbq *q = mem_new(1, sizeof(*q));

    q->db = db;
    list_init(&q->gathering);
    list_init(&q->running);
    q->pool = pool_new(l, name, 1, 2);
    q->lazy = loop_timer_new(l, "dbq.lazy", lazy_now, q);
    return q;
}

void dbq_free(struct dbq **qp)
{
    struct dbq *q = *qp;

    *qp = NULL;
    if (q == NULL)
        return;
    q->is_closing = true;
    loop_timer_free(&q->lazy);
    pool_free(&q->pool);
    while (!list_is_empty(&q->gathering)) {
        move_all(&q->running, &q->gathering);
        work(q);
        done(q);
    }
    db_close(&q->db);
    free(q);
}

void dbq_put(struct dbq *q, struct dbq_op *op)
{
    op->is_failed = false;
    list_add_tail(&q->gathering, &op->link);
    q->is_wanted = true;
    if (!q->is_closing)
        start(q);
}

void dbq_put_lazy(struct dbq *q, struct dbq_op *op)
{
    op->is_failed = false;
    list_add_tail(&q->gathering, &op->link);
    if (q->is_closing)
        return;
    if (++q->n_lazy >= LAZY_OPS)
        lazy_now(q);
    else if (q->n_lazy == 1)
        loop_timer_set(q->lazy, LAZY_MS);
}

void dbq_bind_id(struct db_stmt *s, int at, const struct msgid *id)
{
    db_bind_blob(s, at, span_of(id->b, MSGID_OCTETS));
}

int dbq_step(struct db_stmt *s, struct err *err)
{
    enum db_result r = db_step(s, err);

    db_reset(s);
    return r == DB_DONE ? 0 : -1;
}
