/* SPDX-License-Identifier: ISC */
/* tests/bench/dnsload.c - queries in batches, and a judgement of every answer.
 *
 *     dnsload -p PORT -q QUERYFILE [-a 127.0.0.1] [-t SECONDS] [-r RATE] [-w WINDOW]
 *             [-s SOCKETS] [-T] [-B] [-E]
 *
 * QUERYFILE: "name type [rcode]" a line; rcode is NOERROR unless said, and then at least one
 * answer record is expected; NODATA is NOERROR with none. RATE 0 is as fast as WINDOW
 * outstanding queries allow. Cheaper per query than the server, so that the server is what is
 * measured. -T: over TCP, SOCKETS connections that are kept. -B: with -r, wait busily, for a
 * processor of its own. -E: the other side is udpecho, any octets will do.
 *
 * Every answer must be for a question that is outstanding on that socket, repeat it octet by
 * octet, be authoritative (unless REFUSED), have the rcode wanted, and parse to its last
 * octet; else it is `wrong`. Octets that were right for a question before are right again;
 * `changed`: right, but not those octets. `lost` queries got no answer; `own_drops` is what
 * this program's own sockets threw away (SO_RXQ_OVFL); `unexplained` = lost - own_drops is
 * what somebody else lost. `load` is this program's share of a processor.
 *
 * One JSON line; exit 0 when nothing was wrong or unexplained, 1 else, 2 for usage. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/core/clock.h"
#include "base/core/hash.h"
#include "base/core/mem.h"
#include "base/dns/message.h"
#include "tests/bench/load/busy.h"
#include "tests/bench/load/hist.h"
#include "tests/bench/load/questions.h"

enum {
    BATCH = 32,
    SOCKETS_MAX = 64,
    REPLY = 2048,
    STREAM = 1 << 18, /* of answers over TCP; holds a whole one of any size */
    IDS = 65536,
    GIVE_UP_US = 2000000, /* an answer that takes longer is lost, as for a resolver */
};

struct flight {
    int64_t sent_us; /* 0: nothing outstanding under this id */
    uint32_t question;
};

struct sock {
    int fd;
    uint16_t id;
    unsigned outstanding;
    int64_t last_us;
    uint32_t drops;
    struct flight flights[IDS];
    uint8_t *stream; /* TCP: what was read and not yet taken */
    size_t n_stream;
};

struct load {
    const char *address, *file;
    long port, seconds, rate, window, n_socks;
    bool is_tcp, is_busy, is_echo, is_broken;
    struct questions q;
    size_t next;
    struct sock *socks[SOCKETS_MAX];
    uint64_t sent, got, lost, wrong, changed, truncated, octets;
    uint64_t rcodes[16];
    struct hist hist;
    struct mmsghdr in[BATCH], out[BATCH];
    struct iovec in_iov[BATCH], out_iov[BATCH];
    uint8_t replies[BATCH][REPLY], queries[BATCH][2 + QUESTION_OCTETS_MAX];
    _Alignas(struct cmsghdr) uint8_t control[BATCH][64];
    struct question *batch[BATCH];
};

static int64_t now_us(void)
{
    return clock_mono_us(clock_system());
}

/* --- sockets --- */

static bool open_sockets(struct load *l)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)l->port)};
    int one = 1;
    int room = 4 << 20;

    if (inet_pton(AF_INET, l->address, &to.sin_addr) != 1)
        return false;
    for (long i = 0; i < l->n_socks; i++) {
        struct sock *s = mem_new(1, sizeof(*s));

        l->socks[i] = s;
        s->fd = socket(AF_INET, (l->is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
        if (s->fd == -1 || connect(s->fd, (const struct sockaddr *)&to, sizeof(to)) == -1)
            return false;
        if (l->is_tcp) {
            s->stream = mem_new(STREAM, 1);
            (void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
            continue;
        }
        (void)setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
        (void)setsockopt(s->fd, SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof(one));
    }
    return true;
}

static void set_up_messages(struct load *l)
{
    for (int i = 0; i < BATCH; i++) {
        l->in_iov[i] = (struct iovec){l->replies[i], REPLY};
        l->out_iov[i] = (struct iovec){l->queries[i] + 2, 0};
        l->in[i].msg_hdr.msg_iov = &l->in_iov[i];
        l->in[i].msg_hdr.msg_iovlen = 1;
        l->out[i].msg_hdr.msg_iov = &l->out_iov[i];
        l->out[i].msg_hdr.msg_iovlen = 1;
    }
}

/* --- judging --- */

static void judge(struct load *l, struct question *q, struct span reply)
{
    uint32_t sum = crc32c(0, span_drop(reply, 2));

    l->rcodes[reply.p[3] & 15]++;
    l->truncated += (reply.p[2] & 2) != 0;
    l->octets += reply.n;
    if (l->is_echo || (q->is_known && q->sum == sum))
        return;
    if (!question_is_right(&l->q, q, reply)) {
        l->wrong++;
        return;
    }
    l->changed += q->is_known;
    q->is_known = true;
    q->sum = sum;
}

/* --- the load --- */

/* The batch with its lengths, in one write; how many went, which is all or none. */
static int send_stream(struct load *l, struct sock *s, unsigned n)
{
    struct iovec iov[BATCH];
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = n};
    ssize_t want = 0;

    for (unsigned i = 0; i < n; i++) {
        size_t len = l->out_iov[i].iov_len;

        l->queries[i][0] = (uint8_t)(len >> 8);
        l->queries[i][1] = (uint8_t)(len & 0xff);
        iov[i] = (struct iovec){l->queries[i], len + 2};
        want += (ssize_t)len + 2;
    }
    if (sendmsg(s->fd, &m, MSG_NOSIGNAL) ==
        want) /* blocks while the server does not read */
        return (int)n;
    l->is_broken = true;
    return 0;
}

static void send_some(struct load *l, struct sock *s, int64_t now, unsigned n)
{
    int sent;

    for (unsigned i = 0; i < n; i++) {
        struct question *q = &l->q.at[(l->next + i) % l->q.n];
        uint16_t id = (uint16_t)(s->id + i);

        memcpy(l->queries[i] + 2, questions_packet(&l->q, q), q->len);
        l->queries[i][2] = (uint8_t)(id >> 8);
        l->queries[i][3] = (uint8_t)(id & 0xff);
        l->out_iov[i].iov_len = q->len;
    }
    sent = l->is_tcp ? send_stream(l, s, n) : sendmmsg(s->fd, l->out, n, MSG_DONTWAIT);
    for (int i = 0; i < sent; i++) {
        struct flight *f = &s->flights[s->id++];

        f->sent_us = now;
        f->question = (uint32_t)l->next;
        l->next = (l->next + 1) % l->q.n;
        if (s->outstanding++ == 0)
            s->last_us = now;
        l->sent++;
    }
}

static void note_drops(struct sock *s, struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL)
            memcpy(&s->drops, CMSG_DATA(c), sizeof(s->drops));
}

static void take_reply(struct load *l, struct sock *s, struct span reply, int64_t now)
{
    struct flight *f;

    if (reply.n < MESSAGE_HEADER) {
        l->wrong++;
        return;
    }
    f = &s->flights[reply.p[0] << 8 | reply.p[1]];
    if (f->sent_us == 0) { /* nobody asked, or given up already */
        l->wrong += f->question == UINT32_MAX ? 0 : 1;
        return;
    }
    hist_note(&l->hist, now - f->sent_us);
    l->got++;
    f->sent_us = 0;
    if (s->outstanding > 0)
        s->outstanding--;
    judge(l, &l->q.at[f->question], reply);
}

static bool receive_stream(struct load *l, struct sock *s)
{
    ssize_t r = recv(s->fd, s->stream + s->n_stream, STREAM - s->n_stream, MSG_DONTWAIT);
    size_t at = 0;

    if (r == -1 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (r <= 0) { /* closed: this load keeps its connections */
        l->is_broken = true;
        return false;
    }
    s->n_stream += (size_t)r;
    s->last_us = now_us();
    while (s->n_stream - at >= 2) {
        size_t len = (size_t)s->stream[at] << 8 | s->stream[at + 1];

        if (s->n_stream - at - 2 < len)
            break;
        take_reply(l, s, span_of(s->stream + at + 2, len), s->last_us);
        at += 2 + len;
    }
    s->n_stream -= at;
    memmove(s->stream, s->stream + at, s->n_stream);
    return true;
}

static bool receive_some(struct load *l, struct sock *s)
{
    int n;
    int64_t now;

    if (l->is_tcp)
        return receive_stream(l, s);
    for (int i = 0; i < BATCH; i++) {
        l->in[i].msg_hdr.msg_control = l->control[i];
        l->in[i].msg_hdr.msg_controllen = sizeof(l->control[i]);
    }
    n = recvmmsg(s->fd, l->in, BATCH, MSG_DONTWAIT, NULL);
    if (n <= 0)
        return false;
    now = s->last_us = now_us();
    for (int i = 0; i < n; i++) {
        note_drops(s, &l->in[i].msg_hdr);
        take_reply(l, s, span_of(l->replies[i], l->in[i].msg_len), now);
    }
    return true;
}

/* Answers that are this late will not come; a late one is then no wrong answer. */
static void give_up(struct load *l, struct sock *s)
{
    l->lost += s->outstanding;
    s->outstanding = 0;
    for (size_t i = 0; i < IDS; i++)
        if (s->flights[i].sent_us != 0)
            s->flights[i] = (struct flight){0, UINT32_MAX};
}

static unsigned allowed(const struct load *l, const struct sock *s, int64_t since_us)
{
    long n = l->window / l->n_socks - (long)s->outstanding;

    if (l->rate > 0) {
        long due = (long)((double)since_us * (double)l->rate / 1e6) - (long)l->sent;

        n = due < n ? due : n;
    }
    return n <= 0 ? 0 : (n > BATCH ? BATCH : (unsigned)n);
}

static double run(struct load *l)
{
    int64_t start = now_us();
    int64_t end = start + l->seconds * 1000000;
    int64_t now = start;
    uint64_t outstanding = 1;

    while (!l->is_broken && (now < end || (outstanding > 0 && now < end + GIVE_UP_US))) {
        bool was_idle = true;

        outstanding = 0;
        for (long i = 0; i < l->n_socks; i++) {
            struct sock *s = l->socks[i];
            unsigned n = now < end ? allowed(l, s, now - start) : 0;

            if (n > 0)
                send_some(l, s, now, n);
            was_idle &= !receive_some(l, s) && n == 0;
            if (s->outstanding > 0 && now - s->last_us > GIVE_UP_US)
                give_up(l, s);
            outstanding += s->outstanding;
        }
        if (was_idle && l->rate > 0 && !l->is_busy)
            (void)usleep(100); /* leave the processor to the server */
        now = now_us();
    }
    for (long i = 0; i < l->n_socks; i++)
        give_up(l, l->socks[i]);
    return (double)l->seconds;
}

static int report(const struct load *l, double seconds)
{
    uint64_t drops = 0;
    uint64_t unexplained;

    for (long i = 0; i < l->n_socks; i++)
        drops += l->socks[i]->drops;
    unexplained = l->lost > drops ? l->lost - drops : 0;
    (void)printf(
        "{\"qps\":%.0f,\"sent\":%llu,\"answered\":%llu,\"lost\":%llu,"
        "\"own_drops\":%llu,\"unexplained\":%llu,\"wrong\":%llu,\"changed\":%llu,"
        "\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"octets\":%.0f,"
        "\"noerror\":%llu,\"nxdomain\":%llu,\"servfail\":%llu,\"refused\":%llu,"
        "\"truncated\":%llu,\"broken\":%s,\"load\":%.2f}\n",
        (double)l->got / seconds, (unsigned long long)l->sent, (unsigned long long)l->got,
        (unsigned long long)l->lost, (unsigned long long)drops,
        (unsigned long long)unexplained, (unsigned long long)l->wrong,
        (unsigned long long)l->changed, hist_percentile_us(&l->hist, .5),
        hist_percentile_us(&l->hist, .99), hist_percentile_us(&l->hist, .999),
        l->got > 0 ? (double)l->octets / (double)l->got : 0,
        (unsigned long long)l->rcodes[0], (unsigned long long)l->rcodes[3],
        (unsigned long long)l->rcodes[2], (unsigned long long)l->rcodes[5],
        (unsigned long long)l->truncated, l->is_broken ? "true" : "false",
        busy_seconds() / seconds);
    return l->is_broken || l->wrong > 0 || unexplained > 0 || l->got == 0;
}

static bool read_options(int argc, char **argv, struct load *l)
{
    int c;

    while ((c = getopt(argc, argv, "a:p:q:t:r:w:s:TBE")) != -1)
        switch (c) {
        case 'a':
            l->address = optarg;
            break;
        case 'p':
            l->port = strtol(optarg, NULL, 10);
            break;
        case 'q':
            l->file = optarg;
            break;
        case 't':
            l->seconds = strtol(optarg, NULL, 10);
            break;
        case 'r':
            l->rate = strtol(optarg, NULL, 10);
            break;
        case 'w':
            l->window = strtol(optarg, NULL, 10);
            break;
        case 's':
            l->n_socks = strtol(optarg, NULL, 10);
            break;
        case 'T':
            l->is_tcp = true;
            break;
        case 'B':
            l->is_busy = true;
            break;
        case 'E':
            l->is_echo = true;
            break;
        default:
            return false;
        }
    return l->file != NULL && l->port > 0 && l->port < 65536 && l->n_socks > 0 &&
           l->n_socks <= SOCKETS_MAX && l->window >= l->n_socks && l->seconds > 0;
}

int main(int argc, char **argv)
{
    static struct load
        load; /* until the end of the program; leak checkers look here, too */
    struct load *l = &load;

    l->address = "127.0.0.1";
    l->seconds = 5;
    l->window = 256;
    l->n_socks = 16;
    if (!read_options(argc, argv, l)) {
        (void)fputs("usage: dnsload -p PORT -q QUERYFILE [-a ADDRESS] [-t SECONDS] "
                    "[-r RATE] [-w WINDOW] [-s SOCKETS] [-T] [-B] [-E]\n",
                    stderr);
        return 2;
    }
    if (!questions_read(&l->q, l->file) || !open_sockets(l)) {
        (void)fprintf(stderr, "dnsload: cannot read %s or reach %s\n", l->file,
                      l->address);
        return 2;
    }
    set_up_messages(l);
    return report(l, run(l));
}
