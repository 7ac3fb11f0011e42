/* SPDX-License-Identifier: ISC */
/* maild/parent.h - starts the roles, keeps them running, stops them in order.
 *
 * Why:       one table of steps says what happens at start and, read backwards, at the end.
 * Ownership: parent_run owns everything it makes until it returns.
 * Threads:   the main thread. */
#ifndef MAILD_PARENT_H
#define MAILD_PARENT_H

#include <stdbool.h>

#include "base/conf/conf.h"
#include "base/core/attr.h"
#include "base/core/err.h"

struct parent_options {
    const char *conf_path;
    const struct conf *conf;
    bool check_only; /* -n: everything that can be checked without serving */
    bool is_single;  /* --single: all roles in this process */
};

/* Check and, unless check_only, serve until SIGTERM or SIGINT. 0, or -1 with *err. */
MUST_USE int parent_run(const struct parent_options *o, struct err *err);

#endif
