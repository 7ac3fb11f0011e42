/* SPDX-License-Identifier: ISC */
/* maild/parent.c - start, signals and orderly end of maild.
 *
 * The table `steps` is the whole start: each step has a `begin` and, where it leaves
 * something behind, an `end`; parent_run walks it forwards and, from wherever it got to,
 * backwards. The roles are processes (processes.c), or with --single part of this one
 * (single.c); the parent itself parses no octet that comes from a network.
 *
 *     SIGTERM, SIGINT   every edge gets STOP and says goodbye to its clients (at most
 *                       STOP_MS), then the roles end, then this process. A second one: at
 *                       once
 *     SIGHUP            the log is opened anew, as the configuration's log keys want it now,
 *                       and the certificate is read and handed to every edge */
#include "maild/parent.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/conf/logconf.h"
#include "base/core/clock.h"
#include "base/core/rng.h"
#include "base/io/sandbox.h"
#include "maild/ipc_msgs.h"
#include "maild/parent_int.h"

#define STOP_MS   5000
#define ANSWER_MS 10000

struct parent {
    const struct parent_options *o;
    int log_fd;
    int lock_fd;
    struct loop *loop;
    struct log log;
    struct role_env env; /* the parent as a role among the others */
    struct given *given;
    struct processes *processes; /* one of the two */
    struct single *single;
    unsigned awaited; /* edges that have not said yet that they stopped */
    bool is_stopping, has_failed;
    struct err *err; /* why the roles did not start */
};

/* Log ----------------------------------------------------------------------------------- */

static int log_begin(struct parent *p, struct err *err)
{
    p->log_fd = logconf_open(p->o->conf, err);
    if (p->log_fd == -1)
        return -1;
    log_init(&p->log, p->log_fd, "parent", clock_system());
    logconf_apply(p->o->conf, &p->log);
    return 0;
}

static void log_end(struct parent *p)
{
    log_event(&p->log, LOG_PROCESS_STOP, LOGF_S("program", "maild"));
    (void)close(p->log_fd);
}

/* Signals ------------------------------------------------------------------------------- */

/* Ask every edge; `cb` is called once for each, also for one that cannot answer. */
static void call_edges(struct parent *p, uint16_t type, const struct buf *payload, int fd,
                       ipc_answer_fn cb)
{
    for (unsigned i = 0; i < p->env.count[ROLE_EDGE]; i++)
        (void)ipc_call(role_peer(&p->env, ROLE_EDGE, i), type, buf_all(payload), fd,
                       ANSWER_MS, cb, p);
}

static void stop_roles(struct parent *p)
{
    if (p->processes != NULL)
        processes_stop(p->processes);
    else
        loop_stop(p->loop);
}

static void on_edge_stopped(void *ctx, const struct ipc_in *in)
{
    struct parent *p = ctx;

    (void)in; /* also when there was no answer: time is up */
    if (--p->awaited == 0)
        stop_roles(p);
}

static void on_terminate(void *ctx, int signo)
{
    struct parent *p = ctx;
    struct buf out;
    struct wr w;

    (void)signo;
    if (p->is_stopping) {
        loop_stop(p->loop);
        return;
    }
    p->is_stopping = true;
    p->awaited = p->env.count[ROLE_EDGE];
    buf_init(&out, 64);
    wr_init(&w, &out);
    m_stop_encode(&(struct m_stop){.within_ms = STOP_MS}, &w);
    call_edges(p, IPC_STOP, &out, -1, on_edge_stopped);
    buf_free(&out);
}

static void on_reloaded(void *ctx, const struct ipc_in *in)
{
    struct parent *p = ctx;
    struct m_reloaded m;

    if (in == NULL || !m_reloaded_decode(in->payload, &m))
        log_event(&p->log, LOG_RELOAD_FAILED, LOGF_S("error", "edge did not answer"));
    else if (m.status != ANSWER_YES)
        log_event(&p->log, LOG_RELOAD_FAILED, LOGF_B("error", m.text));
    else
        log_event(&p->log, LOG_RELOAD, LOGF_S("what", "certificates"));
}

/* The descriptor's number stays, so whoever writes to the log writes to the new file. */
static void reload_log(struct parent *p)
{
    struct err err = {0};
    struct conf *c = conf_load(p->o->conf_path, &err);
    int fd = c == NULL ? -1 : logconf_open(c, &err);

    if (fd != -1 && dup3(fd, p->log_fd, O_CLOEXEC) == -1) {
        (void)err_sys(&err, "log_file");
    } else if (fd != -1) {
        logconf_apply(c, &p->log);
        if (p->single != NULL)
            single_tune(p->single, c);
    }
    if (err.text[0] != '\0')
        log_event(&p->log, LOG_RELOAD_FAILED, LOGF_S("error", err.text));
    else
        log_event(&p->log, LOG_RELOAD, LOGF_S("what", "log"));
    if (fd != -1)
        (void)close(fd);
    conf_free(&c);
}

static void on_hangup(void *ctx, int signo)
{
    struct parent *p = ctx;
    struct err err = {0};
    struct buf out;
    struct wr w;

    (void)signo;
    reload_log(p);
    if (given_reload_tls(p->given, &err) == -1) {
        log_event(&p->log, LOG_RELOAD_FAILED, LOGF_S("error", err.text));
        return;
    }
    buf_init(&out, 64);
    wr_init(&w, &out);
    m_reload_encode(&(struct m_reload){.what = 1}, &w);
    call_edges(p, IPC_RELOAD, &out, given_tls(p->given), on_reloaded);
    buf_free(&out);
}

/* Loop, ports, channels ------------------------------------------------------------------- */

static int loop_begin(struct parent *p, struct err *err)
{
    struct rlimit lim;

    (void)err;
    if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
        lim.rlim_cur = lim.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &lim);
    }
    (void)umask(027);
    p->loop = loop_new(&p->log, clock_system());
    loop_on_signal(p->loop, SIGTERM, on_terminate, p);
    loop_on_signal(p->loop, SIGINT, on_terminate, p);
    loop_on_signal(p->loop, SIGHUP, on_hangup, p);
    return 0;
}

static void loop_end(struct parent *p)
{
    loop_free(&p->loop);
}

static int given_begin(struct parent *p, struct err *err)
{
    p->given = given_open(p->o->conf, err);
    return p->given != NULL ? 0 : -1;
}

static void given_end(struct parent *p)
{
    given_close(&p->given);
}

static void on_message(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    (void)ctx;
    (void)ch;
    if (in->fd != -1)
        (void)close(in->fd); /* roles only answer the parent, they do not ask */
}

static int channels_begin(struct parent *p, struct err *err)
{
    static const struct ipc_handlers handlers = {.message = on_message};

    (void)err;
    p->env = (struct role_env){.self = ROLE_PARENT,
                               .loop = p->loop,
                               .log = &p->log,
                               .clock = clock_system(),
                               .rng = rng_system(),
                               .conf = p->o->conf};
    for (int r = 0; r < ROLE_COUNT; r++)
        p->env.count[r] = 1;
    if (!p->o->is_single)
        role_counts(p->o->conf, p->env.count);
    role_connect(&p->env, ROLE_EDGE, &handlers, p);
    return 0;
}

static void channels_end(struct parent *p)
{
    role_disconnect(&p->env);
}

/* Ready --------------------------------------------------------------------------------- */

static void print_ports(const struct conf *c, char *line, size_t max)
{
    size_t n = 0;

    line[0] = '\0';
    for (size_t i = 0; i < conf_count(c, "listen"); i++) {
        const char *one = conf_nth(c, "listen", i);
        int w;

        if (span_starts(span_str(one), SPAN_LIT("dns ")))
            continue;
        w = snprintf(line + n, max - n, "%s%s", n == 0 ? "" : ", ", one);
        if (w > 0 && (size_t)w < max - n)
            n += (size_t)w;
    }
}

/* How far the roles are shut in, when it is not all the way. */
static void print_confinement(const struct parent *p)
{
    struct sandbox_host host;
    struct err err;

    if (p->single != NULL)
        printf("maild: all roles in one process, user %s, nothing confined\n",
               surroundings_user());
    else if (sandbox_host_of(p->o->conf, &host, &err) == 0 && host.level != SANDBOX_FULL)
        printf("maild: roles share user %s, no chroot%s\n", surroundings_user(),
               host.level == SANDBOX_OFF ? ", no limits of system calls" : "");
}

static void on_started(void *ctx)
{
    struct parent *p = ctx;
    char line[2048];

    print_ports(p->o->conf, line, sizeof(line));
    print_confinement(p);
    printf("maild: ready: %s\n", line);
    (void)fflush(stdout);
    log_event(&p->log, LOG_PROCESS_READY, LOGF_S("program", "maild"),
              LOGF_S("listen", line), LOGF_N("pid", getpid()));
}

/* Roles --------------------------------------------------------------------------------- */

/* Standard error gets it from main; a log file would not know why. */
static void log_failure(struct parent *p)
{
    if (conf_text(p->o->conf, "log_file")[0] != '\0')
        log_event(&p->log, LOG_PROCESS_FAULT, LOGF_S("error", p->err->text));
}

static void on_failed(void *ctx, const char *why)
{
    struct parent *p = ctx;

    p->has_failed = p->is_stopping = true;
    (void)err_set(p->err, "%s", why);
    log_failure(p);
    stop_roles(p);
}

static void on_stopped(void *ctx)
{
    struct parent *p = ctx;

    loop_stop(p->loop);
}

static int roles_begin(struct parent *p, struct err *err)
{
    const struct roles_host host = {.o = p->o,
                                    .loop = p->loop,
                                    .log = &p->log,
                                    .log_fd = p->log_fd,
                                    .lock_fd = p->lock_fd,
                                    .given = p->given,
                                    .parent = &p->env,
                                    .started = on_started,
                                    .failed = on_failed,
                                    .stopped = on_stopped,
                                    .ctx = p};

    p->err = err;
    if (!p->o->is_single) {
        p->processes = processes_start(&host);
        return 0;
    }
    p->single = single_start(&host, err);
    if (p->single == NULL) {
        log_failure(p);
        return -1;
    }
    on_started(p);
    return 0;
}

static void roles_end(struct parent *p)
{
    processes_free(&p->processes);
    single_free(&p->single);
}

/* Steps --------------------------------------------------------------------------------- */

static int data_dir_begin(struct parent *p, struct err *err)
{
    return check_data_dir(p->o, err);
}

static int tls_begin(struct parent *p, struct err *err)
{
    return check_tls(p->o, err);
}

static int run_dir_begin(struct parent *p, struct err *err)
{
    return check_run_dir(p->o, err);
}

static int lock_begin(struct parent *p, struct err *err)
{
    return lock_data_dir(p->o, &p->lock_fd, err);
}

static void lock_end(struct parent *p)
{
    (void)close(p->lock_fd);
}

static const struct step {
    int (*begin)(struct parent *p, struct err *err);
    void (*end)(struct parent *p);
    bool is_check; /* also done for -n */
} steps[] = {
    {data_dir_begin, NULL, true},    {tls_begin, NULL, true},
    {run_dir_begin, NULL, false},    {lock_begin, lock_end, false},
    {log_begin, log_end, false},     {loop_begin, loop_end, false},
    {given_begin, given_end, false}, {channels_begin, channels_end, false},
    {roles_begin, roles_end, false},
};

int parent_run(const struct parent_options *o, struct err *err)
{
    struct parent p = {.o = o, .log_fd = -1, .lock_fd = -1};
    size_t done = 0;
    int rc = 0;

    for (; done < COUNT_OF(steps) && rc == 0; done++)
        if (steps[done].is_check || !o->check_only)
            rc = steps[done].begin(&p, err);
    if (rc != 0)
        done--; /* the step that failed has cleaned up after itself */
    else if (!o->check_only)
        loop_run(p.loop);
    while (done-- > 0)
        if (steps[done].end != NULL && !o->check_only)
            steps[done].end(&p);
    return rc != 0 || p.has_failed ? -1 : 0;
}
