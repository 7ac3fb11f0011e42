/* SPDX-License-Identifier: ISC */
/* base/core/buf.h - byte buffer that grows up to a fixed ceiling.
 *
 * Why:       a peer must never decide how much memory we use.
 * Ownership: the caller owns the struct; the bytes belong to the struct.
 * Threads:   one owner at a time, no locking inside.
 * Pure:      no I/O, no clock, no globals.
 *
 * Out of memory below the ceiling ends the process (base/core/mem.h). */
#ifndef BASE_CORE_BUF_H
#define BASE_CORE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/span.h"

struct buf {
    uint8_t *data; /* bytes [0, len); not NUL-terminated */
    size_t len;    /* octets in use */
    size_t cap;    /* octets allocated, cap <= max */
    size_t max;    /* ceiling in octets, set once by buf_init() */
};

/* An empty buffer that may hold up to `max` octets (max > 0). Allocates nothing. */
void buf_init(struct buf *b, size_t max);
/* Release the octets; the buffer is then as after buf_init() with the same ceiling. */
void buf_free(struct buf *b);
/* Forget the octets, keep the allocation. */
void buf_reset(struct buf *b);

/* Each of these returns 0, or -1 and leaves *b as it was when the ceiling would be
 * passed. */
MUST_USE int buf_append(struct buf *b, const void *src, size_t n);
MUST_USE int buf_span(struct buf *b, struct span s);
MUST_USE int buf_str(struct buf *b, const char *s);
MUST_USE int buf_byte(struct buf *b, uint8_t c);
MUST_USE int buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
MUST_USE int buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
/* Room for `n` more octets at data+len; the caller then adds what it wrote to len. */
MUST_USE int buf_reserve(struct buf *b, size_t n);
/* Insert `n` octets in front. */
MUST_USE int buf_prepend(struct buf *b, const void *src, size_t n);

/* Drop the first `n` octets (n <= len). */
void buf_drop(struct buf *b, size_t n);
/* Cut to `n` octets (n <= len). */
void buf_truncate(struct buf *b, size_t n);
/* Everything in it; valid until the next call that changes the buffer. */
struct span buf_all(const struct buf *b);
/* The text as a C string: appends a NUL that is not counted in len. Ends the process
 * if the ceiling leaves no room for it, so give text buffers one octet to spare. */
const char *buf_cstr(struct buf *b);

#endif
