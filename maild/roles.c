/* SPDX-License-Identifier: ISC */
#include "maild/roles.h"

#include "maild/ipc_msgs.h"

const char *role_name(enum role r)
{
    static const char *const names[ROLE_COUNT] = {
        [ROLE_NONE] = "none",           [ROLE_PARENT] = "parent",
        [ROLE_EDGE] = "edge",           [ROLE_QUEUE] = "queue",
        [ROLE_RELAY] = "relay",         [ROLE_MAILBOX] = "mailbox",
        [ROLE_DIRECTORY] = "directory", [ROLE_SIGNER] = "signer",
        [ROLE_RESOLVER] = "resolver",
    };

    return r >= 0 && r < ROLE_COUNT ? names[r] : "unknown";
}

bool role_speaks(enum role a, enum role b)
{
    for (size_t i = 0; i < maild_ipc_table.n; i++) {
        const struct ipc_msg *m = &maild_ipc_table.msgs[i];

        if ((m->from == a && m->to == b) || (m->from == b && m->to == a))
            return true;
    }
    return false;
}

int role_connect(struct role_env *env, enum role peer, const struct ipc_handlers *h,
                 void *ctx, struct err *err)
{
    if (env->peer_fd[peer] == -1)
        return err_set(err, "role %s has no channel to role %s", role_name(env->self),
                       role_name(peer));
    env->peer[peer] = ipc_new(env->loop, env->peer_fd[peer], &maild_ipc_table,
                              (uint8_t)env->self, (uint8_t)peer, h, ctx);
    env->peer_fd[peer] = -1; /* the channel owns it now */
    return 0;
}
