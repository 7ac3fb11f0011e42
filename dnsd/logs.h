/* SPDX-License-Identifier: ISC */
/* dnsd/logs.h - the log as the configuration wants it. */
#ifndef DNSD_LOGS_H
#define DNSD_LOGS_H

#include "base/conf/conf.h"
#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/log.h"

/* Open log_file, or a second standard error. The descriptor, -1 with *err. */
MUST_USE int logs_open(const struct conf *c, struct err *err);
/* Write to `fd` as `part`, in the configured form and from the configured level on. */
void logs_init(struct log *l, int fd, const char *part, const struct conf *c);
enum log_level logs_level(const struct conf *c);

#endif
