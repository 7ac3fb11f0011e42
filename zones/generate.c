/* SPDX-License-Identifier: ISC */
/* zones/generate.c - see generate.h.
 *
 * The table below is the whole policy of what a domain publishes. Its order matters in two
 * places only: "custom" comes after everything it could collide with, and "lock-down" last,
 * because it looks at which names are left without mail.
 *
 * Invariants:
 *  1. the same input gives the same zone, octet for octet;
 *  2. every record carries the name of the rule that made it;
 *  3. a custom record never joins or replaces what a rule made, except where the rule says so
 *     (TXT at a name with other texts; lock-down, which yields). */
#include <string.h>

#include "zones/generate_int.h"

enum { TEXT_MAX = 8192 };

struct gen_rule {
    struct generate_rule_info info;
    int (*make)(struct gen *g);
};

/* clang-format off */
static const struct gen_rule rules[] = {
    {{"soa", "SOA",
      "Every zone begins with one. The serial is the number of the last change that altered "
      "the zone, counted from the day of setup, so it only grows (RFC 1982).",
      "nothing to change: it follows from the other records"}, gen_soa},
    {{"ns", "NS",
      "All hosts with the role ns serve the zone (RFC 1034 4.2).",
      "signpost host set NAME --role +ns | --role -ns"}, gen_ns},
    {{"child-zone", "NS A AAAA",
      "A domain below this one is hosted here as a zone of its own; this is the delegation "
      "to ourselves, with the addresses it needs (RFC 1034 4.2.1).",
      "signpost domain add|remove SUBDOMAIN"}, gen_child},
    {{"mx", "MX",
      "Mail for the domain goes to its mail host, and to hosts with the role backup when that "
      "one is away (RFC 5321 5.1).",
      "signpost domain set NAME --host HOST --mx-preference N"}, gen_mx},
    {{"host-address", "A AAAA",
      "The name of one of our hosts lies in this zone.",
      "signpost host set NAME --address ADDR"}, gen_host},
    {{"apex-address", "A AAAA",
      "The domain's own name leads to the mail host, as asked for.",
      "signpost domain set NAME --apex yes|no"}, gen_apex},
    {{"spf", "TXT",
      "The domain's mail comes from its mail host's addresses and its MX hosts, and from what "
      "--spf-extra names; -all asks receivers to refuse the rest, ~all to doubt it "
      "(RFC 7208).",
      "signpost domain set NAME --spf soft|hard --spf-extra TERMS"}, gen_spf},
    {{"helo-spf", "TXT",
      "Bounces have no sender domain; receivers then check the name the host greets with "
      "(RFC 7208 2.3).",
      "signpost host set NAME --address ADDR"}, gen_helo_spf},
    {{"dkim", "TXT",
      "The public key with which receivers check our signatures, one record a selector "
      "(RFC 6376 3.6, RFC 8463).",
      "signpost dkim show NAME"}, gen_dkim},
    {{"dmarc", "TXT",
      "What receivers shall do with mail that claims to come from the domain and proves it "
      "neither by SPF nor by DKIM, and where they report (RFC 7489).",
      "signpost domain set NAME --dmarc none|quarantine|reject --reports ADDRESS"}, gen_dmarc},
    {{"report-consent", "TXT",
      "Another domain hosted here sends its DMARC reports to an address in this one; without "
      "this consent reporters must not (RFC 7489 7.1).",
      "signpost domain set OTHER --reports ADDRESS"}, gen_consent},
    {{"tls-rpt", "TXT",
      "Where senders report trouble with TLS to our hosts (RFC 8460).",
      "signpost domain set NAME --reports ADDRESS"}, gen_tlsrpt},
    {{"srv", "SRV",
      "Mail programs find submission and mailbox ports of the mail host here; a target of "
      "\".\" says that a service is not offered (RFC 6186, RFC 8314).",
      "signpost host set NAME --service imaps=993 --service imap=off"}, gen_srv},
    {{"custom", "any",
      "Added by hand.",
      "signpost record add|remove"}, gen_custom},
    {{"lock-down", "MX TXT",
      "This name has an address but neither sends nor receives mail: nobody shall use it in "
      "one (RFC 7505, RFC 7208 10.1.2, RFC 7489). A custom MX or SPF record at the name lifts "
      "it.",
      "signpost record add NAME MX|TXT ..."}, gen_lock_down},
};
/* clang-format on */

size_t generate_rule_count(void)
{
    return COUNT_OF(rules);
}

const struct generate_rule_info *generate_rule_at(size_t i)
{
    return &rules[i].info;
}

const struct generate_rule_info *generate_rule_find(const char *rule)
{
    struct span name;
    struct span rest;

    span_cut(span_str(rule), ' ', &name, &rest);
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (span_eq_str(name, rules[i].info.rule))
            return &rules[i].info;
    return NULL;
}

/* ---- what makers call ---- */

int gen_name(struct gen *g, const char *prefix, const char *name, struct dname *out)
{
    char text[DOMAINDB_NAME_MAX * 2 + 8];
    size_t p = strlen(prefix), n = strlen(name);
    enum dname_result rc = DNAME_LONG;

    if (p + 1 + n < sizeof(text)) {
        memcpy(text, prefix, p);
        if (p > 0)
            text[p++] = '.';
        memcpy(text + p, name, n + 1);
        rc = dname_parse(span_str(text), NULL, out);
    }
    if (rc != DNAME_OK)
        return err_set(g->err, "%s%s%s: %s", prefix, prefix[0] == '\0' ? "" : ".", name,
                       dname_result_text(rc));
    return 0;
}

int gen_add(struct gen *g, const struct dname *owner, uint16_t type, uint32_t ttl_s,
            struct span rdata)
{
    enum zone_add_result rc =
        zone_add(g->z, dname_span(owner), type, ttl_s, rdata, g->rule);
    char name[DNAME_TEXT], mnemonic[RRTYPE_TEXT];

    if (rc == ZONE_ADDED || rc == ZONE_SAME)
        return 0;
    (void)dname_print_bare(dname_span(owner), name);
    return err_set(g->err, "%s %s: %s", name, rrtype_print(type, mnemonic),
                   zone_add_result_text(rc));
}

int gen_add_wire(struct gen *g, const struct dname *owner, uint16_t type, uint32_t ttl_s)
{
    int rc = gen_add(g, owner, type, ttl_s, buf_all(&g->wire));

    buf_reset(&g->wire);
    return rc;
}

int gen_add_txt(struct gen *g, const struct dname *owner)
{
    if (rdata_put_txt(&g->wire, buf_all(&g->text)) == -1)
        return gen_too_long(g);
    buf_reset(&g->text);
    return gen_add_wire(g, owner, RR_TXT, g->ttl_s);
}

int gen_add_addresses(struct gen *g, const struct dname *owner,
                      const struct host_row *host, uint32_t ttl_s)
{
    for (size_t i = 0; i < host->n_addr; i++) {
        const struct ipaddr *a = &host->addr[i];
        bool is_ip4 = a->family == AF_INET;

        if (gen_add(g, owner, is_ip4 ? RR_A : RR_AAAA, ttl_s,
                    span_of(a->b, is_ip4 ? 4 : 16)) == -1)
            return -1;
    }
    return 0;
}

bool gen_is_inside(const struct gen *g, const struct dname *name)
{
    if (!dname_in(dname_span(name), dname_span(&g->apex)))
        return false;
    for (size_t i = 0; i < g->in->n_children; i++) {
        struct dname child;

        if (dname_parse(span_str(g->in->children[i]), NULL, &child) == DNAME_OK &&
            dname_in(dname_span(name), dname_span(&child)))
            return false;
    }
    return true;
}

int gen_too_long(struct gen *g)
{
    return err_set(g->err, "the %s record of %s would be too long", g->rule,
                   g->in->domain->name);
}

/* ---- the walk ---- */

static int prepare(struct gen *g, const struct generate_input *in)
{
    g->mail = host_set_by_id(in->hosts, in->domain->host_id);
    if (g->mail == NULL)
        return err_set(g->err, "%s: its mail host is gone", in->domain->name);
    if (gen_name(g, "", in->domain->name, &g->apex) == -1)
        return -1;
    g->ttl_s = in->domain->is_settled && g->mail->is_settled ? GENERATE_TTL_SETTLED
                                                             : GENERATE_TTL_MOVING;
    g->z = zone_new(dname_span(&g->apex), 0);
    return 0;
}

struct zone *generate_zone(const struct generate_input *in, struct err *err)
{
    struct gen g = {.in = in, .err = err};
    int rc;

    buf_init(&g.wire, RDATA_MAX);
    buf_init(&g.text, TEXT_MAX);
    rc = prepare(&g, in);
    for (size_t i = 0; i < COUNT_OF(rules) && rc == 0; i++) {
        g.rule = rules[i].info.rule;
        rc = rules[i].make(&g);
    }
    if (rc == -1)
        zone_free(&g.z);
    buf_free(&g.text);
    buf_free(&g.wire);
    return g.z;
}
