/* SPDX-License-Identifier: ISC */
/* base/io/conn_int.h - a connection's state, shared by conn.c (when) and conn_io.c (how). */
#ifndef BASE_IO_CONN_INT_H
#define BASE_IO_CONN_INT_H

#include <openssl/ssl.h>

#include "base/core/buf.h"
#include "base/io/conn.h"

/* CONNECTING -> OPEN -> (FLUSHING -> HANDSHAKE -> OPEN) -> ENDED, and LINGER after
 * conn_finish(). */
enum conn_state {
    CONN_CONNECTING,
    CONN_OPEN,      /* octets flow, in clear or TLS */
    CONN_FLUSHING,  /* TLS was asked for; what is queued goes out in clear first */
    CONN_HANDSHAKE, /* no octets of the protocol either way */
    CONN_LINGER,    /* the driver is done; the last octets go out */
    CONN_ENDED,     /* on_end() was called, or is about to be */
};

/* Octets [off, b.len) wait. */
struct conn_queue {
    struct buf b;
    size_t off;
};

struct conn {
    struct loop *loop;
    int fd;
    struct loop_io *io;
    struct loop_timer *deadline;
    struct loop_timer *soon; /* work that must not run inside the driver's call */
    struct conn_handlers h;
    void *ctx;
    struct conn_limits lim;
    struct ipaddr peer_addr;
    uint16_t peer_port;

    enum conn_state state;
    struct conn_queue in, out;
    bool is_connected;
    bool is_paused;
    bool is_lent;  /* nothing is read or written: another process may have the socket */
    bool has_news; /* input came since on_input was last called */
    bool was_consumed; /* by the on_input under way */
    bool owes_drained; /* output was queued; on_drained is due when it has gone */

    /* How the stream ended, once it has; said when the input before it was offered. */
    bool is_over;
    enum conn_end why;
    int sys;

    SSL *ssl;
    bool is_tls;            /* handshake done */
    bool read_wants_write;  /* TLS has to send before it can read on */
    bool write_wants_read;  /* and the other way round */
    char tls_text[160];     /* last TLS failure */
    char tls_summary[96];   /* "TLSv1.3 TLS_AES_256_GCM_SHA384" */
    bool is_shut;           /* LINGER: our end of stream has been sent */
    struct loop_end at_end; /* LINGER: the loop is the owner */
    size_t discarded;       /* LINGER: octets of the peer that nobody wants any more */

    unsigned depth; /* callbacks under way */
    bool is_freed;  /* goes when the outermost one returns */
};

/* conn_io.c: each moves what can be moved now. True when something was moved (or the
 * handshake finished); c->is_over tells that the stream ended. */
bool conn_io_read(struct conn *c);
bool conn_io_write(struct conn *c);
bool conn_io_handshake(struct conn *c);
/* Send close_notify (best effort) and end of stream. */
void conn_io_shut(struct conn *c);
/* Read and forget. False at the end of stream. */
bool conn_io_discard(struct conn *c);
/* True when TLS holds octets that no readiness of the descriptor will announce. */
bool conn_io_has_hidden(const struct conn *c);

size_t conn_queue_len(const struct conn_queue *q);
void conn_queue_clear(struct conn_queue *q);
/* Move the waiting octets to the front of the buffer. */
void conn_queue_pack(struct conn_queue *q);
/* Drop `n` from the front. */
void conn_queue_drop(struct conn_queue *q, size_t n);

#endif
