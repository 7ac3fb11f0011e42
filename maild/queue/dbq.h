/* SPDX-License-Identifier: ISC */
/* maild/queue/dbq.h - one database, one thread, one transaction for all that gathered.
 *
 * Why:       a commit costs the same for one row and for a thousand. While one transaction
 *            commits, further work gathers and makes the next.
 * Ownership: an operation belongs to the dbq from dbq_put() until its `done`, which frees it.
 * Threads:   dbq_put() and `done` on the loop; `run` on the database thread. */
#ifndef MAILD_QUEUE_DBQ_H
#define MAILD_QUEUE_DBQ_H

#include <stdbool.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/list.h"
#include "base/core/msgid.h"
#include "base/db/db.h"
#include "base/io/loop.h"

/* First member of a struct of the caller's. */
struct dbq_op {
    struct list link;
    /* 0, or -1 with *err: the whole transaction is undone and each of its operations is then
     * run alone, so that one bad row does not take others with it. */
    int (*run)(struct db *db, struct dbq_op *op, struct err *err);
    /* err NULL: committed. Called exactly once. */
    void (*done)(struct dbq_op *op, const struct err *err);
    bool is_failed;
    struct err error;
};

struct dbq;

/* The open database goes over to the dbq; it is used by its thread only from now on. */
struct dbq *dbq_new(struct loop *l, const char *name, struct db *db);
/* Runs what has gathered, calls every `done`, closes the database. */
void dbq_free(struct dbq **q);
/* Operations are run in the order given. */
void dbq_put(struct dbq *q, struct dbq_op *op);
/* The same for what may wait a tenth of a second, or until something comes that may not;
 * the order stays. What a kill takes meanwhile is lost. */
void dbq_put_lazy(struct dbq *q, struct dbq_op *op);

/* For `run`: bind an id; step a statement that gives no row (0 or -1). */
void dbq_bind_id(struct db_stmt *s, int at, const struct msgid *id);
MUST_USE int dbq_step(struct db_stmt *s, struct err *err);

#endif
