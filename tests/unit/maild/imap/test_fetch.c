/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "maild/imap/envelope.h"
#include "maild/imap/parse.h"
#include "maild/imap/search.h"
#include "maild/imap/section.h"

#define ADDR "((NIL NIL \"a\" \"x.org\"))"

static void test_envelopes(void **state)
{
    static const struct {
        const char *in, *want;
    } cases[] = {
        {"", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"},
        {"From: a@x.org\r\nSubject:  Hi\r\n there \r\nDate: Mon, 1 Jan 2024\r\n"
         "Message-ID: <1@x>\r\nIn-Reply-To: <0@x>\r\n\r\nSubject: body",
         "(\"Mon, 1 Jan 2024\" \"Hi there\" " ADDR " " ADDR " " ADDR
         " NIL NIL NIL \"<0@x>\" \"<1@x>\")"},
        /* RFC 3501 7.4.2: Sender and Reply-To fall back to From */
        {"From: a@x.org\r\nSender: b@x.org\r\nReply-To:\r\n\r\n",
         "(NIL NIL " ADDR " ((NIL NIL \"b\" \"x.org\")) " ADDR " NIL NIL NIL NIL NIL)"},
        {"To: \"A \\\"B\\\"\" <a@x.org>, b (Bob) @x.org\r\n\r\n",
         "(NIL NIL NIL NIL NIL ((\"A \\\"B\\\"\" NIL \"a\" \"x.org\")(\"Bob\" NIL \"b\" "
         "\"x.org\")) NIL NIL NIL NIL)"},
        {"Cc: friends: a@x.org;, none:;\r\n\r\n",
         "(NIL NIL NIL NIL NIL NIL ((NIL NIL \"friends\" NIL)(NIL NIL \"a\" "
         "\"x.org\")(NIL "
         "NIL NIL NIL)(NIL NIL \"none\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL)"},
        {"Subject: =?utf-8?Q?=C3=A9?=\r\n\r\n",
         "(NIL \"=?utf-8?Q?=C3=A9?=\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
        {"Subject: \xc3\xa9\r\n\r\n",
         "(NIL {2}\r\n\xc3\xa9 NIL NIL NIL NIL NIL NIL NIL NIL)"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t n = strlen(cases[i].in);
        uint8_t *copy = mem_dup(cases[i].in, n);
        struct arena *a = arena_new(1u << 20);
        struct imap_out o;
        struct buf b;

        buf_init(&b, 10000);
        imap_out_init(&o, &b);
        imap_put_envelope(&o, span_of(copy, n), a);
        assert_string_equal(buf_cstr(&b), cases[i].want);
        buf_free(&b);
        arena_free(&a);
        free(copy);
    }
}

static const char nested[] = "From: a@x.org\r\n"
                             "Content-Type: multipart/mixed; boundary=b\r\n"
                             "\r\n"
                             "--b\r\n"
                             "Content-Type: text/html; charset=utf-8\r\n"
                             "Content-Transfer-Encoding: base64\r\n"
                             "Content-Disposition: inline; filename=\"x.html\"\r\n"
                             "Content-Language: en, fr\r\n"
                             "\r\n"
                             "SMOJTA==\r\n"
                             "\r\n"
                             "--b\r\n"
                             "Content-Type: message/rfc822\r\n"
                             "\r\n"
                             "Subject: in\r\n"
                             "X-Y: z\r\n"
                             "\r\n"
                             "inner text\r\n"
                             "--b--\r\n";

static void test_structure(void **state)
{
    static const char want_body[] =
        "((\"text\" \"html\" (\"charset\" \"utf-8\") NIL NIL \"base64\" 10 1)"
        "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 33 (NIL \"in\" NIL NIL NIL NIL NIL "
        "NIL "
        "NIL NIL) (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 0) "
        "3) "
        "\"mixed\")";
    static const char want_extended[] =
        "((\"text\" \"html\" (\"charset\" \"utf-8\") NIL NIL \"base64\" 10 1 NIL "
        "(\"inline\" "
        "(\"filename\" \"x.html\")) (\"en\" \"fr\") NIL)"
        "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 33 (NIL \"in\" NIL NIL NIL NIL NIL "
        "NIL "
        "NIL NIL) (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 0 "
        "NIL "
        "NIL NIL NIL) 3 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)";
    struct arena *a = arena_new(1u << 20);
    struct span msg = span_str(nested);
    struct mime_tree tree;
    struct imap_out o;
    struct buf b;

    (void)state;
    buf_init(&b, 10000);
    imap_out_init(&o, &b);
    assert_true(mime_parse(msg, a, &tree));
    imap_put_structure(&o, msg, &tree, 0, false, a);
    assert_string_equal(buf_cstr(&b), want_body);
    buf_reset(&b);
    imap_put_structure(&o, msg, &tree, 0, true, a);
    assert_string_equal(buf_cstr(&b), want_extended);
    buf_free(&b);
    arena_free(&a);
}

/* BODY[...] items as a client writes them, against the message above behind a prefix. */
static void test_sections(void **state)
{
    static const char prefix[] = "Return-Path: <s@x>\r\n";
    static const struct {
        const char *item, *want; /* NULL: no such part */
    } cases[] = {
        {"BODY[1]", "SMOJTA==\r\n"},
        {"BODY[2]", "Subject: in\r\nX-Y: z\r\n\r\ninner text"},
        {"BODY[2.HEADER]", "Subject: in\r\nX-Y: z\r\n\r\n"},
        {"BODY[2.TEXT]", "inner text"},
        {"BODY[2.1]", "inner text"},
        {"BODY[2.1.MIME]", "Subject: in\r\nX-Y: z\r\n\r\n"},
        {"BODY[2.MIME]", "Content-Type: message/rfc822\r\n\r\n"},
        {"BODY[2.HEADER.FIELDS (x-y nope)]", "X-Y: z\r\n\r\n"},
        {"BODY[2.HEADER.FIELDS.NOT (X-Y)]", "Subject: in\r\n\r\n"},
        {"BODY[HEADER.FIELDS (return-path FROM)]",
         "Return-Path: <s@x>\r\nFrom: a@x.org\r\n\r\n"},
        {"BODY[HEADER]", "Return-Path: <s@x>\r\nFrom: a@x.org\r\n"
                         "Content-Type: multipart/mixed; boundary=b\r\n\r\n"},
        {"BODY[1.HEADER]", NULL},
        {"BODY[3]", NULL},
        {"BODY[1.1]", NULL},
        {"BODY[2.2]", NULL},
        {"BODY[1]<4.3>", "TA="},
        {"BODY[1]<8.100>", "\r\n"},
        {"BODY[1]<100.5>", ""},
        {"BODY[2.HEADER.FIELDS (X-Y)]<2.4>", "Y: z"},
    };
    struct arena *a = arena_new(1u << 20), *scratch = arena_new(1u << 20);
    struct span msg = span_str(nested);
    struct mime_tree tree;
    struct buf whole;

    (void)state;
    buf_init(&whole, 10000);
    assert_int_equal(buf_str(&whole, prefix), 0);
    assert_int_equal(buf_span(&whole, msg), 0);
    assert_true(mime_parse(msg, a, &tree));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t from = 0, n = 0, skip = 0;
        const struct imap_verb *v;
        const char *fault;
        struct imap_cmd c;
        struct buf b, text;
        enum imap_section_result r;

        buf_init(&b, 10000);
        buf_init(&text, 10000);
        assert_int_equal(buf_printf(&text, "a FETCH 1 %s", cases[i].item), 0);
        assert_true(imap_parse(buf_all(&text), scratch, &c, &v, &fault));
        r = imap_section_find(&c.items[0].section, span_str(prefix), msg, &tree, &b,
                              &from, &n);
        assert_int_equal(r == IMAP_SECTION_NONE, cases[i].want == NULL);
        if (r == IMAP_SECTION_RANGE) {
            imap_section_cut(&c.items[0].section, &skip, &n);
            assert_int_equal(
                buf_span(&b, span_take(span_drop(buf_all(&whole), from + skip), n)), 0);
        } else if (r == IMAP_SECTION_COPY) {
            n = b.len;
            imap_section_cut(&c.items[0].section, &skip, &n);
            buf_drop(&b, skip);
            buf_truncate(&b, n);
        }
        if (cases[i].want != NULL && strcmp(buf_cstr(&b), cases[i].want) != 0)
            fail_msg("%s: %s", cases[i].item, buf_cstr(&b));
        buf_free(&b);
        buf_free(&text);
    }
    buf_free(&whole);
    arena_free(&a);
    arena_free(&scratch);
}

static const char letter[] = "From: =?utf-8?Q?Andr=C3=A9?= (x) <andre (c) @ x.org>\r\n"
                             "Subject: =?utf-8?Q?=C3=89t=C3=A9?= in\r\n Paris\r\n"
                             "Date: Sat, 24 Mar 2007 23:30:00 -0500\r\n"
                             "Content-Type: text/plain; charset=iso-8859-1\r\n"
                             "Content-Transfer-Encoding: quoted-printable\r\n"
                             "\r\n"
                             "Un caf=E9 no=\r\nir\r\n";

static void test_search(void **state)
{
    static const struct {
        const char *keys;
        enum imap_match want_facts, want;
    } cases[] = {
        {"ALL", IMAP_MATCH_YES, IMAP_MATCH_YES},
        {"SEEN", IMAP_MATCH_YES, IMAP_MATCH_YES},
        {"NEW", IMAP_MATCH_NO, IMAP_MATCH_NO},
        {"OLD", IMAP_MATCH_NO, IMAP_MATCH_NO},
        {"RECENT", IMAP_MATCH_YES, IMAP_MATCH_YES},
        {"KEYWORD work", IMAP_MATCH_YES, IMAP_MATCH_YES},
        {"UNKEYWORD Play", IMAP_MATCH_YES, IMAP_MATCH_YES},
        {"KEYWORD unknown", IMAP_MATCH_NO, IMAP_MATCH_NO},
        {"3", IMAP_MATCH_YES, IMAP_MATCH_YES},
        {"*", IMAP_MATCH_NO, IMAP_MATCH_NO},
        {"UID 30:*", IMAP_MATCH_YES, IMAP_MATCH_YES},
        {"LARGER 100", IMAP_MATCH_YES, IMAP_MATCH_YES},
        {"LARGER 200 SUBJECT x", IMAP_MATCH_NO, IMAP_MATCH_NO},
        {"OR LARGER 100 SUBJECT x", IMAP_MATCH_YES, IMAP_MATCH_YES},
        {"ON 2-Jan-1970", IMAP_MATCH_YES, IMAP_MATCH_YES},
        {"BEFORE 2-Jan-1970", IMAP_MATCH_NO, IMAP_MATCH_NO},
        {"SINCE 2-Jan-1970", IMAP_MATCH_YES, IMAP_MATCH_YES},
        {"YOUNGER 100", IMAP_MATCH_YES, IMAP_MATCH_YES},
        {"OLDER 100", IMAP_MATCH_NO, IMAP_MATCH_NO},
        /* the day as written, whatever the zone */
        {"SENTON 24-Mar-2007", IMAP_MATCH_OPEN, IMAP_MATCH_YES},
        {"SENTSINCE 25-Mar-2007", IMAP_MATCH_OPEN, IMAP_MATCH_NO},
        {"SENTBEFORE 25-Mar-2007", IMAP_MATCH_OPEN, IMAP_MATCH_YES},
        {"SUBJECT {8}\r\n\xc3\xa9T\xc3\x89 iN", IMAP_MATCH_OPEN, IMAP_MATCH_YES},
        {"SUBJECT \"in paris\"", IMAP_MATCH_OPEN, IMAP_MATCH_YES},
        {"FROM andre@x.org", IMAP_MATCH_OPEN, IMAP_MATCH_YES},
        {"FROM {6}\r\nANDR\xc3\x89", IMAP_MATCH_OPEN, IMAP_MATCH_YES},
        {"NOT FROM andre@x.org", IMAP_MATCH_OPEN, IMAP_MATCH_NO},
        {"HEADER date \"\"", IMAP_MATCH_OPEN, IMAP_MATCH_YES},
        {"HEADER x-none \"\"", IMAP_MATCH_OPEN, IMAP_MATCH_NO},
        {"HEADER return-path s@x", IMAP_MATCH_OPEN, IMAP_MATCH_YES},
        {"BODY {10}\r\ncaf\xc3\xa9 noir", IMAP_MATCH_OPEN, IMAP_MATCH_YES},
        {"BODY paris", IMAP_MATCH_OPEN, IMAP_MATCH_NO},
        {"TEXT paris", IMAP_MATCH_OPEN, IMAP_MATCH_YES},
        {"CHARSET ISO-8859-1 BODY {4}\r\ncaf\xe9", IMAP_MATCH_OPEN, IMAP_MATCH_YES},
    };
    static const char *const keywords[] = {"Work", NULL, "play"};
    const struct imap_facts facts = {.seq = 3,
                                     .uid = 30,
                                     .flags =
                                         IMAP_FLAG_SEEN | IMAP_FLAG_RECENT | (1u << 8),
                                     .date_s = 86400 + 5,
                                     .size = 150};
    const struct imap_search_env env = {.seq_max = 5,
                                        .uid_max = 50,
                                        .now_s = 86400 + 60,
                                        .keywords = keywords,
                                        .n_keywords = 3};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena *a = arena_new(1u << 20);
        const struct imap_verb *v;
        struct imap_text text;
        const char *fault;
        struct imap_cmd c;
        struct buf b;

        buf_init(&b, 10000);
        assert_int_equal(buf_printf(&b, "a SEARCH %s", cases[i].keys), 0);
        if (!imap_parse(buf_all(&b), a, &c, &v, &fault))
            fail_msg("%s: %s", cases[i].keys, fault);
        imap_text_init(&text, SPAN_LIT("Return-Path: <s@x>\r\n"), span_str(letter));
        if (imap_search_match(c.key, &facts, &env, NULL) != cases[i].want_facts)
            fail_msg("facts: %s", cases[i].keys);
        if (imap_search_match(c.key, &facts, &env, &text) != cases[i].want)
            fail_msg("text: %s", cases[i].keys);
        imap_text_free(&text);
        buf_free(&b);
        arena_free(&a);
    }
}

static void test_strings(void **state)
{
    struct imap_set_out set;
    struct imap_out o;
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    imap_out_init(&o, &b);
    imap_put_string(&o, SPAN_LIT("a\"b\\c"));
    imap_put_astring(&o, SPAN_LIT(" "));
    imap_put_astring(&o, SPAN_LIT("nil"));
    imap_put_astring(&o, SPAN_LIT("a.b"));
    imap_put_mailbox(&o, SPAN_LIT("\xe2\x98\xba&"));
    imap_put_string(&o, SPAN_LIT("a\r\nb"));
    assert_string_equal(buf_cstr(&b),
                        "\"a\\\"b\\\\c\"\" \"\"nil\"a.b&Jjo-&-{4}\r\na\r\nb");
    buf_reset(&b);
    set = (struct imap_set_out){.o = &o};
    imap_set_add(&set, 1);
    imap_set_add(&set, 2);
    imap_set_add(&set, 5);
    imap_set_end(&set);
    assert_string_equal(buf_cstr(&b), "1:2,5");
    buf_free(&b);
    buf_init(&b, 4);
    imap_out_init(&o, &b);
    imap_put(&o, "12345");
    imap_put(&o, "1");
    assert_true(o.is_full);
    assert_int_equal(b.len, 0); /* nothing goes out behind a hole */
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_envelopes), cmocka_unit_test(test_structure),
        cmocka_unit_test(test_sections),  cmocka_unit_test(test_search),
        cmocka_unit_test(test_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
