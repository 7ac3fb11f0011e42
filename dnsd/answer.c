/* SPDX-License-Identifier: ISC */
/* Design: find the node that speaks for QNAME (itself, a delegation above it, a DNAME above
 * it, a wildcard), take its precompiled answer, copy it, raise its pointers.
 *
 *   QNAME is a node ------------------------> its answer for the type
 *   else closest encloser: delegation ------> the referral
 *                          DNAME -----------> DNAME and a CNAME made here
 *                          has a wildcard --> the wildcard's answer
 *                          nothing ---------> NXDOMAIN
 *
 * Because every ancestor of a node is a node, the closest encloser is searched by halves
 * over the number of labels: 7 look-ups for the deepest name. */
#include "dnsd/answer.h"

#include <string.h>

#include "base/dns/rrtype.h"

enum { QUESTION_AT = 12, POINTER = 0xc000, CNAME_FIXED = 12 };

static const struct image_node *closest_encloser(const struct image *im,
                                                 const struct qname *q)
{
    unsigned known = im->nodes[0].labels; /* exists */
    unsigned missing = q->labels;         /* does not */
    const struct image_node *best = &im->nodes[0];

    while (missing - known > 1) {
        unsigned mid = known + (missing - known) / 2;
        uint32_t number = image_find(im, qname_suffix(q, mid));

        if (number == IMAGE_NONE) {
            missing = mid;
        } else {
            known = mid;
            best = &im->nodes[number];
        }
    }
    return best;
}

static void raise_pointers(const struct image_answer *a, uint8_t *body, size_t len,
                           unsigned by)
{
    const uint16_t *relocs = image_relocs(a);

    for (unsigned i = 0; i < a->n_relocs && relocs[i] < len; i++) {
        unsigned pointer = (unsigned)(body[relocs[i]] << 8 | body[relocs[i] + 1]) + by;

        body[relocs[i]] = (uint8_t)(pointer >> 8 & 0xff);
        body[relocs[i] + 1] = (uint8_t)(pointer & 0xff);
    }
}

/* Too long: keep the RRsets that fit. A missing one sets TC unless it was a courtesy. */
static void cut(const struct image_answer *from, size_t room, struct answer *a)
{
    const struct image_part *parts = image_parts(from);

    a->len = 0;
    memset(a->counts, 0, sizeof(a->counts));
    for (unsigned i = 0; i < from->n_parts; i++) {
        if (parts[i].end > room) {
            a->is_truncated = !parts[i].is_optional;
            return;
        }
        a->len = parts[i].end;
        a->counts[parts[i].section] =
            (uint16_t)(a->counts[parts[i].section] + parts[i].count);
    }
}

static void copy(const struct image_answer *from, const struct qname *q, uint8_t *out,
                 size_t room, struct answer *a)
{
    a->rcode = from->rcode;
    a->is_authoritative = (from->flags & IMAGE_AA) != 0;
    a->is_truncated = false;
    a->len = from->len;
    memcpy(a->counts, from->counts, sizeof(a->counts));
    if (from->len > room)
        cut(from, room, a);
    memcpy(out, image_body(from), a->len);
    if (q->len != from->base_len)
        raise_pointers(from, out, a->len, (unsigned)(q->len - from->base_len));
}

/* The CNAME that a DNAME stands for (RFC 6672 3.1): QNAME with its end exchanged. The next
 * step, at the new name, is the asker's: he has to look it up himself in any case when the
 * name is elsewhere. False when the new name would be too long. */
static bool put_cname(const struct qname *q, const struct image_node *owner,
                      struct span target, const uint8_t *ttl, uint8_t *out, size_t *len)
{
    size_t kept = (size_t)(q->len - owner->name_len);
    size_t n = kept + target.n;
    const uint8_t head[CNAME_FIXED] = {POINTER >> 8,
                                       QUESTION_AT,
                                       0,
                                       RR_CNAME,
                                       0,
                                       RRCLASS_IN,
                                       ttl[0],
                                       ttl[1],
                                       ttl[2],
                                       ttl[3],
                                       (uint8_t)(n >> 8 & 0xff),
                                       (uint8_t)(n & 0xff)};

    if (n > DNAME_MAX)
        return false;
    memcpy(out, head, sizeof(head));
    memcpy(out + sizeof(head), q->lower, kept);
    memcpy(out + sizeof(head) + kept, target.p, target.n);
    *len = sizeof(head) + n;
    return true;
}

static void rename_by_dname(const struct image *im, const struct image_node *owner,
                            const struct qname *q, uint8_t *out, size_t room,
                            struct answer *a)
{
    const struct image_answer *from = image_pick(im, owner, RR_DNAME);
    struct span target =
        span_drop(span_of(image_body(from), from->len), IMAGE_DNAME_NAME);
    unsigned owner_at = QUESTION_AT + (unsigned)(q->len - owner->name_len);
    uint8_t cname[CNAME_FIXED + DNAME_MAX];
    size_t n;

    copy(from, q, out, room, a);
    if (a->is_truncated)
        return;
    out[0] = (uint8_t)((POINTER | owner_at) >> 8 & 0xff);
    out[1] = (uint8_t)(owner_at & 0xff);
    if (!put_cname(q, owner, target, out + 6, cname, &n)) {
        a->rcode = RCODE_YXDOMAIN;
        return;
    }
    if (n > room - a->len) {
        a->is_truncated = true;
        return;
    }
    memcpy(out + a->len, cname, n);
    a->len += n;
    a->counts[0]++;
}

void answer_write(const struct image *im, const struct qname *q, uint16_t type,
                  uint8_t *out, size_t room, struct answer *a)
{
    uint32_t number = image_find(im, span_of(q->lower, q->len));
    const struct image_node *n;

    if (number != IMAGE_NONE) {
        copy(image_pick(im, &im->nodes[number], type), q, out, room, a);
        return;
    }
    n = closest_encloser(im, q);
    if ((n->flags & IMAGE_CUT) != 0)
        copy(image_answer_at(im, n->other_at), q, out, room, a);
    else if ((n->flags & IMAGE_DNAME) != 0)
        rename_by_dname(im, n, q, out, room, a);
    else if (n->wildcard != IMAGE_NONE)
        copy(image_pick(im, &im->nodes[n->wildcard], type), q, out, room, a);
    else
        copy(image_answer_at(im, im->head->nxdomain_at), q, out, room, a);
}
