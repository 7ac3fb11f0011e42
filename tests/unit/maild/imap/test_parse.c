/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "maild/imap/datetime.h"
#include "maild/imap/list.h"
#include "maild/imap/mutf7.h"
#include "maild/imap/parse.h"
#include "maild/imap/search.h"

/* One line that says what was understood. */
static void describe(const struct imap_cmd *c, const struct imap_verb *v, struct buf *b)
{
    assert_int_equal(buf_printf(b, "%s%s", c->is_uid ? "UID " : "", v->name), 0);
    if (c->mailbox.p != NULL)
        assert_int_equal(buf_printf(b, " <%.*s>", SPAN_ARG(c->mailbox)), 0);
    if (c->mailbox2.p != NULL)
        assert_int_equal(buf_printf(b, " <%.*s>", SPAN_ARG(c->mailbox2)), 0);
    if (c->is_name_bad)
        assert_int_equal(buf_str(b, " badname"), 0);
    if (c->user.p != NULL)
        assert_int_equal(
            buf_printf(b, " %.*s:%.*s", SPAN_ARG(c->user), SPAN_ARG(c->password)), 0);
    for (size_t i = 0; i < c->set.n; i++) {
        const struct imap_range *r = &c->set.ranges[i];

        assert_int_equal(buf_printf(b, " %lld:%lld",
                                    r->lo == IMAP_STAR ? -1 : (long long)r->lo,
                                    r->hi == IMAP_STAR ? -1 : (long long)r->hi),
                         0);
    }
    for (size_t i = 0; i < c->n_items; i++) {
        const struct imap_section *s = &c->items[i].section;

        assert_int_equal(buf_printf(b, " i%d", (int)c->items[i].kind), 0);
        if (c->items[i].kind != IMAP_ITEM_SECTION)
            continue;
        assert_int_equal(buf_printf(b, "%s[", c->items[i].is_peek ? "p" : ""), 0);
        for (int k = 0; k < s->depth; k++)
            assert_int_equal(buf_printf(b, "%u.", s->path[k]), 0);
        assert_int_equal(buf_printf(b, "w%d", (int)s->what), 0);
        for (size_t k = 0; k < s->n_fields; k++)
            assert_int_equal(buf_printf(b, ",%.*s", SPAN_ARG(s->fields[k])), 0);
        assert_int_equal(buf_str(b, "]"), 0);
        if (s->is_partial)
            assert_int_equal(buf_printf(b, "<%u.%u>", s->offset, s->count), 0);
    }
    if (c->flags.keywords != NULL) {
        assert_int_equal(buf_printf(b, " %s%d f%u", c->is_silent ? "silent" : "",
                                    c->store_sign, c->flags.system),
                         0);
        for (size_t i = 0; i < c->flags.n; i++)
            assert_int_equal(buf_printf(b, " %.*s", SPAN_ARG(c->flags.keywords[i])), 0);
    }
    for (size_t i = 0; i < c->n_patterns; i++)
        assert_int_equal(buf_printf(b, " '%.*s'", SPAN_ARG(c->patterns[i])), 0);
    if (c->list_options != 0)
        assert_int_equal(buf_printf(b, " o%u", c->list_options), 0);
    if (c->status_items != 0)
        assert_int_equal(buf_printf(b, " s%u", c->status_items), 0);
}

static const struct {
    const char *in, *want; /* NULL: a fault */
} commands[] = {
    {"a NOOP", "NOOP"},
    {"a noop", "NOOP"},
    {"a NOOP ", NULL},
    {"a", NULL},
    {"", NULL},
    {"+ NOOP", NULL},
    {"a+ NOOP", NULL},
    {"a  NOOP", NULL},
    {"a WRONG", NULL},
    {"a UID NOOP", NULL},
    {"a LOGIN joe secret", "LOGIN joe:secret"},
    {"a LOGIN \"jo\\\"e\" \"\"", "LOGIN jo\"e:"},
    {"a LOGIN {3}\r\njoe {4+}\r\na\r\nb", "LOGIN joe:a\r\nb"},
    {"a LOGIN {9}\r\njoe x", NULL},
    {"a LOGIN joe", NULL},
    {"a LOGIN \"joe x", NULL},
    {"a LOGIN \"j\\oe\" x", NULL},
    {"a SELECT inbox", "SELECT <INBOX>"},
    {"a SELECT InBoX/x", "SELECT <INBOX/x>"},
    {"a SELECT inboxes", "SELECT <inboxes>"},
    {"a SELECT \"p&AOQA5A-\"", "SELECT <p\xc3\xa4\xc3\xa4>"},
    {"a SELECT a&b", "SELECT <> badname"},
    {"a CREATE a/b/", "CREATE <a/b>"},
    {"a CREATE a//b", "CREATE <a//b> badname"},
    {"a CREATE /", "CREATE <> badname"},
    {"a CREATE \"\"", "CREATE <> badname"},
    {"a RENAME a b", "RENAME <a> <b>"},
    {"a LIST \"\" *", "LIST '*'"},
    {"a LIST \"\" (a% \"b c\") RETURN (CHILDREN)", "LIST 'a%' 'b c' o288"},
    {"a LIST (SUBSCRIBED) \"\" % RETURN (STATUS (MESSAGES))", "LIST '%' o385 s1"},
    {"a LIST (RECURSIVEMATCH) \"\" %", NULL},
    {"a LIST (WHAT) \"\" %", NULL},
    {"a LSUB \"\" *", "LSUB '*'"},
    {"a STATUS x (MESSAGES UIDNEXT)", "STATUS <x> s5"},
    {"a STATUS x ()", NULL},
    {"a FETCH 1 FLAGS", "FETCH 1:1 i1"},
    {"a FETCH 3:1,2,7:* (UID)", "FETCH 1:3 7:-1 i0"},
    {"a FETCH * ALL", "FETCH -1:-1 i1 i2 i3 i4"},
    {"a FETCH *:4 FAST", "FETCH 4:-1 i1 i2 i3"},
    {"a FETCH 1:2,2:5,6,9 FULL", "FETCH 1:6 9:9 i1 i2 i3 i4 i5"},
    {"a FETCH 1 (ALL)", NULL},
    {"a FETCH 0 FLAGS", NULL},
    {"a FETCH 1: FLAGS", NULL},
    {"a FETCH 4294967296 FLAGS", NULL},
    {"a FETCH 1 BODY[]", "FETCH 1:1 i7[w0]"},
    {"a FETCH 1 BODY.PEEK[1.2.MIME]", "FETCH 1:1 i7p[1.2.w5]"},
    {"a FETCH 1 BODY[MIME]", NULL},
    {"a FETCH 1 BODY[1]<5.10>", "FETCH 1:1 i7[1.w0]<5.10>"},
    {"a FETCH 1 BODY[1]<5.0>", NULL},
    {"a FETCH 1 BODY[0]", NULL},
    {"a FETCH 1 BODY[1", NULL},
    {"a FETCH 1 BODY[1.]", NULL},
    {"a FETCH 1 body.peek[header.fields (To \"From\")]", "FETCH 1:1 i7p[w2,To,From]"},
    {"a FETCH 1 BODY[HEADER.FIELDS.NOT ()]", NULL},
    {"a UID FETCH 5:9 (FLAGS BODY[TEXT])", "UID FETCH 5:9 i1 i7[w4]"},
    {"a FETCH 1 RFC822.HEADER", "FETCH 1:1 i7p[w1]"},
    {"a STORE 1 FLAGS (\\Seen)", "STORE 1:1 0 f8"},
    {"a STORE 1 +FLAGS.SILENT \\Deleted $Junk", "STORE 1:1 silent1 f4 $Junk"},
    {"a STORE 1 -flags (\\recent)", "STORE 1:1 -1 f0"},
    {"a STORE 1 FLAGS (\\Wrong)", NULL},
    {"a STORE 1 FLAGS ()", "STORE 1:1 0 f0"},
    {"a COPY 1 x", "COPY <x> 1:1"},
    {"a UID EXPUNGE 1:3", "UID EXPUNGE 1:3"},
    {"a EXPUNGE 1:3", NULL},
    {"a ID NIL", "ID"},
    {"a ID (\"name\" \"x\" \"v\" NIL)", "ID"},
    {"a ID (\"name\")", NULL},
    {"a ENABLE CONDSTORE", "ENABLE"},
    {"a APPEND x", NULL},
    {"a SEARCH ALL", "SEARCH"},
    {"a SEARCH (OR SEEN (FROM x NOT 1:3)) UID 5", "SEARCH"},
    {"a SEARCH SINCE 1-Feb-1994 BEFORE \"01-Mar-1994\"", "SEARCH"},
    {"a SEARCH SINCE 30-Feb-1994", NULL},
    {"a SEARCH HEADER X \"\"", "SEARCH"},
    {"a SEARCH RETURN (MIN MAX) CHARSET UTF-8 TEXT {2}\r\n\xc3\xa9", "SEARCH"},
    {"a SEARCH", NULL},
    {"a SEARCH OR SEEN", NULL},
    {"a SEARCH (SEEN", NULL},
    {"a SEARCH RETURN (WHAT) ALL", NULL},
};

static void test_commands(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        size_t n = strlen(commands[i].in);
        uint8_t *copy = mem_dup(commands[i].in, n);
        struct arena *a = arena_new(1u << 20);
        const struct imap_verb *v;
        const char *fault;
        struct imap_cmd c;
        struct buf out;
        bool ok = imap_parse(span_of(copy, n), a, &c, &v, &fault);

        buf_init(&out, 4096);
        if (ok)
            describe(&c, v, &out);
        if (ok != (commands[i].want != NULL) ||
            (ok && strcmp(buf_cstr(&out), commands[i].want) != 0))
            fail_msg("%s: got %s (%s)", commands[i].in, ok ? buf_cstr(&out) : "a fault",
                     ok ? "" : fault);
        assert_true(ok == (fault == NULL));
        buf_free(&out);
        arena_free(&a);
        free(copy);
    }
}

/* No prefix of a command may run off the end, whatever it is taken for. */
static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        for (size_t n = 0; n < strlen(commands[i].in); n++) {
            uint8_t *copy = mem_dup(commands[i].in, n);
            struct arena *a = arena_new(1u << 20);
            const struct imap_verb *v;
            struct imap_append app;
            const char *fault;
            struct imap_cmd c;

            (void)imap_parse(span_of(copy, n), a, &c, &v, &fault);
            (void)imap_append_parse(span_of(copy, n), true, a, &app);
            arena_free(&a);
            free(copy);
        }
    }
}

static void test_search_depth_is_bounded(void **state)
{
    struct arena *a = arena_new(4u << 20);
    const struct imap_verb *v;
    const char *fault;
    struct imap_cmd c;
    struct buf b;

    (void)state;
    buf_init(&b, 1u << 20);
    assert_int_equal(buf_str(&b, "a SEARCH "), 0);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(buf_str(&b, "NOT "), 0);
    assert_int_equal(buf_str(&b, "SEEN"), 0);
    assert_false(imap_parse(buf_all(&b), a, &c, &v, &fault));
    buf_free(&b);
    arena_free(&a);
}

static void test_append_segments(void **state)
{
    static const struct {
        const char *in;
        bool is_first, want, want_sync, want_date;
        uint32_t want_flags;
        uint64_t want_size;
    } cases[] = {
        {"a APPEND x {10}", true, true, true, false, 0, 10},
        {"a APPEND x (\\Seen) {10+}", true, true, false, false, 8, 10},
        {"a APPEND x () \" 1-Feb-2026 10:00:00 +0100\" {0}", true, true, true, true, 0,
         0},
        {"a APPEND {1}\r\nx {5}", true, true, true, false, 0, 5},
        {"a APPEND {1}", true, false, false, false, 0, 0},
        {"a APPEND x", true, false, false, false, 0, 0},
        {"a APPEND x \"bad date\" {5}", true, false, false, false, 0, 0},
        {"a SELECT {5}", true, false, false, false, 0, 0},
        {" (\\Draft) {7}", false, true, true, false, 16, 7},
        {"{7}", false, false, false, false, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena *a = arena_new(1u << 20);
        struct imap_append out;
        bool ok = imap_append_parse(span_str(cases[i].in), cases[i].is_first, a, &out);

        if (ok != cases[i].want)
            fail_msg("%s", cases[i].in);
        if (ok) {
            assert_int_equal(out.is_sync, cases[i].want_sync);
            assert_int_equal(out.has_date, cases[i].want_date);
            assert_int_equal(out.flags.system, cases[i].want_flags);
            assert_int_equal(out.size, cases[i].want_size);
        }
        arena_free(&a);
    }
}

static void test_sets(void **state)
{
    static const struct imap_range ranges[] = {{2, 3}, {7, IMAP_STAR}};
    const struct imap_set set = {2, (struct imap_range[]){ranges[0], ranges[1]}};
    static const struct {
        uint32_t n, max;
        bool want;
    } cases[] = {
        {1, 9, false}, {2, 9, true}, {3, 9, true}, {4, 9, false},
        {7, 9, true},  {9, 9, true}, {5, 5, true}, {4, 5, false}, /* 7:* with 5 is 5:7 */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(imap_set_has(&set, cases[i].n, cases[i].max), cases[i].want);
    assert_int_equal(imap_set_after(&set, 1), 2);
    assert_int_equal(imap_set_after(&set, 2), 7);
    assert_int_equal(imap_set_after(&set, 7), 0);
    assert_true(imap_set_exceeds(&set, 5));
    assert_false(imap_set_exceeds(&set, 7));
}

static void test_mutf7(void **state)
{
    static const struct {
        const char *in, *want; /* want NULL: refused */
    } cases[] = {
        {"plain", "plain"},
        {"&-", "&"},
        {"a&-b", "a&b"},
        {"~peter/mail/&U,BTFw-/&ZeVnLIqe-", /* RFC 3501 5.1.3 */
         "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"},
        {"&2D3cAA-", "\xf0\x9f\x90\x80"},
        {"&Jjo-!", "\xe2\x98\xba!"},
        {"&Jjo", NULL},       /* not closed */
        {"&Jjo-&Jjo-", NULL}, /* two runs side by side */
        {"&AGE-", NULL},      /* "a" must be itself */
        {"&2D0-", NULL},      /* half a surrogate pair */
        {"&U,BTFx-", NULL},   /* bits left over */
        {"\xc3\xa9", NULL},
        {"&*-", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t n = strlen(cases[i].in);
        uint8_t *copy = mem_dup(cases[i].in, n);
        struct buf utf8, back;

        buf_init(&utf8, 1000);
        buf_init(&back, 1000);
        if (mutf7_decode(span_of(copy, n), &utf8) != (cases[i].want != NULL))
            fail_msg("%s", cases[i].in);
        assert_string_equal(buf_cstr(&utf8), cases[i].want == NULL ? "" : cases[i].want);
        if (cases[i].want != NULL) {
            assert_true(mutf7_encode(buf_all(&utf8), &back));
            assert_string_equal(buf_cstr(&back), cases[i].in);
        }
        buf_free(&utf8);
        buf_free(&back);
        free(copy);
    }
}

static void test_dates(void **state)
{
    char text[IMAP_DATETIME_TEXT];
    int64_t t, day;

    (void)state;
    assert_true(imap_datetime_parse(SPAN_LIT("17-Jul-1996 02:44:25 -0700"), &t));
    assert_int_equal(t, 837596665);
    imap_datetime_print(t, text);
    assert_string_equal(text, "17-Jul-1996 09:44:25 +0000");
    assert_true(imap_datetime_parse(SPAN_LIT(" 1-Jan-1970 00:00:00 +0000"), &t));
    assert_int_equal(t, 0);
    imap_datetime_print(0, text);
    assert_string_equal(text, " 1-Jan-1970 00:00:00 +0000");
    assert_false(imap_datetime_parse(SPAN_LIT("1-Jan-1970 00:00:00 +0000"), &t));
    assert_false(imap_datetime_parse(SPAN_LIT("17-Jul-1996 24:44:25 -0700"), &t));
    assert_true(imap_date_parse(SPAN_LIT("29-feb-2024"), &day));
    assert_false(imap_date_parse(SPAN_LIT("29-Feb-2023"), &day));
    assert_false(imap_date_parse(SPAN_LIT("1-Foo-2023"), &day));
    assert_int_equal(imap_day_of(-1), -1);
}

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *name;
        bool want;
    } cases[] = {
        {"*", "a/b", true},    {"%", "a/b", false},     {"%", "a", true},
        {"%/b", "a/b", true},  {"a*b", "a/x/b", true},  {"a%b", "a/b", false},
        {"%x*", "ax/y", true}, {"*%", "a/b/c", true},   {"*a%b", "x/a1/ab", true},
        {"", "", true},        {"", "a", false},        {"a", "a/b", false},
        {"%%%", "abc", true},  {"*b*c*", "abxc", true}, {"*b*c", "abxcd", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (imap_list_match(span_str(cases[i].pattern), span_str(cases[i].name)) !=
            cases[i].want)
            fail_msg("%s %s", cases[i].pattern, cases[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_search_depth_is_bounded),
        cmocka_unit_test(test_append_segments),
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_mutf7),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_patterns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
