/* SPDX-License-Identifier: ISC */
#include "dnsd/edns.h"

#include <string.h>

#include "base/core/wire.h"
#include "base/dns/rrtype.h"

enum { OPTION_EDE = 15, DO_BIT = 0x80, LABEL_MAX = 63 };

/* Step over an owner name. Only whether it is the root matters, so a pointer just ends it. */
static bool skip_name(struct rd *r, bool *is_root)
{
    unsigned label = rd_u8(r);

    *is_root = label == 0;
    while (label != 0 && !r->is_bad) {
        if (label >= 0xc0) {
            (void)rd_u8(r);
            break;
        }
        if (label > LABEL_MAX)
            return false;
        (void)rd_bytes(r, label);
        label = rd_u8(r);
    }
    return !r->is_bad;
}

static bool options_fit(struct span options)
{
    struct rd r;

    rd_init(&r, options);
    while (rd_left(&r) > 0 && !r.is_bad) {
        (void)rd_u16(&r);
        (void)rd_span16(&r);
    }
    return !r.is_bad;
}

bool edns_read(struct span packet, size_t at, unsigned count, struct edns *e)
{
    struct rd r;

    memset(e, 0, sizeof(*e));
    rd_init(&r, span_drop(packet, at));
    for (; count > 0; count--) {
        bool is_root;
        uint16_t type;
        uint16_t class;
        uint32_t ttl;
        struct span rdata;

        if (!skip_name(&r, &is_root))
            return false;
        type = rd_u16(&r);
        class = rd_u16(&r);
        ttl = rd_u32(&r);
        rdata = rd_span16(&r);
        if (r.is_bad || e->has_tsig)
            return false; /* a TSIG must be the last record (RFC 8945 5.1) */
        e->has_tsig = type == RR_TSIG;
        if (type != RR_OPT)
            continue;
        if (e->is_present || !is_root || !options_fit(rdata))
            return false;
        e->is_present = true;
        e->payload = class < EDNS_PLAIN_MAX ? EDNS_PLAIN_MAX : class;
        e->version = (uint8_t)(ttl >> 16 & 0xff);
        e->is_dnssec_ok = (ttl >> 8 & DO_BIT) != 0;
    }
    return rd_done(&r);
}

size_t edns_room(const struct edns *e, int extended_error)
{
    if (!e->is_present)
        return 0;
    return EDNS_OPT + (extended_error != EDE_NONE ? (size_t)EDNS_EDE : 0);
}

size_t edns_write(const struct edns *e, unsigned rcode_high, int extended_error,
                  uint8_t *at)
{
    uint8_t opt[EDNS_OPT + EDNS_EDE] = {
        0, 0, RR_OPT, EDNS_PAYLOAD >> 8, EDNS_PAYLOAD & 0xff, (uint8_t)rcode_high, 0,
        /* flags: DO is copied, unknown ones are cleared (RFC 6891 6.1.4) */
        e->is_dnssec_ok ? DO_BIT : 0, 0, 0, 0,
        /* extended error, when there is one */
        0, OPTION_EDE, 0, 2, 0, (uint8_t)extended_error};
    size_t n = edns_room(e, extended_error);

    if (n > EDNS_OPT)
        opt[EDNS_OPT - 1] = EDNS_EDE;
    memcpy(at, opt, n);
    return n;
}
