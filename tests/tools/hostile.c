/* SPDX-License-Identifier: ISC */
/* tests/tools/hostile.c - many clients that mean harm, from many addresses, in one process.
 *
 * For the acceptance test "200 hostile connections, and legitimate mail keeps its rate".
 *
 *     hostile -a 127.53.1.25 -n 200 -t 60 -u eve@ours.test -w PASSWORD -r ann@ours.test
 *             [-s 127.66.0.1] [-S 10] [-b 65536] [-o KIND]
 *
 * -n connections are shared among the kinds of the table below by their shares; they come
 * from -S addresses beginning with -s. A connection that ends is opened again after a rest,
 * so that about -n of them are there all the time. -b is what one connection sends at most
 * in a second (an attacker has a wire, not a loopback); -o takes one kind alone.
 *
 * A foe goes REST -> CONNECTING -> (TLS) -> OPENING -> ATTACK -> REST. OPENING sends the words
 * that lead to where it wants to be, each after a whole answer; then `fill` makes octets for
 * ever, `pace_ms` apart. Everything is driven from one epoll and one tick of 10 ms; nothing
 * waits for the other side.
 *
 * At the end one line for each kind: how often it came in, how often it was thrown out, what
 * it sent and what it got. Exit 0, or 2 when it could not work.
 *
 * Over 500 lines because a fifth of it is the table of kinds and what they say; the machine
 * that drives them is the rest and is told in the order of a foe's life. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/core/buf.h"
#include "base/core/clock.h"
#include "base/core/mem.h"
#include "base/core/rng.h"

enum {
    TICK_MS = 10,
    CHUNK = 16 * 1024,
    OPENINGS = 6,
    PATIENCE_MS = 20000, /* for one answer in OPENING */
    REST_MS = 500,
    SMALL_WINDOW = 4096, /* receive buffer of those who do not read */
    EVENTS = 256,
};

enum port { SMTP = 25, IMAP = 143, SUBMISSIONS = 465, IMAPS = 993, DNS = 53 };

struct foe;
struct war;

struct kind {
    const char *name;
    unsigned share;
    enum port port;
    bool is_udp, is_tls; /* is_tls: a whole handshake first */
    bool is_reading;     /* reads what is sent in ATTACK, and forgets it */
    unsigned pace_ms;    /* between two chunks */
    unsigned life_ms;    /* in ATTACK, then it goes by itself; 0: never */
    /* Up to `max` more octets to `dst`; 0: silent from now on. NULL: says nothing. */
    size_t (*fill)(struct foe *f, uint8_t *dst, size_t max);
    const char *opening[OPENINGS]; /* %u login, %w password, %r recipient */
};

enum state { REST, CONNECTING, TLS, OPENING, ATTACK };

struct foe {
    struct war *war;
    const struct kind *kind;
    struct sockaddr_in from;
    int fd;
    SSL *ssl;
    enum state state;
    int64_t due_ms, until_ms;
    unsigned step;  /* of the opening */
    uint64_t count; /* of what `fill` made */
    uint8_t out[CHUNK];
    size_t out_n, out_off;
    char line[512]; /* the answer's line so far */
    size_t line_n;
};

struct tally {
    unsigned long long opened, arrived, thrown_out, sent, got;
    unsigned open;
};

struct war {
    const struct kind *kinds;
    size_t n_kinds;
    struct tally *tally;
    struct foe *foes;
    size_t n_foes;
    int epoll;
    struct in_addr to;
    SSL_CTX *tls;
    uint8_t hello[1024]; /* a ClientHello, as raw octets */
    size_t hello_n;
    const char *login, *password, *rcpt;
    uint64_t octets_per_s;
    struct rng rng;
    int64_t now_ms;
};

/* What they send ------------------------------------------------------------------------ */

static size_t fill_text(struct foe *f, uint8_t *dst, size_t max)
{
    (void)f;
    memset(dst, 'x', max);
    return max;
}

static size_t fill_octet(struct foe *f, uint8_t *dst, size_t max)
{
    (void)f;
    (void)max;
    *dst = 'x';
    return 1;
}

static size_t fill_random(struct foe *f, uint8_t *dst, size_t max)
{
    size_t n = 1 + rng_below(&f->war->rng, max);

    rng_fill(&f->war->rng, dst, n);
    return n;
}

/* As many copies of a line with a number in it as there is room for. */
static size_t fill_lines(struct foe *f, uint8_t *dst, size_t max, const char *before,
                         const char *after)
{
    size_t n = 0;

    for (;;) {
        char line[256];
        int len = snprintf(line, sizeof line, "%s%llu%s\r\n", before,
                           (unsigned long long)f->count, after);

        if (len < 0 || (size_t)len >= sizeof line || (size_t)len > max - n)
            return n;
        memcpy(dst + n, line, (size_t)len);
        n += (size_t)len;
        f->count++;
    }
}

static size_t fill_fields(struct foe *f, uint8_t *dst, size_t max)
{
    return fill_lines(f, dst, max, "X-Field-", ": as long as you listen");
}

static size_t fill_unknown(struct foe *f, uint8_t *dst, size_t max)
{
    return fill_lines(f, dst, max, "RCPT TO:<nobody", "@ours.test>");
}

static size_t fill_noops(struct foe *f, uint8_t *dst, size_t max)
{
    return fill_lines(f, dst, max, "EHLO h", ".test");
}

static size_t fill_fetches(struct foe *f, uint8_t *dst, size_t max)
{
    return fill_lines(f, dst, max, "a", " FETCH 1:* (BODY.PEEK[] ENVELOPE)");
}

static size_t fill_lists(struct foe *f, uint8_t *dst, size_t max)
{
    return fill_lines(f, dst, max, "b", " LIST \"\" *");
}

/* One transaction after the other with 1,000 good recipients, each given up at its end. */
static size_t fill_recipients(struct foe *f, uint8_t *dst, size_t max)
{
    size_t n = 0;

    for (;;) {
        char line[256];
        unsigned at = (unsigned)(f->count % 1002);
        int len = at == 0 ? snprintf(line, sizeof line, "MAIL FROM:<foe@load.test>\r\n")
                  : at == 1001
                      ? snprintf(line, sizeof line, "RSET\r\n")
                      : snprintf(line, sizeof line, "RCPT TO:<%s>\r\n", f->war->rcpt);

        if (len < 0 || (size_t)len >= sizeof line || (size_t)len > max - n)
            return n;
        memcpy(dst + n, line, (size_t)len);
        n += (size_t)len;
        f->count++;
    }
}

/* A ClientHello, whole or cut in the middle; then nothing for ever. */
static size_t fill_hello(struct foe *f, uint8_t *dst, size_t max)
{
    (void)max;
    if (f->count++ > 0)
        return 0;
    memcpy(dst, f->war->hello, f->war->hello_n);
    return f->war->hello_n;
}

static size_t fill_half_hello(struct foe *f, uint8_t *dst, size_t max)
{
    return fill_hello(f, dst, max) / 2;
}

static size_t fill_half_length(struct foe *f, uint8_t *dst, size_t max)
{
    return f->count++ > 0 ? 0 : fill_octet(f, dst, max);
}

/* A query for the DNSKEY or so of ours.test, with its length in front for TCP. */
static size_t put_query(struct foe *f, uint8_t *dst)
{
    static const uint8_t tail[] = {1,   0,   0,   1,   0,   0,   0, 0,   0,
                                   0,   4,   'o', 'u', 'r', 's', 4, 't', 'e',
                                   's', 't', 0,   0,   255, 0,   1};

    dst[0] = 0;
    dst[1] = 2 + sizeof tail;
    rng_fill(&f->war->rng, dst + 2, 2);
    memcpy(dst + 4, tail, sizeof tail);
    return 4 + sizeof tail;
}

static size_t fill_queries(struct foe *f, uint8_t *dst, size_t max)
{
    size_t n = 0;

    while (max - n >= 64)
        n += put_query(f, dst + n);
    return n;
}

/* A datagram: noise, or a query with some octets changed. */
static size_t fill_datagram(struct foe *f, uint8_t *dst, size_t max)
{
    uint8_t query[64];
    size_t n;

    if (rng_below(&f->war->rng, 2) == 0)
        return fill_random(f, dst, max > 1400 ? 1400 : max);
    n = put_query(f, query) - 2;
    for (unsigned i = 0; i < 3; i++)
        query[2 + rng_below(&f->war->rng, n)] = (uint8_t)rng_u64(&f->war->rng);
    memcpy(dst, query + 2, n);
    return n;
}

/* clang-format off */
static const struct kind kinds[] = {
    {"nothing", 12, SMTP, .opening = {NULL}},
    {"imap-nothing", 8, IMAP, .opening = {NULL}},
    {"octet-a-minute", 10, SMTP, .pace_ms = 60000, .fill = fill_octet, .opening = {"EHLO f.test\r\n"}},
    {"octet-a-second", 8, SMTP, .pace_ms = 1000, .fill = fill_octet, .opening = {"EHLO f.test\r\n"}},
    {"slow-data", 8, SMTP, .pace_ms = 1000, .fill = fill_octet,
     .opening = {"EHLO f.test\r\n", "MAIL FROM:<foe@load.test>\r\n", "RCPT TO:<%r>\r\n", "DATA\r\n"}},
    {"endless-line", 6, SMTP, .is_reading = true, .fill = fill_text, .opening = {"EHLO f.test\r\n"}},
    {"endless-header-line", 10, SMTP, .is_reading = true, .fill = fill_text,
     .opening = {"EHLO f.test\r\n", "MAIL FROM:<foe@load.test>\r\n", "RCPT TO:<%r>\r\n", "DATA\r\n"}},
    {"endless-header", 10, SMTP, .is_reading = true, .fill = fill_fields,
     .opening = {"EHLO f.test\r\n", "MAIL FROM:<foe@load.test>\r\n", "RCPT TO:<%r>\r\n", "DATA\r\n"}},
    {"1000-recipients", 8, SMTP, .is_reading = true, .fill = fill_recipients, .opening = {"EHLO f.test\r\n"}},
    {"unknown-recipients", 8, SMTP, .is_reading = true, .fill = fill_unknown,
     .opening = {"EHLO f.test\r\n", "MAIL FROM:<foe@load.test>\r\n"}},
    {"never-reading", 12, SMTP, .fill = fill_noops, .opening = {"EHLO f.test\r\n"}},
    {"random", 6, SMTP, .is_reading = true, .fill = fill_random, .opening = {NULL}},
    {"starttls-garbage", 6, SMTP, .is_reading = true, .fill = fill_random,
     .opening = {"EHLO f.test\r\n", "STARTTLS\r\n"}},
    {"flood", 6, SMTP, .life_ms = 1, .opening = {NULL}},
    {"imap-flood", 4, IMAPS, .life_ms = 1, .fill = fill_hello, .opening = {NULL}},
    {"half-hello", 10, SUBMISSIONS, .fill = fill_half_hello, .opening = {NULL}},
    {"hello-only", 10, IMAPS, .fill = fill_hello, .opening = {NULL}},
    {"tls-silent", 6, SUBMISSIONS, .is_tls = true, .opening = {NULL}},
    {"imap-literal", 6, IMAP, .is_reading = true, .fill = fill_text, .opening = {"a LOGIN {4000}\r\n"}},
    {"imap-endless-literal", 8, IMAPS, .is_tls = true, .is_reading = true, .fill = fill_text,
     .opening = {"a LOGIN \"%u\" \"%w\"\r\n", "a APPEND INBOX {40000000}\r\n"}},
    {"imap-never-reading", 10, IMAPS, .is_tls = true, .fill = fill_fetches,
     .opening = {"a LOGIN \"%u\" \"%w\"\r\n", "a SELECT INBOX\r\n"}},
    {"imap-lists", 6, IMAPS, .is_tls = true, .fill = fill_lists,
     .opening = {"a LOGIN \"%u\" \"%w\"\r\n"}},
    {"imap-random", 4, IMAP, .is_reading = true, .fill = fill_random, .opening = {NULL}},
    {"dns-half-length", 6, DNS, .fill = fill_half_length, .opening = {NULL}},
    {"dns-never-reading", 6, DNS, .fill = fill_queries, .opening = {NULL}},
    {"dns-idle", 20, DNS, .opening = {NULL}},
    {"dns-random", 4, DNS, .is_reading = true, .fill = fill_random, .opening = {NULL}},
    {"dns-datagrams", 4, DNS, .is_udp = true, .is_reading = true, .pace_ms = 10, .fill = fill_datagram,
     .opening = {NULL}},
};
/* clang-format on */

/* One foe ------------------------------------------------------------------------------- */

static struct tally *tally_of(const struct foe *f)
{
    return &f->war->tally[f->kind - f->war->kinds];
}

static void rest(struct foe *f, bool is_thrown_out)
{
    if (is_thrown_out)
        tally_of(f)->thrown_out++;
    if (f->state == ATTACK)
        tally_of(f)->open--;
    SSL_free(f->ssl);
    f->ssl = NULL;
    (void)close(f->fd);
    f->fd = -1;
    f->state = REST;
    f->due_ms = f->war->now_ms + REST_MS / 2 + (int64_t)rng_below(&f->war->rng, REST_MS);
}

static void watch(struct foe *f, uint32_t events, int op)
{
    struct epoll_event e = {.events = events | EPOLLRDHUP, .data.ptr = f};

    if (epoll_ctl(f->war->epoll, op, f->fd, &e) == -1)
        rest(f, false);
}

static void begin_attack(struct foe *f)
{
    f->state = ATTACK;
    f->due_ms = f->war->now_ms;
    f->until_ms = f->kind->life_ms == 0 ? INT64_MAX : f->war->now_ms + f->kind->life_ms;
    tally_of(f)->arrived++;
    tally_of(f)->open++;
    if (!f->kind->is_reading)
        watch(f, 0, EPOLL_CTL_MOD);
}

static ssize_t put(struct foe *f, const void *p, size_t n)
{
    int rc;

    if (f->ssl == NULL)
        return send(f->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    rc = SSL_write(f->ssl, p, (int)n);
    if (rc > 0)
        return rc;
    errno = SSL_get_error(f->ssl, rc) == SSL_ERROR_WANT_READ ||
                    SSL_get_error(f->ssl, rc) == SSL_ERROR_WANT_WRITE
                ? EAGAIN
                : EPIPE;
    return -1;
}

static ssize_t get(struct foe *f, void *p, size_t n)
{
    int rc;

    if (f->ssl == NULL)
        return recv(f->fd, p, n, MSG_DONTWAIT);
    rc = SSL_read(f->ssl, p, (int)n);
    if (rc > 0)
        return rc;
    errno = EAGAIN;
    return SSL_get_error(f->ssl, rc) == SSL_ERROR_WANT_READ ? -1 : 0;
}

/* The next words of the opening, or the attack when there are none left. */
static void next_opening(struct foe *f)
{
    const char *text = f->step < OPENINGS ? f->kind->opening[f->step] : NULL;
    struct buf b;

    f->step++;
    if (text == NULL) {
        begin_attack(f);
        return;
    }
    buf_init(&b, 1024);
    for (; *text != '\0'; text++) {
        const char *word = NULL;

        if (*text == '%')
            word = *++text == 'u' ? f->war->login
                   : *text == 'w' ? f->war->password
                                  : f->war->rcpt;
        if ((word != NULL ? buf_str(&b, word) : buf_byte(&b, (uint8_t)*text)) == -1)
            abort(); /* a word of the command line longer than a line may be */
    }
    f->due_ms = f->war->now_ms + PATIENCE_MS;
    if (put(f, b.data, b.len) != (ssize_t)b.len)
        rest(f, true);
    buf_free(&b);
}

/* A whole line has come: is it the end of an answer? "250 x", "+ go on", "a OK x", "* OK x". */
static bool is_answer(const struct foe *f)
{
    const char *l = f->line;

    if (f->kind->port == SMTP || f->kind->port == SUBMISSIONS)
        return f->line_n > 3 && l[3] == ' ';
    return l[0] == '+' || l[0] == 'a' || (f->step == 0 && l[0] == '*');
}

static void read_opening(struct foe *f)
{
    char octets[4096];
    ssize_t n = get(f, octets, sizeof octets);

    if (n == 0 || (n == -1 && errno != EAGAIN)) {
        rest(f, true);
        return;
    }
    for (ssize_t i = 0; i < n && f->state == OPENING; i++) {
        if (octets[i] != '\n') {
            if (f->line_n < sizeof f->line)
                f->line[f->line_n++] = octets[i];
            continue;
        }
        if (is_answer(f))
            next_opening(f);
        f->line_n = 0;
    }
}

static void begin_opening(struct foe *f)
{
    f->state = OPENING;
    f->step = 0;
    f->line_n = 0;
    f->due_ms = f->war->now_ms + PATIENCE_MS;
    if (f->kind->opening[0] == NULL)
        begin_attack(f);
}

static void shake_hands(struct foe *f)
{
    int rc = SSL_do_handshake(f->ssl);
    int e = SSL_get_error(f->ssl, rc);

    if (rc == 1)
        begin_opening(f);
    else if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
        rest(f, true);
}

static void connected(struct foe *f)
{
    int sys = 0;
    socklen_t n = sizeof sys;

    if (getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &sys, &n) == -1 || sys != 0) {
        rest(f, true);
        return;
    }
    watch(f, EPOLLIN, EPOLL_CTL_MOD);
    if (f->state == REST)
        return;
    if (!f->kind->is_tls) {
        begin_opening(f);
        return;
    }
    f->state = TLS;
    f->due_ms = f->war->now_ms + PATIENCE_MS;
    f->ssl = SSL_new(f->war->tls);
    if (f->ssl == NULL || SSL_set_fd(f->ssl, f->fd) != 1)
        abort();
    SSL_set_connect_state(f->ssl);
    shake_hands(f);
}

static void dial(struct foe *f)
{
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)f->kind->port),
                                   .sin_addr = f->war->to};
    const int on = 1, window = SMALL_WINDOW;
    int type = f->kind->is_udp ? SOCK_DGRAM : SOCK_STREAM;

    f->fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    f->count = f->out_n = f->out_off = 0;
    tally_of(f)->opened++;
    if (f->fd == -1) {
        perror("hostile: socket");
        exit(2);
    }
    (void)setsockopt(f->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (!f->kind->is_reading)
        (void)setsockopt(f->fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
    if (bind(f->fd, (const struct sockaddr *)&f->from, sizeof f->from) == -1 ||
        (connect(f->fd, (const struct sockaddr *)&to, sizeof to) == -1 &&
         errno != EINPROGRESS)) {
        rest(f, true);
        return;
    }
    f->state = CONNECTING;
    f->due_ms = f->war->now_ms + PATIENCE_MS;
    watch(f, EPOLLOUT, EPOLL_CTL_ADD);
}

/* What waits, or else more of the kind's. An octet now and then is `pace_ms` apart, floods
 * are as far apart as their share of the wire says. */
static void attack(struct foe *f)
{
    const struct kind *k = f->kind;
    ssize_t n;

    if (f->war->now_ms >= f->until_ms) {
        rest(f, false);
        return;
    }
    f->due_ms = f->until_ms;
    if (k->fill == NULL)
        return;
    if (f->out_off == f->out_n) {
        f->out_off = 0;
        f->out_n = k->fill(f, f->out, sizeof f->out);
        if (f->out_n == 0)
            return;
    }
    n = put(f, f->out + f->out_off, f->out_n - f->out_off);
    if (n == -1 && errno != EAGAIN && !k->is_udp) {
        rest(f, true);
        return;
    }
    if (k->is_udp)
        f->out_off = f->out_n;
    else if (n > 0)
        f->out_off += (size_t)n;
    tally_of(f)->sent += n > 0 ? (unsigned long long)n : 0;
    f->due_ms =
        f->war->now_ms +
        (k->pace_ms > 0 ? k->pace_ms : CHUNK * 1000 / (int64_t)f->war->octets_per_s);
    if (f->due_ms > f->until_ms)
        f->due_ms = f->until_ms;
}

static void on_event(struct foe *f, uint32_t events)
{
    static uint8_t waste[65536];
    ssize_t n = 0;

    switch (f->state) {
    case CONNECTING:
        connected(f);
        return;
    case TLS:
        shake_hands(f);
        return;
    case OPENING:
        read_opening(f);
        return;
    case REST:
        return;
    case ATTACK:
        break;
    }
    if (f->kind->is_reading && (events & EPOLLIN) != 0) {
        n = get(f, waste, sizeof waste);
        tally_of(f)->got += n > 0 ? (unsigned long long)n : 0;
        if (n > 0 || (n == -1 && (errno == EAGAIN || f->kind->is_udp)))
            return;
    }
    rest(f, true);
}

static void on_due(struct foe *f)
{
    if (f->state == REST)
        dial(f);
    else if (f->state == ATTACK)
        attack(f);
    else
        rest(f, false); /* no answer in time */
}

/* Program ------------------------------------------------------------------------------- */

/* What OpenSSL would say first. */
static void make_hello(struct war *w)
{
    SSL *ssl = SSL_new(w->tls);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    int n;

    if (ssl == NULL || in == NULL || out == NULL)
        abort();
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    (void)SSL_do_handshake(ssl);
    n = BIO_read(out, w->hello, sizeof w->hello);
    w->hello_n = n > 0 ? (size_t)n : 0;
    SSL_free(ssl);
}

static void raise_army(struct war *w, const char *only, struct in_addr first,
                       unsigned sources)
{
    unsigned all = 0;
    size_t at = 0;

    for (size_t k = 0; k < w->n_kinds; k++)
        all +=
            only == NULL || strcmp(only, w->kinds[k].name) == 0 ? w->kinds[k].share : 0;
    if (all == 0) {
        fprintf(stderr, "hostile: there is no kind %s\n", only);
        exit(2);
    }
    w->foes = mem_new(w->n_foes, sizeof *w->foes);
    for (size_t k = 0, share = 0; k < w->n_kinds; k++) {
        if (only != NULL && strcmp(only, w->kinds[k].name) != 0)
            continue;
        share += w->kinds[k].share;
        for (; at < w->n_foes * share / all; at++) {
            struct foe *f = &w->foes[at];

            f->war = w;
            f->kind = &w->kinds[k];
            f->fd = -1;
            f->from.sin_family = AF_INET;
            f->from.sin_addr.s_addr =
                htonl(ntohl(first.s_addr) + (uint32_t)(at % sources));
            f->due_ms = w->now_ms + (int64_t)rng_below(&w->rng, 1000);
        }
    }
}

static void fight(struct war *w, int64_t until_ms, const volatile sig_atomic_t *is_over)
{
    struct epoll_event events[EVENTS];

    while (w->now_ms < until_ms && !*is_over) {
        int n = epoll_wait(w->epoll, events, EVENTS, TICK_MS);
        int64_t before = w->now_ms;

        w->now_ms = clock_mono_ms(clock_system());
        for (int i = 0; i < n; i++)
            on_event(events[i].data.ptr, events[i].events);
        for (size_t i = 0; w->now_ms > before && i < w->n_foes; i++)
            if (w->now_ms >= w->foes[i].due_ms)
                on_due(&w->foes[i]);
    }
}

static void report(const struct war *w)
{
    for (size_t k = 0; k < w->n_kinds; k++) {
        const struct tally *t = &w->tally[k];

        if (t->opened > 0)
            printf("hostile: %-20s %3u there, %6llu opened, %6llu arrived, %6llu thrown "
                   "out, %9llu octets sent, %9llu got\n",
                   w->kinds[k].name, t->open, t->opened, t->arrived, t->thrown_out,
                   t->sent, t->got);
    }
}

static void disband(struct war *w)
{
    for (size_t i = 0; i < w->n_foes; i++)
        if (w->foes[i].state != REST)
            rest(&w->foes[i], false);
    (void)close(w->epoll);
    SSL_CTX_free(w->tls);
    free(w->foes);
    free(w->tally);
}

static volatile sig_atomic_t is_over;

static void on_signal(int signo)
{
    (void)signo;
    is_over = 1;
}

static const char usage[] =
    "usage: hostile -a ADDRESS -n CONNECTIONS -t SECONDS -u LOGIN -w PASSWORD -r "
    "RECIPIENT\n"
    "               [-s FIRST-SOURCE] [-S SOURCES] [-b OCTETS-A-SECOND] [-o KIND]\n";

int main(int argc, char **argv)
{
    struct war w = {.kinds = kinds, .n_kinds = COUNT_OF(kinds), .octets_per_s = 65536};
    struct in_addr first = {.s_addr = htonl(0x7f420001)}; /* 127.66.0.1 */
    unsigned long sources = 10, seconds = 0;
    const char *only = NULL;
    bool is_good = true;
    int c;

    while ((c = getopt(argc, argv, "a:n:t:u:w:r:s:S:b:o:")) != -1) {
        if (c == 'a')
            is_good = is_good && inet_pton(AF_INET, optarg, &w.to) == 1;
        else if (c == 's')
            is_good = is_good && inet_pton(AF_INET, optarg, &first) == 1;
        else if (c == 'n')
            w.n_foes = strtoul(optarg, NULL, 10);
        else if (c == 't')
            seconds = strtoul(optarg, NULL, 10);
        else if (c == 'S')
            sources = strtoul(optarg, NULL, 10);
        else if (c == 'b')
            w.octets_per_s = strtoull(optarg, NULL, 10);
        else if (c == 'u')
            w.login = optarg;
        else if (c == 'w')
            w.password = optarg;
        else if (c == 'r')
            w.rcpt = optarg;
        else if (c == 'o')
            only = optarg;
        else
            is_good = false;
    }
    if (!is_good || optind != argc || w.to.s_addr == 0 || w.n_foes == 0 || seconds == 0 ||
        sources == 0 || w.octets_per_s == 0 || w.login == NULL || w.password == NULL ||
        w.rcpt == NULL) {
        (void)fputs(usage, stderr);
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGINT, on_signal);
    w.tally = mem_new(w.n_kinds, sizeof *w.tally);
    w.tls = SSL_CTX_new(TLS_client_method());
    w.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (w.tls == NULL || w.epoll == -1)
        abort();
    (void)SSL_CTX_set_mode(w.tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    make_hello(&w);
    rng_seeded_init(&w.rng, 1);
    w.now_ms = clock_mono_ms(clock_system());
    raise_army(&w, only, first, (unsigned)sources);
    fight(&w, w.now_ms + (int64_t)seconds * 1000, &is_over);
    report(&w);
    disband(&w);
    return 0;
}
