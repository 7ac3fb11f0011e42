/* SPDX-License-Identifier: ISC */
/* base/io/control.h - the control socket of a daemon (server side).
 *
 * Why:       `signpost` asks a running daemon and gets rows it only has to render; rights
 *            come from who the peer process is, not from a password.
 * Protocol:  UNIX stream socket. The client sends one text line; the server answers with
 *            JSON lines and a last line `ok` or `error CODE text`. Then the next request.
 * Ownership: a request belongs to the handler until it ends it with control_ok() or
 *            control_error(), exactly once, now or later, also when the client has gone.
 * Threads:   the loop's thread. */
#ifndef BASE_IO_CONTROL_H
#define BASE_IO_CONTROL_H

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/span.h"
#include "base/io/loop.h"

#define CONTROL_LINE_MAX 4096          /* octets of a request */
#define CONTROL_OUT_MAX  (4096 * 1024) /* octets of an answer that wait for the client */

struct control;
struct control_req;

/* One request line without its LF; borrowed during the call. Requests of one client come
 * one after the other: the next after this one has been ended. */
typedef void (*control_fn)(void *ctx, struct control_req *req, struct span line);

/* Serve at `path` (a left-over socket is replaced, a living one is an error: "already
 * running"). Only root and our own user are answered. */
struct control *control_new(struct loop *l, const char *path, control_fn cb, void *ctx,
                            struct err *err);
/* The same in two steps, for a process that may not open sockets: whoever may opens it, hands
 * over the descriptor (-1 with *err) and removes the socket file in the end. */
MUST_USE int control_listen(const char *path, struct err *err);
struct control *control_adopt(struct loop *l, int fd, control_fn cb, void *ctx);
/* Disconnects everyone and, unless it was adopted, removes the socket. Requests still open
 * are still the handler's to end. */
void control_free(struct control **c);

/* Send one row: a JSON value without line ends. 0, or -1 when the client is gone or does
 * not take its answer (CONTROL_OUT_MAX); a long listing then stops asking for more. */
MUST_USE int control_row(struct control_req *req, struct span json);
/* End the request. `code` is a word for programs: "not-found", "usage", "fault". */
void control_ok(struct control_req *req);
void control_error(struct control_req *req, const char *code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#endif
