/* SPDX-License-Identifier: ISC */
#include "maild/queue/jrec.h"

#include <string.h>

#define FLAG_IN_BLOB 1u

static void put_octets(struct wr *w, struct span s)
{
    if (s.n > UINT32_MAX)
        w->is_bad = true;
    wr_le32(w, (uint32_t)s.n);
    wr_bytes(w, s);
}

static struct span take_octets(struct rd *r)
{
    uint32_t n = rd_le32(r);

    return rd_bytes(r, n);
}

static void take_id(struct rd *r, struct msgid *id)
{
    struct span s = rd_bytes(r, MSGID_OCTETS);

    memset(id, 0, sizeof(*id));
    if (s.n == MSGID_OCTETS)
        memcpy(id->b, s.p, MSGID_OCTETS);
}

int jrec_accept_encode(const struct jrec_accept *a, struct buf *out)
{
    struct wr w;

    wr_init(&w, out);
    wr_u8(&w, a->is_in_blob ? FLAG_IN_BLOB : 0);
    wr_le64(&w, a->offset);
    wr_le64(&w, a->size);
    put_octets(&w, a->envelope);
    put_octets(&w, a->facts);
    put_octets(&w, a->reported);
    return w.is_bad ? -1 : 0;
}

bool jrec_accept_decode(struct span payload, struct jrec_accept *a)
{
    struct rd r;

    rd_init(&r, payload);
    a->is_in_blob = (rd_u8(&r) & FLAG_IN_BLOB) != 0;
    a->offset = rd_le64(&r);
    a->size = rd_le64(&r);
    a->envelope = take_octets(&r);
    a->facts = take_octets(&r);
    a->reported = take_octets(&r);
    a->message = rd_bytes(&r, rd_left(&r));
    return !r.is_bad;
}

int jrec_reported_begin(struct buf *out, const struct msgid *about)
{
    return buf_append(out, about->b, MSGID_OCTETS);
}

int jrec_reported_add(struct buf *out, uint32_t number)
{
    struct wr w;

    wr_init(&w, out);
    wr_le32(&w, number);
    return w.is_bad ? -1 : 0;
}

bool jrec_reported_open(struct span reported, struct msgid *about, struct rd *r)
{
    rd_init(r, reported);
    take_id(r, about);
    return !r->is_bad && rd_left(r) % 4 == 0;
}

int jrec_result_encode(const struct msgid *id, const struct jrec_result *v, size_t n,
                       struct buf *out)
{
    struct wr w;

    wr_init(&w, out);
    wr_bytes(&w, span_of(id->b, MSGID_OCTETS));
    wr_le32(&w, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        wr_le32(&w, v[i].number);
        wr_u8(&w, v[i].state);
        wr_u8(&w, v[i].outcome);
        wr_le32(&w, v[i].attempts);
        wr_u8(&w, v[i].is_expired);
        wr_le64(&w, (uint64_t)v[i].next_try_s);
        wr_le64(&w, (uint64_t)v[i].last_s);
        put_octets(&w, v[i].reason);
        put_octets(&w, v[i].host);
    }
    return w.is_bad ? -1 : 0;
}

bool jrec_result_open(struct span payload, struct msgid *id, uint32_t *n, struct rd *r)
{
    rd_init(r, payload);
    take_id(r, id);
    *n = rd_le32(r);
    return !r->is_bad;
}

bool jrec_result_next(struct rd *r, struct jrec_result *v)
{
    v->number = rd_le32(r);
    v->state = rd_u8(r);
    v->outcome = rd_u8(r);
    v->attempts = rd_le32(r);
    v->is_expired = rd_u8(r) != 0;
    v->next_try_s = (int64_t)rd_le64(r);
    v->last_s = (int64_t)rd_le64(r);
    v->reason = take_octets(r);
    v->host = take_octets(r);
    return !r->is_bad;
}
