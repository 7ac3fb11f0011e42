/* SPDX-License-Identifier: ISC */
/* FETCH (RFC 3501 6.4.5), in chunks, so that neither memory nor the loop is held however
 * many messages are asked for and however slowly they are read.
 *
 *   collect     on the loop: the next entries of the view, their flags, dates, sizes; \Seen
 *   compose     job on the file threads (on the loop when no row is needed): first the rows
 *               of the index (envelope, structure, header fields, where the file is), by a
 *               connection that only reads and so waits for no commit; then the responses
 *               as text; a long section stays a piece, a run of its file
 *   send        on the loop: text, then each piece in blocks read by jobs; stops while the
 *               client does not read; then compose for the rest, or collect again
 *
 * A message that another session expunged meanwhile is left out, and said so at the end
 * (RFC 2180 4.1.2). */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "maild/imap/section.h"
#include "maild/mailbox/digest.h"
#include "maild/mailbox/fetch_int.h"

#define LIGHT_MAX 1000 /* messages of a chunk that needs no row */
#define BLOCK     (256u * 1024u)

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

/* ---- send ---------------------------------------------------------------------------- */

static void collect(struct client *c);
static void start_compose(struct client *c);
static void send_on(struct client *c);

static void block_work(void *ctx)
{
    struct fetch *f = ctx;
    struct piece *p = &f->pieces[f->piece];

    if (f->block == NULL)
        f->block = mem_resize(NULL, BLOCK, 1);
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

    if (!client_job_end(f->client))
        return;
    if (f->needs_row && !f->has_rows)
        client_fail(f->client, INDEX_ERROR, &f->err);
    else
        send_on(f->client);
}

static void start_compose(struct client *c)
{
    struct fetch *f = c->command;

    if (!f->needs_row) {
        fetch_compose(f);
        send_on(c);
        return;
    }
    c->jobs++;
    if (mailbox_job(c->m, fetch_compose, compose_done, f) == -1) {
        c->jobs--;
        client_reply(c, "NO", "INUSE", "too much to do just now, try again");
    }
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
    if (f->n == f->cap) {
        f->cap = f->cap == 0 ? 8 : f->cap * 2;
        f->entries = mem_resize(f->entries, f->cap, sizeof(*f->entries));
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
    size_t max = f->needs_row ? FETCH_ROWS_MAX : LIGHT_MAX;
    uint64_t clock = c->folder->clock;

    if (f->sets_seen)
        client_sync(c, false); /* others' news first: own changes count as seen */
    f->n = f->next = 0;
    f->has_rows = false;
    memcpy(f->keywords, account_names(c->account), sizeof(f->keywords));
    for (f->at = client_set_next(c, f->at); f->at < c->n_view && f->n < max;
         f->at = client_set_next(c, f->at + 1))
        collect_one(c, f, f->at);
    if (f->sets_seen)
        c->seen_clock = c->folder->clock;
    if (c->folder->clock != clock)
        folder_notify(c->folder);
    if (!client_flush(c))
        return;
    if (f->n == 0)
        finish(c);
    else
        start_compose(c);
}

/* Can the index answer it, as far as its row was made with the fields kept? */
static bool is_kept(const struct imap_section *s)
{
    bool is_kept = s->what == IMAP_SECTION_FIELDS && s->depth == 0;

    for (size_t i = 0; i < s->n_fields && is_kept; i++)
        is_kept = digest_keeps(s->fields[i]);
    return is_kept;
}

static void plan(struct fetch *f)
{
    for (size_t i = 0; i < f->cmd->n_items; i++) {
        const struct imap_item *it = &f->cmd->items[i];

        f->needs_row = f->needs_row || it->kind >= IMAP_ITEM_ENVELOPE;
        if (it->kind != IMAP_ITEM_SECTION) {
            if (it->kind >= IMAP_ITEM_ENVELOPE)
                f->needs |= INDEX_NEED_TEXTS;
            continue;
        }
        if (is_kept(&it->section))
            f->needs |= INDEX_NEED_FIELDS;
        else
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
    f->box = c->folder->id;
    f->dirfd = c->m->dirfd;
    f->shard = c->account->shard;
    f->arena = arena_new(FETCH_ARENA_MAX);
    buf_init(&f->text, FETCH_TEXT_MAX);
    plan(f);
    c->command = f;
    c->command_free = fetch_free;
    collect(c);
}
