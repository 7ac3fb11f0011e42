/* SPDX-License-Identifier: ISC */
/* base/dns/rdata_token.c - the words of presentation text: tokens, escapes, times. */
#include "base/core/attr.h"
#include "base/dns/rdata.h"
#include "base/dns/rdata_int.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '(' || c == ')';
}

enum rdata_token_result rdata_token_next(struct span *text, struct rdata_token *t)
{
    size_t at = 0;
    size_t start;

    while (at < text->n && is_blank(text->p[at]))
        at++;
    if (at == text->n)
        return RDATA_TOKEN_NONE;
    t->is_quoted = text->p[at] == '"';
    start = at += t->is_quoted;
    while (at < text->n) {
        uint8_t c = text->p[at];

        if (t->is_quoted ? c == '"' : (is_blank(c) || c == '"'))
            break;
        at += (c == '\\' && text->n - at > 1) ? 2 : 1;
    }
    if (t->is_quoted && at == text->n)
        return RDATA_TOKEN_UNCLOSED;
    t->raw = span_of(text->p + start, at - start);
    *text = span_drop(*text, at + t->is_quoted);
    return RDATA_TOKEN;
}

int rdata_unescape(struct span raw, struct buf *out)
{
    size_t start = out->len;

    for (size_t i = 0; i < raw.n; i++) {
        uint8_t c = raw.p[i];
        uint64_t value;

        if (c == '\\') {
            if (++i == raw.n)
                goto bad;
            c = raw.p[i];
            if (ascii_is_digit(c)) {
                if (raw.n - i < 3 || !span_to_u64(span_of(raw.p + i, 3), 255, &value))
                    goto bad;
                c = (uint8_t)value;
                i += 2;
            }
        }
        if (buf_byte(out, c) != 0)
            goto bad;
    }
    return 0;
bad:
    buf_truncate(out, start);
    return -1;
}

/* "3600", "1h", "1h30m" (a widespread extension). */
bool rdata_parse_ttl(struct span text, uint32_t *seconds)
{
    static const struct {
        uint8_t unit;
        uint32_t s;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    uint64_t total = 0;
    size_t at = 0;

    while (at < text.n) {
        size_t start = at;
        uint64_t value;
        uint64_t unit = 1;

        while (at < text.n && ascii_is_digit(text.p[at]))
            at++;
        if (!span_to_u64(span_of(text.p + start, at - start), UINT32_MAX, &value))
            return false;
        if (at < text.n) {
            size_t u = 0;

            while (u < COUNT_OF(units) && units[u].unit != ascii_lower(text.p[at]))
                u++;
            if (u == COUNT_OF(units))
                return false;
            unit = units[u].s;
            at++;
        }
        total += value * unit;
        if (total > UINT32_MAX)
            return false;
    }
    *seconds = (uint32_t)total;
    return text.n > 0;
}

/* Days since 1970-01-01 of a date in the Gregorian calendar. */
static int64_t days_from_date(int64_t y, int64_t m, int64_t d)
{
    int64_t era_years;

    y -= m <= 2;
    era_years = y - y / 400 * 400;
    return y / 400 * 146097 + era_years * 365 + era_years / 4 - era_years / 100 +
           (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1 - 719468;
}

/* YYYYMMDDHHMMSS in UTC, or seconds since 1970 modulo 2^32 (RFC 4034 3.2). */
bool rdata_parse_time(struct span text, uint32_t *seconds)
{
    static const struct {
        uint8_t at, n;
        uint16_t low, high;
    } parts[] = {{0, 4, 1970, 9999}, {4, 2, 1, 12},  {6, 2, 1, 31},
                 {8, 2, 0, 23},      {10, 2, 0, 59}, {12, 2, 0, 60}};
    uint64_t v[COUNT_OF(parts)];
    uint64_t plain;

    if (text.n != 14) {
        if (!span_to_u64(text, UINT32_MAX, &plain))
            return false;
        *seconds = (uint32_t)plain;
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (!span_to_u64(span_of(text.p + parts[i].at, parts[i].n), parts[i].high,
                         &v[i]) ||
            v[i] < parts[i].low)
            return false;
    *seconds =
        (uint32_t)((uint64_t)days_from_date((int64_t)v[0], (int64_t)v[1], (int64_t)v[2]) *
                       86400 +
                   v[3] * 3600 + v[4] * 60 + v[5]);
    return true;
}
