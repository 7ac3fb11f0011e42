/* SPDX-License-Identifier: ISC */
/* dnsd/given.h - what the parent opens for its roles and holds as long as it lives.
 *
 * Why:       roles open no port and no socket file; and a port that the parent holds loses no
 *            question while serve is started anew: the kernel queues them.
 * Ownership: the caller's; a bag gets duplicates. What there is: struct dnsd_env.
 * Threads:   the parent's. */
#ifndef DNSD_GIVEN_H
#define DNSD_GIVEN_H

#include "dnsd/roles.h"

struct dnsgiven;

/* Open all. NULL with *err: "dns udp 127.0.0.1:53: port taken by another program". */
struct dnsgiven *dnsgiven_open(const struct conf *c, const struct log *log,
                               struct err *err);
/* Closes, and removes the socket files. */
void dnsgiven_close(struct dnsgiven **g);
/* Put into `bag` what this role gets. 0, or -1 with *err (no descriptors left). */
MUST_USE int dnsgiven_fill(const struct dnsgiven *g, enum dnsd_role r, struct bag *bag,
                           struct err *err);

#endif
