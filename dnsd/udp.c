/* SPDX-License-Identifier: ISC */
/* Design: one wake-up does at most ROUNDS times: recvmmsg, answer each datagram where it
 * lies, sendmmsg of those that have an answer. The reply goes out with the very address (and
 * control data: the local address, on a `*` socket) that the query came with. Nothing is
 * allocated; only headers that were used are reset.
 *
 * The zones are entered once a batch (dnsd/grace.h) and left before sending: replies are
 * copies. */
#include "dnsd/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/core/mem.h"

enum {
    BATCH = 32,
    ROUNDS = 8,      /* then TCP and timers get their turn */
    DATAGRAM = 4096, /* plenty for a query; the reply is at most QUERY_UDP_CAP */
    CONTROL = 64,    /* one IPV6_PKTINFO */
    SEND_WAIT_MS = 2,
};

_Static_assert((int)DATAGRAM >= QUERY_UDP_CAP, "replies are built in place");

struct udp_batch {
    struct mmsghdr in[BATCH];
    struct mmsghdr out[BATCH];
    struct iovec iov[BATCH];
    struct sockaddr_storage peer[BATCH];
    _Alignas(struct cmsghdr) uint8_t control[BATCH][CONTROL];
    _Alignas(64) uint8_t data[BATCH][DATAGRAM];
};

struct udp {
    const struct answerer *who;
    struct udp_batch *batch;
    struct loop_io *io;
    int fd;
};

static void reset(struct udp_batch *b, unsigned i)
{
    struct msghdr *m = &b->in[i].msg_hdr;

    m->msg_name = &b->peer[i];
    m->msg_namelen = sizeof(b->peer[i]);
    m->msg_iov = &b->iov[i];
    m->msg_iovlen = 1;
    m->msg_control = b->control[i];
    m->msg_controllen = CONTROL;
    m->msg_flags = 0;
    b->iov[i].iov_base = b->data[i];
    b->iov[i].iov_len = DATAGRAM;
}

struct udp_batch *udp_batch_new(void)
{
    struct udp_batch *b = aligned_alloc(_Alignof(struct udp_batch), sizeof(*b));

    if (b == NULL)
        abort();
    memset(b, 0, sizeof(*b));
    for (unsigned i = 0; i < BATCH; i++)
        reset(b, i);
    return b;
}

void udp_batch_free(struct udp_batch **b)
{
    free(*b);
    *b = NULL;
}

/* A reply to port 0 cannot be sent. */
static bool has_port(const struct sockaddr_storage *peer)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)peer;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)peer;

    return (peer->ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port) != 0;
}

/* Answer from the address the query was sent to, by whatever way leads to the client. */
static void keep_local_address(struct msghdr *m)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);

    if (c != NULL && c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo info;

        memcpy(&info, CMSG_DATA(c), sizeof(info));
        if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
            info.ipi6_ifindex = 0;
        memcpy(CMSG_DATA(c), &info, sizeof(info));
        return;
    }
    m->msg_control = NULL;
    m->msg_controllen = 0;
}

/* Answer datagrams [0, n); gather those that have a reply in `out`. Returns how many. */
static unsigned answer_batch(struct udp *u, unsigned n)
{
    struct udp_batch *b = u->batch;
    unsigned n_out = 0;

    grace_enter(u->who->grace, u->who->number);
    for (unsigned i = 0; i < n; i++) {
        size_t len = query_answer(&u->who->query, b->data[i], b->in[i].msg_len, DATAGRAM,
                                  QUERY_UDP);

        if (len == 0 || !has_port(&b->peer[i]))
            continue;
        b->iov[i].iov_len = len;
        b->out[n_out] = b->in[i];
        keep_local_address(&b->out[n_out].msg_hdr);
        n_out++;
    }
    grace_leave(u->who->grace, u->who->number);
    return n_out;
}

/* A full buffer is waited for shortly; a reply that cannot be sent at all (a firewall says
 * no, no route) is skipped so that it does not hold up the others. */
static void send_batch(struct udp *u, unsigned n)
{
    unsigned done = 0;
    bool has_waited = false;

    while (done < n) {
        int sent = sendmmsg(u->fd, u->batch->out + done, n - done, MSG_DONTWAIT);

        if (sent > 0) {
            done += (unsigned)sent;
            continue;
        }
        if (sent == -1 && errno == EINTR)
            continue;
        if (sent == -1 && (errno == EAGAIN || errno == ENOBUFS) && !has_waited) {
            struct pollfd p = {u->fd, POLLOUT, 0};

            has_waited = true;
            (void)poll(&p, 1, SEND_WAIT_MS);
            continue;
        }
        stats_add(u->who->query.stats, STAT_UDP_SEND_LOST, 1);
        done++;
    }
}

static void on_readable(void *ctx, unsigned what)
{
    struct udp *u = ctx;

    (void)what;
    for (int round = 0; round < ROUNDS; round++) {
        int n = recvmmsg(u->fd, u->batch->in, BATCH, MSG_DONTWAIT, NULL);

        if (n <= 0)
            return;
        send_batch(u, answer_batch(u, (unsigned)n));
        for (unsigned i = 0; i < (unsigned)n; i++)
            reset(u->batch, i);
        if (n < BATCH / 2)
            return; /* most likely nothing is left: spare the call that says so */
    }
}

struct udp *udp_new(const struct answerer *who, struct udp_batch *batch, int fd)
{
    struct udp *u = mem_new(1, sizeof(*u));

    u->who = who;
    u->batch = batch;
    u->fd = fd;
    u->io = loop_io_new(who->loop, fd, "udp", on_readable, u);
    loop_io_watch(u->io, LOOP_READ);
    return u;
}

void udp_free(struct udp **u)
{
    if (*u == NULL)
        return;
    loop_io_free(&(*u)->io);
    (void)close((*u)->fd);
    free(*u);
    *u = NULL;
}
