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
 *     SIGHUP            the configuration is read anew. When only the log and the certificate
 *                       can have changed, the log is opened and the certificate handed to
 *                       every edge; else every role is started anew with it, while the ports
 *                       stay open. What only a start can change is named (`at_start`) */
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
    struct parent_options o; /* o.conf is the configuration in force */
    struct conf *reloaded;   /* o.conf, when it is not the caller's any more */
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
    p->log_fd = logconf_open(p->o.conf, err);
    if (p->log_fd == -1)
        return -1;
    log_init(&p->log, p->log_fd, "parent", clock_system());
    logconf_apply(p->o.conf, &p->log);
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
static int reopen_log(struct parent *p, const struct conf *c, struct err *err)
{
    int fd = logconf_open(c, err);
    int rc = 0;

    if (fd == -1)
        return -1;
    if (dup3(fd, p->log_fd, O_CLOEXEC) == -1)
        rc = err_sys(err, "log_file");
    (void)close(fd);
    logconf_apply(c, &p->log);
    if (p->single != NULL)
        single_tune(p->single, c);
    return rc;
}

/* Does `c` say something else than the configuration in force, beyond what every reload reads
 * (the files behind is_reloadable keys)? */
static bool is_changed(const struct parent *p, const struct conf *c)
{
    for (size_t i = 0; i < conf_schema_count; i++)
        if (!conf_schema[i].is_reloadable && !conf_same(p->o.conf, c, conf_schema[i].key))
            return true;
    return false;
}

/* The processes and their folders are what they are until the next start. */
static int check_at_start(const struct parent *p, const struct conf *c, struct err *err)
{
    static const char *const at_start[] = {"data_dir",          "run_dir",
                                           "privsep",           "edge_processes",
                                           "mailbox_processes", "relay_processes"};

    for (size_t i = 0; i < COUNT_OF(at_start); i++)
        if (!conf_same(p->o.conf, c, at_start[i]))
            return err_set(err,
                           "%s has changed, which needs a restart of maild; nothing was "
                           "reloaded",
                           at_start[i]);
    if (p->single != NULL && is_changed(p, c))
        return err_set(err, "with --single only log and certificate are reloaded; the "
                            "rest needs a restart of maild");
    return 0;
}

/* All or nothing: `fresh` is in force afterwards, or *err says why not. */
static int take_conf(struct parent *p, struct conf *fresh, struct err *err)
{
    const struct parent_options o = {.conf_path = p->o.conf_path, .conf = fresh};

    if (check_at_start(p, fresh, err) == -1 || check_tls(&o, err) == -1)
        return -1;
    return given_reload(p->given, fresh, err);
}

/* All edges have said goodbye: to end, or to start anew with a changed configuration. */
static void on_edge_quiet(void *ctx, const struct ipc_in *in)
{
    struct parent *p = ctx;

    (void)in; /* also when there was no answer: time is up */
    if (--p->awaited > 0)
        return;
    if (p->is_stopping) {
        stop_roles(p);
        return;
    }
    processes_renew(p->processes);
    log_event(&p->log, LOG_RELOAD, LOGF_S("what", "configuration"));
}

static void say_stop(struct parent *p)
{
    struct buf out;
    struct wr w;

    p->awaited = p->env.count[ROLE_EDGE];
    buf_init(&out, 64);
    wr_init(&w, &out);
    m_stop_encode(&(struct m_stop){.within_ms = STOP_MS}, &w);
    call_edges(p, IPC_STOP, &out, -1, on_edge_quiet);
    buf_free(&out);
}

static void on_terminate(void *ctx, int signo)
{
    struct parent *p = ctx;

    (void)signo;
    if (p->is_stopping) {
        loop_stop(p->loop);
        return;
    }
    p->is_stopping = true;
    if (p->awaited == 0) /* else a reload has asked them already */
        say_stop(p);
}

static void say_certificate(struct parent *p)
{
    struct buf out;
    struct wr w;

    log_event(&p->log, LOG_RELOAD, LOGF_S("what", "log"));
    buf_init(&out, 64);
    wr_init(&w, &out);
    m_reload_encode(&(struct m_reload){.what = 1}, &w);
    call_edges(p, IPC_RELOAD, &out, given_tls(p->given), on_reloaded);
    buf_free(&out);
}

static void on_hangup(void *ctx, int signo)
{
    struct parent *p = ctx;
    struct err err = {0};
    struct conf *fresh = conf_load(p->o.conf_path, &err);
    bool changed = fresh != NULL && is_changed(p, fresh);

    (void)signo;
    if (p->is_stopping || p->awaited > 0) {
        conf_free(&fresh); /* the roles are on their way out, or being started anew */
        return;
    }
    if (fresh == NULL || take_conf(p, fresh, &err) == -1) {
        log_event(&p->log, LOG_RELOAD_FAILED, LOGF_S("error", err.text));
        conf_free(&fresh);
        return;
    }
    if (reopen_log(p, fresh, &err) == -1)
        log_event(&p->log, LOG_RELOAD_FAILED, LOGF_S("error", err.text));
    conf_free(&p->reloaded);
    p->reloaded = fresh;
    p->o.conf = p->env.conf = fresh;
    if (changed)
        say_stop(p);
    else
        say_certificate(p);
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
    p->given = given_open(p->o.conf, err);
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
                               .conf = p->o.conf};
    for (int r = 0; r < ROLE_COUNT; r++)
        p->env.count[r] = 1;
    if (!p->o.is_single)
        role_counts(p->o.conf, p->env.count);
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
    else if (sandbox_host_of(p->o.conf, &host, &err) == 0 && host.level != SANDBOX_FULL)
        printf("maild: roles share user %s, no chroot%s\n", surroundings_user(),
               host.level == SANDBOX_OFF ? ", no limits of system calls" : "");
}

static void on_started(void *ctx)
{
    struct parent *p = ctx;
    char line[2048];

    print_ports(p->o.conf, line, sizeof(line));
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
    if (conf_text(p->o.conf, "log_file")[0] != '\0')
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
    const struct roles_host host = {.o = &p->o,
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
    if (!p->o.is_single) {
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
    return check_data_dir(&p->o, err);
}

static int tls_begin(struct parent *p, struct err *err)
{
    return check_tls(&p->o, err);
}

static int run_dir_begin(struct parent *p, struct err *err)
{
    return check_run_dir(&p->o, err);
}

static int lock_begin(struct parent *p, struct err *err)
{
    return lock_data_dir(&p->o, &p->lock_fd, err);
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
    struct parent p = {.o = *o, .log_fd = -1, .lock_fd = -1};
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
    conf_free(&p.reloaded);
    return rc != 0 || p.has_failed ? -1 : 0;
}
