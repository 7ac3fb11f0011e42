/* SPDX-License-Identifier: ISC */
/* A packet in, a packet out, against zones compiled by us (dnsd/query.h, answer.h, edns.h,
 * zonetab.h). Input: the packet; by its first octet it is asked over UDP or TCP, then over the
 * other. */
#include <stdlib.h>

#include "base/core/mem.h"
#include "base/dns/message.h"
#include "tests/fuzz/dns_world.h"
#include "tests/fuzz/fuzz.h"

/* Octets that a UDP reply to this query may have: RFC 1035 4.2.1, RFC 6891 6.2.3. */
static size_t udp_max(struct span query)
{
    struct message m;
    struct message_rr rr;
    size_t max = 512;

    if (!message_open(&m, query))
        return max;
    while (message_next(&m, &rr) == MESSAGE_OK)
        if (rr.type == RR_OPT && rr.section == MESSAGE_ADDITIONAL && rr.class > max)
            max = rr.class;
    return max < QUERY_UDP_CAP ? max : QUERY_UDP_CAP;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const struct query_ctx *ctx = dns_world();
    struct span query = span_of(data, n);
    uint8_t *udp = mem_new(QUERY_TCP_CAP, 1), *tcp = mem_new(QUERY_TCP_CAP, 1);
    size_t n_udp = dns_ask(ctx, query, QUERY_UDP, true, udp);
    size_t n_tcp = dns_ask(ctx, query, QUERY_TCP, true, tcp);

    if (n <= QUERY_UDP_CAP) {
        bool is_cut = n_udp > 2 && (udp[2] & 2) != 0;

        LAW((n_udp == 0) == (n_tcp == 0), "both transports reply, or none");
        LAW(n_udp <= udp_max(query), "a UDP reply has the size that was allowed");
        LAW(n_tcp < 3 || (tcp[2] & 2) == 0, "TCP never truncates");
        LAW(n_udp <= n_tcp, "TCP says no less");
        if (n_udp > 3 && !is_cut)
            LAW((udp[3] & 0x0f) == (tcp[3] & 0x0f), "the same code over both");
    }
    free(udp);
    free(tcp);
    return 0;
}
