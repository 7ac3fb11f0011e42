/* SPDX-License-Identifier: ISC */
/* maild/single.c - all roles in the parent's process on its loop (--single): for debuggers
 * and tests. Messages between them are the only difference they could see, and there is
 * none; but nothing confines them, and one that dies takes the others along. */
#include <stdlib.h>

#include "base/conf/logconf.h"
#include "base/core/clock.h"
#include "base/core/mem.h"
#include "base/core/rng.h"
#include "maild/parent_int.h"

struct single {
    struct log logs[ROLE_COUNT];
    struct role_env env[ROLE_COUNT];
    struct bag bags[ROLE_COUNT];
    void *state[ROLE_COUNT];
};

static int prepare(struct single *s, const struct roles_host *h, enum role r,
                   struct err *err)
{
    s->logs[r] = *h->log;
    s->logs[r].role = role_name(r);
    s->env[r] = (struct role_env){.self = r,
                                  .loop = h->loop,
                                  .log = &s->logs[r],
                                  .clock = clock_system(),
                                  .rng = rng_system(),
                                  .conf = h->o->conf,
                                  .bag = &s->bags[r]};
    for (int i = 0; i < ROLE_COUNT; i++)
        s->env[r].count[i] = 1;
    bag_init(&s->bags[r]);
    return given_fill(h->given, r, &s->bags[r], err);
}

static int join(struct role_env *a, struct role_env *b, struct err *err)
{
    int fds[2];

    if (!role_speaks(a->self, b->self))
        return 0;
    if (ipc_pair(fds, err) != 0)
        return err_wrap(err, "channel between %s and %s", role_name(a->self),
                        role_name(b->self));
    role_plug(a, b->self, 0, fds[0]);
    role_plug(b, a->self, 0, fds[1]);
    return 0;
}

static int join_all(struct single *s, const struct roles_host *h, struct err *err)
{
    for (size_t a = 0; a < ROLES_STARTED; a++) {
        struct role_env *env = &s->env[roles_order[a]];

        if (join(h->parent, env, err) != 0)
            return -1;
        for (size_t b = 0; b < a; b++)
            if (join(env, &s->env[roles_order[b]], err) != 0)
                return -1;
    }
    return 0;
}

struct single *single_start(const struct roles_host *h, struct err *err)
{
    struct single *s = mem_new(1, sizeof(*s));
    int rc = 0;

    for (size_t i = 0; i < ROLES_STARTED && rc == 0; i++) {
        enum role r = roles_order[i];

        rc = prepare(s, h, r, err);
        if (rc == 0)
            s->state[r] = role_table[r].start(&s->env[r], err);
        if (s->state[r] == NULL)
            rc = err_wrap(err, "%s", role_name(r));
    }
    if (rc == 0)
        rc = join_all(s, h, err);
    if (rc != 0)
        single_free(&s);
    return s;
}

void single_tune(struct single *s, const struct conf *c)
{
    for (size_t i = 0; i < ROLES_STARTED; i++)
        logconf_apply(c, &s->logs[roles_order[i]]);
}

void single_free(struct single **sp)
{
    struct single *s = *sp;

    if (s == NULL)
        return;
    *sp = NULL;
    for (size_t i = ROLES_STARTED; i-- > 0;) {
        enum role r = roles_order[i];

        if (s->state[r] != NULL)
            role_table[r].stop(s->state[r]);
        bag_free(&s->bags[r]);
    }
    free(s);
}
