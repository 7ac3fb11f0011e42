/* SPDX-License-Identifier: ISC */
/* base/io/ipc.h - typed messages between two roles over a SOCK_SEQPACKET pair.
 *
 * Why:       roles share nothing but messages, so the same code runs as one process
 *            (--single) or as many. A message that is not in the table, comes from the
 *            wrong side or has a wrong length never reaches a handler.
 * Ownership: payloads are borrowed during the callback; a received descriptor is the
 *            receiver's to close, a sent one is duplicated by the kernel (the sender still
 *            closes its own).
 * Threads:   the loop's thread.
 *
 * Frame: u16 type, u16 flags, u64 call id, payload; at most IPC_FRAME_MAX octets and one
 * descriptor. The kernel keeps the borders. What the kernel does not take at once waits in a
 * bounded backlog (in order); a channel whose backlog is full refuses (-1) and logs ipc.full:
 * the caller answers with its protocol's temporary failure. Callbacks may free the channel. */
#ifndef BASE_IO_IPC_H
#define BASE_IO_IPC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/span.h"
#include "base/io/loop.h"

#define IPC_FRAME_MAX (160u * 1024u)

/* One row per message; the program's table is generated from its .def list. */
struct ipc_msg {
    const char *name;
    uint16_t type;             /* never 0 */
    uint8_t from, to;          /* role numbers of the program */
    uint16_t reply;            /* type that answers it, 0 for none */
    uint32_t len_min, len_max; /* octets of payload */
};

struct ipc_table {
    const struct ipc_msg *msgs;
    size_t n;
};

struct ipc;
struct ipc_call;

/* What came in. `call` is to be given to ipc_reply() when the message wants an answer. */
struct ipc_in {
    uint16_t type;
    uint64_t call;
    struct span payload;
    int fd; /* -1 for none */
};

struct ipc_handlers {
    /* A message that is not the answer to a call of ours. The handler owns in->fd. */
    void (*message)(void *ctx, struct ipc *ch, const struct ipc_in *in);
    /* The peer is gone or broke the protocol; all calls have failed already. */
    void (*closed)(void *ctx, struct ipc *ch);
};

/* Speak as `self` with `peer` over `fd`, which the channel owns from now on. `t` outlives
 * the channel. */
struct ipc *ipc_new(struct loop *l, int fd, const struct ipc_table *t, uint8_t self,
                    uint8_t peer, const struct ipc_handlers *h, void *ctx);
/* Calls under way are forgotten without their callbacks. */
void ipc_free(struct ipc **ch);
/* Make the two ends: non-blocking, close-on-exec, big enough for IPC_FRAME_MAX. */
MUST_USE int ipc_pair(int fds[2], struct err *err);

/* Send without expecting an answer. `fd` -1 for none. 0, or -1 when the channel is full. */
MUST_USE int ipc_send(struct ipc *ch, uint16_t type, struct span payload, int fd);

/* The answer to a call, or in == NULL: no answer (time-out, peer gone, refused). */
typedef void (*ipc_answer_fn)(void *ctx, const struct ipc_in *in);
/* Ask. `cb` is called exactly once, later, from the loop, unless cancelled; also when the
 * channel is full. Never returns NULL. */
struct ipc_call *ipc_call(struct ipc *ch, uint16_t type, struct span payload, int fd,
                          int64_t deadline_ms, ipc_answer_fn cb, void *ctx);
/* Forget a call: `cb` will not be called. Sets *cp to NULL; harmless when NULL. */
void ipc_cancel(struct ipc_call **cp);
/* Answer `call`. 0, or -1 when the channel is full (the asker will time out). */
MUST_USE int ipc_reply(struct ipc *ch, uint64_t call, uint16_t type, struct span payload,
                       int fd);

#endif
