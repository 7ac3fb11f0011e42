/* SPDX-License-Identifier: ISC */
/* tests/tools/addlatency.c - how long from a commit to the first right answer, under load.
 *
 *     addlatency -d DATA_DIR -r RUN_DIR -p PORT -n NAME -L "dnsload ..." -- COMMAND...
 *
 * Starts the load (-L, may be left out), waits a second, runs COMMAND, which adds the domain
 * NAME, and asks for NAME's SOA five thousand times a second until the answer is right. The
 * clock starts when the commit can be seen in the database (PRAGMA data_version, looked at as
 * often), dated at the look before: on a busy machine this program may be the one that is
 * late, and must not make the figure smaller by that. The time from the writer's datagram is
 * printed too.
 *
 * Right is: our question, NOERROR, AA, a SOA. Before that only REFUSED or NXDOMAIN may come,
 * and afterwards every answer of the next second must be right. The load's own judgement is
 * its exit status.
 *
 * Prints one JSON line. Exit 0 when it took at most 50 ms and nothing was wrong. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/core/buf.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/db/db.h"
#include "base/dns/message.h"

enum {
    PROBE_US = 200,
    LOAD_FIRST_US = 1000000,
    AFTER_US = 1000000,
    GIVE_UP_US = 60000000,
    LIMIT_US = 50000,
};

struct trial {
    const char *data_dir, *run_dir, *name, *load;
    long port;
    char **command;
    struct dname qname;
    int probe_fd, notify_fd;
    struct db *db;
    int64_t version;
    pid_t load_pid, command_pid; /* 0: not started, or ended */
    int command_status;
    char notify_path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    int64_t commit_us, notice_us, answer_us; /* 0: not seen yet */
    int64_t looked_us;
    unsigned wrong, probes, replies;
    uint16_t id;
};

static int64_t now_us(void)
{
    return clock_mono_us(clock_system());
}

/* --- what is watched --- */

static int open_notify(struct trial *t, struct err *err)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    if ((size_t)snprintf(to.sun_path, sizeof(to.sun_path), "%s/notify/addlatency.%d",
                         t->run_dir, (int)getpid()) >= sizeof(to.sun_path))
        return err_set(err, "run_dir is too long");
    t->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (t->notify_fd == -1 ||
        bind(t->notify_fd, (const struct sockaddr *)&to, sizeof(to)) == -1)
        return err_sys(err, "%s", to.sun_path);
    memcpy(t->notify_path, to.sun_path, sizeof(to.sun_path));
    return 0;
}

static int open_database(struct trial *t, struct err *err)
{
    static const struct db_options read_only = {.mode = DB_READ, .busy_ms = 1000};
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/db/signpost.db", t->data_dir);
    t->db = db_open(path, &read_only, err);
    if (t->db == NULL)
        return -1;
    t->version = db_data_version(t->db);
    return 0;
}

static int open_probe(struct trial *t, struct err *err)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)t->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    t->probe_fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (t->probe_fd == -1 ||
        connect(t->probe_fd, (const struct sockaddr *)&to, sizeof(to)) == -1)
        return err_sys(err, "port %ld", t->port);
    return 0;
}

static pid_t spawn(char *const argv[], int out_fd)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    if (out_fd != -1)
        (void)dup2(out_fd, STDOUT_FILENO);
    (void)execvp(argv[0], argv);
    (void)fprintf(stderr, "addlatency: %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

/* --- probing --- */

static void send_probe(struct trial *t)
{
    struct message_query q = {.id = ++t->id, .type = RR_SOA, .class = RRCLASS_IN};
    struct buf packet;

    buf_init(&packet, 512);
    if (message_put_query(&packet, dname_span(&t->qname), &q) == 0 &&
        send(t->probe_fd, packet.data, packet.len, 0) > 0)
        t->probes++;
    buf_free(&packet);
}

static bool is_right(const struct trial *t, struct span reply)
{
    struct message m;
    struct message_rr rr;

    return message_open(&m, reply) && message_rcode(&m) == RCODE_NOERROR &&
           (m.flags & MESSAGE_AA) != 0 && m.counts[MESSAGE_ANSWER] == 1 &&
           message_next(&m, &rr) == MESSAGE_OK &&
           dname_eq(dname_span(&rr.owner), dname_span(&t->qname)) &&
           message_next(&m, &rr) == MESSAGE_OK && rr.type == RR_SOA;
}

static bool is_not_yet(struct span reply)
{
    struct message m;

    return message_open(&m, reply) &&
           (message_rcode(&m) == RCODE_REFUSED || message_rcode(&m) == RCODE_NXDOMAIN);
}

static void take_replies(struct trial *t)
{
    uint8_t reply[2048];
    ssize_t n;

    while ((n = recv(t->probe_fd, reply, sizeof(reply), 0)) > 0) {
        struct span s = span_of(reply, (size_t)n);

        t->replies++;
        if (is_right(t, s)) {
            if (t->answer_us == 0)
                t->answer_us = now_us();
        } else if (t->answer_us != 0 || !is_not_yet(s)) {
            t->wrong++;
        }
    }
}

/* Each event is given the time of the look before, when it had not happened yet. */
static void watch(struct trial *t)
{
    uint8_t octets[64];
    int64_t now = now_us();

    if (t->commit_us == 0 && db_data_version(t->db) != t->version)
        t->commit_us = t->looked_us;
    if (t->notice_us == 0 && recv(t->notify_fd, octets, sizeof(octets), 0) >= 0)
        t->notice_us = t->looked_us;
    t->looked_us = now;
}

/* --- the trial --- */

static void start_load(struct trial *t)
{
    char shell[] = "/bin/sh";
    char option[] = "-c";
    char line[4096];
    char *argv[] = {shell, option, line, NULL};

    if (t->load == NULL)
        return;
    (void)snprintf(line, sizeof(line), "exec %s", t->load);
    t->load_pid = spawn(argv, STDERR_FILENO);
    (void)usleep(LOAD_FIRST_US);
}

static int status_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* Note how the command ended, if it has; when badly, there is nothing to wait for. */
static bool has_failed(struct trial *t)
{
    int status;

    if (t->command_pid > 0 &&
        waitpid(t->command_pid, &status, WNOHANG) == t->command_pid) {
        t->command_pid = 0;
        t->command_status = status_of(status);
    }
    return t->command_status != 0;
}

static bool run(struct trial *t)
{
    int64_t start = now_us();
    int64_t next = start;

    t->command_pid = spawn(t->command, STDERR_FILENO);
    for (int64_t now = start; now - start < GIVE_UP_US; now = now_us()) {
        struct pollfd p = {t->probe_fd, POLLIN, 0};
        struct timespec wait = {0, PROBE_US * 1000};

        watch(t);
        take_replies(t);
        if (t->answer_us != 0 && now - t->answer_us > AFTER_US)
            return true;
        if (has_failed(t))
            return false;
        if (now >= next) {
            send_probe(t);
            next = now + PROBE_US;
        }
        (void)ppoll(&p, 1, &wait, NULL);
    }
    return false;
}

static int wait_for(pid_t pid)
{
    int status = 0;

    return pid > 0 && waitpid(pid, &status, 0) == pid ? status_of(status) : 0;
}

static int report(struct trial *t, bool is_answered)
{
    int command = t->command_pid > 0 ? wait_for(t->command_pid) : t->command_status;
    int load = wait_for(t->load_pid);
    double ms = (double)(t->answer_us - t->commit_us) / 1000;
    bool is_good = is_answered && t->commit_us != 0 &&
                   t->answer_us - t->commit_us <= LIMIT_US && t->wrong == 0 &&
                   command == 0 && load == 0;

    (void)printf("{\"zone\":\"%s\",\"ms\":%.2f,\"ms_from_notice\":%.2f,\"probes\":%u,"
                 "\"replies\":%u,\"wrong\":%u,\"command_status\":%d,\"load_status\":%d,"
                 "\"passed\":%s}\n",
                 t->name, is_answered ? ms : -1,
                 is_answered ? (double)(t->answer_us - t->commit_us) / 1000 : -1,
                 t->probes, t->replies, t->wrong, command, load,
                 is_good ? "true" : "false");
    return is_good ? 0 : 1;
}

static bool read_options(int argc, char **argv, struct trial *t)
{
    int c;

    while ((c = getopt(argc, argv, "+d:r:p:n:L:")) != -1)
        switch (c) {
        case 'd':
            t->data_dir = optarg;
            break;
        case 'r':
            t->run_dir = optarg;
            break;
        case 'p':
            t->port = strtol(optarg, NULL, 10);
            break;
        case 'n':
            t->name = optarg;
            break;
        case 'L':
            t->load = optarg;
            break;
        default:
            return false;
        }
    t->command = argv + optind;
    return t->data_dir != NULL && t->run_dir != NULL && t->name != NULL && t->port > 0 &&
           t->port < 65536 && optind < argc &&
           dname_parse(span_str(t->name), NULL, &t->qname) == DNAME_OK;
}

int main(int argc, char **argv)
{
    struct trial t = {.notify_fd = -1, .probe_fd = -1};
    struct err err = {0};
    int rc = 2;

    if (!read_options(argc, argv, &t)) {
        (void)fputs("usage: addlatency -d DATA_DIR -r RUN_DIR -p PORT -n NAME "
                    "[-L \"dnsload ...\"] -- COMMAND...\n",
                    stderr);
        return 2;
    }
    if (open_probe(&t, &err) != 0 || open_database(&t, &err) != 0 ||
        open_notify(&t, &err) != 0) {
        (void)fprintf(stderr, "addlatency: %s\n", err.text);
    } else {
        start_load(&t);
        rc = report(&t, run(&t));
    }
    db_close(&t.db);
    if (t.notify_path[0] != '\0')
        (void)unlink(t.notify_path);
    return rc;
}
