/* SPDX-License-Identifier: ISC */
/* zones/change_int.h - what the nouns of zones/ need of a change beyond its begin and end. */
#ifndef ZONES_CHANGE_INT_H
#define ZONES_CHANGE_INT_H

#include "zones/change.h"

/* The contents of this zone follow from what the open change did elsewhere (a domain below
 * it, a report address in it): its serial moves. */
MUST_USE int change_touch(struct domaindb *d, int64_t domain_id, struct err *err);
/* change_commit(); a settling change does not make its own zones "moving" again. */
MUST_USE int change_finish(struct domaindb *d, bool is_settling, int64_t *serial,
                           struct err *err);

#endif
