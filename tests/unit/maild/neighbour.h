/* SPDX-License-Identifier: ISC */
/* tests/unit/maild/neighbour.h - the peers of a role under test, played by the test program:
 * they come, die and come back as the parent would have it. */
#ifndef TESTS_UNIT_MAILD_NEIGHBOUR_H
#define TESTS_UNIT_MAILD_NEIGHBOUR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "maild/ipc_msgs.h"
#include "maild/roles.h"

/* One instance of every role, until the test says otherwise. */
static inline void neighbours_count(struct role_env *env)
{
    for (unsigned r = 0; r < ROLE_COUNT; r++)
        env->count[r] = 1;
}

/* That instance is there now: the role, which has been started, is told. Returns the test's end
 * of the channel; ipc_free() of it is the death of that peer. */
static inline struct ipc *neighbour_join(struct role_env *env, enum role r,
                                         unsigned instance, const struct ipc_handlers *h,
                                         void *ctx)
{
    struct err err = {0};
    struct ipc *end;
    int fds[2];

    assert_int_equal(ipc_pair(fds, &err), 0);
    end = ipc_new(env->loop, fds[1], &maild_ipc_table, (uint8_t)r, (uint8_t)env->self, h,
                  ctx);
    role_plug(env, r, instance, fds[0]);
    return end;
}

#endif
