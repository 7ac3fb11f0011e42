/* SPDX-License-Identifier: ISC */
/* base/core/buf.c - byte buffer that grows up to a fixed ceiling; see buf.h.
 *
 * Invariant: len <= cap <= max; data is NULL exactly when cap is 0. */
#include "base/core/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"

#define FIRST_CAP 64u

void buf_init(struct buf *b, size_t max)
{
    assert(max > 0);
    *b = (struct buf){.max = max};
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){.max = b->max};
}

void buf_reset(struct buf *b)
{
    b->len = 0;
}

int buf_reserve(struct buf *b, size_t n)
{
    size_t cap = b->cap < FIRST_CAP ? FIRST_CAP : b->cap;

    if (n <= b->cap - b->len)
        return 0;
    if (n > b->max - b->len)
        return -1;
    while (cap - b->len < n)
        cap = cap > b->max / 2 ? b->max : cap * 2;
    if (cap > b->max) /* a ceiling below FIRST_CAP */
        cap = b->max;
    b->data = mem_resize(b->data, cap, 1);
    b->cap = cap;
    return 0;
}

int buf_append(struct buf *b, const void *src, size_t n)
{
    if (n == 0)
        return 0;
    if (buf_reserve(b, n) == -1)
        return -1;
    memcpy(b->data + b->len, src, n);
    b->len += n;
    return 0;
}

int buf_span(struct buf *b, struct span s)
{
    return buf_append(b, s.p, s.n);
}

int buf_str(struct buf *b, const char *s)
{
    return buf_append(b, s, strlen(s));
}

int buf_byte(struct buf *b, uint8_t c)
{
    return buf_append(b, &c, 1);
}

/* A text of `n` octets that did not fit on the stack; vsnprintf wants one more for NUL. */
PRINTF_LIKE(3, 0)
static int append_long(struct buf *b, size_t n, const char *fmt, va_list ap)
{
    char *text;
    int rc;

    if (n > b->max - b->len)
        return -1;
    text = mem_new(n + 1, 1);
    (void)vsnprintf(text, n + 1, fmt, ap);
    rc = buf_append(b, text, n);
    free(text);
    return rc;
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    char text[256];
    va_list again;
    int n;
    int rc;

    va_copy(again, ap);
    n = vsnprintf(text, sizeof text, fmt, ap);
    assert(n >= 0); /* no %ls, no over-long width: our formats cannot fail */
    if ((size_t)n < sizeof text)
        rc = buf_append(b, text, (size_t)n);
    else
        rc = append_long(b, (size_t)n, fmt, again);
    va_end(again);
    return rc;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int rc;

    va_start(ap, fmt);
    rc = buf_vprintf(b, fmt, ap);
    va_end(ap);
    return rc;
}

int buf_prepend(struct buf *b, const void *src, size_t n)
{
    if (n == 0)
        return 0;
    if (buf_reserve(b, n) == -1)
        return -1;
    memmove(b->data + n, b->data, b->len);
    memcpy(b->data, src, n);
    b->len += n;
    return 0;
}

void buf_drop(struct buf *b, size_t n)
{
    assert(n <= b->len);
    if (n == 0)
        return;
    b->len -= n;
    memmove(b->data, b->data + n, b->len);
}

void buf_truncate(struct buf *b, size_t n)
{
    assert(n <= b->len);
    b->len = n;
}

struct span buf_all(const struct buf *b)
{
    return span_of(b->data, b->len);
}

const char *buf_cstr(struct buf *b)
{
    int rc = buf_reserve(b, 1);

    assert(rc == 0); /* the ceiling of a text buffer leaves one octet to spare */
    (void)rc;
    b->data[b->len] = 0;
    return (const char *)b->data;
}
