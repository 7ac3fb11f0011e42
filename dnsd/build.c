/* SPDX-License-Identifier: ISC */
/* Design: `since` is the newest change already turned into work; work is a stack of domain
 * ids. A step runs inside one read transaction, so all it reads is one state.
 *
 *   no news           pop ids, build
 *   news              push the ids that were touched, remember names that went
 *   touch of domain 0 (hosts, settings), the first step, or a serial that went backwards
 *                     (the database was replaced): all ids are pushed, and what was known
 *                     but is no longer there is removed
 *
 * At a start build_plan() and build_adopt() take the place of the first step: what the keeper
 * has an image of is served with that, and only what changed since is pushed, below everything
 * else (`n_stale`).
 *
 * An id that is pushed twice is built twice: harmless, and rare. A zone that fails keeps its
 * last image with the server; only a zone that never had one is reported as withheld.
 *
 * Losing every zone at once is taken for an accident (a wrong or emptied database), unless
 * there was only one: then nothing is removed and `since` stays, until it is confirmed. */
#include "dnsd/build.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/map.h"
#include "base/core/mem.h"
#include "base/dns/dname.h"
#include "zones/change.h"
#include "zones/draft.h"
#include "zones/image.h"
#include "zones/image_build.h"
#include "zones/lint.h"

enum { ZONES_MAX = 10000000 };

struct build {
    char *data_dir;
    struct rng *rng;
    struct domaindb *db;
    int64_t since; /* -1: everything is to be done */
    int64_t *todo;
    size_t n_todo, cap_todo;
    size_t n_stale;  /* at the bottom of the stack: an older image is being served */
    bool is_adopted; /* the next step builds nothing stale, so that answering can begin */
    struct map
        *known; /* names of zones that were built at least once; the value only says so */
    struct buf image;
    struct buf images;
};

struct build *build_new(const char *data_dir, struct rng *rng)
{
    struct build *b = mem_new(1, sizeof(*b));

    b->data_dir = mem_strdup(data_dir);
    b->rng = rng;
    b->since = -1;
    b->known = map_new(ZONES_MAX, rng);
    buf_init(&b->image, IMAGE_SIZE_MAX);
    buf_init(&b->images, IMAGE_SIZE_MAX + (size_t)BATCH_OCTETS);
    return b;
}

void build_free(struct build **b)
{
    if (*b == NULL)
        return;
    domaindb_close(&(*b)->db);
    map_free(&(*b)->known);
    buf_free(&(*b)->image);
    buf_free(&(*b)->images);
    free((*b)->todo);
    free((*b)->data_dir);
    free(*b);
    *b = NULL;
}

int build_check(const char *data_dir, struct err *err)
{
    struct domaindb *db = domaindb_open(data_dir, NULL, 0, err);
    int rc = db != NULL && domain_count(db, err) >= 0 ? 0 : -1;

    domaindb_close(&db);
    return rc;
}

void build_restart(struct build *b)
{
    b->since = -1;
}

/* --- what is to be done --- */

static void push(struct build *b, int64_t id)
{
    if (b->n_todo == b->cap_todo) {
        b->cap_todo = b->cap_todo == 0 ? 64 : b->cap_todo * 2;
        b->todo = mem_resize(b->todo, b->cap_todo, sizeof(b->todo[0]));
    }
    b->todo[b->n_todo++] = id;
}

struct scan {
    struct build *b;
    struct batch *t;
    struct map *present; /* full scan: names in the database */
    bool is_all;
    bool is_cut; /* more went than one message holds: look again */
};

static void remove_zone(struct scan *s, const char *zone)
{
    if (map_get(s->b->known, span_str(zone)) == NULL)
        return;
    if (!batch_put_name(&s->t->removed, zone)) {
        s->is_cut = true;
        return;
    }
    (void)map_take(s->b->known, span_str(zone));
    (void)batch_add(s->t, BUILD_REMOVED, zone, "");
}

static void on_touch(void *ctx, const struct zone_touch *touch)
{
    struct scan *s = ctx;

    s->is_all |= touch->domain_id == 0;
}

static void apply_touch(void *ctx, const struct zone_touch *touch)
{
    struct scan *s = ctx;

    if (touch->is_removed)
        remove_zone(s, touch->name);
    else if (touch->domain_id != 0)
        push(s->b, touch->domain_id);
}

static void on_domain(void *ctx, const struct domain_row *row)
{
    struct scan *s = ctx;

    push(s->b, row->id);
    if (map_put(s->present, span_str(row->name), s->b) != 0)
        (void)err_set(&s->t->err, "more than %d zones", ZONES_MAX);
}

static int push_all(struct scan *s)
{
    size_t cursor = 0;
    struct span zone;
    void *value;
    int rc;

    s->b->n_todo = s->b->n_stale = 0;
    s->present = map_new(ZONES_MAX, s->b->rng);
    rc = domain_each(s->b->db, on_domain, s, &s->t->err);
    while (rc == 0 && map_next(s->b->known, &cursor, &zone, &value)) {
        char name[DNAME_TEXT];

        if (map_get(s->present, zone) == NULL && span_copy(zone, name, sizeof(name)))
            remove_zone(s, name);
    }
    map_free(&s->present);
    return rc;
}

/* True when no zone is left of several and nobody said that this is meant. */
static bool is_suspicious(const struct build *b, bool may_be_empty, struct err *err,
                          int64_t *count)
{
    *count = domain_count(b->db, err);
    return *count == 0 && map_count(b->known) > 1 && !may_be_empty;
}

static int look_for_changes(struct build *b, struct batch *t, bool may_be_empty)
{
    struct scan s = {.b = b, .t = t, .is_all = b->since == -1};
    int64_t count;

    t->serial = change_last(b->db, &t->err);
    if (t->serial == -1)
        return -1;
    if (t->serial == b->since)
        return 0;
    if (is_suspicious(b, may_be_empty, &t->err, &count)) {
        t->is_empty_refused = true;
        return 0;
    }
    if (count == -1)
        return -1;
    s.is_all |= t->serial < b->since; /* another database stands in its place */
    if (!s.is_all && change_zones_since(b->db, b->since, on_touch, &s, &t->err) != 0)
        return -1;
    if (s.is_all ? push_all(&s) != 0
                 : change_zones_since(b->db, b->since, apply_touch, &s, &t->err) != 0)
        return -1;
    if (!s.is_cut)
        b->since = t->serial;
    t->left += s.is_cut;
    return 0;
}

/* --- with what is there from an earlier run --- */

static void plan_domain(void *ctx, const struct zone_made *made)
{
    plan_add(ctx, &(struct plan_zone){.domain_id = made->domain_id,
                                      .serial = made->serial,
                                      .at_s = made->at_s,
                                      .name = made->name});
}

struct plan *build_plan(struct build *b)
{
    struct plan *p = plan_new();
    int64_t serial = -1;

    if (b->db == NULL)
        b->db = domaindb_open(b->data_dir, NULL, 0, &p->err);
    if (b->db == NULL || db_exec(b->db->main, "BEGIN", &p->err) != 0)
        return p;
    if (change_zones(b->db, plan_domain, p, &p->err) == 0)
        serial = change_last(b->db, &p->err);
    db_rollback(b->db->main);
    p->serial = serial;
    return p;
}

static void push_state(struct build *b, const struct plan *plan, enum plan_state state)
{
    for (size_t i = 0; i < plan->n; i++)
        if (plan->zones[i].state == state)
            push(b, plan->zones[i].domain_id);
}

/* `since` stays what it is when it is known: so what went since then is still found. It stays
 * -1 when all zones are gone, and the next step finds that suspicious. */
void build_adopt(struct build *b, const struct plan *plan)
{
    for (size_t i = 0; i < plan->n; i++) {
        struct span name = span_str(plan->zones[i].name);

        if (plan->zones[i].state == PLAN_MISSING)
            (void)map_take(b->known, name);
        else
            (void)!map_put(b->known, name, b);
    }
    for (size_t i = 0; i < plan->n_kept; i++)
        (void)!map_put(b->known, span_str(plan->kept[i]), b);
    if (plan->was_all_gone)
        return;
    b->n_todo = 0;
    push_state(b, plan, PLAN_STALE);
    b->n_stale = b->n_todo;
    push_state(b, plan, PLAN_MISSING);
    b->is_adopted = true;
    if (b->since == -1)
        b->since = plan->serial;
}

/* --- building --- */

static void take_first_error(void *ctx, const struct lint_finding *f)
{
    struct err *err = ctx;

    if (f->severity == LINT_ERROR && err->text[0] == '\0')
        (void)err_set(err, "%s: %s", f->id, f->text);
}

static void refuse(struct build *b, struct batch *t, const char *zone, const char *why)
{
    (void)batch_add(t, BUILD_REFUSED, zone, why);
    if (map_get(b->known, span_str(zone)) == NULL)
        (void)!batch_put_name(&t->withheld, zone);
}

static int compile(struct build *b, const struct zone *z, struct err *err)
{
    uint64_t key[2];

    err->text[0] = '\0';
    if (lint_zone(z, take_first_error, err) > 0)
        return -1;
    rng_fill(b->rng, key, sizeof(key));
    buf_reset(&b->image);
    return image_build(z, key, &b->image, err);
}

static void build_zone(struct build *b, struct batch *t, const struct zone *z,
                       const char *name, const struct zone_made *made)
{
    struct err err;
    struct build_item *it;

    if (compile(b, z, &err) != 0) {
        refuse(b, t, name, err.text);
        return;
    }
    if (buf_span(&b->images, buf_all(&b->image)) != 0) {
        refuse(b, t, name, "the compiled zone is too large");
        return;
    }
    t->count++;
    it = batch_add(t, BUILD_BUILT, name, "");
    it->soa_serial = zone_serial(z);
    it->records = (uint32_t)zone_records(z);
    it->octets = b->image.len;
    it->domain_id = made->domain_id;
    it->serial = made->serial;
    it->at_s = made->at_s;
    (void)!map_put(b->known, span_str(name), b);
}

/* -1 only when the database fails. A domain that is gone by now is no error: its removal is
 * a change of its own. */
static int build_domain(struct build *b, struct batch *t, struct draft *dr, int64_t id)
{
    struct domain_row row;
    struct zone_made made;
    struct zone *z = NULL;
    struct err err = {0};
    enum domaindb_result r = domain_get(b->db, id, &row, &t->err);

    if (r == DOMAINDB_OK && change_made(b->db, id, &made, &t->err) != 0)
        r = DOMAINDB_FAULT;
    if (r == DOMAINDB_OK)
        r = draft_zone(dr, id, &z, &err);
    switch (r) {
    case DOMAINDB_OK:
        build_zone(b, t, z, row.name, &made);
        break;
    case DOMAINDB_EXISTS:
    case DOMAINDB_REFUSED:
        refuse(b, t, row.name, err.text);
        break;
    case DOMAINDB_NONE:
        break;
    case DOMAINDB_FAULT:
        if (err.text[0] != '\0')
            t->err = err;
        return -1;
    }
    zone_free(&z);
    return 0;
}

static int build_todo(struct build *b, struct batch *t)
{
    struct draft dr;
    size_t floor = b->is_adopted || b->n_todo > b->n_stale ? b->n_stale : 0;
    int rc = 0;

    b->is_adopted = false;
    if (b->n_todo == floor)
        return 0;
    if (draft_open(&dr, b->db, &t->err) != 0)
        return -1;
    while (rc == 0 && b->n_todo > floor && b->images.len < BATCH_OCTETS &&
           t->n_items < BATCH_ZONES && batch_has_room(&t->withheld)) {
        rc = build_domain(b, t, &dr, b->todo[b->n_todo - 1]);
        if (rc == 0)
            b->n_todo--;
    }
    if (b->n_stale > b->n_todo)
        b->n_stale = b->n_todo;
    draft_close(&dr);
    return rc;
}

static int step(struct build *b, struct batch *t, bool may_be_empty)
{
    int rc;

    if (b->db == NULL)
        b->db = domaindb_open(b->data_dir, NULL, 0, &t->err);
    if (b->db == NULL || db_exec(b->db->main, "BEGIN", &t->err) != 0)
        return -1;
    rc = look_for_changes(b, t, may_be_empty);
    if (rc == 0)
        rc = build_todo(b, t);
    db_rollback(b->db->main);
    return rc == 0 ? batch_seal(t, buf_all(&b->images)) : -1;
}

/* A failed step sends nothing but removals, which were taken note of; all else is built
 * again, from a database opened anew: the file may have been replaced. */
static void drop_built(struct build *b, struct batch *t)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n_items; i++)
        if (t->items[i].news == BUILD_REMOVED)
            t->items[n++] = t->items[i];
    t->n_items = n;
    t->count = 0;
    if (t->fd != -1)
        (void)close(t->fd);
    t->fd = -1;
    buf_reset(&t->withheld);
    domaindb_close(&b->db);
    build_restart(b);
}

struct batch *build_step(struct build *b, bool may_be_empty)
{
    struct batch *t = batch_new();

    buf_reset(&b->images);
    t->is_failed = step(b, t, may_be_empty) != 0;
    if (t->is_failed)
        drop_built(b, t);
    t->unserved = t->left + b->n_todo - b->n_stale;
    t->left += b->n_todo;
    return t;
}
