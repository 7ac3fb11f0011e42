/* SPDX-License-Identifier: ISC */
/* One IMAP session after login.
 *
 *   octets --> machine (maild/imap/session) --IMAP_DO_RUN--> exec_*.c --> client_reply()
 *     ^                                                          |  ops and jobs come back
 *     +------------------- client_pump() <-----------------------+
 *
 * Invariants
 *   1. One command at a time: while the machine is busy nothing is fed, input waits in the
 *      connection (and so, once its buffer is full, at the client).
 *   2. A client with jobs under way is never freed; client_close() only closes, the last
 *      client_job_end() frees.
 *   3. Responses gather in `out` and leave in client_flush(); a command that makes many
 *      stops while client_is_choked() and goes on from on_writable. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "maild/imap/search.h"
#include "maild/mailbox/mailbox_int.h"

#define IN_MAX   (256u * 1024u)
#define OUT_MAX  (16u * 1024u * 1024u)
#define OUT_HIGH (256u * 1024u)
#define TURN_MAX (8u * 1024u * 1024u) /* responses of one turn */
#define BAD_MAX  50

#define CAPABILITIES                                                                     \
    "IMAP4rev1 LITERAL+ SASL-IR ENABLE ID IDLE NAMESPACE CHILDREN UIDPLUS UNSELECT "     \
    "MOVE "                                                                              \
    "SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE ESEARCH WITHIN MULTIAPPEND"

static void pump(struct client *c);

struct imap_out client_out(struct client *c)
{
    struct imap_out o;

    imap_out_init(&o, &c->out);
    return o;
}

/* ---- life ------------------------------------------------------------------------- */

static void free_client(struct client *c)
{
    struct account *a = c->account;

    assert(c->jobs == 0 && c->conn == NULL);
    client_unselect(c);
    append_drop(c);
    if (c->command != NULL)
        c->command_free(c->command);
    list_remove(&c->link);
    loop_timer_free(&c->silence);
    imap_session_free(&c->proto);
    buf_free(&c->early);
    buf_free(&c->out);
    free(c->view);
    free(c);
    a->n_clients--;
    a->m->n_clients--;
    account_release(a);
}

void client_close(struct client *c)
{
    if (c->conn != NULL)
        conn_free(&c->conn);
    if (c->jobs == 0 && !c->in_pump)
        free_client(c);
}

bool client_job_end(struct client *c)
{
    assert(c->jobs > 0);
    c->jobs--;
    if (c->conn != NULL)
        return true;
    if (c->jobs == 0 && !c->in_pump)
        free_client(c);
    return false;
}

/* Say the last words, let them be sent, go. */
static void finish(struct client *c)
{
    if (c->conn == NULL)
        return;
    if (conn_write(c->conn, buf_all(&c->out)) == 0)
        conn_finish(&c->conn, 5000);
    client_close(c);
}

void client_bye(struct client *c, const char *text)
{
    struct imap_out o = client_out(c);

    imap_put_status(&o, span_of(NULL, 0), "BYE", NULL, text);
    finish(c);
}

bool client_flush(struct client *c)
{
    if (c->conn == NULL)
        return false;
    if (c->is_broken || (c->out.len > 0 && conn_write(c->conn, buf_all(&c->out)) == -1)) {
        client_close(c);
        return false;
    }
    buf_reset(&c->out);
    return true;
}

bool client_is_choked(const struct client *c)
{
    return c->conn != NULL && conn_out_len(c->conn) > OUT_HIGH;
}

void client_set_paused(struct client *c, bool is_paused)
{
    c->is_paused = is_paused; /* the pump tells the connection */
}

/* ---- answers ---------------------------------------------------------------------- */

void client_reply(struct client *c, const char *word, const char *code, const char *text)
{
    const struct imap_verb *v = c->proto.verb;
    struct imap_out o;

    if (c->command != NULL) {
        c->command_free(c->command);
        c->command = NULL;
    }
    c->on_writable = NULL;
    client_sync(c, v == NULL || v->may_expunge || c->proto.cmd.is_uid);
    o = client_out(c);
    imap_put_status(&o, c->proto.cmd.tag, word, code, text);
    imap_session_done(&c->proto);
    c->is_broken = c->is_broken || o.is_full;
    if (!c->in_pump)
        pump(c);
}

void client_ok(struct client *c)
{
    client_reply(c, "OK", NULL, "done");
}

void client_fail(struct client *c, enum index_result r, const struct err *err)
{
    switch (r) {
    case INDEX_OK:
        client_ok(c);
        return;
    case INDEX_NONE:
        client_reply(c, "NO", "NONEXISTENT", "there is no such mailbox");
        return;
    case INDEX_EXISTS:
        client_reply(c, "NO", "ALREADYEXISTS", "there is such a mailbox already");
        return;
    case INDEX_INBOX:
        client_reply(c, "NO", "CANNOT", "not with INBOX");
        return;
    case INDEX_CHILDREN:
        client_reply(c, "NO", "CANNOT", "the mailbox has others below it");
        return;
    case INDEX_FULL:
        client_reply(c, "NO", "LIMIT", "a limit of this account is reached");
        return;
    case INDEX_ERROR:
        break;
    }
    log_event(c->m->env->log, LOG_IMAP_FAILED, LOGF_N("account", c->account->id),
              LOGF_S("error", err == NULL ? "" : err->text));
    if (err != NULL && (err->sys == ENOSPC || err->sys == EDQUOT)) /* RFC 5530 3 */
        client_reply(c, "NO", "OVERQUOTA", "the disk is full; nothing was changed");
    else
        client_reply(c, "NO", "UNAVAILABLE",
                     "it failed here, nothing was changed; the server's log says why");
}

/* ---- running commands ------------------------------------------------------------- */

static void exec_noop(struct client *c)
{
    client_ok(c);
}

static void exec_idle(struct client *c)
{
    client_sync(c, true);
}

static void (*const exec_table[IMAP_OP_COUNT])(struct client *c) = {
    [IMAP_OP_NOOP] = exec_noop,
    [IMAP_OP_CHECK] = exec_noop,
    [IMAP_OP_SELECT] = exec_select,
    [IMAP_OP_EXAMINE] = exec_select,
    [IMAP_OP_CREATE] = exec_create,
    [IMAP_OP_DELETE] = exec_delete,
    [IMAP_OP_RENAME] = exec_rename,
    [IMAP_OP_SUBSCRIBE] = exec_subscribe,
    [IMAP_OP_UNSUBSCRIBE] = exec_subscribe,
    [IMAP_OP_LIST] = exec_list,
    [IMAP_OP_LSUB] = exec_list,
    [IMAP_OP_STATUS] = exec_status,
    [IMAP_OP_APPEND] = exec_append,
    [IMAP_OP_IDLE] = exec_idle,
    [IMAP_OP_CLOSE] = exec_close,
    [IMAP_OP_UNSELECT] = exec_close,
    [IMAP_OP_EXPUNGE] = exec_expunge,
    [IMAP_OP_SEARCH] = exec_search,
    [IMAP_OP_FETCH] = exec_fetch,
    [IMAP_OP_STORE] = exec_store,
    [IMAP_OP_COPY] = exec_copy,
    [IMAP_OP_MOVE] = exec_copy,
};

/* Commands that name messages by number must name ones that exist (RFC 3501 9,
 * seq-number); UIDs may be any. */
static bool is_set_bad(const struct client *c)
{
    const struct imap_cmd *cmd = &c->proto.cmd;

    return cmd->set.n > 0 && !cmd->is_uid && c->n_view > 0 &&
           imap_set_exceeds(&cmd->set, (uint32_t)c->n_view);
}

static void run(struct client *c)
{
    void (*exec)(struct client *) = exec_table[c->proto.cmd.op];

    if (c->folder != NULL && c->folder->is_gone) {
        client_bye(c, "the selected mailbox was deleted");
        return;
    }
    if (is_set_bad(c)) {
        client_reply(c, "BAD", NULL, "there are not so many messages");
        return;
    }
    if (exec != NULL)
        exec(c);
    else
        client_reply(c, "BAD", NULL, "not here");
}

static void obey(struct client *c, enum imap_do todo)
{
    switch (todo) {
    case IMAP_DO_MORE:
    case IMAP_DO_STARTTLS: /* never offered here */
        break;
    case IMAP_DO_RUN:
        run(c);
        break;
    case IMAP_DO_IDLE_END:
        client_ok(c);
        break;
    case IMAP_DO_APPEND:
        append_begin(c);
        break;
    case IMAP_DO_OCTETS:
        append_octets(c, c->proto.octets, c->proto.is_last);
        break;
    case IMAP_DO_APPEND_END:
        append_drop(c);
        break;
    case IMAP_DO_CLOSE:
        finish(c);
        break;
    }
}

/* What is to be fed next: first what edge had read, then the connection's. */
static struct span next_input(const struct client *c)
{
    return c->early.len > 0 ? buf_all(&c->early) : conn_input(c->conn);
}

static void consume(struct client *c, size_t n)
{
    if (c->early.len > 0)
        buf_drop(&c->early, n);
    else
        conn_consume(c->conn, n);
}

/* A consumed octet is gone, but obey() looks at proto.octets: so it is called first. */
static void pump(struct client *c)
{
    c->in_pump = true;
    while (c->conn != NULL && c->is_ready && !c->is_paused && !client_is_choked(c) &&
           !imap_session_is_busy(&c->proto)) {
        struct span in = next_input(c);
        bool was_early = c->early.len > 0;
        size_t used = 0;
        enum imap_do todo;

        if (in.n == 0)
            break;
        todo = imap_session_input(&c->proto, in, &used, &c->out);
        obey(c, todo);
        if (c->conn == NULL)
            break;
        assert(was_early == (c->early.len > 0));
        consume(c, used);
        if (!client_flush(c) || (todo == IMAP_DO_MORE && used == 0))
            break;
    }
    c->in_pump = false;
    if (c->conn == NULL) {
        client_close(c);
        return;
    }
    /* paused while a command runs: a client that sent all it has and shut its side down is
     * still answered, since the end of its stream is said after its octets */
    conn_pause(c->conn, c->is_paused || !c->is_ready || imap_session_is_busy(&c->proto));
    (void)client_flush(c);
}

void client_pump(struct client *c)
{
    if (!c->in_pump)
        pump(c);
}

/* ---- the connection --------------------------------------------------------------- */

static int64_t idle_ms(const struct client *c)
{
    return conf_int(c->m->env->conf, "imap_idle") * 1000;
}

/* Not conn_deadline(): the client is to be told (RFC 3501 5.4), and can be only while the
 * connection lives. */
static void on_silence(void *ctx)
{
    struct client *c = ctx;

    if (c->conn == NULL)
        return;
    if (conn_out_len(c->conn) > 0)
        client_close(c); /* it does not even read */
    else
        client_bye(c, "nothing was heard for too long");
}

static void on_input(void *ctx)
{
    struct client *c = ctx;

    loop_timer_set(c->silence, idle_ms(c));
    client_pump(c);
}

static void on_drained(void *ctx)
{
    struct client *c = ctx;
    void (*go_on)(struct client *) = c->on_writable;

    loop_timer_set(c->silence, idle_ms(c)); /* a reader that reads is alive */
    if (go_on != NULL) {
        c->on_writable = NULL;
        go_on(c);
    } else {
        client_pump(c);
    }
}

static void on_end(void *ctx, enum conn_end why)
{
    struct client *c = ctx;

    (void)why;
    client_close(c);
}

static const struct conn_handlers handlers = {
    .on_input = on_input, .on_drained = on_drained, .on_end = on_end};

/* ---- the start of a session ------------------------------------------------------- */

struct load_op {
    struct shard_op op;
    struct client *client;
    uint64_t account;
    int64_t now_s;
    char *keywords[IMAP_KEYWORDS_MAX];
};

static void load_run(struct shard_op *op, struct index *ix)
{
    struct load_op *l = LIST_ENTRY(op, struct load_op, op);

    op->result = index_account_ensure(ix, l->account, l->now_s, &op->err);
    if (op->result == INDEX_OK)
        op->result =
            index_keywords(ix, l->account, l->keywords, COUNT_OF(l->keywords), &op->err);
}

/* Keywords given out meanwhile by another session keep their numbers: both came from the
 * same account in memory. */
static void take_keywords(struct account *a, struct load_op *l)
{
    for (size_t i = 0; i < COUNT_OF(l->keywords); i++) {
        if (!a->is_loaded && a->keywords[i] == NULL) {
            a->keywords[i] = l->keywords[i];
            l->keywords[i] = NULL;
        }
        free(l->keywords[i]);
    }
    a->is_loaded = true;
}

static void greet(struct client *c)
{
    struct imap_out o = client_out(c);

    imap_put_status(&o, c->tag, "OK", "CAPABILITY " CAPABILITIES, "logged in");
    c->is_ready = true;
}

static void load_done(struct shard_op *op)
{
    struct load_op *l = LIST_ENTRY(op, struct load_op, op);
    struct client *c = l->client;
    bool is_ok = op->result == INDEX_OK;
    struct imap_out o;

    if (is_ok) {
        take_keywords(c->account, l);
    } else {
        for (size_t i = 0; i < COUNT_OF(l->keywords); i++)
            free(l->keywords[i]);
        log_event(c->m->env->log, LOG_IMAP_FAILED, LOGF_N("account", c->account->id),
                  LOGF_S("error", op->err.text));
    }
    free(l);
    if (!client_job_end(c))
        return;
    if (is_ok) {
        greet(c);
        client_pump(c);
        return;
    }
    o = client_out(c);
    imap_put_status(&o, c->tag, "NO", "UNAVAILABLE",
                    "the mailboxes cannot be opened now");
    client_bye(c, "try again later");
}

void client_new(struct mailbox *m, struct account *account, int fd,
                const struct m_login *login)
{
    static const struct conn_limits limits = {IN_MAX, OUT_MAX, OUT_HIGH};
    const struct imap_session_config cfg = {
        .capabilities = CAPABILITIES, .append_max = m->append_max, .bad_max = BAD_MAX};
    struct client *c = mem_new(1, sizeof(*c));
    struct load_op *l = mem_new(1, sizeof(*l));

    c->m = m;
    c->account = account;
    account->n_clients++;
    m->n_clients++;
    list_init(&c->viewer);
    list_add_tail(&m->clients, &c->link);
    buf_init(&c->early, login->input.n + 1);
    buf_init(&c->out, TURN_MAX);
    if (buf_span(&c->early, login->input) == 0 &&
        span_copy(login->tag, c->tag_text, sizeof(c->tag_text)))
        c->tag = span_str(c->tag_text);
    imap_session_init(&c->proto, &cfg, IMAP_STATE_AUTH);
    c->conn = conn_accept(m->env->loop, fd, &limits, &handlers, c);
    c->silence = loop_timer_new(m->env->loop, "imap.silence", on_silence, c);
    loop_timer_set(c->silence, idle_ms(c));
    l->op.run = load_run;
    l->op.done = load_done;
    l->op.is_write = true;
    l->client = c;
    l->account = account->id;
    l->now_s = clock_wall_s(m->env->clock);
    c->jobs++;
    conn_pause(c->conn, true); /* until it is ready */
    shard_submit(account->shard, &l->op);
}
