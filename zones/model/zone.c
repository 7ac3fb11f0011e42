/* SPDX-License-Identifier: ISC */
/* Design: one array of pointers to RRsets, always sorted by (canonical owner, type), so
 * that look-up is a search by halves, a walk is canonical order, and a diff is a merge.
 * Adding in order costs nothing but a compare with the last; adding elsewhere moves pointers.
 *
 * 1. No two RRsets have the same owner and type; no RRset is empty.
 * 2. Everything an RRset points to lives in the zone's arena. Arrays that had to grow leave
 *    their old copy behind in it; a zone is built once and thrown away whole. */
#include "zones/model/zone.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/arena.h"
#include "base/core/mem.h"
#include "base/dns/rdata.h"

struct zone {
    struct arena *arena;
    struct dname apex;
    struct rrset **sets;
    size_t n, cap;
};

struct zone *zone_new(struct span apex, size_t max_octets)
{
    struct zone *z = mem_new(1, sizeof(*z));
    bool is_name = dname_set(&z->apex, apex);

    assert(is_name);
    dname_lower(&z->apex);
    z->arena = arena_new(max_octets != 0 ? max_octets : ZONE_OCTETS_MAX);
    return z;
}

void zone_free(struct zone **z)
{
    if (*z == NULL)
        return;
    arena_free(&(*z)->arena);
    free((*z)->sets);
    free(*z);
    *z = NULL;
}

struct span zone_apex(const struct zone *z)
{
    return dname_span(&z->apex);
}

/* --- finding --- */

static int cmp_place(const struct rrset *s, struct span owner, uint16_t type)
{
    int c = dname_cmp(s->owner, owner);

    return c != 0 ? c : (s->type > type) - (s->type < type);
}

/* Index of the first RRset not before (owner, type). */
static size_t seek(const struct zone *z, struct span owner, uint16_t type)
{
    size_t low = 0;
    size_t high = z->n;

    if (z->n > 0 && cmp_place(z->sets[z->n - 1], owner, type) < 0)
        return z->n; /* the common case: records come in order */
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (cmp_place(z->sets[mid], owner, type) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct rrset *find(const struct zone *z, size_t at, struct span owner,
                          uint16_t type)
{
    if (at < z->n && cmp_place(z->sets[at], owner, type) == 0)
        return z->sets[at];
    return NULL;
}

const struct rrset *zone_find(const struct zone *z, struct span owner, uint16_t type)
{
    return find(z, seek(z, owner, type), owner, type);
}

size_t zone_seek(const struct zone *z, struct span owner)
{
    return seek(z, owner, 0);
}

bool zone_has_name(const struct zone *z, struct span owner)
{
    size_t at = seek(z, owner, 0);

    return at < z->n && dname_eq(z->sets[at]->owner, owner);
}

size_t zone_count(const struct zone *z)
{
    return z->n;
}

const struct rrset *zone_at(const struct zone *z, size_t i)
{
    assert(i < z->n);
    return z->sets[i];
}

size_t zone_records(const struct zone *z)
{
    size_t n = 0;

    for (size_t i = 0; i < z->n; i++)
        n += z->sets[i]->n;
    return n;
}

uint32_t zone_serial(const struct zone *z)
{
    const struct rrset *s = zone_find(z, dname_span(&z->apex), RR_SOA);
    struct rdata_soa soa;

    return s != NULL && rdata_get_soa(s->rr[0].rdata, &soa) ? soa.serial : 0;
}

/* --- adding and removing --- */

static struct rrset *insert_set(struct zone *z, size_t at, struct span owner,
                                uint16_t type, uint32_t ttl_s)
{
    struct rrset *s = arena_alloc(z->arena, sizeof(*s));
    struct dname lower;

    if (s == NULL || !dname_set(&lower, owner))
        return NULL;
    dname_lower(&lower);
    s->owner = arena_copy(z->arena, dname_span(&lower));
    if (s->owner.p == NULL)
        return NULL;
    s->type = type;
    s->ttl_s = ttl_s;
    if (z->n == z->cap) {
        z->cap = z->cap == 0 ? 32 : z->cap * 2;
        z->sets = mem_resize(z->sets, z->cap, sizeof(struct rrset *));
    }
    memmove(z->sets + at + 1, z->sets + at, (z->n - at) * sizeof(struct rrset *));
    z->sets[at] = s;
    z->n++;
    return s;
}

static void drop_set(struct zone *z, size_t at)
{
    memmove(z->sets + at, z->sets + at + 1, (z->n - at - 1) * sizeof(struct rrset *));
    z->n--;
}

/* Room for one more record: the array doubles when its count is a power of two. */
static bool grow_set(struct zone *z, struct rrset *s)
{
    struct rr *bigger;

    if (s->n != 0 && (s->n & (s->n - 1)) != 0)
        return true;
    bigger = arena_alloc(z->arena, (s->n == 0 ? 1 : s->n * 2) * sizeof(struct rr));
    if (bigger == NULL)
        return false;
    if (s->n > 0)
        memcpy(bigger, s->rr, s->n * sizeof(struct rr));
    s->rr = bigger;
    return true;
}

static bool put_record(struct zone *z, struct rrset *s, struct span rdata,
                       const char *rule)
{
    struct rr made = {arena_copy(z->arena, rdata), NULL};
    size_t at = 0;

    made.rule = arena_strdup(z->arena, span_str(rule));
    if ((rdata.n > 0 && made.rdata.p == NULL) || made.rule == NULL || !grow_set(z, s))
        return false;
    while (at < s->n && span_cmp(s->rr[at].rdata, rdata) < 0)
        at++;
    memmove(s->rr + at + 1, s->rr + at, (s->n - at) * sizeof(struct rr));
    s->rr[at] = made;
    s->n++;
    return true;
}

enum zone_add_result zone_add(struct zone *z, struct span owner, uint16_t type,
                              uint32_t ttl_s, struct span rdata, const char *rule)
{
    size_t at;
    struct rrset *s;

    if (!dname_in(owner, dname_span(&z->apex)))
        return ZONE_OUTSIDE;
    if (rrtype_is_meta(type) || !rdata_is_valid(type, rdata))
        return ZONE_BAD_RDATA;
    if (ttl_s > INT32_MAX) /* RFC 2181 8: the top bit set means zero */
        ttl_s = 0;
    at = seek(z, owner, type);
    s = find(z, at, owner, type);
    if (s != NULL && ttl_s < s->ttl_s)
        s->ttl_s = ttl_s;
    if (s != NULL && rrset_find(s, rdata) != NULL)
        return ZONE_SAME;
    if (s == NULL)
        s = insert_set(z, at, owner, type, ttl_s);
    if (s == NULL)
        return ZONE_FULL;
    if (put_record(z, s, rdata, rule))
        return ZONE_ADDED;
    if (s->n == 0)
        drop_set(z, at);
    return ZONE_FULL;
}

const char *zone_add_result_text(enum zone_add_result r)
{
    switch (r) {
    case ZONE_ADDED:
        return "added";
    case ZONE_SAME:
        return "the record is there already";
    case ZONE_OUTSIDE:
        return "the name is outside the zone";
    case ZONE_BAD_RDATA:
        return "the data does not have the form of its type, or the type cannot stand in "
               "a zone";
    case ZONE_FULL:
        return "the zone is too large";
    }
    return "unknown";
}

int zone_add_text(struct zone *z, const char *owner, uint16_t type, uint32_t ttl_s,
                  const char *rdata, const char *rule, struct err *err)
{
    struct dname name;
    enum dname_result parsed = dname_parse(span_str(owner), &z->apex, &name);
    enum zone_add_result added;
    struct buf wire;
    int rc = -1;

    buf_init(&wire, RDATA_MAX);
    if (parsed != DNAME_OK) {
        (void)err_set(err, "\"%s\": %s", owner, dname_result_text(parsed));
        goto out;
    }
    if (rdata_parse(type, span_str(rdata), &z->apex, &wire, err) != 0) {
        (void)err_wrap(err, "%s", owner);
        goto out;
    }
    added = zone_add(z, dname_span(&name), type, ttl_s, buf_all(&wire), rule);
    if (added == ZONE_ADDED || added == ZONE_SAME)
        rc = 0;
    else
        (void)err_set(err, "%s: %s", owner, zone_add_result_text(added));
out:
    buf_free(&wire);
    return rc;
}

bool zone_remove(struct zone *z, struct span owner, uint16_t type)
{
    size_t at = seek(z, owner, type);

    if (find(z, at, owner, type) == NULL)
        return false;
    drop_set(z, at);
    return true;
}

/* --- difference --- */

struct diff {
    void (*cb)(void *ctx, enum zone_change what, const struct rrset *set,
               const struct rr *r);
    void *ctx;
    size_t n;
};

static void report(struct diff *d, enum zone_change what, const struct rrset *set,
                   const struct rr *r)
{
    d->n++;
    if (d->cb != NULL)
        d->cb(d->ctx, what, set, r);
}

/* Records of `set` that `other` (or nothing, when NULL) does not have. */
static void report_missing(struct diff *d, enum zone_change what, const struct rrset *set,
                           const struct rrset *other)
{
    for (size_t i = 0; i < set->n; i++)
        if (other == NULL || rrset_find(other, set->rr[i].rdata) == NULL)
            report(d, what, set, &set->rr[i]);
}

/* Which of the two comes first, <0 or >0, or 0 for the same place; NULL is past the end. */
static int cmp_sets(const struct rrset *a, const struct rrset *b)
{
    assert(a != NULL || b != NULL);
    if (a == NULL)
        return 1;
    return b == NULL ? -1 : cmp_place(a, b->owner, b->type);
}

size_t zone_diff(const struct zone *before, const struct zone *after,
                 void (*cb)(void *ctx, enum zone_change what, const struct rrset *set,
                            const struct rr *r),
                 void *ctx)
{
    struct diff d = {cb, ctx, 0};
    size_t i = 0;
    size_t j = 0;
    size_t ni = before != NULL ? before->n : 0;
    size_t nj = after != NULL ? after->n : 0;

    while (i < ni || j < nj) {
        const struct rrset *old = i < ni ? before->sets[i] : NULL;
        const struct rrset *new = j < nj ? after->sets[j] : NULL;
        int c = cmp_sets(old, new);

        if (c <= 0)
            report_missing(&d, ZONE_REMOVED, old, c == 0 ? new : NULL);
        if (c >= 0)
            report_missing(&d, ZONE_APPEARED, new, c == 0 ? old : NULL);
        if (c == 0 && old->ttl_s != new->ttl_s)
            report(&d, ZONE_TTL, new, NULL);
        i += c <= 0;
        j += c >= 0;
    }
    return d.n;
}
