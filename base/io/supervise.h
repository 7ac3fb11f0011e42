/* SPDX-License-Identifier: ISC */
/* base/io/supervise.h - the processes of one daemon: started, joined, restarted, ended.
 *
 * Why:       the role that reads hostile octets shall own nothing worth stealing, and a role
 *            that dies shall take only its own work with it.
 * Ownership: the caller owns the config's tables and outlives the supervisor.
 * Threads:   the loop's thread; the process must have no other when it forks.
 *
 * A *role* is a number with a name; it may run as several *instances*. Each instance is this
 * program executed anew (`NAME --role ROLE --instance N`), with descriptor ROLECHILD_FD as
 * its line to us (base/io/rolechild.h is the other end) and its standard error as the
 * pipe of its log. When two instances whose roles speak with each other are both ready, each
 * gets one end of a new socket pair; so a role that was restarted is joined again to all. */
#ifndef BASE_IO_SUPERVISE_H
#define BASE_IO_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/core/err.h"
#include "base/io/bag.h"
#include "base/io/loop.h"

#define SUPERVISE_INSTANCES 16 /* of one role */

struct supervise;

struct supervise_row {
    uint8_t role;
    const char *name;
    unsigned count; /* instances, 1..SUPERVISE_INSTANCES */
    bool waits;     /* started only when every row before it is ready */
};

struct supervise_config {
    struct loop *loop;
    const struct log *log;
    int log_fd;          /* where the lines of the roles go */
    const char *program; /* "maild" */
    uint8_t self;        /* the parent's own role number */
    const struct supervise_row *rows;
    size_t n_rows;
    bool (*speaks)(uint8_t a, uint8_t b);
    /* Put into the (empty) bag what this instance needs; called before each start of it. */
    int (*fill)(void *ctx, const struct supervise_row *row, unsigned instance,
                struct bag *bag, struct err *err);
    /* The parent's own end of a channel to an instance that is ready. */
    void (*plug)(void *ctx, uint8_t role, unsigned instance, int fd);
    /* Every instance is ready for the first time. */
    void (*started)(void *ctx);
    /* One could not start the first time: `why` in one line. The others still run. */
    void (*failed)(void *ctx, const char *why);
    /* supervise_stop() is done: no process is left. */
    void (*stopped)(void *ctx);
    void *ctx;
};

struct supervise *supervise_new(const struct supervise_config *cfg);
/* Kills what still runs, and waits for it. */
void supervise_free(struct supervise **s);

/* Start all rows, in order. */
void supervise_start(struct supervise *s);
/* End all in good order: the last row first, each row gone before the next is told. An
 * instance that takes longer than `each_ms` is killed. */
void supervise_stop(struct supervise *s, int64_t each_ms);
/* Tell each instance of a role to end; it is then started at once with a bag filled anew. */
void supervise_renew(struct supervise *s, uint8_t role);
/* The process of an instance, 0 when none runs; and how often it was restarted. */
pid_t supervise_pid(const struct supervise *s, uint8_t role, unsigned instance,
                    unsigned *restarts);

#endif
