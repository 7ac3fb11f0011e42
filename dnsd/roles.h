/* SPDX-License-Identifier: ISC */
/* dnsd/roles.h - the roles of dnsd, their numbers, and what each gets from outside.
 *
 * Why:       a role knows the others only as channels, so it does not see whether they run in
 *            this process (--single) or in others, nor that one of them died and came back.
 * Ownership: the env is the parent's; channels belong to the role that made them.
 * Threads:   the role's loop.
 *
 * A role starts with its channels down; the parent brings peers with `plug`, at the start
 * and whenever one has been started again. */
#ifndef DNSD_ROLES_H
#define DNSD_ROLES_H

#include "base/conf/conf.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/log.h"
#include "base/core/rng.h"
#include "base/io/bag.h"
#include "base/io/loop.h"
#include "base/io/sandbox.h"

enum dnsd_role {
    DNSD_NONE = 0,
    DNSD_PARENT,  /* opens ports and socket files, starts the others; reads no packet */
    DNSD_BUILDER, /* reads the database, compiles zones; never sees a packet */
    DNSD_SERVE,   /* answers packets; never sees a file */
    DNSD_ROLE_COUNT
};

/* What a role may not or cannot open itself stands in the bag (dnsd/given.h):
 *
 *     name      text       descriptor
 *     udp, tcp  -          bound sockets, those of one address for all threads, then the
 *                          next address                                            (serve)
 *     threads   a number   -                                                       (serve)
 *     control   path       listening UNIX socket                                   (builder)
 *     notify    path       datagram socket for notices of changes                  (builder)
 */
struct dnsd_env {
    struct loop *loop;
    const struct log *log; /* log->role is this role's name */
    const struct clock *clock;
    struct rng *rng;
    const struct conf *conf;
    const char *data_dir; /* as this role sees it: "" when it is the root */
    const char *run_dir;  /* where writers of the database listen; NULL: out of reach */
    struct bag *bag;      /* NULL: nothing was given */
};

/* A row of the role table. `start` returns the role's state, or NULL with *err; `plug` takes
 * over `fd`, at whose other end `peer` is now. */
struct dnsd_role_info {
    const char *name;
    void *(*start)(const struct dnsd_env *env, struct err *err);
    void (*plug)(void *state, enum dnsd_role peer, int fd);
    void (*stop)(void *state);
    struct sandbox sandbox;
};
extern const struct dnsd_role_info dnsd_roles[DNSD_ROLE_COUNT];

/* True when the table of messages has some between these two. */
bool dnsd_speaks(uint8_t a, uint8_t b);

#endif
