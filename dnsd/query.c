/* SPDX-License-Identifier: ISC */
/* Design: the steps of query_answer, each of which may end the work with an error reply:
 *
 *   header     too short or a response: no reply at all. Opcode, counts.
 *   question   QNAME is checked, folded and its labels noted in one pass.
 *   additional at most an OPT and records we do not know; nothing behind them.
 *   zone       deepest one that holds QNAME; none: REFUSED, never a referral upwards.
 *   answer     copied behind the question (dnsd/answer.c), then our OPT.
 *
 * An error found before the question is complete has no question in the reply, one found
 * later echoes it. An OPT in the query always gets one in the reply (RFC 6891 7) once the
 * additional section was read. */
#include "dnsd/query.h"

#include <assert.h>
#include <string.h>

#include "base/dns/rrtype.h"
#include "dnsd/answer.h"
#include "dnsd/edns.h"

enum {
    HEADER = 12,
    FLAGS1 = 2, /* QR opcode AA TC RD */
    FLAGS2 = 3, /* RA Z AD CD rcode */
    BIT_QR = 0x80,
    BIT_AA = 0x04,
    BIT_TC = 0x02,
    BIT_RD = 0x01,
    BIT_CD = 0x10,
    OPCODE = 0x78,
};

struct query {
    uint8_t *packet;
    size_t len;
    size_t limit;        /* octets the reply may have */
    size_t question_end; /* 0 while the question is not known to be good */
    struct qname name;
    uint16_t type, class;
    struct edns edns;
};

static unsigned get_u16(const uint8_t *p)
{
    return (unsigned)(p[0] << 8 | p[1]);
}

static void put_u16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8 & 0xff);
    p[1] = (uint8_t)(v & 0xff);
}

static void count_rcode(struct stats *s, unsigned rcode)
{
    static const uint8_t stat_of[] = {STAT_NOERROR,  STAT_FORMERR, STAT_SERVFAIL,
                                      STAT_NXDOMAIN, STAT_NOTIMP,  STAT_REFUSED};

    stats_add(
        s, rcode < COUNT_OF(stat_of) ? (enum stats_item)stat_of[rcode] : STAT_OTHER_RCODE,
        1);
}

/* Turn the query's header into the reply's: ID, opcode, RD and CD are the client's; RA, Z
 * and AD are never set by an authoritative server. */
static void put_header(struct query *q, unsigned rcode, const struct answer *a)
{
    uint8_t *p = q->packet;

    p[FLAGS1] =
        (uint8_t)(BIT_QR | (p[FLAGS1] & (OPCODE | BIT_RD)) |
                  (a->is_authoritative ? BIT_AA : 0) | (a->is_truncated ? BIT_TC : 0));
    p[FLAGS2] = (uint8_t)((p[FLAGS2] & BIT_CD) | (rcode & 0x0f));
    put_u16(p + 4, q->question_end != 0);
    put_u16(p + 6, a->counts[0]);
    put_u16(p + 8, a->counts[1]);
    put_u16(p + 10, a->counts[2] + (q->edns.is_present ? 1u : 0u));
}

static size_t refuse(const struct query_ctx *ctx, struct query *q, unsigned rcode,
                     int extended_error)
{
    static const struct answer nothing = {0};
    size_t at = q->question_end != 0 ? q->question_end : HEADER;

    put_header(q, rcode, &nothing);
    count_rcode(ctx->stats, rcode);
    return at + edns_write(&q->edns, rcode >> 4, extended_error, q->packet + at);
}

/* QNAME: labels only, no pointers (RFC 1035 4.1.4 allows them, but there is nothing before
 * the first name that one could point to). */
static bool read_name(struct query *q, size_t *at)
{
    struct qname *n = &q->name;
    const uint8_t *p = q->packet;
    size_t len = 0;

    n->labels = 0;
    for (;;) {
        size_t pos = HEADER + len;
        unsigned label;

        if (pos >= q->len)
            return false;
        label = p[pos];
        n->starts[n->labels] = (uint8_t)len;
        if (label == 0)
            break;
        if (label > DNAME_LABEL_MAX || len + 1 + label >= DNAME_MAX ||
            q->len - pos <= 1 + label)
            return false;
        n->labels++;
        len += 1 + label;
    }
    n->len = (uint8_t)(len + 1);
    for (size_t i = 0; i < n->len; i++)
        n->lower[i] = ascii_lower(p[HEADER + i]);
    *at = HEADER + n->len;
    return true;
}

static bool read_question(struct query *q)
{
    size_t at;

    if (!read_name(q, &at) || q->len - at < 4)
        return false;
    q->type = (uint16_t)get_u16(q->packet + at);
    q->class = (uint16_t)get_u16(q->packet + at + 2);
    q->question_end = at + 4;
    return true;
}

/* Everything around the question. Returns the rcode that ends the work, or NOERROR. */
static unsigned read_query(struct query *q)
{
    const uint8_t *p = q->packet;
    struct span all = span_of(p, q->len);

    if ((p[FLAGS1] & OPCODE) != 0)
        return RCODE_NOTIMP;
    if (get_u16(p + 4) != 1 || !read_question(q))
        return RCODE_FORMERR; /* RFC 9619: exactly one question */
    if (get_u16(p + 6) != 0)
        return RCODE_FORMERR;
    if (get_u16(p + 8) != 0) /* IXFR brings a SOA along (RFC 1995 3) */
        return q->type == RR_IXFR ? RCODE_REFUSED : RCODE_FORMERR;
    if (!edns_read(all, q->question_end, get_u16(p + 10), &q->edns)) {
        memset(&q->edns, 0, sizeof(q->edns));
        return RCODE_FORMERR;
    }
    if (q->edns.version > 0)
        return RCODE_BADVERS;
    return q->edns.has_tsig ? RCODE_NOTAUTH : RCODE_NOERROR; /* no key is known here */
}

/* Question types that no zone can answer. */
static unsigned check_type(const struct query *q)
{
    switch (q->type) {
    case RR_OPT:
    case RR_TSIG:
    case RR_TKEY:
        return RCODE_FORMERR;
    case RR_MAILA:
    case RR_MAILB:
        return RCODE_NOTIMP;
    case RR_AXFR:
    case RR_IXFR:
        return RCODE_REFUSED; /* no transfers are offered */
    default:
        return q->class == RRCLASS_IN ? RCODE_NOERROR : RCODE_REFUSED;
    }
}

static const struct zone_live *find_zone(const struct query_ctx *ctx,
                                         const struct query *q)
{
    const struct zone_live *z = NULL;

    if (q->type == RR_DS) /* lives above the cut; only without the parent zone below it */
        z = zonetab_find(ctx->zones, &q->name, true);
    return z != NULL ? z : zonetab_find(ctx->zones, &q->name, false);
}

static void count_answer(struct stats *s, const struct answer *a)
{
    count_rcode(s, a->rcode);
    if (a->is_truncated)
        stats_add(s, STAT_TRUNCATED, 1);
    if (a->rcode == RCODE_NOERROR && a->counts[0] == 0)
        stats_add(s, a->is_authoritative ? STAT_NODATA : STAT_REFERRAL, 1);
}

static size_t answer_from(const struct query_ctx *ctx, struct query *q,
                          const struct zone_live *z)
{
    size_t room = q->limit - q->question_end - edns_room(&q->edns, EDE_NONE);
    struct answer a;
    size_t at;

    answer_write(&z->im, &q->name, q->type, q->packet + q->question_end, room, &a);
    at = q->question_end + a.len;
    put_header(q, a.rcode, &a);
    count_answer(ctx->stats, &a);
    return at + edns_write(&q->edns, 0, EDE_NONE, q->packet + at);
}

static size_t reply_limit(const struct query *q, size_t cap,
                          enum query_transport transport)
{
    if (transport == QUERY_TCP)
        return cap < QUERY_TCP_CAP ? cap : QUERY_TCP_CAP;
    if (!q->edns.is_present)
        return EDNS_PLAIN_MAX;
    return q->edns.payload < EDNS_PAYLOAD ? q->edns.payload : EDNS_PAYLOAD;
}

static bool is_dropped(const struct query_ctx *ctx, const uint8_t *packet, size_t len)
{
    if (len < HEADER) {
        stats_add(ctx->stats, STAT_DROP_SHORT, 1);
        return true;
    }
    if ((packet[FLAGS1] & BIT_QR) !=
        0) { /* answering a response makes two servers loop */
        stats_add(ctx->stats, STAT_DROP_RESPONSE, 1);
        return true;
    }
    return false;
}

size_t query_answer(const struct query_ctx *ctx, uint8_t *packet, size_t len, size_t cap,
                    enum query_transport transport)
{
    struct query q;
    const struct zone_live *z;
    unsigned rcode;

    assert(cap >= (transport == QUERY_UDP ? QUERY_UDP_CAP : QUERY_TCP_CAP));
    stats_add(ctx->stats, transport == QUERY_UDP ? STAT_UDP_QUERIES : STAT_TCP_QUERIES,
              1);
    if (is_dropped(ctx, packet, len))
        return 0;
    q.packet = packet;
    q.len = len;
    q.question_end = 0;
    memset(&q.edns, 0, sizeof(q.edns));
    rcode = read_query(&q);
    if (q.edns.is_present)
        stats_add(ctx->stats, STAT_EDNS, 1);
    if (q.edns.is_dnssec_ok)
        stats_add(ctx->stats, STAT_DNSSEC_OK, 1);
    if (rcode == RCODE_NOERROR)
        rcode = check_type(&q);
    if (rcode != RCODE_NOERROR)
        return refuse(ctx, &q, rcode, EDE_NONE);
    z = find_zone(ctx, &q);
    if (z == NULL)
        return refuse(ctx, &q, RCODE_REFUSED, EDE_NOT_AUTHORITATIVE);
    if (z->im.p == NULL)
        return refuse(ctx, &q, RCODE_SERVFAIL, EDE_NOT_READY);
    q.limit = reply_limit(&q, cap, transport);
    return answer_from(ctx, &q, z);
}
