/* SPDX-License-Identifier: ISC */
/* The answer of FETCH for one message after the other, on a file thread.
 *
 * First come the rows of the whole chunk. Header fields that the index keeps are answered
 * from there. The file is opened only when another section is asked for, and read only as
 * far as needed: the header, or all of it when a part must be found. A section up to 64 KiB
 * becomes text, a longer one a piece: a run of the file that the loop sends in blocks, so
 * that a message of fifty megabytes never stands in the output. A message whose file is gone
 * was expunged meanwhile; what was composed of it is taken back. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/msg/header.h"
#include "maild/imap/datetime.h"
#include "maild/imap/section.h"
#include "maild/mailbox/fetch_int.h"

#define TEXT_SOFT   (1024u * 1024u) /* compose stops behind this */
#define INLINE_MAX  (64u * 1024u)   /* longer sections are pieces */
#define HEADER_STEP (64u * 1024u)
#define HEADER_MAX  (4u * 1024u * 1024u)

/* The file of the message under way, read as far as the items need it. */
struct source {
    struct fetch *f;
    const struct entry *e;
    struct arena *arena;
    int fd;
    uint8_t *octets; /* the header, or all of it */
    size_t n;
    struct span kept; /* instead of octets */
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

/* The fields kept in the index stand for the header: all that is asked for is there. */
static void use_fields(struct source *s)
{
    s->kept = s->e->row.fields;
    s->only = (struct mime_part){.body = s->kept.n,
                                 .end = s->kept.n,
                                 .kind = MIME_LEAF,
                                 .parent = MIME_NONE,
                                 .child = MIME_NONE,
                                 .next = MIME_NONE};
    s->tree = (struct mime_tree){&s->only, 1};
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
        if (n > FETCH_TEXT_MAX || buf_reserve(&f->text, (size_t)n) == -1 ||
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

    buf_init(&copy, FETCH_TEXT_MAX);
    imap_put_section_name(o, it);
    switch (imap_section_find(&it->section, s->e->row.prefix,
                              s->octets != NULL ? span_of(s->octets, s->n) : s->kept,
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
    bool needs_file;

    if (f->needs_row && !e->has_row) {
        f->is_missing = true;
        return;
    }
    f->err.sys = 0;
    imap_out_init(&o, &f->text);
    if (f->needs_tree)
        s.arena = arena_new(FETCH_ARENA_MAX);
    needs_file =
        f->needs_file || ((f->needs & INDEX_NEED_FIELDS) != 0 && !e->row.has_fields);
    if (!needs_file)
        use_fields(&s);
    if ((needs_file && source_open(&s) == -1) || put_items(&s, &o) == -1) {
        undo(f, text, pieces);
        if (f->err.sys == ENOENT)
            f->is_missing = true;
        else
            f->is_failed = true;
    }
    source_close(&s);
}

static void take_row(void *ctx, size_t i, const struct index_row *row)
{
    struct fetch *f = ctx;

    f->entries[i].row = *row;
    f->entries[i].has_row = true;
}

static void read_rows(struct fetch *f)
{
    uint32_t uids[FETCH_ROWS_MAX];
    const struct index_rows q = {.box = f->box,
                                 .need = f->needs,
                                 .uids = uids,
                                 .n = f->n,
                                 .arena = f->arena,
                                 .row = take_row,
                                 .ctx = f};
    struct index *reader = shard_reader_take(f->shard, &f->err);

    if (reader == NULL)
        return;
    arena_reset(f->arena);
    for (size_t i = 0; i < f->n; i++)
        uids[i] = f->entries[i].uid;
    f->has_rows = index_rows(reader, &q, &f->err) == INDEX_OK;
    shard_reader_give(f->shard, reader, f->has_rows);
}

/* As many as fit; what is left comes after these are sent. */
void fetch_compose(void *ctx)
{
    struct fetch *f = ctx;

    if (f->needs_row && !f->has_rows)
        read_rows(f);
    if (f->needs_row && !f->has_rows)
        return;
    while (f->next < f->n && f->text.len < TEXT_SOFT &&
           f->n_pieces + IMAP_ITEMS_MAX <= COUNT_OF(f->pieces))
        compose_one(f, &f->entries[f->next++]);
}
