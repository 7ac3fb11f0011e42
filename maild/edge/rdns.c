/* SPDX-License-Identifier: ISC */
/* maild/edge/rdns.c - PTR, then A or AAAA of the names it gives, through the resolver role.
 *
 * The first NAMES_MAX names are tried one after the other until one leads back. The whole
 * may take ANSWER_MS a question; the session does not wait for it before its first message
 * is complete. */
#include "maild/edge/rdns.h"

#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "base/dns/dname.h"
#include "maild/ipc_msgs.h"

#define NAMES_MAX 3
#define ASK_MS    2000
#define ANSWER_MS 2500 /* what the resolver role itself may be late */
#define TYPE_A    1
#define TYPE_PTR  12
#define TYPE_AAAA 28

struct rdns {
    struct edge *edge;
    struct ipaddr ip;
    struct ipc_call *call;
    struct loop_timer *later; /* `done` never comes from inside rdns_new() */
    char names[NAMES_MAX][DNAME_TEXT];
    size_t n, at; /* names, the one being asked about */
    const char *state;
    void (*done)(void *ctx);
    void *ctx;
};

static void finish(struct rdns *r, const char *state)
{
    r->state = state;
    r->done(r->ctx);
}

static bool ask(struct rdns *r, const char *name, uint16_t type, ipc_answer_fn cb)
{
    const struct m_resolve_e m = {
        .name = span_str(name), .type = type, .timeout_ms = ASK_MS};
    struct ipc *resolver = role_peer(r->edge->env, ROLE_RESOLVER, 0);
    struct buf out;
    struct wr w;

    buf_init(&out, 1024);
    wr_init(&w, &out);
    m_resolve_e_encode(&m, &w);
    if (!w.is_bad)
        r->call = ipc_call(resolver, IPC_RESOLVE_E, buf_all(&out), -1, ANSWER_MS, cb, r);
    buf_free(&out);
    return !w.is_bad;
}

static bool is_host_text(const char *name)
{
    struct dname d;

    return dname_parse(span_str(name), NULL, &d) == DNAME_OK &&
           dname_is_host(dname_span(&d));
}

static void on_address(void *ctx, const struct ipc_in *in);

/* Look whether the next name leads back. */
static void try_next(struct rdns *r)
{
    if (r->at == r->n)
        finish(r, "mismatch");
    else if (!ask(r, r->names[r->at], r->ip.family == AF_INET ? TYPE_A : TYPE_AAAA,
                  on_address))
        finish(r, "failed");
}

static void on_address(void *ctx, const struct ipc_in *in)
{
    struct rdns *r = ctx;
    struct m_resolve_e_result m;
    size_t want = r->ip.family == AF_INET ? 4 : 16;
    struct rd rd;

    r->call = NULL;
    if (in == NULL || !m_resolve_e_result_decode(in->payload, &m)) {
        finish(r, "failed");
        return;
    }
    rd_init(&rd, m.rdata);
    while (m.rcode == 0 && m.security != 2 && rd_left(&rd) > 0) {
        struct span rdata = rd_span16(&rd);

        if (rdata.n == want && memcmp(rdata.p, r->ip.b, want) == 0) {
            finish(r, "confirmed");
            return;
        }
    }
    r->at++;
    try_next(r);
}

static void on_ptr(void *ctx, const struct ipc_in *in)
{
    struct rdns *r = ctx;
    struct m_resolve_e_result m;
    struct rd rd;

    r->call = NULL;
    if (in == NULL || !m_resolve_e_result_decode(in->payload, &m) || m.security == 2 ||
        (m.rcode != 0 && m.rcode != 3)) {
        finish(r, "failed");
        return;
    }
    rd_init(&rd, m.rdata);
    while (m.rcode == 0 && r->n < NAMES_MAX && rd_left(&rd) > 0) {
        struct span name = rd_span16(&rd);

        if (name.n == 0 || dname_check(name) != name.n)
            continue;
        (void)dname_print_bare(name, r->names[r->n]);
        if (is_host_text(r->names[r->n]))
            r->n++;
    }
    if (r->n == 0)
        finish(r, "none");
    else
        try_next(r);
}

static void on_later(void *ctx)
{
    finish(ctx, "failed");
}

struct rdns *rdns_new(struct edge *e, const struct ipaddr *ip, void (*done)(void *ctx),
                      void *ctx)
{
    struct rdns *r = mem_new(1, sizeof(*r));
    char name[IPADDR_REVERSE_TEXT];

    r->edge = e;
    r->ip = *ip;
    r->state = "pending";
    r->done = done;
    r->ctx = ctx;
    ipaddr_reverse_name(ip, name);
    if (!ask(r, name, TYPE_PTR, on_ptr)) {
        r->later = loop_timer_new(e->env->loop, "rdns.later", on_later, r);
        loop_timer_set(r->later, 0);
    }
    return r;
}

void rdns_free(struct rdns **r)
{
    if (*r == NULL)
        return;
    ipc_cancel(&(*r)->call);
    if ((*r)->later != NULL)
        loop_timer_free(&(*r)->later);
    free(*r);
    *r = NULL;
}

bool rdns_is_done(const struct rdns *r)
{
    return strcmp(r->state, "pending") != 0;
}

const char *rdns_name(const struct rdns *r)
{
    return strcmp(r->state, "confirmed") == 0 ? r->names[r->at] : NULL;
}

const char *rdns_state(const struct rdns *r)
{
    return r->state;
}
