/* SPDX-License-Identifier: ISC */
/* The mailbox role: start, messages from the others, the one-second tick, stop.
 *
 * Threads: four for databases (a shard always uses the same one, so its connection stays on
 * one thread), four for files. The loop only parses, answers from memory and passes on. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "maild/mailbox/mailbox_int.h"
#include "maild/mailbox/snapshot.h"

#define ACCOUNTS_MAX 100000
#define TICKETS_MAX  10000
#define TOUCHED_MAX  200000
#define FILES_QUEUED 2000
#define TICK_MS      1000 /* how long a changed flag may be only in memory */

static void on_message(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct mailbox *m = ctx;

    switch ((enum ipc_type)in->type) {
    case IPC_TICKET:
        login_ticket(m, in);
        break;
    case IPC_LOGIN:
        login_message(m, ch, in);
        return; /* it owns the descriptor */
    case IPC_DELIVER:
        deliver_message(m, ch, in);
        break;
    case IPC_SETTLE:
        deliver_settle(m, ch, in);
        break;
    default:
        break;
    }
    if (in->fd != -1)
        (void)close(in->fd);
}

static void on_closed(void *ctx, struct ipc *ch)
{
    struct mailbox *m = ctx;

    /* Sessions that edge carried end with their sockets; those in clear have the client's own
     * and go on. What queue asked is finished: it will ask again and be told "already". */
    if (ipc_peer(ch) == ROLE_EDGE)
        login_drop(m, ch);
}

static void on_tick(void *ctx)
{
    struct mailbox *m = ctx;
    struct list todo;

    /* folder_flush() takes its folder off the list; one that fails comes back later */
    list_init(&todo);
    while (!list_is_empty(&m->dirty)) {
        struct list *first = m->dirty.next;

        list_remove(first);
        list_add_tail(&todo, first);
    }
    while (!list_is_empty(&todo))
        folder_flush(LIST_ENTRY(todo.next, struct folder, dirty));
    login_expire(m, false);
    snapshots_tick(m->snapshots);
    loop_timer_set(m->tick, TICK_MS);
}

/* ---- start --------------------------------------------------------------------------- */

static int open_data(struct mailbox *m, struct err *err)
{
    char *path = conf_path(m->env->conf, "");

    m->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (m->dirfd == -1)
        (void)err_sys(err, "open the data directory %s", path);
    else if (mailfile_prepare(m->dirfd, err) == -1)
        (void)err_wrap(err, "in %s", path);
    else {
        free(path);
        return 0;
    }
    free(path);
    return -1;
}

/* All shards have their place, but an instance only ever uses its own (mailbox_has): another
 * one has the index of the others open. */
static void open_shards(struct mailbox *m)
{
    unsigned count = m->env->count[ROLE_MAILBOX];

    for (unsigned i = 0; i < DB_THREADS; i++)
        m->db[i] = pool_new(m->env->loop, "mail-db", 1, MAILFILE_SHARDS);
    m->files = pool_new(m->env->loop, "mail-file", FILE_THREADS, FILES_QUEUED);
    for (unsigned i = 0; i < MAILFILE_SHARDS; i++) {
        char rest[32], *path;

        (void)snprintf(rest, sizeof(rest), "mail/%02u/index.db", i);
        path = conf_path(m->env->conf, rest);
        m->shards[i] =
            shard_new(m->env->loop, m->db[i / count % DB_THREADS], m->dirfd, i, path);
        free(path);
    }
}

/* An op that does nothing: the batch it is in opens the index, so that one that is damaged
 * or newer than this program is told at the start, and what a crash left is put right. */
static void wake_run(struct shard_op *op, struct index *ix)
{
    (void)ix;
    op->result = INDEX_OK;
}

static void wake_done(struct shard_op *op)
{
    free(op);
}

static void wake_shards(struct mailbox *m)
{
    for (unsigned i = 0; i < MAILFILE_SHARDS; i++) {
        struct shard_op *op;

        if (!mailbox_has(m, i))
            continue; /* shard i has account i, and another instance has both */
        op = mem_new(1, sizeof(*op));
        op->run = wake_run;
        op->done = wake_done;
        shard_submit(m->shards[i], op);
    }
}

static void connect_peers(struct mailbox *m)
{
    static const struct ipc_handlers h = {.message = on_message, .closed = on_closed};
    static const enum role peers[] = {ROLE_EDGE, ROLE_QUEUE, ROLE_DIRECTORY};

    for (size_t i = 0; i < COUNT_OF(peers); i++)
        role_connect(m->env, peers[i], &h, m);
}

void *mailbox_start(struct role_env *env, struct err *err)
{
    struct mailbox *m = mem_new(1, sizeof(*m));

    m->env = env;
    m->dirfd = -1;
    list_init(&m->ticket_age);
    list_init(&m->dirty);
    list_init(&m->clients);
    list_init(&m->parked);
    m->accounts = map_new(ACCOUNTS_MAX, env->rng);
    m->tickets = map_new(TICKETS_MAX, env->rng);
    m->touched = map_new(TOUCHED_MAX, env->rng);
    m->append_max = (uint64_t)conf_int(env->conf, "message_size_max");
    m->sessions_max = (size_t)conf_int(env->conf, "imap_sessions_max");
    m->clients_max = (size_t)conf_int(env->conf, "sessions_max");
    if (open_data(m, err) == -1) {
        mailbox_stop(m);
        return NULL;
    }
    open_shards(m);
    m->snapshots = snapshots_new(m);
    m->tick = loop_timer_new(env->loop, "mailbox.tick", on_tick, m);
    loop_timer_set(m->tick, TICK_MS);
    m->park_timer = loop_timer_new(m->env->loop, "mailbox.parked", login_unpark, m);
    connect_peers(m);
    wake_shards(m);
    return m;
}

/* ---- stop ---------------------------------------------------------------------------- */

/* Order: no new work; sessions go (those with a job under way when it is back); threads
 * end, which brings all jobs back; what the shards still hold (flags) is written here. */
void mailbox_stop(void *state)
{
    struct mailbox *m = state;
    struct list *it;

    if (m == NULL)
        return;
    m->is_stopping = true;
    if (m->tick != NULL)
        loop_timer_free(&m->tick);
    login_drop(m, NULL);
    if (m->park_timer != NULL)
        loop_timer_free(&m->park_timer);
    role_disconnect(m->env);
    it = m->clients.next;
    while (it != &m->clients) {
        struct client *c = LIST_ENTRY(it, struct client, link);

        it = it->next;
        if (c->conn != NULL)
            client_bye(c, "the server is going down");
    }
    if (m->files != NULL)
        pool_free(&m->files);
    for (size_t i = 0; i < MAILFILE_SHARDS; i++) {
        if (m->shards[i] != NULL)
            shard_stop(m->shards[i]);
    }
    for (size_t i = 0; i < DB_THREADS; i++) {
        if (m->db[i] != NULL)
            pool_free(&m->db[i]);
    }
    for (size_t i = 0; i < MAILFILE_SHARDS; i++)
        shard_free(&m->shards[i]);
    login_expire(m, true);
    snapshots_free(&m->snapshots);
    map_free(&m->accounts);
    map_free(&m->tickets);
    map_free(&m->touched);
    if (m->dirfd != -1)
        (void)close(m->dirfd);
    free(m);
}
