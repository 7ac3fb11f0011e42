/* SPDX-License-Identifier: ISC */
/* base/dns/rdata_loc.c - LOC (RFC 1876): a place on earth, in words and in 16 octets.
 *
 * Text: d [m [s]] N|S  d [m [s]] E|W  altitude [size [horizontal [vertical precision]]], the
 * last four in metres. Wire: version 0, three lengths of one octet each (mantissa and power
 * of ten, centimetres), latitude and longitude in thousandths of a second around 2^31,
 * altitude in centimetres above 100,000 m below the reference. */
#include "base/core/attr.h"
#include "base/core/wire.h"
#include "base/dns/rdata_int.h"

enum {
    ALTITUDE_BASE_CM = 10000000,
    SIZE_CM = 100,
    HORIZONTAL_CM = 1000000,
    VERTICAL_CM = 1000
};

/* "12", "12.3", "12.345": value times 10^digits; more digits are refused. */
static bool fixed_point(struct span text, unsigned digits, uint64_t max, uint64_t *value)
{
    struct span whole;
    struct span part;
    uint64_t v;

    (void)span_cut(text, '.', &whole, &part);
    if (part.n > digits || !span_to_u64(whole, max, &v))
        return false;
    for (unsigned i = 0; i < digits; i++) {
        if (i < part.n && !ascii_is_digit(part.p[i]))
            return false;
        v = v * 10 + (i < part.n ? (uint64_t)(part.p[i] - '0') : 0);
    }
    *value = v;
    return true;
}

/* Degrees, minutes, seconds and a letter: thousandths of a second around 2^31. */
static bool take_angle(struct span *text, uint8_t plus, uint8_t minus,
                       unsigned max_degrees, uint32_t *angle)
{
    uint64_t v[3] = {0, 0, 0};
    struct rdata_token t;
    uint64_t total;

    for (unsigned n = 0; n < 4; n++) {
        if (rdata_token_next(text, &t) != RDATA_TOKEN || t.raw.n == 0)
            return false;
        if (n > 0 && t.raw.n == 1 && (t.raw.p[0] == plus || t.raw.p[0] == minus)) {
            total = v[0] * 3600000 + v[1] * 60000 + v[2];
            if (total > max_degrees * 3600000ull)
                return false;
            *angle = (uint32_t)(t.raw.p[0] == plus ? 0x80000000u + total
                                                   : 0x80000000u - total);
            return true;
        }
        if (n == 3 || (n < 2 ? !span_to_u64(t.raw, n == 0 ? max_degrees : 59, &v[n])
                             : !fixed_point(t.raw, 3, 59, &v[n])))
            return false;
    }
    return false;
}

/* Metres, "m" allowed behind, to centimetres. *is_there false when no token is left. */
static bool take_metres(struct span *text, uint64_t max_m, uint64_t *cm, bool *is_there)
{
    struct rdata_token t;

    *is_there = rdata_token_next(text, &t) == RDATA_TOKEN;
    if (!*is_there)
        return true;
    if (t.raw.n > 1 && ascii_lower(t.raw.p[t.raw.n - 1]) == 'm')
        t.raw = span_take(t.raw, t.raw.n - 1);
    return fixed_point(t.raw, 2, max_m, cm);
}

/* Centimetres as mantissa and power of ten, rounded down. */
static uint8_t pack_size(uint64_t cm)
{
    unsigned power = 0;

    while (cm > 9 && power < 9) {
        cm /= 10;
        power++;
    }
    return (uint8_t)((cm > 9 ? 9 : cm) << 4 | power);
}

static bool take_altitude(struct span *text, uint32_t *altitude)
{
    struct span rest = *text;
    struct rdata_token t;
    bool is_below;
    bool is_there;
    uint64_t cm = 0;

    if (rdata_token_next(&rest, &t) != RDATA_TOKEN || t.raw.n == 0)
        return false;
    is_below = t.raw.p[0] == '-';
    t.raw = span_drop(t.raw, is_below);
    rest = t.raw;
    if (!take_metres(&rest, 42849672, &cm, &is_there) || !is_there ||
        (is_below && cm > ALTITUDE_BASE_CM) || cm > UINT32_MAX - ALTITUDE_BASE_CM)
        return false;
    (void)rdata_token_next(text, &t);
    *altitude = (uint32_t)(is_below ? ALTITUDE_BASE_CM - cm : ALTITUDE_BASE_CM + cm);
    return true;
}

bool rdata_loc_parse(struct span *text, struct buf *wire)
{
    uint64_t sizes[3] = {SIZE_CM, HORIZONTAL_CM, VERTICAL_CM};
    uint32_t latitude;
    uint32_t longitude;
    uint32_t altitude;
    bool is_there = true;
    struct wr w;

    if (!take_angle(text, 'N', 'S', 90, &latitude) ||
        !take_angle(text, 'E', 'W', 180, &longitude) || !take_altitude(text, &altitude))
        return false;
    for (size_t i = 0; i < COUNT_OF(sizes) && is_there; i++)
        if (!take_metres(text, 90000000, &sizes[i], &is_there))
            return false;
    wr_init(&w, wire);
    wr_u8(&w, 0);
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        wr_u8(&w, pack_size(sizes[i]));
    wr_u32(&w, latitude);
    wr_u32(&w, longitude);
    wr_u32(&w, altitude);
    return !w.is_bad;
}

static int print_angle(uint32_t angle, char plus, char minus, struct buf *text)
{
    bool is_plus = angle >= 0x80000000u;
    uint32_t v = is_plus ? angle - 0x80000000u : 0x80000000u - angle;

    return buf_printf(text, "%u %u %u.%03u %c ", v / 3600000, v / 60000 % 60,
                      v / 1000 % 60, v % 1000, is_plus ? plus : minus);
}

static int print_size(uint8_t packed, struct buf *text)
{
    uint64_t cm = packed >> 4;

    for (unsigned i = packed & 15u; i > 0; i--)
        cm *= 10;
    return buf_printf(text, " %llu.%02llum", (unsigned long long)(cm / 100),
                      (unsigned long long)(cm % 100));
}

/* A place on earth, not behind the pole: it could not be written as text. */
static bool is_angle(uint32_t angle, uint32_t max_degrees)
{
    uint32_t off = angle >= 0x80000000u ? angle - 0x80000000u : 0x80000000u - angle;

    return off <= max_degrees * 3600000u;
}

bool rdata_loc_is_valid(struct span wire)
{
    struct rd r;

    if (wire.n != RDATA_LOC_OCTETS || wire.p[0] != 0)
        return false;
    for (int i = 1; i < 4; i++) {
        unsigned mantissa = wire.p[i] >> 4, power = wire.p[i] & 15u;

        /* zero times a power of ten has no text of its own */
        if (mantissa > 9 || power > 9 || (mantissa == 0 && power > 0))
            return false;
    }
    rd_init(&r, span_drop(wire, 4));
    return is_angle(rd_u32(&r), 90) && is_angle(rd_u32(&r), 180);
}

int rdata_loc_print(struct span wire, struct buf *text)
{
    struct rd r;
    int64_t cm;

    rd_init(&r, span_drop(wire, 4));
    if (print_angle(rd_u32(&r), 'N', 'S', text) != 0 ||
        print_angle(rd_u32(&r), 'E', 'W', text) != 0)
        return -1;
    cm = (int64_t)rd_u32(&r) - ALTITUDE_BASE_CM;
    if (buf_printf(text, "%s%lld.%02lldm", cm < 0 ? "-" : "",
                   (long long)((cm < 0 ? -cm : cm) / 100),
                   (long long)((cm < 0 ? -cm : cm) % 100)) != 0)
        return -1;
    for (int i = 1; i < 4; i++)
        if (print_size(wire.p[i], text) != 0)
            return -1;
    return 0;
}
