/* SPDX-License-Identifier: ISC */
/* dnsd/settle.h - the timed job of the TTL policy.
 *
 * Why:       a zone that moves has short TTLs; one that has not changed for a day gets long
 *            ones. That is itself a change of the zone, so it goes through the domain database
 *            like any other (domain_settle) and the builder hears of it as of any other.
 * Ownership: the caller's; started after the builder, stopped before the loop.
 * Threads:   the loop's; the database is used in a pool job, opened and closed by it. */
#ifndef DNSD_SETTLE_H
#define DNSD_SETTLE_H

#include "dnsd/roles.h"

struct settle;

struct settle *settle_start(const struct dnsd_env *env);
void settle_stop(struct settle **s);

#endif
