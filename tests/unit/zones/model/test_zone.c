/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/rng.h"
#include "zones/zonefile.h"

static struct zone *new_zone(const char *apex)
{
    struct dname name;

    assert_int_equal(dname_parse(span_str(apex), NULL, &name), DNAME_OK);
    return zone_new(dname_span(&name), 0);
}

static void add(struct zone *z, const char *owner, uint16_t type, uint32_t ttl,
                const char *rdata)
{
    struct err err = {0};

    if (zone_add_text(z, owner, type, ttl, rdata, "test", &err) != 0)
        fail_msg("%s: %s", owner, err.text);
}

static const struct rrset *find(const struct zone *z, const char *owner, uint16_t type)
{
    struct dname name;

    assert_int_equal(dname_parse(span_str(owner), NULL, &name), DNAME_OK);
    return zone_find(z, dname_span(&name), type);
}

static void test_sets_are_sorted_and_found(void **state)
{
    struct zone *z = new_zone("Example.COM.");

    (void)state;
    add(z, "www", RR_A, 300, "192.0.2.2");
    add(z, "@", RR_MX, 300, "20 b");
    add(z, "@", RR_MX, 300, "10 a");
    add(z, "a.www", RR_A, 300, "192.0.2.3");
    add(z, "WWW.example.com.", RR_AAAA, 300, "::1");
    add(z, "@", RR_NS, 300, "ns1");
    assert_int_equal(zone_count(z), 5);
    assert_int_equal(zone_records(z), 6);
    assert_int_equal(zone_at(z, 0)->type, RR_NS);
    assert_int_equal(zone_at(z, 1)->type, RR_MX);
    assert_int_equal(zone_at(z, 1)->rr[0].rdata.p[1], 10);
    assert_int_equal(zone_at(z, 2)->type, RR_A);
    assert_int_equal(zone_at(z, 3)->type, RR_AAAA);
    assert_int_equal(dname_labels(zone_at(z, 4)->owner), 4);
    assert_non_null(find(z, "wWw.EXAMPLE.com.", RR_AAAA));
    assert_null(find(z, "www.example.com.", RR_TXT));
    assert_memory_equal(zone_apex(z).p, "\7example\3com", 13);
    assert_true(zone_has_name(z, zone_at(z, 4)->owner));
    assert_int_equal(zone_seek(z, zone_at(z, 2)->owner), 2);
    assert_true(zone_remove(z, zone_at(z, 2)->owner, RR_A));
    assert_false(zone_remove(z, zone_at(z, 2)->owner, RR_A));
    assert_int_equal(zone_count(z), 4);
    zone_free(&z);
    assert_null(z);
}

static void test_what_is_refused(void **state)
{
    struct zone *z = new_zone("example.com.");
    struct err err;
    struct span apex = zone_apex(z);

    (void)state;
    assert_int_equal(zone_add(z, dname_parent(apex), RR_A, 1, SPAN_LIT("abcd"), "t"),
                     ZONE_OUTSIDE);
    assert_int_equal(zone_add(z, apex, RR_A, 1, SPAN_LIT("abc"), "t"), ZONE_BAD_RDATA);
    assert_int_equal(zone_add(z, apex, RR_ANY, 1, SPAN_LIT("abc"), "t"), ZONE_BAD_RDATA);
    assert_int_equal(zone_add(z, apex, 0, 1, SPAN_LIT("abc"), "t"), ZONE_BAD_RDATA);
    assert_int_equal(zone_add(z, apex, RR_A, 1, SPAN_LIT("abcd"), "t"), ZONE_ADDED);
    assert_int_equal(zone_add(z, apex, RR_A, 1, SPAN_LIT("abcd"), "t"), ZONE_SAME);
    assert_int_equal(zone_add_text(z, "a..b", RR_A, 1, "1.2.3.4", "t", &err), -1);
    assert_int_equal(zone_add_text(z, "a", RR_A, 1, "1.2.3", "t", &err), -1);
    assert_string_equal(err.text, "a: A: expected an IPv4 address, found \"1.2.3\"");
    assert_int_equal(zone_add_text(z, "other.net.", RR_A, 1, "1.2.3.4", "t", &err), -1);
    assert_string_equal(err.text, "other.net.: the name is outside the zone");
    for (int r = ZONE_ADDED; r <= ZONE_FULL; r++)
        assert_non_null(zone_add_result_text((enum zone_add_result)r));
    zone_free(&z);
}

static void test_a_full_zone_says_so_and_stays_whole(void **state)
{
    struct dname apex;
    struct zone *z;
    char owner[32];
    size_t n = 0;

    (void)state;
    assert_int_equal(dname_parse(SPAN_LIT("x."), NULL, &apex), DNAME_OK);
    z = zone_new(dname_span(&apex), 4096);
    for (;; n++) {
        struct dname name;

        (void)snprintf(owner, sizeof(owner), "n%zu.x.", n);
        assert_int_equal(dname_parse(span_str(owner), NULL, &name), DNAME_OK);
        if (zone_add(z, dname_span(&name), RR_A, 1, SPAN_LIT("abcd"), "t") == ZONE_FULL)
            break;
    }
    assert_true(n > 5);
    assert_int_equal(zone_count(z), n);
    for (size_t i = 0; i < zone_count(z); i++)
        assert_int_equal(zone_at(z, i)->n, 1);
    zone_free(&z);
}

static void test_rfc2181_5_2_one_ttl(void **state)
{
    struct zone *z = new_zone("example.com.");

    (void)state;
    add(z, "@", RR_A, 3600, "192.0.2.1");
    add(z, "@", RR_A, 60, "192.0.2.2");
    add(z, "@", RR_A, 7200, "192.0.2.3");
    assert_int_equal(zone_at(z, 0)->ttl_s, 60);
    assert_int_equal(zone_add(z, zone_apex(z), RR_AAAA, 0x80000000u,
                              SPAN_LIT("0123456789abcdef"), "t"),
                     ZONE_ADDED);
    assert_int_equal(zone_at(z, 1)->ttl_s, 0);
    zone_free(&z);
}

/* Random order gives the same zone as sorted order. */
static void test_order_of_adding_does_not_matter(void **state)
{
    struct zone *a = new_zone("example.com.");
    struct zone *b = new_zone("example.com.");
    unsigned order[500];
    struct rng rng;

    (void)state;
    rng_seeded_init(&rng, 7);
    for (unsigned i = 0; i < 500; i++)
        order[i] = i;
    for (unsigned i = 499; i > 0; i--) {
        unsigned k = (unsigned)rng_below(&rng, i + 1);
        unsigned was = order[i];

        order[i] = order[k];
        order[k] = was;
    }
    for (unsigned i = 0; i < 500; i++) {
        char owner[64];

        (void)snprintf(owner, sizeof(owner), "h%03u.s%u", i / 2, i / 100);
        add(a, owner, i % 2 != 0 ? RR_A : RR_TXT, 60, i % 2 != 0 ? "192.0.2.1" : "x");
        (void)snprintf(owner, sizeof(owner), "h%03u.s%u", order[i] / 2, order[i] / 100);
        add(b, owner, order[i] % 2 != 0 ? RR_A : RR_TXT, 60,
            order[i] % 2 != 0 ? "192.0.2.1" : "x");
    }
    assert_int_equal(zone_diff(a, b, NULL, NULL), 0);
    for (size_t i = 1; i < zone_count(b); i++)
        assert_true(dname_cmp(zone_at(b, i - 1)->owner, zone_at(b, i)->owner) <= 0);
    zone_free(&a);
    zone_free(&b);
}

static void note(void *ctx, enum zone_change what, const struct rrset *set,
                 const struct rr *r)
{
    struct buf *out = ctx;
    char owner[DNAME_TEXT];

    (void)dname_print_bare(set->owner, owner);
    assert_int_equal(buf_printf(out, "%c%s/%u ", "-+~"[what], owner, set -> type), 0);
    assert_true((r == NULL) == (what == ZONE_TTL));
}

static void test_diff(void **state)
{
    struct zone *a = new_zone("x.");
    struct zone *b = new_zone("x.");
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    add(a, "gone", RR_A, 60, "192.0.2.1");
    add(a, "same", RR_NS, 60, "HOST.x.");
    add(b, "same", RR_NS, 60, "host.x."); /* case of names is no change */
    add(a, "some", RR_A, 60, "192.0.2.1");
    add(a, "some", RR_A, 60, "192.0.2.2");
    add(b, "some", RR_A, 60, "192.0.2.2");
    add(b, "some", RR_A, 60, "192.0.2.3");
    add(a, "ttl", RR_A, 60, "192.0.2.1");
    add(b, "ttl", RR_A, 61, "192.0.2.1");
    add(b, "zzz", RR_A, 60, "192.0.2.1");
    assert_int_equal(zone_diff(a, b, note, &out), 5);
    assert_string_equal(buf_cstr(&out),
                        "-gone.x/1 -some.x/1 +some.x/1 ~ttl.x/1 +zzz.x/1 ");
    assert_int_equal(zone_diff(NULL, b, NULL, NULL), 5);
    assert_int_equal(zone_diff(b, NULL, NULL, NULL), 5);
    assert_int_equal(zone_diff(NULL, NULL, NULL, NULL), 0);
    assert_true(rrset_eq(zone_at(a, 1), zone_at(b, 0)));
    assert_false(rrset_eq(zone_at(a, 2), zone_at(b, 1)));
    buf_free(&out);
    zone_free(&a);
    zone_free(&b);
}

static void test_serial(void **state)
{
    struct zone *z = new_zone("x.");

    (void)state;
    assert_int_equal(zone_serial(z), 0);
    add(z, "@", RR_SOA, 60, "ns. root. 2026112200 1 2 3 4");
    assert_int_equal(zone_serial(z), 2026112200u);
    zone_free(&z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets_are_sorted_and_found),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_a_full_zone_says_so_and_stays_whole),
        cmocka_unit_test(test_rfc2181_5_2_one_ttl),
        cmocka_unit_test(test_order_of_adding_does_not_matter),
        cmocka_unit_test(test_diff),
        cmocka_unit_test(test_serial),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
