/* SPDX-License-Identifier: ISC */
/* base/core/log.c - structured log lines; see log.h.
 *
 * A line is made whole on the stack and handed over in one write, so lines of several
 * threads never mix and nothing is allocated. Room for the end of the line is kept back:
 * a field that does not fit any more is left out with all after it, and `cut` says so. */
#include "base/core/log.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/core/utf8.h"

#define LINE_MAX_OCTETS  4096u
#define FIELD_MAX_OCTETS 512u
#define TAIL_OCTETS      16u /* room for the longest ending, `,"cut":true}` and LF */

struct line {
    size_t len;
    bool is_full; /* something did not fit */
    char text[LINE_MAX_OCTETS];
};

static const struct log_event_info events[LOG_EVENT_COUNT] = {
#define LOG_EVENT(id, name, level, meaning) [LOG_##id] = {name, level, meaning},
#include "base/core/log_events.def"
#undef LOG_EVENT
};

const struct log_event_info *log_event_info(enum log_event_id id)
{
    assert(id < LOG_EVENT_COUNT);
    return &events[id];
}

void log_init(struct log *l, int fd, const char *role, const struct clock *clock)
{
    *l = (struct log){.fd = fd,
                      .least = LOG_LEVEL_INFO,
                      .format = LOG_FORMAT_TEXT,
                      .role = role,
                      .clock = clock};
}

static void put(struct line *line, const void *p, size_t n)
{
    if (n > sizeof line->text - TAIL_OCTETS - line->len) {
        line->is_full = true;
        return;
    }
    memcpy(line->text + line->len, p, n);
    line->len += n;
}

static void put_str(struct line *line, const char *s)
{
    put(line, s, strlen(s));
}

/* `n` digits at `at`. */
static void put_digits(char *at, size_t n, int64_t v)
{
    while (n-- > 0) {
        at[n] = (char)('0' + v % 10);
        v /= 10;
    }
}

static void put_number(struct line *line, int64_t v)
{
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    char text[20];
    size_t at = sizeof text;

    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    put(line, "-", v < 0 ? 1 : 0);
    put(line, text + at, sizeof text - at);
}

/* 2026-11-22T19:22:00.123Z. Not with gmtime_r, which may read the zone file, and not with
 * snprintf, which costs more than the rest of a line. */
static void put_time(struct line *line, int64_t wall_us)
{
    int64_t ms = wall_us / 1000 % 86400000;
    int64_t days = wall_us / 86400000000;
    /* Civil date from a day count: years begin in March, so that the leap day is last;
     * 719468 days lie between 0000-03-01 and 1970-01-01, 146097 in 400 years. */
    int64_t era = (days + 719468) / 146097;
    int64_t doe = (days + 719468) % 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t month = (5 * doy + 2) / 153;
    int64_t day = doy - (153 * month + 2) / 5 + 1;
    char text[] = "0000-00-00T00:00:00.000Z";

    month = month < 10 ? month + 3 : month - 9;
    put_digits(text, 4, era * 400 + yoe + (month <= 2));
    put_digits(text + 5, 2, month);
    put_digits(text + 8, 2, day);
    put_digits(text + 11, 2, ms / 3600000);
    put_digits(text + 14, 2, ms / 60000 % 60);
    put_digits(text + 17, 2, ms / 1000 % 60);
    put_digits(text + 20, 3, ms % 1000);
    put(line, text, sizeof text - 1);
}

/* Foreign text between double quotes: what could end the line, the quotes or obey a
 * terminal's rules is written as an escape. */
static void put_quoted(struct line *line, struct span s, enum log_format format)
{
    bool is_cut = s.n > FIELD_MAX_OCTETS;

    put(line, "\"", 1);
    for (s = span_take(s, FIELD_MAX_OCTETS); s.n > 0;) {
        uint32_t c = 0;
        size_t n = utf8_plain_run(s);
        char escape[16];

        if (n > 0) {
            put(line, s.p, n);
            s = span_drop(s, n);
            continue;
        }
        n = utf8_next(s, &c);
        if (n == 0) {
            /* The octet as text; the backslash itself is doubled in JSON. */
            (void)snprintf(escape, sizeof escape,
                           format == LOG_FORMAT_JSON ? "\\\\x%02x" : "\\x%02x", s.p[0]);
            put_str(line, escape);
            n = 1;
        } else if (c == '"' || c == '\\') {
            put(line, "\\", 1);
            put(line, s.p, 1);
        } else if (utf8_is_control(c)) {
            (void)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c);
            put_str(line, escape);
        } else {
            put(line, s.p, n);
        }
        s = span_drop(s, n);
    }
    put_str(line, is_cut ? "...\"" : "\"");
}

/* True when a value needs no quotes in the text form. */
static bool is_plain(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alnum(s.p[i]) && strchr("._:/+-", s.p[i]) == NULL)
            return false;
    return s.n > 0 && s.n <= FIELD_MAX_OCTETS && span_index(s, 0) == -1;
}

static void put_field(struct line *line, const struct log_field *f,
                      enum log_format format)
{
    struct span value = f->kind == LOGF_SPAN ? f->span : span_str(f->text);

    put_str(line, format == LOG_FORMAT_JSON ? ",\"" : " ");
    put_str(line, f->key);
    put_str(line, format == LOG_FORMAT_JSON ? "\":" : "=");
    if (f->kind == LOGF_INT) {
        put_number(line, f->number);
    } else if (format == LOG_FORMAT_TEXT && is_plain(value)) {
        put(line, value.p, value.n);
    } else {
        put_quoted(line, value, format);
    }
}

static void put_head(struct line *line, const struct log *l,
                     const struct log_event_info *e)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    bool is_json = l->format == LOG_FORMAT_JSON;

    put_str(line, is_json ? "{\"time\":\"" : "");
    put_time(line, clock_wall_us(l->clock));
    put_str(line, is_json ? "\",\"level\":\"" : " ");
    put_str(line, levels[e->level]);
    put_str(line, is_json ? "\",\"role\":\"" : " ");
    put_str(line, l->role);
    put_str(line, is_json ? "\",\"event\":\"" : " ");
    put_str(line, e->name);
    put_str(line, is_json ? "\"" : "");
}

static void tell_dropped(const struct log *l)
{
    unsigned n = atomic_exchange(l->dropped, 0);

    if (n > 0)
        log_event(l, LOG_LOG_DROPPED, LOGF_N("lines", n));
}

void log_write(const struct log *l, enum log_event_id id, const struct log_field *fields,
               size_t n)
{
    const struct log_event_info *e = log_event_info(id);
    bool is_json = l->format == LOG_FORMAT_JSON;
    const char *tail = is_json ? "}\n" : "\n";
    struct line line;
    ssize_t written;

    if (l->fd == -1 || e->level < l->least)
        return;
    line.len = 0;
    line.is_full = false;
    put_head(&line, l, e);
    for (size_t i = 0; i < n; i++) {
        size_t before = line.len;

        put_field(&line, &fields[i], l->format);
        if (line.is_full) {
            line.len = before;
            tail = is_json ? ",\"cut\":true}\n" : " cut=yes\n";
            break;
        }
    }
    memcpy(line.text + line.len, tail, strlen(tail)); /* TAIL_OCTETS were kept back */
    line.len += strlen(tail);
    written = write(l->fd, line.text, line.len);
    if (l->dropped == NULL)
        return;
    if (written == -1)
        atomic_fetch_add(l->dropped, 1);
    else
        tell_dropped(l);
}
