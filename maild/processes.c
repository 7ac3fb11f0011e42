/* SPDX-License-Identifier: ISC */
/* maild/processes.c - each role instance a process of its own.
 *
 * What a role gets is in its bag: the configuration's own text (so that all processes mean
 * the same), the lock of the data directory, and what maild/given.h has opened for it. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/io/supervise.h"
#include "maild/parent_int.h"

#define END_MS 10000 /* for one role to write what it holds */

struct processes {
    struct roles_host h;
    struct supervise_row rows[ROLES_STARTED];
    struct supervise *supervise;
};

const enum role roles_order[ROLES_STARTED] = {ROLE_RESOLVER, ROLE_DIRECTORY, ROLE_SIGNER,
                                              ROLE_MAILBOX,  ROLE_RELAY,     ROLE_QUEUE,
                                              ROLE_EDGE};

static bool speaks(uint8_t a, uint8_t b)
{
    return role_speaks((enum role)a, (enum role)b);
}

static int fill(void *ctx, const struct supervise_row *row, unsigned instance,
                struct bag *bag, struct err *err)
{
    struct processes *p = ctx;
    int conf = bag_memory("conf", conf_source(p->h.o->conf), err);
    int lock;

    (void)instance;
    if (conf == -1)
        return -1;
    bag_add(bag, "conf", SPAN_LIT(""), conf);
    lock = fcntl(p->h.lock_fd, F_DUPFD_CLOEXEC, 3);
    if (lock == -1)
        return err_sys(err, "hand over the lock");
    bag_add(bag, "lock", SPAN_LIT(""), lock);
    return given_fill(p->h.given, (enum role)row->role, bag, err);
}

static void plug(void *ctx, uint8_t role, unsigned instance, int fd)
{
    struct processes *p = ctx;

    role_plug(p->h.parent, (enum role)role, instance, fd);
}

static void started(void *ctx)
{
    struct processes *p = ctx;

    p->h.started(p->h.ctx);
}

static void failed(void *ctx, const char *why)
{
    struct processes *p = ctx;

    p->h.failed(p->h.ctx, why);
}

static void stopped(void *ctx)
{
    struct processes *p = ctx;

    p->h.stopped(p->h.ctx);
}

struct processes *processes_start(const struct roles_host *h)
{
    struct processes *p = mem_new(1, sizeof(*p));

    p->h = *h;
    for (size_t i = 0; i < ROLES_STARTED; i++) {
        enum role r = roles_order[i];

        p->rows[i] = (struct supervise_row){.role = (uint8_t)r,
                                            .name = role_name(r),
                                            .count = h->parent->count[r],
                                            .waits = r == ROLE_EDGE};
    }
    p->supervise = supervise_new(&(struct supervise_config){
        .loop = h->loop,
        .log = h->log,
        .log_fd = h->log_fd,
        .program = "maild",
        .self = ROLE_PARENT,
        .rows = p->rows,
        .n_rows = ROLES_STARTED,
        .speaks = speaks,
        .fill = fill,
        .plug = plug,
        .started = started,
        .failed = failed,
        .stopped = stopped,
        .ctx = p,
    });
    supervise_start(p->supervise);
    return p;
}

void processes_stop(struct processes *p)
{
    supervise_stop(p->supervise, END_MS);
}

void processes_renew(struct processes *p)
{
    for (size_t i = 0; i < ROLES_STARTED; i++)
        supervise_renew(p->supervise, (uint8_t)roles_order[i]);
}

void processes_free(struct processes **pp)
{
    struct processes *p = *pp;

    if (p == NULL)
        return;
    *pp = NULL;
    supervise_free(&p->supervise);
    free(p);
}
