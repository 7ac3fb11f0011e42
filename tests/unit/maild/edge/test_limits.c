/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "maild/edge/limits.h"

static struct ipaddr ip(const char *text)
{
    struct ipaddr a;

    assert_true(ipaddr_parse(span_str(text), &a));
    return a;
}

static void test_limits_per_address(void **state)
{
    struct ipaddr a = ip("192.0.2.1"), b = ip("192.0.2.2");
    struct rng rng;
    struct limits *l;

    (void)state;
    rng_seeded_init(&rng, 1);
    l = limits_new(2, 10, &rng);
    assert_int_equal(limits_take(l, &a), LIMITS_OK);
    assert_int_equal(limits_take(l, &a), LIMITS_OK);
    assert_int_equal(limits_take(l, &a), LIMITS_FULL_ADDRESS);
    assert_int_equal(limits_take(l, &b), LIMITS_OK);
    assert_int_equal(limits_count(l), 3);
    assert_int_equal(limits_count_address(l, &a), 2);
    limits_give(l, &a);
    assert_int_equal(limits_take(l, &a), LIMITS_OK);
    limits_give(l, &b);
    assert_int_equal(limits_count_address(l, &b), 0);
    limits_free(&l);
}

static void test_limits_ipv6_network(void **state)
{
    struct ipaddr a = ip("2001:db8::1"), b = ip("2001:db8::2"), c = ip("2001:db8:0:1::1");
    struct rng rng;
    struct limits *l;

    (void)state;
    rng_seeded_init(&rng, 1);
    l = limits_new(1, 10, &rng);
    assert_int_equal(limits_take(l, &a), LIMITS_OK);
    assert_int_equal(limits_take(l, &b), LIMITS_FULL_ADDRESS);
    assert_int_equal(limits_take(l, &c), LIMITS_OK);
    limits_free(&l);
}

static void test_limits_all(void **state)
{
    struct rng rng;
    struct limits *l;

    (void)state;
    rng_seeded_init(&rng, 1);
    l = limits_new(5, 3, &rng);
    for (uint8_t i = 0; i < 4; i++) {
        struct ipaddr a = ip("192.0.2.1");

        a.b[3] = i;
        assert_int_equal(limits_take(l, &a), i < 3 ? LIMITS_OK : LIMITS_FULL_ALL);
    }
    limits_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_per_address),
        cmocka_unit_test(test_limits_ipv6_network),
        cmocka_unit_test(test_limits_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
