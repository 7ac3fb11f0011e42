/* SPDX-License-Identifier: ISC */
/* maild/role_table.c - every role with its start and stop; apart from roles.c so that a
 * role's unit test does not pull in all the others. */
#include "maild/roles.h"

const struct role_info role_table[ROLE_COUNT] = {
    [ROLE_EDGE] = {"edge", edge_start, edge_stop},
    [ROLE_QUEUE] = {"queue", queue_start, queue_stop},
    [ROLE_RELAY] = {"relay", relay_start, relay_stop},
    [ROLE_MAILBOX] = {"mailbox", mailbox_start, mailbox_stop},
    [ROLE_DIRECTORY] = {"directory", directory_start, directory_stop},
    [ROLE_SIGNER] = {"signer", signer_start, signer_stop},
    [ROLE_RESOLVER] = {"resolver", resolver_role_start, resolver_role_stop},
};
