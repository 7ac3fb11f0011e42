/* SPDX-License-Identifier: ISC */
#include "dnsd/settle.h"

#include <stdlib.h>

#include "base/core/mem.h"
#include "base/io/pool.h"
#include "zones/domain.h"

enum { FIRST_MS = 60000, EVERY_MS = 300000, QUIET_S = 86400 };

struct settle {
    const struct dnsd_env *env;
    struct pool *pool;
    struct loop_timer *timer;
    struct err err; /* the job's; read when it is done */
    int n;          /* zones and hosts settled */
    bool is_failed;
    bool was_told; /* of a fault, so that it is logged once and not every time */
};

static void work(void *ctx)
{
    struct settle *s = ctx;
    int64_t now_s = clock_wall_s(s->env->clock);
    struct domaindb *d =
        domaindb_open(s->env->data_dir, s->env->run_dir, DOMAINDB_WRITE, &s->err);

    s->n = 0;
    s->is_failed =
        d == NULL || domain_settle(d, now_s, now_s - QUIET_S, &s->n, &s->err) == -1;
    domaindb_close(&d);
}

static void done(void *ctx)
{
    struct settle *s = ctx;

    if (s->is_failed && !s->was_told)
        log_event(s->env->log, LOG_DNS_SETTLE_FAILED, LOGF_S("error", s->err.text));
    else if (s->n > 0)
        log_event(s->env->log, LOG_DNS_SETTLED, LOGF_N("count", s->n));
    s->was_told = s->is_failed;
}

static void on_timer(void *ctx)
{
    struct settle *s = ctx;

    loop_timer_set(s->timer, EVERY_MS);
    /* A job that still runs takes care of what is due. */
    (void)!pool_run(s->pool, work, done, s);
}

struct settle *settle_start(const struct dnsd_env *env)
{
    struct settle *s = mem_new(1, sizeof(*s));

    s->env = env;
    s->pool = pool_new(env->loop, "settle", 1, 1);
    s->timer = loop_timer_new(env->loop, "settle", on_timer, s);
    loop_timer_set(s->timer, FIRST_MS);
    return s;
}

void settle_stop(struct settle **sp)
{
    struct settle *s = *sp;

    if (s == NULL)
        return;
    *sp = NULL;
    loop_timer_free(&s->timer);
    pool_free(&s->pool);
    free(s);
}
