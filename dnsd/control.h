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

/* NULL with *err, also when another dnsd serves this run_dir. */
struct dnsctl *dnsctl_start(const struct dnsd_env *env, struct err *err);
/* From now on there is something to tell; NULL when the builder is about to go. */
void dnsctl_attach(struct dnsctl *c, struct builder *b);
void dnsctl_stop(struct dnsctl **c);

#endif
