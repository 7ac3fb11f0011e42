/* SPDX-License-Identifier: ISC */
/* base/io/loop.h - one event loop per role, on libevent.
 *
 * Why:       a loop that waits for one thing makes a thousand sessions wait. Every callback
 *            has a name; one that runs longer than 5 ms is reported as loop.slow.
 * Ownership: events belong to who made them; free them before the loop.
 * Threads:   everything on the loop's own thread, except loop_post(). */
#ifndef BASE_IO_LOOP_H
#define BASE_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/clock.h"
#include "base/core/list.h"
#include "base/core/log.h"

struct loop;
struct loop_io;
struct loop_timer;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

/* `log` and `clock` outlive the loop. */
struct loop *loop_new(const struct log *log, const struct clock *clock);
void loop_free(struct loop **l);
/* Run until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* One turn without waiting longer than `wait_ms`; for tests. */
void loop_turn(struct loop *l, int wait_ms);
const struct clock *loop_clock(const struct loop *l);
const struct log *loop_log(const struct loop *l);
struct event_base *loop_base(struct loop *l);

/* Watch a descriptor. `what` is LOOP_READ and/or LOOP_WRITE, level-triggered, until
 * changed; 0 pauses. The descriptor stays the caller's. */
struct loop_io *loop_io_new(struct loop *l, int fd, const char *name,
                            void (*cb)(void *ctx, unsigned what), void *ctx);
void loop_io_watch(struct loop_io *io, unsigned what);
void loop_io_free(struct loop_io **io);

struct loop_timer *loop_timer_new(struct loop *l, const char *name, void (*cb)(void *ctx),
                                  void *ctx);
/* One shot, `ms` from now; setting again moves it. */
void loop_timer_set(struct loop_timer *t, int64_t ms);
void loop_timer_cancel(struct loop_timer *t);
void loop_timer_free(struct loop_timer **t);

/* What nobody owns any more (a connection that only sends its last octets) is ended with the
 * loop: `cb` is called by loop_free() unless loop_end_remove() came first. Intrusive. */
struct loop_end {
    struct list link;
    void (*cb)(struct loop_end *e);
};
void loop_end_add(struct loop *l, struct loop_end *e, void (*cb)(struct loop_end *e));
void loop_end_remove(struct loop_end *e);

/* Run cb(ctx) once in the loop's thread, soon. Callable from any thread. */
void loop_post(struct loop *l, const char *name, void (*cb)(void *ctx), void *ctx);
/* Call cb on SIGTERM/SIGINT/SIGHUP... (`signo`), in the loop. */
void loop_on_signal(struct loop *l, int signo, void (*cb)(void *ctx, int signo),
                    void *ctx);

#endif
