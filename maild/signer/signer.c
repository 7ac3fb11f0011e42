/* SPDX-License-Identifier: ISC */
/* maild/signer/signer.c - the role that holds DKIM private keys and nothing else.
 *
 *     SIGN --> keys of the From domain in the cache? --yes--> sign pool --> SIGN_RESULT
 *                   | no                                          ^
 *                   '--> database thread: load, parse ------------'
 *
 * The cache is emptied when the domain database changes: a datagram in R/notify at once, a
 * look at data_version once a second to be certain. Keys in use by a job live until it ends.
 *
 * Invariants:
 *  1. Every SIGN is answered exactly once while its channel lives. "later" when keys cannot
 *     be read: mail of a domain that has keys never leaves without signature by accident.
 *  2. A set loaded before a change is not put into the cache after it (generation). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/map.h"
#include "base/core/mem.h"
#include "base/io/notify.h"
#include "base/io/pool.h"
#include "maild/ipc_msgs.h"
#include "maild/roles.h"
#include "maild/signer/keyset.h"

#define CACHE_MAX    10000u
#define SIGN_THREADS 2
#define JOBS_MAX     4096
#define POLL_MS      1000
#define FIELDS_MAX   8192u
#define HEADER_MAX   (64u * 1024u)

struct signer {
    struct role_env *env;
    struct pool *db_pool, *sign_pool;
    struct loop_timer *poll;
    struct notify *notify;
    struct map *cache;   /* From domain --> struct keyset */
    uint64_t generation; /* of the cache */
    bool is_polling;
    bool is_stopping;

    struct domaindb *db; /* the database thread's */
    int64_t version;     /* the database thread's */
};

struct sign_job {
    struct signer *s;
    struct ipc *ch;
    uint64_t call;
    char domain[256];
    struct buf header, fields;
    uint8_t hash[DKIM_BODY_HASH];
    int64_t now_s;
    uint64_t generation;
    struct keyset *keys;
    int rc;
    struct err err;
};

static void forget_all(struct signer *s)
{
    size_t cursor = 0;
    struct span key;
    void *value;

    while (map_next(s->cache, &cursor, &key, &value)) {
        struct keyset *k = value;

        (void)map_take(s->cache, key);
        keyset_drop(&k);
    }
    s->generation++;
}

static void job_end(struct sign_job *j, enum answer status)
{
    struct signer *s = j->s;
    const struct m_sign_result r = {.status = (uint8_t)status,
                                    .fields = buf_all(&j->fields)};
    struct buf payload;
    struct wr w;

    if (status != ANSWER_YES)
        log_event(s->env->log, LOG_SIGNER_FAULT, LOGF_S("domain", j->domain),
                  LOGF_S("error", j->err.text));
    buf_init(&payload, FIELDS_MAX + 64);
    wr_init(&w, &payload);
    m_sign_result_encode(&r, &w);
    if (w.is_bad ||
        ipc_reply(j->ch, j->call, IPC_SIGN_RESULT, buf_all(&payload), -1) == -1)
        log_event(s->env->log, LOG_IPC_FULL, LOGF_S("to", "queue"));
    buf_free(&payload);
    buf_free(&j->header);
    buf_free(&j->fields);
    keyset_drop(&j->keys);
    free(j);
}

static void sign_work(void *ctx)
{
    struct sign_job *j = ctx;

    j->rc = keyset_sign(j->keys, buf_all(&j->header), span_of(j->hash, sizeof(j->hash)),
                        j->now_s, &j->fields, &j->err);
}

static void sign_done(void *ctx)
{
    struct sign_job *j = ctx;

    job_end(j, j->rc == 0 ? ANSWER_YES : ANSWER_LATER);
}

static void sign(struct sign_job *j)
{
    if (j->keys->n == 0) {
        job_end(j, ANSWER_YES); /* nobody signs for this domain */
        return;
    }
    if (!j->s->is_stopping && pool_run(j->s->sign_pool, sign_work, sign_done, j) == 0)
        return;
    err_set(&j->err, "too many signatures at once");
    job_end(j, ANSWER_LATER);
}

/* Database thread: open when it is not, so that a host that is set up later needs no restart. */
static int ensure_open(struct signer *s, struct err *err)
{
    if (s->db == NULL)
        s->db =
            domaindb_open(conf_text(s->env->conf, "data_dir"), NULL, DOMAINDB_KEYS, err);
    return s->db != NULL ? 0 : -1;
}

static void load_work(void *ctx)
{
    struct sign_job *j = ctx;

    j->rc = -1;
    if (ensure_open(j->s, &j->err) == -1)
        return;
    j->keys = keyset_load(j->s->db, span_str(j->domain), &j->err);
    j->rc = j->keys != NULL ? 0 : -1;
}

static void load_done(void *ctx)
{
    struct sign_job *j = ctx;
    struct signer *s = j->s;
    struct span key = span_str(j->domain);

    if (j->rc == -1) {
        job_end(j, ANSWER_LATER);
        return;
    }
    if (j->generation == s->generation && map_get(s->cache, key) == NULL &&
        map_put(s->cache, key, j->keys) == 0)
        (void)keyset_hold(j->keys);
    sign(j);
}

static void take_sign(struct signer *s, struct ipc *ch, const struct ipc_in *in)
{
    struct sign_job *j = mem_new(1, sizeof(*j));
    struct m_sign m;

    j->s = s;
    j->ch = ch;
    j->call = in->call;
    buf_init(&j->header, HEADER_MAX);
    buf_init(&j->fields, FIELDS_MAX);
    if (!m_sign_decode(in->payload, &m) || m.body_hash.n != DKIM_BODY_HASH ||
        !span_copy(m.domain, j->domain, sizeof(j->domain)) ||
        buf_span(&j->header, m.header) == -1) {
        err_set(&j->err, "malformed question");
        job_end(j, ANSWER_LATER);
        return;
    }
    memcpy(j->hash, m.body_hash.p, DKIM_BODY_HASH);
    j->now_s = clock_wall_s(s->env->clock);
    j->generation = s->generation;
    j->keys = map_get(s->cache, span_str(j->domain));
    if (j->keys != NULL) {
        (void)keyset_hold(j->keys);
        sign(j);
    } else if (pool_run(s->db_pool, load_work, load_done, j) == -1) {
        err_set(&j->err, "too many questions at once");
        job_end(j, ANSWER_LATER);
    }
}

/* Changes ---------------------------------------------------------------------------------- */

static void notified(void *ctx)
{
    struct signer *s = ctx;

    forget_all(s);
    log_event(s->env->log, LOG_SIGNER_KEYS, LOGF_S("why", "the domain database changed"));
}

struct poll_job {
    struct signer *s;
    bool has_changed;
};

static void poll_work(void *ctx)
{
    struct poll_job *p = ctx;
    struct signer *s = p->s;
    int64_t version;

    if (s->db == NULL)
        return;
    version = domaindb_data_version(s->db);
    p->has_changed = version != s->version;
    s->version = version;
}

static void poll_done(void *ctx)
{
    struct poll_job *p = ctx;

    p->s->is_polling = false;
    if (p->has_changed)
        forget_all(p->s);
    free(p);
}

static void poll(void *ctx)
{
    struct signer *s = ctx;
    struct poll_job *p;

    loop_timer_set(s->poll, POLL_MS);
    if (s->is_polling)
        return;
    p = mem_new(1, sizeof(*p));
    p->s = s;
    s->is_polling = pool_run(s->db_pool, poll_work, poll_done, p) == 0;
    if (!s->is_polling)
        free(p);
}

/* Role ------------------------------------------------------------------------------------- */

static void message(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    if (in->type == IPC_SIGN)
        take_sign(ctx, ch, in);
    if (in->fd != -1)
        (void)close(in->fd);
}

void *signer_start(struct role_env *env, struct err *err)
{
    static const struct ipc_handlers handlers = {.message = message};
    struct signer *s = mem_new(1, sizeof(*s));
    int fd = role_given(env, "notify", 0);

    s->env = env;
    s->cache = map_new(CACHE_MAX, env->rng);
    s->db_pool = pool_new(env->loop, "signer.db", 1, JOBS_MAX);
    s->sign_pool = pool_new(env->loop, "signer.sign", SIGN_THREADS, JOBS_MAX);
    s->poll = loop_timer_new(env->loop, "signer.poll", poll, s);
    if (fd == -1) {
        (void)err_set(err, "no notify socket was handed over");
        signer_stop(s);
        return NULL;
    }
    s->notify = notify_adopt(env->loop, fd, notified, s);
    role_connect(env, ROLE_QUEUE, &handlers, s);
    poll(s);
    return s;
}

void signer_stop(void *state)
{
    struct signer *s = state;

    if (s == NULL)
        return;
    s->is_stopping = true;
    loop_timer_free(&s->poll);
    notify_free(&s->notify);
    pool_free(&s->db_pool);
    pool_free(&s->sign_pool);
    role_disconnect(s->env);
    forget_all(s);
    map_free(&s->cache);
    domaindb_close(&s->db);
    free(s);
}
