/* SPDX-License-Identifier: ISC */
/* Over 500 lines because the three passes work on one struct and make sense only together.
 *
 * Design:
 *
 *   1. names:   owners in canonical order become nodes, with the empty non-terminals
 *               between them; what lies below a cut or a DNAME is left out.
 *   2. answers: for each node and each type it can answer, the server's whole work
 *               (RFC 1034 4.3.2) is done here, by `follow`: CNAME chains, wildcards,
 *               referrals, negative answers, glue. The result is one body and its counts.
 *   3. index:   hash slots, header, checksum.
 *
 * Answers that do not depend on the name (NODATA, NXDOMAIN) are made once for the apex and
 * shared: they hold for every name below it, by shifting pointers (zones/image.h). */
#include "zones/image_build.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/hash.h"
#include "base/core/mem.h"
#include "base/core/span.h"
#include "base/dns/rdata.h"
#include "zones/image.h"
#include "zones/image_body.h"

enum { CHAIN_MAX = 16, GLUE_MAX = 48, TYPE_NONE = 0 };

enum section { ANSWER, AUTHORITY, ADDITIONAL };

struct name_node {
    struct span name;
    size_t first, n_sets; /* its RRsets in the zone; n_sets 0: empty non-terminal */
    bool is_cut, is_dname;
    uint32_t wildcard;
};

struct build {
    const struct zone *z;
    struct name_node *nodes;
    size_t n, cap;
    struct image_body body;
    struct buf *out;
    struct err *err;
    const struct rrset *soa;
    uint32_t negative_ttl_s;
    uint32_t nodata_at;
    struct span seen[CHAIN_MAX]; /* names of the CNAME chain under way */
    size_t n_seen;
    unsigned rcode;
    unsigned flags;
    bool is_full; /* `out` reached its ceiling */
};

/* --- names --- */

static struct name_node *add_node(struct build *b, struct span name)
{
    struct name_node *n;

    if (b->n == b->cap) {
        b->cap = b->cap == 0 ? 64 : b->cap * 2;
        b->nodes = mem_resize(b->nodes, b->cap, sizeof(b->nodes[0]));
    }
    n = &b->nodes[b->n++];
    *n = (struct name_node){.name = name, .wildcard = IMAGE_NONE};
    return n;
}

/* Empty non-terminals between the newest common ancestor and `owner`, topmost first. */
static void add_ancestors(struct build *b, struct span owner)
{
    struct span missing[DNAME_LABELS];
    size_t n = 0;
    struct span last = b->nodes[b->n - 1].name;

    for (struct span up = dname_parent(owner); !dname_in(last, up); up = dname_parent(up))
        missing[n++] = up;
    while (n > 0)
        (void)add_node(b, missing[--n]);
}

/* The node's own RRset of this type, or NULL: no name has to be compared. */
static const struct rrset *set_of(const struct build *b, const struct name_node *n,
                                  uint16_t type)
{
    for (size_t i = 0; i < n->n_sets; i++) {
        const struct rrset *s = zone_at(b->z, n->first + i);

        if (s->type == type)
            return s;
    }
    return NULL;
}

static bool has_type(const struct build *b, const struct name_node *n, uint16_t type)
{
    return set_of(b, n, type) != NULL;
}

/* Data beside a CNAME (RFC 1034 3.6.2), NS at a wildcard (RFC 4592 4.2: undefined). */
static int check_node(const struct build *b, const struct name_node *n)
{
    char text[DNAME_TEXT];

    (void)dname_print(n->name, text);
    if (n->n_sets > 1 && has_type(b, n, RR_CNAME))
        return err_set(b->err, "%s has other records beside its CNAME", text);
    if (has_type(b, n, RR_CNAME) && set_of(b, n, RR_CNAME)->n > 1)
        return err_set(b->err, "%s has more than one CNAME", text);
    if (n->is_cut && dname_is_wildcard(n->name))
        return err_set(b->err, "%s: a wildcard cannot be a delegation", text);
    if (n->is_dname && set_of(b, n, RR_DNAME)->n > 1)
        return err_set(b->err, "%s has more than one DNAME", text);
    return 0;
}

static int collect_names(struct build *b)
{
    size_t n_sets = zone_count(b->z);
    struct span closed = {NULL, 0}; /* nothing below this name is served */

    (void)add_node(b, zone_apex(b->z));
    for (size_t i = 0; i < n_sets;) {
        struct span owner = zone_at(b->z, i)->owner;
        size_t first = i;
        struct name_node *n = &b->nodes[0];

        while (i < n_sets && dname_eq(zone_at(b->z, i)->owner, owner))
            i++;
        if (closed.n > 0 && dname_in(owner, closed))
            continue;
        if (!dname_eq(owner, n->name)) {
            add_ancestors(b, owner);
            n = add_node(b, owner);
        }
        n->first = first;
        n->n_sets = i - first;
        n->is_cut = n != &b->nodes[0] && has_type(b, n, RR_NS);
        n->is_dname = !n->is_cut && has_type(b, n, RR_DNAME);
        if (check_node(b, n) != 0)
            return -1;
        if (n->is_cut || n->is_dname)
            closed = owner;
    }
    return 0;
}

static int cmp_node(const void *key, const void *node)
{
    const struct span *name = key;

    return dname_cmp(*name, ((const struct name_node *)node)->name);
}

/* Nodes are in canonical order, because owners were and ancestors sort first. */
static struct name_node *find_node(const struct build *b, struct span name)
{
    return bsearch(&name, b->nodes, b->n, sizeof(b->nodes[0]), cmp_node);
}

static void link_wildcards(struct build *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (dname_is_wildcard(b->nodes[i].name) && i > 0)
            find_node(b, dname_parent(b->nodes[i].name))->wildcard = (uint32_t)i;
}

static struct name_node *closest_encloser(const struct build *b, struct span name)
{
    struct name_node *n;

    do
        name = dname_parent(name);
    while ((n = find_node(b, name)) == NULL);
    return n;
}

/* --- answers --- */

static void add_soa(struct build *b)
{
    image_body_add(&b->body, AUTHORITY, false, b->soa, b->soa->owner, b->negative_ttl_s);
}

/* Addresses of a host that this zone knows. Glue lies below cuts, so the zone is asked and
 * not the nodes. */
static void add_addresses(struct build *b, struct span host, bool is_optional)
{
    static const uint16_t types[] = {RR_A, RR_AAAA};

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        const struct rrset *s = zone_find(b->z, host, types[i]);

        if (s != NULL && b->body.n_parts < GLUE_MAX)
            image_body_add(&b->body, ADDITIONAL, is_optional, s, s->owner, s->ttl_s);
    }
}

static bool is_named_before(const struct rrset *set, size_t i, struct span host)
{
    for (size_t k = 0; k < i; k++) {
        struct span name;
        size_t at = 0;

        if (rdata_next_name(set->type, set->rr[k].rdata, &at, &name) &&
            dname_eq(name, host))
            return true;
    }
    return false;
}

static bool wants_addresses(uint16_t type)
{
    return type == RR_MX || type == RR_NS || type == RR_SRV || type == RR_SVCB ||
           type == RR_HTTPS;
}

/* Addresses of the hosts that `set` names (RFC 1035 3.3.9, RFC 2782, RFC 9460 4.1). */
static void add_additional(struct build *b, const struct rrset *set)
{
    for (size_t i = 0; wants_addresses(set->type) && i < set->n; i++) {
        struct span host;
        size_t at = 0;

        if (rdata_next_name(set->type, set->rr[i].rdata, &at, &host) &&
            find_node(b, host) != NULL && !is_named_before(set, i, host))
            add_addresses(b, host, true);
    }
}

/* NS of the cut, then glue. Glue below the cut is needed to follow the referral and sets TC
 * when it does not fit (RFC 9471 3.1); other addresses are a courtesy. */
static void add_referral(struct build *b, const struct name_node *cut)
{
    const struct rrset *ns = set_of(b, cut, RR_NS);

    image_body_add(&b->body, AUTHORITY, false, ns, ns->owner, ns->ttl_s);
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < ns->n; i++) {
            struct span host = ns->rr[i].rdata;

            if (dname_in(host, cut->name) == (pass == 0) && !is_named_before(ns, i, host))
                add_addresses(b, host, pass == 1);
        }
}

static bool was_seen(const struct build *b, struct span name)
{
    for (size_t i = 0; i < b->n_seen; i++)
        if (dname_eq(b->seen[i], name))
            return true;
    return false;
}

/* One step at `name`, which `node` (itself or a wildcard) answers for. Returns the name to
 * go on with, or the empty span at the end. */
static struct span answer_at_node(struct build *b, const struct name_node *node,
                                  struct span name, uint16_t type)
{
    const struct rrset *cname = set_of(b, node, RR_CNAME);
    const struct rrset *set = set_of(b, node, type);
    struct span none = {NULL, 0};
    struct span owner = b->n_seen == 0 ? none : name; /* the first owner is QNAME */

    if (cname != NULL && type != RR_CNAME) {
        image_body_add(&b->body, ANSWER, false, cname, owner, cname->ttl_s);
        b->flags |= IMAGE_AA;
        b->seen[b->n_seen++] = name;
        return cname->rr[0].rdata;
    }
    if (b->n_seen == 0)
        b->flags |= IMAGE_AA;
    if (set == NULL) {
        add_soa(b);
        return none;
    }
    image_body_add(&b->body, ANSWER, false, set, owner, set->ttl_s);
    add_additional(b, set);
    return none;
}

/* Answer for `name` and the names its CNAMEs lead to, inside this zone. */
static void follow(struct build *b, struct span name, uint16_t type)
{
    while (name.n > 0 && b->n_seen < CHAIN_MAX) {
        const struct name_node *node = find_node(b, name);
        const struct name_node *encloser;

        if (!dname_in(name, zone_apex(b->z)) || was_seen(b, name))
            return; /* the asker goes on elsewhere, or finds the loop himself */
        if (node != NULL && !(node->is_cut && type != RR_DS)) {
            name = answer_at_node(b, node, name, type);
            continue;
        }
        encloser = node != NULL ? node : closest_encloser(b, name);
        if (encloser->is_cut) {
            add_referral(b, encloser);
            return;
        }
        if (encloser->is_dname)
            return; /* a fresh question gets the renaming */
        if (encloser->wildcard != IMAGE_NONE) {
            name = answer_at_node(b, &b->nodes[encloser->wildcard], name, type);
            continue;
        }
        b->rcode = RCODE_NXDOMAIN;
        add_soa(b);
        return;
    }
}

static void align(struct build *b, size_t to)
{
    static const uint8_t zeros[8] = {0};
    size_t over = b->out->len % to;

    if (over != 0 && buf_append(b->out, zeros, to - over) != 0)
        b->is_full = true;
}

static uint32_t emit(struct build *b, const void *p, size_t n)
{
    size_t at = b->out->len;

    if (buf_append(b->out, p, n) != 0)
        b->is_full = true;
    return (uint32_t)at;
}

/* Write the finished body as an answer; IMAGE_NONE with *err when it is too large. */
static uint32_t emit_answer(struct build *b)
{
    const struct image_body *body = &b->body;
    struct image_answer a = {
        .counts = {body->counts[0], body->counts[1], body->counts[2]},
        .len = (uint16_t)body->octets.len,
        .n_relocs = body->n_relocs,
        .base_len = (uint8_t)body->base.n,
        .rcode = (uint8_t)b->rcode,
        .flags = (uint8_t)b->flags,
        .n_parts = body->n_parts,
    };
    char text[DNAME_TEXT];
    uint32_t at;

    align(b, 2);
    at = emit(b, &a, sizeof(a));
    (void)emit(b, body->parts, body->n_parts * sizeof(body->parts[0]));
    (void)emit(b, body->relocs, body->n_relocs * sizeof(body->relocs[0]));
    (void)emit(b, body->octets.data, body->octets.len);
    if (!body->is_full)
        return at;
    (void)dname_print(body->base, text);
    (void)err_set(b->err, "%s: an answer does not fit a DNS message", text);
    return IMAGE_NONE;
}

static void begin_answer(struct build *b, struct span base, enum image_base kind)
{
    image_body_begin(&b->body, base, kind);
    b->n_seen = 0;
    b->rcode = RCODE_NOERROR;
    b->flags = 0;
}

static uint32_t make_negative(struct build *b, unsigned rcode)
{
    begin_answer(b, zone_apex(b->z), IMAGE_BASE_ABOVE);
    b->rcode = rcode;
    b->flags = IMAGE_AA;
    add_soa(b);
    return emit_answer(b);
}

static uint32_t make_answer(struct build *b, const struct name_node *n, uint16_t type)
{
    begin_answer(b, n->name,
                 dname_is_wildcard(n->name) ? IMAGE_BASE_WILDCARD : IMAGE_BASE_EXACT);
    follow(b, n->name, type);
    return emit_answer(b);
}

static uint32_t make_referral(struct build *b, const struct name_node *cut)
{
    begin_answer(b, cut->name, IMAGE_BASE_ABOVE);
    add_referral(b, cut);
    return emit_answer(b);
}

/* --- the type list of a node --- */

struct type_list {
    struct image_type t[4096];
    size_t n;
};

static int add_type(struct build *b, struct type_list *l, uint16_t type, uint32_t at)
{
    if (at == IMAGE_NONE)
        return -1;
    if (l->n == COUNT_OF(l->t))
        return err_set(b->err, "a name has more than %zu types", COUNT_OF(l->t) - 1);
    l->t[l->n++] = (struct image_type){.type = type, .answer_at = at};
    return 0;
}

/* The node at the end of the CNAME chain that starts at `n`, or NULL when the chain leaves
 * the zone, loops or ends at nothing. */
static const struct name_node *chain_end(const struct build *b, const struct name_node *n)
{
    for (int i = 0; i < CHAIN_MAX; i++) {
        const struct rrset *cname = set_of(b, n, RR_CNAME);
        struct span target;

        if (cname == NULL)
            return n;
        target = cname->rr[0].rdata;
        if (!dname_in(target, zone_apex(b->z)))
            return NULL;
        n = find_node(b, target);
        if (n == NULL) {
            const struct name_node *encloser = closest_encloser(b, target);

            if (encloser->is_cut || encloser->is_dname ||
                encloser->wildcard == IMAGE_NONE)
                return NULL;
            n = &b->nodes[encloser->wildcard];
        }
    }
    return NULL;
}

static int list_cname(struct build *b, const struct name_node *n, struct type_list *l)
{
    const struct name_node *end = chain_end(b, n);

    for (size_t i = 0; end != NULL && !end->is_cut && i < end->n_sets; i++) {
        uint16_t type = zone_at(b->z, end->first + i)->type;

        if (type != RR_CNAME && add_type(b, l, type, make_answer(b, n, type)) != 0)
            return -1;
    }
    if (end != NULL && end->is_cut && has_type(b, end, RR_DS) &&
        add_type(b, l, RR_DS, make_answer(b, n, RR_DS)) != 0)
        return -1;
    return add_type(b, l, RR_CNAME, make_answer(b, n, RR_CNAME));
}

static int list_types(struct build *b, const struct name_node *n, struct type_list *l)
{
    if (n->is_cut)
        return add_type(b, l, RR_DS,
                        has_type(b, n, RR_DS) ? make_answer(b, n, RR_DS) : b->nodata_at);
    if (has_type(b, n, RR_CNAME))
        return list_cname(b, n, l);
    for (size_t i = 0; i < n->n_sets; i++) {
        uint16_t type = zone_at(b->z, n->first + i)->type;

        if (add_type(b, l, type, make_answer(b, n, type)) != 0)
            return -1;
    }
    return 0;
}

static uint16_t answer_len(const struct build *b, uint32_t at)
{
    struct image_answer a;

    if (b->is_full) /* then `at` may not be there */
        return 0;
    memcpy(&a, b->out->data + at, sizeof(a));
    return a.len;
}

/* ANY gets one RRset, the smallest there is (RFC 8482 4.1); a CNAME gives itself. */
static int list_any(struct build *b, const struct name_node *n, struct type_list *l)
{
    bool is_cname = has_type(b, n, RR_CNAME);
    uint32_t best = IMAGE_NONE;

    for (size_t i = 0; i < l->n; i++) {
        uint32_t at = l->t[i].answer_at;

        if (is_cname && l->t[i].type != RR_CNAME)
            continue;
        if (best == IMAGE_NONE || answer_len(b, at) < answer_len(b, best))
            best = at;
    }
    return best == IMAGE_NONE || n->is_cut ? 0 : add_type(b, l, RR_ANY, best);
}

static uint32_t make_other(struct build *b, const struct name_node *n)
{
    if (n->is_cut)
        return make_referral(b, n);
    return has_type(b, n, RR_CNAME) ? make_answer(b, n, TYPE_NONE) : b->nodata_at;
}

static int build_node(struct build *b, size_t i, struct type_list *l)
{
    const struct name_node *n = &b->nodes[i];
    size_t at = sizeof(struct image_header) + i * sizeof(struct image_node);
    struct image_node made = {
        .wildcard = n->wildcard,
        .flags =
            (uint16_t)((n->is_cut ? IMAGE_CUT : 0) | (n->is_dname ? IMAGE_DNAME : 0)),
        .name_len = (uint8_t)n->name.n,
        .labels = (uint8_t)dname_labels(n->name),
    };

    l->n = 0;
    if (list_types(b, n, l) != 0 || list_any(b, n, l) != 0)
        return -1;
    made.n_types = (uint16_t)l->n;
    made.other_at = make_other(b, n);
    if (made.other_at == IMAGE_NONE)
        return -1;
    made.name_at = emit(b, n->name.p, n->name.n);
    align(b, 4);
    made.types_at = emit(b, l->t, l->n * sizeof(l->t[0]));
    memcpy(b->out->data + at, &made, sizeof(made));
    return 0;
}

/* --- the image --- */

static void fill_slots(struct build *b, const struct image_header *h)
{
    for (size_t i = 0; i < b->n; i++) {
        uint32_t at = (uint32_t)siphash13(h->hash_key, b->nodes[i].name) & h->slot_mask;
        uint32_t number;

        for (;; at = (at + 1) & h->slot_mask) {
            memcpy(&number, b->out->data + h->slots_at + at * sizeof(number),
                   sizeof(number));
            if (number == 0)
                break;
        }
        number = (uint32_t)i + 1;
        memcpy(b->out->data + h->slots_at + at * sizeof(number), &number, sizeof(number));
    }
}

/* Room for header, nodes and slots in front; at most half of the slots are used. */
static int reserve_index(struct build *b, struct image_header *h)
{
    size_t slots = 4;
    size_t n;

    while (slots < 2 * b->n)
        slots *= 2;
    h->n_nodes = (uint32_t)b->n;
    h->nodes_at = sizeof(*h);
    h->slots_at = (uint32_t)(sizeof(*h) + b->n * sizeof(struct image_node));
    h->slot_mask = (uint32_t)(slots - 1);
    n = h->slots_at + slots * sizeof(uint32_t);
    if (buf_reserve(b->out, n) != 0)
        return err_set(b->err, "the zone has too many names (%zu)", b->n);
    memset(b->out->data, 0, n);
    b->out->len = n;
    return 0;
}

static int build_all(struct build *b, struct image_header *h, struct type_list *l)
{
    if (collect_names(b) != 0)
        return -1;
    link_wildcards(b);
    if (reserve_index(b, h) != 0)
        return -1;
    b->nodata_at = make_negative(b, RCODE_NOERROR);
    h->nxdomain_at = make_negative(b, RCODE_NXDOMAIN);
    if (b->nodata_at == IMAGE_NONE || h->nxdomain_at == IMAGE_NONE)
        return -1;
    for (size_t i = 0; i < b->n; i++)
        if (build_node(b, i, l) != 0)
            return -1;
    align(b, 8);
    if (b->is_full)
        return err_set(b->err, "the compiled zone is too large");
    fill_slots(b, h);
    h->size = (uint32_t)b->out->len;
    memcpy(b->out->data, h, sizeof(*h));
    h->crc = crc32c(0, span_drop(buf_all(b->out),
                                 offsetof(struct image_header, crc) + sizeof(h->crc)));
    memcpy(b->out->data, h, sizeof(*h));
    return 0;
}

int image_build(const struct zone *z, const uint64_t hash_key[2], struct buf *out,
                struct err *err)
{
    struct image_header h = {.magic = IMAGE_MAGIC,
                             .version = IMAGE_VERSION,
                             .hash_key = {hash_key[0], hash_key[1]},
                             .soa_serial = zone_serial(z),
                             .records = (uint32_t)zone_records(z)};
    struct build b = {.z = z, .out = out, .err = err};
    struct type_list *list = NULL;
    struct rdata_soa soa;
    int rc = -1;

    assert(out->len == 0);
    b.soa = zone_find(z, zone_apex(z), RR_SOA);
    if (b.soa == NULL || b.soa->n != 1 || !rdata_get_soa(b.soa->rr[0].rdata, &soa))
        return err_set(err, "the zone needs exactly one SOA at its apex");
    b.negative_ttl_s = soa.minimum_s < b.soa->ttl_s ? soa.minimum_s : b.soa->ttl_s;
    list = mem_new(1, sizeof(*list));
    image_body_init(&b.body);
    rc = build_all(&b, &h, list);
    image_body_free(&b.body);
    free(list);
    free(b.nodes);
    if (rc != 0)
        buf_reset(out);
    return rc;
}
