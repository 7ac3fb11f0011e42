/* SPDX-License-Identifier: ISC */
/* Design: rdata of a type is a list of fields (base/dns/rrtype.c). One function knows how
 * long each kind of field is and whether its octets are allowed (rdata_field_len); checking,
 * finding names, decompressing and comparing are walks along that list. Text is in
 * rdata_parse.c and rdata_print.c, SvcParams in rdata_svc.c. */
#include "base/dns/rdata.h"

#include <string.h>

#include "base/core/wire.h"
#include "base/dns/message.h"
#include "base/dns/rdata_int.h"

/* --- the length of a field --- */

static ptrdiff_t string_len(struct span left)
{
    if (left.n == 0 || left.n - 1 < left.p[0])
        return -1;
    return 1 + left.p[0];
}

static ptrdiff_t tag_len(struct span left)
{
    ptrdiff_t n = string_len(left);

    if (n <= 1)
        return -1;
    for (ptrdiff_t i = 1; i < n; i++)
        if (!ascii_is_alnum(left.p[i]))
            return -1;
    return n;
}

static ptrdiff_t strings_len(struct span left)
{
    size_t at = 0;

    do {
        ptrdiff_t n = string_len(span_drop(left, at));

        if (n < 0)
            return -1;
        at += (size_t)n;
    } while (at < left.n);
    return (ptrdiff_t)at;
}

/* Windows ascend, none is empty or longer than 32 octets, no trailing zero octet
 * (RFC 4034 4.1.2). */
static ptrdiff_t bitmap_len(struct span left)
{
    int last = -1;

    for (size_t at = 0; at < left.n;) {
        size_t n;

        if (left.n - at < 2)
            return -1;
        n = left.p[at + 1];
        if (left.p[at] <= last || n == 0 || n > 32 || left.n - at - 2 < n ||
            left.p[at + 1 + n] == 0)
            return -1;
        last = left.p[at];
        at += 2 + n;
    }
    return (ptrdiff_t)left.n;
}

static ptrdiff_t fixed_len(uint8_t field)
{
    switch ((enum rdata_field)field) {
    case RF_U8:
    case RF_ALGORITHM:
        return 1;
    case RF_U16:
    case RF_TYPE:
        return 2;
    case RF_U32:
    case RF_TTL:
    case RF_TIME:
    case RF_A:
        return 4;
    case RF_EUI48:
        return 6;
    case RF_EUI64:
        return 8;
    case RF_AAAA:
        return 16;
    case RF_END:
    case RF_NAME:
    case RF_NAME_PLAIN:
    case RF_STR:
    case RF_TAG:
    case RF_HEX8:
    case RF_B32_8:
    case RF_TEXT:
    case RF_STRS:
    case RF_HEX:
    case RF_B64:
    case RF_BITMAP:
    case RF_SVC:
    case RF_LOC:
        break;
    }
    return -1;
}

ptrdiff_t rdata_field_len(uint8_t field, struct span wire, size_t at)
{
    struct span left = span_drop(wire, at);
    ptrdiff_t n;

    switch ((enum rdata_field)field) {
    case RF_NAME:
    case RF_NAME_PLAIN:
        n = (ptrdiff_t)dname_check(left);
        return n > 0 ? n : -1;
    case RF_STR:
    case RF_HEX8:
        return string_len(left);
    case RF_B32_8:
        n = string_len(left);
        return n > 1 ? n : -1;
    case RF_TAG:
        return tag_len(left);
    case RF_STRS:
        return strings_len(left);
    case RF_BITMAP:
        return bitmap_len(left);
    case RF_SVC:
        return rdata_svc_is_valid(left) ? (ptrdiff_t)left.n : -1;
    case RF_LOC:
        return rdata_loc_is_valid(left) ? (ptrdiff_t)left.n : -1;
    case RF_HEX:
    case RF_B64:
        return left.n > 0 ? (ptrdiff_t)left.n : -1;
    case RF_TEXT:
        return (ptrdiff_t)left.n;
    case RF_END:
        return -1;
    case RF_U8:
    case RF_U16:
    case RF_U32:
    case RF_TTL:
    case RF_TIME:
    case RF_ALGORITHM:
    case RF_TYPE:
    case RF_A:
    case RF_AAAA:
    case RF_EUI48:
    case RF_EUI64:
        break;
    }
    n = fixed_len(field);
    return n <= (ptrdiff_t)left.n ? n : -1;
}

/* --- walks --- */

static uint8_t field_of(const struct rrtype *t, size_t i)
{
    return i < RRTYPE_FIELDS ? t->fields[i] : (uint8_t)RF_END;
}

bool rdata_is_valid(uint16_t type, struct span wire)
{
    const struct rrtype *t = rrtype_find(type);
    size_t at = 0;

    if (wire.n > RDATA_MAX)
        return false;
    if (t == NULL)
        return true;
    for (size_t i = 0; field_of(t, i) != RF_END; i++) {
        ptrdiff_t n = rdata_field_len(t->fields[i], wire, at);

        if (n < 0)
            return false;
        at += (size_t)n;
    }
    return at == wire.n;
}

static bool is_name(uint8_t field)
{
    return field == RF_NAME || field == RF_NAME_PLAIN;
}

bool rdata_next_name(uint16_t type, struct span wire, size_t *at, struct span *name)
{
    const struct rrtype *t = rrtype_find(type);
    size_t pos = 0;

    for (size_t i = 0; t != NULL && field_of(t, i) != RF_END; i++) {
        ptrdiff_t n = rdata_field_len(t->fields[i], wire, pos);

        if (n < 0)
            return false;
        if (is_name(t->fields[i]) && pos >= *at) {
            *name = span_of(wire.p + pos, (size_t)n);
            *at = pos + (size_t)n;
            return true;
        }
        pos += (size_t)n;
    }
    return false;
}

int rdata_unpack(uint16_t type, struct span packet, size_t at, size_t n, struct buf *wire)
{
    const struct rrtype *t = rrtype_find(type);
    size_t start = wire->len;
    size_t end = at + n;
    struct span own; /* the packet cut at the end of this rdata */

    if (at > packet.n || n > packet.n - at)
        return -1;
    own = span_take(packet, end);
    for (size_t i = 0; t != NULL && field_of(t, i) != RF_END; i++) {
        struct dname name;
        ptrdiff_t len;

        if (is_name(t->fields[i])) {
            if (!message_name(own, &at, &name) || buf_span(wire, dname_span(&name)) != 0)
                goto bad;
            continue;
        }
        len = rdata_field_len(t->fields[i], own, at);
        if (len < 0 || buf_append(wire, own.p + at, (size_t)len) != 0)
            goto bad;
        at += (size_t)len;
    }
    if (t == NULL && buf_append(wire, own.p + at, n) != 0)
        goto bad;
    if (t == NULL || at == end)
        return 0;
bad:
    buf_truncate(wire, start);
    return -1;
}

bool rdata_eq(uint16_t type, struct span a, struct span b)
{
    size_t at_a = 0;
    size_t at_b = 0;
    size_t done = 0;
    struct span name_a;
    struct span name_b;

    if (a.n != b.n)
        return false;
    while (rdata_next_name(type, a, &at_a, &name_a)) {
        size_t from = at_a - name_a.n;

        if (!rdata_next_name(type, b, &at_b, &name_b) || at_a != at_b ||
            !dname_eq(name_a, name_b) ||
            !span_eq(span_of(a.p + done, from - done), span_of(b.p + done, from - done)))
            return false;
        done = at_a;
    }
    return span_eq(span_drop(a, done), span_drop(b, done));
}

/* --- ready-made rdata --- */

static int finish(const struct wr *w, struct buf *wire, size_t start)
{
    if (!w->is_bad)
        return 0;
    buf_truncate(wire, start);
    return -1;
}

int rdata_put_txt(struct buf *wire, struct span text)
{
    size_t start = wire->len;
    struct wr w;

    wr_init(&w, wire);
    do {
        struct span piece = span_take(text, 255);

        wr_u8(&w, (uint8_t)piece.n);
        wr_bytes(&w, piece);
        text = span_drop(text, piece.n);
    } while (text.n > 0);
    return finish(&w, wire, start);
}

int rdata_put_mx(struct buf *wire, uint16_t preference, struct span host)
{
    size_t start = wire->len;
    struct wr w;

    wr_init(&w, wire);
    wr_u16(&w, preference);
    wr_bytes(&w, host);
    return finish(&w, wire, start);
}

int rdata_put_srv(struct buf *wire, uint16_t priority, uint16_t weight, uint16_t port,
                  struct span target)
{
    size_t start = wire->len;
    struct wr w;

    wr_init(&w, wire);
    wr_u16(&w, priority);
    wr_u16(&w, weight);
    wr_u16(&w, port);
    wr_bytes(&w, target);
    return finish(&w, wire, start);
}

int rdata_put_soa(struct buf *wire, const struct rdata_soa *soa)
{
    size_t start = wire->len;
    struct wr w;

    wr_init(&w, wire);
    wr_bytes(&w, soa->mname);
    wr_bytes(&w, soa->rname);
    wr_u32(&w, soa->serial);
    wr_u32(&w, soa->refresh_s);
    wr_u32(&w, soa->retry_s);
    wr_u32(&w, soa->expire_s);
    wr_u32(&w, soa->minimum_s);
    return finish(&w, wire, start);
}

bool rdata_get_soa(struct span wire, struct rdata_soa *soa)
{
    struct rd r;

    if (!rdata_is_valid(RR_SOA, wire))
        return false;
    rd_init(&r, wire);
    soa->mname = rd_bytes(&r, dname_check(wire));
    soa->rname = rd_bytes(&r, dname_check(span_drop(wire, r.pos)));
    soa->serial = rd_u32(&r);
    soa->refresh_s = rd_u32(&r);
    soa->retry_s = rd_u32(&r);
    soa->expire_s = rd_u32(&r);
    soa->minimum_s = rd_u32(&r);
    return rd_done(&r);
}
