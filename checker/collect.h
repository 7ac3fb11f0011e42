/* SPDX-License-Identifier: ISC */
/* checker/collect.h - run checks until every question they ask is answered.
 *
 * Why:       checks are pure and only note what they miss (checker/facts.h); here is the
 *            one place that asks the world, with budgets: so many questions at a time, so
 *            long for one, so long for all. What is not answered in time is a fact too:
 *            "could not be asked".
 * Threads:   one; runs its own loop until the run is complete. */
#ifndef CHECKER_COLLECT_H
#define CHECKER_COLLECT_H

#include "base/core/err.h"
#include "base/io/resolver.h"
#include "checker/facts.h"
#include "checker/finding.h"

struct collect_limits {
    unsigned in_flight;  /* questions under way at once */
    int64_t question_ms; /* for one question */
    int64_t run_ms;      /* for the whole run */
};

/* A family of checks over facts, e.g. check_mx(). Adds findings; asks by fact_get(). */
typedef void (*check_fn)(void *ctx, struct facts *facts, struct findings *out);

/* Run `check` again and again, asking what it missed, until it misses nothing. `out` then
 * holds the findings of the last run. 0, or -1 with *err when no resolver can be made. */
int collect_run(const struct resolver_config *cfg, const struct collect_limits *lim,
                check_fn check, void *ctx, struct findings *out, struct err *err);

#endif
