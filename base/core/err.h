/* SPDX-License-Identifier: ISC */
/* base/core/err.h - one line of text that says what went wrong and with what.
 *
 * Why:       errno says "no such file"; a person needs to know which, and what for.
 * Ownership: a value; the function that fails fills it, callers wrap it on the way up.
 *
 * Read as a sentence from the outside in: "start dnsd: open build/run/db/signpost.db:
 * permission denied". What stands in it of foreign octets is shown as text: control characters and
 * what is no UTF-8 become question marks. */
#ifndef BASE_CORE_ERR_H
#define BASE_CORE_ERR_H

#include "base/core/attr.h"

#define ERR_TEXT_MAX 512

struct err {
    int sys; /* errno at the time, 0 when the system was not the cause */
    char text[ERR_TEXT_MAX];
};

/* Each returns -1, so that `return err_set(err, ...)` reads well. `err` may be NULL. */
int err_set(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The text, ": " and strerror(errno). */
int err_sys(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Put context in front of what stands there: "<context>: <old text>". */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
