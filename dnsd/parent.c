/* SPDX-License-Identifier: ISC */
/* Design: the table `steps` is the whole start; walked backwards from wherever it got to, it
 * is the end. All parts run in this process (--single): builder and serve are joined by a
 * channel and know nothing else of each other.
 *
 *     SIGTERM, SIGINT   answering threads finish their batch, sockets close, the rest goes
 *     SIGHUP            the log file is opened anew, the log level read anew, the database
 *                       looked at */
#include "dnsd/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/clock.h"
#include "base/core/log.h"
#include "base/core/rng.h"
#include "base/io/ipc.h"
#include "dnsd/build.h"
#include "dnsd/builder.h"
#include "dnsd/control.h"
#include "dnsd/serve.h"
#include "dnsd/settle.h"

struct parent {
    const struct dnsd_options *o;
    int log_fd;
    struct log log_parent, log_builder, log_serve;
    struct loop *loop;
    struct dnsd_env env_builder, env_serve;
    struct dnsctl *control;
    struct serve *serve;
    struct builder *builder;
    struct settle *settle;
};

/* --- log --- */

static int log_open(const struct conf *c, struct err *err)
{
    const char *path = conf_text(c, "log_file");
    int fd = *path == '\0' ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
                           : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);

    if (fd == -1)
        (void)err_sys(err, "log_file %s", path);
    return fd;
}

static enum log_level level_of(const struct conf *c)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    size_t i = 0;

    while (i < COUNT_OF(levels) && strcmp(conf_text(c, "log_level"), levels[i]) != 0)
        i++;
    return i < COUNT_OF(levels) ? (enum log_level)i : LOG_LEVEL_INFO;
}

static void log_setup(struct parent *p, struct log *l, const char *part)
{
    bool is_json = strcmp(conf_text(p->o->conf, "log_format"), "json") == 0;

    log_init(l, p->log_fd, part, clock_system());
    l->format = is_json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
    l->least = level_of(p->o->conf);
}

static int log_begin(struct parent *p, struct err *err)
{
    p->log_fd = log_open(p->o->conf, err);
    if (p->log_fd == -1)
        return -1;
    log_setup(p, &p->log_parent, "dnsd");
    log_setup(p, &p->log_builder, "builder");
    log_setup(p, &p->log_serve, "serve");
    return 0;
}

static void log_end(struct parent *p)
{
    log_event(&p->log_parent, LOG_PROCESS_STOP, LOGF_S("program", "dnsd"));
    (void)close(p->log_fd);
}

/* --- signals --- */

static void on_terminate(void *ctx, int signo)
{
    struct parent *p = ctx;

    (void)signo;
    loop_stop(p->loop);
}

/* The descriptor's number stays, so every copy of the struct log writes to the new file. */
static void on_hangup(void *ctx, int signo)
{
    struct parent *p = ctx;
    struct err err = {0};
    struct conf *fresh = conf_load(p->o->conf_path, &err);
    int fd = fresh != NULL ? log_open(fresh, &err) : -1;

    (void)signo;
    if (fd == -1 || dup3(fd, p->log_fd, O_CLOEXEC) == -1)
        log_event(&p->log_parent, LOG_RELOAD_FAILED, LOGF_S("error", err.text));
    else
        log_event(&p->log_parent, LOG_RELOAD, LOGF_S("what", "log"));
    if (fresh != NULL)
        p->log_parent.least =
            level_of(fresh); /* the other parts read theirs in threads */
    if (fd != -1)
        (void)close(fd);
    conf_free(&fresh);
    builder_poke(p->builder);
}

/* --- loop and parts --- */

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
    p->loop = loop_new(&p->log_parent, clock_system());
    return 0;
}

static void loop_end(struct parent *p)
{
    loop_free(&p->loop);
}

static void fill_env(struct parent *p, struct dnsd_env *env, const struct log *log)
{
    env->loop = p->loop;
    env->log = log;
    env->clock = clock_system();
    env->rng = rng_system();
    env->conf = p->o->conf;
    env->peer_fd = -1;
}

/* The directory of the sockets, for us and for who may talk to us. */
static int run_dir_begin(struct parent *p, struct err *err)
{
    const char *dir = conf_text(p->o->conf, "run_dir");

    if (mkdir(dir, 0750) == 0 || errno == EEXIST)
        return 0;
    return err_sys(err, "run_dir %s", dir);
}

static int channel_begin(struct parent *p, struct err *err)
{
    int fds[2];

    fill_env(p, &p->env_builder, &p->log_builder);
    fill_env(p, &p->env_serve, &p->log_serve);
    if (ipc_pair(fds, err) != 0)
        return -1;
    p->env_builder.peer_fd = fds[0];
    p->env_serve.peer_fd = fds[1];
    return 0;
}

/* What no part has taken over. */
static void channel_end(struct parent *p)
{
    if (p->env_builder.peer_fd != -1)
        (void)close(p->env_builder.peer_fd);
    if (p->env_serve.peer_fd != -1)
        (void)close(p->env_serve.peer_fd);
}

static int control_begin(struct parent *p, struct err *err)
{
    p->control = dnsctl_start(&p->env_builder, err);
    return p->control != NULL ? 0 : -1;
}

static void control_end(struct parent *p)
{
    dnsctl_stop(&p->control);
}

static int serve_begin(struct parent *p, struct err *err)
{
    p->serve = serve_start(&p->env_serve, err);
    p->env_serve.peer_fd = -1; /* taken over, also when it failed */
    return p->serve != NULL ? 0 : -1;
}

static void serve_end(struct parent *p)
{
    serve_stop(&p->serve);
}

static void on_ready(void *ctx)
{
    struct parent *p = ctx;
    struct builder_status s;

    builder_status(p->builder, &s);
    log_event(&p->log_parent, LOG_PROCESS_READY, LOGF_S("program", "dnsd"),
              LOGF_N("zones", s.served), LOGF_N("pid", getpid()));
    (void)printf("dnsd: ready: %zu zones", s.served);
    for (size_t i = 0; i < conf_count(p->o->conf, "listen"); i++)
        if (strncmp(conf_nth(p->o->conf, "listen", i), "dns ", 4) == 0)
            (void)printf(", %s", conf_nth(p->o->conf, "listen", i));
    (void)putchar('\n');
    (void)fflush(stdout);
}

static int builder_begin(struct parent *p, struct err *err)
{
    p->builder = builder_start(&p->env_builder, on_ready, p, err);
    p->env_builder.peer_fd = -1;
    if (p->builder == NULL)
        return -1;
    dnsctl_attach(p->control, p->builder);
    p->settle = settle_start(&p->env_builder);
    loop_on_signal(p->loop, SIGTERM, on_terminate, p);
    loop_on_signal(p->loop, SIGINT, on_terminate, p);
    loop_on_signal(p->loop, SIGHUP, on_hangup, p);
    return 0;
}

static void builder_end(struct parent *p)
{
    settle_stop(&p->settle);
    dnsctl_attach(p->control, NULL);
    builder_stop(&p->builder);
}

/* Clear words about the database come before anything is opened. */
static int database_begin(struct parent *p, struct err *err)
{
    return build_check(conf_text(p->o->conf, "data_dir"), err);
}

static const struct step {
    int (*begin)(struct parent *p, struct err *err);
    void (*end)(struct parent *p);
    bool is_check; /* part of -n */
} steps[] = {
    {log_begin, log_end, true},          {database_begin, NULL, true},
    {loop_begin, loop_end, false},       {run_dir_begin, NULL, false},
    {channel_begin, channel_end, false}, {control_begin, control_end, false},
    {serve_begin, serve_end, false},     {builder_begin, builder_end, false},
};

int dnsd_run(const struct dnsd_options *o, struct err *err)
{
    struct parent p = {.o = o, .log_fd = -1};
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
    return rc;
}
