/* SPDX-License-Identifier: ISC */
/* base/core/err.c - one line of text that says what went wrong; see err.h. Text that does
 * not fit is cut at the end: the outer context, which comes first, is kept. Foreign octets in
 * it cannot make a second line or steer a terminal: they become question marks. */
#include "base/core/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/core/span.h"
#include "base/core/utf8.h"

/* Append to err->text from `at` on; returns the new end. */
static size_t put(struct err *err, size_t at, const char *s)
{
    int n = snprintf(err->text + at, sizeof err->text - at, "%s", s);

    if (n < 0)
        return at;
    return (size_t)n >= sizeof err->text - at ? sizeof err->text - 1 : at + (size_t)n;
}

/* Only well-formed text without control characters stays. */
static void clean(char *text)
{
    struct span s = span_str(text);
    uint32_t point;

    while (s.n > 0) {
        size_t n = utf8_next(s, &point);

        if (n == 0 || utf8_is_control(point)) {
            n = n == 0 ? 1 : n;
            memset(text, '?', n);
        }
        text += n;
        s = span_drop(s, n);
    }
}

PRINTF_LIKE(2, 0)
static size_t format(struct err *err, const char *fmt, va_list ap)
{
    int n = vsnprintf(err->text, sizeof err->text, fmt, ap);

    if (n < 0) {
        err->text[0] = '\0';
        return 0;
    }
    clean(err->text);
    return (size_t)n >= sizeof err->text ? sizeof err->text - 1 : (size_t)n;
}

int err_set(struct err *err, const char *fmt, ...)
{
    va_list ap;

    if (err == NULL)
        return -1;
    va_start(ap, fmt);
    (void)format(err, fmt, ap);
    va_end(ap);
    err->sys = 0;
    return -1;
}

int err_sys(struct err *err, const char *fmt, ...)
{
    int sys = errno;
    char reason[128];
    const char *text;
    size_t at;
    va_list ap;

    if (err == NULL)
        return -1;
    va_start(ap, fmt);
    at = format(err, fmt, ap);
    va_end(ap);
    text = strerror_r(sys, reason, sizeof reason);
    at = put(err, at, ": ");
    (void)put(err, at, text);
    /* "permission denied" reads on in the middle of a sentence; "I/O error" stays. */
    if (err->text[at] != '\0' &&
        ascii_lower((uint8_t)err->text[at + 1]) == (uint8_t)err->text[at + 1])
        err->text[at] = (char)ascii_lower((uint8_t)err->text[at]);
    err->sys = sys;
    return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    struct err old;
    size_t at;
    va_list ap;

    if (err == NULL)
        return -1;
    old = *err;
    va_start(ap, fmt);
    at = format(err, fmt, ap);
    va_end(ap);
    at = put(err, at, ": ");
    (void)put(err, at, old.text);
    return -1;
}
