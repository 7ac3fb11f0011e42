/* SPDX-License-Identifier: ISC */
/* tests/bench/smtpnull.c - takes mail and forgets it: the sink of a relay, and the ceiling.
 *
 *     smtpnull -p PORT [-a 127.0.0.1] [-l LOGFILE] [-c COUNTFILE]
 *
 * One thread, one loop, no checks: every command is well, every message ends at CRLF.CRLF.
 * With -l all messages of one turn of the loop are appended to LOGFILE with one fdatasync
 * before their 250: what a server could reach that only keeps its promise. With -c the number
 * of messages taken stands in COUNTFILE as 8 octets, to be read while this runs. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/core/span.h"
#include "tests/bench/load/wire.h"

enum { EVENTS = 256, ROOM = 1 << 18, BACKLOG = 1024, LINE = 4096 };

struct peer {
    int fd;
    bool is_data, is_ended;
    unsigned matched; /* octets of CR LF . CR LF seen so far */
    size_t n;         /* of the command line */
    char line[LINE];
    struct peer *waiting; /* next of those whose 250 is due */
};

struct sink {
    int epoll, listener, log_fd;
    struct peer *due;
    atomic_ullong *count;
    uint8_t room[ROOM];
};

static void say(struct peer *p, const char *text)
{
    if (send(p->fd, text, strlen(text), MSG_NOSIGNAL) == -1)
        p->is_ended = true;
}

static void watch(struct sink *s, int fd, void *who)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = who};

    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e) == -1)
        abort();
}

static void take_peers(struct sink *s)
{
    int one = 1;

    for (int fd;
         (fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1;) {
        struct peer *p = mem_new(1, sizeof(*p));

        p->fd = fd;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        watch(s, fd, p);
        say(p, "220 sink.test ESMTP\r\n");
    }
}

/* Octets of the message up to and with its end; is_data is false then. */
static size_t take_data(struct peer *p, struct span in)
{
    static const char end[] = "\r\n.\r\n";

    for (size_t i = 0; i < in.n; i++) {
        char c = (char)in.p[i];

        if (c == end[p->matched])
            p->matched++;
        else
            p->matched = c == '\r' ? 1 : 0;
        if (p->matched == sizeof(end) - 1) {
            p->is_data = false;
            return i + 1;
        }
    }
    return in.n;
}

static void command(struct peer *p)
{
    switch (p->line[0] | 32) {
    case 'd':
        p->is_data = true;
        p->matched = 2; /* a dot may come first */
        say(p, "354 go on\r\n");
        break;
    case 'q':
        say(p, "221 bye\r\n");
        p->is_ended = true;
        break;
    case 'e':
        say(p, "250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE\r\n");
        break;
    default:
        say(p, "250 well\r\n");
    }
    p->n = 0;
}

static size_t take_line(struct peer *p, struct span in)
{
    const uint8_t *lf = memchr(in.p, '\n', in.n);
    size_t n = lf != NULL ? (size_t)(lf - in.p) + 1 : in.n;

    if (n >= sizeof(p->line) - p->n) {
        p->is_ended = true;
        return in.n;
    }
    memcpy(p->line + p->n, in.p, n);
    p->n += n;
    if (lf != NULL)
        command(p);
    return n;
}

static void take(struct sink *s, struct peer *p)
{
    ssize_t got = recv(p->fd, s->room, sizeof(s->room), 0);
    struct span in = span_of(s->room, got > 0 ? (size_t)got : 0);

    p->is_ended = got == 0 || (got == -1 && errno != EAGAIN);
    while (in.n > 0 && !p->is_ended) {
        bool was_data = p->is_data;
        size_t n = was_data ? take_data(p, in) : take_line(p, in);

        if (was_data && s->log_fd != -1 && write(s->log_fd, in.p, n) != (ssize_t)n)
            abort(); /* the disk is full: no figure comes of this */
        if (was_data && !p->is_data) {
            p->waiting = s->due;
            s->due = p;
        }
        in = span_drop(in, n);
    }
}

/* Every message that ended in this turn: one sync, then the replies. */
static void settle(struct sink *s)
{
    if (s->due != NULL && s->log_fd != -1 && fdatasync(s->log_fd) == -1)
        abort();
    while (s->due != NULL) {
        struct peer *p = s->due;

        s->due = p->waiting;
        (void)atomic_fetch_add(s->count, 1);
        say(p, "250 taken\r\n");
    }
}

static void turn(struct sink *s)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(s->epoll, events, EVENTS, -1);

    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == NULL)
            take_peers(s);
        else
            take(s, events[i].data.ptr);
    }
    settle(s);
    for (int i = 0; i < n; i++) {
        struct peer *p = events[i].data.ptr;

        if (p != NULL && p->is_ended) {
            (void)close(p->fd);
            free(p);
        }
    }
}

static bool open_sink(struct sink *s, const struct sockaddr_in *at, const char *log,
                      const char *count)
{
    int one = 1;
    int fd;

    s->log_fd =
        log != NULL ? open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    fd = open(count != NULL ? count : "/dev/zero", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd == -1 || (log != NULL && s->log_fd == -1) ||
        (count != NULL && ftruncate(fd, sizeof(*s->count)) == -1))
        return false;
    s->count = mmap(NULL, sizeof(*s->count), PROT_READ | PROT_WRITE,
                    count != NULL ? MAP_SHARED : MAP_PRIVATE, fd, 0);
    (void)close(fd);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    (void)setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    return s->count != MAP_FAILED &&
           bind(s->listener, (const struct sockaddr *)at, sizeof(*at)) == 0 &&
           listen(s->listener, BACKLOG) == 0;
}

int main(int argc, char **argv)
{
    struct sink *s = mem_new(1, sizeof(*s));
    const char *address = "127.0.0.1";
    const char *log = NULL;
    const char *count = NULL;
    unsigned long port = 0;
    struct sockaddr_in at;
    int c;

    while ((c = getopt(argc, argv, "a:p:l:c:")) != -1) {
        if (c == 'a')
            address = optarg;
        else if (c == 'p')
            port = strtoul(optarg, NULL, 10);
        else if (c == 'l')
            log = optarg;
        else if (c == 'c')
            count = optarg;
        else
            port = 0;
    }
    if (!wire_address(&at, address, port) || !open_sink(s, &at, log, count)) {
        (void)fputs("usage: smtpnull -p PORT [-a ADDRESS] [-l LOGFILE] [-c COUNTFILE] "
                    "(PORT free, files writable)\n",
                    stderr);
        return 2;
    }
    watch(s, s->listener, NULL);
    for (;;)
        turn(s);
}
