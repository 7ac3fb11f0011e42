/* SPDX-License-Identifier: ISC */
/* maild/relay/blobread.h - the message to be sent, read piece by piece off the loop.
 *
 * Why:       a disk may be slow and a message 100 MiB: it is read by the pool in pieces, as
 *            fast as the peer takes them.
 * Ownership: blobread owns the descriptor. It may be freed while a read is under way; the read
 *            then ends unheard.
 * Threads:   the loop's thread; the reads run in the pool. */
#ifndef MAILD_RELAY_BLOBREAD_H
#define MAILD_RELAY_BLOBREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/span.h"
#include "base/io/pool.h"

struct blobread;

/* The message is the `size` octets at `offset` of `fd`. */
struct blobread *blobread_new(struct pool *pool, int fd, uint64_t offset, uint64_t size);
void blobread_free(struct blobread **b);
uint64_t blobread_size(const struct blobread *b);

/* What was read; p NULL: the file failed (sys: errno, 0 when it is shorter than said).
 * Borrowed during the call. */
typedef void (*blobread_piece_fn)(void *ctx, struct span piece, int sys);
/* Read up to `n` octets (at most SMTP_CLIENT_PIECE_MAX) at `at` of the message. One read at a
 * time. -1 when the pool is full. */
MUST_USE int blobread_read(struct blobread *b, uint64_t at, size_t n,
                           blobread_piece_fn cb, void *ctx);
/* Has the message octets over 127? One pass through all of it. -1 when the pool is full. */
MUST_USE int blobread_scan(struct blobread *b,
                           void (*cb)(void *ctx, bool is_8bit, int sys), void *ctx);
/* The reader has gone: no callback any more for the read under way. */
void blobread_forget(struct blobread *b);

#endif
