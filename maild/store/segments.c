/* SPDX-License-Identifier: ISC */
/* maild/store/segments.c
 *
 * The journal is one line of positions, cut into files. A file covers [base, `previous` of the
 * next file); what it holds beyond is void: left by a write that failed, after which the
 * journal went on in a new file.
 *
 * Life of a segment file:
 *
 *     spare-N (or a new one filled with zeros)
 *        | head with the new base written and synced, renamed, folder synced
 *     NNNNNNNN.seg   records appended, each batch synced
 *        | everything below the next segment's base released
 *     spare-N        renamed, folder synced; or removed when there are spares enough
 *
 * Invariants:
 *  1. Numbers of the .seg files are without gaps: released oldest first, the folder synced
 *     after each.
 *  2. A spare is written over only after its renaming is durable, so that a power loss never
 *     brings back an old name with new octets.
 *  3. Records of an earlier life in a reused file have positions below the file's base and
 *     are not taken for records.
 *  4. `synced` grows only after fdatasync returned 0. A record carries it, so the reader
 *     knows what had been promised.
 *
 * Over 500 lines because replay and writing must agree on every state a file can be in. */
#include "maild/store/segments.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/mem.h"

#define SPARES_MAX   2
#define NAME_MAX_LEN 32
#define SKIP_NAME    "skip-damage"
#define ZEROS_CHUNK  (2u * 1024u * 1024u)

struct segments {
    const struct fsops *fs;
    char *dir;
    int dirfd, lockfd;
    uint32_t octets;          /* of each new segment */
    struct record_segment *v; /* in use, oldest first */
    size_t n, cap;
    int fd;               /* of the last one; -1: the next write opens a new one */
    uint64_t end, synced; /* positions */
    bool has_spare[SPARES_MAX];
    bool is_replayed;
    bool may_skip;  /* SKIP_NAME is there */
    size_t skipped; /* damaged places passed over */
};

static void segment_name(uint64_t number, char name[NAME_MAX_LEN])
{
    (void)snprintf(name, NAME_MAX_LEN, "%08llu.seg", (unsigned long long)number);
}

static void spare_name(size_t i, char name[NAME_MAX_LEN])
{
    (void)snprintf(name, NAME_MAX_LEN, "spare-%zu", i);
}

static void segment_add(struct segments *s, const struct record_segment *seg)
{
    if (s->n == s->cap) {
        s->cap = s->cap == 0 ? 16 : s->cap * 2;
        s->v = mem_resize(s->v, s->cap, sizeof(*s->v));
    }
    s->v[s->n++] = *seg;
}

static int by_number(const void *a, const void *b)
{
    const struct record_segment *x = a, *y = b;

    return x->number < y->number ? -1 : x->number > y->number;
}

/* Collect the names. Anything else in the folder is not ours and stays. */
static int scan_folder(struct segments *s, struct err *err)
{
    int fd = openat(s->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd == -1 ? NULL : fdopendir(fd);
    struct dirent *e;

    if (d == NULL) {
        err_sys(err, "read folder %s", s->dir);
        if (fd != -1)
            (void)close(fd);
        return -1;
    }
    while ((e = readdir(d)) != NULL) {
        struct span name = span_str(e->d_name);
        uint64_t number;

        if (name.n >= 12 && span_ends_nocase(name, SPAN_LIT(".seg")) &&
            span_to_u64(span_take(name, name.n - 4), UINT64_MAX, &number))
            segment_add(s, &(struct record_segment){.number = number});
        for (size_t i = 0; i < SPARES_MAX; i++) {
            char spare[NAME_MAX_LEN];

            spare_name(i, spare);
            s->has_spare[i] |= span_eq_str(name, spare);
        }
    }
    (void)closedir(d);
    if (s->n > 0)
        qsort(s->v, s->n, sizeof(*s->v), by_number);
    return 0;
}

struct segments *segments_open(const struct fsops *fs, const char *dir,
                               uint32_t segment_octets, struct err *err)
{
    struct segments *s = mem_new(1, sizeof(*s));

    assert(segment_octets >= SEGMENTS_OCTETS_MIN);
    s->fs = fs;
    s->dir = mem_strdup(dir);
    s->fd = s->lockfd = -1;
    s->octets = segment_octets;
    s->dirfd = fsops_open_dir(fs, dir, err);
    if (s->dirfd == -1)
        goto fail;
    s->lockfd = openat(s->dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (s->lockfd == -1) {
        err_sys(err, "open %s/lock", dir);
        goto fail;
    }
    if (flock(s->lockfd, LOCK_EX | LOCK_NB) == -1) {
        err_set(err, "journal %s is in use by another process", dir);
        goto fail;
    }
    if (scan_folder(s, err) == -1)
        goto fail;
    return s;
fail:
    segments_close(&s);
    return NULL;
}

void segments_close(struct segments **sp)
{
    struct segments *s = *sp;

    *sp = NULL;
    if (s == NULL)
        return;
    if (s->fd != -1)
        (void)close(s->fd);
    if (s->lockfd != -1)
        (void)close(s->lockfd);
    if (s->dirfd != -1)
        (void)close(s->dirfd);
    free(s->v);
    free(s->dir);
    free(s);
}

/* Replay ------------------------------------------------------------------------------ */

/* The whole file in memory, its content made durable: what replay acts on must not vanish
 * in a later power loss, since the next segment's base builds on it. */
static int load(const struct segments *s, const char *name, struct buf *out,
                struct err *err)
{
    struct stat st;
    int rc = -1;
    int fd = s->fs->open(s->fs, s->dirfd, name, O_RDWR, 0);

    buf_reset(out);
    if (fd == -1 || fstat(fd, &st) == -1) {
        err_sys(err, "open %s/%s", s->dir, name);
        goto out;
    }
    if (st.st_size > (off_t)out->max || buf_reserve(out, (size_t)st.st_size) == -1) {
        err_set(err, "%s/%s: %lld octets are too many for a journal segment", s->dir,
                name, (long long)st.st_size);
        goto out;
    }
    while (out->len < (size_t)st.st_size) {
        ssize_t n = pread(fd, out->data + out->len, (size_t)st.st_size - out->len,
                          (off_t)out->len);
        if (n == 0)
            break;
        if (n == -1) {
            err_sys(err, "read %s/%s at offset %zu", s->dir, name, out->len);
            goto out;
        }
        out->len += (size_t)n;
    }
    if (s->fs->data_sync(s->fs, fd) == -1) {
        err_sys(err, "make %s/%s durable", s->dir, name);
        goto out;
    }
    rc = 0;
out:
    if (fd != -1)
        (void)close(fd);
    return rc;
}

/* Something that had been promised cannot be read. Only a person may decide to go on. */
static int damage(struct segments *s, const char *name, uint64_t at, struct err *err)
{
    if (s->may_skip) {
        s->skipped++;
        return 0;
    }
    return err_set(err,
                   "%s/%s is damaged at offset %llu, and what stood there had been "
                   "acknowledged; restore the file, or make an empty file %s/%s to go on "
                   "without it",
                   s->dir, name, (unsigned long long)at, s->dir, SKIP_NAME);
}

/* Replay one segment whose octets are `seg`; `next` is the head of the one behind, if any. */
static int replay_one(struct segments *s, size_t i, struct span seg,
                      const struct record_segment *next, segments_record_fn fn, void *ctx,
                      struct err *err)
{
    char name[NAME_MAX_LEN];
    uint64_t at = RECORD_SEGMENT_HEAD, behind = 0;

    segment_name(s->v[i].number, name);
    for (;;) {
        uint64_t position = s->v[i].base + (at - RECORD_SEGMENT_HEAD);
        struct record r;

        if (next != NULL && position == next->previous)
            return 0;
        if (record_decode(seg, &s->v[i], at, &r, &behind) == RECORD_OK) {
            if (fn(ctx, &r, err) != 0)
                return err_wrap(err, "%s/%s: record at offset %llu", s->dir, name,
                                (unsigned long long)at);
            at = behind;
            continue;
        }
        if (next == NULL)
            s->end = position;
        if (next == NULL && !record_promised_later(seg, &s->v[i], at))
            return 0; /* the torn or unused end */
        return damage(s, name, at, err);
    }
}

/* Read the head of segment i into s->v[i]. */
static int load_head(struct segments *s, size_t i, struct err *err)
{
    uint8_t head[RECORD_SEGMENT_HEAD];
    char name[NAME_MAX_LEN];
    uint64_t number = s->v[i].number;
    ssize_t n;
    int fd;

    segment_name(number, name);
    fd = openat(s->dirfd, name, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return err_sys(err, "open %s/%s", s->dir, name);
    n = pread(fd, head, sizeof(head), 0);
    (void)close(fd);
    if (n != (ssize_t)sizeof(head) ||
        !record_segment_decode(span_of(head, sizeof(head)), &s->v[i]) ||
        s->v[i].number != number)
        return err_set(err, "%s/%s is damaged at offset 0: not the head of segment %llu",
                       s->dir, name, (unsigned long long)number);
    return 0;
}

/* Read all heads; the numbers must be without gaps. */
static int load_heads(struct segments *s, struct err *err)
{
    for (size_t i = 0; i < s->n; i++) {
        if (load_head(s, i, err) == -1)
            return -1;
        if (i > 0 && s->v[i].number != s->v[i - 1].number + 1) {
            if (!s->may_skip)
                return err_set(err,
                               "%s: segment %08llu is missing; restore it, or make an "
                               "empty file %s/%s to go on without it",
                               s->dir, (unsigned long long)(s->v[i - 1].number + 1),
                               s->dir, SKIP_NAME);
            s->skipped++;
        }
    }
    return 0;
}

int segments_replay(struct segments *s, segments_record_fn fn, void *ctx, struct err *err)
{
    struct buf file;
    int rc = -1;

    assert(!s->is_replayed);
    buf_init(&file, 1024u * 1024u * 1024u);
    s->may_skip = faccessat(s->dirfd, SKIP_NAME, F_OK, 0) == 0;
    if (load_heads(s, err) == -1)
        goto out;
    /* Nothing in use: positions begin anew, and spares may hold records that fit them. */
    if (s->n == 0)
        memset(s->has_spare, 0, sizeof(s->has_spare));
    if (s->n > 0)
        s->end = s->v[0].base;
    for (size_t i = 0; i < s->n; i++) {
        const struct record_segment *next = i + 1 < s->n ? &s->v[i + 1] : NULL;
        char name[NAME_MAX_LEN];

        segment_name(s->v[i].number, name);
        if (load(s, name, &file, err) == -1 ||
            replay_one(s, i, buf_all(&file), next, fn, ctx, err) == -1)
            goto out;
    }
    s->synced = s->end;
    s->is_replayed = true;
    if (s->may_skip)
        (void)unlinkat(s->dirfd, SKIP_NAME, 0);
    rc = 0;
out:
    buf_free(&file);
    return rc;
}

uint64_t segments_end(const struct segments *s)
{
    return s->end;
}

uint64_t segments_synced(const struct segments *s)
{
    return s->synced;
}

size_t segments_count(const struct segments *s)
{
    return s->n;
}

size_t segments_skipped(const struct segments *s)
{
    return s->skipped;
}

size_t segments_batch_max(const struct segments *s)
{
    return s->octets - RECORD_SEGMENT_HEAD;
}

/* Writing ----------------------------------------------------------------------------- */

/* A file of s->octets zeros, synced, under a spare's name. Zeros written beforehand make
 * every later fdatasync a plain overwrite, without a change of the file's block map. */
static int make_spare(struct segments *s, const char *name, struct err *err)
{
    uint8_t *zeros = NULL;
    int rc = -1;
    int fd = s->fs->open(s->fs, s->dirfd, name, O_RDWR | O_CREAT | O_TRUNC, 0640);

    if (fd == -1 || s->fs->allocate(s->fs, fd, (off_t)s->octets) == -1) {
        err_sys(err, "make journal segment %s/%s", s->dir, name);
        goto out;
    }
    zeros = mem_new(1, ZEROS_CHUNK);
    for (uint32_t at = 0; at < s->octets; at += ZEROS_CHUNK) {
        uint32_t left = s->octets - at;

        if (fsops_write(s->fs, fd,
                        span_of(zeros, left < ZEROS_CHUNK ? left : ZEROS_CHUNK),
                        at) == -1) {
            err_sys(err, "fill journal segment %s/%s", s->dir, name);
            goto out;
        }
    }
    if (s->fs->data_sync(s->fs, fd) == -1) {
        err_sys(err, "make journal segment %s/%s durable", s->dir, name);
        goto out;
    }
    rc = 0;
out:
    free(zeros);
    if (fd != -1)
        (void)close(fd);
    if (rc == -1)
        (void)s->fs->unlink(s->fs, s->dirfd,
                            name); /* gives the room back on a full disk */
    return rc;
}

/* A spare that is there, or a new one. */
static int take_spare(struct segments *s, char name[NAME_MAX_LEN], size_t *which,
                      struct err *err)
{
    for (size_t i = 0; i < SPARES_MAX; i++) {
        if (s->has_spare[i]) {
            spare_name(i, name);
            *which = i;
            return 0;
        }
    }
    *which = 0;
    spare_name(0, name);
    if (make_spare(s, name, err) == -1)
        return -1;
    s->has_spare[0] = true;
    return 0;
}

/* Begin the next segment at s->end. */
static int roll(struct segments *s, struct err *err)
{
    struct record_segment next = {.base = s->end, .previous = s->synced};
    uint8_t head[RECORD_SEGMENT_HEAD];
    char from[NAME_MAX_LEN], to[NAME_MAX_LEN];
    size_t spare;
    int fd = -1;

    next.number = s->n == 0 ? 1 : s->v[s->n - 1].number + 1;
    if (take_spare(s, from, &spare, err) == -1)
        return -1;
    segment_name(next.number, to);
    record_segment_encode(&next, head);
    fd = s->fs->open(s->fs, s->dirfd, from, O_RDWR, 0);
    /* A spare may be smaller, made under another configuration. */
    if (fd == -1 || s->fs->allocate(s->fs, fd, (off_t)s->octets) == -1 ||
        fsops_write(s->fs, fd, span_of(head, sizeof(head)), 0) == -1 ||
        s->fs->data_sync(s->fs, fd) == -1) {
        err_sys(err, "begin journal segment %s/%s", s->dir, to);
        goto fail;
    }
    if (s->fs->rename(s->fs, s->dirfd, from, s->dirfd, to) == -1) {
        err_sys(err, "name journal segment %s/%s", s->dir, to);
        goto fail;
    }
    s->has_spare[spare] = false;
    segment_add(s, &next);
    s->synced = s->end; /* whatever was not, is void now */
    if (s->fs->dir_sync(s->fs, s->dirfd) == -1) {
        err_sys(err, "make the name of %s/%s durable", s->dir, to);
        goto fail; /* the name is taken: the next try uses the next number */
    }
    s->fd = fd;
    return 0;
fail:
    if (fd != -1)
        (void)close(fd);
    return -1;
}

static uint64_t offset_of_end(const struct segments *s)
{
    return s->end - s->v[s->n - 1].base + RECORD_SEGMENT_HEAD;
}

/* Go on in a new file: this one is full, or a write to it failed. */
static void leave_segment(struct segments *s)
{
    (void)close(s->fd);
    s->fd = -1;
}

/* Make what stands in the last segment durable if that can be done, and leave it. */
static void end_segment(struct segments *s)
{
    if (s->synced < s->end && s->fs->data_sync(s->fs, s->fd) == 0)
        s->synced = s->end;
    leave_segment(s);
}

int segments_roll(struct segments *s, struct err *err)
{
    if (s->n > 0 && s->fd != -1 && s->v[s->n - 1].base == s->end)
        return 0;
    if (s->fd != -1)
        end_segment(s);
    return roll(s, err);
}

int segments_append(struct segments *s, uint8_t *records, size_t n, bool is_durable,
                    struct err *err)
{
    static const uint8_t no_head[RECORD_HEAD];

    assert(s->is_replayed && n <= segments_batch_max(s));
    if (s->fd != -1 && n > s->octets - offset_of_end(s))
        end_segment(s);
    if (s->fd == -1 && roll(s, err) == -1)
        return -1;

    record_seal(records, n, s->end, s->synced);
    if (fsops_write(s->fs, s->fd, span_of(records, n), offset_of_end(s)) == -1)
        err_sys(err, "write journal %s", s->dir);
    else if (is_durable && s->fs->data_sync(s->fs, s->fd) == -1)
        err_sys(err, "make journal %s durable", s->dir);
    else {
        s->end += n;
        if (is_durable)
            s->synced = s->end;
        return 0;
    }
    /* After a failed sync nobody knows what is on disk and the kernel will not say again:
     * never write to this file any more. The next one declares void what was not synced
     * here; until then a head of zeros does, as far as this disk still takes writes. */
    if (fsops_write(s->fs, s->fd, span_of(no_head, sizeof(no_head)), offset_of_end(s)) ==
        -1)
        err_wrap(err, "twice");
    leave_segment(s);
    return -1;
}

int segments_release(struct segments *s, uint64_t position, struct err *err)
{
    while (s->n > 1 && s->v[1].base <= position) {
        char name[NAME_MAX_LEN], spare[NAME_MAX_LEN];
        size_t i = 0;
        int rc;

        segment_name(s->v[0].number, name);
        while (i < SPARES_MAX && s->has_spare[i])
            i++;
        spare_name(i, spare);
        rc = i < SPARES_MAX ? s->fs->rename(s->fs, s->dirfd, name, s->dirfd, spare)
                            : s->fs->unlink(s->fs, s->dirfd, name);
        if (rc == -1 || s->fs->dir_sync(s->fs, s->dirfd) == -1)
            return err_sys(err, "release journal segment %s/%s", s->dir, name);
        if (i < SPARES_MAX)
            s->has_spare[i] = true;
        s->n--;
        memmove(s->v, s->v + 1, s->n * sizeof(*s->v));
    }
    return 0;
}
