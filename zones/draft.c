/* SPDX-License-Identifier: ISC */
/* zones/draft.c - see draft.h.
 *
 * One domain costs four indexed queries; hosts and the serial base are read once. Inputs live
 * in one arena that is reset for every domain. Lists are gathered in chunks that double. */
#include "zones/draft.h"

#include <stdio.h>
#include <string.h>

#include "zones/change.h"
#include "zones/lint.h"

enum { INPUT_MAX = 64 << 20 };

struct gather {
    struct arena *arena;
    void *v;
    size_t n, cap;
    bool is_full;
};

/* Room for one more element of `size` octets, or NULL at the ceiling. */
static void *gather_one(struct gather *g, size_t size)
{
    if (g->n == g->cap) {
        size_t cap = g->cap == 0 ? 8 : g->cap * 2;
        void *bigger = arena_alloc(g->arena, cap * size);

        if (bigger == NULL) {
            g->is_full = true;
            return NULL;
        }
        if (g->n > 0)
            memcpy(bigger, g->v, g->n * size);
        g->v = bigger;
        g->cap = cap;
    }
    return (char *)g->v + g->n++ * size;
}

static void take_key(void *ctx, const struct dkim_key_row *row)
{
    struct dkim_key_row *to = gather_one(ctx, sizeof(*to));

    if (to != NULL)
        *to = *row;
}

static void take_record(void *ctx, const struct record_row *row)
{
    struct gather *g = ctx;
    struct record_row *to = gather_one(g, sizeof(*to));
    char *rdata = arena_strdup(g->arena, span_str(row->rdata));

    if (to == NULL || rdata == NULL) {
        g->is_full = true;
        return;
    }
    *to = *row;
    to->rdata = rdata;
}

static void take_text(struct gather *g, struct span text)
{
    const char **to = gather_one(g, sizeof(*to));
    char *copy = arena_strdup(g->arena, text);

    if (to == NULL || copy == NULL)
        g->is_full = true;
    else
        *to = copy;
}

/* Closest hosted domains below this one. Rows come in the order of rname, in which everything
 * below a domain follows it directly: so one look back tells whether a row is covered. */
static int take_children(struct draft *dr, const struct domain_row *d, struct gather *g,
                         struct err *err)
{
    struct db_stmt *s = db_stmt(dr->db->main,
                                "SELECT c.name FROM domain p, domain c WHERE p.id = ?1"
                                " AND c.rname > p.rname AND c.rname < p.rname || x'7f'"
                                " ORDER BY c.rname",
                                err);
    const char *last = NULL;
    enum db_result got;

    db_bind_int(s, 1, d->id);
    while ((got = db_step(s, err)) == DB_ROW) {
        struct span name = db_col_span(s, 0);
        size_t n = last == NULL ? 0 : strlen(last);

        if (last != NULL && name.n > n && name.p[name.n - n - 1] == '.' &&
            span_ends_nocase(name, span_str(last)))
            continue;
        take_text(g, name);
        if (g->is_full)
            break;
        last = ((const char **)g->v)[g->n - 1];
    }
    db_reset(s);
    return got == DB_DONE ? 0 : -1;
}

static int take_consents(struct draft *dr, const struct domain_row *d, struct gather *g,
                         struct err *err)
{
    struct db_stmt *s =
        db_stmt(dr->db->main,
                "SELECT name || '._report._dmarc.' || rua_domain FROM domain"
                " WHERE rua_domain = ?1 AND id <> ?2 ORDER BY name",
                err);
    enum db_result got;

    db_bind_text(s, 1, d->name);
    db_bind_int(s, 2, d->id);
    while ((got = db_step(s, err)) == DB_ROW)
        if (db_col_span(s, 0).n <= DOMAINDB_NAME_MAX)
            take_text(g, db_col_span(s, 0));
    return got == DB_DONE ? 0 : -1;
}

int draft_open(struct draft *dr, struct domaindb *d, struct err *err)
{
    char base[256];
    uint64_t value = 0;

    *dr = (struct draft){.db = d};
    switch (setting_get(d, "serial_base", "0", base, err)) {
    case DOMAINDB_OK:
        break;
    case DOMAINDB_NONE:
    case DOMAINDB_EXISTS:
    case DOMAINDB_REFUSED:
    case DOMAINDB_FAULT:
        return -1;
    }
    if (!span_to_u64(span_str(base), UINT32_MAX, &value))
        return err_set(err, "setting serial_base is not a number: %s", base);
    dr->serial_base = (int64_t)value;
    if (host_set_load(d, &dr->hosts, err) == -1)
        return -1;
    dr->arena = arena_new(INPUT_MAX);
    return 0;
}

void draft_close(struct draft *dr)
{
    host_set_free(&dr->hosts);
    arena_free(&dr->arena);
    dr->db = NULL;
}

/* `extra` may be NULL: a record that is not in the database yet. */
static enum domaindb_result build(struct draft *dr, const struct domain_row *d,
                                  const struct record_row *extra, struct zone **zone,
                                  struct err *err)
{
    struct gather keys = {.arena = dr->arena}, records = keys, children = keys,
                  consents = keys;

    *zone = NULL;
    arena_reset(dr->arena);
    if (dkim_key_each(dr->db, d->id, take_key, &keys, err) == -1 ||
        record_each(dr->db, d->id, take_record, &records, err) == -1 ||
        take_children(dr, d, &children, err) == -1 ||
        take_consents(dr, d, &consents, err) == -1)
        return DOMAINDB_FAULT;
    if (extra != NULL)
        take_record(&records, extra);
    if (keys.is_full || records.is_full || children.is_full || consents.is_full) {
        (void)err_set(err, "%s has more records than one zone can hold here", d->name);
        return DOMAINDB_REFUSED;
    }
    const struct generate_input in = {
        .domain = d,
        .soa_serial = change_soa_serial(dr->serial_base, d->zone_serial),
        .hosts = &dr->hosts,
        .keys = keys.v,
        .n_keys = keys.n,
        .records = records.v,
        .n_records = records.n,
        .children = children.v,
        .n_children = children.n,
        .consents = consents.v,
        .n_consents = consents.n,
    };

    *zone = generate_zone(&in, err);
    return *zone != NULL ? DOMAINDB_OK : DOMAINDB_REFUSED;
}

enum domaindb_result draft_zone(struct draft *dr, int64_t domain_id, struct zone **zone,
                                struct err *err)
{
    struct domain_row row;
    enum domaindb_result rc = domain_get(dr->db, domain_id, &row, err);

    *zone = NULL;
    return rc == DOMAINDB_OK ? build(dr, &row, NULL, zone, err) : rc;
}

enum domaindb_result draft_zone_named(struct draft *dr, struct span name,
                                      struct domain_row *row, struct zone **zone,
                                      struct err *err)
{
    enum domaindb_result rc = domain_find(dr->db, name, row, err);

    *zone = NULL;
    return rc == DOMAINDB_OK ? build(dr, row, NULL, zone, err) : rc;
}

/* ---- before a record is stored ---- */

struct first_error {
    char text[LINT_TEXT_MAX];
    const char *fix;
};

static void keep_first_error(void *ctx, const struct lint_finding *f)
{
    struct first_error *e = ctx;

    if (f->severity != LINT_ERROR || e->fix != NULL)
        return;
    (void)snprintf(e->text, sizeof(e->text), "%s", f->text);
    e->fix = f->fix;
}

enum domaindb_result draft_check(struct draft *dr, const struct domain_row *domain,
                                 struct err *err)
{
    struct first_error first = {.fix = NULL};
    struct zone *zone;
    enum domaindb_result rc = build(dr, domain, NULL, &zone, err);

    if (rc == DOMAINDB_OK && lint_zone(zone, keep_first_error, &first) > 0) {
        (void)err_set(err, "%s; %s", first.text, first.fix);
        rc = DOMAINDB_REFUSED;
    }
    zone_free(&zone);
    return rc;
}

enum domaindb_result draft_check_record(struct draft *dr, const struct domain_row *domain,
                                        const struct record_row *record, struct err *err)
{
    struct first_error first = {.fix = NULL};
    struct zone *before, *after = NULL;
    size_t errors = 0;
    enum domaindb_result rc = build(dr, domain, NULL, &before, err);

    if (rc == DOMAINDB_OK)
        rc = generate_check_record(before, record, err);
    if (rc == DOMAINDB_OK) {
        errors = lint_zone(before, NULL, NULL);
        rc = build(dr, domain, record, &after, err);
    }
    /* What was wrong before is no reason to refuse: this record may be the repair. */
    if (rc == DOMAINDB_OK && lint_zone(after, keep_first_error, &first) > errors) {
        (void)err_set(err, "%s; %s", first.text, first.fix);
        rc = DOMAINDB_REFUSED;
    }
    zone_free(&after);
    zone_free(&before);
    return rc;
}
