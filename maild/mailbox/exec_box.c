/* SPDX-License-Identifier: ISC */
/* Commands on names: CREATE, DELETE, RENAME, SUBSCRIBE, LIST, LSUB, STATUS, and SELECT,
 * EXAMINE. Each is one op on the shard; the answer is made on the loop.
 *
 * An op reads the client's command on the database thread: it stands still until the client
 * is answered. What a mailbox in memory knows better than the index (flags not yet written)
 * is put right in done(). A mailbox that is deleted under a session ends that session. */
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "maild/imap/list.h"
#include "maild/mailbox/mailbox_int.h"

/* One op of a client; `box` and `gone` are outputs of some of them. */
struct box_op {
    struct shard_op op;
    struct client *client;
    const struct imap_cmd *cmd; /* stands still while the command runs */
    uint64_t account;
    int64_t now_s;
    struct index_box box;
    uint64_t gone;
    struct index_msg *msgs;
    size_t n_msgs;
    struct index_boxes boxes;
    struct index_status *status; /* beside boxes, for LIST-STATUS; or one */
};

static void free_op(struct box_op *b)
{
    index_boxes_free(&b->boxes);
    free(b->msgs);
    free(b->status);
    free(b);
}

static void submit(struct client *c, void (*run)(struct shard_op *, struct index *),
                   void (*done)(struct shard_op *), bool is_write)
{
    struct box_op *b = mem_new(1, sizeof(*b));

    b->op.run = run;
    b->op.done = done;
    b->op.is_write = is_write;
    b->op.makes_doomed = c->proto.cmd.op == IMAP_OP_DELETE;
    b->client = c;
    b->cmd = &c->proto.cmd;
    b->account = c->account->id;
    b->now_s = clock_wall_s(c->m->env->clock);
    c->jobs++;
    shard_submit(c->account->shard, &b->op);
}

/* ---- CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE -------------------------------- */

static void change_run(struct shard_op *op, struct index *ix)
{
    struct box_op *b = LIST_ENTRY(op, struct box_op, op);
    const struct imap_cmd *cmd = b->cmd;

    switch (cmd->op) {
    case IMAP_OP_CREATE:
        op->result = index_box_create(ix, b->account, cmd->mailbox, b->now_s, &op->err);
        break;
    case IMAP_OP_DELETE:
        op->result = index_box_delete(ix, b->account, cmd->mailbox, &b->gone, &op->err);
        break;
    case IMAP_OP_RENAME:
        op->result = index_box_rename(ix, b->account, cmd->mailbox, cmd->mailbox2,
                                      b->now_s, &op->err);
        break;
    default:
        op->result = index_subscribe(ix, b->account, cmd->mailbox,
                                     cmd->op == IMAP_OP_SUBSCRIBE, &op->err);
        break;
    }
}

/* Sessions in a mailbox that was deleted have nothing left to show: idle ones are told at
 * once, the others with their next command. */
static void forget_folder(struct account *a, uint64_t id, const struct client *by)
{
    struct folder *f = folder_find(a, id);
    struct list *it;

    if (f == NULL)
        return;
    f->is_gone = true;
    f->holds++;
    it = f->viewers.next;
    while (it != &f->viewers) {
        struct client *c = LIST_ENTRY(it, struct client, viewer);

        it = it->next;
        if (c != by && imap_session_is_idle(&c->proto))
            client_bye(c, "the selected mailbox was deleted");
    }
    folder_release(f);
}

static void change_done(struct shard_op *op)
{
    struct box_op *b = LIST_ENTRY(op, struct box_op, op);
    struct client *c = b->client;

    if (op->result == INDEX_OK && b->gone != 0)
        forget_folder(c->account, b->gone, c);
    if (client_job_end(c)) {
        if (c->folder != NULL && c->folder->is_gone)
            client_unselect(c); /* its own: back to no mailbox selected */
        client_fail(c, op->result, &op->err);
    }
    free_op(b);
}

void exec_create(struct client *c)
{
    if (span_eq_str(c->proto.cmd.mailbox, "INBOX"))
        client_fail(c, INDEX_EXISTS, NULL);
    else
        submit(c, change_run, change_done, true);
}

void exec_delete(struct client *c)
{
    submit(c, change_run, change_done, true);
}

void exec_rename(struct client *c)
{
    submit(c, change_run, change_done, true);
}

void exec_subscribe(struct client *c)
{
    submit(c, change_run, change_done, true);
}

/* ---- SELECT, EXAMINE, CLOSE, UNSELECT ---------------------------------------------- */

static void select_run(struct shard_op *op, struct index *ix)
{
    struct box_op *b = LIST_ENTRY(op, struct box_op, op);

    op->result = index_box_find(ix, b->account, b->cmd->mailbox, &b->box, &op->err);
    if (op->result == INDEX_OK)
        op->result = index_load(ix, b->box.id, &b->msgs, &b->n_msgs, &op->err);
}

static bool has_free_keyword(const struct account *a)
{
    for (size_t i = 0; i < COUNT_OF(a->keywords); i++) {
        if (a->keywords[i] == NULL)
            return true;
    }
    return false;
}

/* FLAGS and PERMANENTFLAGS (RFC 3501 7.1, 7.2.6). */
static void put_flag_lists(struct client *c, struct imap_out *o)
{
    const uint64_t keywords = ~(uint64_t)0 << IMAP_FLAG_KEYWORD;
    uint64_t all = IMAP_FLAGS_SYSTEM | keywords;

    imap_put(o, "* FLAGS ");
    imap_put_flags(o, all, account_names(c->account), IMAP_KEYWORDS_MAX);
    imap_put(o, "\r\n* OK [PERMANENTFLAGS ");
    if (c->is_readonly) {
        imap_put(o, "()");
    } else {
        imap_put_flags(o, all, account_names(c->account), IMAP_KEYWORDS_MAX);
        if (has_free_keyword(c->account) && !o->is_full) {
            buf_truncate(o->b, o->b->len - 1);
            imap_put(o, " \\*)");
        }
    }
    imap_put(o, "] flags that are kept\r\n");
}

static void put_selected(struct client *c, struct imap_out *o)
{
    const struct folder *f = c->folder;
    size_t recent = 0, unseen = 0;

    for (size_t i = 0; i < c->n_view; i++) {
        recent += c->view[i].is_recent;
        if (unseen == 0 && (f->msgs[i].flags & IMAP_FLAG_SEEN) == 0)
            unseen = i + 1;
    }
    put_flag_lists(c, o);
    imap_putf(o, "* %zu EXISTS\r\n* %zu RECENT\r\n", c->n_view, recent);
    if (unseen > 0)
        imap_putf(o, "* OK [UNSEEN %zu] first unseen message\r\n", unseen);
    imap_putf(o, "* OK [UIDVALIDITY %u] valid\r\n* OK [UIDNEXT %u] next\r\n",
              f->uidvalidity, f->uidnext);
}

static void select_done(struct shard_op *op)
{
    struct box_op *b = LIST_ENTRY(op, struct box_op, op);
    struct client *c = b->client;
    struct imap_out o;

    if (!client_job_end(c)) {
        free_op(b);
        return;
    }
    if (op->result == INDEX_OK) {
        bool is_readonly = c->proto.cmd.op == IMAP_OP_EXAMINE;
        struct folder *f = folder_install(c->account, &b->box, b->msgs, b->n_msgs);

        b->msgs = NULL;
        client_select(c, f, is_readonly);
        o = client_out(c);
        put_selected(c, &o);
        client_reply(c, "OK", is_readonly ? "READ-ONLY" : "READ-WRITE", "selected");
    } else {
        client_fail(c, op->result, &op->err);
    }
    free_op(b);
}

void exec_select(struct client *c)
{
    client_unselect(c); /* also when it fails (RFC 3501 6.3.1) */
    submit(c, select_run, select_done, false);
}

/* ---- STATUS ------------------------------------------------------------------------ */

static void put_status(struct imap_out *o, struct span name, unsigned items,
                       const struct index_status *st)
{
    const struct {
        unsigned bit;
        const char *name;
        uint64_t value;
    } rows[] = {
        {IMAP_STATUS_MESSAGES, "MESSAGES", st->messages},
        {IMAP_STATUS_RECENT, "RECENT", st->recent},
        {IMAP_STATUS_UIDNEXT, "UIDNEXT", st->uidnext},
        {IMAP_STATUS_UIDVALIDITY, "UIDVALIDITY", st->uidvalidity},
        {IMAP_STATUS_UNSEEN, "UNSEEN", st->unseen},
        {IMAP_STATUS_SIZE, "SIZE", st->size},
    };
    const char *sep = "(";

    imap_put(o, "* STATUS ");
    imap_put_mailbox(o, name);
    imap_put(o, " ");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if ((items & rows[i].bit) == 0)
            continue;
        imap_putf(o, "%s%s %llu", sep, rows[i].name, (unsigned long long)rows[i].value);
        sep = " ";
    }
    imap_put(o, ")\r\n");
}

static void status_run(struct shard_op *op, struct index *ix)
{
    struct box_op *b = LIST_ENTRY(op, struct box_op, op);

    b->status = mem_new(1, sizeof(*b->status));
    op->result = index_box_find(ix, b->account, b->cmd->mailbox, &b->box, &op->err);
    if (op->result == INDEX_OK)
        op->result = index_box_status(ix, b->box.id, b->status, &op->err);
}

/* A mailbox in memory knows flags that are not written yet. */
static void prefer_memory(struct account *a, uint64_t id, struct index_status *st)
{
    const struct folder *f = folder_find(a, id);

    if (f != NULL)
        folder_status(f, st);
}

static void status_done(struct shard_op *op)
{
    struct box_op *b = LIST_ENTRY(op, struct box_op, op);
    struct client *c = b->client;
    struct imap_out o;

    if (client_job_end(c)) {
        o = client_out(c);
        if (op->result == INDEX_OK) {
            prefer_memory(c->account, b->box.id, b->status);
            put_status(&o, c->proto.cmd.mailbox, c->proto.cmd.status_items, b->status);
        }
        client_fail(c, op->result, &op->err);
    }
    free_op(b);
}

void exec_status(struct client *c)
{
    submit(c, status_run, status_done, false);
}

/* ---- LIST, LSUB -------------------------------------------------------------------- */

static void list_run(struct shard_op *op, struct index *ix)
{
    struct box_op *b = LIST_ENTRY(op, struct box_op, op);

    op->result = index_box_list(ix, b->account, &b->boxes, &op->err);
    if (op->result != INDEX_OK || (b->cmd->list_options & IMAP_LIST_R_STATUS) == 0)
        return;
    b->status = mem_new(b->boxes.n + 1, sizeof(*b->status));
    for (size_t i = 0; i < b->boxes.n && op->result == INDEX_OK; i++) {
        if (b->boxes.v[i].id != 0 && !b->boxes.v[i].is_noselect)
            op->result = index_box_status(ix, b->boxes.v[i].id, &b->status[i], &op->err);
    }
}

static void put_list_status(struct client *c, struct box_op *b, size_t i,
                            struct imap_out *o)
{
    const struct index_box *box = &b->boxes.v[i];

    if (b->status == NULL || box->id == 0 || box->is_noselect)
        return;
    prefer_memory(c->account, box->id, &b->status[i]);
    put_status(o, span_str(box->name), c->proto.cmd.status_items, &b->status[i]);
}

static void list_done(struct shard_op *op)
{
    struct box_op *b = LIST_ENTRY(op, struct box_op, op);
    struct client *c = b->client;
    struct imap_list_name *names;
    struct imap_out o;

    if (!client_job_end(c)) {
        free_op(b);
        return;
    }
    if (op->result == INDEX_OK) {
        names = mem_new(b->boxes.n + 1, sizeof(*names));
        for (size_t i = 0; i < b->boxes.n; i++) {
            const struct index_box *box = &b->boxes.v[i];

            names[i] = (struct imap_list_name){.name = span_str(box->name),
                                               .use = box->use,
                                               .is_missing = box->id == 0,
                                               .is_noselect = box->is_noselect,
                                               .is_subscribed = box->is_subscribed};
        }
        imap_list_prepare(names, b->boxes.n);
        o = client_out(c);
        for (size_t i = 0; i < b->boxes.n; i++) {
            if (imap_put_list(&o, &c->proto.cmd, names, b->boxes.n, i))
                put_list_status(c, b, i, &o);
        }
        free(names);
    }
    client_fail(c, op->result, &op->err);
    free_op(b);
}

void exec_list(struct client *c)
{
    const struct imap_cmd *cmd = &c->proto.cmd;
    struct imap_out o = client_out(c);

    /* LIST "" "" asks for the delimiter and the root (RFC 3501 6.3.8) */
    if ((cmd->list_options & IMAP_LIST_EXTENDED) == 0 && cmd->n_patterns == 1 &&
        cmd->patterns[0].n == 0) {
        imap_putf(&o, "* %s (\\Noselect) \"/\" \"\"\r\n",
                  cmd->op == IMAP_OP_LIST ? "LIST" : "LSUB");
        client_ok(c);
        return;
    }
    submit(c, list_run, list_done, false);
}
