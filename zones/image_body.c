/* SPDX-License-Identifier: ISC */
/* Design: offsets are those of the finished message: question at 12, QNAME taken to be
 * `base`, body behind it. A name is written as its longest suffix known so far, by pointer,
 * with the labels in front of it spelled out; each spelled label becomes a new target.
 *
 * Which pointers depend on the real length of QNAME? All that lead behind QNAME's first
 * octet: into its labels (the suffix moves right when QNAME is longer) and into the body.
 * The one exception is the owner of a positive answer: it is QNAME, at 12, always. */
#include "zones/image_body.h"

#include "base/dns/dname.h"
#include "base/dns/rdata.h"

enum { QUESTION_AT = 12, QUESTION_FIXED = 4, POINTER = 0xc000, POINTER_MAX = 0x3fff };

void image_body_init(struct image_body *b)
{
    buf_init(&b->octets, IMAGE_BODY_MAX);
}

void image_body_free(struct image_body *b)
{
    buf_free(&b->octets);
}

static void add_target(struct image_body *b, struct span name, size_t at)
{
    if (b->n_targets == IMAGE_TARGETS || at > POINTER_MAX - DNAME_MAX || name.n <= 1)
        return;
    b->targets[b->n_targets++] = (struct image_target){name, (uint16_t)at};
}

void image_body_begin(struct image_body *b, struct span base, enum image_base kind)
{
    struct span suffix = base;

    buf_reset(&b->octets);
    b->base = base;
    b->is_fixed = kind == IMAGE_BASE_EXACT;
    b->is_full = false;
    b->n_targets = 0;
    b->n_parts = 0;
    b->n_relocs = 0;
    for (int i = 0; i < 3; i++)
        b->counts[i] = 0;
    if (kind == IMAGE_BASE_WILDCARD)
        suffix = dname_parent(base); /* QNAME need not be "*..." */
    for (; suffix.n > 1; suffix = dname_parent(suffix))
        add_target(b, suffix, QUESTION_AT + (base.n - suffix.n));
}

/* Where the next octet of the body will stand in the message. */
static size_t message_at(const struct image_body *b)
{
    return QUESTION_AT + b->base.n + QUESTION_FIXED + b->octets.len;
}

static void put(struct image_body *b, const void *p, size_t n)
{
    if (buf_append(&b->octets, p, n) != 0)
        b->is_full = true;
}

static void put_u16(struct image_body *b, unsigned v)
{
    uint8_t octets[2] = {(uint8_t)(v >> 8 & 0xff), (uint8_t)(v & 0xff)};

    put(b, octets, 2);
}

static void put_pointer(struct image_body *b, unsigned to)
{
    if (!b->is_fixed) {
        if (b->n_relocs == IMAGE_RELOCS) {
            b->is_full = true;
            return;
        }
        b->relocs[b->n_relocs++] = (uint16_t)b->octets.len;
    }
    put_u16(b, POINTER | to);
}

static const struct image_target *find_target(const struct image_body *b,
                                              struct span name)
{
    for (size_t i = 0; i < b->n_targets; i++)
        if (b->targets[i].name.n == name.n && dname_eq(b->targets[i].name, name))
            return &b->targets[i];
    return NULL;
}

static void put_name(struct image_body *b, struct span name)
{
    while (name.p[0] != 0) {
        const struct image_target *t = find_target(b, name);

        if (t != NULL) {
            put_pointer(b, t->at);
            return;
        }
        add_target(b, name, message_at(b));
        put(b, name.p, 1u + name.p[0]);
        name = dname_parent(name);
    }
    put(b, name.p, 1);
}

/* Names of RFC 1035 types only may be compressed (RFC 3597 4). */
static void put_rdata(struct image_body *b, uint16_t type, struct span rdata)
{
    const struct rrtype *t = rrtype_find(type);
    bool is_compressible = false;
    size_t len_at = b->octets.len;
    size_t done = 0;
    size_t at = 0;
    size_t n;
    struct span name;

    put_u16(b, 0);
    for (size_t i = 0; t != NULL && i < RRTYPE_FIELDS; i++)
        is_compressible |= t->fields[i] == RF_NAME;
    while (is_compressible && rdata_next_name(type, rdata, &at, &name)) {
        put(b, rdata.p + done, at - name.n - done);
        put_name(b, name);
        done = at;
    }
    put(b, rdata.p + done, rdata.n - done);
    if (b->is_full)
        return;
    n = b->octets.len - len_at - 2;
    b->octets.data[len_at] = (uint8_t)(n >> 8 & 0xff);
    b->octets.data[len_at + 1] = (uint8_t)(n & 0xff);
}

static void put_records(struct image_body *b, const struct rrset *set, struct span owner,
                        uint32_t ttl_s)
{
    for (size_t i = 0; i < set->n && !b->is_full; i++) {
        if (owner.n == 0)
            put_u16(b, POINTER | QUESTION_AT);
        else
            put_name(b, owner);
        put_u16(b, set->type);
        put_u16(b, RRCLASS_IN);
        put_u16(b, ttl_s >> 16);
        put_u16(b, ttl_s & 0xffff);
        put_rdata(b, set->type, set->rr[i].rdata);
    }
}

void image_body_add(struct image_body *b, unsigned section, bool is_optional,
                    const struct rrset *set, struct span owner, uint32_t ttl_s)
{
    size_t len = b->octets.len;
    size_t n_targets = b->n_targets;
    uint16_t n_relocs = b->n_relocs;

    if (b->is_full)
        return;
    if (b->n_parts == IMAGE_PARTS)
        b->is_full = true;
    else
        put_records(b, set, owner, ttl_s);
    if (b->is_full) { /* take the half-written RRset back */
        buf_truncate(&b->octets, len);
        b->n_targets = n_targets;
        b->n_relocs = n_relocs;
        b->is_full = !is_optional;
        return;
    }
    b->counts[section] = (uint16_t)(b->counts[section] + set->n);
    b->parts[b->n_parts++] = (struct image_part){.end = (uint16_t)b->octets.len,
                                                 .count = (uint16_t)set->n,
                                                 .section = (uint8_t)section,
                                                 .is_optional = is_optional};
}
