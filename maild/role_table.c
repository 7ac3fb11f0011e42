/* SPDX-License-Identifier: ISC */
/* maild/role_table.c - every role: start, stop, and what its process is left with; apart
 * from roles.c so that a role's unit test does not pull in all the others. */
#include "base/msg/encword.h"
#include "maild/roles.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* A received message has its ceiling (message_size_max, at most 1 GiB) and some room in
 * front for fields that are added. */
#define BODY_FILE (GIB + 16 * MIB)
/* Readers of a database may have to lengthen its -shm. */
#define SHM_FILE (64 * MIB)

/* clang-format off */
const struct role_info role_table[ROLE_COUNT] = {
    [ROLE_EDGE] = {
        .name = "edge", .start = edge_start, .stop = edge_stop,
        .confined = {.user = "_signpost-edge", .root = SANDBOX_EMPTY,
                     .calls = SANDBOX_THREADS | SANDBOX_ACCEPT | SANDBOX_PAIR,
                     .limits = {.memory_octets = 4 * GIB, .file_octets = BODY_FILE,
                                .tasks = 256}}},
    [ROLE_QUEUE] = {
        .name = "queue", .start = queue_start, .stop = queue_stop,
        .confined = {.user = "_signpost-queue", .root = SANDBOX_DATA,
                     .calls = SANDBOX_THREADS | SANDBOX_ACCEPT | SANDBOX_READ |
                              SANDBOX_FILES,
                     .limits = {.memory_octets = 4 * GIB, .files = 4096,
                                .file_octets = SANDBOX_ANY_SIZE, .tasks = 64}}},
    [ROLE_RELAY] = {
        .name = "relay", .start = relay_start, .stop = relay_stop,
        .starts_outside = true, /* OpenSSL: the system's certificate authorities */
        .confined = {.user = "_signpost-relay", .root = SANDBOX_EMPTY,
                     .calls = SANDBOX_THREADS | SANDBOX_CONNECT,
                     .limits = {.memory_octets = 2 * GIB, .tasks = 256}}},
    [ROLE_MAILBOX] = {
        .name = "mailbox", .prepare = charset_keep, /* SEARCH */
        .start = mailbox_start, .stop = mailbox_stop,
        .confined = {.user = "_signpost-mail", .root = SANDBOX_DATA,
                     .calls = SANDBOX_THREADS | SANDBOX_READ | SANDBOX_FILES,
                     .limits = {.memory_octets = 8 * GIB,
                                .file_octets = SANDBOX_ANY_SIZE, .tasks = 512}}},
    [ROLE_DIRECTORY] = {
        .name = "directory", .start = directory_start, .stop = directory_stop,
        .confined = {.user = "_signpost-dir", .root = SANDBOX_DATA,
                     .calls = SANDBOX_THREADS | SANDBOX_READ | SANDBOX_DATABASE,
                     .limits = {.memory_octets = 4 * GIB, .files = 256,
                                .file_octets = SHM_FILE, .tasks = 64}}},
    [ROLE_SIGNER] = {
        .name = "signer", .start = signer_start, .stop = signer_stop,
        .confined = {.user = "_signpost-sign", .root = SANDBOX_DATA,
                     .calls = SANDBOX_THREADS | SANDBOX_READ | SANDBOX_DATABASE,
                     .limits = {.memory_octets = GIB, .files = 256,
                                .file_octets = SHM_FILE, .tasks = 64}}},
    [ROLE_RESOLVER] = {
        .name = "resolver", .start = resolver_role_start, .stop = resolver_role_stop,
        .starts_outside = true, /* libunbound: root hints, trust anchors */
        .confined = {.user = "_signpost-resolv", .root = SANDBOX_EMPTY,
                     .calls = SANDBOX_THREADS | SANDBOX_PAIR | SANDBOX_UDP |
                              SANDBOX_CONNECT,
                     .limits = {.memory_octets = 2 * GIB, .files = 4096, .tasks = 64}}},
};
/* clang-format on */
