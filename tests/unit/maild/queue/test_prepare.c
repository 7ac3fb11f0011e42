/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "base/msg/header.h"
#include "maild/queue/prepare.h"

#define DATE "Date: Wed, 18 Nov 2026 11:06:40 +0000\r\n"
#define ID   "Message-ID: <bibibibibibibibibibibibibi@h.example>\r\n"

static const struct {
    const char *name, *in;
    enum prepare_result want;
    const char *want_header, *want_from;
} cases[] = {
    {"rfc6409_8 date and id added", "From: a@B.example\r\n\r\nbody", PREPARE_OK,
     "From: a@B.example\r\n" DATE ID "\r\n", "b.example"},
    {"present ones stay", "Date: x\r\nmessage-id: <1@2>\r\nFrom: a@b.example\r\n\r\n",
     PREPARE_OK, "Date: x\r\nmessage-id: <1@2>\r\nFrom: a@b.example\r\n\r\n",
     "b.example"},
    {"rfc5322_3_6_3 bcc goes with its folds",
     "From: a@b.example\r\nBcc: x@y,\r\n z@y\r\nDate: x\r\nMessage-ID: <1@2>\r\n\r\n",
     PREPARE_OK, "From: a@b.example\r\nDate: x\r\nMessage-ID: <1@2>\r\n\r\n",
     "b.example"},
    {"rfc5321_4_4 return-path goes",
     "Return-Path: <x@y>\r\nFrom: a@b.example\r\nDate: x\r\nMessage-ID: <1@2>\r\n\r\n",
     PREPARE_OK, "From: a@b.example\r\nDate: x\r\nMessage-ID: <1@2>\r\n\r\n",
     "b.example"},
    {"name with at sign in quotes", "From: \"x@evil.example\" <a@b.example>\r\n\r\n",
     PREPARE_OK, "From: \"x@evil.example\" <a@b.example>\r\n" DATE ID "\r\n",
     "b.example"},
    {"no body and no empty line", "From: a@b.example\r\nDate: x\r\nMessage-ID: <1@2>",
     PREPARE_OK, "From: a@b.example\r\nDate: x\r\nMessage-ID: <1@2>\r\n\r\n",
     "b.example"},
    {"no from", "To: a@b.example\r\n\r\n", PREPARE_NO_FROM, NULL, ""},
    {"from without address", "From: nobody\r\n\r\n", PREPARE_NO_FROM, NULL, ""},
    {"empty message", "", PREPARE_NO_FROM, NULL, ""},
};

static void headers(void **state)
{
    struct msgid id;

    (void)state;
    memset(&id, 0, sizeof(id));
    assert_true(msgid_parse(SPAN_LIT("bibibibibibibibibibibibibi"), &id) ||
                msgid_parse(SPAN_LIT("bibibibibibibibibibibibiba"), &id));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t n = strlen(cases[i].in), skip;
        uint8_t *copy = mem_dup(cases[i].in, n);
        char from[PREPARE_DOMAIN_MAX + 1], text[MSGID_TEXT + 1], want[1000] = "";
        struct buf out;
        enum prepare_result got;

        buf_init(&out, 65536);
        got = prepare_header(span_of(copy, n), 1795000000, &id, "h.example", &out, &skip,
                             from);
        assert_string_equal(from, cases[i].want_from);
        if (got != cases[i].want)
            fail_msg("%s: %d", cases[i].name, got);
        if (cases[i].want_header != NULL) {
            char *at;

            (void)snprintf(want, sizeof(want), "%s", cases[i].want_header);
            msgid_print(&id, text);
            at = strstr(want, "bibibi");
            if (at != NULL)
                memcpy(at, text, MSGID_TEXT);
            if (!span_eq_str(buf_all(&out), want))
                fail_msg("%s: %s", cases[i].name, buf_cstr(&out));
            assert_int_equal(skip, header_size(span_of(copy, n)));
        }
        buf_free(&out);
        free(copy);
    }
}

static void endless_header_is_refused(void **state)
{
    char *big = mem_new(1, 70001), from[PREPARE_DOMAIN_MAX + 1];
    struct msgid id = {{0}};
    struct buf out;
    size_t skip;

    (void)state;
    for (size_t i = 0; i + 10 <= 70000; i += 10)
        memcpy(big + i, "X-A: bcd\r\n", 10);
    buf_init(&out, PREPARE_HEADER_MAX + 1024);
    assert_int_equal(prepare_header(span_of(big, PREPARE_HEADER_MAX + 1), 1, &id, "h",
                                    &out, &skip, from),
                     PREPARE_TOO_LONG);
    buf_free(&out);
    free(big);
}

static void digest_is_printable(void **state)
{
    struct prepare_digest d;

    (void)state;
    prepare_digest(SPAN_LIT("Subject: one\r\n two \x01\r\nFrom: \"A\" <a@b.example>\r\n"
                            "Message-ID:\r\n <x@y>\r\n\r\nFrom: body\r\n"),
                   &d);
    assert_string_equal(d.subject, "one two ?");
    assert_string_equal(d.from, "a@b.example");
    assert_string_equal(d.message_id, "x@y");
    prepare_digest(SPAN_LIT(""), &d);
    assert_string_equal(d.subject, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers),
        cmocka_unit_test(endless_header_is_refused),
        cmocka_unit_test(digest_is_printable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
