/* SPDX-License-Identifier: ISC */
/* Design: image_open() is the border between octets that came from elsewhere and code that
 * trusts them. What it has let through has these properties, on which the readers rely:
 *
 * 1. every offset leads to a whole object inside the image, aligned as C wants it;
 * 2. names are valid, lower case, at or below the apex; node 0 is the apex; image_find()
 *    of a node's name gives that node, and there is an empty slot, so a search ends;
 * 3. base_len of an answer is not larger than the name of any node that leads to it, so
 *    the shift of pointers is never negative; pointers named by relocs are pointers and
 *    stay below 2^14 when raised by the longest possible name;
 * 4. parts are in order of sections and cover the body exactly; counts agree with them. */
#include "zones/image.h"

#include <string.h>

#include "base/core/hash.h"
#include "base/dns/dname.h"
#include "base/dns/rrtype.h"

enum { QUESTION_AT = 12, POINTER = 0xc000, POINTER_MAX = 0x3fff };

/* --- reading --- */

uint32_t image_find(const struct image *im, struct span lower_name)
{
    uint32_t mask = im->head->slot_mask;
    uint64_t h = siphash13(im->head->hash_key, lower_name);

    for (uint32_t at = (uint32_t)h & mask;; at = (at + 1) & mask) {
        uint32_t number = im->slots[at];
        const struct image_node *n;

        if (number == 0)
            return IMAGE_NONE;
        n = &im->nodes[number - 1];
        if (n->name_len == lower_name.n &&
            memcmp(im->p + n->name_at, lower_name.p, lower_name.n) == 0)
            return number - 1;
    }
}

const struct image_answer *image_pick(const struct image *im, const struct image_node *n,
                                      uint16_t type)
{
    const struct image_type *t =
        (const struct image_type *)(const void *)(im->p + n->types_at);

    for (uint16_t i = 0; i < n->n_types; i++)
        if (t[i].type == type)
            return image_answer_at(im, t[i].answer_at);
    return image_answer_at(im, n->other_at);
}

/* --- checking --- */

static bool fits(uint32_t size, uint32_t at, uint64_t n, unsigned align)
{
    return at % align == 0 && at <= size && n <= size - at;
}

static bool check_parts(const struct image_answer *a)
{
    const struct image_part *parts = image_parts(a);
    unsigned counts[3] = {0, 0, 0};
    unsigned end = 0;
    unsigned section = 0;

    for (unsigned i = 0; i < a->n_parts; i++) {
        if (parts[i].section > 2 || parts[i].section < section || parts[i].end <= end)
            return false;
        section = parts[i].section;
        end = parts[i].end;
        counts[section] += parts[i].count;
    }
    return end == a->len && counts[0] == a->counts[0] && counts[1] == a->counts[1] &&
           counts[2] == a->counts[2];
}

static bool check_relocs(const struct image_answer *a)
{
    const uint16_t *relocs = image_relocs(a);
    const uint8_t *body = image_body(a);

    for (unsigned i = 0; i < a->n_relocs; i++) {
        unsigned pointer;

        if (a->len < 2 || relocs[i] > a->len - 2)
            return false;
        pointer = (unsigned)(body[relocs[i]] << 8 | body[relocs[i] + 1]);
        if ((pointer & POINTER) != POINTER || (pointer & POINTER_MAX) < QUESTION_AT ||
            (pointer & POINTER_MAX) > POINTER_MAX - DNAME_MAX)
            return false;
    }
    return true;
}

static bool check_answer(const struct image *im, uint32_t at, uint8_t name_len)
{
    uint32_t size = im->head->size;
    const struct image_answer *a;
    uint64_t n;

    if (!fits(size, at, sizeof(*a), 2))
        return false;
    a = image_answer_at(im, at);
    n = sizeof(*a) + a->n_parts * sizeof(struct image_part) +
        a->n_relocs * sizeof(uint16_t) + a->len;
    return fits(size, at, n, 2) && a->len <= IMAGE_BODY_MAX && a->base_len <= name_len &&
           a->rcode <= 15 && check_parts(a) && check_relocs(a);
}

static bool check_name(const struct image *im, const struct image_node *n)
{
    struct span name;

    if (!fits(im->head->size, n->name_at, n->name_len, 1))
        return false;
    name = image_node_name(im, n);
    if (name.n == 0 || dname_check(name) != name.n || dname_labels(name) != n->labels)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (ascii_lower(name.p[i]) != name.p[i])
            return false;
    return true;
}

/* The record that dnsd turns into a CNAME: one DNAME, owned by this very name. */
static bool check_dname(const struct image *im, const struct image_node *n)
{
    const struct image_answer *a = image_pick(im, n, RR_DNAME);
    struct span body = span_of(image_body(a), a->len);
    struct span target = span_drop(body, IMAGE_DNAME_NAME);

    return a->counts[0] == 1 && a->base_len == n->name_len && target.n > 0 &&
           (body.p[0] << 8 | body.p[1]) == (POINTER | QUESTION_AT) &&
           dname_check(target) == target.n;
}

static bool check_node(const struct image *im, uint32_t number)
{
    const struct image_node *n = &im->nodes[number];
    const struct image_type *t;

    if (!dname_in(image_node_name(im, n), image_apex(im)) ||
        image_find(im, image_node_name(im, n)) != number)
        return false;
    if (n->wildcard != IMAGE_NONE && n->wildcard >= im->head->n_nodes)
        return false;
    if (!fits(im->head->size, n->types_at, n->n_types * sizeof(*t), 4) ||
        !check_answer(im, n->other_at, n->name_len))
        return false;
    t = (const struct image_type *)(const void *)(im->p + n->types_at);
    for (uint16_t i = 0; i < n->n_types; i++)
        if (!check_answer(im, t[i].answer_at, n->name_len))
            return false;
    return (n->flags & IMAGE_DNAME) == 0 || check_dname(im, n);
}

/* Before anything is looked up by name. */
static bool check_names(const struct image *im)
{
    for (uint32_t i = 0; i < im->head->n_nodes; i++)
        if (!check_name(im, &im->nodes[i]))
            return false;
    return true;
}

/* A search ends when one slot is empty; each slot must name a node. */
static bool check_slots(const struct image *im)
{
    bool has_empty = false;

    for (uint64_t i = 0; i <= im->head->slot_mask; i++) {
        if (im->slots[i] > im->head->n_nodes)
            return false;
        has_empty |= im->slots[i] == 0;
    }
    return has_empty;
}

static bool check_wildcards(const struct image *im)
{
    for (uint32_t i = 0; i < im->head->n_nodes; i++) {
        const struct image_node *n = &im->nodes[i];
        const struct image_node *w;

        if (n->wildcard == IMAGE_NONE)
            continue;
        w = &im->nodes[n->wildcard];
        if (!dname_is_wildcard(image_node_name(im, w)) ||
            !span_eq(dname_parent(image_node_name(im, w)), image_node_name(im, n)))
            return false;
    }
    return true;
}

static bool check_head(struct span octets)
{
    const struct image_header *h = (const struct image_header *)(const void *)octets.p;
    uint64_t n_slots;

    if (h->size != octets.n || h->n_nodes == 0)
        return false;
    n_slots = (uint64_t)h->slot_mask + 1;
    return (n_slots & (n_slots - 1)) == 0 &&
           fits(h->size, h->nodes_at, (uint64_t)h->n_nodes * sizeof(struct image_node),
                4) &&
           fits(h->size, h->slots_at, n_slots * sizeof(uint32_t), 4);
}

int image_open(struct span octets, struct image *im, struct err *err)
{
    const struct image_header *h = (const struct image_header *)(const void *)octets.p;
    size_t covered = offsetof(struct image_header, crc) + sizeof(h->crc);

    if (octets.n < sizeof(*h) || octets.n > IMAGE_SIZE_MAX ||
        (uintptr_t)octets.p % 8 != 0)
        return err_set(err, "zone image: %zu octets cannot be one", octets.n);
    if (h->magic != IMAGE_MAGIC || h->version != IMAGE_VERSION || h->reserved != 0)
        return err_set(err,
                       "zone image: not made by this program (magic %08x, version %u)",
                       h->magic, h->version);
    if (!check_head(octets))
        return err_set(err, "zone image: the header does not fit %zu octets", octets.n);
    if (h->crc != crc32c(0, span_drop(octets, covered)))
        return err_set(err, "zone image: checksum mismatch");
    im->p = octets.p;
    im->head = h;
    im->nodes = (const struct image_node *)(const void *)(octets.p + h->nodes_at);
    im->slots = (const uint32_t *)(const void *)(octets.p + h->slots_at);
    if (!check_slots(im) || !check_names(im))
        return err_set(err, "zone image: damaged index");
    for (uint32_t i = 0; i < h->n_nodes; i++)
        if (!check_node(im, i))
            return err_set(err, "zone image: damaged node %u", i);
    if (!check_wildcards(im) || !check_answer(im, h->nxdomain_at, im->nodes[0].name_len))
        return err_set(err, "zone image: damaged answers");
    return 0;
}
