/* SPDX-License-Identifier: ISC */
#include "checker/collect.h"

#include <stdlib.h>

#include "base/core/clock.h"
#include "base/core/log.h"
#include "base/core/mem.h"
#include "base/io/loop.h"

struct run {
    struct loop *loop;
    struct resolver *resolver;
    struct facts *facts;
    const struct collect_limits *lim;
    int64_t end_ms;
    size_t in_flight;
};

struct question {
    struct run *run;
    char *name;
    uint16_t type;
};

static void learn_answer(struct facts *f, const struct question *q,
                         const struct resolver_answer *a)
{
    if (a->rcode == -1)
        fact_learn(f, q->name, q->type, FACT_UNKNOWN, "no name server answered in time",
                   NULL, 0);
    else if (a->is_bogus)
        fact_learn(f, q->name, q->type, FACT_UNKNOWN,
                   a->why_bogus != NULL ? a->why_bogus
                                        : "the DNSSEC signature is not valid",
                   NULL, 0);
    else if (a->rcode == 3)
        fact_learn(f, q->name, q->type, FACT_NO_NAME, NULL, NULL, 0);
    else if (a->rcode != 0)
        fact_learn(f, q->name, q->type, FACT_UNKNOWN,
                   a->rcode == 2   ? "the name servers failed (SERVFAIL)"
                   : a->rcode == 5 ? "the name servers refused to answer (REFUSED)"
                                   : "the name servers answered with an error",
                   NULL, 0);
    else if (a->n == 0)
        fact_learn(f, q->name, q->type, FACT_NO_DATA, NULL, NULL, 0);
    else
        fact_learn(f, q->name, q->type, FACT_RECORDS, NULL, a->rdata, a->n);
}

static void ask_more(struct run *run);

static void on_answer(void *ctx, const struct resolver_answer *a)
{
    struct question *q = ctx;
    struct run *run = q->run;

    learn_answer(run->facts, q, a);
    free(q->name);
    free(q);
    run->in_flight--;
    ask_more(run);
}

/* Keep `in_flight` questions under way; stop the loop when the round is answered.
 * Invariant: questions are sent in the order they were noted and none is noted during a
 * round, so those under way are the first `in_flight` open ones and the next to send
 * stands right behind them. */
static void ask_more(struct run *run)
{
    int64_t left = run->end_ms - clock_mono_ms(clock_system());
    const char *name;
    uint16_t type;

    while (run->in_flight < run->lim->in_flight &&
           facts_question(run->facts, run->in_flight, &name, &type)) {
        struct question *q;

        if (left <= 0) {
            fact_learn(run->facts, name, type, FACT_UNKNOWN,
                       "the time for this run is over", NULL, 0);
            continue;
        }
        q = mem_new(1, sizeof(*q));
        *q = (struct question){run, mem_strdup(name), type};
        run->in_flight++;
        (void)resolver_ask(run->resolver, q->name, type,
                           left < run->lim->question_ms ? left : run->lim->question_ms,
                           on_answer, q);
    }
    if (run->in_flight == 0)
        loop_stop(run->loop);
}

static void start_round(void *ctx)
{
    ask_more(ctx);
}

int collect_run(const struct resolver_config *cfg, const struct collect_limits *lim,
                check_fn check, void *ctx, struct findings *out, struct err *err)
{
    struct log log;
    struct run run = {.lim = lim, .end_ms = clock_mono_ms(clock_system()) + lim->run_ms};
    int rc = -1;

    log_init(&log, -1, "checker", clock_system());
    run.loop = loop_new(&log, clock_system());
    run.facts = facts_new();
    run.resolver = resolver_new(run.loop, cfg, err);
    if (run.resolver == NULL)
        goto out;
    for (;;) {
        findings_reset(out);
        check(ctx, run.facts, out);
        if (facts_open(run.facts) == 0)
            break;
        loop_post(run.loop, "checker round", start_round, &run);
        loop_run(run.loop);
    }
    rc = 0;
out:
    resolver_free(&run.resolver);
    facts_free(&run.facts);
    loop_free(&run.loop);
    return rc;
}
