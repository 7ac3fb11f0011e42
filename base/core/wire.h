/* SPDX-License-Identifier: ISC */
/* base/core/wire.h - checked readers and writers of binary fields.
 *
 * Why:       a reader that cannot run off the end needs no range check by its user.
 *            The first shortage sets `bad` and every later read gives zero, so a decoder
 *            reads all its fields and asks once.
 * Ownership: rd borrows; wr appends to a struct buf.
 * Pure:      no I/O, no clock, no globals.
 *
 * Big-endian names are for the network, little-endian (le) for our own disk formats. */
#ifndef BASE_CORE_WIRE_H
#define BASE_CORE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/buf.h"
#include "base/core/span.h"

struct rd {
    struct span in;
    size_t pos;  /* octets consumed, pos <= in.n */
    bool is_bad; /* sticky: a read wanted more than there is */
};

void rd_init(struct rd *r, struct span in);
size_t rd_left(const struct rd *r);
uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
uint32_t rd_le32(struct rd *r);
uint64_t rd_le64(struct rd *r);
/* `n` octets, borrowed; empty and bad when there are fewer. */
struct span rd_bytes(struct rd *r, size_t n);
/* A 16-bit / 32-bit big-endian length and that many octets. */
struct span rd_span16(struct rd *r);
struct span rd_span32(struct rd *r);
/* True when nothing was short and nothing is left over. */
bool rd_done(const struct rd *r);

struct wr {
    struct buf *out;
    bool is_bad; /* sticky: the ceiling of `out` was reached, or a field was too long */
};

void wr_init(struct wr *w, struct buf *out);
void wr_u8(struct wr *w, uint8_t v);
void wr_u16(struct wr *w, uint16_t v);
void wr_u32(struct wr *w, uint32_t v);
void wr_u64(struct wr *w, uint64_t v);
void wr_le32(struct wr *w, uint32_t v);
void wr_le64(struct wr *w, uint64_t v);
void wr_bytes(struct wr *w, struct span s);
void wr_span16(struct wr *w, struct span s);
void wr_span32(struct wr *w, struct span s);

#endif
