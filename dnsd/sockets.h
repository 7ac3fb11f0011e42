/* SPDX-License-Identifier: ISC */
/* dnsd/sockets.h - ports for DNS: one UDP and one TCP socket per thread and address.
 *
 * Why:       with SO_REUSEPORT the kernel spreads clients over threads without a lock
 *            between them; the options that make UDP answers safe are set in one place.
 * Ownership: descriptors are the caller's.
 * Threads:   no state. */
#ifndef DNSD_SOCKETS_H
#define DNSD_SOCKETS_H

#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/ipaddr.h"

/* Is the address free for both protocols? Asked once before sockets that share the port are
 * opened, since sharing would also let two servers split the clients between them.
 * 0, or -1 with *err: "dns 127.0.0.1:53: port taken by another program". */
MUST_USE int sockets_check_free(const struct ipaddr *addr, uint16_t port,
                                struct err *err);
/* Non-blocking, close-on-exec, sharing the port. Family 0 takes all IPv4 and IPv6
 * addresses and learns from the kernel to which one a query came (replies must come from
 * there, RFC 2181 4). -1 with *err. */
int sockets_open_udp(const struct ipaddr *addr, uint16_t port, struct err *err);
int sockets_open_tcp(const struct ipaddr *addr, uint16_t port, struct err *err);

#endif
