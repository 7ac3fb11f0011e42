/* SPDX-License-Identifier: ISC */
/* Design: a job maps the sealed memory, copies each image into memory of its own, checks the
 * copy (so nothing can change it between check and use) and puts it into the table. Copies
 * also let each zone be freed by itself, and a process may hold only so many mappings.
 *
 * What was replaced waits in `grace`; a timer sweeps as long as something waits. Sweeping
 * frees memory that only the writer's thread retires, so it is a job too. */
#include "dnsd/publish.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/core/wire.h"
#include "base/io/bag.h"
#include "base/io/pool.h"

enum { JOBS_MAX = 256, SWEEP_MS = 50 };

#define BATCH_MAX ((size_t)1 << 30) /* octets of one message's memory */

struct publish {
    const struct dnsd_env *env;
    struct pool *pool;
    struct zonetab *zones;
    struct grace *grace;
    struct loop_timer *sweeper;
    size_t n_waiting; /* pieces of memory; written by the pool's thread */
    bool is_sweeping; /* a job or the timer is under way */
    publish_done_fn done;
    void *ctx;
};

struct job {
    struct publish *p;
    uint64_t call;
    void (*work)(struct job *j);
    int fd;
    uint64_t octets;
    uint32_t count;
    enum publish_names what;
    struct span names;
    size_t n_waiting;
    struct publish_result result;
};

static void retire(void *ctx, void *memory)
{
    struct publish *p = ctx;

    grace_retire(p->grace, memory);
}

/* --- on the writer's thread --- */

static void take_image(struct publish *p, struct span image, struct job *j)
{
    struct err err = {0};
    struct zone_live *z = zone_live_new(image, &err);

    if (z == NULL) {
        log_event(p->env->log, LOG_DNS_IMAGE_DAMAGED, LOGF_S("text", err.text));
        return;
    }
    zonetab_put(p->zones, z);
    j->result.count++;
}

/* Images lie one behind the other, each on a border of 8 and with its size in its header. */
static void take_all(struct publish *p, struct span all, struct job *j)
{
    for (uint32_t i = 0; i < j->count; i++) {
        struct image_header h;

        if (all.n < sizeof(h))
            break;
        memcpy(&h, all.p, sizeof(h));
        if (h.size < sizeof(h) || h.size > all.n || h.size % 8 != 0)
            break;
        take_image(p, span_take(all, h.size), j);
        all = span_drop(all, h.size);
    }
}

static void work_images(struct job *j)
{
    struct span all;
    struct err err = {0};

    if (bag_map(j->fd, BATCH_MAX, &all, &err) == 0) {
        take_all(j->p, span_take(all, (size_t)j->octets), j);
        (void)munmap((void *)(uintptr_t)all.p, all.n);
    } else {
        log_event(j->p->env->log, LOG_DNS_IMAGE_DAMAGED, LOGF_S("text", err.text));
    }
    (void)close(j->fd);
    j->fd = -1;
}

static void withhold(struct publish *p, struct span apex, struct job *j)
{
    if (zonetab_touch(p->zones, apex))
        return; /* the last good one stays */
    zonetab_put(p->zones, zone_live_broken(apex));
    j->result.count++;
}

static void work_names(struct job *j)
{
    struct rd r;

    rd_init(&r, j->names);
    while (rd_left(&r) > 0) {
        struct span apex = rd_span16(&r);

        if (r.is_bad || apex.n == 0 || dname_check(apex) != apex.n)
            break;
        if (j->what == PUBLISH_WITHHOLD)
            withhold(j->p, apex, j);
        else
            j->result.count += zonetab_remove(j->p->zones, apex);
    }
}

static void work_round_begin(struct job *j)
{
    zonetab_round(j->p->zones);
}

static void work_round_end(struct job *j)
{
    j->result.count = (uint32_t)zonetab_drop_untouched(j->p->zones);
}

static void work_sweep(struct job *j)
{
    (void)j; /* every job sweeps at its end */
}

static void run(void *ctx)
{
    struct job *j = ctx;

    j->work(j);
    j->n_waiting = grace_sweep(j->p->grace);
    j->result.zones = (uint32_t)zonetab_count(j->p->zones);
    j->result.octets = zonetab_octets(j->p->zones);
}

/* --- on the loop --- */

static void finish(void *ctx)
{
    struct job *j = ctx;
    struct publish *p = j->p;

    p->n_waiting = j->n_waiting;
    if (j->work == work_sweep)
        p->is_sweeping = false;
    else if (j->work == work_images || j->work == work_names)
        p->done(p->ctx, j->call, &j->result);
    if (p->n_waiting > 0 && !p->is_sweeping) {
        p->is_sweeping = true;
        loop_timer_set(p->sweeper, SWEEP_MS);
    }
    free(j);
}

static struct job *job_new(struct publish *p, uint64_t call, void (*work)(struct job *j),
                           size_t extra)
{
    struct job *j = mem_new(1, sizeof(*j) + extra);

    j->p = p;
    j->call = call;
    j->work = work;
    j->fd = -1;
    return j;
}

static int start(struct publish *p, struct job *j)
{
    if (pool_run(p->pool, run, finish, j) == 0)
        return 0;
    if (j->fd != -1)
        (void)close(j->fd);
    free(j);
    return -1;
}

int publish_images(struct publish *p, uint64_t call, int fd, uint64_t octets,
                   uint32_t count)
{
    struct job *j = job_new(p, call, work_images, 0);

    j->fd = fd;
    j->octets = octets;
    j->count = count;
    return start(p, j);
}

int publish_names(struct publish *p, uint64_t call, enum publish_names what,
                  struct span names)
{
    struct job *j = job_new(p, call, work_names, names.n);

    memcpy(j + 1, names.p, names.n);
    j->what = what;
    j->names = span_of(j + 1, names.n);
    return start(p, j);
}

int publish_round(struct publish *p, enum publish_round what)
{
    return start(
        p, job_new(p, 0, what == PUBLISH_ROUND_BEGIN ? work_round_begin : work_round_end,
                   0));
}

static void on_sweep(void *ctx)
{
    struct publish *p = ctx;

    if (start(p, job_new(p, 0, work_sweep, 0)) != 0)
        loop_timer_set(p->sweeper, SWEEP_MS);
}

struct publish *publish_new(const struct dnsd_env *env, unsigned readers,
                            publish_done_fn done, void *ctx)
{
    struct publish *p = mem_new(1, sizeof(*p));

    p->env = env;
    p->done = done;
    p->ctx = ctx;
    p->grace = grace_new(readers);
    p->zones = zonetab_new(env->rng, retire, p);
    p->pool = pool_new(env->loop, "publish", 1, JOBS_MAX);
    p->sweeper = loop_timer_new(env->loop, "publish-sweep", on_sweep, p);
    return p;
}

void publish_free(struct publish **p)
{
    if (*p == NULL)
        return;
    pool_free(&(*p)->pool);
    loop_timer_free(&(*p)->sweeper);
    zonetab_free(&(*p)->zones);
    grace_free(&(*p)->grace);
    free(*p);
    *p = NULL;
}

const struct zonetab *publish_zones(const struct publish *p)
{
    return p->zones;
}

struct grace *publish_grace(const struct publish *p)
{
    return p->grace;
}
