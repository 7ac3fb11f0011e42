/* SPDX-License-Identifier: ISC */
/* The checks on answers that stand here as text: no network, no clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/dns/rdata.h"
#include "base/dns/rrtype.h"
#include "checker/check.h"

/* One answer: rdata texts separated by '|'; "!" NXDOMAIN, "-" no data, "?" no answer. */
struct answer {
    const char *name;
    uint16_t type;
    const char *rdata;
};

static void learn(struct facts *f, const struct answer *a)
{
    struct buf wire[8];
    struct span rdata[8];
    size_t n = 0;
    struct span rest = span_str(a->rdata), one;
    bool more = true;

    if (strcmp(a->rdata, "!") == 0 || strcmp(a->rdata, "-") == 0 ||
        strcmp(a->rdata, "?") == 0) {
        fact_learn(f, a->name, a->type,
                   a->rdata[0] == '!'   ? FACT_NO_NAME
                   : a->rdata[0] == '-' ? FACT_NO_DATA
                                        : FACT_UNKNOWN,
                   "silence", NULL, 0);
        return;
    }
    while (more) {
        more = span_cut(rest, '|', &one, &rest);
        buf_init(&wire[n], 65536);
        assert_int_equal(rdata_parse(a->type, one, NULL, &wire[n], NULL), 0);
        rdata[n] = buf_all(&wire[n]);
        n++;
    }
    fact_learn(f, a->name, a->type, FACT_RECORDS, NULL, rdata, n);
    for (size_t i = 0; i < n; i++)
        buf_free(&wire[i]);
}

/* Run like the collector does; a question that no answer covers does not exist. */
static void run(void (*check)(void *, struct facts *, struct findings *), void *ctx,
                const struct answer *answers, size_t n, struct findings *out)
{
    struct facts *f = facts_new();

    for (int round = 0; round < 20; round++) {
        const char *name;
        uint16_t type;

        findings_reset(out);
        check(ctx, f, out);
        if (facts_open(f) == 0)
            break;
        while (facts_question(f, 0, &name, &type)) {
            struct answer none = {name, type, "!"};
            const struct answer *a = &none;

            for (size_t i = 0; i < n; i++)
                if (answers[i].type == type && strcmp(answers[i].name, name) == 0)
                    a = &answers[i];
            learn(f, a);
        }
    }
    assert_int_equal(facts_open(f), 0);
    facts_free(&f);
}

static const struct finding *find(const struct findings *out, const char *id,
                                  enum outcome outcome)
{
    for (size_t i = 0; i < out->n; i++)
        if (strcmp(out->items[i].check->id, id) == 0 && out->items[i].outcome == outcome)
            return &out->items[i];
    return NULL;
}

static void dump(const struct findings *out)
{
    for (size_t i = 0; i < out->n; i++)
        print_message("%s %d %s: %s\n", out->items[i].check->id, out->items[i].outcome,
                      out->items[i].subject, out->items[i].seen);
}

/* The healthy domain; a case replaces or adds some answers. */
static const struct answer healthy[] = {
    {"a.example", RR_SOA, "ns. root. 1 2 3 4 5"},
    {"a.example", RR_MX, "10 mx.a.example."},
    {"mx.a.example", RR_A, "5.6.7.25"},
    {"25.7.6.5.in-addr.arpa", RR_PTR, "mx.a.example."},
    {"a.example", RR_TXT, "\"v=spf1 mx -all\""},
    {"s._domainkey.a.example", RR_TXT,
     "\"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\""},
    {"_dmarc.a.example", RR_TXT, "\"v=DMARC1; p=reject; rua=mailto:d@a.example\""},
    {"_smtp._tls.a.example", RR_TXT, "\"v=TLSRPTv1; rua=mailto:d@a.example\""},
};

static const struct {
    const char *name;
    struct answer change[2];
    const char *want_id; /* NULL: no failure, nothing untested */
    enum outcome want;
} domain_cases[] = {
    {"healthy domain is clean", {{0}}, NULL, OUTCOME_PASS},
    {"domain does not exist", {{"a.example", RR_SOA, "!"}}, "DL-001", OUTCOME_FAIL},
    {"silence is not a failure",
     {{"a.example", RR_SOA, "?"}},
     "DL-001",
     OUTCOME_UNTESTED},
    {"rfc5321_5_1 no mx", {{"a.example", RR_MX, "-"}}, "MX-001", OUTCOME_FAIL},
    {"rfc7505 null mx is fine", {{"a.example", RR_MX, "0 ."}}, NULL, OUTCOME_PASS},
    {"mx host without address", {{"mx.a.example", RR_A, "-"}}, "MX-002", OUTCOME_FAIL},
    {"mx host silent", {{"mx.a.example", RR_A, "?"}}, "MX-002", OUTCOME_UNTESTED},
    {"rfc2181_10_3 mx is alias",
     {{"mx.a.example", RR_CNAME, "x."}},
     "MX-003",
     OUTCOME_FAIL},
    {"private mx address", {{"mx.a.example", RR_A, "10.1.2.3"}}, "MX-007", OUTCOME_FAIL},
    {"no reverse name", {{"25.7.6.5.in-addr.arpa", RR_PTR, "!"}}, "MX-021", OUTCOME_FAIL},
    {"no spf", {{"a.example", RR_TXT, "\"hello\""}}, "SP-001", OUTCOME_FAIL},
    {"rfc7208_4_5 two spf",
     {{"a.example", RR_TXT, "\"v=spf1 -all\"|\"v=spf1 mx -all\""}},
     "SP-002",
     OUTCOME_FAIL},
    {"rfc7208_4_6_1 bad term",
     {{"a.example", RR_TXT, "\"v=spf1 ipv4:1.2.3.4 -all\""}},
     "SP-003",
     OUTCOME_FAIL},
    {"rfc7208_4_6_4 include loop",
     {{"a.example", RR_TXT, "\"v=spf1 include:a.example -all\""}},
     "SP-004",
     OUTCOME_FAIL},
    {"plus all", {{"a.example", RR_TXT, "\"v=spf1 +all\""}}, "SP-009", OUTCOME_FAIL},
    {"no all", {{"a.example", RR_TXT, "\"v=spf1 mx\""}}, "SP-010", OUTCOME_FAIL},
    {"dkim not published",
     {{"s._domainkey.a.example", RR_TXT, "!"}},
     "DK-001",
     OUTCOME_FAIL},
    {"dkim broken",
     {{"s._domainkey.a.example", RR_TXT, "\"v=DKIM; p=x\""}},
     "DK-003",
     OUTCOME_FAIL},
    {"dkim revoked",
     {{"s._domainkey.a.example", RR_TXT, "\"v=DKIM1; p=\""}},
     "DK-005",
     OUTCOME_FAIL},
    {"no dmarc", {{"_dmarc.a.example", RR_TXT, "!"}}, "DM-001", OUTCOME_FAIL},
    {"two dmarc",
     {{"_dmarc.a.example", RR_TXT, "\"v=DMARC1; p=none\"|\"v=DMARC1; p=reject\""}},
     "DM-002",
     OUTCOME_FAIL},
    {"dmarc broken",
     {{"_dmarc.a.example", RR_TXT, "\"v=DMARC1; p=maybe\""}},
     "DM-003",
     OUTCOME_FAIL},
    {"dmarc only watches",
     {{"_dmarc.a.example", RR_TXT, "\"v=DMARC1; p=none; rua=mailto:d@a.example\""}},
     "DM-004",
     OUTCOME_FAIL},
    {"dmarc without reports",
     {{"_dmarc.a.example", RR_TXT, "\"v=DMARC1; p=reject\""}},
     "DM-009",
     OUTCOME_FAIL},
    {"no tls reports", {{"_smtp._tls.a.example", RR_TXT, "!"}}, "TR-001", OUTCOME_FAIL},
};

static void domain_findings(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT_OF(domain_cases); c++) {
        struct answer answers[COUNT_OF(healthy) + 2];
        struct check_target t = {
            .domain = "a.example", .selector = {"s"}, .n_selectors = 1};
        struct findings out;
        size_t n = COUNT_OF(healthy);

        memcpy(answers, healthy, sizeof(healthy));
        for (size_t i = 0; i < 2 && domain_cases[c].change[i].name != NULL; i++)
            answers[n++] = domain_cases[c].change[i];
        findings_init(&out);
        run(check_domain, &t, answers, n, &out);
        if (domain_cases[c].want_id == NULL) {
            for (size_t i = 0; i < out.n; i++)
                if (out.items[i].outcome != OUTCOME_PASS) {
                    dump(&out);
                    fail_msg("%s: not clean", domain_cases[c].name);
                }
        } else if (find(&out, domain_cases[c].want_id, domain_cases[c].want) == NULL) {
            dump(&out);
            fail_msg("%s: no %s", domain_cases[c].name, domain_cases[c].want_id);
        }
        findings_free(&out);
    }
}

static void database_and_world_are_compared(void **state)
{
    static const struct answer drift[] = {{"a.example", RR_MX, "10 old.a.example."}};
    struct answer answers[COUNT_OF(healthy) + 1];
    struct dname apex;
    struct zone *z;
    struct check_target t = {.domain = "a.example", .selector = {"s"}, .n_selectors = 1};
    struct findings out;
    const struct finding *f;

    (void)state;
    assert_int_equal(dname_parse(SPAN_LIT("a.example."), NULL, &apex), DNAME_OK);
    z = zone_new(dname_span(&apex), 0);
    assert_int_equal(zone_add_text(z, "@", RR_MX, 300, "10 mx.a.example.", "mx", NULL),
                     0);
    t.zone = z;
    findings_init(&out);
    run(check_domain, &t, healthy, COUNT_OF(healthy), &out);
    assert_non_null(find(&out, "DB-001", OUTCOME_PASS));
    memcpy(answers, healthy, sizeof(healthy));
    answers[COUNT_OF(healthy)] = drift[0];
    run(check_domain, &t, answers, COUNT_OF(answers), &out);
    f = find(&out, "DB-001", OUTCOME_FAIL);
    assert_non_null(f);
    assert_string_equal(f->fix, "a.example. 300 IN MX 10 mx.a.example.");
    assert_string_equal(f->seen, "MX 10 old.a.example.");
    findings_free(&out);
    zone_free(&z);
}

static const struct {
    const char *name, *addr;
    struct answer answers[3];
    const char *want_id;
    enum outcome want;
} host_cases[] = {
    {"confirmed",
     "192.0.2.9",
     {{"9.2.0.192.in-addr.arpa", RR_PTR, "mx.a.example."},
      {"mx.a.example", RR_A, "192.0.2.9"}},
     "RV-003",
     OUTCOME_PASS},
    {"no ptr", "192.0.2.9", {{0}}, "RV-001", OUTCOME_FAIL},
    {"silent",
     "192.0.2.9",
     {{"9.2.0.192.in-addr.arpa", RR_PTR, "?"}},
     "RV-001",
     OUTCOME_UNTESTED},
    {"not confirmed",
     "192.0.2.9",
     {{"9.2.0.192.in-addr.arpa", RR_PTR, "mx.a.example."},
      {"mx.a.example", RR_A, "192.0.2.8"}},
     "RV-003",
     OUTCOME_FAIL},
    {"generic",
     "192.0.2.9",
     {{"9.2.0.192.in-addr.arpa", RR_PTR, "ip-192-0-2-9.isp.example."},
      {"ip-192-0-2-9.isp.example", RR_A, "192.0.2.9"}},
     "RV-005",
     OUTCOME_FAIL},
    {"two names",
     "192.0.2.9",
     {{"9.2.0.192.in-addr.arpa", RR_PTR, "a.example.|mx.a.example."},
      {"mx.a.example", RR_A, "192.0.2.9"}},
     "RV-004",
     OUTCOME_FAIL},
    {"ipv6",
     "2001:db8::1",
     {{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", RR_PTR,
       "m.a."},
      {"m.a", RR_AAAA, "2001:db8::1"}},
     "RV-003",
     OUTCOME_PASS},
};

static void reverse_findings(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT_OF(host_cases); c++) {
        struct check_host h = {0};
        struct findings out;
        size_t n = 0;

        while (n < 3 && host_cases[c].answers[n].name != NULL)
            n++;
        assert_true(ipaddr_parse(span_str(host_cases[c].addr), &h.addr));
        findings_init(&out);
        run(check_rdns, &h, host_cases[c].answers, n, &out);
        if (find(&out, host_cases[c].want_id, host_cases[c].want) == NULL) {
            dump(&out);
            fail_msg("%s", host_cases[c].name);
        }
        findings_free(&out);
    }
}

/* The list's own entries: listed and not listed. */
#define ALIVE                                                                            \
    {                                                                                    \
        "2.0.0.127.bl.test", RR_A, "127.0.0.2"                                           \
    }

static const struct {
    const char *name;
    struct answer answers[3];
    const char *want_id;
    enum outcome want;
} list_cases[] = {
    {"rfc5782_2_1 not listed", {ALIVE}, "BL-001", OUTCOME_PASS},
    {"rfc5782_2_1 listed",
     {ALIVE, {"9.2.0.192.bl.test", RR_A, "127.0.0.4"}},
     "BL-001",
     OUTCOME_FAIL},
    {"refused is not listed",
     {ALIVE, {"9.2.0.192.bl.test", RR_A, "127.255.255.254"}},
     "BL-001",
     OUTCOME_UNTESTED},
    {"rfc5782_5 dead list", {{0}}, "BL-003", OUTCOME_UNTESTED},
    {"rfc5782_5 lists everything",
     {ALIVE, {"1.0.0.127.bl.test", RR_A, "127.0.0.2"}},
     "BL-003",
     OUTCOME_UNTESTED},
    {"silent list", {{"2.0.0.127.bl.test", RR_A, "?"}}, "BL-003", OUTCOME_UNTESTED},
    {"parked domain answers",
     {{"2.0.0.127.bl.test", RR_A, "203.0.113.1"}},
     "BL-003",
     OUTCOME_UNTESTED},
};

static void blocklist_findings(void **state)
{
    static const char *const own[] = {"bl.test"};

    (void)state;
    for (size_t c = 0; c < COUNT_OF(list_cases); c++) {
        struct check_listed l = {.lists = own, .n_lists = 1};
        struct findings out;
        size_t n = 0;

        while (n < 3 && list_cases[c].answers[n].name != NULL)
            n++;
        assert_true(ipaddr_parse(SPAN_LIT("192.0.2.9"), &l.addr));
        findings_init(&out);
        run(check_blocklist, &l, list_cases[c].answers, n, &out);
        if (find(&out, list_cases[c].want_id, list_cases[c].want) == NULL) {
            dump(&out);
            fail_msg("%s", list_cases[c].name);
        }
        findings_free(&out);
    }
}

static void rfc5782_2_4_ipv6_test_entry_is_asked_by_nibbles(void **state)
{
    static const char *const own[] = {"bl.test"};
    struct check_listed l = {.lists = own, .n_lists = 1};
    struct facts *f = facts_new();
    struct findings out;
    const char *name;
    uint16_t type;

    (void)state;
    assert_true(ipaddr_parse(SPAN_LIT("2001:db8::1"), &l.addr));
    findings_init(&out);
    check_blocklist(&l, f, &out);
    assert_true(facts_question(f, 0, &name, &type));
    assert_string_equal(name,
                        "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
                        "bl.test");
    findings_free(&out);
    facts_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(domain_findings),
        cmocka_unit_test(database_and_world_are_compared),
        cmocka_unit_test(reverse_findings),
        cmocka_unit_test(blocklist_findings),
        cmocka_unit_test(rfc5782_2_4_ipv6_test_entry_is_asked_by_nibbles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
