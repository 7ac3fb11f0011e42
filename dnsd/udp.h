/* SPDX-License-Identifier: ISC */
/* dnsd/udp.h - datagrams in batches: receive many, answer in place, send many.
 *
 * Why:       the system calls cost more than the answers; 32 datagrams share two.
 * Ownership: a udp owns its descriptor; the batch belongs to the thread and is shared by
 *            its sockets.
 * Threads:   one thread's loop. */
#ifndef DNSD_UDP_H
#define DNSD_UDP_H

#include "base/io/loop.h"
#include "dnsd/grace.h"
#include "dnsd/query.h"

struct udp;
struct udp_batch;

/* What an answering thread has, for its sockets. */
struct answerer {
    struct loop *loop;
    struct query_ctx query;
    struct grace *grace;
    unsigned number;     /* as a reader of `grace` */
    int64_t tcp_idle_ms; /* 0: TCP_IDLE_MS; a test waits less */
};

struct udp_batch *udp_batch_new(void);
void udp_batch_free(struct udp_batch **b);

/* Answer on `fd` from now on. */
struct udp *udp_new(const struct answerer *who, struct udp_batch *batch, int fd);
void udp_free(struct udp **u);

#endif
