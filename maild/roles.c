/* SPDX-License-Identifier: ISC */
#include "maild/roles.h"

#include <assert.h>
#include <unistd.h>

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

void role_counts(const struct conf *c, unsigned count[ROLE_COUNT])
{
    for (unsigned r = 0; r < ROLE_COUNT; r++)
        count[r] = 1;
    count[ROLE_EDGE] = (unsigned)conf_int(c, "edge_processes"); /* 1..16 by the schema */
    count[ROLE_MAILBOX] = (unsigned)conf_int(c, "mailbox_processes");
    count[ROLE_RELAY] = (unsigned)conf_int(c, "relay_processes");
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

/* Channels ------------------------------------------------------------------------------ */

static void on_breach(void *ctx, struct ipc *ch)
{
    struct role_env *env = ctx;

    if (env->breach != NULL)
        env->breach(env->breach_ctx, (enum role)ipc_peer(ch), role_instance(env, ch));
}

void role_connect(struct role_env *env, enum role peer, const struct ipc_handlers *h,
                  void *ctx)
{
    assert(env->count[peer] >= 1 && env->count[peer] <= ROLE_INSTANCES_MAX);
    for (unsigned i = 0; i < env->count[peer]; i++) {
        assert(env->peer[peer][i] == NULL);
        env->peer[peer][i] = ipc_new(env->loop, -1, &maild_ipc_table, (uint8_t)env->self,
                                     (uint8_t)peer, h, ctx);
        ipc_on_breach(env->peer[peer][i], on_breach, env);
    }
}

void role_disconnect(struct role_env *env)
{
    for (unsigned r = 0; r < ROLE_COUNT; r++)
        for (unsigned i = 0; i < ROLE_INSTANCES_MAX; i++)
            ipc_free(&env->peer[r][i]);
}

struct ipc *role_peer(const struct role_env *env, enum role peer, unsigned instance)
{
    return instance < ROLE_INSTANCES_MAX ? env->peer[peer][instance] : NULL;
}

unsigned role_instance(const struct role_env *env, const struct ipc *ch)
{
    unsigned i = 0;

    while (i < ROLE_INSTANCES_MAX && env->peer[ipc_peer(ch)][i] != ch)
        i++;
    assert(i < ROLE_INSTANCES_MAX);
    return i;
}

bool role_is_up(const struct role_env *env, enum role peer)
{
    for (unsigned i = 0; i < env->count[peer]; i++) {
        const struct ipc *ch = role_peer(env, peer, i);

        if (ch == NULL || !ipc_is_up(ch))
            return false;
    }
    return true;
}

void role_plug(struct role_env *env, enum role peer, unsigned instance, int fd)
{
    struct ipc *ch = role_peer(env, peer, instance);

    if (ch == NULL)
        (void)close(fd);
    else
        ipc_plug(ch, fd);
}

/* The bag ------------------------------------------------------------------------------- */

int role_given(const struct role_env *env, const char *name, size_t index)
{
    return env->bag != NULL ? bag_take(env->bag, name, index) : -1;
}

const char *role_given_text(const struct role_env *env, const char *name, size_t index)
{
    struct span text = SPAN_LIT("");

    if (env->bag != NULL)
        text = bag_text(env->bag, name, index);
    return text.n > 0 ? (const char *)text.p : "";
}

/* Which instance ------------------------------------------------------------------------ */

unsigned role_shard(uint64_t account_id)
{
    return (unsigned)(account_id % ROLE_SHARDS);
}

unsigned role_mailbox(const struct role_env *env, uint64_t account_id)
{
    return role_shard(account_id) % env->count[ROLE_MAILBOX];
}

/* FNV-1a: nobody gains from making domains meet in one relay, so it need not be secret. */
unsigned role_relay(const struct role_env *env, struct span domain)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < domain.n; i++)
        h = (h ^ ascii_lower(domain.p[i])) * 16777619u;
    return h % env->count[ROLE_RELAY];
}
