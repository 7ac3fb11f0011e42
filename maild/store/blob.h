/* SPDX-License-Identifier: ISC */
/* maild/store/blob.h - one immutable file for each message.
 *
 * Why:       mail at rest is plain files that an administrator can read, copy and rescue;
 *            copies for many recipients are hard links to one file.
 * Ownership: the caller owns the store; descriptors given out are the caller's.
 * Threads:   struct blob_store is constant after blob_store_open(): any thread. Calls may
 *            sleep in the kernel: pool jobs only.
 *
 * D/mail/blobs/<ab>/<id>: a leading record, then (at octet `offset`) the message as it will
 * be read: trace fields, header, body, CRLF line ends. Leading record, little-endian:
 *     u32 magic "SPBL"  u32 version 1  u32 length  u32 crc   u64 offset  u64 size
 *     u64 accepted_s    id (16)        u32 n, n octets of encoded envelope
 * length counts from the magic to the end of the envelope; crc is CRC-32C of everything
 * behind it up to there. Between length and offset there may be a hole: a large body was
 * received into the file before its head was known, and stays where it is. */
#ifndef MAILD_STORE_BLOB_H
#define MAILD_STORE_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/msgid.h"
#include "base/core/span.h"
#include "maild/store/fsops.h"

/* Where the body of a file from blob_body_open() begins: room in front for the leading
 * record and for header fields that are added later. */
#define BLOB_BODY_AT  (192u * 1024u)
#define BLOB_HEAD_MAX (96u * 1024u)
#define BLOB_PATH_MAX 64
#define BLOB_SYNC_MAX 32u

struct blob_head {
    struct msgid id;
    int64_t accepted_s;
    uint64_t offset;      /* where the message begins in the file */
    uint64_t size;        /* octets of the message */
    struct span envelope; /* envelope_encode(); borrowed */
};

/* Pure. The length of the record, without what follows. */
MUST_USE int blob_head_encode(const struct blob_head *h, struct buf *out);
/* Octets blob_head_encode() makes for an envelope of `n` octets. */
size_t blob_head_size(size_t n);
/* `in`: the first BLOB_HEAD_MAX octets of the file or all there are. */
MUST_USE bool blob_head_decode(struct span in, struct blob_head *h);
/* "mail/blobs/ab/abcdef...": below the data directory. */
void blob_path(const struct msgid *id, char path[BLOB_PATH_MAX]);

struct blob_store;

/* Open (make) D/mail/blobs. NULL with *err. */
struct blob_store *blob_store_open(const struct fsops *fs, const char *data_dir,
                                   struct err *err);
void blob_store_close(struct blob_store **bs);

/* Write a blob: head (offset and size are filled in) and the message in `n` parts. Not
 * synced. Writing one that exists writes the same octets into the same file, so that hard
 * links to it are repaired too. */
MUST_USE int blob_write(const struct blob_store *bs, struct blob_head *h,
                        const struct span *parts, size_t n, struct err *err);
/* A file for the large body of message `id`, its offset at BLOB_BODY_AT: the receiver appends
 * with write(2). Its name is D/mail/blobs/tmp/<id> (an unnamed file could not be named later:
 * that needs /proc or a capability, and the role has neither). -1 with *err. */
MUST_USE int blob_body_open(const struct blob_store *bs, const struct msgid *id,
                            struct err *err);
/* Nobody wants it any more. Gone already is no error. */
MUST_USE int blob_body_drop(const struct blob_store *bs, const struct msgid *id,
                            struct err *err);
/* At the start: remove all such files; *n counts them. */
MUST_USE int blob_body_sweep(const struct blob_store *bs, size_t *n, struct err *err);
/* Make the file `fd` of message h->id a blob: the message is `front` (header fields, at most
 * BLOB_BODY_AT - BLOB_HEAD_MAX octets more than the `skip` octets of the body that it
 * replaces) and then the body from octet `skip` on. Durable with its name when it returns 0. */
MUST_USE int blob_adopt(const struct blob_store *bs, int fd, struct blob_head *h,
                        struct span front, uint64_t skip, uint64_t body_size,
                        struct err *err);
/* Descriptor for reading, or -1 with *err (err->sys ENOENT when it is not there). */
MUST_USE int blob_open(const struct blob_store *bs, const struct msgid *id,
                       struct err *err);
/* Open and read the leading record; `space` holds the envelope. The descriptor, or -1. */
MUST_USE int blob_open_head(const struct blob_store *bs, const struct msgid *id,
                            struct buf *space, struct blob_head *h, struct err *err);
/* Make the contents of `n` (at most BLOB_SYNC_MAX) blobs durable: the write-back of all is
 * begun before any is waited for. A blob that is gone is no error. */
MUST_USE int blob_sync(const struct blob_store *bs, const struct msgid *ids, size_t n,
                       struct err *err);
/* Make the names in the folder of `id` durable: once for each <ab> of a checkpoint. */
MUST_USE int blob_sync_names(const struct blob_store *bs, const struct msgid *id,
                             struct err *err);
/* Remove the queue's name of it; other links stay. Gone already is no error. */
MUST_USE int blob_remove(const struct blob_store *bs, const struct msgid *id,
                         struct err *err);
/* Call fn for every blob present (order is the file system's). -1 when fn or reading
 * fails. */
MUST_USE int blob_list(const struct blob_store *bs,
                       int (*fn)(void *ctx, const struct msgid *id), void *ctx,
                       struct err *err);

#endif
