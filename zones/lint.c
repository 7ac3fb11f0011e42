/* SPDX-License-Identifier: ISC */
/* zones/lint.c - see lint.h: what DNS itself demands. Mail records are in lint_mail.c.
 *
 * One walk over the RRsets in canonical order; every question about another name is a search
 * in the zone. What lies at or below a delegation is glue or an error, and no further question
 * is asked about it. */
#include "zones/lint.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/core/ipaddr.h"
#include "zones/lint_int.h"

enum { TTL_LONGEST = 604800, RRSET_LARGE = 1232, CNAME_STEPS = 16 };

/* clang-format off */
const struct lint_rule lint_rules[] = {
    [LINT_SOA_MISSING] = {"soa-missing", LINT_ERROR, "a zone without SOA cannot be served",
        "restore the SOA record at the apex"},
    [LINT_SOA_MANY] = {"soa-many", LINT_ERROR, "more than one SOA, or one below the apex",
        "keep one SOA, at the apex"},
    [LINT_NS_MISSING] = {"ns-missing", LINT_ERROR, "nobody is named as name server",
        "give a host the role ns: signpost host set NAME --role +ns"},
    [LINT_NS_SINGLE] = {"ns-single", LINT_WARNING,
        "one name server only: while it is away, the domain does not exist (RFC 2182)",
        "add a second one in another network: signpost host add NAME --role ns"},
    [LINT_CNAME_OTHER] = {"cname-and-other-data", LINT_ERROR,
        "an alias beside other data: servers and resolvers disagree on which counts",
        "remove the CNAME or the other records (RFC 1034 3.6.2)"},
    [LINT_CNAME_MANY] = {"cname-many", LINT_ERROR, "two aliases at one name",
        "keep one CNAME (RFC 2181 10.1)"},
    [LINT_CNAME_LOOP] = {"cname-loop", LINT_ERROR, "aliases that lead in a circle",
        "let the last alias lead to a name with data"},
    [LINT_CNAME_DANGLING] = {"cname-target-missing", LINT_WARNING,
        "an alias to a name of this zone that has no records",
        "add the records or remove the alias"},
    [LINT_TARGET_CNAME] = {"target-is-cname", LINT_ERROR,
        "a mail, name or service host that is an alias: mail is lost at servers that follow "
        "the standard",
        "name the host itself (RFC 2181 10.3, RFC 2782)"},
    [LINT_TARGET_MISSING] = {"target-missing", LINT_ERROR,
        "a host of this zone that has no address",
        "add an A or AAAA record for it, or name another host"},
    [LINT_TARGET_NOT_HOST] = {"target-not-host", LINT_ERROR,
        "a target that is no host name (letters, digits, hyphens)",
        "name a host (RFC 1123 2.1)"},
    [LINT_TARGET_ADDRESS] = {"target-is-address", LINT_ERROR,
        "an IP address where a name must stand", "put a name there and the address in an A record"},
    [LINT_GLUE_MISSING] = {"glue-missing", LINT_ERROR,
        "a name server below the cut it serves, without an address: nobody can reach it",
        "add its A or AAAA record"},
    [LINT_OCCLUDED] = {"occluded", LINT_ERROR,
        "records below a delegation or DNAME: they are never answered",
        "move them into the other zone"},
    [LINT_DS_ALONE] = {"ds-without-ns", LINT_ERROR, "a DS record where nothing is delegated",
        "remove it, or add the NS records"},
    [LINT_DNAME_MANY] = {"dname-many", LINT_ERROR, "two DNAME records at one name",
        "keep one (RFC 6672 2.4)"},
    [LINT_WILDCARD_NS] = {"wildcard-ns", LINT_ERROR,
        "a wildcard with NS or DNAME has no defined meaning", "remove it (RFC 4592 4.2, 4.4)"},
    [LINT_WILDCARD_MAIL] = {"wildcard-mail", LINT_WARNING,
        "every name that does not exist gets this mail record",
        "list the names that have mail instead"},
    [LINT_OWNER_NOT_HOST] = {"owner-not-host", LINT_WARNING,
        "an address or mail record at a name that is no host name",
        "use letters, digits and hyphens (RFC 1123 2.1)"},
    [LINT_SRV_NAME] = {"srv-name", LINT_WARNING,
        "a service record not at _service._protocol: nobody looks there",
        "name it as in _imaps._tcp (RFC 2782)"},
    [LINT_ADDRESS_PRIVATE] = {"address-private", LINT_WARNING,
        "an address that the Internet cannot reach", "publish the public address"},
    [LINT_TTL_ZERO] = {"ttl-zero", LINT_NOTICE, "nobody may cache this record",
        "use 60 seconds or more"},
    [LINT_TTL_LONG] = {"ttl-long", LINT_WARNING,
        "a change would take more than a week to be seen everywhere", "use 86400 or less"},
    [LINT_RRSET_LARGE] = {"rrset-large", LINT_WARNING,
        "the answer does not fit a UDP packet and needs TCP", "shorten it or split the name"},
    [LINT_MX_NULL_MIXED] = {"null-mx-mixed", LINT_ERROR,
        "\"no mail here\" beside a mail host", "remove the null MX or the others (RFC 7505 3)"},
    [LINT_SPF_MANY] = {"spf-many", LINT_ERROR,
        "two SPF records at one name: receivers take it as an error and none counts",
        "join them into one (RFC 7208 3.2)"},
    [LINT_SPF_SYNTAX] = {"spf-syntax", LINT_ERROR,
        "an SPF record that is wrong in one place is wrong as a whole",
        "correct the term (RFC 7208 4.6)"},
    [LINT_SPF_LOOKUPS] = {"spf-lookups", LINT_ERROR,
        "more than ten DNS look-ups: receivers stop and take it as an error",
        "replace names by ip4 and ip6, drop unused includes (RFC 7208 4.6.4)"},
    [LINT_SPF_NO_ALL] = {"spf-no-all", LINT_WARNING,
        "the record does not say what to do with everyone else", "end it with ~all or -all"},
    [LINT_SPF_ALLOW_ALL] = {"spf-allow-all", LINT_ERROR,
        "the record allows the whole Internet to send in your name", "end it with ~all or -all"},
    [LINT_SPF_PTR] = {"spf-ptr", LINT_WARNING, "ptr is slow and not to be used",
        "list the addresses (RFC 7208 5.5)"},
    [LINT_SPF_LONG] = {"spf-long", LINT_WARNING,
        "over 450 octets the answer may not fit a UDP packet", "shorten it (RFC 7208 3.4)"},
    [LINT_DKIM_SYNTAX] = {"dkim-syntax", LINT_ERROR,
        "receivers cannot read this key: every signature with it fails",
        "publish the record as: signpost dkim show DOMAIN"},
    [LINT_DKIM_MANY] = {"dkim-many", LINT_ERROR,
        "two keys under one selector: which one a receiver takes is chance (RFC 6376 3.6.2.2)",
        "give each key a selector of its own"},
    [LINT_DMARC_SYNTAX] = {"dmarc-syntax", LINT_ERROR,
        "receivers ignore this policy", "correct the tag (RFC 7489 6.3)"},
    [LINT_DMARC_MANY] = {"dmarc-many", LINT_ERROR,
        "two DMARC records: receivers ignore both (RFC 7489 6.6.3)", "keep one"},
    [LINT_TLSRPT_SYNTAX] = {"tlsrpt-syntax", LINT_ERROR,
        "senders ignore this record", "correct it (RFC 8460 3)"},
};
/* clang-format on */
const size_t lint_rules_count = COUNT_OF(lint_rules);

const char *lint_severity_name(enum lint_severity s)
{
    static const char *const names[] = {"notice", "warning", "error"};

    return names[s];
}

void lint_report(struct lint *l, enum lint_id id, const char *fmt, ...)
{
    struct lint_finding f = {.id = lint_rules[id].id,
                             .severity = lint_rules[id].severity,
                             .fix = lint_rules[id].fix};
    va_list ap;

    if (f.severity == LINT_ERROR)
        l->errors++;
    if (l->each == NULL)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(f.text, sizeof(f.text), fmt, ap);
    va_end(ap);
    l->each(l->ctx, &f);
}

/* ---- names in the zone ---- */

static bool is_in_zone(const struct lint *l, struct span name)
{
    return dname_in(name, zone_apex(l->z));
}

/* The delegation or DNAME strictly above `name` (NS: also at it) inside the zone, or NULL. */
static const struct rrset *cover(const struct lint *l, struct span name)
{
    struct span at = name;

    while (!dname_eq(at, zone_apex(l->z))) {
        const struct rrset *ns = zone_find(l->z, at, RR_NS);

        if (ns != NULL)
            return ns;
        at = dname_parent(at);
        const struct rrset *dname = zone_find(l->z, at, RR_DNAME);

        if (dname != NULL)
            return dname;
    }
    return NULL;
}

/* The RRset that a wildcard gives a name that does not exist (RFC 4592 3.3.1), or the name's
 * own. Enough for "has it an address". */
static const struct rrset *find_or_wild(const struct lint *l, struct span name,
                                        uint16_t type)
{
    const struct rrset *s = zone_find(l->z, name, type);
    struct dname wild;

    if (s != NULL || zone_has_name(l->z, name))
        return s;
    while (!dname_eq(name, zone_apex(l->z))) {
        name = dname_parent(name);
        if (!dname_join(SPAN_LIT("*"), name, &wild))
            return NULL;
        if (zone_has_name(l->z, dname_span(&wild)))
            return zone_find(l->z, dname_span(&wild), type);
        if (zone_has_name(l->z, name))
            return NULL;
    }
    return NULL;
}

static bool has_address(const struct lint *l, struct span name)
{
    return find_or_wild(l, name, RR_A) != NULL || find_or_wild(l, name, RR_AAAA) != NULL;
}

/* ---- targets ---- */

static void check_target(struct lint *l, const struct rrset *s, const char *owner,
                         struct span target)
{
    char text[DNAME_TEXT], type[RRTYPE_TEXT];
    const char *mnemonic = rrtype_print(s->type, type);
    struct ipaddr ip;

    (void)dname_print_bare(target, text);
    if (ipaddr_parse(span_str(text), &ip)) {
        lint_report(l, LINT_TARGET_ADDRESS, "%s %s leads to %s, which is an address",
                    owner, mnemonic, text);
        return;
    }
    if (!dname_is_host(target)) {
        lint_report(l, LINT_TARGET_NOT_HOST, "%s %s leads to %s, which is no host name",
                    owner, mnemonic, text);
        return;
    }
    if (!is_in_zone(l, target))
        return; /* what other zones hold is not to be seen from here */
    if (find_or_wild(l, target, RR_CNAME) != NULL) {
        lint_report(l, LINT_TARGET_CNAME, "%s %s leads to %s, which is an alias (CNAME)",
                    owner, mnemonic, text);
    } else if (!has_address(l, target)) {
        const struct rrset *cut = cover(l, target);

        if (s->type == RR_NS && dname_in(target, s->owner))
            lint_report(l, LINT_GLUE_MISSING,
                        "%s is served by %s, for which there is no address (glue)", owner,
                        text);
        else if (cut == NULL)
            lint_report(l, LINT_TARGET_MISSING, "%s %s leads to %s, which has no address",
                        owner, mnemonic, text);
    }
}

static void check_targets(struct lint *l, const struct rrset *s, const char *owner)
{
    for (size_t i = 0; i < s->n; i++) {
        size_t at = 0;
        struct span name;

        if (!rdata_next_name(s->type, s->rr[i].rdata, &at, &name))
            continue;
        if (name.n == 1 && (s->type == RR_MX || s->type == RR_SRV))
            continue; /* "." says: not offered (RFC 7505, RFC 2782) */
        check_target(l, s, owner, name);
    }
}

/* ---- aliases ---- */

static void check_cname(struct lint *l, const struct rrset *s, const char *owner)
{
    struct span at = s->owner;
    struct span target = s->rr[0].rdata;
    char text[DNAME_TEXT];

    if (s->n > 1)
        lint_report(l, LINT_CNAME_MANY, "%s has %zu CNAME records", owner, s->n);
    for (size_t i = zone_seek(l->z, at);
         i < zone_count(l->z) && dname_eq(zone_at(l->z, i)->owner, at); i++) {
        const struct rrset *o = zone_at(l->z, i);
        char type[RRTYPE_TEXT];

        if (o->type != RR_CNAME && o->type != RR_NSEC && o->type != RR_RRSIG)
            lint_report(l, LINT_CNAME_OTHER, "%s has a CNAME and %s data", owner,
                        rrtype_print(o->type, type));
    }
    for (int steps = 0; is_in_zone(l, target) && cover(l, target) == NULL; steps++) {
        const struct rrset *next = find_or_wild(l, target, RR_CNAME);

        if (dname_eq(target, s->owner) || steps == CNAME_STEPS) {
            lint_report(l, LINT_CNAME_LOOP, "%s is an alias that leads back to itself",
                        owner);
            return;
        }
        if (next == NULL) {
            struct dname wild;

            (void)dname_print_bare(target, text);
            if (!zone_has_name(l->z, target) &&
                (!dname_join(SPAN_LIT("*"), dname_parent(target), &wild) ||
                 !zone_has_name(l->z, dname_span(&wild))))
                lint_report(l, LINT_CNAME_DANGLING,
                            "%s is an alias of %s, which has no records", owner, text);
            return;
        }
        target = next->rr[0].rdata;
    }
}

/* ---- single sets ---- */

static void check_ttl_and_size(struct lint *l, const struct rrset *s, const char *owner)
{
    char room[RRTYPE_TEXT];
    const char *type = rrtype_print(s->type, room);
    size_t octets = 0;

    if (s->ttl_s == 0)
        lint_report(l, LINT_TTL_ZERO, "%s %s has a TTL of 0", owner, type);
    if (s->ttl_s > TTL_LONGEST)
        lint_report(l, LINT_TTL_LONG, "%s %s has a TTL of %u seconds", owner, type,
                    (unsigned)s->ttl_s);
    for (size_t i = 0; i < s->n; i++)
        octets += s->rr[i].rdata.n + 12;
    if (octets > RRSET_LARGE)
        lint_report(l, LINT_RRSET_LARGE, "%s %s: %zu records of %zu octets together",
                    owner, type, s->n, octets);
}

static void check_addresses(struct lint *l, const struct rrset *s, const char *owner)
{
    for (size_t i = 0; i < s->n; i++) {
        struct ipaddr a = {.family = s->type == RR_A ? AF_INET : AF_INET6};
        char text[IPADDR_TEXT];

        for (size_t j = 0; j < s->rr[i].rdata.n && j < sizeof(a.b); j++)
            a.b[j] = s->rr[i].rdata.p[j];
        ipaddr_print(&a, text);
        if (ipaddr_is_private(&a))
            lint_report(l, LINT_ADDRESS_PRIVATE, "%s has the address %s", owner, text);
    }
}

static void check_owner(struct lint *l, const struct rrset *s, const char *owner)
{
    struct span host = s->owner;

    if (dname_is_wildcard(host)) {
        if (s->type == RR_NS || s->type == RR_DNAME)
            lint_report(l, LINT_WILDCARD_NS, "%s has NS or DNAME records", owner);
        if (s->type == RR_MX)
            lint_report(l, LINT_WILDCARD_MAIL, "%s has MX records", owner);
        host = dname_parent(host);
    }
    if ((s->type == RR_A || s->type == RR_AAAA || s->type == RR_MX) && host.n > 1 &&
        !dname_is_host(host))
        lint_report(l, LINT_OWNER_NOT_HOST, "%s has an address or mail record", owner);
    if (s->type == RR_SRV &&
        (s->owner.p[0] < 2 || s->owner.p[1] != '_' || dname_parent(s->owner).p[0] < 2 ||
         dname_parent(s->owner).p[1] != '_'))
        lint_report(l, LINT_SRV_NAME, "%s has SRV records", owner);
}

/* True when the set is answered; else it is glue, the cut itself, or reported. */
static bool check_cover(struct lint *l, const struct rrset *s, const char *owner)
{
    const struct rrset *c = cover(l, s->owner);
    char type[RRTYPE_TEXT], above[DNAME_TEXT];
    bool is_at_cut;

    if (c == NULL)
        return true;
    is_at_cut = dname_eq(c->owner, s->owner);
    if (c->type == RR_NS && is_at_cut && (s->type == RR_NS || s->type == RR_DS))
        return s->type == RR_NS;
    if (c->type == RR_NS && (s->type == RR_A || s->type == RR_AAAA))
        return false; /* glue */
    (void)dname_print_bare(c->owner, above);
    lint_report(l, LINT_OCCLUDED, "%s %s lies %s the %s of %s", owner,
                rrtype_print(s->type, type), is_at_cut ? "at" : "below",
                c->type == RR_NS ? "delegation" : "DNAME", above);
    return false;
}

static void check_set(struct lint *l, const struct rrset *s)
{
    char owner[DNAME_TEXT];
    bool is_apex = dname_eq(s->owner, zone_apex(l->z));

    (void)dname_print_bare(s->owner, owner);
    check_ttl_and_size(l, s, owner);
    if (s->type == RR_SOA && (!is_apex || s->n > 1))
        lint_report(l, LINT_SOA_MANY, "%s has %zu SOA record(s)", owner, s->n);
    if (s->type == RR_DS && zone_find(l->z, s->owner, RR_NS) == NULL)
        lint_report(l, LINT_DS_ALONE, "%s has DS but no NS records", owner);
    if (s->type == RR_DNAME && s->n > 1)
        lint_report(l, LINT_DNAME_MANY, "%s has %zu DNAME records", owner, s->n);
    check_owner(l, s, owner);
    if (!check_cover(l, s, owner))
        return;
    if (s->type == RR_CNAME)
        check_cname(l, s, owner);
    if (s->type == RR_MX || s->type == RR_NS || s->type == RR_SRV)
        check_targets(l, s, owner);
    if (s->type == RR_A || s->type == RR_AAAA)
        check_addresses(l, s, owner);
    lint_mail(l, s, owner);
}

size_t lint_zone(const struct zone *z,
                 void (*each)(void *ctx, const struct lint_finding *f), void *ctx)
{
    struct lint l = {.z = z, .each = each, .ctx = ctx};
    const struct rrset *ns = zone_find(z, zone_apex(z), RR_NS);
    char apex[DNAME_TEXT];

    static_assert(COUNT_OF(lint_rules) == LINT_COUNT, "one row for each lint_id");
    buf_init(&l.text, RDATA_MAX + 1);
    (void)dname_print_bare(zone_apex(z), apex);
    if (zone_find(z, zone_apex(z), RR_SOA) == NULL)
        lint_report(&l, LINT_SOA_MISSING, "%s has no SOA record", apex);
    if (ns == NULL)
        lint_report(&l, LINT_NS_MISSING, "%s has no NS records", apex);
    else if (ns->n == 1)
        lint_report(&l, LINT_NS_SINGLE, "%s has one name server", apex);
    for (size_t i = 0; i < zone_count(z); i++)
        check_set(&l, zone_at(z, i));
    buf_free(&l.text);
    return l.errors;
}
