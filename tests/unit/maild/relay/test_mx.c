/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/dns/rdata.h"
#include "maild/relay/mx.h"

static const struct {
    const char *name;
    const char *domain;
    int rcode;
    bool is_bogus;
    const char *mx;    /* "10 a;20 b" */
    const char *addrs; /* "a=192.0.2.1,2001:db8::1;b=!" (!: trouble; not named: none) */
    const char *ours;  /* a name that is ours beside the host name us.test */
    enum mx_state want;
    const char *want_text; /* targets as "a/192.0.2.1 ", or the reply */
} cases[] = {
    {"by preference", "d.test", 0, false, "20 b;10 a", "a=192.0.2.1;b=192.0.2.2", "",
     MX_READY, "a/192.0.2.1 b/192.0.2.2 "},
    {"families in turn", "d.test", 0, false, "10 a", "a=192.0.2.1,192.0.2.2,2001:db8::1",
     "", MX_READY, "a/2001:db8::1 a/192.0.2.1 a/192.0.2.2 "},
    {"rfc5321_5_1 no mx: the address", "d.test", 0, false, "", "d.test=192.0.2.9", "",
     MX_READY, "d.test/192.0.2.9 "},
    {"rfc7505 null mx", "d.test", 0, false, "0 .", "", "", MX_FAILED,
     "556 5.1.10 the domain d.test takes no mail (null MX)"},
    {"rfc7505_3 null beside others is ignored", "d.test", 0, false, "0 .;10 a",
     "a=192.0.2.1", "", MX_READY, "a/192.0.2.1 "},
    {"no such domain", "d.test", 3, false, "", "", "", MX_FAILED,
     "550 5.1.2 the domain d.test does not exist"},
    {"servfail", "d.test", 2, false, "", "", "", MX_LATER,
     "451 4.4.3 looking up the mail hosts of d.test failed: SERVFAIL"},
    {"no answer", "d.test", -1, false, "", "", "", MX_LATER,
     "451 4.4.3 looking up the mail hosts of d.test failed: no answer"},
    {"bogus is no answer", "d.test", 2, true, "", "", "", MX_LATER,
     "451 4.4.3 looking up the mail hosts of d.test failed: its DNSSEC signatures do not "
     "hold"},
    {"neither mx nor address", "d.test", 0, false, "", "", "", MX_FAILED,
     "550 5.1.2 the domain d.test has neither mail hosts (MX) nor an address"},
    {"mx without address", "d.test", 0, false, "10 a;20 b", "", "", MX_FAILED,
     "550 5.4.4 no mail host of d.test has an address"},
    {"one host in trouble, another fine", "d.test", 0, false, "10 a;20 b",
     "a=!;b=192.0.2.2", "", MX_READY, "b/192.0.2.2 "},
    {"all in trouble", "d.test", 0, false, "10 a", "a=!", "", MX_LATER,
     "451 4.4.3 looking up the addresses of the mail hosts of d.test failed: no answer"},
    {"rfc5321_5_1 ourselves by name: only better hosts", "d.test", 0, false,
     "10 a;20 US.test;20 b;30 c", "a=192.0.2.1;b=192.0.2.2;c=192.0.2.3", "", MX_READY,
     "a/192.0.2.1 "},
    {"ourselves by address", "d.test", 0, false, "10 a;20 b;30 c",
     "a=192.0.2.1;b=198.51.100.1;c=192.0.2.3", "", MX_READY, "a/192.0.2.1 "},
    {"ourselves by the directory", "d.test", 0, false, "10 a;20 b",
     "a=192.0.2.1;b=192.0.2.2", "b", MX_READY, "a/192.0.2.1 "},
    {"rfc5321_5_1 nobody left: a loop", "d.test", 0, false, "10 us.test;20 a",
     "a=192.0.2.1", "", MX_FAILED,
     "554 5.4.6 mail for d.test would loop: its best mail host is this one, which does "
     "not "
     "know it"},
    {"loopback is ourselves, no address is none", "d.test", 0, false, "10 a;20 b",
     "a=0.0.0.0;b=127.0.0.1", "", MX_FAILED,
     "550 5.4.4 no mail host of d.test has an address"},
    {"address literal", "[192.0.2.7]", 0, false, "", "", "", MX_READY,
     "[192.0.2.7]/192.0.2.7 "},
    {"ipv6 literal", "[IPv6:2001:db8::7]", 0, false, "", "", "", MX_READY,
     "[IPv6:2001:db8::7]/2001:db8::7 "},
    {"bad literal", "[192.0.2]", 0, false, "", "", "", MX_FAILED,
     "553 5.1.2 [192.0.2] is not an address literal"},
    {"bad name", "a..b", 0, false, "", "", "", MX_FAILED,
     "553 5.1.2 a..b is not a domain name"},
};

/* rdata of at most 32 records, as the resolver would give it. */
struct records {
    struct buf wire;
    struct span rdata[32];
    size_t n;
};

static void add_record(struct records *r, uint16_t type, struct span text)
{
    size_t at = r->wire.len;
    struct err err;

    if (rdata_parse(type, text, NULL, &r->wire, &err) != 0)
        fail_msg("%s", err.text);
    r->rdata[r->n++] = span_of(r->wire.data + at, r->wire.len - at);
}

static struct mx_answer answer_of(const struct records *r, int rcode, bool is_bogus)
{
    return (struct mx_answer){rcode, is_bogus, r->n, r->rdata};
}

/* The value of `key` in "k=v;k=v", false when it is not named. */
static bool find(const char *list, const char *key, struct span *value)
{
    struct span rest = span_str(list), item, name;

    while (rest.n > 0) {
        (void)span_cut(rest, ';', &item, &rest);
        (void)span_cut(item, '=', &name, value);
        if (span_eq_str(name, key))
            return true;
    }
    return false;
}

static void take_addrs(struct mx_plan *p, size_t i, const char *addrs)
{
    struct records v4, v6;
    struct span value, text;
    struct ipaddr a;
    struct mx_answer answer;
    int rcode = 0;

    memset(&v4, 0, sizeof(v4));
    memset(&v6, 0, sizeof(v6));
    buf_init(&v4.wire, 4096);
    buf_init(&v6.wire, 4096);
    assert_int_equal(buf_reserve(&v4.wire, 1024), 0); /* spans point into it */
    assert_int_equal(buf_reserve(&v6.wire, 1024), 0);
    if (find(addrs, p->hosts[i].name, &value)) {
        while (value.n > 0) {
            (void)span_cut(value, ',', &text, &value);
            if (span_eq_str(text, "!"))
                rcode = -1;
            else if (ipaddr_parse(text, &a) && a.family == AF_INET)
                add_record(&v4, RR_A, text);
            else
                add_record(&v6, RR_AAAA, text);
        }
    }
    answer = answer_of(&v4, rcode, false);
    mx_take_addrs(p, i, RR_A, &answer);
    answer = answer_of(&v6, rcode, false);
    mx_take_addrs(p, i, RR_AAAA, &answer);
    buf_free(&v4.wire);
    buf_free(&v6.wire);
}

static void check(const char *name, const struct mx_plan *p, const char *want)
{
    char text[1024] = "", addr[IPADDR_TEXT];
    size_t n = 0;

    for (size_t i = 0; i < p->n_targets; i++) {
        ipaddr_print(&p->targets[i].addr, addr);
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s/%s ", p->targets[i].host,
                              addr);
    }
    if (strcmp(p->n_targets > 0 ? text : p->text, want) != 0)
        fail_msg("%s: %s", name, p->n_targets > 0 ? text : p->text);
}

static void plans_follow_the_answers(void **state)
{
    static const struct ipaddr own = {.family = AF_INET, .b = {198, 51, 100, 1}};
    static const struct mx_self self = {"us.test", &own, 1, true, true, true};
    struct rng rng;

    (void)state;
    rng_seeded_init(&rng, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span list = span_str(cases[i].mx), item;
        struct records mx;
        struct mx_answer answer;
        struct mx_plan p;
        enum mx_state s = mx_init(&p, cases[i].domain, &self);

        memset(&mx, 0, sizeof(mx));
        buf_init(&mx.wire, 4096);
        assert_int_equal(buf_reserve(&mx.wire, 2048), 0);
        while (list.n > 0) {
            (void)span_cut(list, ';', &item, &list);
            add_record(&mx, RR_MX, item);
        }
        answer = answer_of(&mx, cases[i].rcode, cases[i].is_bogus);
        if (s == MX_ASK_MX)
            s = mx_take_mx(&p, &answer, &rng);
        if (s == MX_ASK_HOSTS) {
            for (size_t k = 0; k < p.n; k++) {
                if (cases[i].domain[0] != '[')
                    take_addrs(&p, k, cases[i].addrs);
                if (strcmp(p.hosts[k].name, cases[i].ours) == 0)
                    mx_set_ours(&p, k);
            }
            s = mx_decide(&p);
        }
        if (s != cases[i].want)
            fail_msg("%s: state %d (%s)", cases[i].name, (int)s, p.text);
        check(cases[i].name, &p, cases[i].want_text);
        buf_free(&mx.wire);
    }
}

static void rfc5321_5_1_equals_come_in_random_order(void **state)
{
    static const struct mx_self self = {"us.test", NULL, 0, false, true, true};
    unsigned first_a = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct records mx = {.n = 0};
        struct mx_answer answer;
        struct mx_plan p;
        struct rng rng;

        rng_seeded_init(&rng, seed);
        buf_init(&mx.wire, 4096);
        assert_int_equal(buf_reserve(&mx.wire, 2048), 0);
        add_record(&mx, RR_MX, span_str("10 a"));
        add_record(&mx, RR_MX, span_str("10 b"));
        answer = answer_of(&mx, 0, false);
        assert_int_equal(mx_init(&p, "d.test", &self), MX_ASK_MX);
        assert_int_equal(mx_take_mx(&p, &answer, &rng), MX_ASK_HOSTS);
        first_a += strcmp(p.hosts[0].name, "a") == 0;
        buf_free(&mx.wire);
    }
    assert_in_range(first_a, 25, 75);
}

static void of_a_long_list_the_best_are_kept(void **state)
{
    static const struct mx_self self = {"us.test", NULL, 0, false, true, true};
    struct records mx = {.n = 0};
    struct mx_answer answer;
    struct mx_plan p;
    struct rng rng;

    (void)state;
    rng_seeded_init(&rng, 1);
    buf_init(&mx.wire, 4096);
    assert_int_equal(buf_reserve(&mx.wire, 4096), 0);
    for (unsigned i = 0; i < 30; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "%u h%u", 100 - i, i);
        add_record(&mx, RR_MX, span_str(text));
    }
    answer = answer_of(&mx, 0, false);
    assert_int_equal(mx_init(&p, "d.test", &self), MX_ASK_MX);
    assert_int_equal(mx_take_mx(&p, &answer, &rng), MX_ASK_HOSTS);
    assert_int_equal(p.n, MX_HOSTS_MAX);
    assert_string_equal(p.hosts[0].name, "h29");
    assert_string_equal(p.hosts[MX_HOSTS_MAX - 1].name, "h20");
    buf_free(&mx.wire);
}

static void a_family_without_source_is_not_used(void **state)
{
    static const struct mx_self v4_only = {"us.test", NULL, 0, false, true, false};
    struct mx_plan p;

    (void)state;
    assert_int_equal(mx_init(&p, "[IPv6:2001:db8::7]", &v4_only), MX_ASK_HOSTS);
    assert_int_equal(mx_decide(&p), MX_LATER);
    assert_non_null(strstr(p.text, "not used here"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_follow_the_answers),
        cmocka_unit_test(rfc5321_5_1_equals_come_in_random_order),
        cmocka_unit_test(of_a_long_list_the_best_are_kept),
        cmocka_unit_test(a_family_without_source_is_not_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
