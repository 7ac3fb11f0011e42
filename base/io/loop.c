/* SPDX-License-Identifier: ISC */
/* base/io/loop.c - libevent behind four nouns: io, timer, post, signal.
 *
 * 1. Every callback runs between calling() and called(), which measure it: one place that
 *    knows what is slow, and the name to blame. A slow callback is reported with the time that
 *    passed, the processor time of it, and how often the thread gave the processor away to
 *    wait: on a busy machine most of what is slow was only not let run. The usage at its
 *    beginning is at most USAGE_AGE_US old, so that quick callbacks need no system call.
 * 2. loop_post() is the only door for other threads: a locked list and an eventfd that is
 *    written when the list stops being empty. libevent itself therefore needs no locks.
 * 3. A callback may free its own io or timer: called() touches neither afterwards. */
#include "base/io/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/core/mem.h"

enum { SLOW_US = 5000, USAGE_AGE_US = 1000 };

struct post {
    struct list link;
    const char *name;
    void (*cb)(void *ctx);
    void *ctx;
};

struct signal_watch {
    struct list link;
    struct loop *loop;
    struct event *ev;
    void (*cb)(void *ctx, int signo);
    void *ctx;
};

struct usage {
    int64_t at_us;
    int64_t cpu_us; /* processor time, ours and the kernel's for us */
    int64_t waits;  /* voluntary context switches */
};

struct loop {
    struct event_base *base;
    const struct log *log;
    const struct clock *clock;
    struct usage
        usage; /* of this thread at the beginning of a callback, or shortly before */
    struct list signals, ends;
    struct event *turn_ev; /* ends the waiting of loop_turn() */
    bool is_stopped;

    int wake_fd;
    struct event *wake_ev;
    pthread_mutex_t lock; /* guards posts */
    struct list posts;
};

struct loop_io {
    struct loop *loop;
    struct event *ev;
    int fd;
    unsigned watched;
    const char *name;
    void (*cb)(void *ctx, unsigned what);
    void *ctx;
};

struct loop_timer {
    struct loop *loop;
    struct event *ev;
    const char *name;
    void (*cb)(void *ctx);
    void *ctx;
};

/* Without its event queue a role can do nothing: end, be restarted. */
static void need(bool is_ok)
{
    if (!is_ok)
        abort();
}

static struct usage usage_now(int64_t at_us)
{
    struct rusage r = {0};

    (void)getrusage(RUSAGE_THREAD, &r); /* fails never; zero would only be said */
    return (struct usage){.at_us = at_us,
                          .cpu_us = (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000LL +
                                    r.ru_utime.tv_usec + r.ru_stime.tv_usec,
                          .waits = r.ru_nvcsw};
}

/* The time at which a callback begins. */
static int64_t calling(struct loop *l)
{
    int64_t now_us = clock_mono_us(l->clock);

    if (now_us - l->usage.at_us > USAGE_AGE_US)
        l->usage = usage_now(now_us);
    return now_us;
}

static void called(struct loop *l, const char *name, int64_t began_us)
{
    int64_t took_us = clock_mono_us(l->clock) - began_us;
    struct usage u;

    if (took_us <= SLOW_US)
        return;
    u = usage_now(began_us + took_us);
    log_event(l->log, LOG_LOOP_SLOW, LOGF_S("callback", name), LOGF_N("took_us", took_us),
              LOGF_N("cpu_us", u.cpu_us - l->usage.cpu_us),
              LOGF_N("waits", u.waits - l->usage.waits));
    l->usage = u;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;
    struct list batch;
    uint64_t count;

    (void)what;
    if (read(fd, &count, sizeof(count)) == -1 && errno != EAGAIN && errno != EINTR)
        need(false);
    list_init(&batch);
    (void)pthread_mutex_lock(&l->lock);
    while (!list_is_empty(&l->posts)) {
        struct list *first = l->posts.next;

        list_remove(first);
        list_add_tail(&batch, first);
    }
    (void)pthread_mutex_unlock(&l->lock);
    while (!list_is_empty(&batch)) {
        struct post *p = LIST_ENTRY(batch.next, struct post, link);
        int64_t began_us = calling(l);

        list_remove(&p->link);
        p->cb(p->ctx);
        called(l, p->name, began_us);
        free(p);
    }
}

static void on_turn_end(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
}

struct loop *loop_new(const struct log *log, const struct clock *clock)
{
    struct loop *l = mem_new(1, sizeof(*l));

    l->log = log;
    l->clock = clock;
    list_init(&l->signals);
    list_init(&l->ends);
    list_init(&l->posts);
    /* A peer that closes must be an error of write(), not the end of the process. */
    need(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    l->base = event_base_new();
    need(l->base != NULL);
    l->turn_ev = event_new(l->base, -1, 0, on_turn_end, NULL);
    need(l->turn_ev != NULL);
    need(pthread_mutex_init(&l->lock, NULL) == 0);
    l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    need(l->wake_fd != -1);
    l->wake_ev = event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST, on_wake, l);
    need(l->wake_ev != NULL && event_add(l->wake_ev, NULL) == 0);
    return l;
}

void loop_free(struct loop **lp)
{
    struct loop *l = *lp;

    if (l == NULL)
        return;
    *lp = NULL;
    while (!list_is_empty(&l->ends)) {
        struct loop_end *e = LIST_ENTRY(l->ends.next, struct loop_end, link);

        list_remove(&e->link);
        e->cb(e);
    }
    while (!list_is_empty(&l->signals)) {
        struct signal_watch *w = LIST_ENTRY(l->signals.next, struct signal_watch, link);

        list_remove(&w->link);
        event_free(w->ev);
        free(w);
    }
    while (!list_is_empty(&l->posts)) {
        struct post *p = LIST_ENTRY(l->posts.next, struct post, link);

        list_remove(&p->link);
        free(p);
    }
    event_free(l->turn_ev);
    event_free(l->wake_ev);
    (void)close(l->wake_fd);
    (void)pthread_mutex_destroy(&l->lock);
    event_base_free(l->base);
    free(l);
}

void loop_run(struct loop *l)
{
    l->is_stopped = false;
    while (!l->is_stopped)
        need(event_base_loop(l->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY) != -1);
}

void loop_stop(struct loop *l)
{
    l->is_stopped = true;
    need(event_base_loopbreak(l->base) == 0);
}

void loop_turn(struct loop *l, int wait_ms)
{
    struct timeval tv = {wait_ms / 1000, (wait_ms % 1000) * 1000};

    need(event_add(l->turn_ev, &tv) == 0);
    need(event_base_loop(l->base, EVLOOP_ONCE) != -1);
    need(event_del(l->turn_ev) == 0);
}

const struct clock *loop_clock(const struct loop *l)
{
    return l->clock;
}

const struct log *loop_log(const struct loop *l)
{
    return l->log;
}

struct event_base *loop_base(struct loop *l)
{
    return l->base;
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
    struct loop_io *io = arg;
    struct loop *l = io->loop;
    const char *name = io->name;
    int64_t began_us;
    unsigned ready =
        ((what & EV_READ) ? LOOP_READ : 0u) | ((what & EV_WRITE) ? LOOP_WRITE : 0u);

    (void)fd;
    /* An event may have become ready before the watch was narrowed in this turn. */
    ready &= io->watched;
    if (ready == 0)
        return;
    began_us = calling(l);
    io->cb(io->ctx, ready);
    called(l, name, began_us);
}

struct loop_io *loop_io_new(struct loop *l, int fd, const char *name,
                            void (*cb)(void *ctx, unsigned what), void *ctx)
{
    struct loop_io *io = mem_new(1, sizeof(*io));

    io->loop = l;
    io->fd = fd;
    io->name = name;
    io->cb = cb;
    io->ctx = ctx;
    io->ev = event_new(l->base, fd, 0, on_io, io);
    need(io->ev != NULL);
    return io;
}

void loop_io_watch(struct loop_io *io, unsigned what)
{
    short flags = EV_PERSIST;

    if (what == io->watched)
        return;
    (void)event_del(io->ev);
    io->watched = what;
    if (what == 0)
        return;
    if (what & LOOP_READ)
        flags |= EV_READ;
    if (what & LOOP_WRITE)
        flags |= EV_WRITE;
    need(event_assign(io->ev, io->loop->base, io->fd, flags, on_io, io) == 0);
    need(event_add(io->ev, NULL) == 0);
}

void loop_io_free(struct loop_io **iop)
{
    struct loop_io *io = *iop;

    if (io == NULL)
        return;
    *iop = NULL;
    event_free(io->ev);
    free(io);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct loop_timer *t = arg;
    struct loop *l = t->loop;
    const char *name = t->name;
    int64_t began_us = calling(l);

    (void)fd, (void)what;
    t->cb(t->ctx);
    called(l, name, began_us);
}

struct loop_timer *loop_timer_new(struct loop *l, const char *name, void (*cb)(void *ctx),
                                  void *ctx)
{
    struct loop_timer *t = mem_new(1, sizeof(*t));

    t->loop = l;
    t->name = name;
    t->cb = cb;
    t->ctx = ctx;
    t->ev = event_new(l->base, -1, 0, on_timer, t);
    need(t->ev != NULL);
    return t;
}

void loop_timer_set(struct loop_timer *t, int64_t ms)
{
    struct timeval tv;

    if (ms < 0)
        ms = 0;
    tv.tv_sec = (time_t)(ms / 1000);
    tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
    need(event_add(t->ev, &tv) == 0);
}

void loop_timer_cancel(struct loop_timer *t)
{
    need(event_del(t->ev) == 0);
}

void loop_timer_free(struct loop_timer **tp)
{
    struct loop_timer *t = *tp;

    if (t == NULL)
        return;
    *tp = NULL;
    event_free(t->ev);
    free(t);
}

void loop_end_add(struct loop *l, struct loop_end *e, void (*cb)(struct loop_end *e))
{
    e->cb = cb;
    list_add_tail(&l->ends, &e->link);
}

void loop_end_remove(struct loop_end *e)
{
    list_remove(&e->link);
}

void loop_post(struct loop *l, const char *name, void (*cb)(void *ctx), void *ctx)
{
    struct post *p = mem_new(1, sizeof(*p));
    static const uint64_t one = 1;
    bool was_empty;

    p->name = name;
    p->cb = cb;
    p->ctx = ctx;
    (void)pthread_mutex_lock(&l->lock);
    was_empty = list_is_empty(&l->posts);
    list_add_tail(&l->posts, &p->link);
    (void)pthread_mutex_unlock(&l->lock);
    /* EAGAIN means the counter is full of unread wake-ups: one is on its way. */
    if (was_empty && write(l->wake_fd, &one, sizeof(one)) == -1 && errno != EAGAIN)
        need(false);
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
    struct signal_watch *w = arg;
    struct loop *l = w->loop;
    int64_t began_us = calling(l);

    (void)what;
    w->cb(w->ctx, (int)signo);
    called(l, "signal", began_us);
}

void loop_on_signal(struct loop *l, int signo, void (*cb)(void *ctx, int signo),
                    void *ctx)
{
    struct signal_watch *w = mem_new(1, sizeof(*w));

    w->loop = l;
    w->cb = cb;
    w->ctx = ctx;
    w->ev = evsignal_new(l->base, signo, on_signal, w);
    need(w->ev != NULL && event_add(w->ev, NULL) == 0);
    list_add_tail(&l->signals, &w->link);
}
