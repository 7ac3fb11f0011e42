/* SPDX-License-Identifier: ISC */
/* base/core/span.c - borrowed run of octets; see span.h.
 *
 * Two rules hold in every function here: lengths are checked by subtraction, so that no
 * sum can overflow; and an empty span may have a NULL pointer, which is never given to the
 * C library nor moved. */
#include "base/core/span.h"

#include <string.h>

#include "base/core/mem.h"

uint8_t ascii_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool ascii_is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

bool ascii_is_alpha(uint8_t c)
{
    return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

bool ascii_is_alnum(uint8_t c)
{
    return ascii_is_digit(c) || ascii_is_alpha(c);
}

void ascii_lower_all(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = ascii_lower(p[i]);
}

struct span span_of(const void *p, size_t n)
{
    return (struct span){p, n};
}

struct span span_str(const char *s)
{
    return (struct span){(const uint8_t *)s, s == NULL ? 0 : strlen(s)};
}

/* Comparing -------------------------------------------------------------------------- */

static bool same_nocase(const uint8_t *a, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ascii_lower(a[i]) != ascii_lower(b[i]))
            return false;
    return true;
}

bool span_eq(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool span_eq_nocase(struct span a, struct span b)
{
    return a.n == b.n && same_nocase(a.p, b.p, a.n);
}

bool span_eq_str(struct span a, const char *s)
{
    return span_eq(a, span_str(s));
}

bool span_eq_str_nocase(struct span a, const char *s)
{
    return span_eq_nocase(a, span_str(s));
}

bool span_starts(struct span s, struct span prefix)
{
    return prefix.n <= s.n && span_eq(span_take(s, prefix.n), prefix);
}

bool span_starts_nocase(struct span s, struct span prefix)
{
    return prefix.n <= s.n && same_nocase(s.p, prefix.p, prefix.n);
}

bool span_ends_nocase(struct span s, struct span suffix)
{
    return suffix.n <= s.n && span_eq_nocase(span_drop(s, s.n - suffix.n), suffix);
}

static int order_of_lengths(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

int span_cmp(struct span a, struct span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int d = n == 0 ? 0 : memcmp(a.p, b.p, n);

    return d != 0 ? d : order_of_lengths(a.n, b.n);
}

int span_cmp_nocase(struct span a, struct span b)
{
    size_t n = a.n < b.n ? a.n : b.n;

    for (size_t i = 0; i < n; i++) {
        int d = ascii_lower(a.p[i]) - ascii_lower(b.p[i]);

        if (d != 0)
            return d;
    }
    return order_of_lengths(a.n, b.n);
}

/* Cutting ---------------------------------------------------------------------------- */

struct span span_take(struct span s, size_t n)
{
    return (struct span){s.p, n < s.n ? n : s.n};
}

struct span span_drop(struct span s, size_t n)
{
    if (n > s.n)
        n = s.n;
    return (struct span){n == 0 ? s.p : s.p + n, s.n - n};
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

struct span span_trim(struct span s)
{
    while (s.n > 0 && is_blank(s.p[0]))
        s = span_drop(s, 1);
    while (s.n > 0 && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

ptrdiff_t span_index(struct span s, uint8_t c)
{
    const uint8_t *at = s.n == 0 ? NULL : memchr(s.p, c, s.n);

    return at == NULL ? -1 : at - s.p;
}

ptrdiff_t span_rindex(struct span s, uint8_t c)
{
    const uint8_t *at = s.n == 0 ? NULL : memrchr(s.p, c, s.n);

    return at == NULL ? -1 : at - s.p;
}

ptrdiff_t span_find(struct span s, struct span needle)
{
    const uint8_t *at;

    if (needle.n == 0)
        return 0;
    at = s.n < needle.n ? NULL : memmem(s.p, s.n, needle.p, needle.n);
    return at == NULL ? -1 : at - s.p;
}

ptrdiff_t span_find_nocase(struct span s, struct span needle)
{
    if (needle.n == 0)
        return 0;
    for (size_t i = 0; needle.n <= s.n && i <= s.n - needle.n; i++)
        if (same_nocase(s.p + i, needle.p, needle.n))
            return (ptrdiff_t)i;
    return -1;
}

bool span_cut(struct span s, uint8_t c, struct span *head, struct span *rest)
{
    ptrdiff_t at = span_index(s, c);

    if (at == -1) {
        *head = s;
        *rest = span_drop(s, s.n);
        return false;
    }
    *head = span_take(s, (size_t)at);
    *rest = span_drop(s, (size_t)at + 1);
    return true;
}

bool span_word(struct span *s, struct span *word)
{
    size_t n = 0;

    while (s->n > 0 && is_blank(s->p[0]))
        *s = span_drop(*s, 1);
    while (n < s->n && !is_blank(s->p[n]))
        n++;
    *word = span_take(*s, n);
    *s = span_drop(*s, n);
    return n > 0;
}

bool span_to_u64(struct span s, uint64_t max, uint64_t *value)
{
    uint64_t v = 0;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        uint64_t digit = (uint64_t)(s.p[i] - '0');

        if (!ascii_is_digit(s.p[i]) || digit > max || v > (max - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *value = v;
    return true;
}

/* Copying ---------------------------------------------------------------------------- */

char *span_dup(struct span s)
{
    char *copy = mem_new(s.n + 1, 1);

    if (s.n > 0)
        memcpy(copy, s.p, s.n);
    return copy;
}

bool span_copy(struct span s, char *dst, size_t cap)
{
    if (cap == 0)
        return false;
    dst[0] = '\0';
    if (s.n > cap - 1 || span_index(s, 0) != -1)
        return false;
    if (s.n > 0)
        memcpy(dst, s.p, s.n);
    dst[s.n] = '\0';
    return true;
}
