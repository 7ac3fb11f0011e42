/* SPDX-License-Identifier: ISC */
#include "tests/bench/load/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

void wire_init(struct wire *w)
{
    w->fd = -1;
    w->at = w->n = 0;
}

bool wire_address(struct sockaddr_in *to, const char *address, unsigned long port)
{
    *to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return port > 0 && port < 65536 && inet_pton(AF_INET, address, &to->sin_addr) == 1;
}

bool wire_dial(struct wire *w, const struct sockaddr_in *to)
{
    const struct timeval limit = {.tv_sec = WIRE_TIMEOUT_S};
    int one = 1;

    w->at = w->n = 0;
    w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (w->fd == -1)
        return false;
    (void)setsockopt(w->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    (void)setsockopt(w->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    (void)setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(w->fd, (const struct sockaddr *)to, sizeof(*to)) == 0)
        return true;
    wire_hang_up(w);
    return false;
}

void wire_hang_up(struct wire *w)
{
    if (w->fd != -1)
        (void)close(w->fd);
    wire_init(w);
}

bool wire_send(struct wire *w, struct span octets)
{
    while (octets.n > 0) {
        ssize_t sent = send(w->fd, octets.p, octets.n, MSG_NOSIGNAL);

        if (sent == -1 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        octets = span_drop(octets, (size_t)sent);
    }
    return true;
}

/* More octets behind those that are there; what was read makes room first. */
static bool fill(struct wire *w)
{
    ssize_t got;

    if (w->at > 0) {
        memmove(w->in, w->in + w->at, w->n - w->at);
        w->n -= w->at;
        w->at = 0;
    }
    if (w->n == sizeof(w->in))
        return false;
    do
        got = recv(w->fd, w->in + w->n, sizeof(w->in) - w->n, 0);
    while (got == -1 && errno == EINTR);
    if (got <= 0)
        return false;
    w->n += (size_t)got;
    return true;
}

bool wire_line(struct wire *w, struct span *line)
{
    size_t looked = 0;

    for (;;) {
        const uint8_t *from = w->in + w->at;
        const uint8_t *lf = memchr(from + looked, '\n', w->n - w->at - looked);

        if (lf != NULL) {
            size_t len = (size_t)(lf - from);

            w->at += len + 1;
            *line = span_of(from, len > 0 && from[len - 1] == '\r' ? len - 1 : len);
            return true;
        }
        looked = w->n - w->at;
        if (!fill(w))
            return false;
    }
}

bool wire_take(struct wire *w, size_t n, struct span *octets)
{
    while (w->n - w->at < n)
        if (!fill(w))
            return false;
    *octets = span_of(w->in + w->at, n);
    w->at += n;
    return true;
}

int wire_smtp_reply(struct wire *w)
{
    struct span line;
    int code = 0;

    do {
        if (!wire_line(w, &line))
            return 0;
    } while (line.n > 3 && line.p[3] == '-');
    for (size_t i = 0; i < 3 && line.n >= 3; i++)
        code = code * 10 + (line.p[i] - '0');
    return code;
}
