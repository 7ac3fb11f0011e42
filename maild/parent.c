/* SPDX-License-Identifier: ISC */
/* maild/parent.c - start, signals and orderly end of maild.
 *
 * The table `steps` is the whole start: each step has a `begin` and, where it leaves
 * something behind, an `end`; parent_run walks it forwards and, from wherever it got to,
 * backwards. In this version all roles run in this process on one loop (--single); they
 * know each other only as channels, so that they can be forked later without a change.
 *
 *     SIGTERM, SIGINT   edge gets STOP and says goodbye to its clients (at most STOP_MS),
 *                       then the loop ends and the steps are undone. A second one: at once
 *     SIGHUP            the log keys of the configuration are read and the log is opened
 *                       anew, edge gets RELOAD for its certificates */
#include "maild/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/clock.h"
#include "base/core/log.h"
#include "base/core/rng.h"
#include "base/io/tlsctx.h"
#include "maild/ipc_msgs.h"
#include "maild/roles.h"

#define STOP_MS   5000
#define ANSWER_MS 10000

struct parent {
    const struct parent_options *o;
    int log_fd;
    int lock_fd;
    struct loop *loop;
    struct log logs[ROLE_COUNT];
    struct role_env env[ROLE_COUNT];
    void *state[ROLE_COUNT];
    bool is_stopping;
};

/* Configuration and surroundings ------------------------------------------------------- */

static const char *user_name(void)
{
    const struct passwd *pw = getpwuid(geteuid());

    return pw != NULL ? pw->pw_name : "this user";
}

static int check_data_dir(struct parent *p, struct err *err)
{
    const char *dir = conf_text(p->o->conf, "data_dir");
    struct stat st;

    if (stat(dir, &st) == -1) {
        if (errno == ENOENT)
            return err_set(
                err, "data_dir %s does not exist; make it with: signpost -f %s setup",
                dir, p->o->conf_path);
        return err_sys(err, "data_dir %s", dir);
    }
    if (!S_ISDIR(st.st_mode))
        return err_set(err, "data_dir %s is not a directory", dir);
    if (access(dir, W_OK | X_OK) == -1)
        return err_set(err,
                       "data_dir %s cannot be written by %s (%s); remedy: chown -R %s %s",
                       dir, user_name(), strerror(errno), user_name(), dir);
    return 0;
}

/* Passwords in clear are refused unless the configuration says that this is wanted. */
static int check_tls(struct parent *p, struct err *err)
{
    const struct conf *c = p->o->conf;
    const char *chain = conf_text(c, "tls_chain");
    const char *key = conf_text(c, "tls_key");
    bool has_files = conf_is_set(c, "tls_chain") || access(chain, F_OK) == 0;
    enum conf_service service;
    struct ipaddr addr;
    struct tlsctx *tls;
    uint16_t port;

    if (has_files) {
        tls = tlsctx_new_server(chain, key, err);
        if (tls == NULL)
            return err_wrap(err, "tls_chain, tls_key");
        tlsctx_free(&tls);
        return 0;
    }
    for (size_t i = 0; conf_listen(c, i, &service, &addr, &port); i++) {
        bool is_tls_only = service == CONF_SUBMISSIONS || service == CONF_IMAPS;
        bool has_login = service == CONF_SUBMISSION || service == CONF_IMAP;

        if (is_tls_only || (has_login && !conf_bool(c, "allow_cleartext_login")))
            return err_set(err,
                           "listen %s needs a certificate and there is no %s: signpost "
                           "setup makes a first one%s",
                           conf_service_name(service), chain,
                           has_login ? ", or allow_cleartext_login yes" : "");
    }
    return 0;
}

/* For the sockets of the daemons and of signpost; gone after each boot where it lies in
 * memory, so it is made when missing. */
static int make_run_dir(struct parent *p, struct err *err)
{
    const char *dir = conf_text(p->o->conf, "run_dir");

    if (mkdir(dir, 0755) == -1 && errno != EEXIST)
        return err_sys(err, "run_dir %s", dir);
    if (access(dir, W_OK | X_OK) == -1)
        return err_set(err, "run_dir %s cannot be written by %s (%s)", dir, user_name(),
                       strerror(errno));
    return 0;
}

/* Two daemons on one journal would destroy each other's work. */
static int lock_begin(struct parent *p, struct err *err)
{
    char *path = conf_path(p->o->conf, "maild.lock");
    int rc = -1;

    p->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (p->lock_fd == -1)
        (void)err_sys(err, "%s", path);
    else if (flock(p->lock_fd, LOCK_EX | LOCK_NB) == -1)
        (void)err_set(err, "another maild is running on %s",
                      conf_text(p->o->conf, "data_dir"));
    else
        rc = 0;
    if (rc != 0 && p->lock_fd != -1) {
        (void)close(p->lock_fd);
        p->lock_fd = -1;
    }
    free(path);
    return rc;
}

static void lock_end(struct parent *p)
{
    (void)close(p->lock_fd);
}

/* Log ----------------------------------------------------------------------------------- */

static int log_file_open(const struct conf *c, struct err *err)
{
    const char *path = conf_text(c, "log_file");
    int fd;

    if (path == NULL || *path == '\0')
        fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    else
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fd == -1)
        (void)err_sys(err, "log_file %s", path != NULL ? path : "");
    return fd;
}

/* Format and level of every role's log. */
static void log_tune(struct parent *p, const struct conf *c)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    bool is_json = strcmp(conf_text(c, "log_format"), "json") == 0;

    for (int r = 0; r < ROLE_COUNT; r++) {
        p->logs[r].format = is_json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
        for (unsigned i = 0; i < COUNT_OF(levels); i++)
            if (strcmp(conf_text(c, "log_level"), levels[i]) == 0)
                p->logs[r].least = (enum log_level)i;
    }
}

static int log_begin(struct parent *p, struct err *err)
{
    p->log_fd = log_file_open(p->o->conf, err);
    if (p->log_fd == -1)
        return -1;
    for (int r = 0; r < ROLE_COUNT; r++)
        log_init(&p->logs[r], p->log_fd, role_name((enum role)r), clock_system());
    log_tune(p, p->o->conf);
    return 0;
}

static void log_end(struct parent *p)
{
    log_event(&p->logs[ROLE_PARENT], LOG_PROCESS_STOP, LOGF_S("program", "maild"));
    (void)close(p->log_fd);
}

/* Signals ------------------------------------------------------------------------------- */

static void on_stopped(void *ctx, const struct ipc_in *in)
{
    struct parent *p = ctx;

    (void)in; /* also when there was no answer: time is up */
    loop_stop(p->loop);
}

static void call_edge(struct parent *p, uint16_t type, struct wr *w, ipc_answer_fn cb)
{
    struct ipc *edge = role_peer(&p->env[ROLE_PARENT], ROLE_EDGE, 0);

    if (w->is_bad)
        cb(p, NULL);
    else
        (void)ipc_call(edge, type, buf_all(w->out), -1, ANSWER_MS, cb, p);
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
    buf_init(&out, 64);
    wr_init(&w, &out);
    m_stop_encode(&(struct m_stop){.within_ms = STOP_MS}, &w);
    call_edge(p, IPC_STOP, &w, on_stopped);
    buf_free(&out);
}

static void on_reloaded(void *ctx, const struct ipc_in *in)
{
    struct parent *p = ctx;
    struct m_reloaded m;

    if (in == NULL || !m_reloaded_decode(in->payload, &m))
        log_event(&p->logs[ROLE_PARENT], LOG_RELOAD_FAILED,
                  LOGF_S("error", "edge did not answer"));
    else if (m.status != ANSWER_YES)
        log_event(&p->logs[ROLE_PARENT], LOG_RELOAD_FAILED, LOGF_B("error", m.text));
    else
        log_event(&p->logs[ROLE_PARENT], LOG_RELOAD, LOGF_S("what", "certificates"));
}

/* Read the configuration for what a reload may change (the log keys; roles keep the rest
 * as it was at start) and open the log anew. The descriptor's number stays, so every copy
 * of the struct log writes to the new file. */
static void reload_log(struct parent *p)
{
    struct err err = {0};
    struct conf *c = conf_load(p->o->conf_path, &err);
    int fd = c == NULL ? -1 : log_file_open(c, &err);

    if (fd != -1 && dup3(fd, p->log_fd, O_CLOEXEC) == -1)
        (void)err_sys(&err, "log_file");
    else if (fd != -1)
        log_tune(p, c);
    if (err.text[0] != '\0')
        log_event(&p->logs[ROLE_PARENT], LOG_RELOAD_FAILED, LOGF_S("error", err.text));
    else
        log_event(&p->logs[ROLE_PARENT], LOG_RELOAD, LOGF_S("what", "log"));
    if (fd != -1)
        (void)close(fd);
    conf_free(&c);
}

static void on_hangup(void *ctx, int signo)
{
    struct parent *p = ctx;
    struct buf out;
    struct wr w;

    (void)signo;
    reload_log(p);
    buf_init(&out, 64);
    wr_init(&w, &out);
    m_reload_encode(&(struct m_reload){.what = 1}, &w);
    call_edge(p, IPC_RELOAD, &w, on_reloaded);
    buf_free(&out);
}

/* Loop, channels, roles ------------------------------------------------------------------ */

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
    p->loop = loop_new(&p->logs[ROLE_PARENT], clock_system());
    loop_on_signal(p->loop, SIGTERM, on_terminate, p);
    loop_on_signal(p->loop, SIGINT, on_terminate, p);
    loop_on_signal(p->loop, SIGHUP, on_hangup, p);
    return 0;
}

static void loop_end(struct parent *p)
{
    loop_free(&p->loop);
}

static void channels_end(struct parent *p)
{
    role_disconnect(&p->env[ROLE_PARENT]);
}

static void on_message(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    (void)ctx;
    (void)ch;
    if (in->fd != -1)
        (void)close(in->fd); /* roles only answer the parent, they do not ask */
}

static int pair_up(struct parent *p, enum role a, enum role b, struct err *err)
{
    int fds[2];

    if (!role_speaks(a, b))
        return 0;
    if (ipc_pair(fds, err) != 0)
        return err_wrap(err, "channel between %s and %s", role_name(a), role_name(b));
    role_plug(&p->env[a], b, 0, fds[0]);
    role_plug(&p->env[b], a, 0, fds[1]);
    return 0;
}

static int channels_begin(struct parent *p, struct err *err)
{
    static const struct ipc_handlers handlers = {.message = on_message};

    (void)err;
    for (int a = 0; a < ROLE_COUNT; a++) {
        p->env[a] = (struct role_env){
            .self = (enum role)a,
            .loop = p->loop,
            .log = &p->logs[a],
            .clock = clock_system(),
            .rng = rng_system(),
            .conf = p->o->conf,
        };
        for (int b = 0; b < ROLE_COUNT; b++)
            p->env[a].count[b] = 1;
    }
    role_connect(&p->env[ROLE_PARENT], ROLE_EDGE, &handlers, p);
    return 0;
}

/* Who is asked starts before who asks; edge, which lets the world in, is last. */
static const enum role start_order[] = {ROLE_RESOLVER, ROLE_DIRECTORY, ROLE_SIGNER,
                                        ROLE_MAILBOX,  ROLE_RELAY,     ROLE_QUEUE,
                                        ROLE_EDGE};

static void roles_end(struct parent *p)
{
    for (size_t i = COUNT_OF(start_order); i-- > 0;) {
        enum role r = start_order[i];

        if (p->state[r] != NULL)
            role_table[r].stop(p->state[r]);
        p->state[r] = NULL;
    }
}

static int roles_begin(struct parent *p, struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(start_order); i++) {
        enum role r = start_order[i];

        p->state[r] = role_table[r].start(&p->env[r], err);
        if (p->state[r] == NULL) {
            roles_end(p);
            (void)err_wrap(err, "%s", role_table[r].name);
            /* Standard error gets it from main; a log file would not know why. */
            if (conf_text(p->o->conf, "log_file")[0] != '\0')
                log_event(&p->logs[ROLE_PARENT], LOG_PROCESS_FAULT,
                          LOGF_S("error", err->text));
            return -1;
        }
    }
    return 0;
}

/* Every role has started with its channels down: bring each pair that speaks together. */
static int join_begin(struct parent *p, struct err *err)
{
    for (int a = 0; a < ROLE_COUNT; a++)
        for (int b = a + 1; b < ROLE_COUNT; b++)
            if (pair_up(p, (enum role)a, (enum role)b, err) != 0)
                return -1;
    return 0;
}

/* Ready --------------------------------------------------------------------------------- */

static int say_ready(struct parent *p, struct err *err)
{
    char text[IPADDR_TEXT], line[2048];
    enum conf_service service;
    struct ipaddr addr;
    uint16_t port;
    size_t n = 0;

    (void)err;
    line[0] = '\0';
    for (size_t i = 0; conf_listen(p->o->conf, i, &service, &addr, &port); i++) {
        int w;

        if (service == CONF_DNS)
            continue;
        ipaddr_print(&addr, text);
        w = snprintf(line + n, sizeof line - n, "%s%s %s%s%s:%u", n == 0 ? "" : ", ",
                     conf_service_name(service), addr.family == AF_INET6 ? "[" : "",
                     addr.family == 0 ? "*" : text, addr.family == AF_INET6 ? "]" : "",
                     port);
        if (w > 0 && (size_t)w < sizeof line - n)
            n += (size_t)w;
    }
    if (geteuid() != 0)
        printf("maild: one process, user %s, no chroot\n", user_name());
    printf("maild: ready: %s\n", line);
    (void)fflush(stdout);
    log_event(&p->logs[ROLE_PARENT], LOG_PROCESS_READY, LOGF_S("program", "maild"),
              LOGF_S("listen", line), LOGF_N("pid", getpid()));
    return 0;
}

static const struct step {
    const char *name;
    int (*begin)(struct parent *p, struct err *err);
    void (*end)(struct parent *p);
    bool is_check; /* also done for -n */
} steps[] = {
    {"data directory", check_data_dir, NULL, true},
    {"certificate", check_tls, NULL, true},
    {"run directory", make_run_dir, NULL, false},
    {"lock", lock_begin, lock_end, false},
    {"log", log_begin, log_end, false},
    {"loop", loop_begin, loop_end, false},
    {"channels", channels_begin, channels_end, false},
    {"roles", roles_begin, roles_end, false},
    {"channels between them", join_begin, NULL, false},
    {"ready", say_ready, NULL, false},
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
    return rc;
}
