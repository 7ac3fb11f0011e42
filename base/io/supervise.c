/* SPDX-License-Identifier: ISC */
/* Life of an instance:
 *
 *   DOWN --spawn--> BOOTING --READY--> READY --END--> ENDING --exit--> DOWN
 *     ^               |                  |
 *     |               +------ exit ------+--> RESTING --timer--> spawn
 *
 * 1. An exit that nobody asked for is followed by a new start, at once. Only after two lives
 *    in a row shorter than STEADY_MS there is a rest, which doubles from REST_MS to
 *    REST_MAX_MS. So one that cannot start at all costs nothing, and one that was killed is
 *    back in the time an exec takes.
 * 2. A pair of instances is joined when the second of them gets ready: exactly once for each
 *    pair of lives. Nobody is told of a death: sockets close by themselves.
 * 3. Before every instance was ready once, an exit is a failed start of the daemon.
 * 4. Lines of a role's log come through a pipe of its own; only whole lines are passed on, so
 *    roles cannot write into each other's lines, and octets that could obey a terminal's
 *    rules are taken out. What is no log line of that role (an assert, a library, the
 *    sandbox, a forgery) becomes the text of an event.
 *
 * Over 500 lines because all of it is the one table of instances. */
#include "base/io/supervise.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/core/span.h"
#include "base/io/fdpass.h"
#include "base/io/ipc.h"
#include "base/io/rolechild.h"

#define STEADY_MS    5000
#define REST_MS      100
#define REST_MAX_MS  10000
#define LOG_LINE_MAX 8192 /* a role's own lines have at most 4096 octets */
#define LOG_READS    16   /* a turn */
#define LINE_BUF     (256 * 1024)

enum life { LIFE_DOWN, LIFE_BOOTING, LIFE_READY, LIFE_ENDING, LIFE_RESTING };

struct instance {
    struct supervise *s;
    const struct supervise_row *row;
    unsigned number;
    enum life life;
    pid_t pid;
    int line_fd; /* our end of ROLECHILD_FD */
    struct loop_io *line;
    int log_fd;
    struct loop_io *log;
    char *text; /* the unfinished line of its log */
    size_t text_n;
    struct loop_timer *timer; /* the rest, or the time it has to end */
    int64_t began_ms;
    unsigned restarts, short_lives;
    bool must_renew; /* it was told to end to be started anew */
};

struct supervise {
    struct supervise_config cfg;
    struct instance *all;
    size_t n;
    bool is_started, is_failed, is_stopping;
    int64_t each_ms;
};

static void spawn(struct instance *in);
static void stop_next(struct supervise *s);

/* ---- log ------------------------------------------------------------------------------ */

static const char *life_name(const struct instance *in, char room[48])
{
    (void)snprintf(room, 48, "%s %u", in->row->name, in->number);
    return room;
}

/* A line of the role's own log under its own name: "TIME LEVEL ROLE ..." or the same as
 * JSON. The name of another would be a forgery. */
static bool is_log_line(const struct instance *in)
{
    static const char json[] = "\",\"role\":\"";
    struct span line = span_of(in->text, in->text_n), name = span_str(in->row->name);
    size_t at = 0;

    if (line.n > 0 && line.p[0] == '{') {
        const char *p = memmem(line.p, line.n, json, sizeof(json) - 1);

        at = p == NULL ? line.n : (size_t)(p - in->text) + sizeof(json) - 1;
    } else if (line.n > 0 && ascii_is_digit(line.p[0])) {
        for (unsigned blanks = 0; at < line.n && blanks < 2; at++)
            blanks += line.p[at] == ' ';
    } else {
        return false;
    }
    line = span_drop(line, at);
    return line.n > name.n && memcmp(line.p, name.p, name.n) == 0 &&
           !ascii_is_alnum(line.p[name.n]);
}

static void put_line(struct instance *in)
{
    size_t n = in->text_n;
    char name[48];
    bool is_ours;

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)in->text[i] < 0x20 && in->text[i] != '\t')
            in->text[i] = '?';
    is_ours = is_log_line(in);
    in->text_n = 0;
    if (!is_ours) {
        log_event(in->s->cfg.log, LOG_ROLE_SAYS, LOGF_S("instance", life_name(in, name)),
                  LOGF_B("text", span_of(in->text, n)));
        return;
    }
    in->text[n] = '\n';
    for (size_t at = 0; at < n + 1;) {
        ssize_t w = write(in->s->cfg.log_fd, in->text + at, n + 1 - at);

        if (w == -1 && errno == EINTR)
            continue;
        if (w <= 0)
            break; /* a log that takes nothing loses the line, not the daemon */
        at += (size_t)w;
    }
}

static void log_take(struct instance *in, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\n')
            put_line(in);
        else if (in->text_n < LOG_LINE_MAX)
            in->text[in->text_n++] = p[i];
    }
}

static void on_log(void *ctx, unsigned what)
{
    struct instance *in = ctx;
    char room[16384];

    (void)what;
    for (int i = 0; i < LOG_READS; i++) {
        ssize_t n = read(in->log_fd, room, sizeof(room));

        if (n > 0) {
            log_take(in, room, (size_t)n);
        } else {
            if (n == 0)
                loop_io_watch(in->log, 0);
            return;
        }
    }
}

/* ---- the line to an instance ---------------------------------------------------------- */

static struct instance *find(const struct supervise *s, uint8_t role, unsigned number)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->all[i].row->role == role && s->all[i].number == number)
            return &s->all[i];
    return NULL;
}

/* Hand `fd` to an instance as its channel to (role, number); `fd` is closed here. When its
 * line is full it does not read it: that one is beyond help. */
static void hand_channel(struct instance *to, uint8_t role, unsigned number, int fd)
{
    const uint8_t word[] = {ROLECHILD_PLUG, role, (uint8_t)number};

    if (fdpass_send(to->line_fd, span_of(word, sizeof(word)), fd) == -1 &&
        errno == EAGAIN)
        (void)kill(to->pid, SIGKILL);
    (void)close(fd);
}

static void join(struct instance *a, struct instance *b)
{
    struct err err;
    int fds[2];
    char name[48];

    if (ipc_pair(fds, &err) == -1) {
        /* No descriptors: the pair cannot work. Ending one of them tries again. */
        log_event(a->s->cfg.log, LOG_PROCESS_FAULT, LOGF_S("error", err.text),
                  LOGF_S("instance", life_name(a, name)));
        (void)kill(a->pid, SIGKILL);
        return;
    }
    hand_channel(a, b->row->role, b->number, fds[0]);
    hand_channel(b, a->row->role, a->number, fds[1]);
}

static void join_all(struct instance *in)
{
    struct supervise *s = in->s;
    int fds[2];
    struct err err;

    for (size_t i = 0; i < s->n; i++) {
        struct instance *other = &s->all[i];

        if (other != in && other->life == LIFE_READY &&
            s->cfg.speaks(in->row->role, other->row->role))
            join(in, other);
    }
    if (s->cfg.speaks(s->cfg.self, in->row->role) && ipc_pair(fds, &err) == 0) {
        hand_channel(in, s->cfg.self, 0, fds[1]);
        s->cfg.plug(s->cfg.ctx, in->row->role, in->number, fds[0]);
    }
}

static void start_more(struct supervise *s)
{
    bool is_ready = true;

    for (size_t i = 0; i < s->n; i++) {
        struct instance *in = &s->all[i];

        if (in->row->waits && !is_ready)
            return;
        if (in->life == LIFE_DOWN)
            spawn(in);
        is_ready = is_ready && in->life == LIFE_READY;
    }
    if (is_ready && !s->is_started) {
        s->is_started = true;
        s->cfg.started(s->cfg.ctx);
    }
}

static void on_ready(struct instance *in)
{
    char name[48];

    if (in->life != LIFE_BOOTING)
        return;
    in->life = LIFE_READY;
    log_event(in->s->cfg.log, LOG_ROLE_STARTED, LOGF_S("instance", life_name(in, name)),
              LOGF_N("pid", in->pid), LOGF_N("restarts", in->restarts));
    join_all(in);
    if (!in->s->is_started && !in->s->is_stopping && !in->s->is_failed)
        start_more(in->s);
}

static void fail(struct instance *in, const char *why)
{
    struct supervise *s = in->s;

    if (s->is_started) {
        log_event(s->cfg.log, LOG_PROCESS_FAULT, LOGF_S("error", why));
    } else if (!s->is_failed && !s->is_stopping) {
        s->is_failed = true;
        s->cfg.failed(s->cfg.ctx, why);
    }
}

static void on_breach(struct instance *by, uint8_t role, unsigned number)
{
    struct instance *in = find(by->s, role, number);
    char name[48], accuser[48];

    if (in == NULL || in->life != LIFE_READY || !by->s->cfg.speaks(by->row->role, role))
        return;
    log_event(by->s->cfg.log, LOG_ROLE_BREACH, LOGF_S("instance", life_name(in, name)),
              LOGF_S("told_by", life_name(by, accuser)));
    (void)kill(in->pid, SIGKILL);
}

static void on_line(void *ctx, unsigned what)
{
    struct instance *in = ctx;
    uint8_t word[1 + ERR_TEXT_MAX + 1];
    int fd;
    ssize_t n = fdpass_receive(in->line_fd, word, sizeof(word) - 1, &fd);

    (void)what;
    if (fd != -1)
        (void)close(fd);
    if (n == -1 && errno == EAGAIN)
        return;
    if (n <= 0) {
        loop_io_watch(in->line, 0); /* its exit is told by SIGCHLD */
        return;
    }
    word[n] = '\0';
    if (word[0] == ROLECHILD_READY)
        on_ready(in);
    else if (word[0] == ROLECHILD_FAILED)
        fail(in, (const char *)word + 1);
    else if (word[0] == ROLECHILD_BREACH && n == 3)
        on_breach(in, word[1], word[2]);
}

/* ---- start ---------------------------------------------------------------------------- */

/* Between fork and exec: only what is safe there. */
static void become(struct instance *in, int line, int log)
{
    char number[16];
    char *argv[] = {(char *)(uintptr_t)in->s->cfg.program,
                    (char *)(uintptr_t) "--role",
                    (char *)(uintptr_t)in->row->name,
                    (char *)(uintptr_t) "--instance",
                    number,
                    NULL};
    int null = open("/dev/null", O_RDWR);

    (void)snprintf(number, sizeof(number), "%u", in->number);
    if (null == -1 || dup2(null, 0) == -1 || dup2(log, 1) == -1 || dup2(log, 2) == -1)
        _exit(1);
    /* `line` may be ROLECHILD_FD itself, and then has to lose its close-on-exec flag */
    if (line == ROLECHILD_FD ? fcntl(line, F_SETFD, 0) == -1
                             : dup2(line, ROLECHILD_FD) == -1)
        _exit(1);
    if (close_range(ROLECHILD_FD + 1, ~0U, 0) == -1)
        _exit(1);
    (void)execv("/proc/self/exe", argv);
    (void)dprintf(2, "%s: start %s: %s\n", in->s->cfg.program, in->row->name,
                  strerror(errno));
    _exit(1);
}

static void watch(struct instance *in)
{
    struct loop *l = in->s->cfg.loop;

    in->line = loop_io_new(l, in->line_fd, "supervise.line", on_line, in);
    loop_io_watch(in->line, LOOP_READ);
    in->log = loop_io_new(l, in->log_fd, "supervise.log", on_log, in);
    loop_io_watch(in->log, LOOP_READ);
}

/* The two ends of line and log pipe; what the role must not wait for does not block it. */
static int make_ends(int line[2], int log[2], struct err *err)
{
    int room = LINE_BUF;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, line) == -1)
        return err_sys(err, "socket pair");
    (void)setsockopt(line[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    if (pipe2(log, O_CLOEXEC | O_NONBLOCK) == -1) {
        (void)err_sys(err, "pipe");
        (void)close(line[0]);
        (void)close(line[1]);
        return -1;
    }
    return 0;
}

static int try_spawn(struct instance *in, struct err *err)
{
    struct supervise *s = in->s;
    struct bag bag;
    int line[2] = {-1, -1}, log[2] = {-1, -1}, rc = -1;

    bag_init(&bag);
    if (make_ends(line, log, err) == -1)
        return -1;
    if (s->cfg.fill(s->cfg.ctx, in->row, in->number, &bag, err) == -1)
        goto out;
    in->pid = fork();
    if (in->pid == 0)
        become(in, line[1], log[1]);
    if (in->pid == -1) {
        in->pid = 0;
        (void)err_sys(err, "fork");
        goto out;
    }
    /* The child reads at once, and when it dies the other end is only ours: no wait. */
    (void)close(line[1]);
    line[1] = -1;
    if (bag_send(&bag, line[0], err) == -1) {
        (void)kill(in->pid, SIGKILL);
        (void)waitpid(in->pid, NULL, 0);
        in->pid = 0;
        goto out;
    }
    (void)fcntl(line[0], F_SETFL, O_NONBLOCK);
    in->line_fd = line[0];
    in->log_fd = log[0];
    line[0] = log[0] = -1;
    watch(in);
    rc = 0;
out:
    bag_free(&bag);
    for (int i = 0; i < 2; i++) {
        if (line[i] != -1)
            (void)close(line[i]);
        if (log[i] != -1)
            (void)close(log[i]);
    }
    return rc;
}

static void rest(struct instance *in)
{
    int64_t ms = REST_MS;

    if (in->short_lives <= 1) { /* one may be an accident */
        spawn(in);
        return;
    }
    for (unsigned i = 2; i < in->short_lives && ms < REST_MAX_MS; i++)
        ms *= 2;
    in->life = LIFE_RESTING;
    loop_timer_set(in->timer, ms < REST_MAX_MS ? ms : REST_MAX_MS);
}

static void spawn(struct instance *in)
{
    struct err err;

    in->began_ms = clock_mono_ms(loop_clock(in->s->cfg.loop));
    in->life = LIFE_BOOTING;
    if (try_spawn(in, &err) == 0)
        return;
    in->life = LIFE_DOWN;
    (void)err_wrap(&err, "start %s", in->row->name);
    fail(in, err.text);
    in->short_lives++;
    if (in->s->is_started)
        rest(in);
}

/* ---- end ------------------------------------------------------------------------------ */

static void release(struct instance *in)
{
    if (in->log != NULL)
        on_log(in, LOOP_READ); /* its last words */
    if (in->text_n > 0)
        put_line(in);
    loop_io_free(&in->line);
    loop_io_free(&in->log);
    if (in->line_fd != -1)
        (void)close(in->line_fd);
    if (in->log_fd != -1)
        (void)close(in->log_fd);
    in->line_fd = in->log_fd = -1;
    in->pid = 0;
    loop_timer_cancel(in->timer);
}

/* "exit 1", "signal 9 (Killed)", or what the sandbox does to a role. */
static void describe(int status, char *room, size_t n)
{
    if (WIFEXITED(status))
        (void)snprintf(room, n, "exit %d", WEXITSTATUS(status));
    else if (WTERMSIG(status) == SIGSYS)
        (void)snprintf(room, n, "it made a system call that its role may not make");
    else
        (void)snprintf(room, n, "signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
}

static void on_exit_of(struct instance *in, int status)
{
    struct supervise *s = in->s;
    int64_t lived_ms = clock_mono_ms(loop_clock(s->cfg.loop)) - in->began_ms;
    bool is_asked =
        in->life == LIFE_ENDING && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    char how[96], name[48], why[192];
    pid_t pid = in->pid;

    describe(status, how, sizeof(how));
    release(in);
    in->life = LIFE_DOWN;
    if (!is_asked)
        log_event(s->cfg.log, LOG_ROLE_DIED, LOGF_S("instance", life_name(in, name)),
                  LOGF_N("pid", pid), LOGF_S("how", how), LOGF_N("lived_ms", lived_ms));
    if (s->is_stopping) {
        stop_next(s);
        return;
    }
    if (!s->is_started) {
        (void)snprintf(why, sizeof(why), "%s ended while it started: %s", in->row->name,
                       how);
        fail(in, why);
        return;
    }
    in->restarts++;
    in->short_lives = in->must_renew || lived_ms >= STEADY_MS ? 0 : in->short_lives + 1;
    in->must_renew = false;
    rest(in);
}

static void on_child(void *ctx, int signo)
{
    struct supervise *s = ctx;

    (void)signo;
    for (size_t i = 0; i < s->n; i++) {
        int status;

        if (s->all[i].pid > 0 && waitpid(s->all[i].pid, &status, WNOHANG) > 0)
            on_exit_of(&s->all[i], status);
    }
}

static void on_timer(void *ctx)
{
    struct instance *in = ctx;

    if (in->life == LIFE_RESTING)
        spawn(in);
    else if (in->pid > 0)
        (void)kill(in->pid, SIGKILL); /* it had its time to end */
}

static void tell_end(struct instance *in)
{
    if (in->pid == 0) {
        in->life = LIFE_DOWN;
        loop_timer_cancel(in->timer);
        return;
    }
    in->life = LIFE_ENDING;
    if (fdpass_send(in->line_fd, span_of(&(uint8_t){ROLECHILD_END}, 1), -1) == -1)
        (void)kill(in->pid, SIGKILL);
    loop_timer_set(in->timer, in->s->each_ms);
}

/* The last row that still has a process ends next; when its instances are told already,
 * their exits bring us here again. */
static void stop_next(struct supervise *s)
{
    const struct supervise_row *row = NULL;

    for (size_t i = s->n; i-- > 0;) {
        struct instance *in = &s->all[i];

        if (row != NULL && in->row != row)
            break;
        if (in->pid > 0) {
            row = in->row;
            if (in->life != LIFE_ENDING)
                tell_end(in);
        } else {
            tell_end(in);
        }
    }
    if (row == NULL)
        s->cfg.stopped(s->cfg.ctx);
}

void supervise_stop(struct supervise *s, int64_t each_ms)
{
    s->each_ms = each_ms;
    if (s->is_stopping)
        return;
    s->is_stopping = true;
    stop_next(s);
}

/* ---- life of the supervisor ----------------------------------------------------------- */

struct supervise *supervise_new(const struct supervise_config *cfg)
{
    struct supervise *s = mem_new(1, sizeof(*s));
    size_t n = 0;

    s->cfg = *cfg;
    s->each_ms = REST_MAX_MS;
    for (size_t i = 0; i < cfg->n_rows; i++) {
        assert(cfg->rows[i].count >= 1 && cfg->rows[i].count <= SUPERVISE_INSTANCES);
        n += cfg->rows[i].count;
    }
    s->all = mem_new(n, sizeof(*s->all));
    for (size_t i = 0; i < cfg->n_rows; i++)
        for (unsigned k = 0; k < cfg->rows[i].count; k++) {
            struct instance *in = &s->all[s->n++];

            in->s = s;
            in->row = &cfg->rows[i];
            in->number = k;
            in->line_fd = in->log_fd = -1;
            in->text = mem_new(LOG_LINE_MAX + 1, 1);
            in->timer = loop_timer_new(cfg->loop, "supervise.rest", on_timer, in);
        }
    loop_on_signal(cfg->loop, SIGCHLD, on_child, s);
    return s;
}

void supervise_free(struct supervise **sp)
{
    struct supervise *s = *sp;

    if (s == NULL)
        return;
    *sp = NULL;
    for (size_t i = 0; i < s->n; i++) {
        struct instance *in = &s->all[i];

        if (in->pid > 0) {
            (void)kill(in->pid, SIGKILL);
            (void)waitpid(in->pid, NULL, 0);
        }
        release(in);
        loop_timer_free(&in->timer);
        free(in->text);
    }
    free(s->all);
    free(s);
}

void supervise_start(struct supervise *s)
{
    start_more(s);
}

void supervise_renew(struct supervise *s, uint8_t role)
{
    for (size_t i = 0; i < s->n; i++) {
        struct instance *in = &s->all[i];

        if (in->row->role != role || in->pid == 0 || in->life == LIFE_ENDING)
            continue;
        in->must_renew = true;
        tell_end(in);
    }
}

pid_t supervise_pid(const struct supervise *s, uint8_t role, unsigned instance,
                    unsigned *restarts)
{
    const struct instance *in = find(s, role, instance);

    if (in == NULL)
        return 0;
    *restarts = in->restarts;
    return in->pid;
}
