/* SPDX-License-Identifier: ISC */
/* base/io/control_client.h - ask a daemon through its control socket; blocking, for tools.
 *
 * Why:       every command of `signpost` that speaks to a daemon does it in three calls.
 * Ownership: the caller owns the client; rows are borrowed during the callback.
 * Threads:   one owner. Never used in a daemon: it waits. */
#ifndef BASE_IO_CONTROL_CLIENT_H
#define BASE_IO_CONTROL_CLIENT_H

#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/span.h"

struct control_client;

enum control_result {
    CONTROL_OK,    /* last line was `ok` */
    CONTROL_ERROR, /* `error CODE text`: code and text are in *answer */
    CONTROL_FAULT, /* no daemon, time-out, broken answer: *err has the text */
};

struct control_answer {
    char code[64];  /* CONTROL_ERROR: "not-found", ... */
    char text[512]; /* CONTROL_ERROR: for people */
};

/* Connect. NULL with *err: "maild is not running (build/run/maild.ctl: ...)". */
struct control_client *control_open(const char *path, struct err *err);
void control_close(struct control_client **c);

/* Send `line` (without line end, no control characters) and call `row` for each JSON line
 * of the answer. `timeout_ms` is for the whole exchange. `answer` may be NULL. */
MUST_USE enum control_result control_ask(struct control_client *c, const char *line,
                                         int64_t timeout_ms,
                                         void (*row)(void *ctx, struct span json),
                                         void *ctx, struct control_answer *answer,
                                         struct err *err);

#endif
