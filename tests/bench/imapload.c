/* SPDX-License-Identifier: ISC */
/* tests/bench/imapload.c - how fast an IMAP server answers.
 *
 *     imapload -p PORT -o OPERATION -w PASSWORD [-a 127.0.0.1] [-u NAME] [-U USERS]
 *              [-c CONNECTIONS] [-t SECONDS] [-d DOMAIN]
 *
 * Connection i logs in as NAME<i % USERS>@DOMAIN and repeats one command until SECONDS have
 * passed; the clock starts when all are logged in and have INBOX selected. One JSON line.
 *
 * `fill` makes the mailboxes that the others read: MESSAGES numbered messages of some 2.9 KB
 * in each user's INBOX and an empty folder "bench". Every answer is checked: its tagged OK,
 * one response for each message asked for, and in what is fetched the Subject that the
 * number of the message demands. Anything else is a fault, said on standard error, and the
 * exit code 1. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/clock.h"
#include "base/core/mem.h"
#include "base/core/rng.h"
#include "tests/bench/load/busy.h"
#include "tests/bench/load/hist.h"
#include "tests/bench/load/imapline.h"
#include "tests/bench/load/wire.h"

/* LOGINS: at a time before the clock starts; a crowd at the door is what `login` measures. */
enum {
    CONNECTIONS_MAX = 256,
    LOGINS = 4,
    MESSAGES = 1000,
    BODY_OCTETS = 2500,
    APPEND_OCTETS = 2048
};

struct load;
struct conn;

struct operation {
    const char *name;
    bool (*run)(struct conn *c);
    bool has_login;  /* it logs in itself */
    bool has_select; /* before the clock starts */
    bool has_clear;  /* no flags are set then */
};

struct load {
    struct sockaddr_in to;
    const char *address, *password, *domain, *user;
    unsigned long port, users, connections, seconds;
    const struct operation *op;
    pthread_barrier_t ready;
    sem_t door;
    atomic_llong until_us;
    atomic_ullong done, faults;
};

struct conn {
    struct load *load;
    unsigned long number;
    struct wire wire;
    struct rng rng;
    struct hist hist;
    struct buf message;
    unsigned long tag, turn;
    char last[160]; /* line, for the report of a fault */
};

/* What the untagged responses of one command held. */
struct seen {
    unsigned fetches, right; /* right: with the Subject of their number */
    unsigned flags, hits, exists;
};

static int64_t now_us(void)
{
    return clock_mono_us(clock_system());
}

static void must(int rc)
{
    if (rc != 0)
        abort(); /* every buffer's ceiling is above what goes in */
}

/* Protocol ------------------------------------------------------------------------------ */

static void subject_of(unsigned number, char text[40])
{
    (void)snprintf(text, 40, "Subject: bench message %05u", number);
}

static bool read_literal(struct conn *c, unsigned number, size_t n, struct seen *seen)
{
    struct span octets;
    char want[40];

    if (!wire_take(&c->wire, n, &octets))
        return false;
    subject_of(number, want);
    seen->right += imapline_has(octets, want);
    return true;
}

static void note_line(struct span line, unsigned fetch, struct seen *seen)
{
    seen->fetches += fetch > 0;
    seen->flags += fetch > 0 && imapline_has(line, "FLAGS (");
    seen->exists += imapline_number(line, " EXISTS");
    if (span_starts(line, SPAN_LIT("* SEARCH")))
        for (size_t i = 8; i < line.n; i++)
            seen->hits += line.p[i] == ' ' && i + 1 < line.n;
}

/* Reads until the tagged response; true when that is OK. */
static bool answer(struct conn *c, const char *tag, struct seen *seen)
{
    struct span line;
    unsigned fetch = 0;
    bool is_continued = false;

    *seen = (struct seen){0};
    while (wire_line(&c->wire, &line)) {
        size_t n = imapline_literal(line);
        size_t shown = line.n < sizeof(c->last) - 1 ? line.n : sizeof(c->last) - 1;
        size_t len = strlen(tag);

        memcpy(c->last, line.p, shown);
        c->last[shown] = '\0';
        if (!is_continued) {
            if (line.n > len + 3 && memcmp(line.p, tag, len) == 0 && line.p[len] == ' ')
                return memcmp(line.p + len + 1, "OK", 2) == 0;
            fetch = imapline_number(line, " FETCH");
            note_line(line, fetch, seen);
        }
        is_continued = n > 0;
        if (n > 0 && !read_literal(c, fetch, n, seen))
            return false;
    }
    return false;
}

/* One command without its tag and CRLF, octets behind it (a literal's, or none). */
static bool ask(struct conn *c, const char *command, struct span more, struct seen *seen)
{
    struct buf out;
    char tag[24];
    bool is_sent;

    (void)snprintf(tag, sizeof(tag), "a%lu", ++c->tag);
    buf_init(&out, WIRE_ROOM);
    must(buf_printf(&out, "%s %s\r\n", tag, command));
    if (more.n > 0) {
        must(buf_span(&out, more));
        must(buf_str(&out, "\r\n"));
    }
    is_sent = wire_send(&c->wire, buf_all(&out));
    buf_free(&out);
    return is_sent && answer(c, tag, seen);
}

static bool log_in(struct conn *c)
{
    struct load *l = c->load;
    struct seen seen;
    struct span line;
    char command[256];

    if (!wire_dial(&c->wire, &l->to) || !wire_line(&c->wire, &line) ||
        !span_starts(line, SPAN_LIT("* OK")))
        return false;
    (void)snprintf(command, sizeof(command), "LOGIN %s%lu@%s \"%s\"", l->user,
                   c->number % l->users, l->domain, l->password);
    return ask(c, command, SPAN_LIT(""), &seen);
}

/* Operations ---------------------------------------------------------------------------- */

static unsigned any_message(struct conn *c)
{
    return 1 + (unsigned)rng_below(&c->rng, MESSAGES);
}

static bool run_login(struct conn *c)
{
    struct seen seen;
    bool is_right = log_in(c) && ask(c, "LOGOUT", SPAN_LIT(""), &seen);

    wire_hang_up(&c->wire);
    return is_right;
}

static bool run_select(struct conn *c)
{
    struct seen seen;

    return ask(c, "SELECT INBOX", SPAN_LIT(""), &seen) && seen.exists >= MESSAGES;
}

static bool run_noop(struct conn *c)
{
    struct seen seen;

    return ask(c, "NOOP", SPAN_LIT(""), &seen);
}

static bool run_flags(struct conn *c)
{
    struct seen seen;

    return ask(c, "FETCH 1:1000 (FLAGS)", SPAN_LIT(""), &seen) &&
           seen.fetches == MESSAGES && seen.flags == MESSAGES;
}

static bool run_headers(struct conn *c)
{
    struct seen seen;

    return ask(c,
               "FETCH 1:1000 (UID FLAGS BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE "
               "MESSAGE-ID)])",
               SPAN_LIT(""), &seen) &&
           seen.fetches == MESSAGES && seen.right == MESSAGES;
}

static bool run_body(struct conn *c)
{
    struct seen seen;
    char command[64];

    (void)snprintf(command, sizeof(command), "FETCH %u (BODY.PEEK[])", any_message(c));
    return ask(c, command, SPAN_LIT(""), &seen) && seen.fetches == 1 && seen.right == 1;
}

/* Sets a flag and takes it away again, so that each command changes something; connections of
 * one user keep to messages of their own. More than one response may come: the others'. */
static bool run_store(struct conn *c)
{
    struct seen seen;
    char command[64];
    unsigned long sharers = 1 + (c->load->connections - 1) / c->load->users;
    unsigned long mine = MESSAGES / sharers;
    unsigned long turn = c->turn++;
    unsigned long n = (turn / 2 * 7 % mine) * sharers + c->number / c->load->users + 1;

    (void)snprintf(command, sizeof(command), "STORE %lu %cFLAGS (\\Flagged)", n,
                   turn % 2 == 0 ? '+' : '-');
    return ask(c, command, SPAN_LIT(""), &seen) && seen.flags >= 1;
}

static bool run_search(struct conn *c)
{
    struct seen seen;
    char command[64];

    (void)snprintf(command, sizeof(command), "SEARCH SUBJECT \"message %05u\"",
                   any_message(c));
    return ask(c, command, SPAN_LIT(""), &seen) && seen.hits == 1;
}

static bool run_search_body(struct conn *c)
{
    struct seen seen;

    return ask(c, "SEARCH BODY \"no such words\"", SPAN_LIT(""), &seen) && seen.hits == 0;
}

static void make_message(struct conn *c, unsigned number, size_t octets)
{
    char subject[40];

    subject_of(number, subject);
    buf_reset(&c->message);
    must(buf_printf(
        &c->message,
        "Return-Path: <loader@load.test>\r\nReceived: from client.load.test "
        "([192.0.2.1])\r\n"
        "\tby mx.load.test; Sun, 22 Nov 2026 20:00:00 +0000\r\n"
        "From: Bench Loader <loader@load.test>\r\nTo: User <u@load.test>\r\n%s\r\n"
        "Date: Sun, 22 Nov 2026 20:00:00 +0000\r\nMessage-ID: <%u.%016llx@load.test>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n",
        subject, number, (unsigned long long)rng_u64(&c->rng)));
    for (size_t end = c->message.len + octets; c->message.len < end;)
        must(buf_str(&c->message,
                     "Words enough to fill a line of text, and a few more of them.\r\n"));
}

static bool append(struct conn *c, const char *folder)
{
    struct seen seen;
    char command[96];

    (void)snprintf(command, sizeof(command), "APPEND %s (\\Seen) {%zu+}", folder,
                   c->message.len);
    return ask(c, command, buf_all(&c->message), &seen);
}

static bool run_append(struct conn *c)
{
    make_message(c, 1, APPEND_OCTETS);
    return append(c, "bench");
}

/* One user's mailboxes, once. */
static bool run_fill(struct conn *c)
{
    struct seen seen;

    if (c->turn++ > 0)
        return true;
    for (unsigned i = 1; i <= MESSAGES; i++) {
        make_message(c, i, BODY_OCTETS);
        if (!append(c, "INBOX"))
            return false;
    }
    return ask(c, "CREATE bench", SPAN_LIT(""), &seen);
}

/* What an earlier window left: setting it again would change nothing, and say nothing. */
static bool clear_flags(struct conn *c)
{
    struct seen seen;

    return ask(c, "STORE 1:1000 -FLAGS.SILENT (\\Flagged)", SPAN_LIT(""), &seen);
}

static const struct operation operations[] = {
    /* name, run, has_login, has_select, has_clear */
    {"login", run_login, true, false, false},
    {"select", run_select, false, true, false},
    {"noop", run_noop, false, true, false},
    {"flags", run_flags, false, true, false},
    {"headers", run_headers, false, true, false},
    {"body", run_body, false, true, false},
    {"store", run_store, false, true, true},
    {"search", run_search, false, true, false},
    {"searchbody", run_search_body, false, true, false},
    {"append", run_append, false, true, false},
    {"fill", run_fill, false, false, false},
};

/* Load ---------------------------------------------------------------------------------- */

static void *conn_run(void *ctx)
{
    struct conn *c = ctx;
    struct load *l = c->load;
    bool is_well;

    while (sem_wait(&l->door) == -1)
        continue;
    is_well = l->op->has_login || log_in(c);
    (void)sem_post(&l->door);
    is_well = is_well && (!l->op->has_select || run_select(c)) &&
              (!l->op->has_clear || clear_flags(c));
    (void)pthread_barrier_wait(&l->ready);
    while (is_well && now_us() < atomic_load(&l->until_us)) {
        int64_t since = now_us();

        is_well = l->op->run(c);
        if (is_well) {
            hist_note(&c->hist, now_us() - since);
            (void)atomic_fetch_add(&l->done, 1);
        }
        if (l->op->run == run_fill)
            break;
    }
    if (!is_well && atomic_fetch_add(&l->faults, 1) == 0)
        (void)fprintf(stderr, "imapload: connection %lu, command %lu: last line: %s\n",
                      c->number, c->tag, c->last);
    wire_hang_up(&c->wire);
    return NULL;
}

static int run(struct load *l)
{
    pthread_t thread[CONNECTIONS_MAX];
    struct conn *c = mem_new(l->connections, sizeof(*c));
    struct hist all = {0};
    int64_t start;
    double busy;
    double seconds;

    if (pthread_barrier_init(&l->ready, NULL, (unsigned)l->connections + 1) != 0 ||
        sem_init(&l->door, 0, LOGINS) != 0)
        abort();
    atomic_store(&l->until_us, INT64_MAX);
    for (unsigned long i = 0; i < l->connections; i++) {
        c[i].load = l;
        c[i].number = i;
        wire_init(&c[i].wire);
        rng_seeded_init(&c[i].rng, i + 1);
        buf_init(&c[i].message, WIRE_ROOM);
        if (pthread_create(&thread[i], NULL, conn_run, &c[i]) != 0)
            abort();
    }
    (void)pthread_barrier_wait(&l->ready);
    start = now_us();
    busy = busy_seconds();
    atomic_store(&l->until_us, start + (int64_t)l->seconds * 1000000);
    for (unsigned long i = 0; i < l->connections; i++) {
        (void)pthread_join(thread[i], NULL);
        hist_add(&all, &c[i].hist);
    }
    seconds = (double)(now_us() - start) / 1e6;
    (void)printf("{\"operation\":\"%s\",\"done\":%llu,\"rate\":%.1f,\"faults\":%llu,"
                 "\"p50_us\":%.0f,\"p99_us\":%.0f,\"seconds\":%.3f,\"load\":%.2f}\n",
                 l->op->name, atomic_load(&l->done),
                 (double)atomic_load(&l->done) / seconds, atomic_load(&l->faults),
                 hist_percentile_us(&all, .5), hist_percentile_us(&all, .99), seconds,
                 (busy_seconds() - busy) / seconds);
    return atomic_load(&l->faults) > 0 || atomic_load(&l->done) == 0;
}

static const struct operation *operation_of(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(operations); i++)
        if (strcmp(operations[i].name, name) == 0)
            return &operations[i];
    return NULL;
}

static bool read_options(int argc, char **argv, struct load *l)
{
    int c;

    while ((c = getopt(argc, argv, "a:p:o:w:d:u:U:c:t:")) != -1) {
        if (c == 'a')
            l->address = optarg;
        else if (c == 'p')
            l->port = strtoul(optarg, NULL, 10);
        else if (c == 'o')
            l->op = operation_of(optarg);
        else if (c == 'w')
            l->password = optarg;
        else if (c == 'd')
            l->domain = optarg;
        else if (c == 'u')
            l->user = optarg;
        else if (c == 'U')
            l->users = strtoul(optarg, NULL, 10);
        else if (c == 'c')
            l->connections = strtoul(optarg, NULL, 10);
        else if (c == 't')
            l->seconds = strtoul(optarg, NULL, 10);
        else
            return false;
    }
    return l->op != NULL && l->password != NULL && l->users > 0 && l->connections > 0 &&
           l->connections <= CONNECTIONS_MAX && l->seconds > 0 && optind == argc &&
           wire_address(&l->to, l->address, l->port);
}

int main(int argc, char **argv)
{
    struct load l = {.address = "127.0.0.1",
                     .domain = "ours.test",
                     .user = "u",
                     .users = 10,
                     .connections = 1,
                     .seconds = 2};

    if (!read_options(argc, argv, &l)) {
        (void)fputs(
            "usage: imapload -p PORT -w PASSWORD -o OPERATION [-a ADDRESS] [-U USERS] "
            "[-c CONNECTIONS] [-t SECONDS] [-d DOMAIN]\noperations:",
            stderr);
        for (size_t i = 0; i < COUNT_OF(operations); i++)
            (void)fprintf(stderr, " %s", operations[i].name);
        (void)fputs("\n", stderr);
        return 2;
    }
    return run(&l);
}
