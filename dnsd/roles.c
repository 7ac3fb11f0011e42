/* SPDX-License-Identifier: ISC */
#include "dnsd/roles.h"

#include "dnsd/builder.h"
#include "dnsd/ipc_msgs.h"
#include "dnsd/serve.h"

#define GIB ((uint64_t)1 << 30)

static void *start_builder(const struct dnsd_env *env, struct err *err)
{
    return builder_start(env, err);
}

static void plug_builder(void *state, enum dnsd_role peer, int fd)
{
    builder_plug(state, peer, fd);
}

static void stop_builder(void *state)
{
    struct builder *b = state;

    builder_stop(&b);
}

static void *start_serve(const struct dnsd_env *env, struct err *err)
{
    return serve_start(env, err);
}

static void plug_serve(void *state, enum dnsd_role peer, int fd)
{
    (void)peer; /* it speaks with one only */
    serve_plug(state, fd);
}

static void stop_serve(void *state)
{
    struct serve *s = state;

    serve_stop(&s);
}

/* Memory: ceilings far above what 1,000,000 zones take, so that a fault ends the role and not
 * the machine. */
const struct dnsd_role_info dnsd_roles[DNSD_ROLE_COUNT] = {
    [DNSD_BUILDER] = {"builder",
                      start_builder,
                      plug_builder,
                      stop_builder,
                      {.user = "_signpost-dnsb",
                       .root = SANDBOX_DATA,
                       .calls = SANDBOX_THREADS | SANDBOX_ACCEPT | SANDBOX_MEMFD |
                                SANDBOX_READ | SANDBOX_DATABASE | SANDBOX_FILES,
                       .limits = {.memory_octets = 8 * GIB,
                                  .file_octets = SANDBOX_ANY_SIZE,
                                  .files = 1024}}},
    [DNSD_SERVE] = {"serve",
                    start_serve,
                    plug_serve,
                    stop_serve,
                    {.user = "_signpost-dns",
                     .root = SANDBOX_EMPTY,
                     .calls = SANDBOX_THREADS | SANDBOX_ACCEPT | SANDBOX_DATAGRAMS,
                     .limits = {.memory_octets = 16 * GIB, .files = 65536}}},
};

bool dnsd_speaks(uint8_t a, uint8_t b)
{
    for (size_t i = 0; i < dnsd_ipc_table.n; i++) {
        const struct ipc_msg *m = &dnsd_ipc_table.msgs[i];

        if ((m->from == a && m->to == b) || (m->from == b && m->to == a))
            return true;
    }
    return false;
}
