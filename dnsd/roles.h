/* SPDX-License-Identifier: ISC */
/* dnsd/roles.h - the parts of dnsd, their numbers, and what each gets from outside.
 *
 * Today all run in one process on one loop (--single); they know each other only as a
 * channel, so that they can be forked later without a change. */
#ifndef DNSD_ROLES_H
#define DNSD_ROLES_H

#include "base/conf/conf.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/log.h"
#include "base/core/rng.h"
#include "base/io/loop.h"

enum dnsd_role {
    DNSD_NONE = 0,
    DNSD_BUILDER, /* reads the database, compiles zones; never sees a packet */
    DNSD_SERVE,   /* answers packets; never sees a file */
};

struct dnsd_env {
    struct loop *loop;
    const struct log *log; /* log->role is this part's name */
    const struct clock *clock;
    struct rng *rng;
    const struct conf *conf;
    int peer_fd; /* channel to the other part; taken over */
};

#endif
