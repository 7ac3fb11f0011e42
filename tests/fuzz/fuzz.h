/* SPDX-License-Identifier: ISC */
/* tests/fuzz/fuzz.h - what the fuzz targets share: laws, choices read from the input, cuts.
 *
 * Why:       a target says what must hold for every input, not only that nothing crashes.
 * Ownership: see each function; a target leaves nothing allocated behind.
 * Threads:   one; a target may keep constant things between runs in statics.
 *
 * A target is a file fuzz_NAME.c with LLVMFuzzerTestOneInput(). Choices stand in front of
 * the input in a fixed number of octets and the text behind them is used as it is, so that
 * seeds can be written by hand and words of dictionaries fit anywhere. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/rng.h"
#include "base/core/span.h"

/* Called by the fuzzer and by the replay program once for each input. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What must hold; `what` names the law for the one who reads the finding. */
#define LAW(holds, what) ((holds) ? (void)0 : fuzz_law_broken(__FILE__, __LINE__, what))
NO_RETURN void fuzz_law_broken(const char *file, int line, const char *what);
/* Two texts must be the same; prints both otherwise. */
void fuzz_same(struct span a, struct span b, const char *what);

/* Choices at the front of the input; 0 when it is used up. */
uint8_t fuzz_u8(struct span *in);
uint16_t fuzz_u16(struct span *in);
uint32_t fuzz_u32(struct span *in);
uint64_t fuzz_u64(struct span *in);
/* A field: one length octet, then up to that many octets. */
struct span fuzz_field(struct span *in);
/* Everything up to the next LF, which is dropped. */
struct span fuzz_line(struct span *in);

/* A heap copy of exact size, so that the sanitizer sees any octet read too far; the caller
 * frees `p`, which is never NULL. */
MUST_USE struct span fuzz_heap(struct span s);
void fuzz_heap_free(struct span s);

/* Sizes of pieces for the split law. 0: everything octet by octet; an odd number: small
 * pieces; an even one: pieces of all sizes. */
struct fuzz_cuts {
    unsigned kind;
    struct rng rng;
};
void fuzz_cuts_init(struct fuzz_cuts *c, unsigned choice);
/* Octets of the next piece, 1..left (left > 0). */
size_t fuzz_cut(struct fuzz_cuts *c, size_t left);

/* What happened, as text, to be compared between two runs. Ends the process at 64 MiB. */
void fuzz_note(struct buf *log, const char *fmt, ...) PRINTF_LIKE(2, 3);
void fuzz_note_span(struct buf *log, const char *what, struct span s);
#define FUZZ_LOG_MAX (64u << 20)

/* No control octets but HTAB, no octets over 126: fit for one line to a peer or person. */
bool fuzz_is_plain(struct span s);

#endif
