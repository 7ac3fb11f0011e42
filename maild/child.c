/* SPDX-License-Identifier: ISC */
/* maild/child.c - one role instance as a process: what it is handed, confinement, its loop.
 *
 * Order: the bag; configuration and log; (a role whose library reads files starts here);
 * confinement; the role starts; "ready", and with that its channels come. From confinement
 * on nothing is done with more rights than the role's row in role_table.c grants. */
#include "maild/child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/conf/logconf.h"
#include "base/core/clock.h"
#include "base/core/rng.h"
#include "base/io/rolechild.h"
#include "base/io/sandbox.h"
#include "maild/parent_int.h"

#define CONF_TEXT_MAX (1024u * 1024u)

struct child {
    enum role role;
    struct bag bag;
    struct conf *conf;
    _Atomic unsigned dropped;
    struct log log;
    struct loop *loop;
    struct role_env env;
    struct rolechild *line;
    void *state;
};

static enum role find_role(const char *word)
{
    for (int r = ROLE_PARENT + 1; r < ROLE_COUNT; r++)
        if (strcmp(role_name((enum role)r), word) == 0)
            return (enum role)r;
    return ROLE_NONE;
}

/* The parent has checked this very text; that it does not parse would be a bug. */
static int read_conf(struct child *c, struct err *err)
{
    struct span text;

    if (bag_map(bag_fd(&c->bag, "conf", 0), CONF_TEXT_MAX, &text, err) == -1)
        return err_wrap(err, "configuration");
    c->conf = conf_parse("signpost.conf", text, err);
    if (text.n > 0)
        (void)munmap((void *)(uintptr_t)text.p, text.n);
    return c->conf != NULL ? 0 : -1;
}

static void on_plug(void *ctx, uint8_t role, unsigned instance, int fd)
{
    struct child *c = ctx;

    if (role < ROLE_COUNT)
        role_plug(&c->env, (enum role)role, instance, fd);
    else
        (void)close(fd);
}

static void on_end(void *ctx)
{
    struct child *c = ctx;

    loop_stop(c->loop);
}

static void on_breach(void *ctx, enum role r, unsigned instance)
{
    struct child *c = ctx;

    if (c->line != NULL)
        rolechild_breach(c->line, (uint8_t)r, instance);
}

/* Standard error is the pipe that the parent reads: nobody waits for it. */
static void begin_log(struct child *c)
{
    log_init(&c->log, STDERR_FILENO, role_name(c->role), clock_system());
    c->log.dropped = &c->dropped;
    logconf_apply(c->conf, &c->log);
}

static void fill_env(struct child *c, unsigned instance)
{
    c->env = (struct role_env){.self = c->role,
                               .instance = instance,
                               .loop = c->loop,
                               .log = &c->log,
                               .clock = clock_system(),
                               .rng = rng_system(),
                               .conf = c->conf,
                               .bag = &c->bag,
                               .breach = on_breach,
                               .breach_ctx = c};
    role_counts(c->conf, c->env.count);
}

static int start_role(struct child *c, struct err *err)
{
    c->state = role_table[c->role].start(&c->env, err);
    return c->state != NULL ? 0 : -1;
}

static int confine(struct child *c, struct err *err)
{
    const struct sandbox *sandbox = &role_table[c->role].confined;
    struct sandbox_host host;

    if (sandbox_host_of(c->conf, &host, err) == -1)
        return -1;
    /* What a role makes in the data directory, its group may use: docs/SECURITY.md. */
    (void)umask(host.level == SANDBOX_FULL ? 007 : 027);
    if (host.level != SANDBOX_OFF && role_table[c->role].prepare != NULL)
        role_table[c->role].prepare();
    if (sandbox_enter(sandbox, &host, err) == -1)
        return err_wrap(err, "confinement");
    if (host.level == SANDBOX_FULL && sandbox->root == SANDBOX_DATA)
        conf_move_data_dir(c->conf, "/");
    return 0;
}

static int begin(struct child *c, const char *instance, struct err *err)
{
    static const struct rolechild_handlers handlers = {.plug = on_plug, .end = on_end};
    bool starts_outside = role_table[c->role].starts_outside;
    char comm[16];

    (void)snprintf(comm, sizeof(comm), "maild-%s", role_name(c->role));
    (void)prctl(PR_SET_NAME, comm);
    if (rolechild_boot(&c->bag, err) == -1 || read_conf(c, err) == -1)
        return -1;
    begin_log(c);
    c->loop = loop_new(&c->log, clock_system());
    fill_env(c, (unsigned)strtoul(instance, NULL, 10));
    if (starts_outside && start_role(c, err) == -1)
        return -1;
    if (confine(c, err) == -1)
        return -1;
    if (!starts_outside && start_role(c, err) == -1)
        return -1;
    c->line = rolechild_new(c->loop, &handlers, c);
    return 0;
}

static void end(struct child *c)
{
    if (c->state != NULL)
        role_table[c->role].stop(c->state);
    rolechild_free(&c->line);
    if (c->loop != NULL)
        loop_free(&c->loop);
    conf_free(&c->conf);
    bag_free(&c->bag);
}

int child_run(const char *role, const char *instance)
{
    struct child c = {.role = find_role(role)};
    struct err err = {0};
    int rc;

    if (c.role == ROLE_NONE)
        return 2;
    bag_init(&c.bag);
    rc = begin(&c, instance, &err);
    if (rc == 0) {
        rolechild_ready(c.line);
        loop_run(c.loop);
    } else {
        (void)err_wrap(&err, "%s", role);
        rolechild_fail(err.text);
    }
    end(&c);
    return rc == 0 ? 0 : 1;
}
