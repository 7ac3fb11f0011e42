/* SPDX-License-Identifier: ISC */
/* Commands on messages that change them: STORE, EXPUNGE, CLOSE, COPY, MOVE.
 *
 * STORE changes memory and answers at once; the index follows within a second. The others
 * are ops: what they did is applied to memory in done(), then sessions are told. */
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "maild/mailbox/mailbox_int.h"

#define STEP_OUT (256u * 1024u)

static bool refuse_readonly(struct client *c)
{
    if (c->is_readonly)
        client_reply(c, "NO", "READ-ONLY", "the mailbox was opened with EXAMINE");
    return c->is_readonly;
}

/* ---- STORE ------------------------------------------------------------------------- */

struct store {
    size_t at;
    uint64_t bits;
    bool is_missing; /* a message of the set was expunged by somebody else */
};

static uint64_t apply(const struct imap_cmd *cmd, uint64_t flags, uint64_t bits)
{
    return cmd->store_sign > 0   ? flags | bits
           : cmd->store_sign < 0 ? flags & ~bits
                                 : bits;
}

static void store_one(struct client *c, struct store *st, struct imap_out *o)
{
    const struct imap_cmd *cmd = &c->proto.cmd;
    const struct view *v = &c->view[st->at];
    ptrdiff_t at = folder_at(c->folder, v->uid);

    if (at < 0) {
        st->is_missing = true;
        return;
    }
    folder_set_flags(c->folder, (size_t)at,
                     apply(cmd, c->folder->msgs[at].flags, st->bits));
    if (cmd->is_silent)
        return;
    imap_putf(o, "* %zu FETCH (", st->at + 1);
    if (cmd->is_uid)
        imap_putf(o, "UID %u ", v->uid);
    imap_put(o, "FLAGS ");
    imap_put_flags(o, c->folder->msgs[at].flags | (v->is_recent ? IMAP_FLAG_RECENT : 0),
                   account_names(c->account), IMAP_KEYWORDS_MAX);
    imap_put(o, ")\r\n");
}

/* Others' news first, so that own changes can be taken as seen. */
static void store_step(struct client *c)
{
    struct store *st = c->command;
    struct imap_out o = client_out(c);

    client_sync(c, false);
    while (st->at < c->n_view) {
        if (client_set_has(c, st->at))
            store_one(c, st, &o);
        st->at++;
        if (c->out.len < STEP_OUT)
            continue;
        c->seen_clock = c->folder->clock;
        if (!client_flush(c))
            return;
        if (client_is_choked(c)) {
            c->on_writable = store_step;
            return;
        }
    }
    c->seen_clock = c->folder->clock;
    folder_notify(c->folder);
    if (st->is_missing && !c->proto.cmd.is_uid)
        client_reply(c, "NO", "EXPUNGEISSUED", "some of the messages are gone");
    else
        client_ok(c);
}

void exec_store(struct client *c)
{
    struct store *st;
    uint64_t bits = 0;

    if (refuse_readonly(c))
        return;
    if (!account_flags(c->account, &c->proto.cmd.flags, &bits)) {
        client_reply(c, "NO", "LIMIT", "this account has no room for another keyword");
        return;
    }
    st = mem_new(1, sizeof(*st));
    st->bits = bits;
    c->command = st;
    c->command_free = free;
    store_step(c);
}

/* ---- ops on a list of UIDs ---------------------------------------------------------- */

struct msg_op {
    struct shard_op op;
    struct client *client;
    struct folder *folder; /* held */
    const struct imap_cmd *cmd;
    struct index_copy copy; /* uids and n also for EXPUNGE */
    struct index_msg *msgs; /* COPY: as they were when asked */
    struct index_box box;   /* target */
    uint64_t account;
    bool is_close;
};

static struct msg_op *new_op(struct client *c)
{
    struct msg_op *m = mem_new(1, sizeof(*m));

    m->op.is_write = true;
    m->client = c;
    m->folder = c->folder;
    m->cmd = &c->proto.cmd;
    m->account = c->account->id;
    m->copy.from = c->folder->id;
    m->folder->holds++;
    return m;
}

static void submit(struct msg_op *m, void (*run)(struct shard_op *, struct index *),
                   void (*done)(struct shard_op *))
{
    m->op.run = run;
    m->op.done = done;
    m->client->jobs++;
    shard_submit(m->folder->account->shard, &m->op);
}

static void free_op(struct msg_op *m)
{
    /* the array was made here, only its use is constant */
    free((void *)(uintptr_t)m->copy.uids);
    free(m->copy.new_uids);
    free(m->msgs);
    folder_release(m->folder);
    free(m);
}

/* ---- EXPUNGE, CLOSE, UNSELECT ------------------------------------------------------- */

static void expunge_run(struct shard_op *op, struct index *ix)
{
    struct msg_op *m = LIST_ENTRY(op, struct msg_op, op);

    op->result = index_expunge(ix, m->copy.from, m->copy.uids, m->copy.n, &op->err);
}

static void closed(struct client *c)
{
    client_unselect(c);
    client_ok(c);
}

static void expunge_done(struct shard_op *op)
{
    struct msg_op *m = LIST_ENTRY(op, struct msg_op, op);
    struct client *c = m->client;
    bool is_ok = op->result == INDEX_OK;

    if (is_ok)
        folder_remove(m->folder, m->copy.uids, m->copy.n);
    if (is_ok)
        folder_notify(m->folder);
    if (client_job_end(c)) {
        if (is_ok && m->is_close)
            closed(c);
        else
            client_fail(c, op->result, &op->err);
    }
    free_op(m);
}

/* UIDs of the view that are \Deleted, and in the set if there is one. */
static size_t deleted_uids(const struct client *c, uint32_t *uids)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n_view; i++) {
        ptrdiff_t at = folder_at(c->folder, c->view[i].uid);

        if (at < 0 || (c->folder->msgs[at].flags & IMAP_FLAG_DELETED) == 0)
            continue;
        if (c->proto.cmd.set.n > 0 && !client_set_has(c, i))
            continue;
        uids[n++] = c->view[i].uid;
    }
    return n;
}

static void expunge(struct client *c, bool is_close)
{
    struct msg_op *m = new_op(c);
    uint32_t *uids = mem_new(c->n_view + 1, sizeof(*uids));

    m->copy.uids = uids;
    m->copy.n = deleted_uids(c, uids);
    m->is_close = is_close;
    if (m->copy.n == 0) {
        free_op(m);
        if (is_close)
            closed(c);
        else
            client_ok(c);
        return;
    }
    m->op.makes_doomed = true;
    submit(m, expunge_run, expunge_done);
}

void exec_expunge(struct client *c)
{
    if (!refuse_readonly(c))
        expunge(c, false);
}

void exec_close(struct client *c)
{
    if (c->proto.cmd.op == IMAP_OP_CLOSE && !c->is_readonly)
        expunge(c, true);
    else
        closed(c);
}

/* ---- COPY, MOVE --------------------------------------------------------------------- */

static void copy_run(struct shard_op *op, struct index *ix)
{
    struct msg_op *m = LIST_ENTRY(op, struct msg_op, op);

    op->result = index_box_find(ix, m->account, m->cmd->mailbox, &m->box, &op->err);
    if (op->result != INDEX_OK)
        return;
    m->copy.to = m->box.id;
    op->result = index_copy(ix, &m->copy, &op->err);
}

/* Into the target if it is in memory; out of the source when they moved. */
static void apply_copy(struct msg_op *m)
{
    struct folder *to = folder_find(m->folder->account, m->copy.to);

    for (size_t i = 0; to != NULL && i < m->copy.n; i++) {
        m->msgs[i].uid = m->copy.new_uids[i];
        if (m->msgs[i].uid != 0)
            folder_add(to, &m->msgs[i]);
    }
    if (m->copy.is_move)
        folder_remove(m->folder, m->copy.uids, m->copy.n);
}

/* "COPYUID validity from to" (RFC 4315 3). False when nothing was copied. */
static bool copyuid(const struct msg_op *m, struct buf *code)
{
    struct imap_out o;
    struct imap_set_out from = {.o = &o}, to = {.o = &o};

    imap_out_init(&o, code);
    imap_putf(&o, "COPYUID %u ", m->copy.uidvalidity);
    for (size_t i = 0; i < m->copy.n; i++) {
        if (m->copy.new_uids[i] != 0)
            imap_set_add(&from, m->copy.uids[i]);
    }
    if (from.lo == 0)
        return false;
    imap_set_end(&from);
    imap_put(&o, " ");
    for (size_t i = 0; i < m->copy.n; i++) {
        if (m->copy.new_uids[i] != 0)
            imap_set_add(&to, m->copy.new_uids[i]);
    }
    imap_set_end(&to);
    return !o.is_full;
}

static void copied(struct msg_op *m)
{
    struct client *c = m->client;
    struct buf code;
    struct imap_out o = client_out(c);
    bool has_code;

    buf_init(&code, 1u << 20);
    has_code = copyuid(m, &code);
    if (!has_code) {
        client_ok(c);
    } else if (m->copy.is_move) { /* before the EXPUNGEs (RFC 6851 4.3) */
        imap_put_status(&o, span_of(NULL, 0), "OK", buf_cstr(&code), "moved");
        client_ok(c);
    } else {
        client_reply(c, "OK", buf_cstr(&code), "copied");
    }
    buf_free(&code);
}

static void copy_done(struct shard_op *op)
{
    struct msg_op *m = LIST_ENTRY(op, struct msg_op, op);
    struct client *c = m->client;
    struct folder *to;

    if (op->result == INDEX_OK) {
        apply_copy(m);
        to = folder_find(m->folder->account, m->copy.to);
        if (to != NULL)
            folder_notify(to);
        if (m->copy.is_move && to != m->folder)
            folder_notify(m->folder);
    }
    if (client_job_end(c)) {
        if (op->result == INDEX_OK)
            copied(m);
        else if (op->result == INDEX_NONE)
            client_reply(c, "NO", "TRYCREATE", "there is no such mailbox");
        else
            client_fail(c, op->result, &op->err);
    }
    free_op(m);
}

void exec_copy(struct client *c)
{
    struct msg_op *m;
    uint32_t *uids;

    if (c->proto.cmd.op == IMAP_OP_MOVE && refuse_readonly(c))
        return;
    m = new_op(c);
    m->copy.uids = uids = mem_new(c->n_view + 1, sizeof(*uids));
    m->copy.new_uids = mem_new(c->n_view + 1, sizeof(*m->copy.new_uids));
    m->msgs = mem_new(c->n_view + 1, sizeof(*m->msgs));
    m->copy.is_move = c->proto.cmd.op == IMAP_OP_MOVE;
    for (size_t i = 0; i < c->n_view; i++) {
        ptrdiff_t at = client_set_has(c, i) ? folder_at(c->folder, c->view[i].uid) : -1;
        const struct folder_msg *f;

        if (at < 0)
            continue;
        f = &c->folder->msgs[at];
        uids[m->copy.n] = f->uid;
        m->msgs[m->copy.n++] =
            (struct index_msg){.flags = f->flags, .date_s = f->date_s, .size = f->size};
    }
    /* the copies take their flags from the index */
    folder_flush(c->folder);
    submit(m, copy_run, copy_done);
}
