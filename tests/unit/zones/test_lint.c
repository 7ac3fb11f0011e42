/* SPDX-License-Identifier: ISC */
/* One small zone a finding: a sound zone plus one line, and the finding it must give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zones/lint.h"

static const char sound[] = "$TTL 300\n"
                            "@ IN SOA ns1 postmaster 1 7200 900 1209600 300\n"
                            "@ 86400 IN NS ns1\n"
                            "@ 86400 IN NS ns.other.example.\n"
                            "@ IN MX 10 mail\n"
                            "@ IN TXT \"v=spf1 mx -all\"\n"
                            "ns1 IN A 8.8.8.8\n"
                            "mail IN A 8.8.4.4\n"
                            "sub IN NS ns.sub\n"
                            "ns.sub IN A 8.8.8.9\n"
                            "alias IN CNAME mail\n"
                            "_imaps._tcp IN SRV 0 1 993 mail\n";

static const struct {
    const char *lines; /* added to the sound zone */
    const char *want;  /* id of the finding; NULL: none */
} cases[] = {
    {"", NULL},
    {"x IN MX 0 .\n", NULL},
    {"_pop3._tcp IN SRV 0 0 0 .\n", NULL},
    {"* IN A 8.8.8.8\n@ IN MX 20 any\n", NULL}, /* the wildcard gives it an address */
    {"alias IN A 8.8.8.8\n", "cname-and-other-data"},
    {"c IN CNAME mail\nc IN CNAME ns1\n", "cname-many"},
    {"a IN CNAME b\nb IN CNAME a\n", "cname-loop"},
    {"a IN CNAME a\n", "cname-loop"},
    {"a IN CNAME nowhere\n", "cname-target-missing"},
    {"@ IN MX 20 alias\n", "target-is-cname"},
    {"@ IN NS alias\n", "target-is-cname"},
    {"_x._tcp IN SRV 0 1 1 alias\n", "target-is-cname"},
    {"@ IN MX 20 nowhere\n", "target-missing"},
    {"@ IN MX 20 bad_name.example.\n", "target-not-host"},
    {"@ IN MX 20 192.0.2.1.\n", "target-is-address"},
    {"cut IN NS ns.cut\n", "glue-missing"},
    {"www.sub IN TXT \"hidden\"\n", "occluded"},
    {"sub IN TXT \"hidden\"\n", "occluded"},
    {"d IN DNAME e.example.\nx.d IN A 8.8.8.8\n", "occluded"},
    {"mail IN DS 1 13 2 "
     "0000000000000000000000000000000000000000000000000000000000000000\n",
     "ds-without-ns"},
    {"d IN DNAME e.example.\nd IN DNAME f.example.\n", "dname-many"},
    {"* IN NS ns1\n", "wildcard-ns"},
    {"* IN MX 10 mail\n", "wildcard-mail"},
    {"under_score IN A 8.8.8.8\n", "owner-not-host"},
    {"sip IN SRV 0 1 5060 mail\n", "srv-name"},
    {"inside IN A 10.0.0.1\n", "address-private"},
    {"zero 0 IN TXT \"x\"\n", "ttl-zero"},
    {"long 700000 IN TXT \"x\"\n", "ttl-long"},
    {"n IN MX 0 .\nn IN MX 10 mail\n", "null-mx-mixed"},
    {"@ IN TXT \"v=spf1 a -all\"\n", "spf-many"},
    {"s IN TXT \"v=spf1 ip4:299.1.1.1 -all\"\n", "spf-syntax"},
    {"s IN TXT \"v=spf1 a mx a:b.example a:c.example a:d.example a:e.example "
     "a:f.example\" \" a:g.example a:h.example a:i.example a:j.example -all\"\n",
     "spf-lookups"},
    {"s IN TXT \"v=spf1 a\"\n", "spf-no-all"},
    {"s IN TXT \"v=spf1 +all\"\n", "spf-allow-all"},
    {"s IN TXT \"v=spf1 ptr -all\"\n", "spf-ptr"},
    {"k._domainkey IN TXT \"v=DKIM; p=TUlJ\"\n", "dkim-syntax"},
    {"k._domainkey IN TXT \"v=DKIM1; p=TUlJ\"\nk._domainkey IN TXT \"p=QkFB\"\n",
     "dkim-many"},
    {"_dmarc IN TXT \"v=DMARC1; rua=mailto:a@b.example\"\n", "dmarc-syntax"},
    {"_dmarc IN TXT \"p=none\"\n", "dmarc-syntax"},
    {"_dmarc IN TXT \"v=DMARC1; p=none\"\n_dmarc IN TXT \"v=DMARC1; p=reject\"\n",
     "dmarc-many"},
    {"_smtp._tls IN TXT \"v=TLSRPTv1; rua=a@b.example\"\n", "tlsrpt-syntax"},
    {"x._report._dmarc IN TXT \"v=DMARC1\"\n", NULL},
};

struct seen {
    const char *want;
    char all[512];
    size_t n, errors;
    bool is_found;
};

static void take(void *ctx, const struct lint_finding *f)
{
    struct seen *s = ctx;

    s->n++;
    s->errors += f->severity == LINT_ERROR;
    s->is_found |= s->want != NULL && strcmp(f->id, s->want) == 0;
    (void)snprintf(s->all + strlen(s->all), sizeof(s->all) - strlen(s->all), "%s (%s) ",
                   f->id, f->text);
    assert_true(f->fix[0] != '\0');
}

/* "OWNER [TTL] IN TYPE RDATA" lines; $TTL lines are for the eye only. */
static void add_lines(struct zone *z, const char *lines)
{
    struct span rest = span_str(lines), line, owner, word;

    while (span_cut(rest, '\n', &line, &rest)) {
        uint64_t ttl = 300;
        uint16_t type;
        struct err err = {0};
        char *name, *rdata;

        assert_true(span_word(&line, &owner));
        if (span_eq_str(owner, "$TTL"))
            continue;
        assert_true(span_word(&line, &word));
        if (span_to_u64(word, INT32_MAX, &ttl))
            assert_true(span_word(&line, &word));
        if (span_eq_str(word, "IN"))
            assert_true(span_word(&line, &word));
        assert_true(rrtype_parse(word, &type));
        name = span_dup(owner);
        rdata = span_dup(span_trim(line));
        if (zone_add_text(z, name, type, (uint32_t)ttl, rdata, "test", &err) == -1)
            fail_msg("%s %s: %s", name, rdata, err.text);
        free(rdata);
        free(name);
    }
}

static struct zone *read_zone(const char *first, const char *second)
{
    struct dname apex;
    struct zone *z;

    assert_int_equal(dname_parse(span_str("example.com"), NULL, &apex), DNAME_OK);
    z = zone_new(dname_span(&apex), 0);
    add_lines(z, first);
    add_lines(z, second);
    return z;
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct zone *z = read_zone(sound, cases[i].lines);
        struct seen s = {.want = cases[i].want};
        size_t errors = lint_zone(z, take, &s);

        assert_int_equal(errors, s.errors);
        if ((cases[i].want == NULL && s.n > 0) || (cases[i].want != NULL && !s.is_found))
            fail_msg("%swanted %s, found: %s", cases[i].lines,
                     cases[i].want == NULL ? "nothing" : cases[i].want, s.all);
        zone_free(&z);
    }
}

static void test_bare_zones(void **state)
{
    static const struct {
        const char *text, *want;
    } bare[] = {
        {"$TTL 300\n@ IN NS ns.other.example.\n", "soa-missing"},
        {"$TTL 300\n@ IN SOA ns1 p 1 2 3 4 5\n", "ns-missing"},
        {"$TTL 300\n@ IN SOA ns1 p 1 2 3 4 5\n@ IN NS ns.o.example.\n", "ns-single"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bare); i++) {
        struct zone *z = read_zone(bare[i].text, "");
        struct seen s = {.want = bare[i].want};

        (void)lint_zone(z, take, &s);
        if (!s.is_found)
            fail_msg("wanted %s, found: %s", bare[i].want, s.all);
        zone_free(&z);
    }
}

static void test_every_rule_is_documented(void **state)
{
    (void)state;
    for (size_t i = 0; i < lint_rules_count; i++) {
        assert_non_null(lint_rules[i].id);
        assert_true(strlen(lint_rules[i].meaning) > 10 && strlen(lint_rules[i].fix) > 5);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(lint_rules[i].id, lint_rules[j].id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_bare_zones),
        cmocka_unit_test(test_every_rule_is_documented),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
