/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "base/msg/address.h"

#define L64 "0123456789012345678901234567890123456789012345678901234567890123"
#define L63 "a12345678901234567890123456789012345678901234567890123456789012"

static const struct {
    const char *name, *in;
    enum mailbox_result want;
    const char *want_print;
} cases[] = {
    {"plain", "joe@example.com", MAILBOX_OK, "joe@example.com"},
    {"case", "Joe@EXAMPLE.Com", MAILBOX_OK, "Joe@example.com"},
    {"dots and atext", "a.b+c=d!x@x", MAILBOX_OK, "a.b+c=d!x@x"},
    {"rfc5321_4_1_2 quoted", "\"a b\"@x.y", MAILBOX_OK, "\"a b\"@x.y"},
    {"rfc5321_4_1_2 needless quotes", "\"a.b\"@x.y", MAILBOX_OK, "a.b@x.y"},
    {"rfc5321_4_1_2 quoted pair", "\"a\\b\\\"\\\\\"@x", MAILBOX_OK, "\"ab\\\"\\\\\"@x"},
    {"quoted empty", "\"\"@x", MAILBOX_OK, "\"\"@x"},
    {"quoted dots", "\"..\"@x", MAILBOX_OK, "\"..\"@x"},
    {"quoted at", "\"a@b\"@x", MAILBOX_OK, "\"a@b\"@x"},
    {"rfc5321_4_1_3 literal", "a@[192.0.2.1]", MAILBOX_OK, "a@[192.0.2.1]"},
    {"rfc5321_4_1_3 ipv6", "a@[IPv6:2001:DB8::1]", MAILBOX_OK, "a@[ipv6:2001:db8::1]"},
    {"literal not closed", "a@[192.0.2.1", MAILBOX_DOMAIN_BAD, NULL},
    {"literal no address", "a@[300.0.2.1]", MAILBOX_DOMAIN_BAD, NULL},
    {"literal v6 without tag", "a@[2001:db8::1]", MAILBOX_DOMAIN_BAD, NULL},
    {"literal v4 with tag", "a@[IPv6:192.0.2.1]", MAILBOX_DOMAIN_BAD, NULL},
    {"one label", "a@localhost", MAILBOX_OK, "a@localhost"},
    {"digits", "a@1.2", MAILBOX_OK, "a@1.2"},
    {"longest local", L64 "@x", MAILBOX_OK, L64 "@x"},
    {"rfc5321_4_5_3_1_1 local", L64 "4@x", MAILBOX_LOCAL_LONG, NULL},
    {"longest domain", "a@" L63 "." L63 "." L63 "." L63, MAILBOX_OK,
     "a@" L63 "." L63 "." L63 "." L63},
    {"rfc5321_4_5_3_1_2 domain", "a@" L63 "." L63 "." L63 "." L63 ".a",
     MAILBOX_DOMAIN_LONG, NULL},
    {"label of 64", "a@" L63 "x.com", MAILBOX_DOMAIN_LONG, NULL},
    {"no domain", "a", MAILBOX_SYNTAX, NULL},
    {"empty domain", "a@", MAILBOX_DOMAIN_BAD, NULL},
    {"no local", "@x", MAILBOX_SYNTAX, NULL},
    {"empty", "", MAILBOX_SYNTAX, NULL},
    {"dot first", ".a@x", MAILBOX_SYNTAX, NULL},
    {"dot last", "a.@x", MAILBOX_SYNTAX, NULL},
    {"two dots", "a..b@x", MAILBOX_SYNTAX, NULL},
    {"blank", "a b@x", MAILBOX_SYNTAX, NULL},
    {"quote not closed", "\"a@x", MAILBOX_SYNTAX, NULL},
    {"quote ends in backslash", "\"a\\", MAILBOX_SYNTAX, NULL},
    {"control in quotes", "\"a\tb\"@x", MAILBOX_SYNTAX, NULL},
    {"domain dot last", "a@x.", MAILBOX_DOMAIN_BAD, NULL},
    {"domain two dots", "a@x..y", MAILBOX_DOMAIN_BAD, NULL},
    {"domain hyphen first", "a@-x", MAILBOX_DOMAIN_BAD, NULL},
    {"domain hyphen last", "a@xn---", MAILBOX_DOMAIN_BAD, NULL},
    {"domain underscore", "a@x_y", MAILBOX_SYNTAX, NULL},
    {"rfc6531 local", "\xc3\xa9@x", MAILBOX_NOT_ASCII, NULL},
    {"rfc6531 local middle", "henry\xe2\x85\xa3@x", MAILBOX_NOT_ASCII, NULL},
    {"rfc6531 domain", "a@\xc3\xa9.com", MAILBOX_NOT_ASCII, NULL},
    {"rfc6531 quoted", "\"\xc3\xa9\"@x", MAILBOX_NOT_ASCII, NULL},
    {"two at", "a@b@c", MAILBOX_SYNTAX, NULL},
};

static void test_mailbox_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t n = strlen(cases[i].in);
        uint8_t *copy = mem_dup(cases[i].in, n);
        struct mailbox m;
        struct buf out;

        print_message("%s\n", cases[i].name);
        buf_init(&out, 400);
        assert_int_equal(mailbox_parse_all(span_of(copy, n), &m), cases[i].want);
        if (cases[i].want == MAILBOX_OK) {
            assert_int_equal(mailbox_print(&m, &out), 0);
            assert_string_equal(buf_cstr(&out), cases[i].want_print);
        }
        buf_free(&out);
        free(copy);
    }
}

/* No prefix is read past its end. */
static void test_mailbox_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t n = 0; n < strlen(cases[i].in); n++) {
            uint8_t *copy = mem_dup(cases[i].in, n);
            struct mailbox m;
            size_t used = 0;

            if (mailbox_parse(span_of(copy, n), &m, &used) == MAILBOX_OK)
                assert_true(used <= n);
            free(copy);
        }
    }
}

static void test_mailbox_print_parts(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 20);
    assert_int_equal(mailbox_print_parts(SPAN_LIT("a\nb"), SPAN_LIT("x"), &out), -1);
    assert_int_equal(mailbox_print_parts(SPAN_LIT("a b"), SPAN_LIT("X"), &out), 0);
    assert_string_equal(buf_cstr(&out), "\"a b\"@x");
    assert_int_equal(mailbox_print_parts(SPAN_LIT("a"), SPAN_LIT("0123456789abc"), &out),
                     -1);
    assert_string_equal(buf_cstr(&out), "\"a b\"@x");
    buf_free(&out);
}

/* Shown as name<route:local@domain>, "-" for an absent part, {name and } for groups. */
static const struct {
    const char *name, *in, *want;
    bool want_clean;
} lists[] = {
    {"bare", "a@b", "-<-:a@b>", true},
    {"named", "Joe Q. Public <john.q.public@example.com>",
     "Joe Q. Public<-:john.q.public@example.com>", true},
    {"quoted name", "\"Joe, \\\"J\\\"\" <a@b>", "Joe, \"J\"<-:a@b>", true},
    {"two", "a@b, C <c@d>", "-<-:a@b>C<-:c@d>", true},
    {"comment as name", "a@b (Anna (A\\)))", "Anna (A))<-:a@b>", true},
    {"comment before", "(x) a@b", "x<-:a@b>", true},
    {"name beats comment", "A <a@b> (c)", "A<-:a@b>", true},
    {"encoded word stays", "=?UTF-8?Q?J=C3=B6?= =?x?= <a@b>",
     "=?UTF-8?Q?J=C3=B6?= =?x?=<-:a@b>", true},
    {"rfc5322_3_4 group", "Friends: a@b, C <c@d>;", "{Friends}-<-:a@b>C<-:c@d>}", true},
    {"empty group", "undisclosed-recipients:;", "{undisclosed-recipients}}", true},
    {"group and more", "G: a@b;, c@d", "{G}-<-:a@b>}-<-:c@d>", true},
    {"group not closed", "G: a@b", "{G}-<-:a@b>}", false},
    {"rfc5322_4_4 route", "<@x,@y:a@b>", "-<@x,@y:a@b>", true},
    {"rfc5322_4_4 blanks", "a . b @ c . d", "-<-:a.b@c.d>", true},
    {"rfc5322_4_4 empty elements", ",a@b,,c@d,", "-<-:a@b>-<-:c@d>", true},
    {"quoted local", "\"a b\"@c", "-<-:a b@c>", true},
    {"literal", "a@[192.0.2.1]", "-<-:a@[192.0.2.1]>", true},
    {"folded", "A\r\n B <a@b>,\r\n\tc@d", "A B<-:a@b>-<-:c@d>", true},
    {"utf-8", "J\xc3\xb6rg <a@b>", "J\xc3\xb6rg<-:a@b>", true},
    {"no domain", "root", "-<-:root@->", false},
    {"angle without domain", "A <root>", "A<-:root@->", false},
    {"empty angle", "<>", "-<-:@->", false},
    {"unclosed angle", "A <a@b, c@d", "A<-:a@b>-<-:c@d>", false},
    {"unclosed quote", "\"A <a@b", "-<-:A <a@b@->", false},
    {"unclosed comment", "a@b (c", "c<-:a@b>", false},
    {"two without comma", "a@b c@d, e@f", "-<-:a@b>-<-:e@f>", false},
    {"blank in domain", "<a@b c>, d@e", "-<-:a@b>-<-:d@e>", false},
    {"stray specials", ")>]\\ a@b", "-<-:a@b>", false},
    {"empty domain", "a@, b@c", "-<-:a@>-<-:b@c>", false},
    {"colon in group", "G: H: a@b;", "{G}-<-:a@b>}", false},
    {"empty", "", "", true},
    {"blanks", " \t", "", true},
};

static void show(struct buf *b, struct span s)
{
    assert_int_equal(s.p == NULL ? buf_byte(b, '-') : buf_span(b, s), 0);
}

static void show_list(struct buf *b, const struct address_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct address *a = &l->v[i];

        if (a->kind == ADDRESS_GROUP_BEGIN) {
            assert_int_equal(buf_byte(b, '{'), 0);
            show(b, a->name);
        }
        if (a->kind != ADDRESS_MAILBOX) {
            assert_int_equal(buf_byte(b, '}'), 0);
            continue;
        }
        show(b, a->name);
        assert_int_equal(buf_byte(b, '<'), 0);
        show(b, a->route);
        assert_int_equal(buf_byte(b, ':'), 0);
        show(b, a->local);
        assert_int_equal(buf_byte(b, '@'), 0);
        show(b, a->domain);
        assert_int_equal(buf_byte(b, '>'), 0);
    }
}

static void test_address_list(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        size_t n = strlen(lists[i].in);
        uint8_t *copy = mem_dup(lists[i].in, n);
        struct arena *a = arena_new(10000);
        struct address_list l;
        struct buf out;

        print_message("%s\n", lists[i].name);
        buf_init(&out, 1000);
        address_list_parse(span_of(copy, n), a, &l);
        show_list(&out, &l);
        assert_string_equal(buf_cstr(&out), lists[i].want);
        assert_int_equal(l.is_clean, lists[i].want_clean);
        buf_free(&out);
        arena_free(&a);
        free(copy);
    }
}

static void test_address_list_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        for (size_t n = 0; n < strlen(lists[i].in); n++) {
            uint8_t *copy = mem_dup(lists[i].in, n);
            struct arena *a = arena_new(10000);
            struct address_list l;

            address_list_parse(span_of(copy, n), a, &l);
            arena_free(&a);
            free(copy);
        }
    }
}

/* A field of nothing but addresses stops at the ceilings and says so. */
static void test_address_list_bound(void **state)
{
    enum { N = 20000 };
    struct arena *a = arena_new(16u << 20);
    struct address_list l;
    struct buf in;

    (void)state;
    buf_init(&in, 4 * N);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(buf_str(&in, "a@b,"), 0);
    address_list_parse(buf_all(&in), a, &l);
    assert_int_equal(l.n, ADDRESS_LIST_MAX);
    assert_false(l.is_clean);
    arena_free(&a);
    a = arena_new(1000);
    address_list_parse(buf_all(&in), a, &l);
    assert_false(l.is_clean);
    assert_int_equal(l.n, 0);
    arena_free(&a);
    buf_free(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mailbox_parse),
        cmocka_unit_test(test_mailbox_prefixes),
        cmocka_unit_test(test_mailbox_print_parts),
        cmocka_unit_test(test_address_list),
        cmocka_unit_test(test_address_list_prefixes),
        cmocka_unit_test(test_address_list_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
