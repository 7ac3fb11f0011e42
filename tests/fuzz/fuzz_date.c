/* SPDX-License-Identifier: ISC */
/* Dates of mail and of IMAP (base/msg/date.h, maild/imap/datetime.h). Input: any text; its
 * first octets also as a number of seconds. */
#include <string.h>

#include "base/msg/date.h"
#include "maild/imap/datetime.h"
#include "tests/fuzz/fuzz.h"

static void check_mail(struct span text)
{
    int64_t s, again;
    int zone = 0, zone_again = 0;
    char out[DATE_TEXT];

    if (!date_parse(text, &s, &zone))
        return;
    LAW(zone > -24 * 60 * 60 && zone < 24 * 60 * 60, "a zone is less than 60 days");
    date_print(s, zone, out);
    LAW(strlen(out) < DATE_TEXT && fuzz_is_plain(span_str(out)), "a date has its length");
    if (zone % 60 > -60 && zone > -1000 && zone < 1000 && s > -62000000000 &&
        s < 253000000000) {
        LAW(date_parse(span_str(out), &again, &zone_again), "a printed date reads back");
        LAW(again == s && zone_again == zone, "to the same instant and zone");
    }
}

static void check_imap(struct span text)
{
    int64_t s, again, day;
    char out[IMAP_DATETIME_TEXT];

    if (imap_date_parse(text, &day))
        LAW(imap_day_of(day * 86400) == day, "a day is the day of its first second");
    if (!imap_datetime_parse(text, &s))
        return;
    imap_datetime_print(s, out);
    LAW(strlen(out) == IMAP_DATETIME_TEXT - 1, "an IMAP date has 26 characters");
    if (s > -62000000000 && s < 253000000000)
        LAW(imap_datetime_parse(span_str(out), &again) && again == s,
            "a printed IMAP date reads back");
}

static void check_seconds(int64_t s)
{
    char mail[DATE_TEXT], imap[IMAP_DATETIME_TEXT];
    struct date d;

    date_print(s, 0, mail);
    imap_datetime_print(s, imap);
    LAW(strlen(mail) < DATE_TEXT && strlen(imap) < IMAP_DATETIME_TEXT,
        "any number is a date of bounded length");
    if (s > -62000000000 && s < 253000000000) {
        d = date_from_unix(s, 0);
        LAW(date_is_valid(&d) && date_to_unix(&d, 0) == s, "calendar and back");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span text = fuzz_heap(span_of(data, n)), in = text;

    check_mail(text);
    check_imap(text);
    check_seconds((int64_t)fuzz_u64(&in));
    (void)date_month_number(text);
    fuzz_heap_free(text);
    return 0;
}
