/* SPDX-License-Identifier: ISC */
/* maild/imap/datetime.h - dates as IMAP writes them: 17-Jul-1996 02:44:25 -0700. Pure. */
#ifndef MAILD_IMAP_DATETIME_H
#define MAILD_IMAP_DATETIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/span.h"

#define IMAP_DATETIME_TEXT 27 /* with NUL */

/* "1-Feb-1994" or "01-Feb-1994": days since 1970-01-01. */
bool imap_date_parse(struct span s, int64_t *day);
/* " 1-Feb-1994 21:52:25 -0800", 26 characters: seconds since 1970 UTC. */
bool imap_datetime_parse(struct span s, int64_t *wall_s);
/* In UTC. */
void imap_datetime_print(int64_t wall_s, char text[IMAP_DATETIME_TEXT]);
/* The calendar day (UTC) of an instant. */
int64_t imap_day_of(int64_t wall_s);

#endif
