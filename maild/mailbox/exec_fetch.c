/* SPDX-License-Identifier: ISC */
/* FETCH (RFC 3501 6.4.5), in chunks, so that neither memory nor the loop is held however
 * many messages are asked for and however slowly they are read.
 *
 *   collect     on the loop: the next entries of the view, their flags, dates, sizes; \Seen
 *   rows        op on the shard: cached envelope and structure, where the file is
 *   compose     job on the file threads (on the loop when no row is needed): the responses
 *               as text; a long section stays a piece, a run of its file
 *   send        on the loop: text, then each piece in blocks read by jobs; stops while the
 *               client does not read; then compose for the rest, or collect again
 *
 * A message that another session expunged meanwhile is left out, and said so at the end
 * (RFC 2180 4.1.2). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/msg/header.h"
#include "maild/imap/datetime.h"
#include "maild/imap/section.h"
#include "maild/mailbox/mailbox_int.h"

#define ROWS_MAX    50                    /* of one chunk that needs rows */
#define LIGHT_MAX   1000                  /* of one that does not */
#define TEXT_SOFT   (1024u * 1024u)       /* compose stops behind this */
#define TEXT_MAX    (12u * 1024u * 1024u) /* one message's answer, pieces apart */
#define INLINE_MAX  (64u * 1024u)         /* longer sections are pieces */
#define BLOCK       (256u * 1024u)
#define HEADER_STEP (64u * 1024u)
#define HEADER_MAX  (4u * 1024u * 1024u)
#define ARENA_MAX   (128u * 1024u * 1024u)

struct entry {
    size_t index; /* in the view */
    uint32_t uid;
    uint64_t flags; /* with \Recent */
    int64_t date_s;
    uint64_t size;
    bool is_seen_now; /* this FETCH set \Seen */
    bool has_row;
    struct index_row row;
};

struct piece {
    size_t text_end; /* comes when the text up to here is sent */
    int fd;
    uint64_t at, n;
};

struct fetch {
    struct client *client;
    const struct imap_cmd *cmd;
    const char *const *keywords;
    uint64_t box;
    int dirfd;
    bool needs_row, needs_file, needs_tree, sets_seen;
    size_t at; /* next entry of the view to be collected */
    struct entry *entries;
    size_t n, next; /* entries collected; next to be composed */
    struct shard_op op;
    struct arena *arena; /* rows of this chunk */
    struct buf text;
    size_t sent;
    struct piece pieces[ROWS_MAX * 4];
    size_t n_pieces, piece;
    uint8_t *block;
    size_t block_n;
    bool is_missing, is_failed, is_torn;
    struct err err;
};

static void fetch_free(void *command)
{
    struct fetch *f = command;

    for (size_t i = f->piece; i < f->n_pieces; i++)
        (void)close(f->pieces[i].fd);
    arena_free(&f->arena);
    buf_free(&f->text);
    free(f->entries);
    free(f->block);
    free(f);
}

/* ---- compose: one message (file threads or loop) ------------------------------------ */

/* The file of the message under way, read as far as the items need it. */
struct source {
    struct fetch *f;
    const struct entry *e;
    struct arena *arena;
    int fd;
    uint8_t *octets; /* the header, or all of it */
    size_t n;
    struct mime_tree tree;
    struct mime_part only; /* where no tree is needed */
};

static int read_front(struct source *s, size_t n)
{
    free(s->octets);
    s->octets = mem_new(n + 1, 1);
    s->n = n;
    return mailfile_read(s->fd, s->e->row.file.head, s->octets, n, &s->f->err);
}

/* The header with its blank line; headers beyond the ceiling are cut. */
static int read_header(struct source *s)
{
    uint64_t size = s->e->row.file.size;
    size_t want = HEADER_STEP, header;

    for (;;) {
        if (read_front(s, size < want ? (size_t)size : want) == -1)
            return -1;
        header = header_size(span_of(s->octets, s->n));
        if (header < s->n || s->n == size || s->n >= HEADER_MAX)
            break;
        want *= 4;
    }
    s->only = (struct mime_part){.body = header,
                                 .end = (size_t)size,
                                 .kind = MIME_LEAF,
                                 .parent = MIME_NONE,
                                 .child = MIME_NONE,
                                 .next = MIME_NONE};
    s->tree = (struct mime_tree){&s->only, 1};
    return 0;
}

static int source_open(struct source *s)
{
    s->fd = mailfile_open(s->f->dirfd, &s->e->row.file, &s->f->err);
    if (s->fd == -1)
        return -1;
    if (!s->f->needs_tree)
        return read_header(s);
    if (read_front(s, (size_t)s->e->row.file.size) == -1)
        return -1;
    if (!mime_parse(span_of(s->octets, s->n), s->arena, &s->tree))
        return err_set(&s->f->err, "the message has too many parts");
    return 0;
}

static void source_close(struct source *s)
{
    if (s->fd != -1)
        (void)close(s->fd);
    free(s->octets);
    arena_free(&s->arena);
}

/* `n` octets at `at` of the message file, now or as a piece. */
static int put_file(struct source *s, uint64_t at, uint64_t n)
{
    struct fetch *f = s->f;
    int fd;

    if (n == 0)
        return 0;
    if (at + n <= s->n && n <= INLINE_MAX)
        return buf_append(&f->text, s->octets + at, (size_t)n);
    if (n <= INLINE_MAX || f->n_pieces == COUNT_OF(f->pieces)) {
        if (n > TEXT_MAX || buf_reserve(&f->text, (size_t)n) == -1 ||
            mailfile_read(s->fd, s->e->row.file.head + at, f->text.data + f->text.len,
                          (size_t)n, &f->err) == -1)
            return -1;
        f->text.len += (size_t)n;
        return 0;
    }
    fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 3);
    if (fd == -1)
        return err_sys(&f->err, "keep a message file open");
    f->pieces[f->n_pieces++] = (struct piece){
        .text_end = f->text.len, .fd = fd, .at = s->e->row.file.head + at, .n = n};
    return 0;
}

/* A run of the message as read: first what lies in the prefix, then the file's. */
static int put_range(struct source *s, uint64_t from, uint64_t n)
{
    struct span prefix = s->e->row.prefix;
    uint64_t in_prefix = 0;

    if (from < prefix.n) {
        in_prefix = prefix.n - from < n ? prefix.n - from : n;
        if (buf_append(&s->f->text, prefix.p + from, (size_t)in_prefix) == -1)
            return -1;
        from += in_prefix;
    }
    return put_file(s, from - prefix.n, n - in_prefix);
}

static int put_section(struct source *s, struct imap_out *o, const struct imap_item *it)
{
    uint64_t from = 0, n = 0, skip;
    struct buf copy;
    int rc = 0;

    buf_init(&copy, TEXT_MAX);
    imap_put_section_name(o, it);
    switch (imap_section_find(&it->section, s->e->row.prefix, span_of(s->octets, s->n),
                              &s->tree, &copy, &from, &n)) {
    case IMAP_SECTION_NONE:
        imap_put(o, " NIL");
        break;
    case IMAP_SECTION_COPY:
        n = copy.len;
        imap_section_cut(&it->section, &skip, &n);
        imap_putf(o, " {%llu}\r\n", (unsigned long long)n);
        imap_put_span(o, span_of(copy.data + skip, (size_t)n));
        break;
    case IMAP_SECTION_RANGE:
        imap_section_cut(&it->section, &skip, &n);
        imap_putf(o, " {%llu}\r\n", (unsigned long long)n);
        rc = o->is_full ? -1 : put_range(s, from + skip, n);
        break;
    }
    buf_free(&copy);
    return rc;
}

static int put_item(struct source *s, struct imap_out *o, const struct imap_item *it)
{
    const struct entry *e = s->e;
    char date[IMAP_DATETIME_TEXT];

    switch (it->kind) {
    case IMAP_ITEM_UID:
        imap_putf(o, "UID %u", e->uid);
        break;
    case IMAP_ITEM_FLAGS:
        imap_put(o, "FLAGS ");
        imap_put_flags(o, e->flags, s->f->keywords, IMAP_KEYWORDS_MAX);
        break;
    case IMAP_ITEM_INTERNALDATE:
        imap_datetime_print(e->date_s, date);
        imap_putf(o, "INTERNALDATE \"%s\"", date);
        break;
    case IMAP_ITEM_SIZE:
        imap_putf(o, "RFC822.SIZE %llu", (unsigned long long)e->size);
        break;
    case IMAP_ITEM_ENVELOPE:
        imap_put(o, "ENVELOPE ");
        imap_put_span(o, e->row.envelope);
        break;
    case IMAP_ITEM_BODY:
        imap_put(o, "BODY ");
        imap_put_span(o, e->row.body);
        break;
    case IMAP_ITEM_BODYSTRUCTURE:
        imap_put(o, "BODYSTRUCTURE ");
        imap_put_span(o, e->row.structure);
        break;
    case IMAP_ITEM_SECTION:
        return put_section(s, o, it);
    }
    return 0;
}

static bool wants(const struct imap_cmd *cmd, enum imap_item_kind kind)
{
    for (size_t i = 0; i < cmd->n_items; i++) {
        if (cmd->items[i].kind == kind)
            return true;
    }
    return false;
}

static int put_items(struct source *s, struct imap_out *o)
{
    const struct imap_cmd *cmd = s->f->cmd;
    const struct imap_item uid = {.kind = IMAP_ITEM_UID},
                           flags = {.kind = IMAP_ITEM_FLAGS};
    const char *sep = "";

    imap_putf(o, "* %zu FETCH (", s->e->index + 1);
    if (cmd->is_uid && !wants(cmd, IMAP_ITEM_UID)) {
        (void)put_item(s, o, &uid);
        sep = " ";
    }
    for (size_t i = 0; i < cmd->n_items; i++) {
        imap_put(o, sep);
        sep = " ";
        if (put_item(s, o, &cmd->items[i]) == -1)
            return -1;
    }
    if (s->e->is_seen_now && !wants(cmd, IMAP_ITEM_FLAGS)) {
        imap_put(o, " ");
        (void)put_item(s, o, &flags);
    }
    imap_put(o, ")\r\n");
    return o->is_full ? err_set(&s->f->err, "the answer for one message is too large")
                      : 0;
}

/* Take back what was composed of a message that failed. */
static void undo(struct fetch *f, size_t text, size_t pieces)
{
    buf_truncate(&f->text, text);
    while (f->n_pieces > pieces)
        (void)close(f->pieces[--f->n_pieces].fd);
}

static void compose_one(struct fetch *f, const struct entry *e)
{
    struct source s = {.f = f, .e = e, .fd = -1};
    size_t text = f->text.len, pieces = f->n_pieces;
    struct imap_out o;

    if (f->needs_row && !e->has_row) {
        f->is_missing = true;
        return;
    }
    f->err.sys = 0;
    imap_out_init(&o, &f->text);
    if (f->needs_tree)
        s.arena = arena_new(ARENA_MAX);
    if ((f->needs_file && source_open(&s) == -1) || put_items(&s, &o) == -1) {
        undo(f, text, pieces);
        if (f->err.sys == ENOENT)
            f->is_missing = true;
        else
            f->is_failed = true;
    }
    source_close(&s);
}

/* As many as fit; what is left comes after these are sent. */
static void compose(void *ctx)
{
    struct fetch *f = ctx;

    while (f->next < f->n && f->text.len < TEXT_SOFT &&
           f->n_pieces + IMAP_ITEMS_MAX <= COUNT_OF(f->pieces))
        compose_one(f, &f->entries[f->next++]);
}

/* ---- send ---------------------------------------------------------------------------- */

static void collect(struct client *c);
static void start_compose(struct client *c);
static void send_on(struct client *c);

static void block_work(void *ctx)
{
    struct fetch *f = ctx;
    struct piece *p = &f->pieces[f->piece];

    f->block_n = p->n < BLOCK ? (size_t)p->n : BLOCK;
    if (mailfile_read(p->fd, p->at, f->block, f->block_n, &f->err) == -1)
        f->is_torn = true;
}

static void block_done(void *ctx)
{
    struct fetch *f = ctx;
    struct client *c = f->client;
    struct piece *p = &f->pieces[f->piece];

    if (!client_job_end(c))
        return;
    /* in the middle of a literal there is no way to say that something failed */
    if (f->is_torn || conn_write(c->conn, span_of(f->block, f->block_n)) == -1) {
        client_close(c);
        return;
    }
    p->at += f->block_n;
    p->n -= f->block_n;
    send_on(c);
}

/* Send the text up to the next piece; false when the client is gone. */
static bool send_text(struct client *c, struct fetch *f)
{
    size_t to = f->piece < f->n_pieces ? f->pieces[f->piece].text_end : f->text.len;
    struct span s = span_of(f->text.data + f->sent, to - f->sent);

    if (s.n == 0)
        return true;
    if (!client_flush(c))
        return false;
    if (conn_write(c->conn, s) == -1) {
        client_close(c);
        return false;
    }
    f->sent = to;
    return true;
}

static void send_on(struct client *c)
{
    struct fetch *f = c->command;

    for (;;) {
        if (!send_text(c, f))
            return;
        if (client_is_choked(c)) {
            c->on_writable = send_on;
            return;
        }
        if (f->piece == f->n_pieces)
            break;
        if (f->pieces[f->piece].n == 0) {
            (void)close(f->pieces[f->piece++].fd);
            continue;
        }
        c->jobs++;
        if (mailbox_job(c->m, block_work, block_done, f) == -1) {
            c->jobs--;
            client_close(c);
        }
        return;
    }
    buf_reset(&f->text);
    f->sent = f->n_pieces = f->piece = 0;
    if (f->next < f->n)
        start_compose(c);
    else
        collect(c);
}

/* ---- collect ------------------------------------------------------------------------- */

static void compose_done(void *ctx)
{
    struct fetch *f = ctx;

    if (client_job_end(f->client))
        send_on(f->client);
}

static void start_compose(struct client *c)
{
    struct fetch *f = c->command;

    if (!f->needs_row) {
        compose(f);
        send_on(c);
        return;
    }
    c->jobs++;
    if (mailbox_job(c->m, compose, compose_done, f) == -1) {
        c->jobs--;
        client_reply(c, "NO", "INUSE", "too much to do just now, try again");
    }
}

static void rows_run(struct shard_op *op, struct index *ix)
{
    struct fetch *f = LIST_ENTRY(op, struct fetch, op);

    op->result = INDEX_OK;
    for (size_t i = 0; i < f->n; i++) {
        struct entry *e = &f->entries[i];
        enum index_result r = index_row(ix, f->box, e->uid, f->arena, &e->row, &op->err);

        e->has_row = r == INDEX_OK;
        if (r == INDEX_ERROR) {
            op->result = r;
            return;
        }
    }
}

static void rows_done(struct shard_op *op)
{
    struct fetch *f = LIST_ENTRY(op, struct fetch, op);
    struct client *c = f->client;

    if (!client_job_end(c))
        return;
    if (op->result == INDEX_OK)
        start_compose(c);
    else
        client_fail(c, op->result, &op->err);
}

static void finish(struct client *c)
{
    struct fetch *f = c->command;

    if (f->is_failed)
        client_fail(c, INDEX_ERROR, &f->err);
    else if (f->is_missing && !f->cmd->is_uid)
        client_reply(c, "NO", "EXPUNGEISSUED", "some of the messages are gone");
    else
        client_ok(c);
}

static void collect_one(struct client *c, struct fetch *f, size_t i)
{
    const struct view *v = &c->view[i];
    ptrdiff_t at = folder_at(c->folder, v->uid);
    struct entry *e;

    if (at < 0) {
        f->is_missing = true;
        return;
    }
    e = &f->entries[f->n++];
    memset(e, 0, sizeof(*e));
    if (f->sets_seen && !c->is_readonly &&
        (c->folder->msgs[at].flags & IMAP_FLAG_SEEN) == 0) {
        folder_set_flags(c->folder, (size_t)at,
                         c->folder->msgs[at].flags | IMAP_FLAG_SEEN);
        e->is_seen_now = true;
    }
    e->index = i;
    e->uid = v->uid;
    e->flags = c->folder->msgs[at].flags | (v->is_recent ? IMAP_FLAG_RECENT : 0);
    e->date_s = c->folder->msgs[at].date_s;
    e->size = c->folder->msgs[at].size;
}

static void collect(struct client *c)
{
    struct fetch *f = c->command;
    size_t max = f->needs_row ? ROWS_MAX : LIGHT_MAX;
    uint64_t clock = c->folder->clock;

    if (f->sets_seen)
        client_sync(c, false); /* others' news first: own changes count as seen */
    f->n = f->next = 0;
    for (; f->at < c->n_view && f->n < max; f->at++) {
        if (client_set_has(c, f->at))
            collect_one(c, f, f->at);
    }
    if (f->sets_seen)
        c->seen_clock = c->folder->clock;
    if (c->folder->clock != clock)
        folder_notify(c->folder);
    if (!client_flush(c))
        return;
    if (f->n == 0) {
        finish(c);
    } else if (!f->needs_row) {
        start_compose(c);
    } else {
        arena_reset(f->arena);
        f->op.run = rows_run;
        f->op.done = rows_done;
        c->jobs++;
        shard_submit(c->account->shard, &f->op);
    }
}

static void plan(struct fetch *f)
{
    for (size_t i = 0; i < f->cmd->n_items; i++) {
        const struct imap_item *it = &f->cmd->items[i];

        f->needs_row = f->needs_row || it->kind >= IMAP_ITEM_ENVELOPE;
        if (it->kind != IMAP_ITEM_SECTION)
            continue;
        f->needs_file = true;
        f->needs_tree = f->needs_tree || imap_section_needs_tree(&it->section);
        f->sets_seen = f->sets_seen || !it->is_peek;
    }
}

void exec_fetch(struct client *c)
{
    struct fetch *f = mem_new(1, sizeof(*f));

    f->client = c;
    f->cmd = &c->proto.cmd;
    f->keywords = account_names(c->account);
    f->box = c->folder->id;
    f->dirfd = c->m->dirfd;
    f->arena = arena_new(ARENA_MAX);
    buf_init(&f->text, TEXT_MAX);
    plan(f);
    f->entries = mem_new(f->needs_row ? ROWS_MAX : LIGHT_MAX, sizeof(*f->entries));
    f->block = f->needs_file ? mem_new(BLOCK, 1) : NULL;
    c->command = f;
    c->command_free = fetch_free;
    collect(c);
}
