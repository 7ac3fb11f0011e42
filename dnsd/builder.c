/* SPDX-License-Identifier: ISC */
/* Over 500 lines because steps, batches under way and the state they leave behind are one
 * machine.
 *
 * Design: a step (dnsd/build.h) runs on the pool's one thread; here is what starts steps and
 * what happens to their outcome:
 *
 *     notify datagram, poll timer, work left  ->  step  ->  batch  ->  IMAGES, REMOVED,
 *     WITHHELD to serve  ->  PUBLISHED: the zones' state is noted
 *
 * The first steps are others: PLAN (what the database has), LOAD (images of an earlier run,
 * dnsd/keep.h) until all are sent, then steps for what is missing, then LOADED, and whatever
 * is stale is built while serve answers already.
 *
 * 1. At most one step runs; a wish that comes meanwhile is remembered (`is_wanted`).
 * 2. At most IN_FLIGHT batches wait for PUBLISHED, so memory is bounded while a large
 *    database is loaded and the next batch is built while the last is being taken over.
 * 3. A batch that serve refuses is lost; then all is built again.
 * 4. What serve has confirmed is saved, behind everything else.
 * 5. A serve that was started anew gets everything from disk, as at a start of our own;
 *    nothing is kept in memory for that case. */
#include "dnsd/builder.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/list.h"
#include "base/core/mem.h"
#include "base/io/ipc.h"
#include "base/io/notify.h"
#include "base/io/pool.h"
#include "dnsd/build.h"
#include "dnsd/control.h"
#include "dnsd/ipc_msgs.h"
#include "dnsd/keep.h"
#include "dnsd/settle.h"

enum {
    POLL_MS = 1000,
    RETRY_MS = 1000,
    IN_FLIGHT = 3,
    ANSWER_MS = 60000,
    STATS_MS = 2000,
    LOG_EACH_MAX = 16, /* zones of one batch that get a log line of their own */
};

struct builder {
    const struct dnsd_env *env;
    struct ipc *serve, *parent;
    struct dnsctl *control;
    struct settle *settle;
    struct pool *pool;
    struct build *build; /* the pool thread's while a step runs */
    struct notify *notify;
    struct loop_timer *poll;
    struct keep *keep;
    struct zonestat *zones;
    struct plan *plan; /* while images of an earlier run are being brought back */
    bool is_running, is_wanted, is_stopping;
    bool must_load;  /* begin with what is on disk */
    size_t unserved; /* zones that serve has nothing of yet */
    bool must_restart, may_be_empty;
    bool step_restarts, step_may_be_empty; /* the step's own copies while it runs */
    struct list flights;                   /* batches on their way, in order */
    struct list asks;                      /* requests for counters */
    unsigned in_flight;
    struct batch *batch; /* outcome of the step that just ended */
    int64_t began_us;    /* when the newest news was heard of */
    struct builder_status status;
    char fault[ERR_TEXT_MAX];
    bool is_loaded;     /* LOADED has been sent */
    size_t sent;        /* zones, for LOADED */
    int64_t started_us; /* or when serve came last */
    unsigned life;      /* of serve: which one it is */
};

/* A batch on its way to serve. */
struct flight {
    struct list link;
    struct builder *b;
    struct batch *batch;
    int64_t began_us;
    unsigned life; /* of the serve it was sent to */
};

static void want_step(struct builder *b);

/* --- outcomes --- */

static void log_item(struct builder *b, const struct build_item *it, int64_t ms)
{
    const struct log *log = b->env->log;

    switch (it->news) {
    case BUILD_BUILT:
        log_event(log, LOG_DNS_ZONE_PUBLISHED, LOGF_S("zone", it->zone),
                  LOGF_N("serial", it->soa_serial), LOGF_N("records", it->records),
                  LOGF_N("ms", ms));
        break;
    case BUILD_REFUSED:
        log_event(log, LOG_DNS_ZONE_REFUSED, LOGF_S("zone", it->zone),
                  LOGF_S("why", it->why));
        break;
    case BUILD_REMOVED:
        log_event(log, LOG_DNS_ZONE_REMOVED, LOGF_S("zone", it->zone));
        break;
    case BUILD_KEPT: /* dns.images.loaded counts them */
        break;
    }
}

/* Refusals are always said; the rest only when it is a handful. */
static void note_items(struct builder *b, const struct batch *t, int64_t began_us)
{
    int64_t now_s = clock_wall_s(b->env->clock);
    int64_t ms = (clock_mono_us(b->env->clock) - began_us) / 1000;

    for (size_t i = 0; i < t->n_items; i++) {
        const struct build_item *it = &t->items[i];

        zonestat_note(b->zones, it, now_s);
        if (it->news == BUILD_REFUSED || (b->is_loaded && t->n_items <= LOG_EACH_MAX))
            log_item(b, it, ms);
    }
}

/* --- to serve --- */

/* Everything is to be sent (again), from what is on disk. */
static void begin_load(struct builder *b)
{
    b->must_load = true;
    b->must_restart = false;
    b->is_loaded = false;
    b->status.is_ready = false;
    b->unserved = 1;
    b->sent = 0;
}

/* Of an empty batch there is nothing to write. */
static void save(struct builder *b, struct batch **t)
{
    bool is_news = false;

    for (size_t i = 0; i < (*t)->n_items && !is_news; i++)
        is_news =
            (*t)->items[i].news == BUILD_BUILT || (*t)->items[i].news == BUILD_REMOVED;
    if (is_news)
        keep_save(b->keep, t);
}

/* Serve has gone, or does not answer: what was built is good all the same, and the next load
 * brings it to whoever is there then. */
static void not_taken(struct builder *b, struct flight *f)
{
    note_items(b, f->batch, f->began_us);
    save(b, &f->batch);
    if (f->life == b->life)
        begin_load(b);
}

static void on_published(void *ctx, const struct ipc_in *in)
{
    struct flight *f = ctx;
    struct builder *b = f->b;
    struct d_published m;

    list_remove(&f->link);
    b->in_flight--;
    if (in == NULL) {
        not_taken(b, f);
    } else if (!d_published_decode(in->payload, &m) || m.count != f->batch->count) {
        log_event(b->env->log, LOG_DNS_BUILD_FAILED,
                  LOGF_S("text", "serve did not take a batch of zones; building again"));
        b->must_restart = true;
    } else {
        note_items(b, f->batch, f->began_us);
        b->status.octets = m.octets;
        save(b, &f->batch);
    }
    batch_free(&f->batch);
    free(f);
    want_step(b);
}

/* REMOVED and WITHHELD: serve takes messages in order, so nothing waits for the answer. When
 * there is none, the load that is then due says all of it again. */
static void on_names_done(void *ctx, const struct ipc_in *in)
{
    (void)ctx;
    (void)in;
}

static void send_names(struct builder *b, uint16_t type, const struct buf *names)
{
    struct d_removed m = {buf_all(names)}; /* WITHHELD has the same fields */
    struct buf out;
    struct wr w;

    if (names->len == 0)
        return;
    buf_init(&out, IPC_FRAME_MAX);
    wr_init(&w, &out);
    d_removed_encode(&m, &w);
    (void)ipc_call(b->serve, type, buf_all(&out), -1, ANSWER_MS, on_names_done, b);
    buf_free(&out);
}

static void send_images(struct builder *b, struct batch *t)
{
    struct d_images m = {t->count, t->octets};
    struct flight *f = mem_new(1, sizeof(*f));
    struct buf out;
    struct wr w;

    *f = (struct flight){.b = b, .batch = t, .began_us = b->began_us, .life = b->life};
    list_add_tail(&b->flights, &f->link);
    buf_init(&out, 64);
    wr_init(&w, &out);
    d_images_encode(&m, &w);
    b->in_flight++;
    b->sent += t->count;
    (void)ipc_call(b->serve, DIPC_IMAGES, buf_all(&out), t->fd, ANSWER_MS, on_published,
                   f);
    buf_free(&out);
}

static void on_serving(void *ctx, const struct ipc_in *in)
{
    struct builder *b = ctx;
    struct buf out;
    struct wr w;

    if (in == NULL || b->is_stopping)
        return;
    b->status.is_ready = true;
    log_event(b->env->log, LOG_DNS_ZONES_LOADED,
              LOGF_N("zones", zonestat_served(b->zones)),
              LOGF_N("faulty", zonestat_faulty(b->zones)),
              LOGF_N("ms", (clock_mono_us(b->env->clock) - b->started_us) / 1000));
    buf_init(&out, 64);
    wr_init(&w, &out);
    d_answering_encode(&(struct d_answering){(uint32_t)zonestat_served(b->zones)}, &w);
    (void)!ipc_send(b->parent, DIPC_ANSWERING, buf_all(&out), -1);
    buf_free(&out);
}

/* Everything found at the start has been taken over: let serve begin. */
static void send_loaded(struct builder *b)
{
    struct d_loaded m = {(uint32_t)b->sent};
    struct buf out;
    struct wr w;

    b->is_loaded = true;
    buf_init(&out, 64);
    wr_init(&w, &out);
    d_loaded_encode(&m, &w);
    (void)ipc_call(b->serve, DIPC_LOADED, buf_all(&out), -1, ANSWER_MS, on_serving, b);
    buf_free(&out);
}

/* --- steps --- */

static void work_step(void *ctx)
{
    struct builder *b = ctx;

    if (b->plan != NULL)
        build_adopt(b->build, b->plan);
    if (b->step_restarts)
        build_restart(b->build);
    b->batch = build_step(b->build, b->step_may_be_empty);
}

static void note_trouble(struct builder *b, const struct batch *t)
{
    if (t->is_failed && strcmp(b->fault, t->err.text) != 0)
        log_event(b->env->log, LOG_DNS_BUILD_FAILED, LOGF_S("text", t->err.text));
    if (t->is_empty_refused && !b->status.is_empty_refused)
        log_event(b->env->log, LOG_DNS_EMPTY_REFUSED,
                  LOGF_N("zones", zonestat_count(b->zones)));
    if (!t->is_failed || !span_copy(span_str(t->err.text), b->fault, sizeof(b->fault)))
        b->fault[0] = '\0';
    b->status.is_empty_refused = t->is_empty_refused;
    if (!t->is_failed)
        b->status.serial = t->serial;
    b->status.left = t->left;
    b->unserved = t->unserved;
}

static void send_batch(struct builder *b, struct batch **t)
{
    send_names(b, DIPC_REMOVED, &(*t)->removed);
    send_names(b, DIPC_WITHHELD, &(*t)->withheld);
    if ((*t)->count > 0) {
        send_images(b, *t);
        *t = NULL;
        return;
    }
    note_items(b, *t, b->began_us);
    save(b, t);
    batch_free(t);
}

static void done_step(void *ctx)
{
    struct builder *b = ctx;
    struct batch *t = b->batch;
    bool is_failed = t->is_failed;

    b->batch = NULL;
    b->is_running = false;
    if (b->is_stopping) {
        batch_free(&t);
        return;
    }
    if (b->plan != NULL)
        keep_sweep(b->keep, &b->plan);
    note_trouble(b, t);
    send_batch(b, &t);
    if (is_failed) {
        loop_timer_set(b->poll, RETRY_MS);
        return;
    }
    b->is_wanted |= b->status.left > 0;
    want_step(b);
}

static void work_plan(void *ctx)
{
    struct builder *b = ctx;

    b->plan = build_plan(b->build);
}

/* Without a plan there is nothing to load for: the step says what is wrong. */
static void done_plan(void *ctx)
{
    struct builder *b = ctx;

    b->is_running = false;
    b->must_load = false;
    if (b->plan->serial == -1)
        plan_free(&b->plan);
    want_step(b);
}

static void done_load(void *ctx, struct batch *t)
{
    struct builder *b = ctx;

    b->is_running = false;
    if (b->is_stopping) {
        batch_free(&t);
        return;
    }
    send_batch(b, &t);
    want_step(b);
}

/* Bring back what is on disk; false when that is done. */
static bool want_load(struct builder *b)
{
    if (b->must_load) {
        plan_free(&b->plan);
        b->is_running = pool_run(b->pool, work_plan, done_plan, b) == 0;
        return b->is_running;
    }
    if (b->plan == NULL || b->plan->is_loaded)
        return false;
    b->is_running = true;
    keep_load(b->keep, b->plan, done_load, b);
    return true;
}

/* Serve has, or is about to confirm, something of every zone. */
static bool is_all_sent(const struct builder *b)
{
    return b->plan == NULL && b->unserved == 0 && b->fault[0] == '\0';
}

/* Start a step if one is wanted and nothing stands against it. */
static void want_step(struct builder *b)
{
    if (b->is_running || b->is_stopping || b->in_flight >= IN_FLIGHT ||
        !ipc_is_up(b->serve) || want_load(b))
        return;
    if (!b->is_loaded && is_all_sent(b)) {
        if (b->in_flight > 0)
            return; /* not before it is confirmed, and nothing goes before it */
        send_loaded(b);
    }
    if (b->is_wanted || b->must_restart) {
        b->step_restarts = b->must_restart;
        b->step_may_be_empty = b->may_be_empty;
        b->is_running = pool_run(b->pool, work_step, done_step, b) == 0;
        b->is_wanted = !b->is_running;
        if (b->is_running)
            b->must_restart = b->may_be_empty = false;
    }
}

void builder_poke(struct builder *b)
{
    if (!b->is_running && b->in_flight == 0)
        b->began_us = clock_mono_us(b->env->clock);
    b->is_wanted = true;
    want_step(b);
}

static void on_notify(void *ctx)
{
    builder_poke(ctx);
}

/* The safety net: a step that finds no news costs one indexed look-up. */
static void on_poll(void *ctx)
{
    struct builder *b = ctx;

    loop_timer_set(b->poll, POLL_MS);
    builder_poke(b);
}

/* --- for the control socket --- */

void builder_status(const struct builder *b, struct builder_status *s)
{
    *s = b->status;
    s->in_flight = b->in_flight;
    s->zones = zonestat_count(b->zones);
    s->served = zonestat_served(b->zones);
    s->faulty = zonestat_faulty(b->zones);
    s->fault = b->fault;
}

const struct zonestat *builder_zones(const struct builder *b)
{
    return b->zones;
}

void builder_confirm_empty(struct builder *b)
{
    b->may_be_empty = true;
    builder_poke(b);
}

struct stats_ask {
    struct list link;
    void (*cb)(void *ctx, struct span json);
    void *ctx;
};

static void on_stats(void *ctx, const struct ipc_in *in)
{
    struct stats_ask *a = ctx;
    struct d_stats_result m = {{NULL, 0}};

    if (in != NULL && !d_stats_result_decode(in->payload, &m))
        m.json = span_of(NULL, 0);
    list_remove(&a->link);
    a->cb(a->ctx, m.json);
    free(a);
}

void builder_ask_stats(struct builder *b, void (*cb)(void *ctx, struct span json),
                       void *ctx)
{
    static const uint8_t payload[1] = {0};
    struct stats_ask *a = mem_new(1, sizeof(*a));

    *a = (struct stats_ask){.cb = cb, .ctx = ctx};
    list_add_tail(&b->asks, &a->link);
    (void)ipc_call(b->serve, DIPC_STATS, span_of(payload, 1), -1, STATS_MS, on_stats, a);
}

/* --- start and stop --- */

static void on_message(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    (void)ctx;
    (void)ch;
    if (in->fd != -1)
        (void)close(in->fd); /* serve sends nothing on its own */
}

/* A serve that knows no zone yet, or one that still has those of the builder before us. */
static void on_opened(void *ctx, struct ipc *ch)
{
    struct builder *b = ctx;

    (void)ch;
    b->life++;
    b->started_us = clock_mono_us(b->env->clock);
    begin_load(b);
    builder_poke(b);
}

/* What was given; a test gives nothing, then the poll has to do. */
static void take_sockets(struct builder *b)
{
    int notify = b->env->bag != NULL ? bag_take(b->env->bag, "notify", 0) : -1;
    int control = b->env->bag != NULL ? bag_take(b->env->bag, "control", 0) : -1;

    if (notify != -1)
        b->notify = notify_adopt(b->env->loop, notify, on_notify, b);
    if (control != -1)
        b->control = dnsctl_start(b->env, b, control);
}

struct builder *builder_start(const struct dnsd_env *env, struct err *err)
{
    static const struct ipc_handlers to_serve = {.message = on_message,
                                                 .opened = on_opened};
    static const struct ipc_handlers to_parent = {.message = on_message};
    struct builder *b = mem_new(1, sizeof(*b));

    (void)err;
    b->env = env;
    b->zones = zonestat_new(env->rng);
    b->keep = keep_new(env);
    b->serve =
        ipc_new(env->loop, -1, &dnsd_ipc_table, DNSD_BUILDER, DNSD_SERVE, &to_serve, b);
    b->parent =
        ipc_new(env->loop, -1, &dnsd_ipc_table, DNSD_BUILDER, DNSD_PARENT, &to_parent, b);
    b->build = build_new(env->data_dir, env->rng);
    b->pool = pool_new(env->loop, "build", 1, 4);
    b->poll = loop_timer_new(env->loop, "build-poll", on_poll, b);
    list_init(&b->flights);
    list_init(&b->asks);
    begin_load(b);
    take_sockets(b);
    b->settle = settle_start(env);
    on_poll(b);
    return b;
}

void builder_plug(struct builder *b, enum dnsd_role peer, int fd)
{
    ipc_plug(peer == DNSD_SERVE ? b->serve : b->parent, fd);
}

void builder_stop(struct builder **bp)
{
    struct builder *b = *bp;

    if (b == NULL)
        return;
    b->is_stopping = true;
    settle_stop(&b->settle);
    pool_free(&b->pool);
    keep_free(&b->keep);
    notify_free(&b->notify);
    loop_timer_free(&b->poll);
    ipc_free(&b->serve); /* calls under way are forgotten by it */
    ipc_free(&b->parent);
    while (!list_is_empty(&b->asks))
        on_stats(LIST_ENTRY(b->asks.next, struct stats_ask, link), NULL);
    while (!list_is_empty(&b->flights)) {
        struct flight *f = LIST_ENTRY(b->flights.next, struct flight, link);

        list_remove(&f->link);
        batch_free(&f->batch);
        free(f);
    }
    dnsctl_stop(&b->control);
    plan_free(&b->plan);
    build_free(&b->build);
    zonestat_free(&b->zones);
    free(b);
    *bp = NULL;
}
