/* SPDX-License-Identifier: ISC */
/* maild/directory/directory.c - the role that knows accounts, addresses and passwords.
 * AUTH is in auth.c.
 *
 * Every question becomes a struct job. It goes to the database thread (pool `db`), AUTH
 * from there to the hash threads (pool `hash`), and is answered from the loop:
 *
 *     message --> throttle --> db: who is that? --> success cache --hit--------> answer
 *                    |                                   '--miss--> hash: scrypt --^
 *                    '-- too often: "try later", nothing is computed; but while others of
 *                        this client or login are undecided, wait for what they give back
 *
 * Invariants:
 *  1. Every question is answered exactly once while its channel lives; when a pool is
 *     full the answer is "try later".
 *  2. A login that does not exist, one that is switched off and one with a wrong password
 *     cost the same scrypt and get the same answer.
 *  3. A password lives in its job only and is cleansed with it. */
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/core/mem.h"
#include "maild/directory/directory_int.h"
#include "maild/ipc_msgs.h"

#define DB_QUEUE_MAX   4096
#define HASH_QUEUE_MAX 256
#define HASH_THREADS   4 /* 32 MiB each while they work */

struct job *job_new(struct directory *d, struct ipc *asker, uint64_t call)
{
    struct job *j = mem_new(1, sizeof *j);

    j->d = d;
    j->asker = asker;
    j->call = call;
    list_init(&j->link);
    buf_init(&j->targets, ANSWER_MAX);
    return j;
}

void job_free(struct job *j)
{
    list_remove(&j->link);
    buf_free(&j->targets);
    OPENSSL_cleanse(j, sizeof *j);
    free(j);
}

static struct span job_name(const struct job *j)
{
    return span_of(j->name, j->name_n);
}

void directory_fault(const struct directory *d, const char *what, const struct err *err)
{
    log_event(d->env->log, LOG_DIRECTORY_FAULT, LOGF_S("what", what),
              LOGF_S("error", err->text));
}

void job_answer(const struct job *j, uint16_t type, const struct wr *w)
{
    if (w->is_bad || ipc_reply(j->asker, j->call, type, buf_all(w->out), -1) != 0)
        log_event(j->d->env->log, LOG_IPC_FULL,
                  LOGF_S("to", role_name((enum role)ipc_peer(j->asker))));
}

/* RCPT, SENDER, SMTP_IN_DOMAIN ---------------------------------------------------------- */

static void answer_status(struct job *j, uint16_t type)
{
    struct buf out;
    struct wr w;

    buf_init(&out, ANSWER_MAX);
    wr_init(&w, &out);
    switch (type) {
    case IPC_RCPT_RESULT:
        m_rcpt_result_encode(
            &(struct m_rcpt_result){.status = j->status, .targets = buf_all(&j->targets)},
            &w);
        break;
    case IPC_ROUTE_RESULT:
        m_route_result_encode(&(struct m_route_result){.status = j->status,
                                                       .targets = buf_all(&j->targets)},
                              &w);
        break;
    case IPC_SENDER_RESULT:
        m_sender_result_encode(&(struct m_sender_result){.status = j->status}, &w);
        break;
    case IPC_SMTP_IN_DOMAIN_RESULT:
        m_smtp_in_domain_result_encode(
            &(struct m_smtp_in_domain_result){.status = j->status}, &w);
        break;
    default:
        abort();
    }
    job_answer(j, type, &w);
    buf_free(&out);
    job_free(j);
}

static void rcpt_work(void *ctx)
{
    struct job *j = ctx;

    j->status = (uint8_t)lookup_rcpt(j->d->lookup, job_name(j), j->login_account,
                                     &j->targets, &j->err);
}

static void rcpt_done(void *ctx)
{
    struct job *j = ctx;
    const struct clock *clock = j->d->env->clock;

    if (j->status == RCPT_TRY_LATER)
        directory_fault(j->d, "RCPT", &j->err);
    if (j->status == RCPT_OK_LOCAL)
        rcptcache_put(j->d->rcpts, &j->stamp, job_name(j), j->login_account,
                      buf_all(&j->targets), clock_mono_ms(clock), clock_wall_us(clock));
    if (j->status != RCPT_OK_LOCAL && j->status != RCPT_OK_REMOTE)
        buf_reset(&j->targets);
    answer_status(j, IPC_RCPT_RESULT);
}

static void route_done(void *ctx)
{
    struct job *j = ctx;

    if (j->status == RCPT_TRY_LATER)
        directory_fault(j->d, "ROUTE", &j->err);
    if (j->status != RCPT_OK_LOCAL && j->status != RCPT_OK_REMOTE)
        buf_reset(&j->targets);
    answer_status(j, IPC_ROUTE_RESULT);
}

static void sender_work(void *ctx)
{
    struct job *j = ctx;

    j->status =
        (uint8_t)lookup_sender(j->d->lookup, j->login_account, job_name(j), &j->err);
}

static void sender_done(void *ctx)
{
    struct job *j = ctx;

    if (j->status == ANSWER_LATER)
        directory_fault(j->d, "SENDER", &j->err);
    answer_status(j, IPC_SENDER_RESULT);
}

/* The host name of the configuration is ours even before `signpost setup` knew it. */
static void domain_work(void *ctx)
{
    struct job *j = ctx;

    if (span_eq_str_nocase(job_name(j), conf_text(j->d->env->conf, "hostname")))
        j->status = ANSWER_YES;
    else
        j->status = (uint8_t)lookup_is_ours(j->d->lookup, job_name(j), &j->err);
}

static void domain_done(void *ctx)
{
    struct job *j = ctx;

    if (j->status == ANSWER_LATER)
        directory_fault(j->d, "SMTP_IN_DOMAIN", &j->err);
    answer_status(j, IPC_SMTP_IN_DOMAIN_RESULT);
}

static void name_set(struct job *j, struct span name)
{
    if (!span_copy(name, j->name, sizeof j->name))
        abort(); /* the decoder has bounded it */
    j->name_n = name.n;
}

static bool on_rcpt(struct directory *d, struct ipc *asker, const struct ipc_in *in)
{
    struct m_rcpt m;
    struct job *j;
    struct span known;

    if (!m_rcpt_decode(in->payload, &m))
        return false;
    j = job_new(d, asker, in->call);
    name_set(j, m.address);
    j->login_account = m.login_account;
    j->stamp = rcptcache_look(d->rcpts);
    known = rcptcache_get(d->rcpts, &j->stamp, m.address, m.login_account,
                          clock_mono_ms(d->env->clock));
    j->status =
        known.n > 0 && buf_span(&j->targets, known) == 0 ? RCPT_OK_LOCAL : RCPT_TRY_LATER;
    if (j->status == RCPT_OK_LOCAL || pool_run(d->db, rcpt_work, rcpt_done, j) != 0)
        answer_status(j, IPC_RCPT_RESULT);
    return true;
}

/* A report of ours goes out to anybody: as if somebody with a login had asked. */
static bool on_route(struct directory *d, struct ipc *asker, const struct ipc_in *in)
{
    struct m_route m;
    struct job *j;

    if (!m_route_decode(in->payload, &m))
        return false;
    j = job_new(d, asker, in->call);
    name_set(j, m.address);
    j->login_account = UINT64_MAX;
    j->status = RCPT_TRY_LATER;
    if (pool_run(d->db, rcpt_work, route_done, j) != 0)
        answer_status(j, IPC_ROUTE_RESULT);
    return true;
}

static bool on_sender(struct directory *d, struct ipc *asker, const struct ipc_in *in)
{
    struct m_sender m;
    struct job *j;

    if (!m_sender_decode(in->payload, &m))
        return false;
    j = job_new(d, asker, in->call);
    name_set(j, m.address);
    j->login_account = m.login_account;
    j->status = ANSWER_LATER;
    if (pool_run(d->db, sender_work, sender_done, j) != 0)
        answer_status(j, IPC_SENDER_RESULT);
    return true;
}

static bool on_domain(struct directory *d, struct ipc *asker, const struct ipc_in *in)
{
    struct m_smtp_in_domain m;
    struct job *j;

    if (!m_smtp_in_domain_decode(in->payload, &m))
        return false;
    j = job_new(d, asker, in->call);
    name_set(j, m.name);
    j->status = ANSWER_LATER;
    if (pool_run(d->db, domain_work, domain_done, j) != 0)
        answer_status(j, IPC_SMTP_IN_DOMAIN_RESULT);
    return true;
}

/* Channels ------------------------------------------------------------------------------ */

static const struct question {
    uint16_t type;
    bool (*ask)(struct directory *d, struct ipc *asker, const struct ipc_in *in);
} questions[] = {
    {IPC_AUTH, directory_on_auth},   {IPC_RCPT, on_rcpt},
    {IPC_ROUTE, on_route},           {IPC_SENDER, on_sender},
    {IPC_SMTP_IN_DOMAIN, on_domain},
};

/* The channel has checked type and direction; who sends a payload that does not decode is
 * broken. */
static void on_message(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct directory *d = ctx;
    bool is_good = false;

    if (in->fd != -1)
        (void)close(in->fd); /* no question brings a descriptor */
    for (size_t i = 0; i < COUNT_OF(questions); i++)
        if (questions[i].type == in->type)
            is_good = questions[i].ask(d, ch, in);
    if (!is_good)
        ipc_break(ch, "a question that cannot be read");
}

/* Nothing is kept for a peer, so there is nothing to do when one goes or comes. */
static const struct ipc_handlers handlers = {.message = on_message};

static unsigned hash_threads(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : n > HASH_THREADS ? HASH_THREADS : (unsigned)n;
}

void *directory_start(struct role_env *env, struct err *err)
{
    static const enum role peers[] = {ROLE_EDGE, ROLE_QUEUE, ROLE_RELAY, ROLE_MAILBOX};
    const char *data_dir = conf_text(env->conf, "data_dir");
    struct directory *d;

    if (lookup_check_open(data_dir, err) != 0)
        return NULL;
    d = mem_new(1, sizeof *d);
    d->env = env;
    list_init(&d->undecided);
    list_init(&d->waiting);
    d->lookup = lookup_new(data_dir);
    d->throttle = throttle_new(env->rng);
    d->cache = authcache_new(env->rng);
    d->rcpts = rcptcache_new(env->rng, data_dir);
    d->db = pool_new(env->loop, "directory-db", 1, DB_QUEUE_MAX);
    d->hash = pool_new(env->loop, "directory-hash", hash_threads(), HASH_QUEUE_MAX);
    for (size_t i = 0; i < COUNT_OF(peers); i++)
        role_connect(env, peers[i], &handlers, d);
    return d;
}

void directory_stop(void *state)
{
    struct directory *d = state;

    if (d == NULL)
        return;
    directory_auth_stop(d);
    pool_free(&d->db); /* first: what it finishes goes on to the hash threads */
    pool_free(&d->hash);
    role_disconnect(d->env);
    lookup_free(&d->lookup);
    throttle_free(&d->throttle);
    authcache_free(&d->cache);
    rcptcache_free(&d->rcpts);
    free(d);
}
