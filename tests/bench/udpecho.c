/* SPDX-License-Identifier: ISC */
/* tests/bench/udpecho.c - the ceiling of a name server: each datagram comes back as it was.
 *
 *     udpecho PORT [REPLY_OCTETS]
 *
 * Batches of 32 (recvmmsg, sendmmsg), the QR bit set, padded with what lies behind to
 * REPLY_OCTETS. What a server takes beyond this is its own. Runs until it is ended. */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/core/mem.h"

enum { BATCH = 32, ROOM = 2048, HEADER = 12 };

struct echo {
    int fd;
    size_t reply;
    struct mmsghdr messages[BATCH];
    struct iovec iov[BATCH];
    struct sockaddr_in peers[BATCH];
    uint8_t octets[BATCH][ROOM];
};

static bool open_socket(struct echo *e, unsigned long port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int room = 4 << 20;

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    e->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(e->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    return e->fd != -1 && bind(e->fd, (const struct sockaddr *)&at, sizeof(at)) == 0;
}

static int take(struct echo *e)
{
    for (int i = 0; i < BATCH; i++) {
        e->iov[i] = (struct iovec){e->octets[i], ROOM};
        e->messages[i].msg_hdr = (struct msghdr){.msg_name = &e->peers[i],
                                                 .msg_namelen = sizeof(e->peers[i]),
                                                 .msg_iov = &e->iov[i],
                                                 .msg_iovlen = 1};
    }
    return recvmmsg(e->fd, e->messages, BATCH, MSG_WAITFORONE, NULL);
}

static void give(struct echo *e, int n)
{
    for (int i = 0; i < n; i++) {
        size_t got = e->messages[i].msg_len;

        e->octets[i][2] |= 0x80;
        e->iov[i].iov_len = got < e->reply ? e->reply : got;
    }
    for (int sent = 0; sent < n;) {
        int w = sendmmsg(e->fd, e->messages + sent, (unsigned)(n - sent), 0);

        if (w < 1)
            return;
        sent += w;
    }
}

int main(int argc, char **argv)
{
    struct echo *e = mem_new(1, sizeof(*e));

    if (argc > 2)
        e->reply = strtoul(argv[2], NULL, 10);
    if (argc < 2 || e->reply > ROOM || !open_socket(e, strtoul(argv[1], NULL, 10))) {
        (void)fputs("usage: udpecho PORT [REPLY_OCTETS] (PORT free on 127.0.0.1)\n",
                    stderr);
        return 2;
    }
    for (;;)
        give(e, take(e));
}
