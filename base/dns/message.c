/* SPDX-License-Identifier: ISC */
#include "base/dns/message.h"

#include <string.h>

#include "base/core/wire.h"

enum { RR_FIXED = 10, POINTER_MASK = 0xc0, OPT_DO = 0x8000 };

static uint16_t get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

bool message_open(struct message *m, struct span packet)
{
    struct rd r;

    memset(m, 0, sizeof(*m));
    m->packet = packet;
    rd_init(&r, packet);
    m->id = rd_u16(&r);
    m->flags = rd_u16(&r);
    for (int i = 0; i < 4; i++)
        m->counts[i] = rd_u16(&r);
    m->at = MESSAGE_HEADER;
    return !r.is_bad;
}

unsigned message_rcode(const struct message *m)
{
    return m->flags & 0x0fu;
}

/* A pointer may only lead to a place before the one where the labels now being read
 * began, so each jump strictly shortens what is left: no circle, no counter. */
bool message_name(struct span packet, size_t *at, struct dname *out)
{
    size_t pos = *at;
    size_t lowest = *at;
    bool has_jumped = false;
    size_t n = 0;

    out->n = 0;
    for (;;) {
        uint8_t c;

        if (pos >= packet.n)
            return false;
        c = packet.p[pos];
        if ((c & POINTER_MASK) == POINTER_MASK) {
            size_t to;

            if (packet.n - pos < 2)
                return false;
            to = get_u16(packet.p + pos) & 0x3fffu;
            if (to >= lowest)
                return false;
            if (!has_jumped)
                *at = pos + 2;
            has_jumped = true;
            pos = lowest = to;
            continue;
        }
        if (c > DNAME_LABEL_MAX || packet.n - pos < 1u + c || n + 1u + c > DNAME_MAX)
            return false;
        memcpy(out->w + n, packet.p + pos, 1u + c);
        n += 1u + c;
        pos += 1u + c;
        if (c == 0)
            break;
    }
    if (!has_jumped)
        *at = pos;
    out->n = (uint8_t)n;
    return true;
}

static bool read_fixed(struct message *m, struct message_rr *rr)
{
    const uint8_t *p = m->packet.p + m->at;
    bool is_question = rr->section == MESSAGE_QUESTION;
    size_t want = is_question ? 4 : RR_FIXED;

    if (m->packet.n - m->at < want)
        return false;
    rr->type = get_u16(p);
    rr->class = get_u16(p + 2);
    m->at += want;
    if (is_question)
        return true;
    rr->ttl_s = (uint32_t)get_u16(p + 4) << 16 | get_u16(p + 6);
    rr->rdata_at = m->at;
    rr->rdata = span_of(m->packet.p + m->at, get_u16(p + 8));
    if (rr->rdata.n > m->packet.n - m->at)
        return false;
    m->at += rr->rdata.n;
    return true;
}

enum message_result message_next(struct message *m, struct message_rr *rr)
{
    while (m->section < 4 && m->done == m->counts[m->section]) {
        m->section++;
        m->done = 0;
    }
    if (m->section == 4)
        return m->at == m->packet.n ? MESSAGE_END : MESSAGE_BAD;
    memset(rr, 0, sizeof(*rr));
    rr->section = (enum message_section)m->section;
    if (!message_name(m->packet, &m->at, &rr->owner) || !read_fixed(m, rr))
        return MESSAGE_BAD;
    m->done++;
    return MESSAGE_OK;
}

int message_put_query(struct buf *out, struct span name, const struct message_query *q)
{
    size_t start = out->len;
    struct wr w;

    wr_init(&w, out);
    wr_u16(&w, q->id);
    wr_u16(&w, q->flags);
    wr_u16(&w, 1);
    wr_u16(&w, 0);
    wr_u16(&w, 0);
    wr_u16(&w, q->edns_payload != 0);
    wr_bytes(&w, name);
    wr_u16(&w, q->type);
    wr_u16(&w, q->class);
    if (q->edns_payload != 0) {
        wr_u8(&w, 0);
        wr_u16(&w, RR_OPT);
        wr_u16(&w, q->edns_payload);
        wr_u16(&w, 0); /* extended rcode, version 0 */
        wr_u16(&w, q->is_dnssec_ok ? OPT_DO : 0);
        wr_u16(&w, 0);
    }
    if (!w.is_bad)
        return 0;
    buf_truncate(out, start);
    return -1;
}

int message_put_rr(struct buf *out, struct span owner, uint16_t type, uint16_t class,
                   uint32_t ttl_s, struct span rdata)
{
    size_t start = out->len;
    struct wr w;

    wr_init(&w, out);
    wr_bytes(&w, owner);
    wr_u16(&w, type);
    wr_u16(&w, class);
    wr_u32(&w, ttl_s);
    wr_span16(&w, rdata);
    if (!w.is_bad)
        return 0;
    buf_truncate(out, start);
    return -1;
}
