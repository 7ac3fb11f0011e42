/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "maild/edge/received.h"

#define DATE ";\r\n\tSun, 22 Nov 2026 20:30:00 +0000\r\n"

static const struct {
    const char *name, *helo, *ip, *rdns, *with, *tls, *rcpt, *want;
} cases[] = {
    {"rfc5321_4_4 plain", "a.example", "192.0.2.1", "mx.a.example", "ESMTP", NULL, NULL,
     "Received: from a.example (mx.a.example [192.0.2.1])\r\n"
     "\tby us.example with ESMTP id abc" DATE},
    {"no name, ipv6, tls, one recipient", "[IPv6:2001:db8::1]", "2001:db8::1", NULL,
     "ESMTPSA", "TLSv1.3 TLS_AES_256_GCM_SHA384", "b@us.example",
     "Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n"
     "\tby us.example with ESMTPSA (TLSv1.3 TLS_AES_256_GCM_SHA384) id abc\r\n"
     "\tfor <b@us.example>" DATE},
    {"a helo that is no domain", "my_pc", "192.0.2.1", NULL, "SMTP", NULL, NULL,
     "Received: from [192.0.2.1] ([192.0.2.1]) (HELO my_pc)\r\n"
     "\tby us.example with SMTP id abc" DATE},
};

static void test_received(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ipaddr ip;
        const struct received r = {.helo = cases[i].helo,
                                   .ip = &ip,
                                   .rdns = cases[i].rdns,
                                   .by = "us.example",
                                   .with = cases[i].with,
                                   .tls = cases[i].tls,
                                   .id = "abc",
                                   .rcpt = cases[i].rcpt,
                                   .now_s = 1795379400};
        struct buf out;

        print_message("%s\n", cases[i].name);
        assert_true(ipaddr_parse(span_str(cases[i].ip), &ip));
        buf_init(&out, 1000);
        assert_int_equal(received_print(&r, &out), 0);
        assert_string_equal(buf_cstr(&out), cases[i].want);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_received)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
