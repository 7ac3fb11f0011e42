/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "maild/smtp/facts.h"

static const struct smtp_policy policy = {.hostname = "h", .idle_ms = 1, .total_ms = 1};

static void test_facts_string(void **state)
{
    static const struct {
        const char *in, *want;
    } t[] = {{"", "\"\""},
             {"a\"b\\c", "\"a\\u0022b\\u005cc\""},
             {"\r\n\x7f", "\"\\u000d\\u000a\\u007f\""},
             {"\xc3\xa9", "\"\xc3\xa9\""},
             {"\xc3(", "\"\\ufffd(\""},
             {"\xe2\x80\xa8", "\"\\u2028\""}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(t); i++) {
        struct buf out;

        buf_init(&out, 100);
        assert_int_equal(facts_string(&out, span_str(t[i].in)), 0);
        assert_string_equal(buf_cstr(&out), t[i].want);
        buf_free(&out);
    }
}

static void test_facts_print(void **state)
{
    const struct smtp_peer_facts p = {
        .service = "smtp", .peer = "192.0.2.1", .rdns_state = "none"};
    struct smtp_session s;
    struct buf out;

    (void)state;
    smtp_session_init(&s, &policy, false, 0);
    buf_init(&out, FACTS_MAX);
    facts_decision(&s.decisions, "mail", "a@b", 250, "2.1.0 ok");
    facts_decision(&s.decisions, "data", "", 552, "5.3.4 \"big\"");
    assert_int_equal(facts_print(&s, &p, &out), 0);
    assert_string_equal(
        buf_cstr(&out),
        "{\"service\":\"smtp\",\"peer\":\"192.0.2.1\",\"rdns_state\":\"none\","
        "\"protocol\":\"SMTP\",\"decisions\":["
        "{\"at\":\"mail\",\"subject\":\"a@b\",\"code\":250,\"text\":\"2.1.0 ok\"},"
        "{\"at\":\"data\",\"code\":552,\"text\":\"5.3.4 \\u0022big\\u0022\"}]}");
    buf_free(&out);
    smtp_session_free(&s);
}

/* Ever more decisions neither pass the ceiling nor spoil what stands there. */
static void test_facts_bound(void **state)
{
    const struct smtp_peer_facts p = {.service = "smtp", .peer = "192.0.2.1"};
    struct smtp_session s;
    struct buf out;

    (void)state;
    smtp_session_init(&s, &policy, false, 0);
    for (int i = 0; i < 1000; i++)
        facts_decision(&s.decisions, "rcpt", "somebody@example.com", 550, "5.1.1 nobody");
    assert_true(s.decisions.len <= FACTS_DECISIONS_MAX);
    assert_int_equal(s.decisions.data[s.decisions.len - 1], '}');
    memset(s.helo, '"', sizeof(s.helo) - 1);
    buf_init(&out, FACTS_MAX);
    assert_int_equal(facts_print(&s, &p, &out), 0);
    buf_free(&out);
    smtp_session_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts_string),
        cmocka_unit_test(test_facts_print),
        cmocka_unit_test(test_facts_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
