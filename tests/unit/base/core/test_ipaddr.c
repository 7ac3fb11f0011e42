/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/ipaddr.h"

static void test_parse_and_print(void **state)
{
    static const struct {
        const char *in, *want; /* want NULL: refused */
    } cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"255.255.255.255", "255.255.255.255"},
        {"2001:DB8:0:0:0::1", "2001:db8::1"},
        {"::", "::"},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
        {"", NULL},
        {"127.1", NULL},
        {"192.0.2.256", NULL},
        {"192.0.2.01", NULL},
        {"192.0.2.1 ", NULL},
        {"1:2:3:4:5:6:7:8:9", NULL},
        {"::1::", NULL},
        {"fe80::1%eth0", NULL},
        {"example.com", NULL},
        {"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ipaddr a = {0};
        char text[IPADDR_TEXT];

        if (ipaddr_parse(span_str(cases[i].in), &a) != (cases[i].want != NULL))
            fail_msg("%s", cases[i].in);
        ipaddr_print(&a, text);
        assert_string_equal(text, cases[i].want == NULL ? "none" : cases[i].want);
    }
    assert_false(ipaddr_parse(span_of("1.2.3.4\0", 8), &(struct ipaddr){0}));
}

static void test_kinds(void **state)
{
    static const struct {
        const char *in;
        bool want_loopback, want_private;
    } cases[] = {
        {"127.255.0.1", true, true},
        {"::1", true, true},
        {"::ffff:127.0.0.1", true, true},
        {"10.1.2.3", false, true},
        {"172.15.255.255", false, false},
        {"172.16.0.0", false, true},
        {"172.31.255.255", false, true},
        {"172.32.0.0", false, false},
        {"100.64.0.1", false, true},
        {"198.19.255.255", false, true},
        {"239.1.1.1", false, true},
        {"255.255.255.255", false, true},
        {"8.8.8.8", false, false},
        {"fd00::1", false, true},
        {"fe80::1", false, true},
        {"fec0::1", false, false},
        {"2001:db8::1", false, true},
        {"2001:4860::8888", false, false},
        {"::", false, true},
        {"::2", false, false},
        {"64:ff9b:1::1", false, true},
        {"64:ff9b::1", false, false},
        {"3fff:fff::1", false, true},
        {"3fff:1000::1", false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ipaddr a;

        assert_true(ipaddr_parse(span_str(cases[i].in), &a));
        if (ipaddr_is_loopback(&a) != cases[i].want_loopback ||
            ipaddr_is_private(&a) != cases[i].want_private)
            fail_msg("%s", cases[i].in);
    }
    assert_false(ipaddr_is_private(&(struct ipaddr){0}));
}

static void test_prefixes(void **state)
{
    static const struct {
        const char *prefix;
        int want_bits; /* -1: refused */
        const char *inside, *outside;
    } cases[] = {
        {"192.0.2.0/24", 24, "192.0.2.255", "192.0.3.0"},
        {"192.0.2.128/25", 25, "192.0.2.129", "192.0.2.127"},
        {"0.0.0.0/0", 0, "8.8.8.8", "::1"},
        {"192.0.2.7", 32, "192.0.2.7", "192.0.2.6"},
        {"2001:db8::/33", 33, "2001:db8:7fff::1", "2001:db8:8000::1"},
        {"::1", 128, "::1", "::2"},
        {"192.0.2.1/24", -1, NULL, NULL},
        {"192.0.2.0/33", -1, NULL, NULL},
        {"192.0.2.0/", -1, NULL, NULL},
        {"192.0.2.0/+8", -1, NULL, NULL},
        {"/8", -1, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ipaddr net;
        struct ipaddr a;
        unsigned bits;

        if (cases[i].want_bits == -1) {
            assert_false(ipaddr_parse_prefix(span_str(cases[i].prefix), &net, &bits));
            continue;
        }
        assert_true(ipaddr_parse_prefix(span_str(cases[i].prefix), &net, &bits));
        assert_int_equal(bits, cases[i].want_bits);
        assert_true(ipaddr_parse(span_str(cases[i].inside), &a));
        assert_true(ipaddr_in_prefix(&a, &net, bits));
        assert_true(ipaddr_parse(span_str(cases[i].outside), &a));
        assert_false(ipaddr_in_prefix(&a, &net, bits));
    }
}

static void test_reverse_names(void **state)
{
    char text[IPADDR_REVERSE_TEXT];
    struct ipaddr a;

    (void)state;
    assert_true(ipaddr_parse(SPAN_LIT("192.0.2.1"), &a));
    ipaddr_reverse_name(&a, text);
    assert_string_equal(text, "1.2.0.192.in-addr.arpa");
    assert_true(ipaddr_parse(SPAN_LIT("4321:0:1:2:3:4:567:89ab"), &a)); /* RFC 3596 2.5 */
    ipaddr_reverse_name(&a, text);
    assert_string_equal(text, "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0."
                              "1.2.3.4.ip6.arpa");
}

static void test_socket_addresses(void **state)
{
    static const struct {
        const char *in, *want; /* want NULL: refused */
        unsigned want_port;
    } cases[] = {
        {"127.0.0.1:25", "127.0.0.1", 25},
        {"[::1]:65535", "::1", 65535},
        {"*:0", "none", 0},
        {"::1:25", NULL, 0},
        {"[127.0.0.1]:25", NULL, 0},
        {"127.0.0.1", NULL, 0},
        {"127.0.0.1:", NULL, 0},
        {"127.0.0.1:65536", NULL, 0},
        {"127.0.0.1:2 5", NULL, 0},
        {"[::1:25", NULL, 0},
        {":25", NULL, 0},
        {"localhost:25", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ipaddr a;
        struct ipaddr back;
        struct sockaddr_storage ss;
        socklen_t len;
        uint16_t port;
        char text[IPADDR_TEXT];

        if (ipaddr_parse_port(span_str(cases[i].in), &a, &port) !=
            (cases[i].want != NULL))
            fail_msg("%s", cases[i].in);
        if (cases[i].want == NULL)
            continue;
        ipaddr_print(&a, text);
        assert_string_equal(text, cases[i].want);
        assert_int_equal(port, cases[i].want_port);
        if (a.family == 0)
            continue;
        ipaddr_to_sockaddr(&a, port, &ss, &len);
        assert_true(ipaddr_from_sockaddr((const struct sockaddr *)&ss, &back, &port));
        assert_true(ipaddr_eq(&a, &back));
        assert_int_equal(port, cases[i].want_port);
    }
}

static void test_unmap(void **state)
{
    struct ipaddr a;
    struct ipaddr plain;

    (void)state;
    assert_true(ipaddr_parse(SPAN_LIT("::ffff:192.0.2.1"), &a));
    assert_true(ipaddr_parse(SPAN_LIT("192.0.2.1"), &plain));
    ipaddr_unmap(&a);
    assert_true(ipaddr_eq(&a, &plain));
    ipaddr_unmap(&a);
    assert_true(ipaddr_eq(&a, &plain));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_and_print),  cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_prefixes),         cmocka_unit_test(test_reverse_names),
        cmocka_unit_test(test_socket_addresses), cmocka_unit_test(test_unmap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
