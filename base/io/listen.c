/* SPDX-License-Identifier: ISC */
/* base/io/listen.c - listening sockets. */
#include "base/io/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/core/mem.h"

enum {
    ACCEPT_BUDGET = 16, /* connections a wake-up */
    REST_MS = 250,      /* without descriptors */
    BACKLOG = 1024,     /* the kernel cuts it to net.core.somaxconn */
};

struct listener {
    struct loop *loop;
    int fd;
    const char *service;
    listener_fn cb;
    void *ctx;
    struct loop_io *io;
    struct loop_timer *rest;
    bool is_paused, is_resting;
    bool *is_gone; /* set by listener_free() while the callback runs */
};

static int explain(const char *service, const struct ipaddr *addr, uint16_t port,
                   struct err *err)
{
    char text[IPADDR_TEXT] = "*";
    bool is_v6 = addr->family == AF_INET6;
    const char *open = is_v6 ? "[" : "", *close = is_v6 ? "]" : "";

    if (addr->family != 0)
        ipaddr_print(addr, text);
    switch (errno) {
    case EADDRINUSE:
        (void)err_set(err, "%s %s%s%s:%u: port taken by another program", service, open,
                      text, close, port);
        break;
    case EADDRNOTAVAIL:
        (void)err_set(err, "%s %s%s%s:%u: this machine has no such address", service,
                      open, text, close, port);
        break;
    case EACCES:
        (void)err_set(err, "%s %s%s%s:%u: only root may use ports below 1024", service,
                      open, text, close, port);
        break;
    default:
        (void)err_sys(err, "%s %s%s%s:%u", service, open, text, close, port);
        break;
    }
    return -1;
}

int listen_open(const char *service, const struct ipaddr *addr, uint16_t port,
                struct err *err)
{
    struct ipaddr any = {.family = AF_INET6};
    const struct ipaddr *a = addr->family == 0 ? &any : addr;
    int on = 1, v6only = addr->family != 0;
    struct sockaddr_storage ss;
    socklen_t n;
    int fd = socket(a->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd == -1)
        return explain(service, addr, port, err);
    ipaddr_to_sockaddr(a, port, &ss, &n);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
        (a->family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)) == -1) ||
        bind(fd, (struct sockaddr *)&ss, n) == -1 || listen(fd, BACKLOG) == -1) {
        (void)explain(service, addr, port, err);
        (void)close(fd);
        return -1;
    }
    return fd;
}

uint16_t listen_port(int fd)
{
    struct sockaddr_storage ss;
    socklen_t n = sizeof(ss);
    struct ipaddr addr;
    uint16_t port = 0;

    if (getsockname(fd, (struct sockaddr *)&ss, &n) == -1 ||
        !ipaddr_from_sockaddr((struct sockaddr *)&ss, &addr, &port))
        return 0;
    return port;
}

static void choose_watch(struct listener *s)
{
    loop_io_watch(s->io, s->is_paused || s->is_resting ? 0 : LOOP_READ);
}

static void on_rested(void *ctx)
{
    struct listener *s = ctx;

    s->is_resting = false;
    choose_watch(s);
}

/* EMFILE and the like: the connection stays in the backlog, and the socket readable; without
 * a rest the loop would turn for nothing. */
static void rest(struct listener *s, int sys)
{
    log_event(loop_log(s->loop), LOG_LISTEN_EXHAUSTED, LOGF_S("service", s->service),
              LOGF_S("error", strerror(sys)));
    s->is_resting = true;
    loop_timer_set(s->rest, REST_MS);
    choose_watch(s);
}

static void on_ready(void *ctx, unsigned what)
{
    struct listener *s = ctx;
    bool is_gone = false;

    (void)what;
    s->is_gone = &is_gone;
    for (unsigned i = 0; i < ACCEPT_BUDGET && !s->is_paused; i++) {
        struct sockaddr_storage ss;
        socklen_t n = sizeof(ss);
        struct ipaddr peer;
        uint16_t port = 0;
        int fd = accept4(s->fd, (struct sockaddr *)&ss, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd == -1) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                rest(s, errno);
            else if (errno != EAGAIN && errno != EWOULDBLOCK)
                continue; /* that connection's own trouble (ECONNABORTED, EPROTO...) */
            break;
        }
        memset(&peer, 0, sizeof(peer));
        if (ipaddr_from_sockaddr((struct sockaddr *)&ss, &peer, &port))
            ipaddr_unmap(&peer);
        s->cb(s->ctx, fd, &peer, port);
        if (is_gone)
            return;
    }
    s->is_gone = NULL;
}

struct listener *listener_new(struct loop *l, int fd, const char *service, listener_fn cb,
                              void *ctx)
{
    struct listener *s = mem_new(1, sizeof(*s));

    s->loop = l;
    s->fd = fd;
    s->service = service;
    s->cb = cb;
    s->ctx = ctx;
    s->rest = loop_timer_new(l, "listen.rest", on_rested, s);
    s->io = loop_io_new(l, fd, "listen.accept", on_ready, s);
    choose_watch(s);
    return s;
}

void listener_pause(struct listener *s, bool is_paused)
{
    s->is_paused = is_paused;
    choose_watch(s);
}

void listener_free(struct listener **sp)
{
    struct listener *s = *sp;

    if (s == NULL)
        return;
    *sp = NULL;
    if (s->is_gone != NULL)
        *s->is_gone = true;
    loop_io_free(&s->io);
    loop_timer_free(&s->rest);
    (void)close(s->fd);
    free(s);
}
