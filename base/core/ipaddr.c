/* SPDX-License-Identifier: ISC */
/* base/core/ipaddr.c - IPv4 and IPv6 addresses and prefixes as values; see ipaddr.h.
 *
 * inet_pton and inet_ntop do the text: they are pure, take no zone index and no short
 * forms such as "127.1". */
#include "base/core/ipaddr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

static unsigned address_bits(const struct ipaddr *a)
{
    return a->family == AF_INET ? 32 : 128;
}

bool ipaddr_parse(struct span text, struct ipaddr *a)
{
    char copy[IPADDR_TEXT];
    struct ipaddr parsed = {0};

    if (!span_copy(text, copy, sizeof copy))
        return false;
    parsed.family = span_index(text, ':') == -1 ? AF_INET : AF_INET6;
    if (inet_pton(parsed.family, copy, parsed.b) != 1)
        return false;
    *a = parsed;
    return true;
}

void ipaddr_print(const struct ipaddr *a, char text[IPADDR_TEXT])
{
    if (a->family == 0 || inet_ntop(a->family, a->b, text, IPADDR_TEXT) == NULL)
        memcpy(text, "none", sizeof "none");
}

bool ipaddr_eq(const struct ipaddr *a, const struct ipaddr *b)
{
    return a->family == b->family && memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool ipaddr_in_prefix(const struct ipaddr *a, const struct ipaddr *net, unsigned bits)
{
    size_t whole = bits / 8;
    unsigned rest = bits % 8;

    if (a->family == 0 || a->family != net->family || bits > address_bits(a))
        return false;
    return memcmp(a->b, net->b, whole) == 0 &&
           (rest == 0 || (a->b[whole] ^ net->b[whole]) >> (8 - rest) == 0);
}

struct range {
    struct ipaddr net;
    unsigned bits;
};

static bool in_ranges(const struct ipaddr *a, const struct range *ranges, size_t n)
{
    struct ipaddr plain = *a;

    ipaddr_unmap(&plain);
    for (size_t i = 0; i < n; i++)
        if (ipaddr_in_prefix(&plain, &ranges[i].net, ranges[i].bits))
            return true;
    return false;
}

/* clang-format off */
bool ipaddr_is_loopback(const struct ipaddr *a)
{
    static const struct range loopback[] = {
        {{AF_INET, {127}}, 8},
        {{AF_INET6, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}, 128},
    };

    return in_ranges(a, loopback, COUNT_OF(loopback));
}

bool ipaddr_is_private(const struct ipaddr *a)
{
    /* The IANA special-purpose registries (RFC 6890), "globally reachable: false", and
     * multicast, from which no mail can come. */
    static const struct range never_global[] = {
        {{AF_INET, {0}}, 8},             /* this network */
        {{AF_INET, {10}}, 8},            /* RFC 1918 */
        {{AF_INET, {100, 64}}, 10},      /* RFC 6598 carrier-grade NAT */
        {{AF_INET, {127}}, 8},
        {{AF_INET, {169, 254}}, 16},     /* RFC 3927 link-local */
        {{AF_INET, {172, 16}}, 12},      /* RFC 1918 */
        {{AF_INET, {192, 0, 0}}, 24},    /* RFC 6890 2.1 */
        {{AF_INET, {192, 0, 2}}, 24},    /* RFC 5737 documentation */
        {{AF_INET, {192, 168}}, 16},     /* RFC 1918 */
        {{AF_INET, {198, 18}}, 15},      /* RFC 2544 benchmarks */
        {{AF_INET, {198, 51, 100}}, 24}, /* RFC 5737 */
        {{AF_INET, {203, 0, 113}}, 24},  /* RFC 5737 */
        {{AF_INET, {224}}, 4},           /* multicast */
        {{AF_INET, {240}}, 4},           /* reserved, broadcast */
        {{AF_INET6, {0}}, 127},          /* :: and ::1 */
        {{AF_INET6, {0, 0x64, 0xff, 0x9b, 0, 1}}, 48}, /* RFC 8215 */
        {{AF_INET6, {1}}, 64},           /* RFC 6666 discard-only */
        {{AF_INET6, {0x20, 1, 0, 2}}, 48},             /* RFC 5180 benchmarks */
        {{AF_INET6, {0x20, 1, 0x0d, 0xb8}}, 32},       /* RFC 3849 documentation */
        {{AF_INET6, {0x3f, 0xff}}, 20},  /* RFC 9637 documentation */
        {{AF_INET6, {0x5f}}, 16},        /* RFC 9602 SRv6 SIDs */
        {{AF_INET6, {0xfc}}, 7},         /* RFC 4193 unique local */
        {{AF_INET6, {0xfe, 0x80}}, 10},  /* link-local */
        {{AF_INET6, {0xff}}, 8},         /* multicast */
    };

    return in_ranges(a, never_global, COUNT_OF(never_global));
}
/* clang-format on */

bool ipaddr_parse_prefix(struct span text, struct ipaddr *net, unsigned *bits)
{
    struct span addr;
    struct span len;
    struct ipaddr a;
    uint64_t n;

    if (span_cut(text, '/', &addr, &len)) {
        if (!ipaddr_parse(addr, &a) || !span_to_u64(len, address_bits(&a), &n))
            return false;
    } else {
        if (!ipaddr_parse(text, &a))
            return false;
        n = address_bits(&a);
    }
    for (unsigned i = (unsigned)n; i < address_bits(&a); i++)
        if ((a.b[i / 8] & 0x80u >> i % 8) != 0)
            return false;
    *net = a;
    *bits = (unsigned)n;
    return true;
}

void ipaddr_reverse_name(const struct ipaddr *a, char text[IPADDR_REVERSE_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;

    assert(a->family != 0);
    if (a->family == AF_INET) {
        (void)snprintf(text, IPADDR_REVERSE_TEXT, "%u.%u.%u.%u.in-addr.arpa", a->b[3],
                       a->b[2], a->b[1], a->b[0]);
        return;
    }
    for (size_t i = 16; i > 0; i--) {
        text[at++] = digits[a->b[i - 1] & 15];
        text[at++] = '.';
        text[at++] = digits[a->b[i - 1] >> 4];
        text[at++] = '.';
    }
    memcpy(text + at, "ip6.arpa", sizeof "ip6.arpa");
}

void ipaddr_unmap(struct ipaddr *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (a->family != AF_INET6 || memcmp(a->b, mapped, sizeof mapped) != 0)
        return;
    a->family = AF_INET;
    memmove(a->b, a->b + 12, 4);
    memset(a->b + 4, 0, 12);
}

void ipaddr_to_sockaddr(const struct ipaddr *a, uint16_t port,
                        struct sockaddr_storage *ss, socklen_t *len)
{
    memset(ss, 0, sizeof *ss);
    if (a->family == AF_INET) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

        memcpy(&in.sin_addr, a->b, 4);
        memcpy(ss, &in, sizeof in);
        *len = sizeof in;
    } else {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

        assert(a->family == AF_INET6); /* "all addresses" is the caller's two sockets */
        memcpy(&in6.sin6_addr, a->b, 16);
        memcpy(ss, &in6, sizeof in6);
        *len = sizeof in6;
    }
}

bool ipaddr_from_sockaddr(const struct sockaddr *sa, struct ipaddr *a, uint16_t *port)
{
    *a = (struct ipaddr){0};
    *port = 0;
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, sa, sizeof in);
        memcpy(a->b, &in.sin_addr, 4);
        *port = ntohs(in.sin_port);
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, sa, sizeof in6);
        memcpy(a->b, &in6.sin6_addr, 16);
        *port = ntohs(in6.sin6_port);
    } else {
        return false;
    }
    a->family = (uint8_t)sa->sa_family;
    return true;
}

bool ipaddr_parse_port(struct span text, struct ipaddr *a, uint16_t *port)
{
    ptrdiff_t colon = span_rindex(text, ':');
    struct ipaddr parsed = {0};
    struct span host;
    uint64_t n;

    if (colon == -1 || !span_to_u64(span_drop(text, (size_t)colon + 1), UINT16_MAX, &n))
        return false;
    host = span_take(text, (size_t)colon);
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') {
        if (!ipaddr_parse(span_take(span_drop(host, 1), host.n - 2), &parsed) ||
            parsed.family != AF_INET6)
            return false;
    } else if (!span_eq_str(host, "*")) {
        /* Without brackets "::1:25" would be ambiguous, so IPv6 needs them. */
        if (!ipaddr_parse(host, &parsed) || parsed.family != AF_INET)
            return false;
    }
    *a = parsed;
    *port = (uint16_t)n;
    return true;
}
