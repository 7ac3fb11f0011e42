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
#include "maild/queue/dsn.h"

static const struct {
    const char *name, *reason, *fallback, *want;
} statuses[] = {
    {"reply and status", "550 5.1.1 no such user", "5.0.0", "5.1.1"},
    {"long numbers", "550 5.7.509 refused", "5.0.0", "5.7.509"},
    {"several lines", "550-5.1.1 no such user", "5.0.0", "5.1.1"},
    {"reply alone", "550 mailbox unavailable", "5.9.9", "5.0.0"},
    {"temporary reply alone", "421 try later", "5.9.9", "4.0.0"},
    {"our own words", "5.1.2 no such domain", "5.0.0", "5.1.2"},
    {"no code", "connection refused", "4.4.7", "4.4.7"},
    {"nothing", "", "5.0.0", "5.0.0"},
    {"an address is no status", "192.0.2.1 said no", "4.4.7", "4.4.7"},
    {"bad class", "550 3.1.1 what", "5.9.9", "5.0.0"},
    {"two numbers", "550 5.1 what", "5.9.9", "5.0.0"},
    {"four digits", "550 5.1.1234 what", "5.9.9", "5.0.0"},
};

static void status_is_read_from_the_reply(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        char got[DSN_STATUS_TEXT];
        char *copy = mem_strdup(statuses[i].reason);

        dsn_status(copy, statuses[i].fallback, got);
        if (strcmp(got, statuses[i].want) != 0)
            fail_msg("%s: %s", statuses[i].name, got);
        free(copy);
    }
}

static void make(const struct dsn_rcpt *rcpts, size_t n, const char *header,
                 struct buf *out)
{
    struct dsn d = {.now_s = 1795000000,
                    .hostname = "mail.host.example",
                    .from_domain = "host.example",
                    .sender = "anna@host.example",
                    .accepted_s = 1795000000 - 432000,
                    .lifetime_s = 432000,
                    .rcpts = rcpts,
                    .n = n,
                    .header = span_str(header)};

    memset(&d.id, 9, sizeof(d.id));
    buf_init(out, 1u << 20);
    assert_int_equal(dsn_write(&d, out), 0);
}

static void must_have(struct buf *b, const char *text)
{
    if (span_find(buf_all(b), span_str(text)) < 0)
        fail_msg("not there: %s\nin: %s", text, buf_cstr(b));
}

static const char header[] = "From: anna@host.example\r\nMessage-ID: <x@host.example>\r\n"
                             "Subject: Hi\r\n\r\n";

static void rfc3464_report_has_its_three_parts(void **state)
{
    const struct dsn_rcpt r = {.address = "nobody@far.example",
                               .original = "nobody@far.example",
                               .host = "mx.far.example",
                               .reason = "550 5.1.1 no such user here",
                               .last_s = 1795000000};
    struct buf b;

    (void)state;
    make(&r, 1, header, &b);
    must_have(&b, "From: Mail Delivery System <MAILER-DAEMON@host.example>\r\n");
    must_have(&b, "To: <anna@host.example>\r\n");
    must_have(&b, "Auto-Submitted: auto-replied\r\n");
    must_have(&b, "References: <x@host.example>\r\n");
    must_have(&b, "Content-Type: multipart/report; report-type=delivery-status;\r\n");
    must_have(&b, "There is no such mailbox at that address.\r\n");
    must_have(&b, "The words of mx.far.example:\r\n    550 5.1.1 no such user here\r\n");
    must_have(&b, "Check the spelling of the address");
    must_have(&b, "\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; "
                  "mail.host.example\r\n");
    must_have(&b, "\r\n\r\nOriginal-Recipient: rfc822; nobody@far.example\r\n"
                  "Final-Recipient: rfc822; nobody@far.example\r\nAction: failed\r\n"
                  "Status: 5.1.1\r\nRemote-MTA: dns; mx.far.example\r\n"
                  "Diagnostic-Code: smtp; 550 5.1.1 no such user here\r\n");
    must_have(&b, "\r\nContent-Type: text/rfc822-headers\r\n");
    must_have(&b, "\r\n\r\nFrom: anna@host.example\r\nMessage-ID: <x@host.example>\r\n");
    buf_free(&b);
}

static void expired_and_forwarded_and_local(void **state)
{
    const struct dsn_rcpt r[] = {
        {.address = "real@far.example",
         .original = "alias@host.example",
         .host = "",
         .reason = "no answer from mx.far.example",
         .is_expired = true,
         .last_s = 1795000000},
        {.address = "b@host.example",
         .original = "b@host.example",
         .host = "",
         .reason = "5.2.2 mailbox full \xc3\xa4",
         .last_s = 1795000000},
    };
    struct buf b;

    (void)state;
    make(r, 2, header, &b);
    must_have(&b, "Subject: Not delivered: your message to several recipients\r\n");
    must_have(&b, "<alias@host.example>\r\n    (forwarded to <real@far.example>)\r\n");
    must_have(&b, "We have tried for 120 hours and will not try again.");
    must_have(&b, "Status: 4.4.7\r\n");
    must_have(&b, "Diagnostic-Code: x-signpost; 5.2.2 mailbox full ??\r\n");
    must_have(&b, "charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n");
    must_have(&b, "The mailbox is full.\r\n");
    buf_free(&b);
}

static void endless_words_and_headers_stay_within_line_limits(void **state)
{
    char reason[600], *big = mem_new(1, 300001);
    const struct dsn_rcpt r = {.address = "b@far.example",
                               .original = "b@far.example",
                               .host = "mx",
                               .reason = reason,
                               .last_s = 1795000000};
    struct span rest, line;
    struct buf b;

    (void)state;
    memset(reason, 'x', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    for (size_t i = 0; i + 10 <= 300000; i += 10)
        memcpy(big + i, "X-A: bcd\r\n", 10);
    make(&r, 1, big, &b);
    assert_true(b.len < 60000);
    for (rest = buf_all(&b); rest.n > 0;) {
        (void)span_cut(rest, '\n', &line, &rest);
        assert_true(line.n <= 999);
        assert_true(line.n == 0 || line.p[line.n - 1] == '\r');
    }
    buf_free(&b);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_is_read_from_the_reply),
        cmocka_unit_test(rfc3464_report_has_its_three_parts),
        cmocka_unit_test(expired_and_forwarded_and_local),
        cmocka_unit_test(endless_words_and_headers_stay_within_line_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
