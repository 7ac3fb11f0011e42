/* SPDX-License-Identifier: ISC */
/* base/core/ipaddr.h - IPv4 and IPv6 addresses and prefixes as values. Pure. */
#ifndef BASE_CORE_IPADDR_H
#define BASE_CORE_IPADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/core/span.h"

#define IPADDR_TEXT         46 /* with NUL */
#define IPADDR_REVERSE_TEXT 75 /* "....ip6.arpa" with NUL, no final dot */

struct ipaddr {
    uint8_t family; /* AF_INET, AF_INET6, or 0 for "none" */
    uint8_t b[16];  /* network order; IPv4 uses the first 4, the rest is zero */
};

bool ipaddr_parse(struct span text, struct ipaddr *a);
void ipaddr_print(const struct ipaddr *a, char text[IPADDR_TEXT]);
bool ipaddr_eq(const struct ipaddr *a, const struct ipaddr *b);
bool ipaddr_is_loopback(const struct ipaddr *a);
/* RFC 1918, loopback, link-local, unique local, and other never-global ranges. */
bool ipaddr_is_private(const struct ipaddr *a);
/* True when the first `bits` of both are equal and the families agree. */
bool ipaddr_in_prefix(const struct ipaddr *a, const struct ipaddr *net, unsigned bits);
/* "192.0.2.0/24" or a bare address (32 or 128 bits). Host bits must be zero. */
bool ipaddr_parse_prefix(struct span text, struct ipaddr *net, unsigned *bits);
/* "1.2.0.192.in-addr.arpa" / nibbles under ip6.arpa (RFC 1035 3.5, RFC 3596 2.5). */
void ipaddr_reverse_name(const struct ipaddr *a, char text[IPADDR_REVERSE_TEXT]);
/* ::ffff:a.b.c.d becomes a.b.c.d; others unchanged. */
void ipaddr_unmap(struct ipaddr *a);

/* Socket addresses. `len` out: the length to pass to bind/connect. */
void ipaddr_to_sockaddr(const struct ipaddr *a, uint16_t port,
                        struct sockaddr_storage *ss, socklen_t *len);
bool ipaddr_from_sockaddr(const struct sockaddr *sa, struct ipaddr *a, uint16_t *port);
/* "127.0.0.1:25", "[::1]:25", "*:25" (family 0 = all addresses). */
bool ipaddr_parse_port(struct span text, struct ipaddr *a, uint16_t *port);

#endif
