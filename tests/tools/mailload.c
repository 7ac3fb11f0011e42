/* SPDX-License-Identifier: ISC */
/* tests/tools/mailload.c - sends many messages over SMTP and writes down what was promised.
 *
 * For the acceptance test of the journal: maild is killed again and again while this runs.
 * Each message has an id of its own that stands in its Message-ID and in every line of its
 * body, and the SHA-256 of its body in a header field. An id is written to the log with one
 * write(2) at the moment its 250 was read. A message whose answer never came is given up and
 * another id is sent instead, so every id in the log must be found exactly once.
 *
 *     mailload -a 127.0.0.1 -p 25 -n 5000 -s 20 -l ids.log -t ann@ours.test [-t ...]
 *              [-b 1000-200000] [-S 127.0.0.2] [-e 60] [-R 100]
 *
 * -R holds all sessions together to so many messages a second; -S is the address to come
 * from; -e ends the run after so many seconds whatever was sent.
 * -b is the range of body octets; without it most bodies are small and three in a hundred
 * have more than the 64 KiB that maild keeps in memory.
 *
 * One thread a session, blocking sockets, nothing shared but a counter and the log. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/core/buf.h"
#include "base/core/clock.h"
#include "base/core/codec.h"
#include "base/core/mem.h"
#include "base/core/rng.h"
#include "tests/bench/load/wire.h"

#define RCPTS_MAX    16
#define SESSIONS_MAX 256
#define PER_CONN     25 /* messages on one connection, then QUIT */
#define MESSAGE_MAX  (512u * 1024u)
#define RETRY_US     50000
#define GIVE_UP_S    600

struct load {
    struct sockaddr_in to, source;
    const char *from;
    const char *rcpt[RCPTS_MAX];
    size_t n_rcpt;
    uint64_t want;               /* messages to be answered 250 */
    uint64_t run;                /* random part of this run's ids */
    uint64_t body_min, body_max; /* -b; both 0: the usual mixture */
    int log_fd;
    atomic_ullong next; /* number of the next id */
    atomic_ullong done; /* answered 250 */
    atomic_ullong refused, lost, connects;
    uint64_t seconds; /* -e; 0: until all are sent */
    uint64_t rate;    /* -R; 0: as fast as it goes */
    int64_t start_us, until_us;
};

/* One session's connection and what was read from it. */
struct session {
    struct load *load;
    struct wire wire;
    struct rng rng;
    struct buf msg;
};

static bool dial(struct session *s)
{
    if (!wire_dial(&s->wire, &s->load->to) || wire_smtp_reply(&s->wire) != 220 ||
        !wire_send(&s->wire, SPAN_LIT("EHLO load.test\r\n")) ||
        wire_smtp_reply(&s->wire) != 250) {
        wire_hang_up(&s->wire);
        return false;
    }
    (void)atomic_fetch_add(&s->load->connects, 1);
    return true;
}

/* Messages ------------------------------------------------------------------------------ */

static void must(int rc)
{
    if (rc != 0) {
        (void)fputs("mailload: a message outgrew its buffer\n", stderr);
        exit(2);
    }
}

/* Most are small; some need the file that edge asks for beyond 64 KiB. */
static size_t body_octets(const struct load *l, struct rng *rng)
{
    uint64_t d = rng_below(rng, 100);

    if (l->body_max > 0)
        return l->body_min + rng_below(rng, l->body_max - l->body_min + 1);
    if (d < 70)
        return 200 + rng_below(rng, 4000);
    return d < 97 ? 4000 + rng_below(rng, 40000) : 70000 + rng_below(rng, 200000);
}

/* Body lines carry the id, so that no two bodies share one; no line begins with a dot. */
static void make_body(struct session *s, const char *id, struct buf *body)
{
    size_t want = body_octets(s->load, &s->rng);

    for (unsigned line = 0; body->len < want; line++)
        must(buf_printf(body, "%s %u %016llx%016llx%016llx\r\n", id, line,
                        (unsigned long long)rng_u64(&s->rng),
                        (unsigned long long)rng_u64(&s->rng),
                        (unsigned long long)rng_u64(&s->rng)));
}

static void make_message(struct session *s, const char *id, const char *rcpt)
{
    uint8_t sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct buf body, hex;

    buf_init(&body, MESSAGE_MAX);
    buf_init(&hex, 256);
    make_body(s, id, &body);
    if (EVP_Digest(body.data, body.len, sum, &n, EVP_sha256(), NULL) != 1)
        abort();
    must(hex_encode(span_of(sum, n), &hex));
    buf_reset(&s->msg);
    must(buf_printf(&s->msg,
                    "From: Loader <%s>\r\nTo: <%s>\r\nSubject: load %s\r\n"
                    "Date: Sun, 22 Nov 2026 20:00:00 +0000\r\n"
                    "Message-ID: <%s@load.test>\r\nX-Load-Id: %s\r\n"
                    "X-Load-Sha256: %s\r\n\r\n",
                    s->load->from, rcpt, id, id, id, buf_cstr(&hex)));
    must(buf_span(&s->msg, buf_all(&body)));
    must(buf_str(&s->msg, ".\r\n"));
    buf_free(&body);
    buf_free(&hex);
}

enum sent { SENT, REFUSED, LOST };

/* MAIL, RCPT and DATA in one segment (RFC 2920), then the message. */
static enum sent send_message(struct session *s, const char *rcpt)
{
    char head[1024];
    int n = snprintf(head, sizeof head, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n",
                     s->load->from, rcpt);
    int mail, to, data, end;

    if (n < 0 || (size_t)n >= sizeof head ||
        !wire_send(&s->wire, span_of(head, (size_t)n)))
        return LOST;
    mail = wire_smtp_reply(&s->wire);
    to = mail == 0 ? 0 : wire_smtp_reply(&s->wire);
    data = to == 0 ? 0 : wire_smtp_reply(&s->wire);
    if (data == 0)
        return LOST;
    if (mail != 250 || to != 250 || data != 354)
        return REFUSED;
    if (!wire_send(&s->wire, buf_all(&s->msg)))
        return LOST;
    end = wire_smtp_reply(&s->wire);
    return end == 250 ? SENT : end == 0 ? LOST : REFUSED;
}

static void promised(struct load *l, const char *id, const char *rcpt)
{
    char line[512];
    int n = snprintf(line, sizeof line, "%s %s\n", id, rcpt);

    if (n < 0 || (size_t)n >= sizeof line || write(l->log_fd, line, (size_t)n) != n) {
        perror("mailload: log");
        exit(2);
    }
    (void)atomic_fetch_add(&l->done, 1);
}

static bool is_over(struct load *l)
{
    return atomic_load(&l->done) >= l->want ||
           clock_mono_us(clock_system()) > l->until_us;
}

/* Wait until message `number` is due. */
static void pace(const struct load *l, uint64_t number)
{
    int64_t wait_us;

    if (l->rate == 0)
        return;
    wait_us = l->start_us + (int64_t)(number * 1000000 / l->rate) -
              clock_mono_us(clock_system());
    if (wait_us > 0)
        (void)usleep((useconds_t)wait_us);
}

static void *session_run(void *ctx)
{
    struct session *s = ctx;
    struct load *l = s->load;
    unsigned on_conn = 0;

    while (!is_over(l)) {
        unsigned long long number;
        const char *rcpt;
        char id[64];

        if (s->wire.fd == -1 && !dial(s)) {
            (void)usleep(RETRY_US);
            continue;
        }
        number = atomic_fetch_add(&l->next, 1);
        pace(l, number);
        rcpt = l->rcpt[number % l->n_rcpt];
        (void)snprintf(id, sizeof id, "%016llx-%06llu", (unsigned long long)l->run,
                       number);
        make_message(s, id, rcpt);
        switch (send_message(s, rcpt)) {
        case SENT:
            promised(l, id, rcpt);
            break;
        case REFUSED: /* start over on a fresh connection, not too fast */
            (void)atomic_fetch_add(&l->refused, 1);
            wire_hang_up(&s->wire);
            (void)usleep(RETRY_US);
            break;
        case LOST:
            (void)atomic_fetch_add(&l->lost, 1);
            wire_hang_up(&s->wire);
            break;
        }
        if (s->wire.fd != -1 && ++on_conn % PER_CONN == 0) {
            (void)wire_send(&s->wire, SPAN_LIT("QUIT\r\n"));
            wire_hang_up(&s->wire);
        }
    }
    wire_hang_up(&s->wire);
    return NULL;
}

/* Program ------------------------------------------------------------------------------- */

static int run(struct load *l, unsigned sessions)
{
    pthread_t thread[SESSIONS_MAX];
    struct session *s = mem_new(sessions, sizeof *s);
    int64_t start = clock_mono_us(clock_system());
    double seconds;

    l->start_us = start;
    l->until_us = start + (int64_t)(l->seconds > 0 ? l->seconds : GIVE_UP_S) * 1000000;
    for (unsigned i = 0; i < sessions; i++) {
        s[i].load = l;
        wire_init(&s[i].wire);
        rng_seeded_init(&s[i].rng, l->run + i);
        buf_init(&s[i].msg, MESSAGE_MAX * 2);
        if (pthread_create(&thread[i], NULL, session_run, &s[i]) != 0)
            abort();
    }
    for (unsigned i = 0; i < sessions; i++) {
        (void)pthread_join(thread[i], NULL);
        buf_free(&s[i].msg);
    }
    free(s);
    seconds = (double)(clock_mono_us(clock_system()) - start) / 1e6;
    printf("mailload: %llu answered 250 in %.1f s (%.0f a second), %llu refused, "
           "%llu without an answer, %llu connections\n",
           atomic_load(&l->done), seconds, (double)atomic_load(&l->done) / seconds,
           atomic_load(&l->refused), atomic_load(&l->lost), atomic_load(&l->connects));
    return atomic_load(&l->done) >= l->want || l->seconds > 0 ? 0 : 1;
}

/* "1000-200000" */
static bool set_body_range(struct load *l, const char *text)
{
    char *end;

    l->body_min = strtoull(text, &end, 10);
    if (*end != '-')
        return false;
    l->body_max = strtoull(end + 1, &end, 10);
    return *end == '\0' && l->body_max > 0 && l->body_min <= l->body_max &&
           l->body_max <= MESSAGE_MAX - 1024; /* the last line may reach beyond */
}

static const char usage[] =
    "usage: mailload -a ADDRESS -p PORT -n MESSAGES -s SESSIONS "
    "-l LOGFILE -t RCPT [-t ...]"
    " [-f FROM] [-b MIN-MAX] [-S SOURCE] [-e SECONDS] [-R RATE]\n";

int main(int argc, char **argv)
{
    struct load l = {.from = "loader@load.test", .log_fd = -1};
    unsigned long sessions = 20;
    int c;

    l.to.sin_family = l.source.sin_family = AF_INET;
    l.to.sin_port = htons(25);
    l.want = 5000;
    while ((c = getopt(argc, argv, "a:p:n:s:l:t:f:b:S:e:R:")) != -1) {
        bool is_good = true;

        if (c == 'a')
            is_good = inet_pton(AF_INET, optarg, &l.to.sin_addr) == 1;
        else if (c == 'p')
            l.to.sin_port = htons((uint16_t)strtoul(optarg, NULL, 10));
        else if (c == 'n')
            l.want = strtoull(optarg, NULL, 10);
        else if (c == 's')
            sessions = strtoul(optarg, NULL, 10);
        else if (c == 'f')
            l.from = optarg;
        else if (c == 'S')
            is_good = inet_pton(AF_INET, optarg, &l.source.sin_addr) == 1;
        else if (c == 'R')
            l.rate = strtoull(optarg, NULL, 10);
        else if (c == 'e')
            l.seconds = strtoull(optarg, NULL, 10);
        else if (c == 'b')
            is_good = set_body_range(&l, optarg);
        else if (c == 'l')
            l.log_fd = open(optarg, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
        else if (c == 't' && l.n_rcpt < RCPTS_MAX)
            l.rcpt[l.n_rcpt++] = optarg;
        else
            is_good = false;
        if (!is_good || sessions == 0 || sessions > SESSIONS_MAX) {
            (void)fputs(usage, stderr);
            return 2;
        }
    }
    if (l.n_rcpt == 0 || l.log_fd == -1 || optind != argc) {
        (void)fputs(usage, stderr);
        return 2;
    }
    l.run = rng_u64(rng_system());
    return run(&l, (unsigned)sessions);
}
