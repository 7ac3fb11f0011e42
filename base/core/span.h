/* SPDX-License-Identifier: ISC */
/* base/core/span.h - borrowed run of octets.
 *
 * Why:       bytes from outside carry their length with them; a NUL in the middle
 *            of a mail address is data, not an end.
 * Ownership: never owns; valid as long as the bytes it points into.
 * Threads:   a value, copy freely.
 * Pure:      no I/O, no clock, no globals.
 *
 * Letter case is folded for ASCII only, whatever the locale says. */
#ifndef BASE_CORE_SPAN_H
#define BASE_CORE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/attr.h"

struct span {
    const uint8_t *p; /* may be NULL when n == 0 */
    size_t n;         /* octets */
};

/* A span over a string literal, without its NUL. Usable in initialisers. */
#define SPAN_LIT(s) ((struct span){(const uint8_t *)("" s), sizeof(s) - 1})
/* For printf("%.*s", SPAN_ARG(s)): text known to be printable only. */
#define SPAN_ARG(s)                                                                      \
    ((int)((s).n > 1000 ? 1000 : (s).n)),                                                \
        ((const char *)((s).n ? (s).p : (const uint8_t *)""))

struct span span_of(const void *p, size_t n);
/* Span over a C string (NULL gives the empty span). */
struct span span_str(const char *s);

bool span_eq(struct span a, struct span b);
bool span_eq_nocase(struct span a, struct span b);
bool span_eq_str(struct span a, const char *s);
bool span_eq_str_nocase(struct span a, const char *s);
bool span_starts(struct span s, struct span prefix);
bool span_starts_nocase(struct span s, struct span prefix);
bool span_ends_nocase(struct span s, struct span suffix);
/* memcmp order, shorter first when one is a prefix of the other: <0, 0, >0. */
int span_cmp(struct span a, struct span b);
int span_cmp_nocase(struct span a, struct span b);

/* First `n` octets, or all when there are fewer. */
struct span span_take(struct span s, size_t n);
/* All but the first `n` octets; empty when there are fewer. */
struct span span_drop(struct span s, size_t n);
/* Without SP and HTAB at both ends. */
struct span span_trim(struct span s);
/* Index of the first / last `c`, or -1. */
ptrdiff_t span_index(struct span s, uint8_t c);
ptrdiff_t span_rindex(struct span s, uint8_t c);
/* Index of the first place where `needle` stands, or -1. */
ptrdiff_t span_find(struct span s, struct span needle);
ptrdiff_t span_find_nocase(struct span s, struct span needle);

/* Cut at the first `c`: *head is what stands before, *rest what follows. Without a
 * `c`, *head is all, *rest is empty and the result is false. Outputs may alias `s`. */
bool span_cut(struct span s, uint8_t c, struct span *head, struct span *rest);
/* Next field separated by runs of SP/HTAB; false when none is left. Advances *s. */
bool span_word(struct span *s, struct span *word);

/* Unsigned decimal, digits only, whole span; false when empty, foreign or > max. */
bool span_to_u64(struct span s, uint64_t max, uint64_t *value);

/* Heap copy with a NUL behind it; the caller frees. Ends the process without memory. */
MUST_USE char *span_dup(struct span s);
/* Copy into dst[cap] with NUL; false (dst = "") when too long or with an inner NUL. */
MUST_USE bool span_copy(struct span s, char *dst, size_t cap);

/* ASCII helpers, locale-free. */
uint8_t ascii_lower(uint8_t c);
bool ascii_is_digit(uint8_t c);
bool ascii_is_alpha(uint8_t c);
bool ascii_is_alnum(uint8_t c);
/* Lower-case in place. */
void ascii_lower_all(uint8_t *p, size_t n);

#endif
