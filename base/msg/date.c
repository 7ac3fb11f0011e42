/* SPDX-License-Identifier: ISC */
/* base/msg/date.c - days to calendar and back, RFC 5322 date-time both ways.
 *
 * Day numbers are counted from 1 March of year 0: with February last, the leap day ends the
 * year and a month's first day is (153 * m + 2) / 5 for m = 0 (March) .. 11 (February). An
 * era is the 400 years (146097 days) after which the calendar repeats. */
#include "base/msg/date.h"

#include <assert.h>
#include <stdio.h>

#include "base/core/attr.h"

#define DAY_S         86400
#define DAYS_PER_ERA  146097
#define DAYS_TO_EPOCH 719468 /* from 0000-03-01 to 1970-01-01 */
#define YEAR_0_S      INT64_C(-62167219200)
#define YEAR_9999_S   INT64_C(253402300799)

static const char *const month_names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const day_names[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

/* RFC 5322 4.3; military letters and unknown names count as +0000. */
static const struct {
    const char *name;
    int min;
} zones[] = {{"EST", -300}, {"EDT", -240}, {"CST", -360}, {"CDT", -300},
             {"MST", -420}, {"MDT", -360}, {"PST", -480}, {"PDT", -420}};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t days_from_civil(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

    return era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
           day_of_year - DAYS_TO_EPOCH;
}

struct date date_from_unix(int64_t wall_s, int zone_min)
{
    int64_t t = wall_s, days, era, doe, yoe, doy, mp, secs;
    struct date d;

    if (t < YEAR_0_S + DAY_S)
        t = YEAR_0_S + DAY_S; /* room for any zone */
    if (t > YEAR_9999_S - DAY_S)
        t = YEAR_9999_S - DAY_S;
    t += (int64_t)zone_min * 60;
    days = floor_div(t, DAY_S);
    secs = t - days * DAY_S;
    d.weekday = (int)((days % 7 + 11) % 7); /* 1970-01-01 was a Thursday */
    days += DAYS_TO_EPOCH;
    era = floor_div(days, DAYS_PER_ERA);
    doe = days - era * DAYS_PER_ERA;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;
    d.day = (int)(doy - (153 * mp + 2) / 5 + 1);
    d.month = (int)(mp < 10 ? mp + 3 : mp - 9);
    d.year = (int)(yoe + era * 400 + (d.month <= 2));
    d.hour = (int)(secs / 3600);
    d.minute = (int)(secs / 60 % 60);
    d.second = (int)(secs % 60);
    return d;
}

int64_t date_to_unix(const struct date *d, int zone_min)
{
    return days_from_civil(d->year, d->month, d->day) * DAY_S + d->hour * INT64_C(3600) +
           d->minute * INT64_C(60) + d->second - zone_min * INT64_C(60);
}

bool date_is_valid(const struct date *d)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = d->year % 4 == 0 && (d->year % 100 != 0 || d->year % 400 == 0);
    int last;

    if (d->year < 0 || d->year > 9999 || d->month < 1 || d->month > 12)
        return false;
    last = days[d->month - 1] + (d->month == 2 && is_leap);
    return d->day >= 1 && d->day <= last && d->hour >= 0 && d->hour <= 23 &&
           d->minute >= 0 && d->minute <= 59 && d->second >= 0 && d->second <= 60;
}

const char *date_month_name(int month)
{
    assert(month >= 1 && month <= 12);
    return month_names[month - 1];
}

int date_month_number(struct span name)
{
    for (size_t i = 0; i < COUNT_OF(month_names); i++)
        if (span_eq_str_nocase(name, month_names[i]))
            return (int)i + 1;
    return 0;
}

void date_print(int64_t wall_s, int zone_min, char text[DATE_TEXT])
{
    struct date d = date_from_unix(wall_s, zone_min);
    int east = zone_min < 0 ? -zone_min : zone_min;
    int n;

    n = snprintf(text, DATE_TEXT, "%s, %d %s %04d %02d:%02d:%02d %c%02d%02d",
                 day_names[d.weekday], d.day, date_month_name(d.month), d.year, d.hour,
                 d.minute, d.second, zone_min < 0 ? '-' : '+', east / 60 % 100,
                 east % 60);
    assert(n > 0 && n < DATE_TEXT);
}

/* White space, comments (nested, with quoted pairs). */
static void skip_cfws(struct span *s)
{
    size_t depth = 0, i = 0;

    for (; i < s->n; i++) {
        uint8_t c = s->p[i];

        if (c == '(')
            depth++;
        else if (c == ')' && depth > 0)
            depth--;
        else if (c == '\\' && depth > 0 && i + 1 < s->n)
            i++;
        else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n')
            break;
    }
    *s = span_drop(*s, i);
}

static struct span take_while(struct span *s, bool (*is_in)(uint8_t))
{
    struct span word = *s;
    size_t i = 0;

    while (i < s->n && is_in(s->p[i]))
        i++;
    *s = span_drop(*s, i);
    return span_take(word, i);
}

/* Up to four digits. */
static bool take_number(struct span *s, int *value, size_t *digits)
{
    struct span word;
    uint64_t v;

    skip_cfws(s);
    word = take_while(s, ascii_is_digit);
    if (!span_to_u64(word, 9999, &v))
        return false;
    *value = (int)v;
    *digits = word.n;
    return true;
}

static bool take_char(struct span *s, const char *any)
{
    skip_cfws(s);
    for (; *any != '\0'; any++) {
        if (s->n > 0 && s->p[0] == (uint8_t)*any) {
            *s = span_drop(*s, 1);
            return true;
        }
    }
    return false;
}

static bool take_calendar(struct span *s, struct date *d)
{
    size_t digits;

    skip_cfws(s);
    if (take_while(s, ascii_is_alpha).n > 0)
        (void)take_char(s, ",");
    if (!take_number(s, &d->day, &digits))
        return false;
    (void)take_char(s, "-");
    skip_cfws(s);
    d->month = date_month_number(take_while(s, ascii_is_alpha));
    (void)take_char(s, "-");
    if (d->month == 0 || !take_number(s, &d->year, &digits))
        return false;
    if (digits == 2) /* RFC 5322 4.3 */
        d->year += d->year < 50 ? 2000 : 1900;
    else if (digits == 3)
        d->year += 1900;
    return true;
}

static bool take_clock(struct span *s, struct date *d)
{
    size_t digits;

    d->hour = d->minute = d->second = 0;
    skip_cfws(s);
    if (s->n == 0)
        return true; /* a day alone is midnight */
    if (!take_number(s, &d->hour, &digits) || !take_char(s, ":") ||
        !take_number(s, &d->minute, &digits))
        return false;
    return !take_char(s, ":") || take_number(s, &d->second, &digits);
}

static int take_zone(struct span *s)
{
    bool is_west;
    struct span word;
    uint64_t v;

    skip_cfws(s);
    if (s->n > 0 && (s->p[0] == '+' || s->p[0] == '-')) {
        is_west = s->p[0] == '-';
        *s = span_drop(*s, 1);
        word = take_while(s, ascii_is_digit);
        if (word.n != 4 || !span_to_u64(word, 9959, &v) || v % 100 > 59)
            return 0;
        return (int)(v / 100 * 60 + v % 100) * (is_west ? -1 : 1);
    }
    word = take_while(s, ascii_is_alpha);
    for (size_t i = 0; i < COUNT_OF(zones); i++)
        if (span_eq_str_nocase(word, zones[i].name))
            return zones[i].min;
    return 0;
}

bool date_parse(struct span text, int64_t *wall_s, int *zone_min)
{
    struct date d = {.year = 0};
    int zone;

    if (!take_calendar(&text, &d) || !take_clock(&text, &d) || !date_is_valid(&d))
        return false;
    zone = take_zone(&text);
    *wall_s = date_to_unix(&d, zone);
    if (zone_min != NULL)
        *zone_min = zone;
    return true;
}
