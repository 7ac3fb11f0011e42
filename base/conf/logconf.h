/* SPDX-License-Identifier: ISC */
/* base/conf/logconf.h - the log as signpost.conf wants it.
 *
 * Ownership: the descriptor is the caller's.
 * Threads:   any; a log that others write to while it is changed may mix both formats. */
#ifndef BASE_CONF_LOGCONF_H
#define BASE_CONF_LOGCONF_H

#include "base/conf/conf.h"
#include "base/core/log.h"

/* Open log_file to append, or a copy of standard error without one. -1 with *err. */
MUST_USE int logconf_open(const struct conf *c, struct err *err);
/* Set format and least level of `l`. */
void logconf_apply(const struct conf *c, struct log *l);

#endif
