/* SPDX-License-Identifier: ISC */
/* maild/resolver/resolver_role.c - the resolver role: questions of relay and edge, answered
 * by base/io/resolver.
 *
 * One cache and one set of trust anchors serve every role. Two message pairs (RESOLVE and
 * RESOLVE_E) carry the same fields, because a message has one sender (maild/ipc_msgs.def). */
#include <stdlib.h>

#include "base/core/list.h"
#include "base/core/mem.h"
#include "base/io/resolver.h"
#include "maild/ipc_msgs.h"
#include "maild/roles.h"

enum {
    QUESTIONS_MAX = 4096,   /* under way; more are answered "no answer" at once */
    TIMEOUT_MAX_MS = 60000, /* whatever the asker says */
    SERVERS_MAX = 16,
    ANSWER_MAX = 65536 + 1024
};

struct resolver_role {
    struct role_env *env;
    struct resolver *resolver;
    struct list questions;
    size_t n_questions;
};

struct question {
    struct list link;
    struct resolver_role *role;
    struct ipc *ch;
    uint64_t call;
    uint16_t reply; /* IPC_RESOLVE_RESULT or IPC_RESOLVE_E_RESULT */
    struct resolver_query *query;
};

static void question_free(struct question *q)
{
    list_remove(&q->link);
    q->role->n_questions--;
    resolver_cancel(&q->query);
    free(q);
}

static void send_answer(struct ipc *ch, uint64_t call, uint16_t reply,
                        const struct m_resolve_result *m)
{
    /* Both messages have the same fields in the same order. */
    struct m_resolve_e_result e = {m->rcode, m->security, m->ttl_s, m->canonical,
                                   m->rdata};
    struct buf b;
    struct wr w;

    buf_init(&b, ANSWER_MAX);
    wr_init(&w, &b);
    if (reply == IPC_RESOLVE_RESULT)
        m_resolve_result_encode(m, &w);
    else
        m_resolve_e_result_encode(&e, &w);
    /* A full channel is logged by ipc; the asker's own time-out does the rest. */
    if (!w.is_bad)
        (void)!ipc_reply(ch, call, reply, buf_all(&b), -1);
    buf_free(&b);
}

static void refuse(struct ipc *ch, uint64_t call, uint16_t reply)
{
    struct m_resolve_result m = {.rcode = RESOLVE_NO_ANSWER};

    send_answer(ch, call, reply, &m);
}

static void on_answer(void *ctx, const struct resolver_answer *a)
{
    struct question *q = ctx;
    struct m_resolve_result m = {.rcode = RESOLVE_NO_ANSWER, .ttl_s = a->ttl_s};
    struct buf rdata;
    struct wr w;

    q->query = NULL;
    buf_init(&rdata, 65536);
    wr_init(&w, &rdata);
    for (size_t i = 0; i < a->n; i++)
        wr_span16(&w, a->rdata[i]);
    if (a->rcode >= 0 && !w.is_bad) {
        m.rcode = (uint8_t)a->rcode; /* 0..15 */
        m.rdata = buf_all(&rdata);
    }
    m.security = a->is_bogus ? 2 : a->is_secure ? 1 : 0;
    m.canonical = span_str(a->canonical);
    if (m.canonical.n > 255) /* escapes may make it longer; nobody needs such a name */
        m.canonical = SPAN_LIT("");
    send_answer(q->ch, q->call, q->reply, &m);
    buf_free(&rdata);
    question_free(q);
}

static void on_message(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct resolver_role *r = ctx;
    struct m_resolve m = {0};
    struct m_resolve_e e = {0};
    struct question *q;
    char name[256];
    uint16_t reply = in->type == IPC_RESOLVE ? IPC_RESOLVE_RESULT : IPC_RESOLVE_E_RESULT;
    bool is_good = in->type == IPC_RESOLVE ? m_resolve_decode(in->payload, &m)
                                           : m_resolve_e_decode(in->payload, &e);

    if (is_good && in->type == IPC_RESOLVE_E)
        m = (struct m_resolve){e.name, e.type, e.timeout_ms};
    if (!is_good || !span_copy(m.name, name, sizeof(name)) ||
        r->n_questions >= QUESTIONS_MAX) {
        refuse(ch, in->call, reply);
        return;
    }
    q = mem_new(1, sizeof(*q));
    q->role = r;
    q->ch = ch;
    q->call = in->call;
    q->reply = reply;
    list_add_tail(&r->questions, &q->link);
    r->n_questions++;
    if (m.timeout_ms > TIMEOUT_MAX_MS)
        m.timeout_ms = TIMEOUT_MAX_MS;
    q->query = resolver_ask(r->resolver, name, m.type, m.timeout_ms, on_answer, q);
}

static void on_closed(void *ctx, struct ipc *ch)
{
    struct resolver_role *r = ctx;
    struct list *it = r->questions.next;

    while (it != &r->questions) {
        struct question *q = LIST_ENTRY(it, struct question, link);

        it = it->next;
        if (q->ch == ch)
            question_free(q);
    }
}

static const char *text_or_null(const char *s)
{
    return s[0] == '\0' ? NULL : s;
}

static void take_all(const struct conf *c, const char *key, const char **out)
{
    size_t n = conf_count(c, key);

    if (n > SERVERS_MAX)
        n = SERVERS_MAX;
    for (size_t i = 0; i < n; i++)
        out[i] = conf_nth(c, key, i);
    out[n] = NULL;
}

void *resolver_role_start(struct role_env *env, struct err *err)
{
    static const struct ipc_handlers handlers = {.message = on_message,
                                                 .closed = on_closed};
    static const enum role peers[] = {ROLE_EDGE, ROLE_RELAY};
    const char *forward[SERVERS_MAX + 1], *nodefault[SERVERS_MAX + 1];
    struct resolver_config cfg = {
        .state_dir = conf_text(env->conf, "run_dir"),
        .root_hints = text_or_null(conf_text(env->conf, "resolver_root_hints")),
        .trust_anchor = text_or_null(conf_text(env->conf, "resolver_trust_anchor")),
        .forward = forward,
        .nodefault = nodefault,
        .do_query_localhost = conf_bool(env->conf, "resolver_localhost"),
    };
    struct resolver_role *r = mem_new(1, sizeof(*r));

    r->env = env;
    list_init(&r->questions);
    take_all(env->conf, "resolver_forward", forward);
    take_all(env->conf, "resolver_nodefault", nodefault);
    r->resolver = resolver_new(env->loop, &cfg, err);
    if (r->resolver == NULL)
        goto bad;
    for (size_t i = 0; i < COUNT_OF(peers); i++)
        role_connect(env, peers[i], &handlers, r);
    return r;
bad:
    resolver_role_stop(r);
    return NULL;
}

void resolver_role_stop(void *state)
{
    struct resolver_role *r = state;

    if (r == NULL)
        return;
    while (!list_is_empty(&r->questions))
        question_free(LIST_ENTRY(r->questions.next, struct question, link));
    resolver_free(&r->resolver);
    role_disconnect(r->env);
    free(r);
}
