/* SPDX-License-Identifier: ISC */
/* zones/past.h - the domain database as it was at an earlier serial.
 *
 * Why:       `zone diff` between two serials needs the inputs of then, and the change log
 *            has them all. Reading functions need not know: the tables they name are
 *            shadowed by temporary ones from which later changes were taken back.
 * Ownership: close with domaindb_close(). Read-only. */
#ifndef ZONES_PAST_H
#define ZONES_PAST_H

#include "zones/domaindb.h"

/* The database after change `serial` (0: before the first). Good for drafts of the domain
 * of this name only. */
struct domaindb *past_open(const char *data_dir, struct span domain, int64_t serial,
                           struct err *err);

#endif
