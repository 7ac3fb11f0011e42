/* SPDX-License-Identifier: ISC */
/* dnsd/plan.h - every zone the database has at a start, and what is already there of it.
 *
 * Why:       the builder's thread knows the database, the keeper's thread knows the images of
 *            earlier runs; this list goes from the one to the other and back.
 * Ownership: a plan belongs to whoever has it. Threads: one owner at a time. */
#ifndef DNSD_PLAN_H
#define DNSD_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/arena.h"
#include "base/core/err.h"

enum plan_state {
    PLAN_MISSING, /* no image: to be compiled before anything is answered */
    PLAN_STALE, /* one of an earlier state was sent: to be compiled as soon as possible */
    PLAN_CURRENT, /* one of this very state was sent */
};

struct plan_zone {
    int64_t domain_id;
    int64_t serial, at_s; /* struct zone_made */
    const char *name;
    enum plan_state state;
};

struct plan {
    struct plan_zone *zones; /* by domain_id */
    size_t n, cap;
    struct arena *names;
    int64_t serial; /* newest change of the database; -1: it could not be read */
    struct err err;
    /* Filled by the keeper: */
    int64_t after;     /* domain_id that it has come to */
    bool is_loaded;    /* all of its images have been handed on */
    bool was_all_gone; /* the database is empty, yet there were images: they were sent */
    const char **kept; /* was_all_gone: their names */
    size_t n_kept, cap_kept;
    int64_t *orphans; /* rows that belong to no zone, or are damaged */
    size_t n_orphans, cap_orphans;
    size_t n_sent, n_stale, n_newer, n_damaged, n_foreign;
};

struct plan *plan_new(void);
void plan_free(struct plan **p);
/* Zones come by ascending domain_id. */
void plan_add(struct plan *p, const struct plan_zone *z);
/* NULL when the database has no such domain. */
struct plan_zone *plan_find(struct plan *p, int64_t domain_id);

#endif
