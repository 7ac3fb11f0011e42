/* SPDX-License-Identifier: ISC */
/* maild/roles.h - the roles of maild, their numbers and how one is started.
 *
 * Why:       a role is a module with one start function that knows nothing of another but its
 *            messages (maild/ipc_msgs.def), so it does not see whether the others run in this
 *            process (--single) or each in one of its own, how many instances of them there
 *            are beyond their number, or that one of them died and came back.
 * Ownership: the env is the parent's; channels in it belong to the role that connected them.
 * Threads:   the role's loop.
 *
 * Every role starts with all its channels down. The parent brings each peer with role_plug(),
 * at the start and whenever one has been started again, in any order; the handlers of a
 * channel (base/io/ipc.h) hear of it with `opened` and `closed`. */
#ifndef MAILD_ROLES_H
#define MAILD_ROLES_H

#include "base/conf/conf.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/log.h"
#include "base/core/rng.h"
#include "base/core/span.h"
#include "base/io/bag.h"
#include "base/io/ipc.h"
#include "base/io/loop.h"
#include "base/io/sandbox.h"

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

#define ROLE_INSTANCES_MAX 16u

/* All that a role gets from outside. What it may not or cannot open itself stands in the
 * bag: maild/given.h. */
struct role_env {
    enum role self;
    unsigned instance;          /* which of count[self] this is, from 0 */
    unsigned count[ROLE_COUNT]; /* instances of each role, at least 1 */
    struct loop *loop;
    const struct log *log; /* log->role is this role's name */
    const struct clock *clock;
    struct rng *rng;
    const struct conf *conf;
    struct bag *bag; /* NULL: nothing was given */
    /* Made by role_connect(), NULL where it was not called. */
    struct ipc *peer[ROLE_COUNT][ROLE_INSTANCES_MAX];
    /* A peer broke the protocol: whoever started it should end it. May be NULL. */
    void (*breach)(void *ctx, enum role r, unsigned instance);
    void *breach_ctx;
};

/* A row of the role table (maild/role_table.c). `start` returns the role's state, or NULL
 * with *err. `stop` frees everything at once, its channels included (role_disconnect()). What
 * must be said to clients before is the business of the message STOP (edge). */
struct role_info {
    const char *name;
    bool starts_outside;   /* before confinement, since its library reads files then */
    void (*prepare)(void); /* before confinement: what a library reads later; or NULL */
    void *(*start)(struct role_env *env, struct err *err);
    void (*stop)(void *state);
    struct sandbox confined; /* what a process of it is left with, before `start` */
};
extern const struct role_info role_table[ROLE_COUNT];

/* How many instances of each role the configuration wants. */
void role_counts(const struct conf *c, unsigned count[ROLE_COUNT]);
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

/* Make channels, down, to all instances of `peer`, with these handlers. */
void role_connect(struct role_env *env, enum role peer, const struct ipc_handlers *h,
                  void *ctx);
/* Free all channels. Harmless when there are none. */
void role_disconnect(struct role_env *env);
/* The channel to that instance; NULL when role_connect() was not called for it. */
struct ipc *role_peer(const struct role_env *env, enum role peer, unsigned instance);
/* Which instance `ch` leads to. */
unsigned role_instance(const struct role_env *env, const struct ipc *ch);
/* Are all instances of `peer` there? */
bool role_is_up(const struct role_env *env, enum role peer);
/* For the parent: that instance is at the other end of `fd` now. The role owns `fd`, also
 * when it does not speak with such a one. */
void role_plug(struct role_env *env, enum role peer, unsigned instance, int fd);

/* Descriptor of the index-th thing of this name in the bag, from now on the caller's; -1 when
 * there is none, or it was taken. */
int role_given(const struct role_env *env, const char *name, size_t index);
/* Its text, "" when there is none. Lives as long as the bag. */
const char *role_given_text(const struct role_env *env, const char *name, size_t index);

/* An account's mail lives in shard NN of mail/NN, a shard belongs to one mailbox instance. */
#define ROLE_SHARDS 16u
unsigned role_shard(uint64_t account_id);
unsigned role_mailbox(const struct role_env *env, uint64_t account_id);
/* The relay instance that sends to this domain: always the same one, in any letter case, so
 * that what is known of a destination is known in one place. */
unsigned role_relay(const struct role_env *env, struct span domain);

/* True when the table has messages between these two. */
bool role_speaks(enum role a, enum role b);

#endif
