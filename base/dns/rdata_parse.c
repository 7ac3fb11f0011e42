/* SPDX-License-Identifier: ISC */
/* Design: text is cut into tokens; each field of the type's row takes one token (the last
 * kinds take all that are left) and appends its octets. The first field that does not fit
 * ends the work with a sentence that names the type, the token and what was expected. */
#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "base/core/codec.h"
#include "base/core/ipaddr.h"
#include "base/core/wire.h"
#include "base/dns/rdata.h"
#include "base/dns/rdata_int.h"

struct parse {
    struct span text; /* what is left */
    const struct dname *origin;
    struct buf *wire;
    struct wr w;
    const char *type;
    struct err *err;
};

static int expected(const struct parse *p, struct span token, const char *what)
{
    return err_set(p->err, "%s: expected %s, found \"%.*s\"", p->type, what,
                   (int)(token.n > 60 ? 60 : token.n), (const char *)token.p);
}

static int need_token(struct parse *p, const char *what, struct rdata_token *t)
{
    switch (rdata_token_next(&p->text, t)) {
    case RDATA_TOKEN:
        return 0;
    case RDATA_TOKEN_NONE:
        return err_set(p->err, "%s: %s is missing", p->type, what);
    case RDATA_TOKEN_UNCLOSED:
        break;
    }
    return err_set(p->err, "%s: a quoted text is not closed", p->type);
}

/* --- fields of one token --- */

static int put_number(struct parse *p, uint64_t max, unsigned octets, const char *what)
{
    struct rdata_token t = {0};
    uint64_t value;

    if (need_token(p, what, &t) != 0)
        return -1;
    if (!span_to_u64(t.raw, max, &value))
        return expected(p, t.raw, what);
    while (octets > 0)
        wr_u8(&p->w, (uint8_t)(value >> 8 * --octets & 0xff));
    return 0;
}

static int put_ttl(struct parse *p)
{
    struct rdata_token t = {0};
    uint32_t value;

    if (need_token(p, "a time in seconds", &t) != 0)
        return -1;
    if (!rdata_parse_ttl(t.raw, &value))
        return expected(p, t.raw, "a time in seconds (or like 1h30m)");
    wr_u32(&p->w, value);
    return 0;
}

static int put_time(struct parse *p)
{
    struct rdata_token t = {0};
    uint32_t value;

    if (need_token(p, "a time", &t) != 0)
        return -1;
    if (!rdata_parse_time(t.raw, &value))
        return expected(p, t.raw, "a time as YYYYMMDDHHMMSS");
    wr_u32(&p->w, value);
    return 0;
}

static int put_algorithm(struct parse *p)
{
    static const struct {
        const char *name;
        uint8_t number;
    } names[] = {
        {"RSAMD5", 1},
        {"DH", 2},
        {"DSA", 3},
        {"RSASHA1", 5},
        {"DSA-NSEC3-SHA1", 6},
        {"RSASHA1-NSEC3-SHA1", 7},
        {"RSASHA256", 8},
        {"RSASHA512", 10},
        {"ECC-GOST", 12},
        {"ECDSAP256SHA256", 13},
        {"ECDSAP384SHA384", 14},
        {"ED25519", 15},
        {"ED448", 16},
        {"INDIRECT", 252},
        {"PRIVATEDNS", 253},
        {"PRIVATEOID", 254},
    };
    struct rdata_token t = {0};
    uint64_t value;

    if (need_token(p, "an algorithm", &t) != 0)
        return -1;
    if (span_to_u64(t.raw, 255, &value)) {
        wr_u8(&p->w, (uint8_t)value);
        return 0;
    }
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (span_eq_str_nocase(t.raw, names[i].name)) {
            wr_u8(&p->w, names[i].number);
            return 0;
        }
    return expected(p, t.raw, "an algorithm number from 0 to 255");
}

static int put_type(struct parse *p)
{
    struct rdata_token t = {0};
    uint16_t number;

    if (need_token(p, "a record type", &t) != 0)
        return -1;
    if (!rrtype_parse(t.raw, &number))
        return expected(p, t.raw, "a record type");
    wr_u16(&p->w, number);
    return 0;
}

static int put_address(struct parse *p, uint8_t family)
{
    const char *what = family == AF_INET ? "an IPv4 address" : "an IPv6 address";
    struct rdata_token t = {0};
    struct ipaddr a;

    if (need_token(p, what, &t) != 0)
        return -1;
    if (!ipaddr_parse(t.raw, &a) || a.family != family)
        return expected(p, t.raw, what);
    wr_bytes(&p->w, span_of(a.b, family == AF_INET ? 4 : 16));
    return 0;
}

static int put_name(struct parse *p)
{
    struct rdata_token t = {0};
    struct dname name;
    enum dname_result r;

    if (need_token(p, "a domain name", &t) != 0)
        return -1;
    r = dname_parse(t.raw, p->origin, &name);
    if (r != DNAME_OK)
        return err_set(p->err, "%s: \"%.*s\": %s", p->type, SPAN_ARG(t.raw),
                       dname_result_text(r));
    wr_bytes(&p->w, dname_span(&name));
    return 0;
}

/* A token as one <character-string>: length octet and at most 255 octets. */
static int put_token_string(struct parse *p, struct span raw)
{
    size_t at = p->wire->len;
    size_t n;

    wr_u8(&p->w, 0);
    if (p->w.is_bad || rdata_unescape(raw, p->wire) != 0)
        return expected(p, raw, "a text with complete escapes");
    n = p->wire->len - at - 1;
    if (n > 255)
        return err_set(p->err,
                       "%s: one text has %zu octets, 255 is the most: write several, "
                       "each in quotes",
                       p->type, n);
    p->wire->data[at] = (uint8_t)n;
    return 0;
}

static int put_string(struct parse *p, bool is_tag)
{
    struct rdata_token t = {0};

    if (need_token(p, is_tag ? "a tag" : "a text", &t) != 0)
        return -1;
    if (is_tag)
        for (size_t i = 0; i < t.raw.n; i++)
            if (!ascii_is_alnum(t.raw.p[i]))
                return expected(p, t.raw, "a tag of letters and digits");
    if (is_tag && t.raw.n == 0)
        return expected(p, t.raw, "a tag of letters and digits");
    return put_token_string(p, t.raw);
}

static int put_hex8(struct parse *p)
{
    struct rdata_token t = {0};
    size_t at = p->wire->len;

    if (need_token(p, "a salt", &t) != 0)
        return -1;
    wr_u8(&p->w, 0);
    if (span_eq_str(t.raw, "-"))
        return 0;
    if (p->w.is_bad || t.raw.n > 510 || !hex_decode(t.raw, p->wire))
        return expected(p, t.raw, "hexadecimal digits in pairs, or -");
    p->wire->data[at] = (uint8_t)(p->wire->len - at - 1);
    return 0;
}

static int put_b32_8(struct parse *p)
{
    struct rdata_token t = {0};
    size_t at = p->wire->len;

    if (need_token(p, "a hashed owner", &t) != 0)
        return -1;
    wr_u8(&p->w, 0);
    if (p->w.is_bad || t.raw.n == 0 || t.raw.n > 400 || !base32hex_decode(t.raw, p->wire))
        return expected(p, t.raw, "base32hex without padding");
    p->wire->data[at] = (uint8_t)(p->wire->len - at - 1);
    return 0;
}

static int put_eui(struct parse *p, size_t octets)
{
    struct rdata_token t = {0};
    uint8_t digits[16];

    if (need_token(p, "an EUI address", &t) != 0)
        return -1;
    if (t.raw.n != octets * 3 - 1)
        goto bad;
    for (size_t i = 0; i < octets; i++) {
        memcpy(digits + 2 * i, t.raw.p + 3 * i, 2);
        if (i + 1 < octets && t.raw.p[3 * i + 2] != '-')
            goto bad;
    }
    if (hex_decode(span_of(digits, 2 * octets), p->wire))
        return 0;
bad:
    return expected(p, t.raw, "pairs of hexadecimal digits joined by hyphens");
}

/* --- fields that take the rest --- */

static int put_strings(struct parse *p)
{
    struct rdata_token t = {0};

    if (need_token(p, "a text", &t) != 0 || put_token_string(p, t.raw) != 0)
        return -1;
    for (;;) {
        switch (rdata_token_next(&p->text, &t)) {
        case RDATA_TOKEN:
            if (put_token_string(p, t.raw) != 0)
                return -1;
            continue;
        case RDATA_TOKEN_NONE:
            return 0;
        case RDATA_TOKEN_UNCLOSED:
            return err_set(p->err, "%s: a quoted text is not closed", p->type);
        }
    }
}

static int put_text(struct parse *p)
{
    struct rdata_token t = {0};

    if (need_token(p, "a value", &t) != 0)
        return -1;
    if (rdata_unescape(t.raw, p->wire) != 0)
        return expected(p, t.raw, "a text with complete escapes");
    return 0;
}

static int put_encoded(struct parse *p, const char *what,
                       bool (*decode)(struct span in, struct buf *out))
{
    struct rdata_token t = {0};
    struct buf joined;
    int rc = -1;

    buf_init(&joined, RDATA_MAX * 2 + 4);
    if (need_token(p, what, &t) != 0)
        goto out;
    do {
        if (buf_span(&joined, t.raw) != 0) {
            (void)err_set(p->err, "%s: %s is too long", p->type, what);
            goto out;
        }
    } while (rdata_token_next(&p->text, &t) == RDATA_TOKEN);
    if (!decode(buf_all(&joined), p->wire)) {
        (void)expected(p, buf_all(&joined), what);
        goto out;
    }
    rc = 0;
out:
    buf_free(&joined);
    return rc;
}

static void put_bitmap_windows(struct parse *p, const uint8_t bits[256][32])
{
    for (unsigned window = 0; window < 256; window++) {
        size_t n = 32;

        while (n > 0 && bits[window][n - 1] == 0)
            n--;
        if (n == 0)
            continue;
        wr_u8(&p->w, (uint8_t)window);
        wr_u8(&p->w, (uint8_t)n);
        wr_bytes(&p->w, span_of(bits[window], n));
    }
}

static int put_bitmap(struct parse *p)
{
    uint8_t bits[256][32];
    struct rdata_token t = {0};

    memset(bits, 0, sizeof(bits));
    while (rdata_token_next(&p->text, &t) == RDATA_TOKEN) {
        uint16_t type;

        if (!rrtype_parse(t.raw, &type))
            return expected(p, t.raw, "a record type");
        bits[type >> 8][(type & 0xff) / 8] |= (uint8_t)(0x80 >> type % 8);
    }
    put_bitmap_windows(p, (const uint8_t(*)[32])bits);
    return 0;
}

static int put_svc(struct parse *p)
{
    struct span rest = p->text;

    p->text = span_of(NULL, 0);
    if (rdata_svc_parse(rest, p->wire, p->err) == 0)
        return 0;
    return err_wrap(p->err, "%s", p->type);
}

static int put_loc(struct parse *p)
{
    if (rdata_loc_parse(&p->text, p->wire))
        return 0;
    return err_set(
        p->err, "%s: expected a place like 52 22 23.000 N 4 53 32.000 E -2.00m", p->type);
}

/* --- whole records --- */

static int put_field(struct parse *p, uint8_t field)
{
    switch ((enum rdata_field)field) {
    case RF_U8:
        return put_number(p, UINT8_MAX, 1, "a number from 0 to 255");
    case RF_U16:
        return put_number(p, UINT16_MAX, 2, "a number from 0 to 65535");
    case RF_U32:
        return put_number(p, UINT32_MAX, 4, "a number from 0 to 4294967295");
    case RF_TTL:
        return put_ttl(p);
    case RF_TIME:
        return put_time(p);
    case RF_ALGORITHM:
        return put_algorithm(p);
    case RF_TYPE:
        return put_type(p);
    case RF_A:
        return put_address(p, AF_INET);
    case RF_AAAA:
        return put_address(p, AF_INET6);
    case RF_NAME:
    case RF_NAME_PLAIN:
        return put_name(p);
    case RF_STR:
        return put_string(p, false);
    case RF_TAG:
        return put_string(p, true);
    case RF_HEX8:
        return put_hex8(p);
    case RF_B32_8:
        return put_b32_8(p);
    case RF_EUI48:
        return put_eui(p, 6);
    case RF_EUI64:
        return put_eui(p, 8);
    case RF_TEXT:
        return put_text(p);
    case RF_STRS:
        return put_strings(p);
    case RF_HEX:
        return put_encoded(p, "hexadecimal digits in pairs", hex_decode);
    case RF_B64:
        return put_encoded(p, "base64", base64_decode);
    case RF_BITMAP:
        return put_bitmap(p);
    case RF_LOC:
        return put_loc(p);
    case RF_SVC:
        return put_svc(p);
    case RF_END:
        break;
    }
    return 0;
}

/* `\# length hex...` (RFC 3597 5). The marker has been taken. */
static int put_generic(struct parse *p)
{
    struct rdata_token t = {0};
    size_t start = p->wire->len;
    uint64_t n;

    if (need_token(p, "the length after \\#", &t) != 0)
        return -1;
    if (!span_to_u64(t.raw, RDATA_MAX, &n))
        return expected(p, t.raw, "the length in octets after \\#");
    if (n > 0 && put_encoded(p, "hexadecimal digits in pairs", hex_decode) != 0)
        return -1;
    if (p->wire->len - start != n)
        return err_set(p->err, "%s: \\# says %u octets, %zu follow", p->type, (unsigned)n,
                       p->wire->len - start);
    return 0;
}

static int put_fields(struct parse *p, const struct rrtype *t)
{
    for (size_t i = 0; i < RRTYPE_FIELDS && t->fields[i] != RF_END; i++)
        if (put_field(p, t->fields[i]) != 0)
            return -1;
    return 0;
}

int rdata_parse(uint16_t type, struct span text, const struct dname *origin,
                struct buf *wire, struct err *err)
{
    char name[RRTYPE_TEXT];
    const struct rrtype *t = rrtype_find(type);
    struct parse p = {text, origin, wire, {0}, rrtype_print(type, name), err};
    struct rdata_token first = {{NULL, 0}, false};
    struct span peek = text;
    size_t start = wire->len;

    wr_init(&p.w, wire);
    if (rdata_token_next(&peek, &first) == RDATA_TOKEN && !first.is_quoted &&
        span_eq_str(first.raw, "\\#")) {
        p.text = peek;
        if (put_generic(&p) != 0)
            goto bad;
    } else if (t == NULL) {
        (void)err_set(err, "%s: data of this type is written as \\# LENGTH HEX", p.type);
        goto bad;
    } else if (put_fields(&p, t) != 0) {
        goto bad;
    }
    if (rdata_token_next(&p.text, &first) != RDATA_TOKEN_NONE) {
        (void)err_set(err, "%s: something is left over behind the data", p.type);
        goto bad;
    }
    if (p.w.is_bad || !rdata_is_valid(type, span_drop(buf_all(wire), start))) {
        (void)err_set(err, "%s: the data does not have the form of its type", p.type);
        goto bad;
    }
    return 0;
bad:
    buf_truncate(wire, start);
    return -1;
}
