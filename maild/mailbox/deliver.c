/* SPDX-License-Identifier: ISC */
/* DELIVER and SETTLE, the queue's side of the mailbox role (maild/store/README.md has the
 * promises between the two).
 *
 *   DELIVER --> hard link, envelope and structure of the message: before the transaction of
 *               the op's batch; of a large one in a job of its own, so as to hold up nobody
 *           --> op: INBOX (made if missing), UID, row; remembered by (id, number)
 *           --> commit, shared with whatever else came --> DELIVER_RESULT
 *
 * A delivery that comes again makes its link again and finds its (id, number): yes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "maild/mailbox/digest.h"
#include "maild/mailbox/mailbox_int.h"

#define TOUCHED_MAX 200000
#define SMALL_MAX   (128u * 1024u) /* read on the database thread */
#define BACKLOG_MAX 20000 /* ops of one shard that wait; more deliveries come later */

struct delivery {
    struct mailbox *m;
    uint64_t call;
    struct shard_op op;
    struct index_new row;
    struct index_box box;
    bool has_file;
    char *blob;   /* path below the data directory */
    char *prefix; /* fields of this recipient */
    struct digest digest;
    bool has_digest;
    bool is_lost; /* there is no such blob */
    struct err err;
};

static void delivery_free(struct delivery *d)
{
    if (d->has_digest)
        digest_free(&d->digest);
    free(d->blob);
    free(d->prefix);
    d->m->jobs--;
    free(d);
}

static void answer(struct mailbox *m, uint64_t call, enum answer status, const char *text)
{
    struct m_deliver_result r = {.status = (uint8_t)status, .text = span_str(text)};
    struct ipc *queue = role_peer(m->env, ROLE_QUEUE, 0);
    struct buf b;
    struct wr w;

    if (queue == NULL) /* the role stops */
        return;
    buf_init(&b, 1024);
    wr_init(&w, &b);
    m_deliver_result_encode(&r, &w);
    /* when it cannot be sent, the queue asks again and is told "already there" */
    if (!w.is_bad && ipc_reply(queue, call, IPC_DELIVER_RESULT, buf_all(&b), -1) == -1)
        log_event(m->env->log, LOG_MAILBOX_FAILED,
                  LOGF_S("error", "queue takes no answer"));
    buf_free(&b);
}

static void fail(struct delivery *d, const struct err *err)
{
    char id[MSGID_TEXT + 1];

    msgid_print(&d->row.file.id, id);
    log_event(d->m->env->log, LOG_MAILBOX_FAILED, LOGF_S("mid", id),
              LOGF_N("account", d->row.file.account), LOGF_S("error", err->text));
    if (d->is_lost)
        answer(d->m, d->call, ANSWER_NO, "5.3.0 the message was lost before delivery");
    else
        answer(d->m, d->call, ANSWER_LATER, "4.3.0 the mailbox cannot be written now");
    delivery_free(d);
}

/* ---- the file ------------------------------------------------------------------------ */

static void file_work(void *ctx)
{
    struct delivery *d = ctx;
    const struct index_file *f = &d->row.file;
    uint8_t *octets = NULL;
    int fd = -1;

    if (mailfile_adopt(d->m->dirfd, d->blob, f, &d->err) == -1) {
        d->is_lost = d->err.sys == ENOENT;
        return;
    }
    fd = mailfile_open(d->m->dirfd, f, &d->err);
    if (fd == -1)
        return;
    octets = mem_new((size_t)f->size + 1, 1);
    if (mailfile_read(fd, f->head, octets, (size_t)f->size, &d->err) == 0) {
        digest_make(&d->digest, span_of(octets, (size_t)f->size));
        d->has_digest = true;
    }
    free(octets);
    (void)close(fd);
}

/* Its folder has a name the next SETTLE must make durable. */
static int touch(struct mailbox *m, const struct index_file *f)
{
    char path[MAILFILE_PATH_MAX];

    mailfile_folder(f, path);
    return map_put(m->touched, span_str(path), m);
}

/* ---- the row ------------------------------------------------------------------------- */

static void add_run(struct shard_op *op, struct index *ix)
{
    struct delivery *d = LIST_ENTRY(op, struct delivery, op);
    uint64_t account = d->row.file.account;

    if (!d->has_digest) {
        op->err = d->err;
        return;
    }
    d->row.envelope = buf_all(&d->digest.envelope);
    d->row.body = buf_all(&d->digest.body);
    d->row.structure = buf_all(&d->digest.structure);
    d->row.fields = buf_all(&d->digest.fields);
    d->row.has_fields = d->digest.has_fields;
    op->result = index_box_find(ix, account, SPAN_LIT("INBOX"), &d->box, &op->err);
    if (op->result == INDEX_NONE) { /* its first message */
        op->result = index_account_ensure(ix, account, d->row.now_s, &op->err);
        if (op->result == INDEX_OK)
            op->result =
                index_box_find(ix, account, SPAN_LIT("INBOX"), &d->box, &op->err);
    }
    if (op->result != INDEX_OK)
        return;
    d->row.box = d->box.id;
    op->result = index_add(ix, &d->row, &d->has_file, &op->err);
    /* delivered before and expunged since: the link just made is not wanted */
    if (op->result == INDEX_EXISTS && !d->has_file &&
        mailfile_remove(d->m->dirfd, &d->row.file, &op->err) == -1)
        op->result = INDEX_ERROR;
}

/* Sessions see it. */
static void show(struct delivery *d)
{
    struct account *a = account_held(d->m, d->row.file.account);
    struct folder *f = a == NULL ? NULL : folder_find(a, d->box.id);
    struct index_msg row = {.uid = d->row.uid,
                            .date_s = d->row.date_s,
                            .size = d->row.prefix.n + d->row.file.size};

    if (f != NULL) {
        folder_add(f, &row);
        folder_notify(f);
    }
}

static void delivered(struct delivery *d)
{
    char id[MSGID_TEXT + 1], text[64];

    msgid_print(&d->row.file.id, id);
    log_event(d->m->env->log, LOG_MAILBOX_DELIVERED, LOGF_S("mid", id),
              LOGF_N("account", d->row.file.account), LOGF_N("uid", d->row.uid));
    (void)snprintf(text, sizeof(text), "2.1.5 delivered to INBOX uid %u", d->row.uid);
    answer(d->m, d->call, ANSWER_YES, text);
}

static void add_done(struct shard_op *op)
{
    struct delivery *d = LIST_ENTRY(op, struct delivery, op);
    bool is_there = op->result == INDEX_OK || op->result == INDEX_EXISTS;
    bool is_touched = !is_there || touch(d->m, &d->row.file) == 0;

    if (op->result == INDEX_OK)
        show(d);
    if (!is_touched) { /* when it comes again it is there already */
        (void)err_set(&d->err, "too many folders wait for a checkpoint");
        fail(d, &d->err);
        return;
    }
    switch (op->result) {
    case INDEX_OK:
        delivered(d);
        break;
    case INDEX_EXISTS:
        answer(d->m, d->call, ANSWER_YES, "2.1.5 was delivered before");
        break;
    case INDEX_NONE:
    case INDEX_INBOX:
    case INDEX_CHILDREN:
    case INDEX_FULL:
    case INDEX_ERROR:
        fail(d, &op->err);
        return;
    }
    delivery_free(d);
}

static void submit(struct delivery *d)
{
    d->op.run = add_run;
    d->op.done = add_done;
    d->op.is_write = d->op.can_wait = true;
    shard_submit(d->m->shards[mailfile_shard(d->row.file.account)], &d->op);
}

static void file_done(void *ctx)
{
    submit(ctx);
}

static void add_prepare(struct shard_op *op)
{
    file_work(LIST_ENTRY(op, struct delivery, op));
}

/* ---- the messages -------------------------------------------------------------------- */

/* A path below the data directory that stays there. */
static bool is_path_ok(struct span path)
{
    return span_starts(path, SPAN_LIT("mail/")) && span_find(path, SPAN_LIT("..")) < 0;
}

static char *make_prefix(const struct m_deliver *msg)
{
    struct buf b;
    char *text;

    buf_init(&b, 2048);
    if (buf_str(&b, "Return-Path: <") == -1 || buf_span(&b, msg->sender) == -1 ||
        buf_str(&b, ">\r\nDelivered-To: ") == -1 || buf_span(&b, msg->rcpt) == -1 ||
        buf_str(&b, "\r\n") == -1)
        buf_reset(&b);
    text = span_dup(buf_all(&b));
    buf_free(&b);
    return text;
}

void deliver_message(struct mailbox *m, struct ipc *ch, const struct ipc_in *in)
{
    struct m_deliver msg;
    struct delivery *d;

    (void)ch;
    if (!m_deliver_decode(in->payload, &msg) || !is_path_ok(msg.path) ||
        msg.account_id == 0) {
        answer(m, in->call, ANSWER_NO, "5.3.0 malformed delivery");
        return;
    }
    if (!mailbox_has(m, msg.account_id)) {
        answer(m, in->call, ANSWER_LATER, "4.3.5 this account is another process's");
        return;
    }
    d = mem_new(1, sizeof(*d));
    d->m = m;
    d->call = in->call;
    d->blob = span_dup(msg.path);
    d->prefix = make_prefix(&msg);
    d->row = (struct index_new){.file = {.account = msg.account_id,
                                         .id = msg.id,
                                         .number = msg.number,
                                         .head = msg.blob_head,
                                         .size = msg.size},
                                .is_delivery = true,
                                .prefix = span_str(d->prefix),
                                .date_s = (int64_t)msg.accepted_s,
                                .now_s = clock_wall_s(m->env->clock)};
    m->jobs++;
    if (m->is_stopping ||
        shard_backlog(m->shards[mailfile_shard(msg.account_id)]) > BACKLOG_MAX) {
        (void)err_set(&d->err, "too many deliveries at once");
        fail(d, &d->err);
    } else if (msg.size <= SMALL_MAX) {
        d->op.prepare = add_prepare;
        submit(d);
    } else if (mailbox_job(m, file_work, file_done, d) == -1) {
        (void)err_set(&d->err, "too many large deliveries at once");
        fail(d, &d->err);
    }
}

/* ---- SETTLE --------------------------------------------------------------------------
 *
 * What this role answered DELIVER for before it died is not in `touched`, and the queue does not
 * ask for it again: the first SETTLE of a start therefore makes the whole file system durable. */

struct settlement {
    struct mailbox *m;
    uint64_t call;
    struct map *folders;
    struct err err;
    bool is_first;
    bool is_failed;
};

static void settle_work(void *ctx)
{
    struct settlement *s = ctx;
    struct span path;
    size_t cursor = 0;
    void *value;

    if (s->is_first && syncfs(s->m->dirfd) == -1) {
        (void)err_sys(&s->err, "make the mailboxes durable");
        s->is_failed = true;
    }
    while (!s->is_failed && map_next(s->folders, &cursor, &path, &value)) {
        char folder[MAILFILE_PATH_MAX];

        /* an account removed meanwhile has taken its folders along */
        if (!span_copy(path, folder, sizeof(folder)) ||
            (mailfile_sync_folder(s->m->dirfd, folder, &s->err) == -1 &&
             s->err.sys != ENOENT))
            s->is_failed = true;
    }
}

static void settle_answer(struct settlement *s)
{
    struct m_settle_result r = {.status = s->is_failed ? ANSWER_LATER : ANSWER_YES};
    struct ipc *queue = role_peer(s->m->env, ROLE_QUEUE, 0);
    struct buf b;
    struct wr w;

    buf_init(&b, 64);
    wr_init(&w, &b);
    m_settle_result_encode(&r, &w);
    if (queue != NULL &&
        ipc_reply(queue, s->call, IPC_SETTLE_RESULT, buf_all(&b), -1) == -1)
        log_event(s->m->env->log, LOG_MAILBOX_FAILED,
                  LOGF_S("error", "queue takes no answer"));
    buf_free(&b);
}

/* What was not made durable must be tried again at the next SETTLE. */
static void settle_done(void *ctx)
{
    struct settlement *s = ctx;
    struct span path;
    size_t cursor = 0;
    void *value;

    s->m->has_settled = s->m->has_settled || !s->is_failed;
    if (s->is_failed) {
        log_event(s->m->env->log, LOG_MAILBOX_FAILED, LOGF_S("error", s->err.text));
        while (map_next(s->folders, &cursor, &path, &value)) {
            if (map_put(s->m->touched, path, value) == -1)
                break; /* then deliveries are refused until a SETTLE works */
        }
    }
    settle_answer(s);
    map_free(&s->folders);
    s->m->jobs--;
    free(s);
}

void deliver_settle(struct mailbox *m, struct ipc *ch, const struct ipc_in *in)
{
    struct settlement *s = mem_new(1, sizeof(*s));

    (void)ch;
    s->m = m;
    s->call = in->call;
    s->is_first = !m->has_settled;
    s->folders = m->touched;
    m->touched = map_new(TOUCHED_MAX, m->env->rng);
    m->jobs++;
    if (mailbox_job(m, settle_work, settle_done, s) == -1) {
        s->is_failed = true;
        (void)err_set(&s->err, "too much to do for a checkpoint");
        settle_done(s);
    }
}
