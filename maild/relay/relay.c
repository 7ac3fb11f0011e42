/* SPDX-License-Identifier: ISC */
/* maild/relay/relay.c - the relay role: takes RELAY jobs, starts them within limits.
 *
 * A job waits in `waiting` (in order) until there is a place: RELAY_ACTIVE_MAX in all,
 * RELAY_DOMAIN_MAX to one domain, so that one slow destination does not take all places. */
#include <stdlib.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "maild/relay/relay_int.h"

enum { READERS = 2, AWAY_MS = 10000 };

/* ---- places ---- */

static bool has_place(const struct relay *r, const char *domain)
{
    size_t n = 0;

    if (r->n_active >= RELAY_ACTIVE_MAX)
        return false;
    LIST_EACH (it, &r->active)
        n +=
            span_eq_str_nocase(span_str(relay_job_domain(relay_job_of_link(it))), domain);
    return n < RELAY_DOMAIN_MAX;
}

static void start(struct relay *r, struct relay_job *j)
{
    list_add_tail(&r->active, relay_job_link(j));
    r->n_active++;
    relay_job_start(j);
}

/* The first waiting job that has a place. */
static struct relay_job *take_waiting(struct relay *r)
{
    LIST_EACH (it, &r->waiting) {
        struct relay_job *j = relay_job_of_link(it);

        if (!has_place(r, relay_job_domain(j)))
            continue;
        list_remove(relay_job_link(j));
        r->n_waiting--;
        return j;
    }
    return NULL;
}

static void on_next(void *ctx)
{
    struct relay *r = ctx;
    struct relay_job *j;

    while ((j = take_waiting(r)) != NULL)
        start(r, j);
}

void relay_job_done(struct relay *r, struct relay_job *j)
{
    list_remove(relay_job_link(j));
    r->n_active--;
    relay_job_free(&j);
    if (r->n_waiting > 0)
        loop_timer_set(r->next, 0);
}

/* ---- messages ---- */

static void on_message(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct relay *r = ctx;
    struct relay_job *j = relay_job_new(r, ch, in);

    if (j == NULL) {
        /* A bug of queue, said loudly; it keeps the recipients. */
        if (in->fd != -1)
            (void)close(in->fd);
        ipc_break(ch, "RELAY that cannot be read");
        return;
    }
    if (has_place(r, relay_job_domain(j))) {
        start(r, j);
    } else if (r->n_waiting < RELAY_WAITING_MAX) {
        list_add_tail(&r->waiting, relay_job_link(j));
        r->n_waiting++;
    } else {
        r->n_active++; /* relay_job_done() takes it off again */
        relay_job_refuse(j, "451 4.3.2 too many messages on their way out");
    }
}

static void free_jobs(struct list *jobs)
{
    while (!list_is_empty(jobs)) {
        struct relay_job *j = relay_job_of_link(jobs->next);

        relay_job_free(&j);
    }
}

bool relay_awaits_resolver(const struct relay *r)
{
    return !r->is_given_up && !role_is_up(r->env, ROLE_RESOLVER);
}

static void resolver_changed(struct relay *r)
{
    LIST_EACH (it, &r->active)
        relay_job_resolver(relay_job_of_link(it));
}

static void on_away(void *ctx)
{
    struct relay *r = ctx;

    r->is_given_up = true;
    resolver_changed(r);
}

static void on_opened(void *ctx, struct ipc *ch)
{
    struct relay *r = ctx;

    if (ipc_peer(ch) != ROLE_RESOLVER)
        return;
    r->is_given_up = false;
    loop_timer_cancel(r->away);
    resolver_changed(r);
}

/* Queue is gone: nobody would hear what becomes of its jobs, and it will ask again. */
static void on_closed(void *ctx, struct ipc *ch)
{
    struct relay *r = ctx;

    if (ipc_peer(ch) == ROLE_RESOLVER)
        loop_timer_set(r->away, AWAY_MS);
    if (ipc_peer(ch) != ROLE_QUEUE)
        return;
    free_jobs(&r->active);
    free_jobs(&r->waiting);
    r->n_active = r->n_waiting = 0;
}

/* ---- start ---- */

/* With a source for one family only, the other is not used: mail would leave from an address
 * that SPF and the reverse name do not know. */
static void take_sources(struct relay *r)
{
    struct ipaddr a;

    for (size_t i = 0; conf_addr(r->env->conf, "outbound_source", i, &a); i++)
        *(a.family == AF_INET ? &r->source_v4 : &r->source_v6) = a;
    r->self.has_v4 = r->source_v4.family != 0 || r->source_v6.family == 0;
    r->self.has_v6 = r->source_v6.family != 0 || r->source_v4.family == 0;
}

/* The addresses at which a connection to outbound_port would reach ourselves. */
static void take_own_addresses(struct relay *r)
{
    const struct conf *c = r->env->conf;
    size_t max = conf_count(c, "address") + conf_count(c, "listen");
    enum conf_service service;
    struct ipaddr a;
    uint16_t port;
    bool serves = false;

    r->own_addrs = mem_new(max > 0 ? max : 1, sizeof(*r->own_addrs));
    r->self.addrs = r->own_addrs;
    for (size_t i = 0; conf_listen(c, i, &service, &a, &port); i++) {
        static const struct ipaddr zero_v4 = {.family = AF_INET};
        static const struct ipaddr zero_v6 = {.family = AF_INET6};

        if (service != CONF_SMTP || port != r->port)
            continue;
        serves = true;
        if (a.family == 0 || ipaddr_eq(&a, &zero_v4) || ipaddr_eq(&a, &zero_v6))
            r->self.has_loopback = true;
        else
            r->own_addrs[r->self.n_addrs++] = a;
    }
    for (size_t i = 0; serves && conf_addr(c, "address", i, &a); i++)
        r->own_addrs[r->self.n_addrs++] = a;
}

void *relay_start(struct role_env *env, struct err *err)
{
    static const struct ipc_handlers handlers = {
        .message = on_message, .closed = on_closed, .opened = on_opened};
    static const enum role peers[] = {ROLE_QUEUE, ROLE_RESOLVER, ROLE_DIRECTORY};
    struct relay *r = mem_new(1, sizeof(*r));

    r->env = env;
    list_init(&r->active);
    list_init(&r->waiting);
    r->next = loop_timer_new(env->loop, "relay.next", on_next, r);
    r->away = loop_timer_new(env->loop, "relay.away", on_away, r);
    loop_timer_set(r->away, AWAY_MS);                         /* it has not come yet */
    r->port = (uint16_t)conf_int(env->conf, "outbound_port"); /* 1..65535 by its schema */
    r->self.hostname = conf_text(env->conf, "hostname");
    take_sources(r);
    take_own_addresses(r);
    r->pool = pool_new(env->loop, "relay-read", READERS, 2 * RELAY_ACTIVE_MAX);
    /* Opportunistic: no certificate is checked, so none is needed to check against. */
    r->tls = tlsctx_new_client(NULL, err);
    if (r->tls == NULL)
        goto bad;
    for (size_t i = 0; i < COUNT_OF(peers); i++)
        role_connect(env, peers[i], &handlers, r);
    return r;
bad:
    relay_stop(r);
    return NULL;
}

void relay_stop(void *state)
{
    struct relay *r = state;

    if (r == NULL)
        return;
    free_jobs(&r->active);
    free_jobs(&r->waiting);
    pool_free(&r->pool); /* ends reads that were under way */
    role_disconnect(r->env);
    loop_timer_free(&r->next);
    loop_timer_free(&r->away);
    tlsctx_free(&r->tls);
    free(r->own_addrs);
    free(r);
}
