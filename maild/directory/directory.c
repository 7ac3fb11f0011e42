/* SPDX-License-Identifier: ISC */
/* maild/directory/directory.c - the role that knows accounts, addresses and passwords.
 *
 * Every question becomes a struct job. It goes to the database thread (pool `db`), AUTH
 * from there to the hash threads (pool `hash`), and is answered from the loop:
 *
 *     message --> throttle --> db: who is that? --> success cache --hit--------> answer
 *                    |                                   '--miss--> hash: scrypt --^
 *                    '-- too often: "try later", nothing is computed
 *
 * Invariants:
 *  1. Every question is answered exactly once while its channel lives; when a pool is
 *     full the answer is "try later".
 *  2. A login that does not exist, one that is switched off and one with a wrong password
 *     cost the same scrypt and get the same answer.
 *  3. A password lives in its job only and is cleansed with it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/core/ipaddr.h"
#include "base/core/mem.h"
#include "base/crypto/pwhash.h"
#include "base/io/pool.h"
#include "maild/directory/authcache.h"
#include "maild/directory/lookup.h"
#include "maild/directory/throttle.h"
#include "maild/ipc_msgs.h"
#include "maild/roles.h"

#define DB_QUEUE_MAX   4096
#define HASH_QUEUE_MAX 256
#define HASH_THREADS   4 /* 32 MiB each while they work */
#define ANSWER_MAX     (40u * 1024u)
#define LOGIN_MAX      320
#define PASSWORD_MAX   1024
#define NAME_MAX_TEXT  512

struct directory {
    struct role_env *env;
    struct pool *db;
    struct pool *hash;
    struct lookup *lookup; /* the database thread's */
    struct throttle *throttle;
    struct authcache *cache;
};

/* One question on its way. */
struct job {
    struct directory *d;
    enum role asker;
    uint64_t call;
    struct err err;

    /* RCPT, SENDER, SMTP_IN_DOMAIN */
    char name[NAME_MAX_TEXT + 1]; /* address or domain */
    size_t name_n;
    uint64_t login_account;
    uint8_t status; /* of the answer */
    struct buf targets;

    /* AUTH */
    uint8_t service;
    struct ipaddr peer;
    char login[LOGIN_MAX + 1];
    size_t login_n;
    uint8_t password[PASSWORD_MAX];
    size_t password_n;
    enum domaindb_result found;
    struct lookup_login who;
    bool is_match;
};

static struct job *job_new(struct directory *d, enum role asker, uint64_t call)
{
    struct job *j = mem_new(1, sizeof *j);

    j->d = d;
    j->asker = asker;
    j->call = call;
    buf_init(&j->targets, ANSWER_MAX);
    return j;
}

static void job_free(struct job *j)
{
    buf_free(&j->targets);
    OPENSSL_cleanse(j, sizeof *j);
    free(j);
}

static int64_t now_ms(const struct directory *d)
{
    return clock_mono_ms(d->env->clock);
}

static struct span job_name(const struct job *j)
{
    return span_of(j->name, j->name_n);
}

static struct span job_login(const struct job *j)
{
    return span_of(j->login, j->login_n);
}

static struct span job_password(const struct job *j)
{
    return span_of(j->password, j->password_n);
}

static void fault(const struct directory *d, const char *what, const struct err *err)
{
    log_event(d->env->log, LOG_DIRECTORY_FAULT, LOGF_S("what", what),
              LOGF_S("error", err->text));
}

/* Send `w` as the answer. A channel that is gone needs no answer; one that is full lets
 * the asker time out, which it must be able to do anyway. */
static void answer(const struct job *j, uint16_t type, const struct wr *w)
{
    struct ipc *ch = j->d->env->peer[j->asker];

    if (ch == NULL)
        return;
    if (w->is_bad || ipc_reply(ch, j->call, type, buf_all(w->out), -1) != 0)
        log_event(j->d->env->log, LOG_IPC_FULL, LOGF_S("to", role_name(j->asker)));
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
    answer(j, type, &w);
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

    if (j->status == RCPT_TRY_LATER)
        fault(j->d, "RCPT", &j->err);
    if (j->status != RCPT_OK_LOCAL && j->status != RCPT_OK_REMOTE)
        buf_reset(&j->targets);
    answer_status(j, IPC_RCPT_RESULT);
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
        fault(j->d, "SENDER", &j->err);
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
        fault(j->d, "SMTP_IN_DOMAIN", &j->err);
    answer_status(j, IPC_SMTP_IN_DOMAIN_RESULT);
}

static void name_set(struct job *j, struct span name)
{
    if (!span_copy(name, j->name, sizeof j->name))
        abort(); /* the decoder has bounded it */
    j->name_n = name.n;
}

static bool on_rcpt(struct directory *d, enum role asker, const struct ipc_in *in)
{
    struct m_rcpt m;
    struct job *j;

    if (!m_rcpt_decode(in->payload, &m))
        return false;
    j = job_new(d, asker, in->call);
    name_set(j, m.address);
    j->login_account = m.login_account;
    j->status = RCPT_TRY_LATER;
    if (pool_run(d->db, rcpt_work, rcpt_done, j) != 0)
        answer_status(j, IPC_RCPT_RESULT);
    return true;
}

static bool on_sender(struct directory *d, enum role asker, const struct ipc_in *in)
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

static bool on_domain(struct directory *d, enum role asker, const struct ipc_in *in)
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

/* AUTH ---------------------------------------------------------------------------------- */

static void auth_answer(struct job *j, enum answer status, struct span ticket)
{
    struct m_auth_result m = {.status = (uint8_t)status};
    struct buf out;
    struct wr w;

    if (status == ANSWER_YES) {
        m.account_id = (uint64_t)j->who.account.id;
        m.login = span_str(j->who.account.address);
        m.ticket = ticket;
    }
    buf_init(&out, ANSWER_MAX);
    wr_init(&w, &out);
    m_auth_result_encode(&m, &w);
    answer(j, IPC_AUTH_RESULT, &w);
    if (out.len != 0)
        OPENSSL_cleanse(out.data, out.len);
    buf_free(&out);
    job_free(j);
}

static void auth_later(struct job *j)
{
    throttle_undo(j->d->throttle, &j->peer, job_login(j), now_ms(j->d));
    auth_answer(j, ANSWER_LATER, (struct span){0});
}

/* Tell the mailbox role who will come with which ticket; false when it cannot be told. */
static bool send_ticket(struct job *j, struct span ticket)
{
    struct ipc *ch = j->d->env->peer[ROLE_MAILBOX];
    struct m_ticket m = {
        .ticket = ticket,
        .account_id = (uint64_t)j->who.account.id,
        .login = span_str(j->who.account.address),
    };
    struct buf out;
    struct wr w;
    bool is_sent;

    buf_init(&out, ANSWER_MAX);
    wr_init(&w, &out);
    m_ticket_encode(&m, &w);
    is_sent = ch != NULL && !w.is_bad && ipc_send(ch, IPC_TICKET, buf_all(&out), -1) == 0;
    buf_free(&out);
    return is_sent;
}

static void auth_yes(struct job *j)
{
    struct directory *d = j->d;
    uint8_t ticket[16] = {0};
    struct span t = span_of(ticket, sizeof ticket);

    throttle_success(d->throttle, &j->peer, job_login(j), now_ms(d));
    rng_fill(d->env->rng, ticket, sizeof ticket);
    if (j->service != AUTH_SUBMISSION && !send_ticket(j, t)) {
        auth_answer(j, ANSWER_LATER, (struct span){0});
        return;
    }
    log_event(d->env->log, LOG_AUTH_OK, LOGF_S("login", j->who.account.address),
              LOGF_N("service", j->service));
    auth_answer(j, ANSWER_YES, j->service == AUTH_SUBMISSION ? (struct span){0} : t);
    OPENSSL_cleanse(ticket, sizeof ticket);
}

static void hash_work(void *ctx)
{
    struct job *j = ctx;

    if (j->found != DOMAINDB_OK) {
        pwhash_check_nobody(job_password(j));
        return;
    }
    j->is_match = pwhash_check(job_password(j), j->who.hash) == PWHASH_MATCH;
}

static void hash_done(void *ctx)
{
    struct job *j = ctx;
    struct directory *d = j->d;
    char peer[IPADDR_TEXT] = "";

    if (j->is_match && j->who.account.is_enabled) {
        authcache_put(d->cache, span_str(j->who.account.secret_ref), job_password(j),
                      now_ms(d));
        auth_yes(j);
        return;
    }
    if (j->peer.family != 0)
        ipaddr_print(&j->peer, peer);
    log_event(d->env->log, LOG_AUTH_REFUSED, LOGF_B("login", job_login(j)),
              LOGF_S("peer", peer),
              LOGF_S("why", j->found != DOMAINDB_OK ? "no such account"
                            : j->is_match           ? "account is switched off"
                                                    : "wrong password"));
    auth_answer(j, ANSWER_NO, (struct span){0});
}

static void login_work(void *ctx)
{
    struct job *j = ctx;

    j->found = lookup_login(j->d->lookup, job_login(j), &j->who, &j->err);
}

static void login_done(void *ctx)
{
    struct job *j = ctx;
    struct directory *d = j->d;

    if (j->found == DOMAINDB_FAULT) {
        fault(d, "AUTH", &j->err);
        auth_later(j);
        return;
    }
    if (j->found == DOMAINDB_OK && j->who.account.is_enabled &&
        authcache_has(d->cache, span_str(j->who.account.secret_ref), job_password(j),
                      now_ms(d))) {
        auth_yes(j);
        return;
    }
    if (pool_run(d->hash, hash_work, hash_done, j) != 0)
        auth_later(j);
}

static bool on_auth(struct directory *d, enum role asker, const struct ipc_in *in)
{
    struct m_auth m;
    struct job *j;

    if (!m_auth_decode(in->payload, &m))
        return false;
    j = job_new(d, asker, in->call);
    j->service = m.service;
    if (!ipaddr_parse(m.peer, &j->peer))
        j->peer = (struct ipaddr){0};
    if (!span_copy(m.login, j->login, sizeof j->login) ||
        m.password.n > sizeof j->password)
        abort(); /* the decoder has bounded them */
    j->login_n = m.login.n;
    if (m.password.n != 0)
        memcpy(j->password, m.password.p, m.password.n);
    j->password_n = m.password.n;

    if (throttle_take(d->throttle, &j->peer, job_login(j), now_ms(d)) != THROTTLE_OK) {
        log_event(d->env->log, LOG_AUTH_THROTTLED, LOGF_B("login", job_login(j)),
                  LOGF_B("peer", m.peer));
        auth_answer(j, ANSWER_LATER, (struct span){0});
        return true;
    }
    if (pool_run(d->db, login_work, login_done, j) != 0)
        auth_later(j);
    return true;
}

/* Channels ------------------------------------------------------------------------------ */

static const struct question {
    uint16_t type;
    bool (*ask)(struct directory *d, enum role asker, const struct ipc_in *in);
} questions[] = {
    {IPC_AUTH, on_auth},
    {IPC_RCPT, on_rcpt},
    {IPC_SENDER, on_sender},
    {IPC_SMTP_IN_DOMAIN, on_domain},
};

/* The channel has checked type and direction; a payload that does not decode is a broken
 * peer, whose call then times out. */
static void dispatch(struct directory *d, enum role asker, const struct ipc_in *in)
{
    bool is_good = false;

    if (in->fd != -1)
        (void)close(in->fd); /* no question brings a descriptor */
    for (size_t i = 0; i < COUNT_OF(questions); i++)
        if (questions[i].type == in->type)
            is_good = questions[i].ask(d, asker, in);
    if (!is_good)
        log_event(d->env->log, LOG_IPC_BROKEN, LOGF_S("from", role_name(asker)),
                  LOGF_N("type", in->type));
}

static void on_message(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct directory *d = ctx;

    for (int role = 0; role < ROLE_COUNT; role++)
        if (d->env->peer[role] == ch)
            dispatch(d, (enum role)role, in);
}

static void on_closed(void *ctx, struct ipc *ch)
{
    struct directory *d = ctx;

    for (int role = 0; role < ROLE_COUNT; role++)
        if (d->env->peer[role] == ch)
            ipc_free(&d->env->peer[role]);
}

static const struct ipc_handlers handlers = {on_message, on_closed};

static unsigned hash_threads(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : n > HASH_THREADS ? HASH_THREADS : (unsigned)n;
}

void *directory_start(struct role_env *env, struct err *err)
{
    static const enum role peers[] = {ROLE_EDGE, ROLE_RELAY, ROLE_MAILBOX};
    const char *data_dir = conf_text(env->conf, "data_dir");
    struct directory *d;

    if (lookup_check_open(data_dir, err) != 0)
        return NULL;
    d = mem_new(1, sizeof *d);
    d->env = env;
    d->lookup = lookup_new(data_dir);
    d->throttle = throttle_new(env->rng);
    d->cache = authcache_new(env->rng);
    d->db = pool_new(env->loop, "directory-db", 1, DB_QUEUE_MAX);
    d->hash = pool_new(env->loop, "directory-hash", hash_threads(), HASH_QUEUE_MAX);
    for (size_t i = 0; i < COUNT_OF(peers); i++)
        if (env->peer_fd[peers[i]] != -1 &&
            role_connect(env, peers[i], &handlers, d, err) != 0) {
            directory_stop(d);
            return NULL;
        }
    return d;
}

void directory_stop(void *state)
{
    struct directory *d = state;

    if (d == NULL)
        return;
    pool_free(&d->db); /* first: what it finishes goes on to the hash threads */
    pool_free(&d->hash);
    lookup_free(&d->lookup);
    throttle_free(&d->throttle);
    authcache_free(&d->cache);
    free(d);
}
