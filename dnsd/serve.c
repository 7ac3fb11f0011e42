/* SPDX-License-Identifier: ISC */
/* Design: the control part lives on the main loop and does nothing but pass messages of the
 * builder to the table's writer (dnsd/publish.h) and answers back. Each answering thread has
 * a loop, sockets, buffers and counters of its own and shares only the zone table.
 *
 *     serve_start   sockets are taken from the bag; the parent has bound them and keeps them,
 *                   so questions wait in them while there is no serve
 *     LOADED        threads begin; until then queries wait in the sockets, because REFUSED
 *                   for a zone that is about to be loaded would be a lie
 *     serve_stop    threads are told through their loops and joined, then the rest goes */
#include "dnsd/serve.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/io/ipc.h"
#include "dnsd/ipc_msgs.h"
#include "dnsd/publish.h"
#include "dnsd/tcp.h"
#include "dnsd/udp.h"

enum { THREADS_MAX = 256, STATS_TEXT = 8192 };

struct worker {
    struct serve *serve;
    pthread_t thread;
    struct loop *loop;
    struct answerer who;
    int *udp_fds, *tcp_fds; /* one per address, -1 once handed on */
    struct stats stats;
};

struct serve {
    const struct dnsd_env *env;
    struct ipc *builder;
    struct publish *publish;
    struct worker **workers;
    unsigned n_workers;
    size_t n_addresses;
    unsigned n_started; /* threads that run */
};

/* --- an answering thread --- */

static void *worker_main(void *ctx)
{
    struct worker *w = ctx;
    size_t n = w->serve->n_addresses;
    char name[16];
    struct udp_batch *batch = udp_batch_new();
    struct udp **udp = mem_new(n, sizeof(struct udp *));
    struct tcp_pool *tcp = tcp_pool_new(&w->who);

    /* By the thread itself: to name another one a file would be opened. */
    (void)snprintf(name, sizeof(name), "dns-%u", w->who.number);
    (void)pthread_setname_np(pthread_self(), name);
    for (size_t i = 0; i < n; i++) {
        udp[i] = udp_new(&w->who, batch, w->udp_fds[i]);
        tcp_pool_listen(tcp, w->tcp_fds[i]);
        w->udp_fds[i] = w->tcp_fds[i] = -1;
    }
    loop_run(w->loop);
    for (size_t i = 0; i < n; i++)
        udp_free(&udp[i]);
    tcp_pool_free(&tcp);
    udp_batch_free(&batch);
    free(udp);
    return NULL;
}

static void stop_loop(void *ctx)
{
    loop_stop(ctx);
}

static struct worker *worker_new(struct serve *s, unsigned number)
{
    struct worker *w = aligned_alloc(_Alignof(struct worker), sizeof(*w));

    if (w == NULL)
        abort();
    memset(w, 0, sizeof(*w));
    w->serve = s;
    w->loop = loop_new(s->env->log, s->env->clock);
    w->who.loop = w->loop;
    w->who.query = (struct query_ctx){publish_zones(s->publish), &w->stats};
    w->who.grace = publish_grace(s->publish);
    w->who.number = number;
    w->udp_fds = mem_new(s->n_addresses, sizeof(int));
    w->tcp_fds = mem_new(s->n_addresses, sizeof(int));
    for (size_t i = 0; i < s->n_addresses; i++)
        w->udp_fds[i] = w->tcp_fds[i] = -1;
    return w;
}

static void worker_free(struct worker *w)
{
    for (size_t i = 0; i < w->serve->n_addresses; i++) {
        if (w->udp_fds[i] != -1)
            (void)close(w->udp_fds[i]);
        if (w->tcp_fds[i] != -1)
            (void)close(w->tcp_fds[i]);
    }
    loop_free(&w->loop);
    free(w->udp_fds);
    free(w->tcp_fds);
    free(w);
}

/* Signals are the main thread's. A socket whose thread is missing would swallow its share
 * of the queries, so all must start or none counts. */
static int start_workers(struct serve *s)
{
    sigset_t all;
    sigset_t before;
    int rc = 0;

    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGSYS); /* the sandbox names what it refuses */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (s->n_started < s->n_workers && rc == 0) {
        struct worker *w = s->workers[s->n_started];

        rc = pthread_create(&w->thread, NULL, worker_main, w);
        s->n_started += rc == 0;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? 0 : -1;
}

/* --- messages of the builder --- */

static void send_published(void *ctx, uint64_t call, const struct publish_result *r)
{
    struct serve *s = ctx;
    struct d_published m = {r->count, r->zones, r->octets};
    struct buf out;
    struct wr w;

    buf_init(&out, 64);
    wr_init(&w, &out);
    d_published_encode(&m, &w);
    if (!w.is_bad)
        (void)!ipc_reply(s->builder, call, DIPC_PUBLISHED, buf_all(&out), -1);
    buf_free(&out);
}

static void on_loaded(struct serve *s, const struct ipc_in *in)
{
    struct d_loaded m;
    struct buf out;
    struct wr w;

    if (!d_loaded_decode(in->payload, &m))
        return;
    /* A builder without any zone has lost its database, or has been told so: never both. */
    if (m.count > 0)
        (void)!publish_round(s->publish, PUBLISH_ROUND_END);
    if (s->n_started == 0 && start_workers(s) != 0) {
        log_event(s->env->log, LOG_PROCESS_FAULT,
                  LOGF_S("text", "no answering thread can be started"));
        loop_stop(s->env->loop);
        return;
    }
    buf_init(&out, 64);
    wr_init(&w, &out);
    d_serving_encode(&(struct d_serving){s->n_workers}, &w);
    (void)!ipc_reply(s->builder, in->call, DIPC_SERVING, buf_all(&out), -1);
    buf_free(&out);
}

static void on_stats(struct serve *s, uint64_t call)
{
    const struct stats **all = mem_new(s->n_workers + 1u, sizeof(struct stats *));
    struct buf json;
    struct buf out;
    struct wr w;

    for (unsigned i = 0; i < s->n_workers; i++)
        all[i] = &s->workers[i]->stats;
    buf_init(&json, STATS_TEXT);
    buf_init(&out, STATS_TEXT + 64);
    wr_init(&w, &out);
    if (stats_json(all, s->n_workers, &json) == 0)
        d_stats_result_encode(&(struct d_stats_result){buf_all(&json)}, &w);
    (void)!ipc_reply(s->builder, call, DIPC_STATS_RESULT, buf_all(&out), -1);
    buf_free(&json);
    buf_free(&out);
    free(all);
}

static void on_images(struct serve *s, const struct ipc_in *in)
{
    struct d_images m;

    if (!d_images_decode(in->payload, &m) || in->fd == -1) {
        if (in->fd != -1)
            (void)close(in->fd);
        return; /* the builder's call times out, and it sends them again */
    }
    (void)!publish_images(s->publish, in->call, in->fd, m.octets, m.count);
}

static void on_names(struct serve *s, const struct ipc_in *in, enum publish_names what)
{
    struct d_removed m; /* WITHHELD has the same fields */

    if (d_removed_decode(in->payload, &m))
        (void)!publish_names(s->publish, in->call, what, m.names);
}

static void on_message(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct serve *s = ctx;

    (void)ch;
    if (in->fd != -1 && in->type != DIPC_IMAGES)
        (void)close(in->fd);
    switch (in->type) {
    case DIPC_IMAGES:
        on_images(s, in);
        break;
    case DIPC_REMOVED:
        on_names(s, in, PUBLISH_REMOVE);
        break;
    case DIPC_WITHHELD:
        on_names(s, in, PUBLISH_WITHHOLD);
        break;
    case DIPC_LOADED:
        on_loaded(s, in);
        break;
    case DIPC_STATS:
        on_stats(s, in->call);
        break;
    default:
        break;
    }
}

/* Another builder than before, or the same one for the first time. Without one zones no
 * longer change, but answering goes on; what it does not send again by its LOADED is gone from
 * the database. */
static void on_opened(void *ctx, struct ipc *ch)
{
    struct serve *s = ctx;

    (void)ch;
    (void)!publish_round(s->publish, PUBLISH_ROUND_BEGIN);
}

/* --- start and stop --- */

/* The sockets of all threads for one address, then those of the next. */
static int take_sockets(struct serve *s, struct err *err)
{
    for (size_t at = 0; at < s->n_addresses; at++)
        for (unsigned i = 0; i < s->n_workers; i++) {
            struct worker *w = s->workers[i];
            size_t nth = at * s->n_workers + i;

            w->udp_fds[at] = bag_take(s->env->bag, "udp", nth);
            w->tcp_fds[at] = bag_take(s->env->bag, "tcp", nth);
            if (w->udp_fds[at] == -1 || w->tcp_fds[at] == -1)
                return err_set(err, "no sockets were given for address %zu", at);
        }
    return 0;
}

struct serve *serve_start(const struct dnsd_env *env, struct err *err)
{
    static const struct ipc_handlers handlers = {.message = on_message,
                                                 .opened = on_opened};
    struct serve *s = mem_new(1, sizeof(*s));
    uint64_t threads = 0;

    s->env = env;
    if (!span_to_u64(bag_text(env->bag, "threads", 0), THREADS_MAX, &threads) ||
        threads == 0)
        threads = 1;
    s->n_workers = (unsigned)threads;
    s->n_addresses = bag_count(env->bag, "udp") / s->n_workers;
    s->publish = publish_new(env, s->n_workers, send_published, s);
    s->workers = mem_new(s->n_workers, sizeof(struct worker *));
    for (unsigned i = 0; i < s->n_workers; i++)
        s->workers[i] = worker_new(s, i);
    s->builder =
        ipc_new(env->loop, -1, &dnsd_ipc_table, DNSD_SERVE, DNSD_BUILDER, &handlers, s);
    if (take_sockets(s, err) == 0)
        return s;
    serve_stop(&s);
    return NULL;
}

void serve_plug(struct serve *s, int fd)
{
    ipc_plug(s->builder, fd);
}

void serve_stop(struct serve **sp)
{
    struct serve *s = *sp;

    if (s == NULL)
        return;
    for (unsigned i = 0; i < s->n_started; i++)
        loop_post(s->workers[i]->loop, "stop", stop_loop, s->workers[i]->loop);
    for (unsigned i = 0; i < s->n_started; i++)
        (void)pthread_join(s->workers[i]->thread, NULL);
    for (unsigned i = 0; i < s->n_workers; i++)
        worker_free(s->workers[i]);
    ipc_free(&s->builder);
    publish_free(&s->publish);
    free(s->workers);
    free(s);
    *sp = NULL;
}
