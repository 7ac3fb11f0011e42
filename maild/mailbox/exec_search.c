/* SPDX-License-Identifier: ISC */
/* SEARCH (RFC 3501 6.4.4). First pass on the loop, from memory: most searches end there.
 * Messages that stay open go in chunks to the file threads, which ask the index where the
 * files are, by a connection that only reads, and look whether their text matches. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "maild/imap/search.h"
#include "maild/mailbox/mailbox_int.h"

#define CHUNK     64
#define ARENA_MAX (128u * 1024u * 1024u)

struct open_msg {
    struct imap_facts facts;
    bool has_row;
    struct index_row row;
};

struct search {
    struct client *client;
    const struct imap_cmd *cmd;
    struct imap_search_env env;
    const char *keywords[IMAP_KEYWORDS_MAX]; /* as of the start: jobs read it */
    uint64_t box;
    int dirfd;
    uint8_t *match; /* enum imap_match for each view entry */
    size_t at;      /* next open one to be looked at */
    struct open_msg *chunk;
    size_t n;
    struct shard *shard;
    struct arena *arena;
    bool is_failed;
    struct err err;
};

static void search_free(void *command)
{
    struct search *s = command;

    arena_free(&s->arena);
    free(s->match);
    free(s->chunk);
    free(s);
}

/* ---- the answer ---------------------------------------------------------------------- */

static uint32_t number_of(const struct search *s, size_t i)
{
    return s->cmd->is_uid ? s->client->view[i].uid : (uint32_t)i + 1;
}

static void put_plain(const struct search *s, struct imap_out *o)
{
    imap_put(o, "* SEARCH");
    for (size_t i = 0; i < s->client->n_view; i++) {
        if (s->match[i] == IMAP_MATCH_YES)
            imap_putf(o, " %u", number_of(s, i));
    }
    imap_put(o, "\r\n");
}

/* RFC 4731 3.1 */
static void put_extended(const struct search *s, struct imap_out *o)
{
    unsigned want = s->cmd->search_return;
    uint32_t min = 0, max = 0;
    size_t n = 0;
    struct imap_set_out all = {.o = o};

    for (size_t i = 0; i < s->client->n_view; i++) {
        if (s->match[i] != IMAP_MATCH_YES)
            continue;
        min = n == 0 ? number_of(s, i) : min;
        max = number_of(s, i);
        n++;
    }
    imap_put(o, "* ESEARCH (TAG ");
    imap_put_string(o, s->cmd->tag);
    imap_put(o, s->cmd->is_uid ? ") UID" : ")");
    if ((want & IMAP_RETURN_MIN) != 0 && n > 0)
        imap_putf(o, " MIN %u", min);
    if ((want & IMAP_RETURN_MAX) != 0 && n > 0)
        imap_putf(o, " MAX %u", max);
    if ((want & IMAP_RETURN_COUNT) != 0)
        imap_putf(o, " COUNT %zu", n);
    if ((want & IMAP_RETURN_ALL) != 0 && n > 0) {
        imap_put(o, " ALL ");
        for (size_t i = 0; i < s->client->n_view; i++) {
            if (s->match[i] == IMAP_MATCH_YES)
                imap_set_add(&all, number_of(s, i));
        }
        imap_set_end(&all);
    }
    imap_put(o, "\r\n");
}

static void answer(struct client *c)
{
    struct search *s = c->command;
    struct imap_out o = client_out(c);

    if (s->is_failed) {
        client_fail(c, INDEX_ERROR, &s->err);
        return;
    }
    if (s->cmd->search_return != 0)
        put_extended(s, &o);
    else
        put_plain(s, &o);
    client_ok(c);
}

/* ---- messages that need their text --------------------------------------------------- */

static void next_chunk(struct client *c);

static enum imap_match match_one(struct search *s, const struct open_msg *m)
{
    const struct index_file *file = &m->row.file;
    enum imap_match r = IMAP_MATCH_NO;
    struct imap_text text;
    uint8_t *octets;
    int fd = mailfile_open(s->dirfd, file, &s->err);

    if (fd == -1)
        return IMAP_MATCH_NO; /* expunged meanwhile */
    octets = mem_new((size_t)file->size + 1, 1);
    if (mailfile_read(fd, file->head, octets, (size_t)file->size, &s->err) == -1) {
        s->is_failed = true;
    } else {
        imap_text_init(&text, m->row.prefix, span_of(octets, (size_t)file->size));
        r = imap_search_match(s->cmd->key, &m->facts, &s->env, &text);
        imap_text_free(&text);
    }
    (void)close(fd);
    free(octets);
    return r;
}

static void take_row(void *ctx, size_t i, const struct index_row *row)
{
    struct search *s = ctx;

    s->chunk[i].row = *row;
    s->chunk[i].has_row = true;
}

static bool read_rows(struct search *s)
{
    uint32_t uids[CHUNK];
    const struct index_rows q = {.box = s->box,
                                 .uids = uids,
                                 .n = s->n,
                                 .arena = s->arena,
                                 .row = take_row,
                                 .ctx = s};
    struct index *reader = shard_reader_take(s->shard, &s->err);
    bool is_good;

    if (reader == NULL)
        return false;
    for (size_t i = 0; i < s->n; i++)
        uids[i] = s->chunk[i].facts.uid;
    is_good = index_rows(reader, &q, &s->err) == INDEX_OK;
    shard_reader_give(s->shard, reader, is_good);
    return is_good;
}

static void match_work(void *ctx)
{
    struct search *s = ctx;

    if (!read_rows(s)) {
        s->is_failed = true;
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        struct open_msg *m = &s->chunk[i];

        s->match[m->facts.seq - 1] =
            (uint8_t)(m->has_row ? match_one(s, m) : IMAP_MATCH_NO);
    }
}

static void match_done(void *ctx)
{
    struct search *s = ctx;

    if (client_job_end(s->client))
        next_chunk(s->client);
}

static bool facts_of(const struct client *c, size_t i, struct imap_facts *f)
{
    const struct folder_msg *m;
    ptrdiff_t at = folder_at(c->folder, c->view[i].uid);

    if (at < 0)
        return false;
    m = &c->folder->msgs[at];
    *f = (struct imap_facts){.seq = (uint32_t)i + 1,
                             .uid = m->uid,
                             .flags =
                                 m->flags | (c->view[i].is_recent ? IMAP_FLAG_RECENT : 0),
                             .date_s = m->date_s,
                             .size = m->size};
    return true;
}

static void next_chunk(struct client *c)
{
    struct search *s = c->command;

    s->n = 0;
    for (; s->at < c->n_view && s->n < CHUNK; s->at++) {
        if (s->match[s->at] != IMAP_MATCH_OPEN)
            continue;
        s->match[s->at] = IMAP_MATCH_NO;
        if (facts_of(c, s->at, &s->chunk[s->n].facts))
            s->n++;
    }
    if (s->n == 0 || s->is_failed) {
        answer(c);
        return;
    }
    arena_reset(s->arena);
    for (size_t i = 0; i < s->n; i++)
        s->chunk[i].has_row = false;
    c->jobs++;
    if (mailbox_job(c->m, match_work, match_done, s) == -1) {
        c->jobs--;
        client_reply(c, "NO", "INUSE", "too much to do just now, try again");
    }
}

void exec_search(struct client *c)
{
    struct search *s = mem_new(1, sizeof(*s));
    bool is_open = false;

    s->client = c;
    s->cmd = &c->proto.cmd;
    s->box = c->folder->id;
    s->dirfd = c->m->dirfd;
    s->shard = c->account->shard;
    memcpy(s->keywords, account_names(c->account), sizeof(s->keywords));
    s->env = (struct imap_search_env){.seq_max = (uint32_t)c->n_view,
                                      .uid_max = client_max_uid(c),
                                      .now_s = clock_wall_s(c->m->env->clock),
                                      .keywords = s->keywords,
                                      .n_keywords = IMAP_KEYWORDS_MAX};
    s->match = mem_new(c->n_view + 1, 1);
    c->command = s;
    c->command_free = search_free;
    for (size_t i = 0; i < c->n_view; i++) {
        struct imap_facts f;

        if (!facts_of(c, i, &f))
            continue;
        s->match[i] = (uint8_t)imap_search_match(s->cmd->key, &f, &s->env, NULL);
        is_open = is_open || s->match[i] == IMAP_MATCH_OPEN;
    }
    if (!is_open) {
        answer(c);
        return;
    }
    s->chunk = mem_new(CHUNK, sizeof(*s->chunk));
    s->arena = arena_new(ARENA_MAX);
    next_chunk(c);
}
