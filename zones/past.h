/* SPDX-License-Identifier: ISC */
/* zones/past.h - the domain database as it was at an earlier serial.
 *
 * Why:       `zone diff` between two serials needs the inputs of then, and the change log
 *            has them all. Reading functions need not know: the tables they name are
 *            shadowed by temporary ones from which later changes were taken back.
 * Ownership: close with domaindb_close(). Read-only; for what zones are made of, not for
 *            accounts and aliases.
 * Threads:   the thread that opened it. */
#ifndef ZONES_PAST_H
#define ZONES_PAST_H

#include "zones/domaindb.h"

/* The database after change `serial` (0: before the first). Its cost grows with the number
 * of changes since then. NULL with *err. */
struct domaindb *past_open(const char *data_dir, int64_t serial, struct err *err);

#endif
