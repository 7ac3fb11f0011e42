/* SPDX-License-Identifier: ISC */
/* dnsd/tcp.h - DNS over TCP (RFC 7766): pipelining, and limits for slow and greedy clients.
 *
 * Why:       large answers and truncated ones come this way; a client that sends an octet a
 *            minute or never reads must cost nothing but its own connection.
 * Ownership: a tcp owns its listening descriptor and all its connections.
 * Threads:   one thread's loop. */
#ifndef DNSD_TCP_H
#define DNSD_TCP_H

#include "dnsd/udp.h"

/* Per answering thread. */
#define TCP_CONNECTIONS            512
#define TCP_CONNECTIONS_PER_CLIENT 64
#define TCP_IDLE_MS                10000 /* since the last whole query (RFC 7766 6.2.3) */

struct tcp_pool; /* the connections of one thread, over all its listening sockets */

struct tcp_pool *tcp_pool_new(const struct answerer *who);
void tcp_pool_free(struct tcp_pool **p);
/* Accept on `fd`, which the pool takes over. */
void tcp_pool_listen(struct tcp_pool *p, int fd);

#endif
