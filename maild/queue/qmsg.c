/* SPDX-License-Identifier: ISC */
#include "maild/queue/qmsg.h"

#include <stdlib.h>

#include "base/core/mem.h"

#define ENVELOPE_MEMORY_MAX (512u * 1024u)

struct qmsg *qmsg_new(struct span envelope)
{
    struct qmsg *m = mem_new(1, sizeof(*m));
    struct qenvelope *env = mem_new(1, sizeof(*env));
    struct rd r;
    int bad;

    env->refs = 1;
    env->arena = arena_new(ENVELOPE_MEMORY_MAX);
    buf_init(&env->encoded, ENVELOPE_OCTETS_MAX);
    m->env = env;
    list_init(&m->link);
    list_init(&m->wait);
    buf_init(&m->body, 512u * 1024u);
    rd_init(&r, envelope);
    bad = buf_span(&env->encoded, envelope);
    if (bad != 0 || !envelope_decode(&r, env->arena, &env->e) || !rd_done(&r) ||
        env->e.n == 0) {
        qmsg_free(&m);
        return NULL;
    }
    m->id = env->e.id;
    m->rcpts = mem_new(env->e.n, sizeof(*m->rcpts));
    for (size_t i = 0; i < env->e.n; i++)
        m->has_local |= env->e.rcpts[i].kind == RCPT_LOCAL;
    return m;
}

struct qenvelope *qenvelope_hold(struct qenvelope *e)
{
    e->refs++;
    return e;
}

void qenvelope_drop(struct qenvelope **ep)
{
    struct qenvelope *e = *ep;

    *ep = NULL;
    if (e == NULL || --e->refs > 0)
        return;
    arena_free(&e->arena);
    buf_free(&e->encoded);
    free(e);
}

void qmsg_shrink(struct qmsg *m)
{
    for (size_t i = 0; m->rcpts != NULL && i < m->env->e.n; i++)
        qrcpt_clear(&m->rcpts[i]);
    free(m->rcpts);
    m->rcpts = NULL;
    qenvelope_drop(&m->env);
    buf_free(&m->body);
}

void qmsg_free(struct qmsg **mp)
{
    struct qmsg *m = *mp;

    *mp = NULL;
    if (m == NULL)
        return;
    list_remove(&m->link);
    list_remove(&m->wait);
    qmsg_shrink(m);
    free(m->facts);
    free(m);
}

void qrcpt_clear(struct qrcpt *r)
{
    free(r->reason);
    free(r->host);
    r->reason = r->host = NULL;
}

void qrcpt_answer(struct qrcpt *r, struct span reason, struct span host, int64_t now_s)
{
    qrcpt_clear(r);
    r->reason = span_dup(reason);
    r->host = host.n > 0 ? span_dup(host) : NULL;
    r->last_s = now_s;
}

enum rcpt_state rcpt_state_stored(enum rcpt_state s)
{
    switch (s) {
    case RCPT_WAITING:
    case RCPT_ACTIVE:
    case RCPT_DELIVERED:
        return RCPT_WAITING;
    case RCPT_DONE:
        return RCPT_DONE;
    case RCPT_REPORT:
        return RCPT_REPORT;
    }
    return RCPT_WAITING;
}

int64_t qmsg_due(const struct qmsg *m)
{
    int64_t due = INT64_MAX;

    for (size_t i = 0; m->rcpts != NULL && i < m->env->e.n; i++) {
        const struct qrcpt *r = &m->rcpts[i];

        if ((r->state == RCPT_WAITING || r->state == RCPT_REPORT) && r->next_try_s < due)
            due = r->next_try_s;
    }
    return due;
}

size_t qmsg_count(const struct qmsg *m, enum rcpt_state s)
{
    size_t n = 0;

    for (size_t i = 0; m->rcpts != NULL && i < m->env->e.n; i++)
        n += m->rcpts[i].state == s;
    return n;
}

struct span address_domain(const char *address)
{
    struct span s = span_str(address);
    ptrdiff_t at = span_rindex(s, '@');

    return at == -1 ? span_of(s.p + s.n, 0) : span_drop(s, (size_t)at + 1);
}

const char *envelope_via_name(enum envelope_via v)
{
    switch (v) {
    case VIA_SMTP:
        return "smtp";
    case VIA_SUBMISSION:
        return "submission";
    case VIA_BOUNCE:
        return "bounce";
    case VIA_LOCAL:
        return "local";
    }
    return "unknown";
}
