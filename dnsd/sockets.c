/* SPDX-License-Identifier: ISC */
#include "dnsd/sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_OCTETS = 4 << 20, BACKLOG = 511, MTU_IPV6 = 1280 };

/* An option that may fail: an old kernel, a container, a limit. */
static void try_option(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof(value));
}

static const char *where(const struct ipaddr *addr, uint16_t port, char text[64])
{
    char bare[IPADDR_TEXT] = "*";

    if (addr->family != 0)
        ipaddr_print(addr, bare);
    (void)snprintf(text, 64, addr->family == AF_INET6 ? "[%s]:%u" : "%s:%u", bare, port);
    return text;
}

static int fail(const char *what, const struct ipaddr *addr, uint16_t port,
                struct err *err)
{
    char text[64];

    (void)where(addr, port, text);
    if (errno == EADDRINUSE)
        return err_set(err, "dns %s %s: port taken by another program", what, text);
    if (errno == EACCES)
        return err_set(err,
                       "dns %s %s: not allowed; ports below 1024 need root or "
                       "CAP_NET_BIND_SERVICE",
                       what, text);
    if (errno == EADDRNOTAVAIL)
        return err_set(err, "dns %s %s: this machine does not have the address", what,
                       text);
    return err_sys(err, "dns %s %s", what, text);
}

/* `*` is one IPv6 socket that takes IPv4 too. */
static int open_bound(const struct ipaddr *addr, uint16_t port, int type, bool is_shared)
{
    struct ipaddr any = {.family = AF_INET6};
    struct sockaddr_storage ss;
    socklen_t len;
    int fd;
    int saved;

    ipaddr_to_sockaddr(addr->family != 0 ? addr : &any, port, &ss, &len);
    fd = socket(ss.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return -1;
    if (ss.ss_family == AF_INET6)
        try_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, addr->family != 0);
    if (type == SOCK_STREAM)
        try_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (is_shared)
        try_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (bind(fd, (const struct sockaddr *)&ss, len) == 0)
        return fd;
    saved = errno;
    (void)close(fd);
    errno = saved;
    return -1;
}

int sockets_check_free(const struct ipaddr *addr, uint16_t port, struct err *err)
{
    int fd = open_bound(addr, port, SOCK_DGRAM, false);

    if (fd == -1)
        return fail("udp", addr, port, err);
    (void)close(fd);
    fd = open_bound(addr, port, SOCK_STREAM, false);
    if (fd == -1)
        return fail("tcp", addr, port, err);
    if (listen(fd, 1) == -1) { /* with SO_REUSEADDR only listening tells */
        (void)fail("tcp", addr, port, err);
        (void)close(fd);
        return -1;
    }
    (void)close(fd);
    return 0;
}

/* Replies go out without "don't fragment" and without believing ICMP about path sizes,
 * which strangers can forge (DNS flag day 2020, RFC 9715). */
static void set_udp_options(int fd, const struct ipaddr *addr)
{
    try_option(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_OCTETS);
    try_option(fd, SOL_SOCKET, SO_SNDBUF, BUFFER_OCTETS);
    try_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_OCTETS);
    try_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_OCTETS);
    if (addr->family != AF_INET) {
        try_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
        try_option(fd, IPPROTO_IPV6, IPV6_MTU, MTU_IPV6);
    }
    if (addr->family != AF_INET6)
        try_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
    if (addr->family == 0)
        try_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

int sockets_open_udp(const struct ipaddr *addr, uint16_t port, struct err *err)
{
    int fd = open_bound(addr, port, SOCK_DGRAM, true);

    if (fd == -1)
        return fail("udp", addr, port, err);
    set_udp_options(fd, addr);
    return fd;
}

int sockets_open_tcp(const struct ipaddr *addr, uint16_t port, struct err *err)
{
    int fd = open_bound(addr, port, SOCK_STREAM, true);

    if (fd == -1)
        return fail("tcp", addr, port, err);
    try_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (listen(fd, BACKLOG) == 0)
        return fd;
    (void)fail("tcp", addr, port, err);
    (void)close(fd);
    return -1;
}
