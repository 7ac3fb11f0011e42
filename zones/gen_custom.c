/* SPDX-License-Identifier: ISC */
/* zones/gen_custom.c - custom records: which may stand beside generated ones, and why not.
 *
 * The order of the questions is the order in which an answer helps most: is it a record that
 * a zone file may hold at all; is the name ours to fill; does it contradict an alias; does it
 * contradict a rule. Each refusal names the rule and the command that does what was meant. */
#include <stdio.h>
#include <string.h>

#include "deliverability/record/spf.h"
#include "zones/generate_int.h"

struct question {
    const struct zone *z;
    struct dname owner;
    uint16_t type;
    struct span rdata;
    const char *name; /* owner as text */
    const char *mnemonic;
    struct err *err;
};

static bool is_made_by(const struct rr *r, const char *rule)
{
    size_t n = strlen(rule);

    return strncmp(r->rule, rule, n) == 0 && (r->rule[n] == '\0' || r->rule[n] == ' ');
}

/* Lock-down yields to custom records, so it never stands in the way. */
static const struct rr *solid(const struct rrset *s)
{
    for (size_t i = 0; s != NULL && i < s->n; i++)
        if (!is_made_by(&s->rr[i], "lock-down"))
            return &s->rr[i];
    return NULL;
}

static enum domaindb_result refuse_rule(struct question *q, const struct rr *r)
{
    const struct generate_rule_info *info = generate_rule_find(r->rule);

    if (is_made_by(r, "custom"))
        (void)err_set(q->err,
                      "%s %s: a custom record stands in the way; see: signpost "
                      "record list",
                      q->name, q->mnemonic);
    else
        (void)err_set(q->err, "%s %s is generated (rule %s: %s); change it with: %s",
                      q->name, q->mnemonic, r->rule, info == NULL ? "" : info->why,
                      info == NULL ? "" : info->change);
    return DOMAINDB_REFUSED;
}

static enum domaindb_result check_type(struct question *q)
{
    static const uint16_t signed_types[] = {RR_RRSIG,  RR_NSEC, RR_NSEC3,  RR_NSEC3PARAM,
                                            RR_DNSKEY, RR_CDS,  RR_CDNSKEY};

    if (rrtype_is_meta(q->type)) {
        (void)err_set(q->err, "%s is not a type that a zone can hold", q->mnemonic);
        return DOMAINDB_REFUSED;
    }
    if (q->type == RR_SPF) {
        (void)err_set(q->err,
                      "type SPF is obsolete (RFC 7208 3.1); SPF stands in TXT, which "
                      "is generated: see signpost domain set --spf-extra");
        return DOMAINDB_REFUSED;
    }
    for (size_t i = 0; i < COUNT_OF(signed_types); i++) {
        if (q->type == signed_types[i]) {
            (void)err_set(q->err,
                          "%s records belong to signing and are never entered by "
                          "hand",
                          q->mnemonic);
            return DOMAINDB_REFUSED;
        }
    }
    return DOMAINDB_OK;
}

/* At or below a delegation only the delegation's own records are ours. */
static enum domaindb_result check_cut(struct question *q)
{
    struct span apex = zone_apex(q->z), at = dname_span(&q->owner);

    for (; !dname_eq(at, apex); at = dname_parent(at)) {
        const struct rrset *ns = zone_find(q->z, at, RR_NS);
        bool is_cut = dname_eq(at, dname_span(&q->owner));
        char cut[DNAME_TEXT];

        if (ns == NULL)
            continue;
        (void)dname_print_bare(at, cut);
        if (is_made_by(&ns->rr[0], "child-zone")) {
            (void)err_set(q->err,
                          "%s belongs to the domain %s, which is hosted here too; "
                          "add the record there",
                          q->name, cut);
            return DOMAINDB_REFUSED;
        }
        if (is_cut ? q->type != RR_NS && q->type != RR_DS
                   : q->type != RR_A && q->type != RR_AAAA) {
            (void)err_set(q->err,
                          "%s is delegated away by the NS records at %s: a %s record "
                          "here would never be seen",
                          q->name, cut, q->mnemonic);
            return DOMAINDB_REFUSED;
        }
    }
    return DOMAINDB_OK;
}

/* A new cut must not hide anything. */
static enum domaindb_result check_new_cut(struct question *q)
{
    if (q->type != RR_NS || dname_eq(dname_span(&q->owner), zone_apex(q->z)))
        return DOMAINDB_OK;
    for (size_t i = zone_seek(q->z, dname_span(&q->owner)); i < zone_count(q->z); i++) {
        const struct rrset *s = zone_at(q->z, i);
        const struct rr *r = solid(s);
        char hidden[DNAME_TEXT];

        if (!dname_in(s->owner, dname_span(&q->owner)))
            break;
        if (r == NULL || s->type == RR_NS || s->type == RR_DS)
            continue;
        if (is_made_by(r, "custom") && (s->type == RR_A || s->type == RR_AAAA))
            continue; /* glue */
        (void)dname_print_bare(s->owner, hidden);
        (void)err_set(q->err, "a delegation at %s would hide the records of %s", q->name,
                      hidden);
        return DOMAINDB_REFUSED;
    }
    return DOMAINDB_OK;
}

static enum domaindb_result check_alias(struct question *q)
{
    struct span owner = dname_span(&q->owner);
    const struct rr *alias = solid(zone_find(q->z, owner, RR_CNAME));
    char other[RRTYPE_TEXT];

    if (alias != NULL && q->type != RR_CNAME) {
        (void)err_set(q->err,
                      "%s is an alias (CNAME); no other data may stand beside it "
                      "(RFC 1034 3.6.2)",
                      q->name);
        return DOMAINDB_REFUSED;
    }
    if (q->type != RR_CNAME)
        return DOMAINDB_OK;
    if (alias != NULL) {
        (void)err_set(q->err, "%s is an alias already; a name has at most one CNAME",
                      q->name);
        return DOMAINDB_REFUSED;
    }
    for (size_t i = zone_seek(q->z, owner); i < zone_count(q->z); i++) {
        const struct rrset *s = zone_at(q->z, i);
        const struct rr *r = solid(s);

        if (!dname_eq(s->owner, owner))
            break;
        if (r == NULL)
            continue;
        (void)err_set(q->err,
                      "%s has %s data (rule %s), beside which no CNAME may stand "
                      "(RFC 1034 3.6.2)%s",
                      q->name, rrtype_print(s->type, other), r->rule,
                      dname_eq(owner, zone_apex(q->z))
                          ? "; an apex cannot be an alias: enter the addresses themselves"
                          : "");
        return DOMAINDB_REFUSED;
    }
    return DOMAINDB_OK;
}

/* Text records of several purposes share a name; those of one purpose do not. */
static bool may_join_txt(const struct question *q, const struct rr *generated)
{
    bool is_spf =
        q->rdata.n > 0 && spf_is_record(span_take(span_drop(q->rdata, 1), q->rdata.p[0]));

    if (is_made_by(generated, "spf") || is_made_by(generated, "helo-spf"))
        return !is_spf;
    return false;
}

static enum domaindb_result check_rule(struct question *q)
{
    const struct rrset *s = zone_find(q->z, dname_span(&q->owner), q->type);
    const struct rr *same = s == NULL ? NULL : rrset_find(s, q->rdata);

    if (same != NULL && !is_made_by(same, "lock-down")) {
        (void)err_set(q->err, "%s %s: this record is there already (rule %s)", q->name,
                      q->mnemonic, same->rule);
        return DOMAINDB_EXISTS;
    }
    if (q->type == RR_SOA) {
        (void)err_set(q->err,
                      "the SOA record is generated; its serial follows the changes");
        return DOMAINDB_REFUSED;
    }
    for (size_t i = 0; s != NULL && i < s->n; i++) {
        const struct rr *r = &s->rr[i];

        if (is_made_by(r, "lock-down") || is_made_by(r, "custom"))
            continue;
        if (q->type != RR_TXT || !may_join_txt(q, r))
            return refuse_rule(q, r);
    }
    return DOMAINDB_OK;
}

enum domaindb_result generate_check_record(const struct zone *zone,
                                           const struct record_row *record,
                                           struct err *err)
{
    static enum domaindb_result (*const checks[])(struct question *) = {
        check_type, check_cut, check_new_cut, check_alias, check_rule,
    };
    struct question q = {
        .z = zone, .type = record->type, .name = record->owner, .err = err};
    enum dname_result parsed = dname_parse(span_str(record->owner), NULL, &q.owner);
    enum domaindb_result rc = DOMAINDB_REFUSED;
    char apex[DNAME_TEXT], type[RRTYPE_TEXT];
    struct buf wire;

    buf_init(&wire, RDATA_MAX);
    q.mnemonic = rrtype_print(record->type, type);
    if (parsed != DNAME_OK) {
        (void)err_set(err, "\"%s\": %s", record->owner, dname_result_text(parsed));
    } else if (!dname_in(dname_span(&q.owner), zone_apex(zone))) {
        (void)dname_print_bare(zone_apex(zone), apex);
        (void)err_set(err, "%s is not in the zone %s", record->owner, apex);
    } else if (rdata_parse(record->type, span_str(record->rdata), NULL, &wire, err) ==
               -1) {
        (void)err_wrap(err, "%s %s", record->owner, q.mnemonic);
    } else {
        q.rdata = buf_all(&wire);
        rc = DOMAINDB_OK;
        for (size_t i = 0; i < COUNT_OF(checks) && rc == DOMAINDB_OK; i++)
            rc = checks[i](&q);
    }
    buf_free(&wire);
    return rc;
}

int gen_custom(struct gen *g)
{
    for (size_t i = 0; i < g->in->n_records; i++) {
        const struct record_row *r = &g->in->records[i];
        char owner[DOMAINDB_NAME_MAX + 2], rule[32];

        if (generate_check_record(g->z, r, g->err) != DOMAINDB_OK)
            return err_wrap(g->err, "custom record %lld", (long long)r->id);
        (void)snprintf(owner, sizeof(owner), "%s.", r->owner);
        (void)snprintf(rule, sizeof(rule), "custom %lld", (long long)r->id);
        if (zone_add_text(g->z, owner, r->type, r->ttl_s == 0 ? g->ttl_s : r->ttl_s,
                          r->rdata, rule, g->err) == -1)
            return -1;
    }
    return 0;
}
