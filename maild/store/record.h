/* SPDX-License-Identifier: ISC */
/* maild/store/record.h - the octets of the acceptance journal: one segment, one record.
 *
 * Why:       what is found after a power loss must be told apart with certainty: whole
 *            records, the torn end of the last write, and damage in the middle.
 * Ownership: borrows; writes into struct buf.
 * Pure:      no I/O, no clock, no globals.
 *
 * All numbers little-endian. A segment begins with RECORD_SEGMENT_HEAD octets:
 *     u32 magic "SPJS"  u32 version 1  u64 base  u64 previous  u64 number  u32 crc  u32 0
 * `base` is the journal position of the first record, `previous` where the segment before
 * ends: the same, or less when a write to it failed and the rest of it is void. Positions
 * only grow, across segments, so an old record in a reused segment is known by its wrong
 * position.
 * A record begins at a multiple of 8 and is padded with zeros to one:
 *     u32 magic "SPJR"  u16 version 1  u16 type  u32 length  u32 crc
 *     u64 position      u64 synced     then `length` octets
 * crc is CRC-32C of version, type and length, then of everything behind it up to the end of
 * the payload. `synced` is the position below which everything was durable when this record
 * was written: a broken record below a later record's `synced` had been promised. */
#ifndef MAILD_STORE_RECORD_H
#define MAILD_STORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/span.h"

#define RECORD_SEGMENT_HEAD 40u
#define RECORD_HEAD         32u
/* Payload ceiling: a 64 KiB body, a 64 KiB envelope and what belongs to them. */
#define RECORD_PAYLOAD_MAX (256u * 1024u)

struct record {
    uint16_t type;       /* the journal's user gives it a meaning; never 0 */
    uint64_t position;   /* of the record's first octet in the journal */
    uint64_t synced;     /* everything below was durable when this was written */
    struct span payload; /* borrowed */
};

struct record_segment {
    uint64_t base;     /* position of the first record */
    uint64_t previous; /* position where the segment before ends */
    uint64_t number;   /* as in the file name */
};

enum record_result {
    RECORD_OK,
    RECORD_END, /* nothing of this segment's life stands here */
    RECORD_BAD, /* begins like a record of this life, but is torn or damaged */
};

/* Octets a record with `payload` octets takes on disk. */
uint64_t record_size(uint64_t payload);
void record_segment_encode(const struct record_segment *s,
                           uint8_t head[RECORD_SEGMENT_HEAD]);
MUST_USE bool record_segment_decode(struct span head, struct record_segment *s);
/* Append a record whose payload is the given parts one after the other; its head still
 * lacks position and checksum. 0, or -1 with *out unchanged when its ceiling would be passed
 * or the payload is too large. */
MUST_USE int record_encode(uint16_t type, const struct span *parts, size_t n,
                           struct buf *out);
/* Complete all records in octets [0, n), the first of which goes to `position`. */
void record_seal(uint8_t *records, size_t n, uint64_t position, uint64_t synced);
/* Read the record at octet `at` of a whole segment `seg` (head included).
 * next  out: offset of what follows. Set on RECORD_OK only. */
enum record_result record_decode(struct span seg, const struct record_segment *s,
                                 uint64_t at, struct record *r, uint64_t *next);
/* Is there, behind offset `at`, a whole record of this life that promises a position
 * beyond the one of `at`? Then what stands at `at` is damage and not a torn end. */
bool record_promised_later(struct span seg, const struct record_segment *s, uint64_t at);

#endif
