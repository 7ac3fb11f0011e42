/* SPDX-License-Identifier: ISC */
/* Whole sessions from the peer's side of the script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "maild/smtp/client.h"

#define ENV     "MAIL FROM:<a@us.test>\r\n"
#define ALL     "250-mx\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 8BITMIME\r\n"
#define ENV_ALL "MAIL FROM:<a@us.test> SIZE=12\r\n"

/* Recipients are r1, r2, r3 @ them.test; the message is "Hi\r\n\r\n.dot\r\n". */
static const struct {
    const char *name;
    const char *peer; /* all it will say */
    size_t n;         /* recipients */
    bool is_8bit, may_tls, is_lost;
    const char *want_said; /* all we say; {TLS} where TLS begins */
    const char *want[3];   /* one letter and text of each result */
    bool want_next;        /* another host may be tried */
} cases[] = {
    {"plain and slow",
     "220 mx\r\n250 mx\r\n250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 id 7\r\n",
     1,
     false,
     true,
     false,
     "EHLO us\r\n" ENV
     "RCPT TO:<r1@them.test>\r\nDATA\r\nHi\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
     {"S250 2.0.0 id 7"},
     false},
    {"rfc2920 pipelined, mixed results",
     "220 mx\r\n" ALL "250 ok\r\n250 ok\r\n550 5.1.1 no\r\n450 4.2.1 busy\r\n354 go\r\n"
     "250 got it\r\n",
     3,
     false,
     true,
     false,
     "EHLO us\r\n" ENV_ALL "RCPT TO:<r1@them.test>\r\nRCPT TO:<r2@them.test>\r\nRCPT "
     "TO:<r3@them.test>\r\nDATA\r\n"
     "Hi\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
     {"S250 got it", "F550 5.1.1 no", "L450 4.2.1 busy"},
     false},
    {"rfc2920_3_1 all refused, yet 354: an empty message for nobody",
     "220 mx\r\n" ALL "250 ok\r\n550 no\r\n354 go\r\n554 none\r\n",
     1,
     false,
     true,
     false,
     "EHLO us\r\n" ENV_ALL "RCPT TO:<r1@them.test>\r\nDATA\r\n.\r\nQUIT\r\n",
     {"F550 no"},
     false},
    {"all refused, one at a time: no DATA",
     "220 mx\r\n250 mx\r\n250 ok\r\n550 no\r\n451 wait\r\n",
     2,
     false,
     true,
     false,
     "EHLO us\r\n" ENV "RCPT TO:<r1@them.test>\r\nRCPT TO:<r2@them.test>\r\nQUIT\r\n",
     {"F550 no", "L451 wait"},
     false},
    {"rfc5321_3_2 helo after ehlo is refused",
     "220 mx\r\n502 what\r\n250 mx\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n",
     1,
     false,
     true,
     false,
     "EHLO us\r\nHELO us\r\n" ENV
     "RCPT TO:<r1@them.test>\r\nDATA\r\nHi\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
     {"S250 ok"},
     false},
    {"ehlo later",
     "220 mx\r\n451 no time\r\n",
     1,
     false,
     true,
     false,
     "EHLO us\r\nQUIT\r\n",
     {"L451 no time"},
     true},
    {"greeting later",
     "421 busy\r\n",
     1,
     false,
     true,
     false,
     "QUIT\r\n",
     {"L421 busy"},
     true},
    {"greeting never",
     "554-5.7.1 you are\r\n554 5.7.1 listed\r\n",
     1,
     false,
     true,
     false,
     "QUIT\r\n",
     {"F554 5.7.1 you are listed"},
     true},
    {"greeting of several lines",
     "220-a\r\n220 b\r\n421 bye\r\n",
     1,
     false,
     true,
     false,
     "EHLO us\r\n",
     {"L421 bye"},
     true},
    {"mail refused",
     "220 mx\r\n250 mx\r\n550 5.7.1 not you\r\n",
     2,
     false,
     true,
     false,
     "EHLO us\r\n" ENV "QUIT\r\n",
     {"F550 5.7.1 not you", "F550 5.7.1 not you"},
     false},
    {"mail refused, pipelined",
     "220 mx\r\n" ALL "451 4.7.1 grey\r\n503 no\r\n503 no\r\n",
     1,
     false,
     true,
     false,
     "EHLO us\r\n" ENV_ALL "RCPT TO:<r1@them.test>\r\nDATA\r\nQUIT\r\n",
     {"L451 4.7.1 grey"},
     false},
    {"data refused",
     "220 mx\r\n250 mx\r\n250 ok\r\n250 ok\r\n452 full\r\n",
     1,
     false,
     true,
     false,
     "EHLO us\r\n" ENV "RCPT TO:<r1@them.test>\r\nDATA\r\nQUIT\r\n",
     {"L452 full"},
     false},
    {"message refused",
     "220 mx\r\n250 mx\r\n250 ok\r\n250 ok\r\n354 go\r\n554 5.6.0 spam\r\n",
     1,
     false,
     true,
     false,
     "EHLO us\r\n" ENV
     "RCPT TO:<r1@them.test>\r\nDATA\r\nHi\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
     {"F554 5.6.0 spam"},
     false},
    {"421 in the middle",
     "220 mx\r\n250 mx\r\n250 ok\r\n250 ok\r\n421 4.3.2 stop\r\n",
     2,
     false,
     true,
     false,
     "EHLO us\r\n" ENV "RCPT TO:<r1@them.test>\r\nRCPT TO:<r2@them.test>\r\n",
     {"L421 4.3.2 stop", "L421 4.3.2 stop"},
     false},
    {"rfc5321_4_5_3_1_10 552 at rcpt means too many",
     "220 mx\r\n250 mx\r\n250 ok\r\n552 too many\r\n552 5.2.2 full\r\n",
     2,
     false,
     true,
     false,
     "EHLO us\r\n" ENV "RCPT TO:<r1@them.test>\r\nRCPT TO:<r2@them.test>\r\nQUIT\r\n",
     {"L552 too many", "F552 5.2.2 full"},
     false},
    {"rfc3207 starttls",
     "220 mx\r\n250-mx\r\n250 STARTTLS\r\n220 go\r\n250 mx\r\n250 ok\r\n250 ok\r\n354 "
     "go\r\n"
     "250 ok\r\n",
     1,
     false,
     true,
     false,
     "EHLO us\r\nSTARTTLS\r\n{TLS}EHLO us\r\n" ENV
     "RCPT TO:<r1@them.test>\r\nDATA\r\nHi\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
     {"S250 ok"},
     false},
    {"starttls refused: in clear",
     "220 mx\r\n250-mx\r\n250 STARTTLS\r\n454 no\r\n250 ok\r\n250 ok\r\n354 go\r\n250 "
     "ok\r\n",
     1,
     false,
     true,
     false,
     "EHLO us\r\nSTARTTLS\r\n" ENV
     "RCPT TO:<r1@them.test>\r\nDATA\r\nHi\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
     {"S250 ok"},
     false},
    {"starttls not wanted",
     "220 mx\r\n250-mx\r\n250 STARTTLS\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n",
     1,
     false,
     false,
     false,
     "EHLO us\r\n" ENV
     "RCPT TO:<r1@them.test>\r\nDATA\r\nHi\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
     {"S250 ok"},
     false},
    {"rfc6152 8bit to an 8bit host",
     "220 mx\r\n" ALL "250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n",
     1,
     true,
     true,
     false,
     "EHLO us\r\nMAIL FROM:<a@us.test> SIZE=12 BODY=8BITMIME\r\n"
     "RCPT TO:<r1@them.test>\r\nDATA\r\nHi\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
     {"S250 ok"},
     false},
    {"rfc6152 8bit to a 7bit host",
     "220 mx\r\n250 mx\r\n",
     1,
     true,
     true,
     false,
     "EHLO us\r\nQUIT\r\n",
     {"F554 5.6.3 the message has 8-bit octets and this host takes only 7-bit mail (no "
      "8BITMIME)"},
     false},
    {"rfc1870 larger than the host takes",
     "220 mx\r\n250-mx\r\n250 SIZE 11\r\n",
     1,
     false,
     true,
     false,
     "EHLO us\r\nQUIT\r\n",
     {"F552 5.3.4 the message is larger than this host takes"},
     false},
    {"no smtp at all",
     "SSH-2.0-x\r\n",
     1,
     false,
     true,
     false,
     "",
     {"L451 4.5.0 the host does not speak SMTP"},
     true},
    {"lost before the greeting",
     "",
     1,
     false,
     true,
     true,
     "",
     {"L451 4.4.2 gone while waiting for the greeting"},
     true},
    {"lost at mail",
     "220 mx\r\n250 mx\r\n",
     1,
     false,
     true,
     true,
     "EHLO us\r\n" ENV,
     {"L451 4.4.2 gone while waiting for the answer to MAIL"},
     true},
    {"lost at rcpt",
     "220 mx\r\n250 mx\r\n250 ok\r\n550 no\r\n",
     2,
     false,
     true,
     true,
     "EHLO us\r\n" ENV "RCPT TO:<r1@them.test>\r\nRCPT TO:<r2@them.test>\r\n",
     {"F550 no", "L451 4.4.2 gone while waiting for the answer to RCPT"},
     false},
    {"lost after the dot",
     "220 mx\r\n250 mx\r\n250 ok\r\n250 ok\r\n354 go\r\n",
     1,
     false,
     true,
     true,
     "EHLO us\r\n" ENV "RCPT TO:<r1@them.test>\r\nDATA\r\nHi\r\n\r\n..dot\r\n.\r\n",
     {"L451 4.4.2 gone while waiting for the answer to the message"},
     false},
};

static const char *const rcpts[] = {"r1@them.test", "r2@them.test", "r3@them.test"};
static const char message[] = "Hi\r\n\r\n.dot\r\n";

struct run {
    struct smtp_client c;
    struct buf said;
    bool is_over;
};

static void flush(struct run *r)
{
    assert_int_equal(buf_span(&r->said, buf_all(&r->c.out)), 0);
    buf_reset(&r->c.out);
}

/* Do what the machine wants until it wants input. */
static void obey(struct run *r, enum smtp_client_want want, size_t step)
{
    for (;;) {
        flush(r);
        switch (want) {
        case CLIENT_MORE:
            return;
        case CLIENT_DONE:
            r->is_over = true;
            return;
        case CLIENT_TLS:
            assert_int_equal(buf_str(&r->said, "{TLS}"), 0);
            want = smtp_client_tls(&r->c);
            break;
        case CLIENT_BODY:
            for (size_t at = 0; at < sizeof(message) - 1; at += step) {
                struct span s = span_of(message + at, sizeof(message) - 1 - at);

                assert_int_equal(smtp_client_body(&r->c, span_take(s, step)), 0);
            }
            want = smtp_client_body_end(&r->c);
            break;
        }
    }
}

static void check(size_t i, struct run *r, size_t step)
{
    static const char letters[] = "?SLF";

    if (!span_eq_str(buf_all(&r->said), cases[i].want_said))
        fail_msg("%s (step %zu): said\n%s", cases[i].name, step, buf_cstr(&r->said));
    for (size_t k = 0; k < cases[i].n; k++) {
        const struct smtp_client_result *got = &r->c.results[k];
        char text[600];

        (void)snprintf(text, sizeof(text), "%c%s", letters[got->outcome],
                       got->text == NULL ? "" : got->text);
        if (strcmp(text, cases[i].want[k]) != 0)
            fail_msg("%s (step %zu): recipient %zu: %s", cases[i].name, step, k, text);
    }
    if (smtp_client_may_try_next(&r->c) != cases[i].want_next)
        fail_msg("%s: try next", cases[i].name);
    if (!r->is_over)
        fail_msg("%s: not over", cases[i].name);
}

static void session(size_t i, size_t step)
{
    struct smtp_client_job job = {.helo = "us",
                                  .may_tls = cases[i].may_tls,
                                  .sender = "a@us.test",
                                  .rcpts = rcpts,
                                  .n = cases[i].n,
                                  .size = sizeof(message) - 1,
                                  .is_8bit = cases[i].is_8bit};
    size_t n = strlen(cases[i].peer), have = 0, at = 0;
    struct run r = {.is_over = false};

    smtp_client_init(&r.c, &job);
    buf_init(&r.said, 65536);
    while (!r.is_over && have < n) {
        uint8_t *copy;
        size_t used;
        enum smtp_client_want want;

        have = have + step < n ? have + step : n;
        do {
            copy = malloc(have - at > 0 ? have - at : 1);
            assert_non_null(copy);
            memcpy(copy, cases[i].peer + at, have - at);
            want = smtp_client_input(&r.c, span_of(copy, have - at), &used);
            free(copy);
            at += used;
            obey(&r, want, step);
        } while (!r.is_over && want != CLIENT_MORE);
    }
    if (cases[i].is_lost && !r.is_over) {
        smtp_client_lost(&r.c, "gone");
        r.is_over = true;
    }
    check(i, &r, step);
    buf_free(&r.said);
    smtp_client_free(&r.c);
}

static void sessions_whole_and_octet_by_octet(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        session(i, 1 << 20);
        session(i, 1);
        session(i, 7);
    }
}

static void many_recipients_run_ahead_by_a_window(void **state)
{
    enum { N = 1000 };
    static const char *all[N];
    struct smtp_client_job job = {
        .helo = "us", .sender = "", .rcpts = all, .n = N, .size = 10};
    struct smtp_client c;
    size_t used, lines = 0, answers = 0;
    enum smtp_client_want want = CLIENT_MORE;
    const char *open = "220 mx\r\n250-mx\r\n250 PIPELINING\r\n";

    (void)state;
    for (size_t i = 0; i < N; i++)
        all[i] = "somebody@them.test";
    smtp_client_init(&c, &job);
    assert_int_equal(smtp_client_input(&c, span_str(open), &used), CLIENT_MORE);
    while (want == CLIENT_MORE) {
        for (size_t i = 0; i < c.out.len; i++)
            lines += c.out.data[i] == '\n';
        buf_reset(&c.out);
        assert_in_range(lines - 1 - answers, 1, 100);
        want = smtp_client_input(
            &c, answers == N + 1 ? SPAN_LIT("354 go\r\n") : SPAN_LIT("250 ok\r\n"),
            &used);
        answers++;
    }
    assert_int_equal(want, CLIENT_BODY);
    assert_int_equal(c.accepted, N);
    assert_int_equal(smtp_client_timeout_ms(&c), 180000);
    /* It gives up in the middle of the message. */
    assert_int_equal(smtp_client_body(&c, SPAN_LIT("x")), 0);
    assert_int_equal(smtp_client_input(&c, SPAN_LIT("552 5.3.4 big\r\n"), &used),
                     CLIENT_DONE);
    assert_int_equal(c.results[N - 1].outcome, OUTCOME_FAILED);
    assert_int_equal(smtp_client_body_end(&c), CLIENT_DONE);
    smtp_client_free(&c);
}

static void addresses_that_cannot_be_named_fail_alone(void **state)
{
    static const char *const odd[] = {"a@b\r\nRCPT TO:<x@y>", "\xc3\xbc@them.test",
                                      "ok@them.test"};
    struct smtp_client_job job = {
        .helo = "us", .sender = "", .rcpts = odd, .n = 3, .size = 1};
    struct smtp_client c;
    size_t used;

    (void)state;
    smtp_client_init(&c, &job);
    assert_int_equal(smtp_client_input(
                         &c, SPAN_LIT("220 mx\r\n250 mx\r\n250 ok\r\n250 ok\r\n"), &used),
                     CLIENT_MORE);
    assert_true(
        span_eq_str(buf_all(&c.out),
                    "EHLO us\r\nMAIL FROM:<>\r\nRCPT TO:<ok@them.test>\r\nDATA\r\n"));
    assert_int_equal(c.results[0].outcome, OUTCOME_FAILED);
    assert_int_equal(c.results[1].outcome, OUTCOME_FAILED);
    assert_int_equal(c.results[2].outcome, OUTCOME_NONE);
    smtp_client_give_up(&c, "451 4.3.0 our disk");
    assert_string_equal(c.results[2].text, "451 4.3.0 our disk");
    smtp_client_free(&c);
}

static void rfc5321_4_5_2_dots_and_line_ends(void **state)
{
    static const struct {
        const char *in, *want;
    } bodies[] = {
        {"", ".\r\n"},
        {".", "..\r\n.\r\n"},
        {"a", "a\r\n.\r\n"},
        {"a\r\n", "a\r\n.\r\n"},
        {"a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"},
        {"a\n.\nb\n", "a\r\n..\r\nb\r\n.\r\n"}, /* never so here; see client.c */
        {"a\r.\rb\r", "a\r\n..\r\nb\r\n.\r\n"},
        {"a\r\r\n.\r\n", "a\r\n\r\n..\r\n.\r\n"},
        {"a.b..\r\n", "a.b..\r\n.\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        for (size_t step = 1; step < 20; step += 18) {
            struct smtp_client_job job = {
                .helo = "us", .sender = "", .rcpts = rcpts, .n = 1, .size = 1};
            const char *open = "220 x\r\n250 x\r\n250 x\r\n250 x\r\n354 x\r\n";
            struct span in = span_str(bodies[i].in);
            struct smtp_client c;
            size_t used;

            smtp_client_init(&c, &job);
            assert_int_equal(smtp_client_input(&c, span_str(open), &used), CLIENT_BODY);
            buf_reset(&c.out);
            for (; in.n > 0; in = span_drop(in, step))
                assert_int_equal(smtp_client_body(&c, span_take(in, step)), 0);
            assert_int_equal(smtp_client_body_end(&c), CLIENT_MORE);
            if (!span_eq_str(buf_all(&c.out), bodies[i].want))
                fail_msg("body %zu: %s", i, buf_cstr(&c.out));
            smtp_client_free(&c);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_whole_and_octet_by_octet),
        cmocka_unit_test(many_recipients_run_ahead_by_a_window),
        cmocka_unit_test(addresses_that_cannot_be_named_fail_alone),
        cmocka_unit_test(rfc5321_4_5_2_dots_and_line_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
