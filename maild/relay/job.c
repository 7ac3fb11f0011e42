/* SPDX-License-Identifier: ISC */
/* maild/relay/job.c - one RELAY: look up, try hosts, answer.
 *
 *     relay_job_start -> [scan for 8-bit octets] -> MX -> addresses of each host, and "is it
 *       ours?" -> mx_decide -> attempt at target 0, 1, ... -> RELAY_RESULT
 *
 * 1. The next target is tried only while no host has said a word about the sender or a
 *    recipient (smtp_client_may_try_next); after that, what was said stands.
 * 2. A host whose TLS does not start is tried once more in clear: TLS here is opportunistic
 *    (RFC 7435), and mail in clear is better than none. The result says so.
 * 3. When every host failed before the envelope, one that may work later makes the whole
 *    "later"; only if all refuse for good it is "failed". The text is of a host that spoke,
 *    if any did.
 * 4. A question that the resolver died with waits for its return (relay.c says how long):
 *    "later" would put the message off for minutes.
 * 5. A job ends by JOB_MS whatever peers do, before queue gives up waiting (40 minutes).
 *
 * Over 500 lines because every step ends in another of the same struct. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/arena.h"
#include "base/core/mem.h"
#include "base/core/utf8.h"
#include "base/dns/rrtype.h"
#include "base/msg/envelope.h"
#include "maild/relay/attempt.h"
#include "maild/relay/relay_int.h"

enum {
    LOOKUP_MS = 30000,
    OURS_MS = 10000,
    JOB_MS = 36 * 60 * 1000,
    ARENA_MAX = 1024 * 1024,
    LOOKUPS_MAX = 1 + 3 * MX_HOSTS_MAX,
    RESULT_MAX = 65000 /* of RELAY_RESULT.results, with room to spare */
};

/* A question under way. */
struct lookup {
    struct relay_job *job;
    struct ipc_call *call;
    size_t host;
    uint16_t type;   /* RR_MX, RR_A, RR_AAAA; 0: "is it ours?" */
    bool is_waiting; /* for the resolver's return */
};

/* What is reported for all recipients when no host got as far as the envelope. */
struct verdict {
    enum smtp_client_outcome outcome;
    bool was_greeted;
    char *text;
};

struct relay_job {
    struct list link;
    struct relay *relay;
    struct ipc *queue;
    uint64_t call;
    struct arena *arena;
    struct envelope env;
    char *domain;
    struct blobread *body;
    struct smtp_client_job smtp;
    struct mx_plan plan;
    struct lookup lookups[LOOKUPS_MAX];
    size_t n_lookups, n_open;
    size_t target;
    bool is_in_clear; /* the attempt under way does without TLS */
    struct attempt *attempt;
    struct verdict verdict;
    char host[256];        /* who was talked to last; "" when nobody said a word */
    char tried[256];       /* who was dialled last */
    char tls_failure[160]; /* why this host gets it in clear */
    struct loop_timer *timer;
};

static void next_target(struct relay_job *j);

/* ---- the answer ---- */

/* How many octets of text each of n recipients may have. */
static size_t text_share(size_t n)
{
    size_t share = RESULT_MAX / (n > 0 ? n : 1);

    return share > 3 + SMTP_CLIENT_REPLY_MAX ? SMTP_CLIENT_REPLY_MAX : share - 3;
}

static enum relay_status status_of(enum smtp_client_outcome o)
{
    switch (o) {
    case OUTCOME_SENT:
        return RELAY_SENT;
    case OUTCOME_FAILED:
        return RELAY_FAILED;
    case OUTCOME_LATER:
    case OUTCOME_NONE:
        break;
    }
    return RELAY_LATER;
}

static void log_result(const struct relay_job *j, size_t i, enum relay_status status,
                       const char *text)
{
    static const enum log_event_id events[] = {[RELAY_SENT] = LOG_RELAY_SENT,
                                               [RELAY_LATER] = LOG_RELAY_DEFERRED,
                                               [RELAY_FAILED] = LOG_RELAY_FAILED};
    char mid[MSGID_TEXT + 1];

    msgid_print(&j->env.id, mid);
    log_event(j->relay->env->log, events[status], LOGF_S("mid", mid),
              LOGF_S("rcpt", j->env.rcpts[i].address),
              LOGF_S("host", j->host[0] != '\0' ? j->host : j->tried),
              LOGF_S("tls", j->attempt != NULL ? attempt_tls(j->attempt) : ""),
              LOGF_S("reply", text));
}

static void put_result(struct relay_job *j, size_t i, enum smtp_client_outcome outcome,
                       const char *text, struct wr *w)
{
    struct relay_outcome o = {.status = status_of(outcome)};
    char line[SMTP_CLIENT_REPLY_MAX + 1];
    size_t n = strlen(text), max = text_share(j->env.n);

    if (n > max) { /* not in the middle of a character */
        n = max;
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
    }
    memcpy(line, text, n);
    line[n] = '\0';
    if (o.status == RELAY_SENT && j->tls_failure[0] != '\0' &&
        n + strlen(j->tls_failure) + 32 < max)
        n += (size_t)snprintf(line + n, sizeof(line) - n, " (in clear; TLS failed: %s)",
                              j->tls_failure);
    o.reply = span_of(line, n);
    relay_outcome_put(w, &o);
    log_result(j, i, o.status, line);
}

/* The per-recipient results, or, with client NULL, the verdict for all. Last act of a job. */
static void answer(struct relay_job *j, const struct smtp_client *client)
{
    struct m_relay_result m = {.host = span_str(j->host)};
    struct buf results, payload;
    struct wr w;

    buf_init(&results, 65536);
    buf_init(&payload, IPC_FRAME_MAX);
    wr_init(&w, &results);
    for (size_t i = 0; i < j->env.n; i++) {
        if (client != NULL)
            put_result(j, i, client->results[i].outcome,
                       client->results[i].text != NULL ? client->results[i].text : "",
                       &w);
        else
            put_result(j, i, j->verdict.outcome, j->verdict.text, &w);
    }
    m.results = buf_all(&results);
    wr_init(&w, &payload);
    m_relay_result_encode(&m, &w);
    /* If the channel is full queue hears nothing, takes it as "later" after a time-out, and
     * a message that was sent is sent again: at least once, never lost. */
    if (!w.is_bad)
        (void)!ipc_reply(j->queue, j->call, IPC_RELAY_RESULT, buf_all(&payload), -1);
    buf_free(&results);
    buf_free(&payload);
    relay_job_done(j->relay, j);
}

static void answer_all(struct relay_job *j, enum smtp_client_outcome outcome,
                       const char *text)
{
    free(j->verdict.text);
    j->verdict = (struct verdict){outcome, false, mem_strdup(text)};
    answer(j, NULL);
}

void relay_job_refuse(struct relay_job *j, const char *text)
{
    answer_all(j, OUTCOME_LATER, text);
}

/* ---- attempts ---- */

/* Invariant 3. */
static void remember(struct relay_job *j, const struct attempt *a)
{
    const struct smtp_client_result *r = &attempt_client(a)->results[0];
    struct verdict *v = &j->verdict;
    bool is_better = v->text == NULL ||
                     (r->outcome == OUTCOME_LATER && v->outcome == OUTCOME_FAILED) ||
                     (r->outcome == v->outcome && attempt_was_greeted(a)) ||
                     (r->outcome == v->outcome && !v->was_greeted);

    if (!is_better || r->text == NULL)
        return;
    free(v->text);
    *v = (struct verdict){r->outcome, attempt_was_greeted(a), mem_strdup(r->text)};
}

static void on_attempt_done(void *ctx)
{
    struct relay_job *j = ctx;
    const char *tls_failure = attempt_tls_failure(j->attempt);

    (void)snprintf(j->tried, sizeof(j->tried), "%.255s", attempt_peer(j->attempt));
    if (attempt_was_greeted(j->attempt))
        (void)snprintf(j->host, sizeof(j->host), "%.255s", attempt_peer(j->attempt));
    if (!smtp_client_may_try_next(attempt_client(j->attempt))) {
        answer(j, attempt_client(j->attempt));
        return;
    }
    if (tls_failure != NULL && !j->is_in_clear) {
        log_event(j->relay->env->log, LOG_RELAY_TLS,
                  LOGF_S("host", attempt_peer(j->attempt)), LOGF_S("error", tls_failure));
        (void)snprintf(j->tls_failure, sizeof(j->tls_failure), "%s", tls_failure);
        j->is_in_clear = true;
    } else {
        remember(j, j->attempt);
        j->tls_failure[0] = '\0';
        j->is_in_clear = false;
        j->target++;
    }
    attempt_free(&j->attempt);
    next_target(j);
}

static void next_target(struct relay_job *j)
{
    const struct relay *r = j->relay;
    const struct mx_target *t = &j->plan.targets[j->target];
    struct attempt_to to;

    if (j->target >= j->plan.n_targets) {
        answer(j, NULL);
        return;
    }
    j->smtp.may_tls = !j->is_in_clear;
    to = (struct attempt_to){.loop = r->env->loop,
                             .tls = r->tls,
                             .host = t->host,
                             .addr = t->addr,
                             .port = r->port,
                             .source = t->addr.family == AF_INET ? &r->source_v4
                                                                 : &r->source_v6,
                             .job = &j->smtp,
                             .body = j->body};
    j->attempt = attempt_new(&to, on_attempt_done, j);
}

/* ---- questions ---- */

static void no_route(struct relay_job *j, enum mx_state s)
{
    answer_all(j, s == MX_FAILED ? OUTCOME_FAILED : OUTCOME_LATER, j->plan.text);
}

static void decide(struct relay_job *j)
{
    enum mx_state s = mx_decide(&j->plan);

    if (s == MX_READY)
        next_target(j);
    else
        no_route(j, s);
}

static void ask_hosts(struct relay_job *j);

static void take_answer(struct lookup *l, const struct mx_answer *a)
{
    struct relay_job *j = l->job;
    enum mx_state s;

    if (l->type != RR_MX) {
        mx_take_addrs(&j->plan, l->host, l->type, a);
        return;
    }
    s = mx_take_mx(&j->plan, a, j->relay->env->rng);
    if (s == MX_ASK_HOSTS)
        ask_hosts(j);
    else
        no_route(j, s);
}

static void on_resolved(void *ctx, const struct ipc_in *in)
{
    struct lookup *l = ctx;
    struct relay_job *j = l->job;
    struct mx_answer a = {.rcode = -1};
    struct span rdata[64];
    struct m_resolve_result m;
    struct rd r;
    bool was_mx = l->type == RR_MX;

    l->call = NULL;
    if (in == NULL && relay_awaits_resolver(j->relay)) {
        l->is_waiting = true;
        return;
    }
    j->n_open--;
    if (in != NULL && m_resolve_result_decode(in->payload, &m) &&
        m.rcode != RESOLVE_NO_ANSWER) {
        a.rcode = m.rcode;
        a.is_bogus = m.security == 2;
        rd_init(&r, m.rdata);
        while (rd_left(&r) > 0 && a.n < COUNT_OF(rdata)) {
            rdata[a.n] = rd_span16(&r);
            if (r.is_bad)
                break;
            a.n++;
        }
        a.rdata = rdata;
    }
    take_answer(l, &a);
    if (!was_mx && j->n_open == 0)
        decide(j);
}

static void on_ours(void *ctx, const struct ipc_in *in)
{
    struct lookup *l = ctx;
    struct relay_job *j = l->job;
    struct m_smtp_in_domain_result m;

    l->call = NULL;
    j->n_open--;
    /* No answer: the host name and the addresses of the configuration still guard us. */
    if (in != NULL && m_smtp_in_domain_result_decode(in->payload, &m) &&
        m.status == ANSWER_YES)
        mx_set_ours(&j->plan, l->host);
    if (j->n_open == 0)
        decide(j);
}

static struct lookup *lookup_new(struct relay_job *j, size_t host, uint16_t type)
{
    struct lookup *l = &j->lookups[j->n_lookups++];

    *l = (struct lookup){.job = j, .host = host, .type = type};
    j->n_open++;
    return l;
}

/* A name that fits the messages, else "", which nobody has. */
static struct span askable(const char *name)
{
    struct span s = span_str(name);

    return s.n <= 255 && utf8_is_text(s) ? s : SPAN_LIT("");
}

static void lookup_send(struct lookup *l)
{
    struct relay_job *j = l->job;
    const char *name = l->type == RR_MX ? j->plan.domain : j->plan.hosts[l->host].name;
    struct m_resolve m = {
        .name = askable(name), .type = l->type, .timeout_ms = LOOKUP_MS};
    struct buf b;
    struct wr w;

    l->is_waiting = false;
    buf_init(&b, 1024);
    wr_init(&w, &b);
    m_resolve_encode(&m, &w);
    l->call = ipc_call(role_peer(j->relay->env, ROLE_RESOLVER, 0), IPC_RESOLVE,
                       buf_all(&b), -1, LOOKUP_MS + 1000, on_resolved, l);
    buf_free(&b);
}

void relay_job_resolver(struct relay_job *j)
{
    for (size_t i = 0; i < j->n_lookups; i++)
        if (j->lookups[i].is_waiting)
            lookup_send(&j->lookups[i]);
}

static void ask_ours(struct relay_job *j, const char *name, size_t host)
{
    struct m_smtp_in_domain m = {.name = askable(name)};
    struct lookup *l = lookup_new(j, host, 0);
    struct buf b;
    struct wr w;

    buf_init(&b, 1024);
    wr_init(&w, &b);
    m_smtp_in_domain_encode(&m, &w);
    l->call = ipc_call(role_peer(j->relay->env, ROLE_DIRECTORY, 0), IPC_SMTP_IN_DOMAIN,
                       buf_all(&b), -1, OURS_MS, on_ours, l);
    buf_free(&b);
}

static void ask_hosts(struct relay_job *j)
{
    for (size_t i = 0; i < j->plan.n; i++) {
        if (j->relay->self.has_v4)
            lookup_send(lookup_new(j, i, RR_A));
        if (j->relay->self.has_v6)
            lookup_send(lookup_new(j, i, RR_AAAA));
        ask_ours(j, j->plan.hosts[i].name, i);
    }
}

/* ---- life ---- */

static void on_time(void *ctx)
{
    struct relay_job *j = ctx;

    if (j->attempt != NULL && !smtp_client_may_try_next(attempt_client(j->attempt)))
        answer(j, attempt_client(j->attempt)); /* undecided ones count as "later" */
    else
        relay_job_refuse(j, "451 4.4.2 sending took too long");
}

static void look_up(struct relay_job *j)
{
    enum mx_state s = mx_init(&j->plan, j->domain, &j->relay->self);

    if (s == MX_ASK_MX)
        lookup_send(lookup_new(j, 0, RR_MX));
    else if (s == MX_ASK_HOSTS) /* an address literal */
        decide(j);
    else
        no_route(j, s);
}

static void on_scanned(void *ctx, bool is_8bit, int sys)
{
    struct relay_job *j = ctx;

    if (sys != 0) {
        relay_job_refuse(j, "451 4.3.0 cannot read the message here");
        return;
    }
    j->smtp.is_8bit = is_8bit;
    look_up(j);
}

void relay_job_start(struct relay_job *j)
{
    loop_timer_set(j->timer, JOB_MS);
    /* The client may have announced 8BITMIME for a message that is plain ASCII. */
    if (!j->env.is_8bit)
        look_up(j);
    else if (blobread_scan(j->body, on_scanned, j) == -1)
        relay_job_refuse(j, "451 4.3.0 too much to read here at the moment");
}

struct relay_job *relay_job_new(struct relay *r, struct ipc *queue,
                                const struct ipc_in *in)
{
    struct relay_job *j = mem_new(1, sizeof(*j));
    const char **rcpts;
    struct m_relay m;
    struct rd rd;

    list_init(&j->link);
    j->relay = r;
    j->arena = arena_new(ARENA_MAX);
    if (in->fd == -1 || !m_relay_decode(in->payload, &m))
        goto bad;
    rd_init(&rd, m.envelope);
    if (!envelope_decode(&rd, j->arena, &j->env) || !rd_done(&rd) || j->env.n == 0)
        goto bad;
    rcpts = arena_alloc(j->arena, j->env.n * sizeof(*rcpts));
    if (rcpts == NULL)
        goto bad;
    for (size_t i = 0; i < j->env.n; i++)
        rcpts[i] = j->env.rcpts[i].address;
    j->queue = queue;
    j->call = in->call;
    j->domain = span_dup(m.domain);
    j->body = blobread_new(r->pool, in->fd, m.offset, m.size);
    j->timer = loop_timer_new(r->env->loop, "relay.job", on_time, j);
    j->smtp = (struct smtp_client_job){.helo = conf_text(r->env->conf, "hostname"),
                                       .sender = j->env.sender,
                                       .rcpts = rcpts,
                                       .n = j->env.n,
                                       .size = m.size};
    return j;
bad:
    relay_job_free(&j);
    return NULL;
}

void relay_job_free(struct relay_job **jp)
{
    struct relay_job *j = *jp;

    if (j == NULL)
        return;
    *jp = NULL;
    list_remove(&j->link);
    for (size_t i = 0; i < j->n_lookups; i++)
        ipc_cancel(&j->lookups[i].call);
    attempt_free(&j->attempt);
    blobread_free(&j->body);
    loop_timer_free(&j->timer);
    arena_free(&j->arena);
    free(j->domain);
    free(j->verdict.text);
    free(j);
}

const char *relay_job_domain(const struct relay_job *j)
{
    return j->domain;
}

struct list *relay_job_link(struct relay_job *j)
{
    return &j->link;
}

struct relay_job *relay_job_of_link(struct list *link)
{
    return LIST_ENTRY(link, struct relay_job, link);
}
