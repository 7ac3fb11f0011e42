/* SPDX-License-Identifier: ISC */
/* Design: the mirror of rdata_parse.c: one field, one piece of text, blanks between them.
 * What rdata_is_valid() refuses is printed as \# octets, so printing never fails but at the
 * ceiling of the buffer, and what it prints rdata_parse() reads back to the same octets. */
#include <assert.h>
#include <string.h>

#include "base/core/codec.h"
#include "base/core/ipaddr.h"
#include "base/core/wire.h"
#include "base/dns/rdata.h"
#include "base/dns/rdata_int.h"

int rdata_escape(struct span octets, struct buf *text)
{
    for (size_t i = 0; i < octets.n; i++) {
        uint8_t c = octets.p[i];
        int rc;

        if (c == '"' || c == '\\')
            rc = buf_printf(text, "\\%c", c);
        else if (c >= 0x20 && c < 0x7f)
            rc = buf_byte(text, c);
        else
            rc = buf_printf(text, "\\%03u", c);
        if (rc != 0)
            return -1;
    }
    return 0;
}

static int print_quoted(struct span octets, struct buf *text)
{
    if (buf_byte(text, '"') != 0 || rdata_escape(octets, text) != 0)
        return -1;
    return buf_byte(text, '"');
}

static int print_number(struct span field, struct buf *text)
{
    uint64_t value = 0;

    for (size_t i = 0; i < field.n; i++)
        value = value << 8 | field.p[i];
    return buf_printf(text, "%llu", (unsigned long long)value);
}

/* Seconds since 1970 as YYYYMMDDHHMMSS: RRSIG times are 32 bits and meant near "now"
 * (RFC 4034 3.1.5); without a clock they are taken as 1970-2106. */
static int print_time(struct span field, struct buf *text)
{
    uint32_t t = 0;
    int64_t days;
    int64_t z;
    int64_t doe;
    int64_t yoe;
    int64_t doy;
    int64_t mp;

    for (size_t i = 0; i < field.n; i++)
        t = t << 8 | field.p[i];
    days = t / 86400;
    z = days + 719468; /* days since 0000-03-01 */
    doe = z % 146097;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;
    return buf_printf(text, "%04d%02d%02d%02d%02d%02d",
                      (int)(yoe + z / 146097 * 400 + (mp >= 10)),
                      (int)(mp + (mp < 10 ? 3 : -9)), (int)(doy - (153 * mp + 2) / 5 + 1),
                      (int)(t / 3600 % 24), (int)(t / 60 % 60), (int)(t % 60));
}

static int print_type(struct span field, struct buf *text)
{
    char name[RRTYPE_TEXT];

    return buf_str(text, rrtype_print((uint16_t)(field.p[0] << 8 | field.p[1]), name));
}

static int print_address(struct span field, struct buf *text)
{
    struct ipaddr a = {.family = field.n == 4 ? AF_INET : AF_INET6};
    char printed[IPADDR_TEXT];

    memcpy(a.b, field.p, field.n);
    ipaddr_print(&a, printed);
    return buf_str(text, printed);
}

static int print_name(struct span field, struct buf *text)
{
    char printed[DNAME_TEXT];

    (void)dname_print(field, printed);
    return buf_str(text, printed);
}

static int print_hex8(struct span field, struct buf *text)
{
    if (field.n == 1)
        return buf_byte(text, '-');
    return hex_encode(span_drop(field, 1), text);
}

static int print_eui(struct span field, struct buf *text)
{
    for (size_t i = 0; i < field.n; i++)
        if (buf_printf(text, "%s%02x", i > 0 ? "-" : "", field.p[i]) != 0)
            return -1;
    return 0;
}

static int print_strings(struct span field, struct buf *text)
{
    while (field.n > 0) {
        struct span octets = span_take(span_drop(field, 1), field.p[0]);

        if (print_quoted(octets, text) != 0)
            return -1;
        field = span_drop(field, 1 + octets.n);
        if (field.n > 0 && buf_byte(text, ' ') != 0)
            return -1;
    }
    return 0;
}

static int print_bitmap(struct span field, struct buf *text)
{
    bool is_first = true;

    while (field.n > 0) {
        size_t n = field.p[1];

        for (unsigned bit = 0; bit < n * 8; bit++) {
            char name[RRTYPE_TEXT];

            if ((field.p[2 + bit / 8] & 0x80 >> bit % 8) == 0)
                continue;
            if (buf_printf(text, "%s%s", is_first ? "" : " ",
                           rrtype_print((uint16_t)(field.p[0] * 256u + bit), name)) != 0)
                return -1;
            is_first = false;
        }
        field = span_drop(field, 2 + n);
    }
    return 0;
}

static int print_field(uint8_t kind, struct span field, struct buf *text)
{
    switch ((enum rdata_field)kind) {
    case RF_U8:
    case RF_U16:
    case RF_U32:
    case RF_TTL:
    case RF_ALGORITHM:
        return print_number(field, text);
    case RF_TIME:
        return print_time(field, text);
    case RF_TYPE:
        return print_type(field, text);
    case RF_A:
    case RF_AAAA:
        return print_address(field, text);
    case RF_NAME:
    case RF_NAME_PLAIN:
        return print_name(field, text);
    case RF_STR:
        return print_quoted(span_drop(field, 1), text);
    case RF_TAG:
        return buf_span(text, span_drop(field, 1));
    case RF_HEX8:
        return print_hex8(field, text);
    case RF_B32_8:
        return base32hex_encode(span_drop(field, 1), text);
    case RF_EUI48:
    case RF_EUI64:
        return print_eui(field, text);
    case RF_TEXT:
        return print_quoted(field, text);
    case RF_STRS:
        return print_strings(field, text);
    case RF_HEX:
        return hex_encode(field, text);
    case RF_B64:
        return base64_encode(field, text);
    case RF_BITMAP:
        return print_bitmap(field, text);
    case RF_LOC:
        return rdata_loc_print(field, text);
    case RF_SVC:
        return rdata_svc_print(field, text);
    case RF_END:
        break;
    }
    return 0;
}

static int print_generic(struct span wire, struct buf *text)
{
    if (buf_printf(text, "\\# %zu", wire.n) != 0)
        return -1;
    if (wire.n == 0)
        return 0;
    return buf_byte(text, ' ') != 0 ? -1 : hex_encode(wire, text);
}

static int print_fields(const struct rrtype *t, struct span wire, struct buf *text)
{
    size_t at = 0;

    for (size_t i = 0; i < RRTYPE_FIELDS && t->fields[i] != RF_END; i++) {
        ptrdiff_t n = rdata_field_len(t->fields[i], wire, at);

        assert(n >= 0); /* the caller checked */
        if (i > 0 && n > 0 && buf_byte(text, ' ') != 0)
            return -1;
        if (print_field(t->fields[i], span_of(wire.p + at, (size_t)n), text) != 0)
            return -1;
        at += (size_t)n;
    }
    return 0;
}

int rdata_print(uint16_t type, struct span wire, struct buf *text)
{
    const struct rrtype *t = rrtype_find(type);
    size_t start = text->len;
    int rc = t != NULL && rdata_is_valid(type, wire) ? print_fields(t, wire, text)
                                                     : print_generic(wire, text);

    if (rc != 0)
        buf_truncate(text, start);
    return rc;
}
