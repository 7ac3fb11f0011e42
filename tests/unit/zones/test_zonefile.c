/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/attr.h"
#include "base/core/mem.h"
#include "zones/zonefile.h"

static struct zone *parse(const char *text, struct err *err)
{
    size_t n = strlen(text);
    uint8_t *copy = n > 0 ? mem_dup(text, n) : mem_new(1, 1);
    struct zone *z =
        zonefile_parse("t", span_of(copy, n), SPAN_LIT("\1x\0"), "test", err);

    free(copy);
    return z;
}

static const struct {
    const char *name, *in;
    const char *want; /* printed, without the $ORIGIN line; or the error */
} cases[] = {
    {"empty", "", ""},
    {"comments and blanks", "; hello\n   \n\t; again\n", ""},
    {"record", "www.x. 300 IN A 192.0.2.1\n", "www.x. 300 IN A 192.0.2.1\n"},
    {"no final line end", "www.x. 300 IN A 192.0.2.1", "www.x. 300 IN A 192.0.2.1\n"},
    {"crlf", "www 300 A 192.0.2.1\r\n", "www.x. 300 IN A 192.0.2.1\n"},
    {"rfc1035_5_1 class before ttl", "www IN 300 A 192.0.2.1",
     "www.x. 300 IN A 192.0.2.1\n"},
    {"blank owner", "@ 1 A 192.0.2.1\n  A 192.0.2.2\n",
     "x. 1 IN A 192.0.2.1\nx. 1 IN A 192.0.2.2\n"},
    {"rfc2308_4 $TTL", "$TTL 1h\na A 192.0.2.1\n$TTL 60\nb A 192.0.2.1\nc 5 A 192.0.2.1",
     "a.x. 3600 IN A 192.0.2.1\nb.x. 60 IN A 192.0.2.1\nc.x. 5 IN A 192.0.2.1\n"},
    {"$ORIGIN", "$TTL 1\n$ORIGIN sub\na MX 5 b\n$ORIGIN x.\na A 192.0.2.1",
     "a.x. 1 IN A 192.0.2.1\na.sub.x. 1 IN MX 5 b.sub.x.\n"},
    {"parentheses", "@ 1 SOA a b ( 1 ; serial\n 2 3 ; two\n 4 5 )\n",
     "x. 1 IN SOA a.x. b.x. 1 2 3 4 5\n"},
    {"parentheses around a comment", "a 1 TXT ( \"p;q\" ; no (\n \"r\" )",
     "a.x. 1 IN TXT \"p;q\" \"r\"\n"},
    {"quoted parenthesis", "a 1 TXT \"(\"\n", "a.x. 1 IN TXT \"(\"\n"},
    {"escaped quote and semicolon", "a 1 TXT \"\\\"\" b\\;c",
     "a.x. 1 IN TXT \"\\\"\" \"b;c\"\n"},
    {"owner that looks like a type", "mx 1 A 192.0.2.1", "mx.x. 1 IN A 192.0.2.1\n"},
    {"generic", "a 1 TYPE65280 \\# 2 0102", "a.x. 1 IN TYPE65280 \\# 2 0102\n"},
    {"generic form of a known type", "a 1 A \\# 4 c0000201", "a.x. 1 IN A 192.0.2.1\n"},
    {"class by number", "a 1 CLASS1 A 192.0.2.1", "a.x. 1 IN A 192.0.2.1\n"},
    {"$GENERATE", "$TTL 1\n$GENERATE 1-5/2 h$ A 192.0.2.$\n",
     "h1.x. 1 IN A 192.0.2.1\nh3.x. 1 IN A 192.0.2.3\nh5.x. 1 IN A 192.0.2.5\n"},
    {"$GENERATE modifiers", "$TTL 1\n$GENERATE 9-10 ${-8,3} TXT ${0,2,x}${1} \\$\n",
     "001.x. 1 IN TXT \"0910\" \"$\"\n002.x. 1 IN TXT \"0a11\" \"$\"\n"},
    {"repeated record", "a 1 A 192.0.2.1\na 1 A 192.0.2.1\n", "a.x. 1 IN A 192.0.2.1\n"},
    {"no ttl", "a A 192.0.2.1", "t:1: no TTL; put $TTL in front of the records"},
    {"no owner", " 1 A 192.0.2.1", "t:1: there is no previous owner to repeat"},
    {"no type", "a 1 IN", "t:1: the record type is missing"},
    {"unknown type", "\n\na 1 FOO bar", "t:3: not a record type: FOO"},
    {"class CH", "a 1 CH TXT x", "t:1: only class IN can be served: CH"},
    {"bad data names the line", "\na 1 A 1.2.3\n",
     "t:2: A: expected an IPv4 address, found \"1.2.3\""},
    {"line of an entry is where it begins", "a 1 TXT (\n\n\n x ) )",
     "t:1: a parenthesis closes that was not opened"},
    {"open parenthesis", "a 1 TXT ( x", "t:1: a parenthesis or quote is not closed"},
    {"open quote", "a 1 TXT \"x\nb 1 A 192.0.2.1",
     "t:1: a quoted text does not end on its line"},
    {"outside", "a.y. 1 A 192.0.2.1", "t:1: the name is outside the zone: a.y."},
    {"$INCLUDE", "$INCLUDE /etc/passwd",
     "t:1: $INCLUDE is not followed; put the files into one: /etc/passwd"},
    {"unknown directive", "$FOO", "t:1: unknown directive: $FOO"},
    {"bad $TTL", "$TTL soon", "t:1: $TTL wants a time: soon"},
    {"bad $ORIGIN", "$ORIGIN a..b",
     "t:1: the name has an empty label (two dots in a row, or a dot in front): a..b"},
    {"$GENERATE backwards", "$GENERATE 5-1 a A 192.0.2.1",
     "t:1: $GENERATE wants START-STOP[/STEP]: 5-1"},
    {"$GENERATE too many", "$GENERATE 1-99999 a A 192.0.2.1",
     "t:1: $GENERATE wants START-STOP[/STEP]: 1-99999"},
    {"$GENERATE bad modifier", "$GENERATE 1-2 ${1,2,q} A 192.0.2.1",
     "t:1: $GENERATE: bad modifier: ${1,2,q} A 192.0.2.1"},
    {"$GENERATE sum past 2^31-1", "$GENERATE 1-1 h$ TXT ${2147483647}",
     "t:1: $GENERATE: bad modifier: h$ TXT ${2147483647}"},
};

/* Runs of blanks count as one: columns are for people. */
static void squeeze(const char *text, struct buf *out)
{
    const char *p = strchr(text, '\n'); /* behind $ORIGIN */

    for (p++; *p != '\0'; p++)
        if (!(*p == ' ' && p[-1] == ' '))
            assert_int_equal(buf_byte(out, (uint8_t)*p), 0);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err err = {0};
        struct zone *z = parse(cases[i].in, &err);
        struct buf text;
        struct buf tight;

        buf_init(&text, 1 << 20);
        buf_init(&tight, 1 << 20);
        if (z != NULL) {
            assert_int_equal(zonefile_print(z, NULL, &text), 0);
            squeeze(buf_cstr(&text), &tight);
        }
        if (strcmp(z != NULL ? buf_cstr(&tight) : err.text, cases[i].want) != 0)
            fail_msg("%s\n want %s\n have %s", cases[i].name, cases[i].want,
                     z != NULL ? buf_cstr(&tight) : err.text);
        buf_free(&text);
        buf_free(&tight);
        zone_free(&z);
    }
}

/* What is printed reads back as the same zone; rules go into comments. */
static void test_print_then_parse_is_identity(void **state)
{
    static const struct zonefile_style with_rules = {true};
    struct err err = {0};
    struct zone *z = parse("$TTL 5\n@ SOA a b 1 2 3 4 5\n@ MX 10 m\nm A 192.0.2.1\n"
                           "*.w TXT \"a;b\" \"\\200\"\n_s._tcp SRV 0 1 2 m\n"
                           "odd\\.\\032name A 192.0.2.9\n",
                           &err);
    struct zone *again;
    struct buf text;

    (void)state;
    assert_non_null(z);
    buf_init(&text, 1 << 20);
    assert_int_equal(zonefile_print(z, &with_rules, &text), 0);
    assert_non_null(strstr(buf_cstr(&text), " ; test\n"));
    again = parse(buf_cstr(&text), &err);
    if (again == NULL)
        fail_msg("%s", err.text);
    assert_int_equal(zone_diff(z, again, NULL, NULL), 0);
    zone_free(&z);
    zone_free(&again);
    buf_free(&text);
    buf_init(&text, 40);
    z = parse("a 1 A 192.0.2.1\nb 1 A 192.0.2.1", &err);
    assert_int_equal(zonefile_print(z, NULL, &text), -1); /* the ceiling */
    zone_free(&z);
    buf_free(&text);
}

/* Every cut of a rich file ends in a zone or a reason. */
static void test_every_cut(void **state)
{
    static const char rich[] = "$TTL 1h\n$ORIGIN x.\n@ IN SOA a b ( 1 2 ; c\n 3 4 5 )\n"
                               "  NS ns\\.1\n\\100 60 TXT \"q\\\"\" r\n"
                               "$GENERATE 1-3 h${0,2,d} A 192.0.2.$\n";

    (void)state;
    for (size_t n = 0; n < sizeof(rich); n++) {
        char *cut = span_dup(span_of(rich, n));
        struct err err = {0};
        struct zone *z = parse(cut, &err);

        assert_true(z != NULL || err.text[0] != '\0');
        zone_free(&z);
        free(cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_print_then_parse_is_identity),
        cmocka_unit_test(test_every_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
