/* SPDX-License-Identifier: ISC */
/* base/io/pump.c - two connections joined. */
#include "base/io/pump.h"

#include <stdlib.h>

#include "base/core/mem.h"
#include "base/io/conn_int.h"

enum { LAST_WORDS_MS = 30000 };

/* One direction: what comes in at `from` goes out at `to`. */
struct way {
    struct pump *p;
    struct conn *from;
    struct way *back; /* back->from is where this way leads */
    uint64_t carried;
};

struct pump {
    struct way a, b;
    int64_t idle_ms;
    void (*done)(void *ctx, const struct pump_counts *n);
    void *ctx;
};

static void touch(struct pump *p)
{
    conn_deadline(p->a.from, p->idle_ms);
}

static void carry(struct way *w)
{
    struct conn *to = w->back->from;
    struct span in = conn_input(w->from);
    size_t n = in.n;

    /* As much as the other side takes; the rest waits for its on_drained. */
    while (n > 0 && conn_write(to, span_take(in, n)) == -1)
        n /= 2;
    if (n == 0) {
        conn_pause(w->from, true);
        return;
    }
    conn_consume(w->from, n);
    w->carried += n;
    touch(w->p);
}

static void on_input(void *ctx)
{
    carry(ctx);
}

/* This side took everything: the other one may speak again. */
static void on_drained(void *ctx)
{
    struct way *w = ctx;

    conn_pause(w->back->from, false);
}

static void on_end(void *ctx, enum conn_end why)
{
    struct way *w = ctx;
    struct pump *p = w->p;
    struct pump_counts n = {p->a.carried, p->b.carried};
    void (*done)(void *, const struct pump_counts *) = p->done;
    void *done_ctx = p->ctx;

    /* A client that was lost hears no answer: what it asked for last is not carried on. */
    if (why == CONN_END_RESET && w == &p->a)
        conn_free(&w->back->from);
    else
        conn_finish(&w->back->from, LAST_WORDS_MS);
    conn_finish(&w->from, LAST_WORDS_MS);
    free(p);
    if (done != NULL)
        done(done_ctx, &n);
}

static const struct conn_handlers handlers = {
    .on_input = on_input, .on_drained = on_drained, .on_end = on_end};

struct pump *pump_new(struct conn *a, struct conn *b, int64_t idle_ms,
                      void (*done)(void *ctx, const struct pump_counts *n), void *ctx)
{
    struct pump *p = mem_new(1, sizeof(*p));

    p->a = (struct way){.p = p, .from = a, .back = &p->b};
    p->b = (struct way){.p = p, .from = b, .back = &p->a};
    p->idle_ms = idle_ms;
    p->done = done;
    p->ctx = ctx;
    /* The ways are independent: a client that sends a long literal while it is slow to read
     * must not be stopped by its own answers. carry() bounds what is queued. */
    a->lim.out_high = a->lim.out_max;
    b->lim.out_high = b->lim.out_max;
    conn_set_handlers(a, &handlers, &p->a);
    conn_set_handlers(b, &handlers, &p->b);
    conn_pause(a, false);
    conn_pause(b, false);
    conn_deadline(b, 0);
    touch(p);
    return p;
}

void pump_free(struct pump **pp)
{
    struct pump *p = *pp;

    if (p == NULL)
        return;
    *pp = NULL;
    conn_free(&p->a.from);
    conn_free(&p->b.from);
    free(p);
}
