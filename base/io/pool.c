/* SPDX-License-Identifier: ISC */
/* base/io/pool.c - job queue between one loop and some threads.
 *
 * Two lists under one lock: `waiting` (loop to threads, a condition variable wakes) and
 * `finished` (threads to loop, an eventfd wakes). `done` runs outside the lock, in the order
 * in which jobs finished; with one thread that is the order in which they were given.
 *
 * The pool has an eventfd of its own instead of loop_post(), so that pool_free() leaves no
 * callback behind that would touch a freed pool. */
#include "base/io/pool.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/core/list.h"
#include "base/core/mem.h"

enum {
    THREAD_NAME_MAX = 16, /* pthread_setname_np, with NUL */
    BUDGET_US = 3000,     /* of `done` callbacks in one turn of the loop */
};

struct job {
    struct list link;
    void (*work)(void *ctx);
    void (*done)(void *ctx);
    void *ctx;
};

struct pool {
    struct loop *loop;
    char name[THREAD_NAME_MAX];
    size_t max_queued;
    unsigned n_threads;
    pthread_t *threads;
    int wake_fd;
    struct loop_io *wake_io;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t more;
    struct list waiting;
    size_t n_waiting;
    unsigned n_named;
    struct list finished;
    bool is_stopping;
};

static void need(bool is_ok)
{
    if (!is_ok)
        abort(); /* no threads: the role cannot work; it is restarted */
}

static struct job *job_next(struct pool *p)
{
    struct job *j = NULL;

    (void)pthread_mutex_lock(&p->lock);
    while (list_is_empty(&p->waiting) && !p->is_stopping)
        (void)pthread_cond_wait(&p->more, &p->lock);
    if (!list_is_empty(&p->waiting)) {
        j = LIST_ENTRY(p->waiting.next, struct job, link);
        list_remove(&j->link);
        p->n_waiting--;
    }
    (void)pthread_mutex_unlock(&p->lock);
    return j;
}

/* Each thread names itself: to name another one a file of /proc would be opened, which is not
 * there for a confined role. */
static void take_name(struct pool *p)
{
    char title[THREAD_NAME_MAX];
    unsigned number;

    (void)pthread_mutex_lock(&p->lock);
    number = p->n_named++;
    (void)pthread_mutex_unlock(&p->lock);
    (void)snprintf(title, sizeof(title), "%.11s-%u", p->name, number % 1000);
    (void)pthread_setname_np(pthread_self(), title);
}

static void *worker(void *arg)
{
    static const uint64_t one = 1;
    struct pool *p = arg;
    struct job *j;

    take_name(p);
    while ((j = job_next(p)) != NULL) {
        bool was_empty;

        j->work(j->ctx);
        (void)pthread_mutex_lock(&p->lock);
        was_empty = list_is_empty(&p->finished);
        list_add_tail(&p->finished, &j->link);
        (void)pthread_mutex_unlock(&p->lock);
        if (was_empty && write(p->wake_fd, &one, sizeof(one)) == -1)
            need(errno == EAGAIN);
    }
    return NULL;
}

/* Move all of `from` to the end of `to`. */
static void list_move(struct list *to, struct list *from)
{
    while (!list_is_empty(from)) {
        struct list *first = from->next;

        list_remove(first);
        list_add_tail(to, first);
    }
}

/* True when jobs are left: their turn comes after the loop has looked at everybody else. */
static bool call_done(struct pool *p, int64_t budget_us)
{
    const struct clock *clock = loop_clock(p->loop);
    int64_t began_us = clock_mono_us(clock);
    struct list batch;
    bool is_left;

    list_init(&batch);
    (void)pthread_mutex_lock(&p->lock);
    list_move(&batch, &p->finished);
    (void)pthread_mutex_unlock(&p->lock);
    while (!list_is_empty(&batch)) {
        struct job *j = LIST_ENTRY(batch.next, struct job, link);

        list_remove(&j->link);
        j->done(j->ctx);
        free(j);
        if (clock_mono_us(clock) - began_us > budget_us)
            break;
    }
    is_left = !list_is_empty(&batch);
    if (is_left) {
        (void)pthread_mutex_lock(&p->lock);
        list_move(&batch, &p->finished); /* those that finished meanwhile come behind */
        list_move(&p->finished, &batch);
        (void)pthread_mutex_unlock(&p->lock);
    }
    return is_left;
}

static void on_finished(void *ctx, unsigned what)
{
    struct pool *p = ctx;
    static const uint64_t one = 1;
    uint64_t count;

    (void)what;
    if (read(p->wake_fd, &count, sizeof(count)) == -1)
        need(errno == EAGAIN || errno == EINTR);
    if (call_done(p, BUDGET_US) && write(p->wake_fd, &one, sizeof(one)) == -1)
        need(errno == EAGAIN);
}

struct pool *pool_new(struct loop *l, const char *name, unsigned threads,
                      size_t max_queued)
{
    struct pool *p = mem_new(1, sizeof(*p));
    sigset_t all, before;

    assert(threads > 0);
    p->loop = l;
    (void)snprintf(p->name, sizeof(p->name), "%s", name);
    p->max_queued = max_queued;
    p->n_threads = threads;
    p->threads = mem_new(threads, sizeof(*p->threads));
    list_init(&p->waiting);
    list_init(&p->finished);
    need(pthread_mutex_init(&p->lock, NULL) == 0);
    need(pthread_cond_init(&p->more, NULL) == 0);
    p->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    need(p->wake_fd != -1);
    p->wake_io = loop_io_new(l, p->wake_fd, name, on_finished, p);
    loop_io_watch(p->wake_io, LOOP_READ);

    /* Signals are the loop's; the threads are born with all of them blocked but that of
     * the sandbox (a refused call would not be named). */
    need(sigfillset(&all) == 0 && sigdelset(&all, SIGSYS) == 0 &&
         pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    for (unsigned i = 0; i < threads; i++)
        need(pthread_create(&p->threads[i], NULL, worker, p) == 0);
    need(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return p;
}

void pool_free(struct pool **pp)
{
    struct pool *p = *pp;

    if (p == NULL)
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->is_stopping = true;
    (void)pthread_cond_broadcast(&p->more);
    (void)pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->n_threads; i++)
        (void)pthread_join(p->threads[i], NULL);
    (void)call_done(p, INT64_MAX);
    *pp = NULL;
    loop_io_free(&p->wake_io);
    (void)close(p->wake_fd);
    (void)pthread_cond_destroy(&p->more);
    (void)pthread_mutex_destroy(&p->lock);
    free(p->threads);
    free(p);
}

int pool_run(struct pool *p, void (*work)(void *ctx), void (*done)(void *ctx), void *ctx)
{
    struct job *j;

    if (p == NULL)
        return -1;
    (void)pthread_mutex_lock(&p->lock);
    if (p->is_stopping || p->n_waiting >= p->max_queued) {
        (void)pthread_mutex_unlock(&p->lock);
        return -1;
    }
    j = mem_new(1, sizeof(*j));
    j->work = work;
    j->done = done;
    j->ctx = ctx;
    list_add_tail(&p->waiting, &j->link);
    p->n_waiting++;
    (void)pthread_cond_signal(&p->more);
    (void)pthread_mutex_unlock(&p->lock);
    return 0;
}
