/* SPDX-License-Identifier: ISC */
/* maild/queue/jrec.h - what queue writes into its journal.
 *
 * Why:       the format is on disk, so it has one reader and one writer, side by side.
 * Ownership: decoded spans point into the record.
 * Pure:      no I/O, no clock, no globals.
 *
 * JREC_ACCEPT, all numbers little-endian:
 *     u8 flags (1: the message is in its blob already)  u64 offset  u64 size
 *     u32 n, envelope   u32 n, facts   u32 n, reported   message octets to the end
 * `reported` belongs to a bounce: the id of the message it reports on and the numbers of the
 * recipients (16 octets, then u32 each). Taking the bounce and being done with those
 * recipients is thereby one step.
 * JREC_RESULT:
 *     id (16)   u32 n, n times: u32 number, u8 state, u8 outcome, u32 attempts,
 *     u8 is_expired, u64 next_try_s, u64 last_s, u32 n, reason, u32 n, host */
#ifndef MAILD_QUEUE_JREC_H
#define MAILD_QUEUE_JREC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/msgid.h"
#include "base/core/span.h"
#include "base/core/wire.h"

enum jrec_type { JREC_ACCEPT = 1, JREC_RESULT = 2 };

struct jrec_accept {
    bool is_in_blob;
    uint64_t offset, size; /* in the blob; known when is_in_blob */
    struct span envelope;
    struct span facts;
    struct span reported;
    struct span message; /* empty when is_in_blob */
};

/* Everything in front of the message octets. */
MUST_USE int jrec_accept_encode(const struct jrec_accept *a, struct buf *out);
MUST_USE bool jrec_accept_decode(struct span payload, struct jrec_accept *a);

/* `reported` */
MUST_USE int jrec_reported_begin(struct buf *out, const struct msgid *about);
MUST_USE int jrec_reported_add(struct buf *out, uint32_t number);
/* False when it is empty or malformed; then numbers with rd_le32 until rd_left() is 0. */
MUST_USE bool jrec_reported_open(struct span reported, struct msgid *about, struct rd *r);

struct jrec_result {
    uint32_t number;
    uint8_t state;   /* enum rcpt_state of qmsg.h */
    uint8_t outcome; /* enum rcpt_outcome of qmsg.h */
    uint32_t attempts;
    int64_t next_try_s, last_s;
    bool is_expired;
    struct span reason, host;
};

MUST_USE int jrec_result_encode(const struct msgid *id, const struct jrec_result *v,
                                size_t n, struct buf *out);
/* Read the id and the count, then one entry after the other. */
MUST_USE bool jrec_result_open(struct span payload, struct msgid *id, uint32_t *n,
                               struct rd *r);
MUST_USE bool jrec_result_next(struct rd *r, struct jrec_result *v);

#endif
