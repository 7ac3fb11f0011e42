/* SPDX-License-Identifier: ISC */
/* APPEND (RFC 3501 6.3.11, RFC 3502): messages are written while they come in, and have
 * their own names and UIDs only when the command is complete.
 *
 *   octets --> chunk of 256 KiB --> write job --...--> last write job: sync, name, digest
 *                                     (one at a time, in order; two waiting: input pauses)
 *   end of command --> all jobs back --> one op: rows of all messages, commit --> OK
 *
 * They are received in mail/NN/pending. What gets no row (client gone, mailbox missing, disk
 * full) is removed again, after a crash by the next start (maild/mailbox/shard.c). */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "maild/mailbox/digest.h"
#include "maild/mailbox/mailbox_int.h"

#define CHUNK       (256u * 1024u)
#define WAITING_MAX 2

struct append_msg {
    struct list link;
    struct index_file file;
    int fd;
    bool is_pending; /* it has a name in mail/NN/pending, perhaps its own too */
    bool has_row;
    uint64_t flags;
    int64_t date_s;
    struct digest digest;
    bool has_digest;
    uint32_t uid; /* when it has its row */
};

struct append_write {
    struct list link;
    struct append_msg *msg;
    struct buf data;
    bool is_last;
};

struct append {
    struct client *client; /* NULL: dropped */
    struct mailbox *m;
    struct account *account; /* held */
    struct list msgs;
    struct append_msg *current;
    struct buf chunk;
    struct list writes;
    size_t n_writes;
    struct append_write *writing;
    bool is_failed, is_complete;
    bool no_keyword; /* a flag could not be made */
    struct err err;

    struct shard_op op;
    const struct imap_cmd *cmd;
    uint64_t account_id;
    int64_t now_s;
    struct index_box box;
    uint32_t uidvalidity;
};

static void free_msg(struct append_msg *msg)
{
    if (msg->fd != -1)
        (void)close(msg->fd);
    if (msg->has_digest)
        digest_free(&msg->digest);
    free(msg);
}

static void append_free(struct append *a)
{
    while (!list_is_empty(&a->msgs)) {
        struct append_msg *msg = LIST_ENTRY(a->msgs.next, struct append_msg, link);

        list_remove(&msg->link);
        free_msg(msg);
    }
    while (!list_is_empty(&a->writes)) {
        struct append_write *w = LIST_ENTRY(a->writes.next, struct append_write, link);

        list_remove(&w->link);
        buf_free(&w->data);
        free(w);
    }
    buf_free(&a->chunk);
    account_release(a->account);
    free(a);
}

/* ---- the end: what has its row stays, the rest is removed --------------------------- */

static void settle_files(struct append *a)
{
    LIST_EACH (it, &a->msgs) {
        struct append_msg *msg = LIST_ENTRY(it, struct append_msg, link);

        if (!msg->is_pending)
            continue;
        if (msg->has_row || mailfile_remove(a->m->dirfd, &msg->file, NULL) == 0)
            mailfile_settled(a->m->dirfd, &msg->file);
    }
}

static void drop_work(void *ctx)
{
    settle_files(ctx);
}

static void drop_done(void *ctx)
{
    append_free(ctx);
}

static void discard(struct append *a)
{
    bool is_pending = false;

    LIST_EACH (it, &a->msgs)
        is_pending = is_pending || LIST_ENTRY(it, struct append_msg, link)->is_pending;
    if (!is_pending) {
        append_free(a);
    } else if (mailbox_job(a->m, drop_work, drop_done, a) == -1) {
        settle_files(a); /* the role stops: nobody waits for this loop */
        append_free(a);
    }
}

void append_drop(struct client *c)
{
    struct append *a = c->append;

    c->append = NULL;
    if (a == NULL)
        return;
    a->client = NULL;
    if (a->writing == NULL)
        discard(a); /* else write_done() does */
}

/* ---- writing ------------------------------------------------------------------------ */

/* The whole message, from the one chunk it came in or back from the file. */
static int make_digest(struct append *a, struct append_msg *msg, struct span chunk)
{
    uint8_t *whole;

    if (chunk.n == msg->file.size) {
        digest_make(&msg->digest, chunk);
    } else {
        whole = mem_new(msg->file.size + 1, 1);
        if (mailfile_read(msg->fd, 0, whole, msg->file.size, &a->err) == -1) {
            free(whole);
            return -1;
        }
        digest_make(&msg->digest, span_of(whole, msg->file.size));
        free(whole);
    }
    msg->has_digest = true;
    return 0;
}

static void write_work(void *ctx)
{
    struct append *a = ctx;
    struct append_write *w = a->writing;
    struct append_msg *msg = w->msg;

    if (a->is_failed)
        return;
    if (msg->fd == -1)
        msg->fd = mailfile_tmp(a->m->dirfd, &msg->file, &a->err);
    msg->is_pending = msg->is_pending || msg->fd != -1;
    if (msg->fd == -1 || mailfile_write(msg->fd, buf_all(&w->data), &a->err) == -1) {
        a->is_failed = true;
        return;
    }
    if (!w->is_last)
        return;
    if (make_digest(a, msg, buf_all(&w->data)) == -1 ||
        mailfile_publish(a->m->dirfd, msg->fd, &msg->file, &a->err) == -1)
        a->is_failed = true;
    (void)close(msg->fd);
    msg->fd = -1;
}

static void commit(struct append *a);
static void next_write(struct append *a);

static void write_done(void *ctx)
{
    struct append *a = ctx;
    struct client *c = a->client;

    buf_free(&a->writing->data);
    free(a->writing);
    a->writing = NULL;
    a->n_writes--;
    if (c == NULL) { /* dropped: nobody waits any more */
        discard(a);
        return;
    }
    next_write(a);
    if (!client_job_end(c))
        return; /* it is gone, and the append with it */
    if (a->is_complete && a->writing == NULL)
        commit(a);
    else if (c->is_paused && a->n_writes < WAITING_MAX) {
        client_set_paused(c, false);
        client_pump(c);
    }
}

static void next_write(struct append *a)
{
    if (a->writing != NULL || list_is_empty(&a->writes))
        return;
    a->writing = LIST_ENTRY(a->writes.next, struct append_write, link);
    list_remove(&a->writing->link);
    a->client->jobs++;
    if (mailbox_job(a->m, write_work, write_done, a) == -1) {
        a->is_failed = true;
        (void)err_set(&a->err, "the file threads have no room");
        a->client->jobs--;
        buf_free(&a->writing->data);
        free(a->writing);
        a->writing = NULL;
        a->n_writes--;
        next_write(a);
    }
}

void append_begin(struct client *c)
{
    struct append *a = c->append;
    struct append_msg *msg = mem_new(1, sizeof(*msg));

    if (a == NULL) {
        a = mem_new(1, sizeof(*a));
        a->client = c;
        a->m = c->m;
        a->account = c->account;
        a->account->holds++;
        a->account_id = c->account->id;
        a->now_s = clock_wall_s(c->m->env->clock);
        list_init(&a->msgs);
        list_init(&a->writes);
        buf_init(&a->chunk, 4 * CHUNK);
        c->append = a;
    }
    msg->fd = -1;
    msg->file.account = c->account->id;
    msgid_new(&msg->file.id, c->m->env->rng, clock_wall_us(c->m->env->clock));
    msg->file.size = c->proto.append.size;
    msg->date_s = c->proto.append.has_date ? c->proto.append.date_s : a->now_s;
    if (!account_flags(c->account, &c->proto.append.flags, &msg->flags))
        a->no_keyword = true;
    list_add_tail(&a->msgs, &msg->link);
    a->current = msg;
}

void append_octets(struct client *c, struct span s, bool is_last)
{
    struct append *a = c->append;
    struct append_write *w;

    assert(a != NULL);
    if (buf_span(&a->chunk, s) == -1) { /* never: paused long before */
        a->is_failed = true;
        (void)err_set(&a->err, "a message came faster than it could be written");
    }
    if (a->chunk.len < CHUNK && !is_last)
        return;
    w = mem_new(1, sizeof(*w));
    w->msg = a->current;
    w->is_last = is_last;
    w->data = a->chunk;
    buf_init(&a->chunk, 4 * CHUNK);
    list_add_tail(&a->writes, &w->link);
    a->n_writes++;
    next_write(a);
    if (a->n_writes >= WAITING_MAX)
        client_set_paused(c, true);
}

/* ---- the end of the command --------------------------------------------------------- */

static void add_run(struct shard_op *op, struct index *ix)
{
    struct append *a = LIST_ENTRY(op, struct append, op);
    bool has_file;

    op->result = index_box_find(ix, a->account_id, a->cmd->mailbox, &a->box, &op->err);
    LIST_EACH (it, &a->msgs) {
        struct append_msg *msg = LIST_ENTRY(it, struct append_msg, link);
        struct index_new row = {.file = msg->file,
                                .box = a->box.id,
                                .envelope = buf_all(&msg->digest.envelope),
                                .body = buf_all(&msg->digest.body),
                                .structure = buf_all(&msg->digest.structure),
                                .fields = buf_all(&msg->digest.fields),
                                .has_fields = msg->digest.has_fields,
                                .flags = msg->flags,
                                .date_s = msg->date_s,
                                .now_s = a->now_s};

        if (op->result != INDEX_OK)
            return;
        op->result = index_add(ix, &row, &has_file, &op->err);
        msg->uid = row.uid;
        a->uidvalidity = row.uidvalidity;
    }
}

static void update_folder(struct append *a)
{
    struct folder *f = folder_find(a->account, a->box.id);

    LIST_EACH (it, &a->msgs) {
        struct append_msg *msg = LIST_ENTRY(it, struct append_msg, link);
        struct index_msg row = {.uid = msg->uid,
                                .flags = msg->flags,
                                .date_s = msg->date_s,
                                .size = msg->file.size};

        msg->has_row = true; /* the index owns the file now */
        if (f != NULL)
            folder_add(f, &row);
    }
    if (f != NULL)
        folder_notify(f);
}

static void say_appended(struct client *c, const struct append *a)
{
    struct imap_set_out uids;
    struct imap_out o;
    struct buf code;

    buf_init(&code, 64u * 1024u);
    imap_out_init(&o, &code);
    uids = (struct imap_set_out){.o = &o};
    imap_putf(&o, "APPENDUID %u ", a->uidvalidity);
    LIST_EACH (it, &a->msgs)
        imap_set_add(&uids, LIST_ENTRY(it, struct append_msg, link)->uid);
    imap_set_end(&uids);
    client_reply(c, "OK", o.is_full ? NULL : buf_cstr(&code), "appended");
    buf_free(&code);
}

static void add_done(struct shard_op *op)
{
    struct append *a = LIST_ENTRY(op, struct append, op);
    struct client *c = a->client;

    if (op->result == INDEX_OK)
        update_folder(a);
    c->append = NULL;
    if (client_job_end(c)) {
        if (op->result == INDEX_OK)
            say_appended(c, a);
        else if (op->result == INDEX_NONE)
            client_reply(c, "NO", "TRYCREATE", "there is no such mailbox");
        else
            client_fail(c, op->result, &op->err);
    }
    discard(a);
}

static void commit(struct append *a)
{
    struct client *c = a->client;
    struct err err = a->err;

    if (a->is_failed || a->no_keyword) {
        bool no_keyword = a->no_keyword;

        append_drop(c);
        if (no_keyword)
            client_reply(c, "NO", "LIMIT",
                         "this account has no room for another keyword");
        else
            client_fail(c, INDEX_ERROR, &err);
        return;
    }
    a->op.run = add_run;
    a->op.done = add_done;
    a->op.is_write = true;
    a->cmd = &c->proto.cmd;
    c->jobs++;
    shard_submit(c->account->shard, &a->op);
}

void exec_append(struct client *c)
{
    struct append *a = c->append;

    if (a == NULL) {
        client_reply(c, "BAD", NULL, "there was no message");
        return;
    }
    client_set_paused(c, false);
    a->is_complete = true;
    if (a->writing == NULL)
        commit(a);
}
