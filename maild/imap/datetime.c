/* SPDX-License-Identifier: ISC */
#include "maild/imap/datetime.h"

#include <stdio.h>

#include "base/msg/date.h"

static bool number(struct span s, size_t at, size_t n, int *v)
{
    uint64_t u;

    if (!span_to_u64(span_take(span_drop(s, at), n), 9999, &u) || at + n > s.n)
        return false;
    *v = (int)u;
    return true;
}

bool imap_date_parse(struct span s, int64_t *day)
{
    size_t n = s.n > 1 && s.p[1] == '-' ? 1 : 2;
    struct date c = {0, 0, 0, 0, 0, 0, 0};

    if (s.n != n + 9 || !number(s, 0, n, &c.day) || !number(s, n + 5, 4, &c.year) ||
        s.p[n] != '-' || s.p[n + 4] != '-')
        return false;
    c.month = date_month_number(span_take(span_drop(s, n + 1), 3));
    if (!date_is_valid(&c))
        return false;
    *day = imap_day_of(date_to_unix(&c, 0));
    return true;
}

bool imap_datetime_parse(struct span s, int64_t *wall_s)
{
    struct span date = span_take(s, 11);
    int64_t day;
    int h, mi, sec, zh, zm, sign;

    if (s.n != 26 || s.p[11] != ' ' || s.p[14] != ':' || s.p[17] != ':' || s.p[20] != ' ')
        return false;
    if (date.p[0] == ' ')
        date = span_drop(date, 1);
    sign = s.p[21] == '+' ? 1 : s.p[21] == '-' ? -1 : 0;
    if (sign == 0 || !imap_date_parse(date, &day) || !number(s, 12, 2, &h) ||
        !number(s, 15, 2, &mi) || !number(s, 18, 2, &sec) || !number(s, 22, 2, &zh) ||
        !number(s, 24, 2, &zm))
        return false;
    if (h > 23 || mi > 59 || sec > 60 || zh > 23 || zm > 59)
        return false;
    *wall_s = day * 86400 + h * 3600 + mi * 60 + sec - sign * (zh * 3600 + zm * 60);
    return true;
}

int64_t imap_day_of(int64_t wall_s)
{
    return (wall_s >= 0 ? wall_s : wall_s - 86399) / 86400;
}

void imap_datetime_print(int64_t wall_s, char text[IMAP_DATETIME_TEXT])
{
    struct date c = date_from_unix(wall_s, 0);

    /* the remainders change nothing; they tell the compiler that the text fits */
    (void)snprintf(text, IMAP_DATETIME_TEXT, "%2u-%.3s-%04u %02u:%02u:%02u +0000",
                   (unsigned)c.day % 100u, date_month_name(c.month),
                   (unsigned)c.year % 10000u, (unsigned)c.hour % 100u,
                   (unsigned)c.minute % 100u, (unsigned)c.second % 100u);
}
