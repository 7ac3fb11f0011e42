/* SPDX-License-Identifier: ISC */
/* maild/mailbox/fetch_int.h - a FETCH under way, shared by its two files. */
#ifndef MAILD_MAILBOX_FETCH_INT_H
#define MAILD_MAILBOX_FETCH_INT_H

#include "maild/mailbox/mailbox_int.h"

#define FETCH_ROWS_MAX  200                   /* messages of one chunk that needs rows */
#define FETCH_TEXT_MAX  (12u * 1024u * 1024u) /* one message's answer, pieces apart */
#define FETCH_ARENA_MAX (128u * 1024u * 1024u)
#define FETCH_PIECES    200

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
    const char *keywords[IMAP_KEYWORDS_MAX]; /* as of this chunk: jobs read it */
    uint64_t box;
    int dirfd;
    struct shard *shard;
    bool needs_row, needs_file, needs_tree, sets_seen;
    unsigned needs; /* of the row: INDEX_NEED_ */
    size_t at;      /* next entry of the view to be collected */
    struct entry *entries;
    size_t n, cap, next; /* entries collected; next to be composed */
    struct arena *arena; /* rows of this chunk */
    struct buf text;
    size_t sent;
    struct piece pieces[FETCH_PIECES];
    size_t n_pieces, piece;
    uint8_t *block; /* made for the first piece */
    size_t block_n;
    bool has_rows; /* of this chunk */
    bool is_missing, is_failed, is_torn;
    struct err err;
};

/* A job (or on the loop when no row is needed): compose the answers for entries from
 * f->next on, as many as fit into one turn. */
void fetch_compose(void *ctx);

#endif
