/* SPDX-License-Identifier: ISC */
/* base/io/conn.h - one TCP connection, plain or TLS, that cannot hurt the loop.
 *
 * Why:       every protocol needs the same: read at most so much a turn, stop reading when
 *            the answer is not drained, give up at a deadline, switch to TLS in mid-stream
 *            and throw away what came in clear before that.
 * Ownership: the driver owns the conn; conn owns the descriptor.
 * Threads:   the loop's thread.
 *
 * Data flow: octets that came in gather in an input buffer; `on_input` is called when there
 * are more than before, and again as long as it consumes some (conn_consume()) and some are
 * left, while the driver is not paused. Output is queued with conn_write() and sent when the
 * callback returns, so that replies share a segment; on_input is not called while more than
 * `out_high` octets wait. A driver that consumes nothing of a full input buffer gets no more:
 * it has to answer (line too long) and close.
 * Any handler but on_end may be NULL. */
#ifndef BASE_IO_CONN_H
#define BASE_IO_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/ipaddr.h"
#include "base/core/span.h"
#include "base/io/loop.h"
#include "base/io/tlsctx.h"

struct conn;

enum conn_end {
    CONN_END_PEER,     /* orderly end of stream, said after the last on_input */
    CONN_END_RESET,    /* connection lost */
    CONN_END_DEADLINE, /* conn_deadline() passed */
    CONN_END_TLS,      /* handshake or record failure; conn_tls_error() has the text */
    CONN_END_CONNECT,  /* outgoing connect failed; conn_error() has errno */
};

struct conn_handlers {
    /* Outgoing: connected (before any TLS). Not called for accepted connections. */
    void (*on_connected)(void *ctx);
    void (*on_tls)(void *ctx); /* handshake finished */
    void (*on_input)(void *ctx);
    void (*on_drained)(void *ctx); /* all output has been handed to the kernel */
    /* The last call; free the conn in it or later. Not called after conn_free(). */
    void (*on_end)(void *ctx, enum conn_end why);
};

/* Copied by the conn, as the handlers are. */
struct conn_limits {
    size_t in_max;   /* ceiling of the input buffer in octets */
    size_t out_max;  /* ceiling of queued output */
    size_t out_high; /* above this on_input waits */
};

/* Take over an accepted descriptor. */
struct conn *conn_accept(struct loop *l, int fd, const struct conn_limits *lim,
                         const struct conn_handlers *h, void *ctx);
/* Connect to addr:port from `source` (NULL or family 0: any). Fails by on_end only. */
struct conn *conn_connect(struct loop *l, const struct ipaddr *addr, uint16_t port,
                          const struct ipaddr *source, const struct conn_limits *lim,
                          const struct conn_handlers *h, void *ctx);
/* Hand the connection to another driver (after login: to the pump). Input that waits is
 * announced to the new one from the loop. */
void conn_set_handlers(struct conn *c, const struct conn_handlers *h, void *ctx);
/* Close at once, without callbacks. Sets *c to NULL. Allowed inside a callback. */
void conn_free(struct conn **c);
/* Send what is queued (at most `ms`), then close and free; no callbacks any more. Sets
 * *c to NULL: the driver's part ends here. */
void conn_finish(struct conn **c, int64_t ms);

/* Octets waiting; borrowed until conn_consume() or return to the loop. */
struct span conn_input(const struct conn *c);
void conn_consume(struct conn *c, size_t n);
/* While paused, no on_input; octets stay in the kernel once in_max is reached. */
void conn_pause(struct conn *c, bool is_paused);
/* Lend the socket to another process: it is not read any more, so that what comes waits in the
 * kernel; what came before is in conn_input(). Returns the descriptor, still the conn's, or
 * -1 when it cannot be lent (TLS, output that waits, an ended stream). After conn_reclaim()
 * the connection goes on as before; after conn_free() the other process has it alone. Between
 * them only conn_finish() is allowed. */
MUST_USE int conn_lend(struct conn *c);
void conn_reclaim(struct conn *c);
/* 0, or -1 when out_max would be passed. */
MUST_USE int conn_write(struct conn *c, struct span s);
/* Octets queued and not yet taken by the kernel. */
size_t conn_out_len(const struct conn *c);
/* One shot: on_end(CONN_END_DEADLINE) `ms` from now unless moved or stopped (0). */
void conn_deadline(struct conn *c, int64_t ms);

/* Begin TLS. Server: queued output is sent in clear first, input received so far is thrown
 * away (STARTTLS injection, RFC 3207 4.2 / CVE-2011-0411). Client: `host` goes into SNI and,
 * if `verify`, is checked. */
void conn_start_tls_server(struct conn *c, struct tlsctx *tls);
void conn_start_tls_client(struct conn *c, struct tlsctx *tls, const char *host,
                           bool verify);
/* False while an outgoing connect is under way or has failed. */
bool conn_is_connected(const struct conn *c);
bool conn_is_tls(const struct conn *c);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384", or NULL in clear. Valid while the conn lives. */
const char *conn_tls_summary(const struct conn *c);
const char *conn_tls_error(const struct conn *c);
int conn_error(const struct conn *c);
void conn_peer(const struct conn *c, struct ipaddr *addr, uint16_t *port);
void conn_local(const struct conn *c, struct ipaddr *addr, uint16_t *port);

#endif
