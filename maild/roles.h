/* SPDX-License-Identifier: ISC */
/* maild/roles.h - the roles of maild, their numbers and how one is started.
 *
 * Every role is a module with one start function. In --single mode the parent starts all
 * on one loop and joins them by socketpairs; the issue "Proof" forks them instead. A role
 * knows nothing of another but its messages (maild/ipc_msgs.def). */
#ifndef MAILD_ROLES_H
#define MAILD_ROLES_H

#include "base/conf/conf.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/log.h"
#include "base/core/rng.h"
#include "base/io/ipc.h"
#include "base/io/loop.h"

enum role {
    ROLE_NONE = 0,
    ROLE_PARENT,
    ROLE_EDGE,
    ROLE_QUEUE,
    ROLE_RELAY,
    ROLE_MAILBOX,
    ROLE_DIRECTORY,
    ROLE_SIGNER,
    ROLE_RESOLVER,
    ROLE_COUNT
};

/* All that a role gets from outside. */
struct role_env {
    enum role self;
    struct loop *loop;
    const struct log *log; /* log->role is this role's name */
    const struct clock *clock;
    struct rng *rng;
    const struct conf *conf;
    struct ipc *peer[ROLE_COUNT]; /* channels to those it may speak with, else NULL */
    int peer_fd[ROLE_COUNT];      /* set by the parent; the role makes the channels */
};

/* A row of the role table (maild/role_table.c). `start` returns the role's state, or NULL
 * with *err. `stop` frees everything at once; channels it has not freed itself
 * (ipc_free(&env->peer[x])) are freed by the parent afterwards. What must be said to
 * clients before is the business of the message STOP (edge). */
struct role_info {
    const char *name;
    void *(*start)(struct role_env *env, struct err *err);
    void (*stop)(void *state);
};
extern const struct role_info role_table[ROLE_COUNT];

/* "edge", "queue", ...: for logs. */
const char *role_name(enum role r);

/* Start/stop functions, one pair per role folder. */
void *edge_start(struct role_env *env, struct err *err);
void edge_stop(void *state);
void *queue_start(struct role_env *env, struct err *err);
void queue_stop(void *state);
void *relay_start(struct role_env *env, struct err *err);
void relay_stop(void *state);
void *mailbox_start(struct role_env *env, struct err *err);
void mailbox_stop(void *state);
void *directory_start(struct role_env *env, struct err *err);
void directory_stop(void *state);
void *signer_start(struct role_env *env, struct err *err);
void signer_stop(void *state);
void *resolver_role_start(struct role_env *env, struct err *err);
void resolver_role_stop(void *state);

/* Open the channel to `peer` with these handlers; env->peer[peer] is then set. Used by the
 * roles' start functions for each peer that env->peer_fd names. */
MUST_USE int role_connect(struct role_env *env, enum role peer,
                          const struct ipc_handlers *h, void *ctx, struct err *err);
/* True when the table has messages between these two. */
bool role_speaks(enum role a, enum role b);

#endif
