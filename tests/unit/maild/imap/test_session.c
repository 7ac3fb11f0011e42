/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "maild/imap/session.h"

/* What a driver would see, as text: replies of the machine, and in brackets what it asked
 * for. Commands are "executed" by answering OK. */
static enum imap_do feed(struct imap_session *s, struct span in, size_t *used,
                         struct buf *seen)
{
    enum imap_do todo = imap_session_input(s, in, used, seen);

    switch (todo) {
    case IMAP_DO_MORE:
        break;
    case IMAP_DO_RUN:
        assert_int_equal(buf_printf(seen, "[run %s", s->verb->name), 0);
        if (s->cmd.user.p != NULL)
            assert_int_equal(buf_printf(seen, " %.*s:%.*s", SPAN_ARG(s->cmd.user),
                                        SPAN_ARG(s->cmd.password)),
                             0);
        assert_int_equal(buf_str(seen, "]\n"), 0);
        if (imap_session_is_idle(s))
            break;
        assert_true(imap_session_is_busy(s));
        assert_int_equal(buf_printf(seen, "%.*s OK\r\n", SPAN_ARG(s->cmd.tag)), 0);
        imap_session_done(s);
        break;
    case IMAP_DO_IDLE_END:
        assert_int_equal(
            buf_printf(seen, "[idle end]\n%.*s OK\r\n", SPAN_ARG(s->cmd.tag)), 0);
        imap_session_done(s);
        break;
    case IMAP_DO_APPEND:
        assert_int_equal(
            buf_printf(seen, "[append %llu]", (unsigned long long)s->append.size), 0);
        break;
    case IMAP_DO_OCTETS:
        assert_int_equal(buf_span(seen, s->octets), 0);
        assert_int_equal(buf_str(seen, s->is_last ? "[last]\n" : ""), 0);
        break;
    case IMAP_DO_APPEND_END:
        assert_int_equal(buf_str(seen, "[append end]\n"), 0);
        break;
    case IMAP_DO_STARTTLS:
        assert_int_equal(buf_str(seen, "[starttls]\n"), 0);
        break;
    case IMAP_DO_CLOSE:
        assert_int_equal(buf_str(seen, "[close]\n"), 0);
        break;
    }
    return todo;
}

static void play(const char *in, size_t chunk, enum imap_state state,
                 bool is_login_allowed, struct buf *seen)
{
    const struct imap_session_config cfg = {.capabilities = "IMAP4rev1",
                                            .append_max = 100,
                                            .bad_max = 3,
                                            .is_login_allowed = is_login_allowed,
                                            .is_starttls_offered = !is_login_allowed};
    struct imap_session s;
    size_t n = strlen(in), at = 0;

    imap_session_init(&s, &cfg, state);
    while (at < n) {
        size_t size = n - at < chunk ? n - at : chunk, used = 0;
        uint8_t *copy = mem_dup(in + at, size);
        size_t off = 0;
        bool is_closed = false;

        while (off < size && !is_closed) {
            is_closed =
                feed(&s, span_of(copy + off, size - off), &used, seen) == IMAP_DO_CLOSE;
            off += used;
            if (used == 0)
                break;
        }
        free(copy);
        if (is_closed)
            break;
        at += size;
    }
    imap_session_free(&s);
}

static const struct {
    const char *name;
    enum imap_state state;
    bool is_login_allowed;
    const char *in, *want;
} dialogues[] = {
    {"commands in one packet", IMAP_STATE_AUTH, true,
     "a NOOP\r\nb CAPABILITY\r\n\r\nc CHECK\r\nd LOGOUT\r\ne NOOP\r\n",
     "[run NOOP]\na OK\r\n* CAPABILITY IMAP4rev1\r\nb OK that is all\r\n"
     "c BAD select a mailbox first\r\n* BYE until next time\r\nd OK logged "
     "out\r\n[close]\n"},
    {"bare line feeds", IMAP_STATE_AUTH, true, "a NOOP\nb NOOP\n",
     "[run NOOP]\na OK\r\n[run NOOP]\nb OK\r\n"},
    {"rfc3501_6_2_3 login wants TLS", IMAP_STATE_GREETED, false,
     "a LOGIN joe x\r\nb STARTTLS\r\n",
     "a NO [PRIVACYREQUIRED] log in after STARTTLS\r\nb OK begin TLS "
     "now\r\n[starttls]\n"},
    {"login with literals", IMAP_STATE_GREETED, true, "a LOGIN {3}\r\njoe {2+}\r\nxy\r\n",
     "+ go on\r\n[run LOGIN joe:xy]\na OK\r\n"},
    {"rfc4959 initial response", IMAP_STATE_GREETED, true,
     "a AUTHENTICATE PLAIN AGpvZQB4eQ==\r\n", "[run AUTHENTICATE joe:xy]\na OK\r\n"},
    {"authenticate in two steps", IMAP_STATE_GREETED, true,
     "a AUTHENTICATE plain\r\nam9lAGpvZQB4eQ==\r\nb NOOP\r\n",
     "+ \r\n[run AUTHENTICATE joe:xy]\na OK\r\nb OK nothing done\r\n"},
    {"authenticate cancelled", IMAP_STATE_GREETED, true, "a AUTHENTICATE PLAIN\r\n*\r\n",
     "+ \r\na BAD authentication cancelled\r\n"},
    {"authenticate for another", IMAP_STATE_GREETED, true,
     "a AUTHENTICATE PLAIN YW5uAGpvZQB4eQ==\r\n",
     "a NO [AUTHENTICATIONFAILED] the response is not PLAIN\r\n"},
    {"other mechanism", IMAP_STATE_GREETED, true, "a AUTHENTICATE CRAM-MD5\r\n",
     "a NO [CANNOT] only AUTHENTICATE PLAIN is offered\r\n"},
    {"states", IMAP_STATE_GREETED, true, "a SELECT x\r\nb LOGIN a b\r\n",
     "a BAD log in first\r\n[run LOGIN a:b]\nb OK\r\n"},
    {"three bad commands in a row", IMAP_STATE_AUTH, true,
     "a X\r\nb Y\r\nz\r\nc NOOP\r\n",
     "a BAD this command is not known\r\nb BAD this command is not known\r\n"
     "* BAD a command begins with a tag\r\n* BYE too many bad commands\r\n[close]\n"},
    {"idle", IMAP_STATE_AUTH, true, "a IDLE\r\nDONE\r\nb NOOP\r\n",
     "+ idling\r\n[run IDLE]\n[idle end]\na OK\r\n[run NOOP]\nb OK\r\n"},
    {"bad name", IMAP_STATE_AUTH, true, "a CREATE a&b\r\n",
     "a NO [CANNOT] no mailbox can have this name\r\n"},
    {"bad charset", IMAP_STATE_SELECTED, true, "a SEARCH CHARSET X-NO ALL\r\n",
     "a NO [BADCHARSET (UTF-8 US-ASCII)] this charset is not known\r\n"},
    {"rfc3501_6_3_11 append", IMAP_STATE_AUTH, true,
     "a APPEND x {5}\r\nhello\r\nb NOOP\r\n",
     "+ send the message\r\n[append 5]hello[last]\n[run APPEND]\na OK\r\n[run NOOP]\nb "
     "OK\r\n"},
    {"rfc3502 two messages", IMAP_STATE_AUTH, true,
     "a APPEND x {2+}\r\nhi (\\Seen) {3+}\r\nyou\r\n",
     "[append 2]hi[last]\n[append 3]you[last]\n[run APPEND]\na OK\r\n"},
    {"append of too much, waiting", IMAP_STATE_AUTH, true,
     "a APPEND x {101}\r\nb NOOP\r\n",
     "a NO [TOOBIG] the message is larger than this server takes\r\n[run NOOP]\nb "
     "OK\r\n"},
    {"append of nothing", IMAP_STATE_AUTH, true, "a APPEND x {0+}\r\n\r\nb NOOP\r\n",
     "a NO a message of no octets\r\n[append end]\n[run NOOP]\nb OK\r\n"},
    {"append with rubbish behind", IMAP_STATE_AUTH, true, "a APPEND x {2+}\r\nhi x\r\n",
     "[append 2]hi[last]\na BAD after a message comes another or the end of the line\r\n"
     "[append end]\n"},
    {"append before login is no stream", IMAP_STATE_GREETED, true,
     "a APPEND x {2}\r\nhi\r\n",
     "+ go on\r\na BAD APPEND wants: mailbox [flags] [date-time] "
     "message as a literal\r\n"},
    {"literal too large, waiting", IMAP_STATE_AUTH, true,
     "a SELECT {70000}\r\nb NOOP\r\n",
     "a NO [LIMIT] the literal is too large for this command\r\n[run NOOP]\nb OK\r\n"},
    {"literal too large behind no tag: nothing of it is echoed", IMAP_STATE_AUTH, true,
     "\x7f\xff {70000}\r\nb NOOP\r\n",
     "* BAD a command begins with a tag\r\n[run NOOP]\nb OK\r\n"},
    {"literal too large in a SASL response", IMAP_STATE_GREETED, true,
     "a AUTHENTICATE PLAIN\r\nsecret {70000}\r\nb NOOP\r\n",
     "+ \r\na BAD the response is not base64\r\nb OK nothing done\r\n"},
    {"literal too large ends IDLE like any line", IMAP_STATE_AUTH, true,
     "a IDLE\r\nDONE {70000}\r\nb NOOP\r\n",
     "+ idling\r\n[run IDLE]\n[idle end]\na OK\r\n[run NOOP]\nb OK\r\n"},
    {"literal too large, not waiting", IMAP_STATE_AUTH, true, "a SELECT {70000+}\r\n",
     "* BYE the command is too long\r\n[close]\n"},
};

/* Split law: whole, octet by octet, and in sevens, the same is seen. */
static void test_dialogues(void **state)
{
    static const size_t chunks[] = {100000, 1, 7};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(dialogues); i++) {
        for (size_t k = 0; k < COUNT_OF(chunks); k++) {
            struct buf seen;

            buf_init(&seen, 100000);
            play(dialogues[i].in, chunks[k], dialogues[i].state,
                 dialogues[i].is_login_allowed, &seen);
            if (strcmp(buf_cstr(&seen), dialogues[i].want) != 0)
                fail_msg("%s (chunks of %zu): %s", dialogues[i].name, chunks[k],
                         buf_cstr(&seen));
            buf_free(&seen);
        }
    }
}

/* Bound law: a line without end is cut off, not stored. */
static void test_endless_line(void **state)
{
    const struct imap_session_config cfg = {.capabilities = "", .bad_max = 3};
    uint8_t junk[4096];
    struct imap_session s;
    struct buf out;
    enum imap_do todo = IMAP_DO_MORE;
    size_t used, fed = 0;

    (void)state;
    memset(junk, 'x', sizeof(junk));
    buf_init(&out, 1000);
    imap_session_init(&s, &cfg, IMAP_STATE_GREETED);
    while (todo == IMAP_DO_MORE && fed < 1000000) {
        todo = imap_session_input(&s, span_of(junk, sizeof(junk)), &used, &out);
        fed += sizeof(junk);
    }
    assert_int_equal(todo, IMAP_DO_CLOSE);
    assert_true(fed <= COLLECT_MAX + 2 * sizeof(junk));
    assert_string_equal(buf_cstr(&out), "* BYE the command is too long\r\n");
    imap_session_free(&s);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialogues),
        cmocka_unit_test(test_endless_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
