/* SPDX-License-Identifier: ISC */
/* dnsd/control.h - what dnsd tells on its control socket R/dnsd.ctl.
 *
 *     status       one row: zones, faults, newest change, memory
 *     zones        one row a zone, by name
 *     zone NAME    that zone's row
 *     stats        counters of all answering threads, one row
 *     reload       look at the database now
 *     confirm      believe that the database has no zone any more
 *     help         this list
 *
 * Ownership: the struct owns the socket. Threads: the loop's thread. */
#ifndef DNSD_CONTROL_H
#define DNSD_CONTROL_H

#include "base/core/attr.h"
#include "dnsd/builder.h"

struct dnsctl;

/* Serve on the listening socket `fd`, taken over. */
struct dnsctl *dnsctl_start(const struct dnsd_env *env, struct builder *b, int fd);
void dnsctl_stop(struct dnsctl **c);

#endif
