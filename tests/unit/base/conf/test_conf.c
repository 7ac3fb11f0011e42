/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/conf/conf.h"
#include "base/conf/suggest.h"

#define MINIMUM                                                                          \
    "hostname Mail.Example.COM.\n"                                                       \
    "address 192.0.2.25\n"                                                               \
    "listen smtp 192.0.2.25:25\n"

static struct conf *parse(const char *text, struct err *err)
{
    char *exact = span_dup(span_str(text));
    struct conf *c = conf_parse("t.conf", span_str(exact), err);

    free(exact);
    return c;
}

static void test_defaults_and_values(void **state)
{
    struct err err = {0};
    struct conf *c = parse("# comment\r\n" MINIMUM "  data_dir \"/srv/my mail\" # why\n"
                           "message_size_max 10M\n"
                           "queue_retry_first 90\n"
                           "queue_lifetime 2d\n"
                           "loopback_is_stranger yes\n"
                           "ns_name ns1.example.com\n"
                           "ns_name ns2.example.com\n"
                           "resolver_nodefault Test\n"
                           "resolver_forward 127.53.0.53@5353\n"
                           "listen dns [2001:DB8::1]:53\n"
                           "address 2001:DB8:0::25",
                           &err);
    enum conf_service service;
    struct ipaddr addr;
    uint16_t port;
    char text[IPADDR_TEXT];
    char *path;

    (void)state;
    if (c == NULL)
        fail_msg("%s", err.text);
    assert_string_equal(conf_text(c, "hostname"), "mail.example.com");
    assert_string_equal(conf_text(c, "data_dir"), "/srv/my mail");
    assert_string_equal(conf_text(c, "tls_chain"), "/srv/my mail/tls/chain.pem");
    assert_false(conf_is_set(c, "tls_chain"));
    assert_true(conf_is_set(c, "data_dir"));
    assert_string_equal(conf_text(c, "run_dir"), "/run/signpost");
    assert_int_equal(conf_int(c, "message_size_max"), 10 * 1024 * 1024);
    assert_int_equal(conf_int(c, "queue_retry_first"), 90);
    assert_int_equal(conf_int(c, "queue_retry_max"), 14400);
    assert_int_equal(conf_int(c, "queue_lifetime"), 172800);
    assert_true(conf_bool(c, "loopback_is_stranger"));
    assert_false(conf_bool(c, "allow_cleartext_login"));
    assert_int_equal(conf_count(c, "ns_name"), 2);
    assert_string_equal(conf_nth(c, "ns_name", 1), "ns2.example.com");
    assert_string_equal(conf_nth(c, "resolver_nodefault", 0), "test.");
    assert_string_equal(conf_nth(c, "resolver_forward", 0), "127.53.0.53@5353");
    assert_int_equal(conf_count(c, "outbound_source"), 0);
    assert_false(conf_addr(c, "outbound_source", 0, &addr));
    assert_string_equal(conf_nth(c, "address", 1), "2001:db8::25");
    assert_true(conf_addr(c, "address", 0, &addr));
    assert_string_equal(conf_text(c, "log_format"), "text");
    assert_string_equal(conf_text(c, "log_file"), "");

    assert_true(conf_listen(c, 1, &service, &addr, &port));
    assert_int_equal(service, CONF_DNS);
    assert_int_equal(port, 53);
    ipaddr_print(&addr, text);
    assert_string_equal(text, "2001:db8::1");
    assert_false(conf_listen(c, 2, &service, &addr, &port));

    path = conf_path(c, "db/queue.db");
    assert_string_equal(path, "/srv/my mail/db/queue.db");
    free(path);
    path = conf_run_path(c, "maild.ctl");
    assert_string_equal(path, "/run/signpost/maild.ctl");
    free(path);
    conf_free(&c);
    assert_null(c);
}

static const struct {
    const char *in, *want;
} faults[] = {
    {"", "t.conf: hostname must be set, for example: hostname mail.example.com"},
    {"hostname a.example\naddress 192.0.2.1\n",
     "t.conf: listen must be set, for example: listen smtp 192.0.2.25:25"},
    {"\n\nlisen smtp *:25", "t.conf:3: there is no key \"lisen\"; did you mean "
                            "\"listen\"?"},
    {"Data-Dir /x", "t.conf:1: there is no key \"Data-Dir\"; did you mean "
                    "\"data_dir\"?"},
    {"mesage_size_mxa 1", "t.conf:1: there is no key \"mesage_size_mxa\"; did you "
                          "mean \"message_size_max\"?"},
    {"zzzzz 1", "t.conf:1: there is no key \"zzzzz\"; signpost.conf(5) lists all keys"},
    {"data_dir /a\ndata_dir /b", "t.conf:2: data_dir is set twice, first in line 1"},
    {"address 192.0.2.1\naddress 192.0.2.1",
     "t.conf:2: address 192.0.2.1 stands in line 1 already"},
    {"hostname", "t.conf:1: hostname needs a value, for example: hostname "
                 "mail.example.com"},
    {"data_dir /my mail", "t.conf:1: data_dir takes one value; put double quotes "
                          "around blanks"},
    {"ns_name a.example b.example",
     "t.conf:1: ns_name takes one value; put double quotes around blanks, or repeat "
     "the line for several"},
    {"data_dir \"\"", "t.conf:1: data_dir: the value is empty; leave the line out "
                      "instead"},
    {"data_dir \"/x", "t.conf:1: a double quote is opened and not closed in this "
                      "line"},
    {"data_dir \"/x\"y", "t.conf:1: double quotes must stand around a whole word"},
    {"data_dir /x\"y\"", "t.conf:1: double quotes must stand around a whole word"},
    {"data_dir \"\\n\"", "t.conf:1: inside double quotes a backslash may stand only "
                         "before \" and \\"},
    {"data_dir \x01", "t.conf:1: the line holds control characters or is not UTF-8"},
    {"data_dir \xff", "t.conf:1: the line holds control characters or is not UTF-8"},
    {"a b c d e f g h i", "t.conf:1: the line has too many words or is too long"},
    {"hostname mail", "t.conf:1: hostname: \"mail\" is not a full name; write it "
                      "with its domain, mail.example.com"},
    {"hostname 192.0.2.1", "t.conf:1: hostname: 192.0.2.1 is an address; a host name "
                           "such as mail.example.com is needed"},
    {"hostname a..b", "t.conf:1: hostname: \"a..b\" is not a host name (letters, "
                      "digits, hyphens; write names in other scripts as A-labels, "
                      "xn--...)"},
    {"message_size_max 1K", "t.conf:1: message_size_max: 1K is out of range, allowed "
                            "are 65536 to 1073741824 octets; K, M or G may follow"},
    {"message_size_max 1T",
     "t.conf:1: message_size_max: \"1T\" is not a whole number of octets (65536 to "
     "1073741824 octets; K, M or G may follow)"},
    {"message_size_max 99999999999G",
     "t.conf:1: message_size_max: \"99999999999G\" is not a whole number of octets "
     "(65536 to 1073741824 octets; K, M or G may follow)"},
    {"queue_retry_first 0", "t.conf:1: queue_retry_first: 0 is out of range, allowed "
                            "are 1 to 86400 seconds; s, m, h, d or w may follow"},
    {"hops_max 5s", "t.conf:1: hops_max: \"5s\" is not a whole number (5 to 100)"},
    {"hops_max -5", "t.conf:1: hops_max: \"-5\" is not a whole number (5 to 100)"},
    {"resolver_localhost true", "t.conf:1: resolver_localhost: \"true\" is neither "
                                "\"yes\" nor \"no\""},
    {"log_level inf", "t.conf:1: log_level: \"inf\" is not one of: debug info warn "
                      "error; did you mean \"info\"?"},
    {"log_format xml", "t.conf:1: log_format: \"xml\" is not one of: text json"},
    {"address example.com", "t.conf:1: address: \"example.com\" is not an IPv4 or "
                            "IPv6 address"},
    {"resolver_forward 192.0.2.53@0", "t.conf:1: resolver_forward: "
                                      "\"192.0.2.53@0\": the port must be 1 to "
                                      "65535"},
    {"listen", "t.conf:1: listen needs a value, for example: listen smtp "
               "192.0.2.25:25"},
    {"listen smpt *:25", "t.conf:1: listen: \"smpt\" is not a service (dns smtp "
                         "submission submissions imap imaps); did you mean "
                         "\"smtp\"?"},
    {"listen smtp", "t.conf:1: listen: write a service and an address with port, "
                    "listen smtp 192.0.2.25:25"},
    {"listen smtp ::1:25", "t.conf:1: listen: \"::1:25\" is not ADDRESS:PORT, "
                           "[IPV6-ADDRESS]:PORT or *:PORT"},
};

/* Every error names the file, the line, the key and what would be right. */
static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        struct err err = {0};
        struct conf *c = parse(faults[i].in, &err);

        if (c != NULL)
            fail_msg("taken: %s", faults[i].in);
        assert_string_equal(err.text, faults[i].want);
    }
}

/* A file of any octets is refused or read, never more. */
static void test_every_prefix_is_survived(void **state)
{
    static const char text[] = MINIMUM "data_dir \"/a \\\"b\\\\\"\nqueue_lifetime 5d\n";

    (void)state;
    for (size_t n = 0; n < sizeof text; n++) {
        char *exact = span_dup(span_of(text, n));
        struct err err = {0};
        struct conf *c = conf_parse("t.conf", span_of(exact, n), &err);

        assert_true((c == NULL) == (err.text[0] != '\0'));
        conf_free(&c);
        free(exact);
    }
}

static void test_schema_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < conf_schema_count; i++) {
        const struct conf_key *k = &conf_schema[i];

        assert_non_null(k->help);
        assert_non_null(k->example);
        assert_true(k->type != CONF_INT || (k->unit != NULL && k->min < k->max));
        assert_true(k->type != CONF_CHOICE || k->choices != NULL);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(conf_schema[j].key, k->key);
    }
}

static void test_load_names_the_file(void **state)
{
    struct err err = {0};

    (void)state;
    assert_null(conf_load("/nonexistent/signpost.conf", &err));
    assert_string_equal(err.text, "configuration /nonexistent/signpost.conf: no such "
                                  "file or directory");
    assert_null(conf_load("/", &err));
    assert_string_equal(err.text, "configuration /: not a regular file");
}

static void test_example_file_is_valid(void **state)
{
    struct err err = {0};
    struct conf *c = conf_load("docs/examples/signpost.conf", &err);

    (void)state;
    if (c == NULL)
        fail_msg("%s", err.text);
    conf_free(&c);
}

static void test_distances(void **state)
{
    static const struct {
        const char *a, *b;
        size_t want;
    } cases[] = {
        {"", "", 0},
        {"abc", "", 3},
        {"listen", "lisen", 1},
        {"ab", "ba", 1},
        {"abcd", "acbd", 1},
        {"Data-Dir", "data_dir", 0},
        {"kitten", "sitting", 3},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(suggest_distance(cases[i].a, cases[i].b), cases[i].want);
        assert_int_equal(suggest_distance(cases[i].b, cases[i].a), cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_and_values),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_every_prefix_is_survived),
        cmocka_unit_test(test_schema_is_sound),
        cmocka_unit_test(test_load_names_the_file),
        cmocka_unit_test(test_example_file_is_valid),
        cmocka_unit_test(test_distances),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
