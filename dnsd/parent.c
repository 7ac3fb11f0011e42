/* SPDX-License-Identifier: ISC */
/* Design: the table `steps` is the whole start; walked backwards from wherever it got to, it
 * is the end. The parent opens ports and socket files (dnsd/given.h) and holds them; the roles
 * are processes that it starts, joins and starts again (base/io/supervise.h), or with
 * --single parts of this process. It reads no packet and no database but to check it.
 *
 *     SIGTERM, SIGINT   serve finishes its batch, then the builder what it has to save; then
 *                       this process ends. A second one: at once
 *     SIGHUP            the log file is opened anew, the log level of this process read anew
 *                       (of all with --single) */
#include "dnsd/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/conf/logconf.h"
#include "base/io/ipc.h"
#include "base/io/supervise.h"
#include "dnsd/build.h"
#include "dnsd/given.h"
#include "dnsd/ipc_msgs.h"

enum { END_MS = 10000, GIVEN_TRIES = 15, GIVEN_PAUSE_MS = 100 };

/* The first to be started is the last to be ended. */
static const enum dnsd_role order[] = {DNSD_BUILDER, DNSD_SERVE};

/* A role in this process. */
struct member {
    struct log log;
    struct bag bag;
    struct dnsd_env env;
    void *state;
};

struct parent {
    const struct dnsd_options *o;
    int log_fd;
    struct log log;
    struct loop *loop;
    struct dnsgiven *given;
    struct ipc *builder;
    struct supervise_row rows[COUNT_OF(order)];
    struct supervise *supervise;            /* NULL: --single */
    struct member members[DNSD_ROLE_COUNT]; /* --single */
    bool is_stopping, was_ready, has_failed;
    struct err *err; /* why a role could not start */
};

/* --- log --- */

static int log_begin(struct parent *p, struct err *err)
{
    p->log_fd = logconf_open(p->o->conf, err);
    if (p->log_fd == -1)
        return -1;
    log_init(&p->log, p->log_fd, "dnsd", clock_system());
    logconf_apply(p->o->conf, &p->log);
    return 0;
}

static void log_end(struct parent *p)
{
    log_event(&p->log, LOG_PROCESS_STOP, LOGF_S("program", "dnsd"));
    (void)close(p->log_fd);
}

/* --- signals --- */

static void on_terminate(void *ctx, int signo)
{
    struct parent *p = ctx;

    (void)signo;
    if (p->supervise != NULL && !p->is_stopping)
        supervise_stop(p->supervise, END_MS);
    else
        loop_stop(p->loop);
    p->is_stopping = true;
}

/* The descriptor's number stays, so every copy of the struct log writes to the new file. */
static void on_hangup(void *ctx, int signo)
{
    struct parent *p = ctx;
    struct err err = {0};
    struct conf *fresh = conf_load(p->o->conf_path, &err);
    int fd = fresh != NULL ? logconf_open(fresh, &err) : -1;

    (void)signo;
    if (fd == -1 || dup3(fd, p->log_fd, O_CLOEXEC) == -1)
        log_event(&p->log, LOG_RELOAD_FAILED, LOGF_S("error", err.text));
    else
        log_event(&p->log, LOG_RELOAD, LOGF_S("what", "log"));
    if (fresh != NULL)
        logconf_apply(fresh, &p->log);
    if (fd != -1)
        (void)close(fd);
    conf_free(&fresh);
}

/* --- loop and surroundings --- */

/* Clear words about the database come before anything is opened. */
static int database_begin(struct parent *p, struct err *err)
{
    return build_check(conf_text(p->o->conf, "data_dir"), err);
}

static int loop_begin(struct parent *p, struct err *err)
{
    struct rlimit lim;

    (void)err;
    if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
        lim.rlim_cur = lim.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &lim);
    }
    (void)umask(027);
    (void)signal(SIGPIPE, SIG_IGN);
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

/* The directory of the sockets, for us and for who may talk to us. */
static int run_dir_begin(struct parent *p, struct err *err)
{
    const char *dir = conf_text(p->o->conf, "run_dir");

    if (mkdir(dir, 0750) == 0 || errno == EEXIST)
        return 0;
    return err_sys(err, "run_dir %s", dir);
}

/* When the parent before us was killed, its roles notice and end; until then they hold the
 * ports. */
static int given_begin(struct parent *p, struct err *err)
{
    const struct timespec pause = {.tv_nsec = GIVEN_PAUSE_MS * 1000000L};

    for (int i = 0; i < GIVEN_TRIES; i++) {
        if (i > 0)
            (void)nanosleep(&pause, NULL);
        p->given = dnsgiven_open(p->o->conf, &p->log, err);
        if (p->given != NULL)
            return 0;
    }
    return -1;
}

static void given_end(struct parent *p)
{
    dnsgiven_close(&p->given);
}

/* --- what the builder says --- */

/* Again after a role was started anew; the world hears of the first time. */
static void on_message(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct parent *p = ctx;
    struct d_answering m;

    (void)ch;
    if (in->fd != -1)
        (void)close(in->fd);
    if (in->type != DIPC_ANSWERING || !d_answering_decode(in->payload, &m) ||
        p->was_ready)
        return;
    p->was_ready = true;
    log_event(&p->log, LOG_PROCESS_READY, LOGF_S("program", "dnsd"),
              LOGF_N("zones", m.zones), LOGF_N("pid", getpid()));
    (void)printf("dnsd: ready: %u zones", m.zones);
    for (size_t i = 0; i < conf_count(p->o->conf, "listen"); i++)
        if (strncmp(conf_nth(p->o->conf, "listen", i), "dns ", 4) == 0)
            (void)printf(", %s", conf_nth(p->o->conf, "listen", i));
    (void)putchar('\n');
    (void)fflush(stdout);
}

static int channel_begin(struct parent *p, struct err *err)
{
    static const struct ipc_handlers handlers = {.message = on_message};

    (void)err;
    p->builder =
        ipc_new(p->loop, -1, &dnsd_ipc_table, DNSD_PARENT, DNSD_BUILDER, &handlers, p);
    return 0;
}

static void channel_end(struct parent *p)
{
    ipc_free(&p->builder);
}

/* --- roles as processes --- */

static int fill(void *ctx, const struct supervise_row *row, unsigned instance,
                struct bag *bag, struct err *err)
{
    struct parent *p = ctx;
    int conf = bag_memory("conf", conf_source(p->o->conf), err);

    (void)instance;
    if (conf == -1)
        return -1;
    bag_add(bag, "conf", SPAN_LIT(""), conf);
    return dnsgiven_fill(p->given, (enum dnsd_role)row->role, bag, err);
}

static void plug(void *ctx, uint8_t role, unsigned instance, int fd)
{
    struct parent *p = ctx;

    (void)instance;
    if (role == DNSD_BUILDER)
        ipc_plug(p->builder, fd);
    else
        (void)close(fd);
}

/* Ready is said when zones are answered for (on_message). */
static void started(void *ctx)
{
    (void)ctx;
}

static void failed(void *ctx, const char *why)
{
    struct parent *p = ctx;

    (void)err_set(p->err, "%s", why);
    p->has_failed = true;
    loop_stop(p->loop);
}

static void stopped(void *ctx)
{
    struct parent *p = ctx;

    loop_stop(p->loop);
}

static void processes_begin(struct parent *p)
{
    for (size_t i = 0; i < COUNT_OF(order); i++)
        p->rows[i] = (struct supervise_row){
            .role = (uint8_t)order[i], .name = dnsd_roles[order[i]].name, .count = 1};
    p->supervise = supervise_new(&(struct supervise_config){
        .loop = p->loop,
        .log = &p->log,
        .log_fd = p->log_fd,
        .program = "dnsd",
        .self = DNSD_PARENT,
        .rows = p->rows,
        .n_rows = COUNT_OF(order),
        .speaks = dnsd_speaks,
        .fill = fill,
        .plug = plug,
        .started = started,
        .failed = failed,
        .stopped = stopped,
        .ctx = p,
    });
    supervise_start(p->supervise);
}

/* --- roles in this process --- */

static int member_begin(struct parent *p, enum dnsd_role r, struct err *err)
{
    struct member *m = &p->members[r];

    bag_init(&m->bag);
    m->log = p->log;
    m->log.role = dnsd_roles[r].name;
    m->env = (struct dnsd_env){.loop = p->loop,
                               .log = &m->log,
                               .clock = clock_system(),
                               .rng = rng_system(),
                               .conf = p->o->conf,
                               .data_dir = conf_text(p->o->conf, "data_dir"),
                               .run_dir = conf_text(p->o->conf, "run_dir"),
                               .bag = &m->bag};
    if (dnsgiven_fill(p->given, r, &m->bag, err) != 0)
        return -1;
    m->state = dnsd_roles[r].start(&m->env, err);
    return m->state != NULL ? 0 : err_wrap(err, "%s", dnsd_roles[r].name);
}

static int single_begin(struct parent *p, struct err *err)
{
    int fds[2];

    for (size_t i = 0; i < COUNT_OF(order); i++)
        if (member_begin(p, order[i], err) != 0)
            return -1;
    if (ipc_pair(fds, err) != 0)
        return -1;
    ipc_plug(p->builder, fds[0]);
    dnsd_roles[DNSD_BUILDER].plug(p->members[DNSD_BUILDER].state, DNSD_PARENT, fds[1]);
    if (ipc_pair(fds, err) != 0)
        return -1;
    dnsd_roles[DNSD_SERVE].plug(p->members[DNSD_SERVE].state, DNSD_BUILDER, fds[0]);
    dnsd_roles[DNSD_BUILDER].plug(p->members[DNSD_BUILDER].state, DNSD_SERVE, fds[1]);
    return 0;
}

static void roles_end(struct parent *p)
{
    supervise_free(&p->supervise);
    for (size_t i = COUNT_OF(order); i-- > 0;) {
        struct member *m = &p->members[order[i]];

        if (m->state != NULL)
            dnsd_roles[order[i]].stop(m->state);
        m->state = NULL;
        bag_free(&m->bag);
    }
}

static const char *user_name(void)
{
    const struct passwd *pw = getpwuid(geteuid());

    return pw != NULL ? pw->pw_name : "this user";
}

static int roles_begin(struct parent *p, struct err *err)
{
    struct sandbox_host host;

    if (p->o->is_single) {
        if (single_begin(p, err) == 0)
            return 0;
        roles_end(p);
        return -1;
    }
    if (sandbox_host_of(p->o->conf, &host, err) == -1)
        return -1;
    if (host.level != SANDBOX_FULL)
        (void)printf("dnsd: privsep %s: builder and serve run as %s, no chroot%s\n",
                     sandbox_level_name(host.level), user_name(),
                     host.level == SANDBOX_OFF ? ", no filter of system calls" : "");
    (void)fflush(stdout);
    processes_begin(p);
    return 0;
}

static const struct step {
    int (*begin)(struct parent *p, struct err *err);
    void (*end)(struct parent *p);
    bool is_check; /* part of -n */
} steps[] = {
    {log_begin, log_end, true},      {database_begin, NULL, true},
    {loop_begin, loop_end, false},   {run_dir_begin, NULL, false},
    {given_begin, given_end, false}, {channel_begin, channel_end, false},
    {roles_begin, roles_end, false},
};

int dnsd_run(const struct dnsd_options *o, struct err *err)
{
    struct parent p = {.o = o, .log_fd = -1, .err = err};
    size_t n = 0;
    int rc = 0;

    while (n < COUNT_OF(steps) && rc == 0 && (steps[n].is_check || !o->check_only)) {
        rc = steps[n].begin(&p, err);
        n += rc == 0;
    }
    if (rc == 0 && !o->check_only)
        loop_run(p.loop);
    while (n > 0)
        if (steps[--n].end != NULL)
            steps[n].end(&p);
    return rc == 0 && !p.has_failed ? 0 : -1;
}
