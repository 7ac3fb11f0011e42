/* SPDX-License-Identifier: ISC */
/* tests/bench/smtpload.c - how fast a server takes mail.
 *
 *     smtpload -p PORT -r RCPT [-r ...] [-a 127.0.0.1] [-s SESSIONS] [-z OCTETS]
 *              [-t SECONDS] [-n MESSAGES] [-N] [-i MS]
 *
 * SESSIONS clients send messages of OCTETS (header and body) to the recipients in turn until
 * SECONDS have passed or MESSAGES were begun. MAIL, RCPT and DATA go in one segment
 * (RFC 2920), as senders do; -N takes a new connection for each message; -i waits between
 * messages, for the latency of a server that has nothing else to do. Each message has a
 * Message-ID of its own.
 *
 * A message counts when its final dot was answered 250. Anything else than the reply
 * expected is a fault, and the exit code 1: a server that refuses fast is not fast. Latency
 * runs from MAIL (with -N: from the connect) to that 250. One JSON line.
 *
 * For promises that must survive a crash see tests/tools/mailload.c. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/buf.h"
#include "base/core/clock.h"
#include "base/core/mem.h"
#include "base/core/rng.h"
#include "tests/bench/load/busy.h"
#include "tests/bench/load/hist.h"
#include "tests/bench/load/wire.h"

enum { SESSIONS_MAX = 256, RCPTS_MAX = 64, ID_DIGITS = 24 };

struct load {
    struct sockaddr_in to;
    const char *address;
    const char *rcpt[RCPTS_MAX];
    size_t n_rcpt;
    unsigned long port, sessions, octets, seconds, most, interval_ms;
    bool is_new;
    uint64_t run; /* random part of this run's ids */
    int64_t until_us;
    atomic_ullong begun, accepted, faults;
    atomic_llong last_us; /* of the last 250 */
};

struct session {
    struct load *load;
    struct wire wire;
    struct buf message;
    size_t id_at; /* of the digits in `message` */
    struct hist hist;
};

static int64_t now_us(void)
{
    return clock_mono_us(clock_system());
}

static void must(int rc)
{
    if (rc != 0)
        abort(); /* the ceiling is above -z */
}

/* Header and text with room for the id, the final dot behind it. */
static void make_message(struct session *s)
{
    static const char line[] =
        "All work and no play makes a dull server; this line is one of many.\r\n";
    struct buf *m = &s->message;

    buf_init(m, s->load->octets + 4096);
    must(buf_str(m, "From: Loader <loader@load.test>\r\nTo: <everyone@load.test>\r\n"
                    "Subject: how fast is it\r\nDate: Sun, 22 Nov 2026 20:00:00 +0000\r\n"
                    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n"
                    "Message-ID: <"));
    s->id_at = m->len;
    must(buf_printf(m, "%0*d@load.test>\r\n\r\n", ID_DIGITS, 0));
    while (m->len + sizeof(line) - 1 <= s->load->octets)
        must(buf_str(m, line));
    must(buf_str(m, ".\r\n"));
}

static void set_id(struct session *s, unsigned long long number)
{
    char id[ID_DIGITS + 1];

    (void)snprintf(id, sizeof(id), "%016llx%08llx", (unsigned long long)s->load->run,
                   number & 0xffffffff);
    memcpy(s->message.data + s->id_at, id, ID_DIGITS);
}

static bool greet(struct session *s)
{
    return wire_dial(&s->wire, &s->load->to) && wire_smtp_reply(&s->wire) == 220 &&
           wire_send(&s->wire, SPAN_LIT("EHLO client.load.test\r\n")) &&
           wire_smtp_reply(&s->wire) == 250;
}

static bool send_message(struct session *s, const char *rcpt)
{
    char head[512];
    int n = snprintf(head, sizeof(head),
                     "MAIL FROM:<loader@load.test>\r\nRCPT TO:<%s>\r\nDATA\r\n", rcpt);

    return n > 0 && (size_t)n < sizeof(head) &&
           wire_send(&s->wire, span_of(head, (size_t)n)) &&
           wire_smtp_reply(&s->wire) == 250 && wire_smtp_reply(&s->wire) == 250 &&
           wire_smtp_reply(&s->wire) == 354 &&
           wire_send(&s->wire, buf_all(&s->message)) && wire_smtp_reply(&s->wire) == 250;
}

/* QUIT, and the 221 is waited for: a server has not finished before. */
static void say_bye(struct session *s)
{
    if (s->wire.fd != -1 && wire_send(&s->wire, SPAN_LIT("QUIT\r\n")) &&
        wire_smtp_reply(&s->wire) != 221)
        (void)atomic_fetch_add(&s->load->faults, 1);
    wire_hang_up(&s->wire);
}

static bool one_message(struct session *s, unsigned long long number)
{
    struct load *l = s->load;
    int64_t since;
    int64_t done;

    set_id(s, number);
    if (l->is_new) {
        since = now_us();
        if (!greet(s))
            return false;
    } else {
        if (s->wire.fd == -1 && !greet(s))
            return false;
        since = now_us();
    }
    if (!send_message(s, l->rcpt[number % l->n_rcpt]))
        return false;
    done = now_us();
    hist_note(&s->hist, done - since);
    (void)atomic_fetch_add(&l->accepted, 1);
    for (long long was = atomic_load(&l->last_us); was < done;)
        if (atomic_compare_exchange_weak(&l->last_us, &was, done))
            break;
    if (l->is_new)
        say_bye(s);
    return true;
}

static void *session_run(void *ctx)
{
    struct session *s = ctx;
    struct load *l = s->load;

    while (now_us() < l->until_us && atomic_load(&l->faults) < SESSIONS_MAX) {
        unsigned long long number = atomic_fetch_add(&l->begun, 1);

        if (l->most > 0 && number >= l->most)
            break;
        if (!one_message(s, number)) {
            (void)atomic_fetch_add(&l->faults, 1);
            wire_hang_up(&s->wire);
        }
        if (l->interval_ms > 0)
            (void)usleep((useconds_t)l->interval_ms * 1000);
    }
    say_bye(s);
    return NULL;
}

static int run(struct load *l)
{
    pthread_t thread[SESSIONS_MAX];
    struct session *s = mem_new(l->sessions, sizeof(*s));
    struct hist all = {0};
    int64_t start = now_us();
    double seconds;

    l->until_us = start + (int64_t)l->seconds * 1000000;
    for (unsigned long i = 0; i < l->sessions; i++) {
        s[i].load = l;
        wire_init(&s[i].wire);
        make_message(&s[i]);
        if (pthread_create(&thread[i], NULL, session_run, &s[i]) != 0)
            abort();
    }
    for (unsigned long i = 0; i < l->sessions; i++) {
        (void)pthread_join(thread[i], NULL);
        hist_add(&all, &s[i].hist);
    }
    seconds = (double)(atomic_load(&l->last_us) - start) / 1e6;
    (void)printf("{\"accepted\":%llu,\"rate\":%.1f,\"faults\":%llu,\"seconds\":%.4f,"
                 "\"p50_us\":%.0f,\"p99_us\":%.0f,\"load\":%.2f}\n",
                 atomic_load(&l->accepted),
                 seconds > 0 ? (double)atomic_load(&l->accepted) / seconds : 0,
                 atomic_load(&l->faults), seconds, hist_percentile_us(&all, .5),
                 hist_percentile_us(&all, .99),
                 seconds > 0 ? busy_seconds() / seconds : 0);
    return atomic_load(&l->faults) > 0 || atomic_load(&l->accepted) == 0;
}

static bool read_options(int argc, char **argv, struct load *l)
{
    int c;

    while ((c = getopt(argc, argv, "a:p:r:s:z:t:n:i:N")) != -1) {
        if (c == 'a')
            l->address = optarg;
        else if (c == 'p')
            l->port = strtoul(optarg, NULL, 10);
        else if (c == 'r' && l->n_rcpt < RCPTS_MAX)
            l->rcpt[l->n_rcpt++] = optarg;
        else if (c == 's')
            l->sessions = strtoul(optarg, NULL, 10);
        else if (c == 'z')
            l->octets = strtoul(optarg, NULL, 10);
        else if (c == 't')
            l->seconds = strtoul(optarg, NULL, 10);
        else if (c == 'n')
            l->most = strtoul(optarg, NULL, 10);
        else if (c == 'i')
            l->interval_ms = strtoul(optarg, NULL, 10);
        else if (c == 'N')
            l->is_new = true;
        else
            return false;
    }
    return l->n_rcpt > 0 && l->sessions > 0 && l->sessions <= SESSIONS_MAX &&
           l->seconds > 0 && optind == argc && wire_address(&l->to, l->address, l->port);
}

int main(int argc, char **argv)
{
    struct load l = {.address = "127.0.0.1", .sessions = 1, .octets = 1024, .seconds = 3};

    if (!read_options(argc, argv, &l)) {
        (void)fputs("usage: smtpload -p PORT -r RCPT [-r ...] [-a ADDRESS] [-s SESSIONS] "
                    "[-z OCTETS] [-t SECONDS] [-n MESSAGES] [-N] [-i MS]\n",
                    stderr);
        return 2;
    }
    l.run = rng_u64(rng_system());
    return run(&l);
}
