/* SPDX-License-Identifier: ISC */
/* maild/queue/queue.c - the queue role: start, stop, channels, and what its stages share.
 *
 * Start: blobs, journal and databases are opened, recover() brings back what was promised,
 * then the channels are opened and work begins. All of that is on the start's own time; from
 * then on files and databases are touched in pools only. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "maild/queue/jrec.h"
#include "maild/queue/queue_int.h"

#define TICK_MS        1000
#define HISTORY_KEEP_S (90 * 86400)
#define EXPIRE_EACH_S  600
#define WORK_THREADS   2
#define JOBS_MAX       8192

int64_t queue_now(const struct queue *q)
{
    return clock_wall_s(q->env->clock);
}

struct qmsg *queue_find(const struct queue *q, const struct msgid *id)
{
    return map_get(q->messages, span_of(id->b, MSGID_OCTETS));
}

void queue_event(struct queue *q, const struct qmsg *m, size_t number, const char *event,
                 struct span host, struct span text)
{
    const struct history_event e = {
        .id = m->id,
        .when_s = queue_now(q),
        .number = (int64_t)number,
        .rcpt = span_str(m->env->e.rcpts[number].address),
        .event = event,
        .host = host,
        .text = text,
    };

    history_event(q->history, &e);
}

void queue_note_result(struct queue *q, const struct qmsg *m, const size_t *numbers,
                       size_t n)
{
    struct jrec_result *v = mem_new(n, sizeof(*v));
    struct span part;
    struct buf rec;

    for (size_t k = 0; k < n; k++) {
        const struct qrcpt *r = &m->rcpts[numbers[k]];

        v[k] = (struct jrec_result){
            .number = (uint32_t)numbers[k],
            .state = (uint8_t)rcpt_state_stored(r->state),
            .outcome = (uint8_t)r->outcome,
            .attempts = r->attempts,
            .is_expired = r->is_expired,
            .next_try_s = r->next_try_s,
            .last_s = r->last_s,
            .reason = span_str(r->reason),
            .host = span_str(r->host),
        };
    }
    buf_init(&rec, RECORD_PAYLOAD_MAX);
    /* Without it a crash makes us ask again: the mailbox then says "already", another host
     * may get a second copy. No reason to stop. */
    if (q->journal != NULL && jrec_result_encode(&m->id, v, n, &rec) == 0) {
        part = buf_all(&rec);
        if (journal_append(q->journal, JREC_RESULT, &part, 1, NULL, NULL) == -1)
            log_event(q->log, LOG_QUEUE_FAULT, LOGF_S("error", "journal is full"));
    }
    buf_free(&rec);
    free(v);
}

/* Channels --------------------------------------------------------------------------------- */

static void take_verdict(struct queue *q, const struct ipc_in *in)
{
    struct m_verdict v;

    if (!m_verdict_decode(in->payload, &v))
        return;
    const struct history_message row = {
        .id = v.id,
        .when_s = queue_now(q),
        .via = "refused",
        .sender = v.sender,
        .peer = v.peer,
        .outcome = v.outcome,
        .reply = v.reply,
        .facts = v.facts,
        .rcpts = &v.rcpt,
        .n_rcpts = v.rcpt.n > 0 ? 1 : 0,
    };

    history_message(q->history, &row);
}

static void message(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct queue *q = ctx;

    switch (in->type) {
    case IPC_ACCEPT:
        accept_message(q, ch, in);
        return;
    case IPC_BODY_OPEN:
        accept_body_open(q, ch, in);
        break;
    case IPC_BODY_DROP:
        accept_body_drop(q, ch, in);
        break;
    case IPC_VERDICT:
        take_verdict(q, in);
        break;
    default:
        break;
    }
    if (in->fd != -1)
        (void)close(in->fd);
}

static void closed(void *ctx, struct ipc *ch)
{
    struct queue *q = ctx;

    switch ((enum role)ipc_peer(ch)) {
    case ROLE_EDGE:
        accept_orphan(q, ch);
        accept_body_closed(q, ch);
        break;
    case ROLE_MAILBOX:
    case ROLE_RELAY:
        deliver_peer(q);
        break;
    default: /* what is asked of them is asked again when it is due */
        break;
    }
}

static void opened(void *ctx, struct ipc *ch)
{
    struct queue *q = ctx;

    switch ((enum role)ipc_peer(ch)) {
    case ROLE_MAILBOX:
    case ROLE_RELAY:
        deliver_peer(q);
        break;
    case ROLE_SIGNER:
        accept_signer(q);
        break;
    default:
        break;
    }
}

static void connect_peers(struct queue *q)
{
    static const enum role peers[] = {ROLE_EDGE, ROLE_MAILBOX, ROLE_RELAY, ROLE_SIGNER,
                                      ROLE_DIRECTORY};
    static const struct ipc_handlers handlers = {
        .message = message, .closed = closed, .opened = opened};

    for (size_t i = 0; i < COUNT_OF(peers); i++)
        role_connect(q->env, peers[i], &handlers, q);
}

/* Start and stop ----------------------------------------------------------------------------- */

static void tick(void *ctx)
{
    struct queue *q = ctx;
    int64_t now_s = queue_now(q);

    loop_timer_set(q->tick, TICK_MS);
    spool_tick(q);
    accept_tick(q);
    deliver_wake(q, false);
    if (now_s >= q->next_expire_s) {
        q->next_expire_s = now_s + EXPIRE_EACH_S;
        history_expire(q->history, now_s - HISTORY_KEEP_S);
    }
}

static int open_store(struct queue *q, bool *is_db_new, struct err *err)
{
    const struct conf *c = q->env->conf;
    char *journal_dir = conf_path(c, "journal/queue");
    char *db_dir = conf_path(c, "queue");
    char *queue_path = conf_path(c, "queue/queue.db");
    char *history_path = conf_path(c, "queue/history.db");
    const struct journal_config jc = {.loop = q->env->loop,
                                      .fs = q->fs,
                                      .dir = journal_dir,
                                      .segment_octets = q->segment_octets};
    int dir = -1, rc = -1;

    q->blobs = blob_store_open(q->fs, conf_text(c, "data_dir"), err);
    if (q->blobs == NULL || (dir = fsops_open_dir(q->fs, db_dir, err)) == -1)
        goto out;
    q->journal = journal_open(&jc, err);
    if (q->journal == NULL)
        goto out;
    q->db = qdb_open(q->env->loop, queue_path, is_db_new, err);
    if (q->db == NULL)
        goto out;
    q->history = history_open(q->env->loop, history_path, err);
    if (q->history == NULL)
        goto out;
    rc = 0;
out:
    if (dir != -1)
        (void)close(dir);
    free(journal_dir);
    free(db_dir);
    free(queue_path);
    free(history_path);
    return rc;
}

static void read_conf(struct queue *q)
{
    const struct conf *c = q->env->conf;

    q->hostname = conf_text(c, "hostname");
    q->schedule.first_s = conf_int(c, "queue_retry_first");
    q->schedule.max_s = conf_int(c, "queue_retry_max");
    q->schedule.lifetime_s = conf_int(c, "queue_lifetime");
}

void *queue_start_with(struct role_env *env, const struct fsops *fs,
                       uint32_t segment_octets, struct err *err)
{
    struct queue *q = mem_new(1, sizeof(*q));
    bool is_db_new = false;

    q->env = env;
    q->log = env->log;
    q->fs = fs;
    q->segment_octets = segment_octets;
    q->started_s = queue_now(q);
    list_init(&q->all);
    list_init(&q->blob_wait);
    q->ceiling.messages = QUEUE_MESSAGES_MAX;
    q->ceiling.journal_octets = QUEUE_JOURNAL_MAX;
    q->messages = map_new(QUEUE_MAP_MAX, env->rng);
    q->unsynced = map_new(QUEUE_MAP_MAX, env->rng);
    q->bodies = map_new(QUEUE_BODIES, env->rng);
    list_init(&q->acceptances);
    list_init(&q->reports);
    deliver_init(q);
    read_conf(q);
    q->work_pool = pool_new(env->loop, "queue.work", WORK_THREADS, JOBS_MAX);
    q->blob_pool = pool_new(env->loop, "queue.blob", 1, JOBS_MAX);
    q->sync_pool = pool_new(env->loop, "queue.sync", QUEUE_SYNC_THREADS, JOBS_MAX);
    q->tick = loop_timer_new(env->loop, "queue.tick", tick, q);
    connect_peers(q);
    if (open_store(q, &is_db_new, err) == -1 || recover(q, is_db_new, err) == -1 ||
        control_begin(q, err) == -1) {
        queue_stop(q);
        return NULL;
    }
    tick(q);
    return q;
}

void *queue_start(struct role_env *env, struct err *err)
{
    return queue_start_with(env, fsops_system(), 0, err);
}

void queue_stop(void *state)
{
    struct queue *q = state;

    if (q == NULL)
        return;
    /* What is under way in the pools ends and calls back; nothing new is begun. What that
     * leaves undone is in the journal and the database. */
    q->is_stopping = true;
    loop_timer_free(&q->tick);
    pool_free(&q->work_pool);
    pool_free(&q->sync_pool);
    pool_free(&q->blob_pool);
    journal_close(&q->journal);
    qdb_close(&q->db);
    history_close(&q->history);
    control_free(&q->control);
    role_disconnect(q->env);
    accept_free(q);
    report_free(q);
    while (!list_is_empty(&q->all)) {
        struct qmsg *m = LIST_ENTRY(q->all.next, struct qmsg, link);

        qmsg_free(&m);
    }
    deliver_free(q);
    map_free(&q->messages);
    map_free(&q->unsynced);
    map_free(&q->bodies);
    blob_store_close(&q->blobs);
    free(q->cp.ids);
    free(q);
}
