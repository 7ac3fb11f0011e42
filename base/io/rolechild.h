/* SPDX-License-Identifier: ISC */
/* base/io/rolechild.h - the role's end of its line to the supervisor.
 *
 * Ownership: descriptor ROLECHILD_FD belongs to this module from rolechild_boot() on.
 * Threads:   the loop's thread, but rolechild_boot(), which comes before the loop.
 *
 * Order in the child: rolechild_boot() (waits for the bag), confinement, start of the role,
 * rolechild_new(), rolechild_ready(); or rolechild_fail() and _exit. */
#ifndef BASE_IO_ROLECHILD_H
#define BASE_IO_ROLECHILD_H

#include <stdint.h>

#include "base/io/bag.h"
#include "base/io/loop.h"

#define ROLECHILD_FD 3

/* What is said on the line. To the child: PLUG with a descriptor, END. To the parent: READY,
 * FAILED with a text, BREACH. Octet 0 is the word; PLUG and BREACH have role and instance
 * in octets 1 and 2. */
enum rolechild_word {
    ROLECHILD_PLUG = 1,
    ROLECHILD_END,
    ROLECHILD_READY,
    ROLECHILD_FAILED,
    ROLECHILD_BREACH
};

struct rolechild;

struct rolechild_handlers {
    /* `instance` of `role` is there; the handler owns `fd`. Also after a restart of it. */
    void (*plug)(void *ctx, uint8_t role, unsigned instance, int fd);
    /* End in good order and exit: we were told to, or the parent is gone. Called once; it
     * must not free the rolechild. */
    void (*end)(void *ctx);
};

/* Wait for the bag. Also sees to it that only the parent decides about our end: signals
 * meant for the whole daemon (a terminal's Ctrl-C, a service manager's SIGTERM) are ignored
 * here, the parent passes on what they mean. 0, or -1 with *err. */
MUST_USE int rolechild_boot(struct bag *bag, struct err *err);
struct rolechild *rolechild_new(struct loop *l, const struct rolechild_handlers *h,
                                void *ctx);
void rolechild_free(struct rolechild **rc);

/* The role works; channels to its peers may come. */
void rolechild_ready(struct rolechild *rc);
/* The role could not start; the caller exits. */
void rolechild_fail(const char *why);
/* This peer broke the protocol: it will be ended and started anew. */
void rolechild_breach(struct rolechild *rc, uint8_t role, unsigned instance);

#endif
