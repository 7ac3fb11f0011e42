/* SPDX-License-Identifier: ISC */
/* checker/finding.h - what a check has to say, as a value a person or a program can use.
 *
 * Why:       "SPF error" helps nobody. A finding names its check, what was seen, why that
 *            matters and the exact change that mends it; "could not test" is an outcome of
 *            its own and never looks like a pass or a failure.
 * Ownership: texts live in the arena of the list.
 * Threads:   one owner. Pure: no I/O, no clock, no globals. */
#ifndef CHECKER_FINDING_H
#define CHECKER_FINDING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/core/arena.h"
#include "base/core/attr.h"

enum severity {
    SEVERITY_INFO,
    SEVERITY_NOTICE,
    SEVERITY_WARNING,
    SEVERITY_ERROR,
    SEVERITY_CRITICAL
};
enum outcome { OUTCOME_PASS, OUTCOME_FAIL, OUTCOME_UNTESTED };

/* One row of the catalogue (checker/catalogue.c): everything about a check but its code. */
struct check_info {
    const char *id;         /* "SP-002": stable, used in documents and by programs */
    enum severity severity; /* of a failure */
    const char *title;      /* what holds when the check passes */
    const char *why;        /* why a failure matters, one sentence */
    const char *clause;     /* "RFC 7208 4.5" */
};

struct finding {
    const struct check_info *check;
    enum outcome outcome;
    const char *subject; /* the domain, host or address */
    const char *seen;    /* what the world answered */
    const char *fix;     /* the exact change; "" for a pass */
};

struct findings {
    struct arena *arena;
    struct finding *items;
    size_t n, cap;
};

void findings_init(struct findings *f);
void findings_free(struct findings *f);
/* Forget all, keep the memory: a check run is repeated until every fact is there. */
void findings_reset(struct findings *f);

/* Add one outcome of the check `id` (which the catalogue must have). */
void finding_pass(struct findings *f, const char *id, const char *subject,
                  const char *seen_fmt, ...) PRINTF_LIKE(4, 5);
/* `fix` may be NULL when the text of `seen` says it all. Copied. */
void finding_fail(struct findings *f, const char *id, const char *subject,
                  const char *fix, const char *seen_fmt, ...) PRINTF_LIKE(5, 6);
void finding_untested(struct findings *f, const char *id, const char *subject,
                      const char *why_fmt, ...) PRINTF_LIKE(4, 5);

/* The row of `id`, or NULL. */
const struct check_info *check_find(const char *id);
const struct check_info *check_row(size_t i); /* NULL past the end */
const char *severity_name(enum severity s);

#endif
