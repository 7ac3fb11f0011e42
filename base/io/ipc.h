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
 * the caller answers with its protocol's temporary failure. Callbacks may free the channel.
 *
 * A channel outlives its peers: it is down until ipc_plug() brings a socket, and down again
 * when that peer is gone. Meanwhile calls fail and nothing is queued; who comes next starts
 * with nothing under way, and what its predecessor asked is not answered to it. */
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

/* Row i has type i + 1, so that a type finds its row at once; ipc_new() asserts it. */
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
    /* The peer is gone or broke the protocol; all calls have failed already and the channel
     * is down. May be NULL. */
    void (*closed)(void *ctx, struct ipc *ch);
    /* ipc_plug() has brought a peer. May be NULL. */
    void (*opened)(void *ctx, struct ipc *ch);
};

/* Speak as `self` with `peer` over `fd`, which the channel owns from now on; -1: the
 * channel is down until ipc_plug(). `t` outlives the channel. */
struct ipc *ipc_new(struct loop *l, int fd, const struct ipc_table *t, uint8_t self,
                    uint8_t peer, const struct ipc_handlers *h, void *ctx);
/* The peer is at the other end of `fd` now, which the channel owns from here on. Who was there
 * before is gone first, with everything that goes with it (`closed`). */
void ipc_plug(struct ipc *ch, int fd);
bool ipc_is_up(const struct ipc *ch);
/* Role number of the peer, as given to ipc_new(). */
uint8_t ipc_peer(const struct ipc *ch);
/* Call `fn` when the peer breaks the protocol, before `closed`: it cannot be trusted any more
 * and should be ended, while one that is merely gone needs nothing. */
void ipc_on_breach(struct ipc *ch, void (*fn)(void *ctx, struct ipc *ch), void *ctx);
/* The peer broke the protocol in a way that the table cannot see (a payload that is none):
 * close the channel as if the table had seen it. `why` is a constant text. */
void ipc_break(struct ipc *ch, const char *why);
/* Calls under way are forgotten without their callbacks. */
void ipc_free(struct ipc **ch);
/* Make the two ends: non-blocking, close-on-exec, big enough for IPC_FRAME_MAX. */
MUST_USE int ipc_pair(int fds[2], struct err *err);

/* Send without expecting an answer. `fd` -1 for none. 0, or -1 when the channel is down or
 * full. */
MUST_USE int ipc_send(struct ipc *ch, uint16_t type, struct span payload, int fd);

/* The answer to a call, or in == NULL: no answer (time-out, peer gone, refused). */
typedef void (*ipc_answer_fn)(void *ctx, const struct ipc_in *in);
/* Ask. `cb` is called exactly once, later, from the loop, unless cancelled; also when the
 * channel is down or full. Never returns NULL. */
struct ipc_call *ipc_call(struct ipc *ch, uint16_t type, struct span payload, int fd,
                          int64_t deadline_ms, ipc_answer_fn cb, void *ctx);
/* Forget a call: `cb` will not be called. Sets *cp to NULL; harmless when NULL. */
void ipc_cancel(struct ipc_call **cp);
/* Answer `call`. 0, or -1 when the channel is full (the asker will time out). 0 also when the
 * asker is gone: there is nobody to be told. */
MUST_USE int ipc_reply(struct ipc *ch, uint64_t call, uint16_t type, struct span payload,
                       int fd);

#endif
