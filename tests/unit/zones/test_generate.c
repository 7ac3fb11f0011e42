/* SPDX-License-Identifier: ISC */
/* Every record kind of the generator, and every refusal of a custom record. No database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/dns/rdata.h"
#include "zones/generate.h"
#include "zones/lint.h"

static struct host_row hosts[4];
static const struct host_set set = {hosts, 4};

static void add_address(struct host_row *h, const char *text)
{
    assert_true(ipaddr_parse(span_str(text), &h->addr[h->n_addr]));
    h->n_addr++;
}

static const char long_key[] =
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwRZ2CqzMdrCvmir+7Msb1DB+"
    "4UQUPjitHqibmv4ybThK"
    "irhjzvyZMR6nKkQjkLdE/I1Tp26n6RBDl3GYqrIEHusVABPj+brS55I9W/28/"
    "lnh1IVchA3GRb+MoFx+R8uvkasW"
    "+oppfX5nYVfcpPbP1CkXRgGqTiqnsaqZza5gk5/2gITB/"
    "BsWDJY7l11iIFvkldqsfEc5XLq75eS3A75AEV9pKz7L"
    "/1gt8gZ97vfFAdxO7UcAav44gXZ8/t8zzGCZe1D/"
    "oiZrgvL2jUUGzRT1nEHDenDaCnCqmg68UD3CHSZKEnkyv0lT"
    "SkxYe7zwsXfmbQHFECC1hHcgdeq2uFOa+QIDAQAB";

static struct dkim_key_row keys[3];
static const char *const children[] = {"child.example.com"};
static const char *const consents[] = {"theirs.example._report._dmarc.example.com"};

static const struct domain_row plain = {.id = 7,
                                        .name = "example.com",
                                        .host_id = 1,
                                        .mx_preference = 10,
                                        .rua = "postmaster@example.com"};

/* A host of each role: ours in the zone, a name server below the child, two elsewhere. */
static int set_up(void **state)
{
    (void)state;
    memset(hosts, 0, sizeof(hosts));
    hosts[0] = (struct host_row){
        .id = 1, .name = "mail.example.com", .roles = HOST_MAIL, .is_settled = true};
    hosts[0].port[HOST_SUBMISSIONS] = 465;
    hosts[0].port[HOST_IMAPS] = 993;
    add_address(&hosts[0], "203.0.113.1");
    add_address(&hosts[0], "2001:db8::1");
    hosts[1] = (struct host_row){.id = 2, .name = "ns1.example.com", .roles = HOST_NS};
    add_address(&hosts[1], "203.0.113.53");
    hosts[2] =
        (struct host_row){.id = 3, .name = "ns2.child.example.com", .roles = HOST_NS};
    add_address(&hosts[2], "203.0.113.54");
    hosts[3] =
        (struct host_row){.id = 4, .name = "mx2.example.net", .roles = HOST_BACKUP};
    keys[0] = (struct dkim_key_row){
        .selector = "rsa-1", .algorithm = KEY_RSA2048, .state = KEYSTATE_ACTIVE};
    (void)snprintf(keys[0].public_b64, sizeof(keys[0].public_b64), "%s", long_key);
    keys[1] = (struct dkim_key_row){
        .selector = "ed-1", .algorithm = KEY_ED25519, .state = KEYSTATE_RETIRED};
    (void)snprintf(keys[1].public_b64, sizeof(keys[1].public_b64),
                   "QTxctrNPH3W20TaF4Qd7rdXz6z/KEbV93MA4al4fGd8=");
    keys[2] = (struct dkim_key_row){
        .selector = "new", .algorithm = KEY_ED25519, .state = KEYSTATE_GENERATED};
    return 0;
}

static struct generate_input input(const struct domain_row *d)
{
    return (struct generate_input){.domain = d,
                                   .soa_serial = 2026112207,
                                   .hosts = &set,
                                   .keys = keys,
                                   .n_keys = 3,
                                   .children = children,
                                   .n_children = 1,
                                   .consents = consents,
                                   .n_consents = 1};
}

/* The records of a name and type as text, joined by " | "; "" when there are none. */
static void find(const struct zone *z, const char *owner, const char *type, char *out,
                 size_t cap, uint32_t *ttl_s, const char **rule)
{
    struct dname name;
    uint16_t number;
    const struct rrset *s;

    assert_int_equal(dname_parse(span_str(owner), NULL, &name), DNAME_OK);
    assert_true(rrtype_parse(span_str(type), &number));
    s = zone_find(z, dname_span(&name), number);
    out[0] = '\0';
    for (size_t i = 0; s != NULL && i < s->n; i++) {
        struct buf text;

        buf_init(&text, 65536);
        assert_int_equal(rdata_print(number, s->rr[i].rdata, &text), 0);
        (void)snprintf(out + strlen(out), cap - strlen(out), "%s%s", i > 0 ? " | " : "",
                       buf_cstr(&text));
        buf_free(&text);
        *ttl_s = s->ttl_s;
        *rule = s->rr[i].rule;
    }
}

static const struct {
    const char *owner, *type, *want, *rule;
    uint32_t ttl_s;
} kinds[] = {
    {"example.com", "SOA",
     "ns1.example.com. postmaster.example.com. 2026112207 7200 900 1209600 300", "soa",
     300},
    {"example.com", "NS", "ns1.example.com. | ns2.child.example.com.", "ns", 86400},
    {"example.com", "MX", "10 mail.example.com. | 20 mx2.example.net.", "mx", 300},
    {"example.com", "TXT", "\"v=spf1 ip4:203.0.113.1 ip6:2001:db8::1 mx ~all\"", "spf",
     300},
    {"example.com", "A", "", NULL, 0},
    {"mail.example.com", "A", "203.0.113.1", "host-address", 3600},
    {"mail.example.com", "AAAA", "2001:db8::1", "host-address", 3600},
    {"mail.example.com", "TXT", "\"v=spf1 ip4:203.0.113.1 ip6:2001:db8::1 -all\"",
     "helo-spf", 300},
    {"mail.example.com", "MX", "", NULL, 0},
    {"ns1.example.com", "A", "203.0.113.53", "host-address", 300},
    {"ns1.example.com", "MX", "0 .", "lock-down", 300},
    {"ns1.example.com", "TXT", "\"v=spf1 -all\"", "lock-down", 300},
    {"_dmarc.ns1.example.com", "TXT", "\"v=DMARC1; p=reject\"", "lock-down", 300},
    {"child.example.com", "NS", "ns1.example.com. | ns2.child.example.com.", "child-zone",
     86400},
    {"ns2.child.example.com", "A", "203.0.113.54", "child-zone", 86400},
    {"ns2.child.example.com", "MX", "", NULL, 0}, /* glue is not ours to lock */
    {"ed-1._domainkey.example.com", "TXT",
     "\"v=DKIM1; k=ed25519; p=QTxctrNPH3W20TaF4Qd7rdXz6z/KEbV93MA4al4fGd8=\"", "dkim",
     300},
    {"new._domainkey.example.com", "TXT", "", NULL, 0}, /* not published yet */
    {"_dmarc.example.com", "TXT",
     "\"v=DMARC1; p=none; rua=mailto:postmaster@example.com\"", "dmarc", 300},
    {"theirs.example._report._dmarc.example.com", "TXT", "\"v=DMARC1\"", "report-consent",
     300},
    {"_smtp._tls.example.com", "TXT", "\"v=TLSRPTv1; rua=mailto:postmaster@example.com\"",
     "tls-rpt", 300},
    {"_imaps._tcp.example.com", "SRV", "0 1 993 mail.example.com.", "srv", 300},
    {"_submissions._tcp.example.com", "SRV", "0 1 465 mail.example.com.", "srv", 300},
    {"_imap._tcp.example.com", "SRV", "0 0 0 .", "srv", 300},
    {"_submission._tcp.example.com", "SRV", "0 0 0 .", "srv", 300},
    {"_pop3._tcp.example.com", "SRV", "0 0 0 .", "srv", 300},
    {"_pop3s._tcp.example.com", "SRV", "0 0 0 .", "srv", 300},
    {"_sieve._tcp.example.com", "SRV", "0 0 0 .", "srv", 300},
};

static struct zone *make(const struct generate_input *in)
{
    struct err err = {0};
    struct zone *z = generate_zone(in, &err);

    if (z == NULL)
        fail_msg("%s", err.text);
    return z;
}

static void test_every_kind(void **state)
{
    const struct generate_input in = input(&plain);
    struct zone *z = make(&in);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        char got[2048];
        uint32_t ttl_s = 0;
        const char *rule = NULL;

        find(z, kinds[i].owner, kinds[i].type, got, sizeof(got), &ttl_s, &rule);
        if (strcmp(got, kinds[i].want) != 0 || ttl_s != kinds[i].ttl_s ||
            (rule == NULL) != (kinds[i].rule == NULL) ||
            (rule != NULL && strcmp(rule, kinds[i].rule) != 0))
            fail_msg("%s %s: %s, TTL %u, rule %s", kinds[i].owner, kinds[i].type, got,
                     (unsigned)ttl_s, rule == NULL ? "none" : rule);
    }
    assert_int_equal(lint_zone(z, NULL, NULL), 0);
    zone_free(&z);
}

static void test_rsa_key_is_split_at_255(void **state)
{
    const struct generate_input in = input(&plain);
    struct zone *z = make(&in);
    struct dname name;
    const struct rrset *s;

    (void)state;
    assert_int_equal(dname_parse(span_str("rsa-1._domainkey.example.com"), NULL, &name),
                     DNAME_OK);
    s = zone_find(z, dname_span(&name), RR_TXT);
    assert_non_null(s);
    assert_int_equal(s->rr[0].rdata.p[0], 255);
    assert_int_equal(s->rr[0].rdata.n,
                     2 + strlen("v=DKIM1; k=rsa; p=") + strlen(long_key));
    zone_free(&z);
}

static void test_policy_columns(void **state)
{
    struct domain_row d = plain;
    const struct generate_input in = input(&d);
    struct zone *z;
    char got[512];
    uint32_t ttl_s;
    const char *rule;

    (void)state;
    d.spf = DOMAIN_SPF_HARD;
    (void)snprintf(d.spf_extra, sizeof(d.spf_extra), "include:relay.example");
    d.dmarc = DOMAIN_DMARC_REJECT;
    d.rua[0] = '\0';
    d.has_apex_address = true;
    d.is_settled = true;
    d.mx_preference = 65535;
    z = make(&in);
    find(z, "example.com", "TXT", got, sizeof(got), &ttl_s, &rule);
    assert_string_equal(
        got, "\"v=spf1 ip4:203.0.113.1 ip6:2001:db8::1 mx include:relay.example -all\"");
    assert_int_equal(ttl_s, 3600); /* domain and mail host are settled */
    find(z, "_dmarc.example.com", "TXT", got, sizeof(got), &ttl_s, &rule);
    assert_string_equal(got, "\"v=DMARC1; p=reject\"");
    find(z, "_smtp._tls.example.com", "TXT", got, sizeof(got), &ttl_s, &rule);
    assert_string_equal(got, "");
    find(z, "example.com", "A", got, sizeof(got), &ttl_s, &rule);
    assert_string_equal(got, "203.0.113.1");
    assert_string_equal(rule, "apex-address");
    find(z, "example.com", "MX", got, sizeof(got), &ttl_s, &rule);
    assert_string_equal(got, "65535 mx2.example.net. | 65535 mail.example.com.");
    zone_free(&z);
}

static void test_input_that_contradicts_itself(void **state)
{
    struct domain_row d = plain;
    const struct generate_input in = input(&d);
    struct err err = {0};

    (void)state;
    d.host_id = 99;
    assert_null(generate_zone(&in, &err));
    assert_non_null(strstr(err.text, "mail host is gone"));
    d = plain;
    (void)snprintf(d.spf_extra, sizeof(d.spf_extra), "ip4:299.1.1.1");
    assert_null(generate_zone(&in, &err));
    assert_non_null(strstr(err.text, "not an IPv4"));
    d = plain;
    hosts[1].roles = hosts[2].roles = 0;
    assert_null(generate_zone(&in, &err));
    assert_non_null(strstr(err.text, "role ns"));
    (void)set_up(NULL);
}

/* ---- custom records ---- */

static struct record_row standing[] = {
    {.id = 1, .owner = "www.example.com", .type = RR_A, .rdata = "198.51.100.80"},
    {.id = 2,
     .owner = "shop.example.com",
     .type = RR_CNAME,
     .rdata = "shops.example.net."},
    {.id = 3, .owner = "sub.example.com", .type = RR_NS, .rdata = "ns.other.example."},
    {.id = 4,
     .owner = "list.example.com",
     .type = RR_MX,
     .ttl_s = 60,
     .rdata = "5 lists.example.net."},
    {.id = 5, .owner = "list.example.com", .type = RR_A, .rdata = "198.51.100.81"},
};

static const struct {
    const char *owner;
    uint16_t type;
    const char *rdata;
    enum domaindb_result want;
    const char *want_in_error;
} customs[] = {
    {"ftp.example.com", RR_A, "198.51.100.9", DOMAINDB_OK, NULL},
    {"www.example.com", RR_A, "198.51.100.82", DOMAINDB_OK, NULL},
    {"www.example.com", RR_A, "198.51.100.80", DOMAINDB_EXISTS, "already"},
    {"example.com", RR_TXT, "\"google-site-verification=x\"", DOMAINDB_OK, NULL},
    {"example.com", RR_TXT, "\"v=spf1 -all\"", DOMAINDB_REFUSED, "--spf"},
    {"mail.example.com", RR_TXT, "\"v=spf1 -all\"", DOMAINDB_REFUSED, "helo-spf"},
    {"www.example.com", RR_TXT, "\"v=spf1 a -all\"", DOMAINDB_OK,
     NULL}, /* lifts the lock */
    {"www.example.com", RR_MX, "10 www.example.com.", DOMAINDB_OK, NULL},
    {"_dmarc.www.example.com", RR_TXT, "\"v=DMARC1; p=none\"", DOMAINDB_OK, NULL},
    {"example.com", RR_MX, "5 other.example.", DOMAINDB_REFUSED, "rule mx"},
    {"example.com", RR_NS, "ns.other.example.", DOMAINDB_REFUSED, "host set NAME --role"},
    {"example.com", RR_SOA, "a. b. 1 2 3 4 5", DOMAINDB_REFUSED, "generated"},
    {"example.com", RR_CNAME, "other.example.", DOMAINDB_REFUSED,
     "apex cannot be an alias"},
    {"example.com", RR_A, "198.51.100.1", DOMAINDB_OK, NULL},
    {"mail.example.com", RR_A, "198.51.100.1", DOMAINDB_REFUSED, "host set"},
    {"mail.example.com", RR_CNAME, "other.example.", DOMAINDB_REFUSED,
     "no CNAME may stand"},
    {"_dmarc.example.com", RR_TXT, "\"v=DMARC1; p=none\"", DOMAINDB_REFUSED, "--dmarc"},
    {"rsa-1._domainkey.example.com", RR_TXT, "\"v=DKIM1; p=\"", DOMAINDB_REFUSED, "dkim"},
    {"theirs._domainkey.example.com", RR_CNAME, "key.example.net.", DOMAINDB_OK, NULL},
    {"_imaps._tcp.example.com", RR_SRV, "0 1 993 o.example.", DOMAINDB_REFUSED,
     "--service"},
    {"_sip._tcp.example.com", RR_SRV, "0 1 5060 sip.example.net.", DOMAINDB_OK, NULL},
    {"shop.example.com", RR_A, "198.51.100.1", DOMAINDB_REFUSED, "is an alias"},
    {"shop.example.com", RR_CNAME, "b.example.", DOMAINDB_REFUSED, "at most one CNAME"},
    {"www.example.com", RR_CNAME, "b.example.", DOMAINDB_REFUSED, "no CNAME may stand"},
    {"a.sub.example.com", RR_A, "198.51.100.1", DOMAINDB_OK, NULL}, /* glue */
    {"a.sub.example.com", RR_TXT, "\"x\"", DOMAINDB_REFUSED, "delegated away"},
    {"sub.example.com", RR_MX, "1 a.example.", DOMAINDB_REFUSED, "delegated away"},
    {"sub.example.com", RR_NS, "ns2.other.example.", DOMAINDB_OK, NULL},
    {"child.example.com", RR_A, "198.51.100.1", DOMAINDB_REFUSED, "hosted here too"},
    {"w.child.example.com", RR_A, "198.51.100.1", DOMAINDB_REFUSED, "hosted here too"},
    {"mail.example.com", RR_NS, "ns.other.example.", DOMAINDB_REFUSED, "would hide"},
    {"_tcp.example.com", RR_NS, "ns.other.example.", DOMAINDB_REFUSED, "would hide"},
    {"other.example", RR_A, "198.51.100.1", DOMAINDB_REFUSED, "not in the zone"},
    {"www.example.com", RR_A, "198.51.100", DOMAINDB_REFUSED, "www.example.com A"},
    {"www.example.com", RR_ANY, "x", DOMAINDB_REFUSED, ""},
    {"www.example.com", RR_SPF, "\"v=spf1\"", DOMAINDB_REFUSED, "obsolete"},
    {"www.example.com", RR_RRSIG, "\\# 0", DOMAINDB_REFUSED, ""},
    {"*.example.com", RR_A, "198.51.100.1", DOMAINDB_OK, NULL},
};

static void test_custom_records(void **state)
{
    struct generate_input in = input(&plain);
    struct zone *z;

    (void)state;
    in.records = standing;
    in.n_records = COUNT_OF(standing);
    z = make(&in);
    for (size_t i = 0; i < COUNT_OF(customs); i++) {
        struct record_row r = {.type = customs[i].type, .rdata = customs[i].rdata};
        struct err err = {0};
        enum domaindb_result got;

        (void)snprintf(r.owner, sizeof(r.owner), "%s", customs[i].owner);
        got = generate_check_record(z, &r, &err);
        if (got != customs[i].want ||
            (got != DOMAINDB_OK && strstr(err.text, customs[i].want_in_error) == NULL))
            fail_msg("%s %u %s: %d \"%s\"", customs[i].owner, (unsigned)customs[i].type,
                     customs[i].rdata, (int)got, err.text);
    }
    zone_free(&z);
}

static void test_custom_records_stand_in_the_zone(void **state)
{
    struct generate_input in = input(&plain);
    struct zone *z;
    char got[512];
    uint32_t ttl_s;
    const char *rule;

    (void)state;
    in.records = standing;
    in.n_records = COUNT_OF(standing);
    z = make(&in);
    find(z, "www.example.com", "A", got, sizeof(got), &ttl_s, &rule);
    assert_string_equal(got, "198.51.100.80");
    assert_string_equal(rule, "custom 1");
    assert_string_equal(generate_rule_find(rule)->rule, "custom");
    find(z, "www.example.com", "MX", got, sizeof(got), &ttl_s, &rule);
    assert_string_equal(got, "0 ."); /* has an address and no mail: locked */
    find(z, "list.example.com", "MX", got, sizeof(got), &ttl_s, &rule);
    assert_string_equal(got, "5 lists.example.net.");
    assert_int_equal(ttl_s, 60);
    find(z, "list.example.com", "TXT", got, sizeof(got), &ttl_s, &rule);
    assert_string_equal(got, ""); /* its own MX lifts the lock-down */
    find(z, "sub.example.com", "NS", got, sizeof(got), &ttl_s, &rule);
    assert_string_equal(got, "ns.other.example.");
    zone_free(&z);
}

static void test_same_input_same_zone(void **state)
{
    const struct generate_input in = input(&plain);
    struct zone *a = make(&in), *b = make(&in);

    (void)state;
    assert_int_equal(zone_diff(a, b, NULL, NULL), 0);
    zone_free(&b);
    zone_free(&a);
}

static void test_rules_explain_themselves(void **state)
{
    (void)state;
    for (size_t i = 0; i < generate_rule_count(); i++) {
        const struct generate_rule_info *r = generate_rule_at(i);

        assert_ptr_equal(generate_rule_find(r->rule), r);
        assert_true(strlen(r->why) > 10 && strlen(r->change) > 10);
    }
    assert_null(generate_rule_find("no such rule"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_rsa_key_is_split_at_255),
        cmocka_unit_test(test_policy_columns),
        cmocka_unit_test(test_input_that_contradicts_itself),
        cmocka_unit_test(test_custom_records),
        cmocka_unit_test(test_custom_records_stand_in_the_zone),
        cmocka_unit_test(test_same_input_same_zone),
        cmocka_unit_test(test_rules_explain_themselves),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
