/* SPDX-License-Identifier: ISC */
/* maild/parent_int.h - what the files of the parent share. */
#ifndef MAILD_PARENT_INT_H
#define MAILD_PARENT_INT_H

#include "base/core/log.h"
#include "maild/given.h"
#include "maild/parent.h"
#include "maild/roles.h"

/* ---- surroundings.c: what must be right before anything starts ------------------------ */

/* data_dir is there and can be written. */
MUST_USE int check_data_dir(const struct parent_options *o, struct err *err);
/* Certificate and key fit together, and no password goes over the net in clear unless the
 * configuration says so. */
MUST_USE int check_tls(const struct parent_options *o, struct err *err);
/* run_dir is there (it is made when missing) and can be written. */
MUST_USE int check_run_dir(const struct parent_options *o, struct err *err);
/* Take the lock of data_dir: two daemons on one journal would destroy each other's work. Each
 * process that works on the data holds the descriptor, so that it is free only when the last
 * of them is gone. Waits for those that a dead parent left behind. */
MUST_USE int lock_data_dir(const struct parent_options *o, int *fd, struct err *err);
/* The name of who runs this, for messages. */
const char *surroundings_user(void);

/* ---- the two ways to run the roles ----------------------------------------------------- */

/* Who asked for the roles, and hears of them. */
struct roles_host {
    const struct parent_options *o; /* o->conf changes with a reload */
    struct loop *loop;
    const struct log *log; /* the parent's own */
    int log_fd;
    int lock_fd;
    const struct given *given;
    struct role_env *parent; /* the parent as a role: its channels are plugged */
    void (*started)(void *ctx);
    void (*failed)(void *ctx, const char *why);
    void (*stopped)(void *ctx);
    void *ctx;
};

/* Who is asked starts before who asks; edge, which lets the world in, is last. */
#define ROLES_STARTED 7
extern const enum role roles_order[ROLES_STARTED];

/* Each role instance a process: base/io/supervise.h. */
struct processes;
struct processes *processes_start(const struct roles_host *h);
/* Tell all to end, in order; `stopped` follows. */
void processes_stop(struct processes *p);
/* Start every role anew, with what the configuration is now. The edges have said goodbye to
 * their clients before. */
void processes_renew(struct processes *p);
void processes_free(struct processes **p);

/* All in this process on the parent's loop (--single). */
struct single;
struct single *single_start(const struct roles_host *h, struct err *err);
void single_free(struct single **s);
/* Format and level of the log have changed. */
void single_tune(struct single *s, const struct conf *c);

#endif
