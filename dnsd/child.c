/* SPDX-License-Identifier: ISC */
/* Order: the bag; configuration and log; confinement; the role starts; "ready", and with that
 * its channels come. From confinement on nothing is done with more rights than the role's row
 * in dnsd/roles.c grants. */
#include "dnsd/child.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/conf/logconf.h"
#include "base/io/rolechild.h"
#include "dnsd/roles.h"

#define CONF_TEXT_MAX (1024u * 1024u)

struct child {
    const struct dnsd_role_info *role;
    struct bag bag;
    struct conf *conf;
    _Atomic unsigned dropped; /* lines that the pipe did not take */
    struct log log;
    struct loop *loop;
    struct dnsd_env env;
    struct rolechild *line;
    void *state;
};

static const struct dnsd_role_info *find_role(const char *word)
{
    for (int r = DNSD_PARENT + 1; r < DNSD_ROLE_COUNT; r++)
        if (strcmp(dnsd_roles[r].name, word) == 0)
            return &dnsd_roles[r];
    return NULL;
}

/* The parent has checked this very text. */
static int read_conf(struct child *c, struct err *err)
{
    struct span text;

    if (bag_map(bag_fd(&c->bag, "conf", 0), CONF_TEXT_MAX, &text, err) == -1)
        return err_wrap(err, "configuration");
    c->conf = conf_parse("signpost.conf", text, err);
    (void)munmap((void *)(uintptr_t)text.p, text.n);
    return c->conf != NULL ? 0 : -1;
}

static void on_plug(void *ctx, uint8_t role, unsigned instance, int fd)
{
    struct child *c = ctx;

    (void)instance; /* there is one of each */
    c->role->plug(c->state, (enum dnsd_role)role, fd);
}

static void on_end(void *ctx)
{
    struct child *c = ctx;

    loop_stop(c->loop);
}

/* run/ is out of reach of all roles: who would be told of a change by settle polls. */
static void fill_env(struct child *c)
{
    c->env = (struct dnsd_env){.loop = c->loop,
                               .log = &c->log,
                               .clock = clock_system(),
                               .rng = rng_system(),
                               .conf = c->conf,
                               .data_dir = conf_text(c->conf, "data_dir"),
                               .bag = &c->bag};
}

static int confine(struct child *c, struct err *err)
{
    struct sandbox_host host;

    if (sandbox_host_of(c->conf, &host, err) == -1)
        return -1;
    (void)umask(host.level == SANDBOX_FULL ? 007 : 027);
    if (sandbox_enter(&c->role->sandbox, &host, err) == -1)
        return err_wrap(err, "confinement");
    if (host.level == SANDBOX_FULL && c->role->sandbox.root == SANDBOX_DATA)
        c->env.data_dir = "";
    return 0;
}

static int begin(struct child *c, struct err *err)
{
    static const struct rolechild_handlers handlers = {.plug = on_plug, .end = on_end};
    char comm[16];

    (void)snprintf(comm, sizeof(comm), "dnsd-%s", c->role->name);
    (void)prctl(PR_SET_NAME, comm);
    if (rolechild_boot(&c->bag, err) == -1 || read_conf(c, err) == -1)
        return -1;
    /* Standard error is the pipe that the parent reads. */
    log_init(&c->log, STDERR_FILENO, c->role->name, clock_system());
    c->log.dropped = &c->dropped;
    logconf_apply(c->conf, &c->log);
    c->loop = loop_new(&c->log, clock_system());
    fill_env(c);
    if (confine(c, err) == -1)
        return -1;
    c->state = c->role->start(&c->env, err);
    if (c->state == NULL)
        return -1;
    c->line = rolechild_new(c->loop, &handlers, c);
    return 0;
}

static void end(struct child *c)
{
    if (c->state != NULL)
        c->role->stop(c->state);
    rolechild_free(&c->line);
    if (c->loop != NULL)
        loop_free(&c->loop);
    conf_free(&c->conf);
    bag_free(&c->bag);
}

int dnsd_child_run(const char *role)
{
    struct child c = {.role = find_role(role)};
    struct err err = {0};
    int rc;

    if (c.role == NULL)
        return 2;
    bag_init(&c.bag);
    rc = begin(&c, &err);
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
