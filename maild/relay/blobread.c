/* SPDX-License-Identifier: ISC */
#include "maild/relay/blobread.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "maild/smtp/client.h"

struct blobread {
    struct pool *pool;
    int fd;
    uint64_t offset, size;
    bool is_busy; /* a job holds the struct */
    bool is_freed;

    /* of the job under way */
    uint64_t at;
    size_t n;
    uint8_t *piece;
    size_t got;
    int sys;
    bool is_short, is_8bit;
    blobread_piece_fn on_piece;
    void (*on_scan)(void *ctx, bool is_8bit, int sys);
    void *ctx;
};

struct blobread *blobread_new(struct pool *pool, int fd, uint64_t offset, uint64_t size)
{
    struct blobread *b = mem_new(1, sizeof(*b));

    b->pool = pool;
    b->fd = fd;
    b->offset = offset;
    b->size = size;
    b->piece = mem_new(1, SMTP_CLIENT_PIECE_MAX);
    return b;
}

static void release(struct blobread *b)
{
    (void)close(b->fd);
    free(b->piece);
    free(b);
}

void blobread_free(struct blobread **bp)
{
    struct blobread *b = *bp;

    if (b == NULL)
        return;
    *bp = NULL;
    blobread_forget(b);
    b->is_freed = true;
    if (!b->is_busy)
        release(b);
}

uint64_t blobread_size(const struct blobread *b)
{
    return b->size;
}

void blobread_forget(struct blobread *b)
{
    b->on_piece = NULL;
    b->on_scan = NULL;
}

/* On a pool thread: exactly `n` octets at `at`, or sys / is_short. */
static void fetch(struct blobread *b, uint64_t at, size_t n)
{
    b->got = 0;
    while (b->got < n) {
        ssize_t r =
            pread(b->fd, b->piece + b->got, n - b->got, (off_t)(b->offset + at + b->got));

        if (r == -1 && errno == EINTR)
            continue;
        if (r == -1)
            b->sys = errno;
        else if (r == 0)
            b->is_short = true;
        if (r <= 0)
            return;
        b->got += (size_t)r;
    }
}

static void begin(struct blobread *b, void *ctx)
{
    assert(!b->is_busy);
    b->is_busy = true;
    b->sys = 0;
    b->is_short = false;
    b->is_8bit = false;
    b->ctx = ctx;
}

/* Back on the loop: true when somebody still listens. */
static bool end(struct blobread *b)
{
    b->is_busy = false;
    if (b->is_freed)
        release(b);
    else
        return true;
    return false;
}

static void read_work(void *ctx)
{
    struct blobread *b = ctx;

    fetch(b, b->at, b->n);
}

static void read_done(void *ctx)
{
    struct blobread *b = ctx;
    blobread_piece_fn cb = b->on_piece;
    bool is_bad = b->sys != 0 || b->is_short;

    if (!end(b) || cb == NULL)
        return;
    b->on_piece = NULL;
    cb(b->ctx, is_bad ? span_of(NULL, 0) : span_of(b->piece, b->got), b->sys);
}

int blobread_read(struct blobread *b, uint64_t at, size_t n, blobread_piece_fn cb,
                  void *ctx)
{
    assert(n > 0 && n <= SMTP_CLIENT_PIECE_MAX && at + n <= b->size);
    begin(b, ctx);
    b->at = at;
    b->n = n;
    b->on_piece = cb;
    if (pool_run(b->pool, read_work, read_done, b) == 0)
        return 0;
    b->is_busy = false;
    return -1;
}

static void scan_work(void *ctx)
{
    struct blobread *b = ctx;

    for (uint64_t at = 0; at < b->size && !b->is_8bit; at += b->got) {
        uint64_t left = b->size - at;

        fetch(b, at, left < SMTP_CLIENT_PIECE_MAX ? (size_t)left : SMTP_CLIENT_PIECE_MAX);
        if (b->sys != 0 || b->is_short)
            return;
        for (size_t i = 0; i < b->got && !b->is_8bit; i++)
            b->is_8bit = b->piece[i] > 127;
    }
}

static void scan_done(void *ctx)
{
    struct blobread *b = ctx;
    void (*cb)(void *, bool, int) = b->on_scan;

    if (!end(b) || cb == NULL)
        return;
    b->on_scan = NULL;
    cb(b->ctx, b->is_8bit, b->is_short ? EIO : b->sys);
}

int blobread_scan(struct blobread *b, void (*cb)(void *ctx, bool is_8bit, int sys),
                  void *ctx)
{
    begin(b, ctx);
    b->on_scan = cb;
    if (pool_run(b->pool, scan_work, scan_done, b) == 0)
        return 0;
    b->is_busy = false;
    return -1;
}
