/* SPDX-License-Identifier: ISC */
/* maild/directory/auth.c - is this the password of this login? The path of one question
 * and its invariants are drawn in directory.c.
 *
 *     asked --token--> undecided (db, then hash threads) --> answered
 *       |                  ^                                    |
 *       '--none left--> waiting <---- kin of what was answered--'
 *             '-- nobody undecided to hope for: "try later"
 *
 * Kin are questions that draw on one bucket of the throttle: same client or same login. */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/crypto/pwhash.h"
#include "maild/directory/directory_int.h"
#include "maild/ipc_msgs.h"

#define WAITING_MAX 1000u

static int64_t now_ms(const struct directory *d)
{
    return clock_mono_ms(d->env->clock);
}

static struct span job_login(const struct job *j)
{
    return span_of(j->login, j->login_n);
}

static struct span job_password(const struct job *j)
{
    return span_of(j->password, j->password_n);
}

/* Do both draw on one bucket of the throttle? */
static bool is_kin(const struct job *a, const struct job *b)
{
    size_t n = a->peer.family == AF_INET6 ? 8 : 4;

    return (a->peer.family == b->peer.family && memcmp(a->peer.b, b->peer.b, n) == 0) ||
           span_eq_nocase(job_login(a), job_login(b));
}

static bool has_undecided_kin(const struct directory *d, const struct job *j)
{
    LIST_EACH (it, &d->undecided)
        if (is_kin(LIST_ENTRY(it, struct job, link), j))
            return true;
    return false;
}

static void wake_kin(struct directory *d, const struct job *ended);

static void auth_answer(struct job *j, enum answer status, struct span ticket)
{
    struct directory *d = j->d;
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
    job_answer(j, IPC_AUTH_RESULT, &w);
    if (out.len != 0)
        OPENSSL_cleanse(out.data, out.len);
    buf_free(&out);
    list_remove(&j->link);
    if (j->is_undecided)
        wake_kin(d, j);
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
    const struct role_env *env = j->d->env;
    uint64_t account = (uint64_t)j->who.account.id;
    struct ipc *ch = role_peer(env, ROLE_MAILBOX, role_mailbox(env, account));
    struct m_ticket m = {
        .ticket = ticket,
        .account_id = account,
        .login = span_str(j->who.account.address),
    };
    struct buf out;
    struct wr w;
    bool is_sent;

    buf_init(&out, ANSWER_MAX);
    wr_init(&w, &out);
    m_ticket_encode(&m, &w);
    is_sent = !w.is_bad && ipc_send(ch, IPC_TICKET, buf_all(&out), -1) == 0;
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
        directory_fault(d, "AUTH", &j->err);
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

static void begin(struct job *j)
{
    struct directory *d = j->d;

    j->is_undecided = true;
    list_remove(&j->link);
    list_add_tail(&d->undecided, &j->link);
    if (pool_run(d->db, login_work, login_done, j) != 0)
        auth_later(j);
}

/* A burst of right passwords (all phones of an office after a restart) is more than the buckets
 * hold, but each gives back what it took: so wait while there is one to hope for. Guesses
 * give nothing back, and in the end nobody is left to wait for. */
static void start(struct job *j)
{
    struct directory *d = j->d;
    char peer[IPADDR_TEXT] = "";

    if (throttle_take(d->throttle, &j->peer, job_login(j), now_ms(d)) == THROTTLE_OK) {
        begin(j);
        return;
    }
    if (d->n_waiting < WAITING_MAX && has_undecided_kin(d, j)) {
        list_add_tail(&d->waiting, &j->link);
        d->n_waiting++;
        return;
    }
    if (j->peer.family != 0)
        ipaddr_print(&j->peer, peer);
    log_event(d->env->log, LOG_AUTH_THROTTLED, LOGF_B("login", job_login(j)),
              LOGF_S("peer", peer));
    auth_answer(j, ANSWER_LATER, (struct span){0});
}

static void wake_kin(struct directory *d, const struct job *ended)
{
    struct list again, *next;

    list_init(&again);
    for (struct list *it = d->waiting.next; it != &d->waiting; it = next) {
        next = it->next;
        if (!is_kin(LIST_ENTRY(it, struct job, link), ended))
            continue;
        list_remove(it);
        list_add_tail(&again, it);
        d->n_waiting--;
    }
    while (!list_is_empty(&again)) {
        struct job *j = LIST_ENTRY(again.next, struct job, link);

        list_remove(&j->link);
        start(j);
    }
}

void directory_auth_stop(struct directory *d)
{
    while (!list_is_empty(&d->waiting))
        job_free(LIST_ENTRY(d->waiting.next, struct job, link));
    d->n_waiting = 0;
}

bool directory_on_auth(struct directory *d, struct ipc *asker, const struct ipc_in *in)
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

    start(j);
    return true;
}
