/* SPDX-License-Identifier: ISC */
/* maild/mailbox/mailbox_int.h - what the files of the mailbox role share.
 *
 * Ownership, from the top:
 *   mailbox  the role: pools, shards, accounts, tickets              (mailbox.c)
 *   account  one account in use: its sessions, loaded folders,
 *            keywords; exists while somebody holds it                (account.c)
 *   folder   one mailbox in memory: UIDs, flags, dates, sizes         (folder.c)
 *   client   one IMAP session: connection, machine, view of a folder  (client.c)
 *   command  what a client executes now                               (exec_*.c)
 * Threads:   all on the loop. Jobs see only what their own struct holds, the client's
 *            parsed command (it stands still while one runs) and constants. */
#ifndef MAILD_MAILBOX_MAILBOX_INT_H
#define MAILD_MAILBOX_MAILBOX_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/list.h"
#include "base/core/map.h"
#include "base/io/conn.h"
#include "base/io/pool.h"
#include "maild/imap/respond.h"
#include "maild/imap/session.h"
#include "maild/ipc_msgs.h"
#include "maild/mailbox/index.h"
#include "maild/mailbox/mailfile.h"
#include "maild/mailbox/shard.h"
#include "maild/roles.h"

#define DB_THREADS   4
#define FILE_THREADS 4

struct snapshots;

struct mailbox {
    struct role_env *env;
    int dirfd; /* the data directory */
    struct pool *db[DB_THREADS];
    struct pool *files;
    struct shard *shards[MAILFILE_SHARDS];
    struct map *accounts; /* 8 octets id -> struct account */
    struct map *tickets;  /* 16 octets -> struct ticket (login.c) */
    struct list ticket_age;
    struct list dirty; /* folders with flags to be written */
    struct loop_timer *tick;
    struct snapshots *snapshots; /* snapshot.c */
    struct map *touched; /* folders with new links since the last SETTLE (deliver.c) */
    bool has_settled;    /* since the start */
    uint64_t append_max;
    size_t sessions_max; /* of one account */
    struct list clients; /* all of them */
    size_t n_clients, clients_max;
    struct list parked; /* LOGINs whose ticket is still on its way (login.c) */
    size_t n_parked;
    struct loop_timer *park_timer;
    size_t jobs; /* deliveries and settlements under way */
    bool is_stopping;
};

/* Is the mail of this account ours, or another instance's? */
static inline bool mailbox_has(const struct mailbox *m, uint64_t account)
{
    return role_mailbox(m->env, account) == m->env->instance;
}

/* A job for the file threads; -1 when there is no room, or the role stops. */
static inline int mailbox_job(struct mailbox *m, void (*work)(void *ctx),
                              void (*done)(void *ctx), void *ctx)
{
    return m->is_stopping ? -1 : pool_run(m->files, work, done, ctx);
}

/* ---- account.c -------------------------------------------------------------------- */

struct account {
    struct mailbox *m;
    uint64_t id;
    struct shard *shard;
    struct list folders;
    size_t n_clients;
    size_t holds; /* clients, folders and ops that need it */
    bool is_loaded;
    char *keywords[IMAP_KEYWORDS_MAX];
};

/* The account in memory, or NULL. */
struct account *account_held(struct mailbox *m, uint64_t id);
/* Found or made, with one hold for the caller; NULL when the table is full. */
struct account *account_hold(struct mailbox *m, uint64_t id);
void account_release(struct account *a);
/* Bit number of a keyword, made when it is new and `create`; -1: unknown, or no room. */
int account_keyword(struct account *a, struct span name, bool create);
/* Flags of a command as bits; new keywords are made. False: no room for one. */
bool account_flags(struct account *a, const struct imap_flags *f, uint64_t *bits);
static inline const char *const *account_names(const struct account *a)
{
    return (const char *const *)a->keywords;
}

/* ---- folder.c --------------------------------------------------------------------- */

struct folder_msg {
    uint32_t uid;
    bool is_dirty;
    uint64_t flags;
    uint64_t stamp; /* folder's clock at the last change of flags */
    int64_t date_s;
    uint64_t size;
};

struct folder {
    struct list link;  /* account->folders */
    struct list dirty; /* mailbox->dirty */
    struct account *account;
    uint64_t id;
    uint32_t uidvalidity, uidnext;
    uint32_t recent_uid; /* first UID not yet given to a session as recent */
    bool is_recent_dirty;
    bool is_gone;            /* deleted: sessions are told at their next command */
    struct folder_msg *msgs; /* by UID */
    size_t n, cap, n_dirty;
    uint64_t clock;      /* counts changes of flags */
    uint64_t expunges;   /* counts removals */
    size_t holds;        /* clients that selected it, flushes under way */
    struct list viewers; /* clients that selected it */
};

struct folder *folder_find(struct account *a, uint64_t id);
/* A folder from what was loaded (takes over `v`), with one hold for the caller. When it is
 * in memory already that one is held and `v` is freed. */
struct folder *folder_install(struct account *a, const struct index_box *box,
                              struct index_msg *v, size_t n);
void folder_release(struct folder *f);
/* Place of `uid`, or -1. */
ptrdiff_t folder_at(const struct folder *f, uint32_t uid);
/* A message was added by a committed op. */
void folder_add(struct folder *f, const struct index_msg *m);
/* Messages were removed by a committed op; zeros are skipped. */
void folder_remove(struct folder *f, const uint32_t *uids, size_t n);
void folder_set_flags(struct folder *f, size_t at, uint64_t flags);
void folder_set_recent(struct folder *f, uint32_t uid);
/* Hand what is dirty to the shard, now. */
void folder_flush(struct folder *f);
/* Tell idle sessions. */
void folder_notify(struct folder *f);
void folder_status(const struct folder *f, struct index_status *st);

/* ---- client.c --------------------------------------------------------------------- */

struct view {
    uint32_t uid;
    bool is_recent;
};

struct client {
    struct list link;   /* mailbox->clients */
    struct list viewer; /* folder->viewers */
    struct mailbox *m;
    struct account *account;
    struct conn *conn;          /* NULL: gone, waiting for the job under way */
    struct loop_timer *silence; /* nothing came and nothing was read for too long */
    struct imap_session proto;
    struct buf early; /* octets edge had read already */
    struct buf out;   /* responses of this turn */
    struct span tag;  /* of the login command, until it is answered */
    char tag_text[65];

    struct folder *folder; /* selected */
    bool is_readonly;
    struct view *view; /* sequence number i + 1 */
    size_t n_view, cap_view;
    uint64_t seen_clock, seen_expunges;

    void *command; /* the exec_ file's own state */
    void (*command_free)(void *command);
    void (*on_writable)(struct client *c); /* wait for the output to drain */
    struct append *append;                 /* exec_append.c: messages coming in */
    unsigned jobs; /* ops and jobs under way; the client outlives them */
    bool is_ready; /* the account is loaded */
    bool in_pump, is_paused;
    bool is_broken; /* responses were lost: to be closed */
};

/* Take over the session of `account` (whose hold is taken over too) on `fd`. */
void client_new(struct mailbox *m, struct account *account, int fd,
                const struct m_login *login);
/* Close now; freed when the last job is back. */
void client_close(struct client *c);
/* "* BYE text", then close. */
void client_bye(struct client *c, const char *text);
/* Responses go here; client_flush() hands them to the connection. */
struct imap_out client_out(struct client *c);
/* False: the client is gone (closed). */
bool client_flush(struct client *c);
/* More output waits than a slow reader may have in front of him. */
bool client_is_choked(const struct client *c);
/* Untagged news of the selected folder. */
void client_sync(struct client *c, bool may_expunge);
/* The command is done: news, then "tag WORD [code] text", then the next command. Must be
 * the caller's last use of the client. */
void client_reply(struct client *c, const char *word, const char *code, const char *text);
void client_ok(struct client *c);
/* NO (or BAD) with the words that fit `r`. */
void client_fail(struct client *c, enum index_result r, const struct err *err);
/* A job or op came back. False when the client is gone: it may be freed by this call. */
bool client_job_end(struct client *c);
/* Octets may be taken again (append). */
void client_pump(struct client *c);
void client_set_paused(struct client *c, bool is_paused);
void client_unselect(struct client *c);
/* Build the view of a folder just selected. */
void client_select(struct client *c, struct folder *f, bool is_readonly);
/* The set with its numbers as sequence numbers or UIDs: does view entry `i` belong? */
bool client_set_has(const struct client *c, size_t i);
/* The first view entry from `i` on that belongs, or n_view. */
size_t client_set_next(const struct client *c, size_t i);
uint32_t client_max_uid(const struct client *c);

/* ---- commands: exec_*.c ------------------------------------------------------------ */

void exec_list(struct client *c);
void exec_status(struct client *c);
void exec_create(struct client *c);
void exec_delete(struct client *c);
void exec_rename(struct client *c);
void exec_subscribe(struct client *c);
void exec_select(struct client *c);
void exec_close(struct client *c);
void exec_expunge(struct client *c);
void exec_store(struct client *c);
void exec_copy(struct client *c);
void exec_fetch(struct client *c);
void exec_search(struct client *c);
void exec_append(struct client *c);
/* The messages of an APPEND as they come in. */
void append_begin(struct client *c);
void append_octets(struct client *c, struct span s, bool is_last);
void append_drop(struct client *c);

/* ---- deliver.c, login.c ------------------------------------------------------------ */

void deliver_message(struct mailbox *m, struct ipc *ch, const struct ipc_in *in);
void deliver_settle(struct mailbox *m, struct ipc *ch, const struct ipc_in *in);
void login_ticket(struct mailbox *m, const struct ipc_in *in);
void login_message(struct mailbox *m, struct ipc *ch, const struct ipc_in *in);
/* Timer callback: LOGINs that have waited long enough for their ticket are refused. */
void login_unpark(void *ctx);
/* Forget the LOGINs that wait, of this edge or (NULL) all. */
void login_drop(struct mailbox *m, const struct ipc *edge);
/* Drop tickets that are too old. */
void login_expire(struct mailbox *m, bool all);

#endif
