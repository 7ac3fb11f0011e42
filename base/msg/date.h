/* SPDX-License-Identifier: ISC */
/* base/msg/date.h - calendar dates and the date-time of RFC 5322 3.3, without the C
 * library's time zone and locale.
 *
 * Threads:   values.
 * Pure:      the time is an argument. Proleptic Gregorian calendar, no leap seconds. */
#ifndef BASE_MSG_DATE_H
#define BASE_MSG_DATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/span.h"

#define DATE_TEXT 40 /* "Sun, 22 Nov 2026 19:40:00 +0000" and NUL, with room */

struct date {
    int year;    /* 0..9999 */
    int month;   /* 1..12 */
    int day;     /* 1..31 */
    int hour;    /* 0..23 */
    int minute;  /* 0..59 */
    int second;  /* 0..60 when read; 0..59 when made */
    int weekday; /* 0 Sunday .. 6; set by date_from_unix */
};

/* Calendar of `wall_s` (seconds since 1970 UTC) as seen `zone_min` minutes east of UTC. */
struct date date_from_unix(int64_t wall_s, int zone_min);
/* The opposite. Fields must be in their ranges. */
int64_t date_to_unix(const struct date *d, int zone_min);
/* True when every field is in range and the day exists in its month. */
bool date_is_valid(const struct date *d);
/* "Jan".."Dec" for 1..12; 1..12 for a name in any letter case, 0 for none. */
const char *date_month_name(int month);
int date_month_number(struct span name);

/* "Sun, 22 Nov 2026 19:40:00 +0000". Years outside 0..9999 are clamped to them. */
void date_print(int64_t wall_s, int zone_min, char text[DATE_TEXT]);
/* Read an RFC 5322 3.3 date-time, obsolete forms of 4.3 included (comments and folds
 * anywhere, two- and three-digit years, no seconds, zone names; unknown zones count as
 * +0000). False when no date can be made of it. `zone_min` may be NULL. */
bool date_parse(struct span text, int64_t *wall_s, int *zone_min);

#endif
