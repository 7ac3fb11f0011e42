/* SPDX-License-Identifier: ISC */
/* dnsd/parent.h - starts the roles of dnsd, holds their ports, stops them in order.
 *
 * Ownership: dnsd_run owns everything it makes until it returns.
 * Threads:   the main thread. */
#ifndef DNSD_PARENT_H
#define DNSD_PARENT_H

#include <stdbool.h>

#include "base/conf/conf.h"
#include "base/core/attr.h"
#include "base/core/err.h"

struct dnsd_options {
    const char *conf_path;
    const struct conf *conf;
    bool check_only; /* -n: configuration and database only */
    bool is_single;  /* all roles in this process */
};

/* Check and, unless check_only, serve until SIGTERM or SIGINT. 0, or -1 with *err. */
MUST_USE int dnsd_run(const struct dnsd_options *o, struct err *err);

#endif
