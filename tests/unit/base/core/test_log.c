/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/core/log.h"
#include "base/core/mem.h"
#include "base/core/utf8.h"

#define WALL_S 1795375320 /* 2026-11-22T19:22:00Z */

struct sink {
    int fds[2];
    struct clock clock;
    struct log log;
    char text[8192];
};

static void sink_open(struct sink *s, enum log_format format)
{
    assert_int_equal(pipe(s->fds), 0);
    clock_fake_init(&s->clock, WALL_S);
    clock_fake_advance(&s->clock, 123);
    log_init(&s->log, s->fds[1], "edge", &s->clock);
    s->log.format = format;
}

/* What came out, NUL-terminated. */
static const char *sink_close(struct sink *s)
{
    ssize_t n;

    assert_int_equal(close(s->fds[1]), 0);
    n = read(s->fds[0], s->text, sizeof s->text - 1);
    assert_true(n >= 0);
    s->text[n] = '\0';
    assert_int_equal(close(s->fds[0]), 0);
    return s->text;
}

static void test_values_cannot_forge_a_line(void **state)
{
    static const struct {
        const char *name, *in, *want_text, *want_json;
        size_t n; /* 0: strlen */
    } cases[] = {
        {"plain", "a.b-c_d:e/f+1", "a.b-c_d:e/f+1", "\"a.b-c_d:e/f+1\"", 0},
        {"empty", "", "\"\"", "\"\"", 0},
        {"blank", "a b", "\"a b\"", "\"a b\"", 0},
        {"equals sign", "a=b", "\"a=b\"", "\"a=b\"", 0},
        {"quotes", "a\"b\\", "\"a\\\"b\\\\\"", "\"a\\\"b\\\\\"", 0},
        {"line end", "a\r\nb", "\"a\\u000d\\u000ab\"", "\"a\\u000d\\u000ab\"", 0},
        {"nul", "a\0b", "\"a\\u0000b\"", "\"a\\u0000b\"", 3},
        {"escape", "\x1b[2J", "\"\\u001b[2J\"", "\"\\u001b[2J\"", 0},
        {"c1 control", "\xc2\x9b", "\"\\u009b\"", "\"\\u009b\"", 0},
        {"override", "\xe2\x80\xae", "\"\\u202e\"", "\"\\u202e\"", 0},
        {"korean", "\xec\x9a\xb0", "\"\xec\x9a\xb0\"", "\"\xec\x9a\xb0\"", 0},
        {"no utf-8", "a\xff", "\"a\\xff\"", "\"a\\\\xff\"", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct span in =
            span_of(cases[i].in, cases[i].n == 0 ? strlen(cases[i].in) : cases[i].n);
        struct sink s;
        char want[256];

        sink_open(&s, LOG_FORMAT_TEXT);
        log_event(&s.log, LOG_LISTEN, LOGF_B("v", in), LOGF_N("n", -5));
        (void)snprintf(want, sizeof want,
                       "2026-11-22T19:22:00.123Z info edge listen "
                       "v=%s n=-5\n",
                       cases[i].want_text);
        assert_string_equal(sink_close(&s), want);
        sink_open(&s, LOG_FORMAT_JSON);
        log_event(&s.log, LOG_LISTEN, LOGF_B("v", in), LOGF_N("n", -5));
        (void)snprintf(want, sizeof want,
                       "{\"time\":\"2026-11-22T19:22:00.123Z\",\"level\":\"info\","
                       "\"role\":\"edge\",\"event\":\"listen\",\"v\":%s,\"n\":-5}\n",
                       cases[i].want_json);
        assert_string_equal(sink_close(&s), want);
    }
}

static void test_long_values_and_lines_are_cut(void **state)
{
    char *dirty = mem_new(2000, 1);
    struct sink s;
    const char *text;

    (void)state;
    memset(dirty, '\x01', 1999);
    for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
        sink_open(&s, (enum log_format)format);
        log_event(&s.log, LOG_LISTEN, LOGF_S("a", dirty), LOGF_S("b", dirty));
        text = sink_close(&s);
        assert_true(strlen(text) <= 4096);
        assert_non_null(strstr(text, "\\u0001...\""));
        assert_non_null(
            strstr(text, format == LOG_FORMAT_JSON ? ",\"cut\":true}\n" : " cut=yes\n"));
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    }
    free(dirty);
}

static void test_levels_and_dead_sinks(void **state)
{
    struct sink s;

    (void)state;
    sink_open(&s, LOG_FORMAT_TEXT);
    s.log.least = LOG_LEVEL_ERROR;
    log_event(&s.log, LOG_LISTEN, LOGF_S("v", NULL));
    assert_string_equal(sink_close(&s), "");
    log_event(&s.log, LOG_PROCESS_FAULT, LOGF_S("v", NULL)); /* a closed descriptor */
    s.log.fd = -1;
    log_event(&s.log, LOG_PROCESS_FAULT, LOGF_S("v", NULL));
}

static void test_event_names_are_unique(void **state)
{
    (void)state;
    for (int i = 0; i < LOG_EVENT_COUNT; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(log_event_info((enum log_event_id)i)->name,
                                    log_event_info((enum log_event_id)j)->name);
}

static void test_dates(void **state)
{
    static const struct {
        int64_t wall_s;
        const char *want;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {951782399, "2000-02-28T23:59:59.000Z"},
        {951782400, "2000-02-29T00:00:00.000Z"},
        {951868800, "2000-03-01T00:00:00.000Z"},
        {1767225599, "2025-12-31T23:59:59.000Z"},
        {4107542400, "2100-03-01T00:00:00.000Z"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sink s;

        sink_open(&s, LOG_FORMAT_TEXT);
        clock_fake_init(&s.clock, cases[i].wall_s);
        log_event(&s.log, LOG_LISTEN, LOGF_N("n", 1));
        assert_memory_equal(sink_close(&s), cases[i].want, strlen(cases[i].want));
    }
}

static void test_rfc3629_utf8(void **state)
{
    static const struct {
        const char *in;
        size_t want_n;
        uint32_t want;
    } cases[] = {
        {"a", 1, 'a'},
        {"\xc2\x80", 2, 0x80},
        {"\xef\xbf\xbf", 3, 0xffff},
        {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
        {"\xf4\x90\x80\x80", 0, 0}, /* over 10FFFF */
        {"\xc0\x80", 0, 0},         /* overlong */
        {"\xe0\x9f\xbf", 0, 0},
        {"\xf0\x8f\xbf\xbf", 0, 0},
        {"\xed\xa0\x80", 0, 0}, /* surrogate */
        {"\x80", 0, 0},
        {"\xe2\x82", 0, 0}, /* cut short */
        {"\xf8\x88\x80\x80\x80", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t n = strlen(cases[i].in);
        uint8_t *exact = mem_dup(cases[i].in, n);
        uint32_t c = 0;

        assert_int_equal(utf8_next(span_of(exact, n), &c), cases[i].want_n);
        assert_int_equal(c, cases[i].want);
        free(exact);
    }
    assert_true(utf8_is_text(SPAN_LIT("h\xc3\xa9 \xec\x9a\xb0")));
    assert_false(utf8_is_text(SPAN_LIT("a\0b")));
    assert_false(utf8_is_text(SPAN_LIT("a\n")));
    assert_int_equal(utf8_plain_run(SPAN_LIT("ab c\"d")), 4);
    assert_int_equal(utf8_plain_run(SPAN_LIT("a\x7f")), 1);
    assert_int_equal(utf8_plain_run(SPAN_LIT("\xc3\xa9")), 0);
    assert_int_equal(utf8_plain_run(SPAN_LIT("\\x")), 0);
    assert_int_equal(utf8_plain_run(SPAN_LIT("")), 0);
    assert_false(utf8_is_text(SPAN_LIT("\x7f")));
    assert_false(utf8_is_text(SPAN_LIT("\xc2\x85")));
}

static void test_lost_lines_are_counted_and_told(void **state)
{
    static char room[65536];
    _Atomic unsigned dropped = 0;
    struct clock clock;
    struct log log;
    int fds[2];
    ssize_t n;

    (void)state;
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    clock_fake_init(&clock, WALL_S);
    log_init(&log, fds[1], "edge", &clock);
    log.dropped = &dropped;
    while (dropped < 3)
        log_event(&log, LOG_RELOAD, LOGF_S("what", "log"));
    do
        n = read(fds[0], room, sizeof room);
    while (n > 0);
    log_event(&log, LOG_RELOAD, LOGF_S("what", "log"));
    n = read(fds[0], room, sizeof room - 1);
    assert_true(n > 0);
    room[n] = '\0';
    assert_string_equal(room, "2026-11-22T19:22:00.000Z info edge reload what=log\n"
                              "2026-11-22T19:22:00.000Z warn edge log.dropped lines=3\n");
    assert_int_equal(dropped, 0);
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(close(fds[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_cannot_forge_a_line),
        cmocka_unit_test(test_long_values_and_lines_are_cut),
        cmocka_unit_test(test_levels_and_dead_sinks),
        cmocka_unit_test(test_event_names_are_unique),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_rfc3629_utf8),
        cmocka_unit_test(test_lost_lines_are_counted_and_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
