/* SPDX-License-Identifier: ISC */
/* base/core/log.h - structured log lines from a catalogue of events.
 *
 * Why:       an operator greps for an event name that never changes; foreign octets can
 *            never forge a line.
 * Ownership: a struct log is made in main and passed down; it is not a global.
 * Threads:   log_event() may be called from any thread: one write per line.
 *
 * Text form:  2026-11-22T19:22:00.123Z info edge smtp.accepted mid=... from="a@b" size=1234
 * JSON form:  one object a line with the same names.
 * Events are declared once in log_events.def: LOG_EVENT(id, "name", LEVEL, "meaning").
 * docs and maild-log(5) are generated from it. */
#ifndef BASE_CORE_LOG_H
#define BASE_CORE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/clock.h"
#include "base/core/span.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

enum log_event_id {
#define LOG_EVENT(id, name, level, meaning) LOG_##id,
#include "base/core/log_events.def"
#undef LOG_EVENT
    LOG_EVENT_COUNT
};

struct log_event_info {
    const char *name;
    enum log_level level;
    const char *meaning;
};

struct log {
    int fd; /* -1: nowhere */
    enum log_level least;
    enum log_format format;
    const char *role; /* "edge", "queue", ... as printed */
    const struct clock *clock;
    _Atomic unsigned *dropped; /* NULL, or counts the lines that `fd` did not take */
};

/* One key=value of a line. Build them with the LOGF_ macros. */
struct log_field {
    const char *key;
    enum { LOGF_TEXT, LOGF_SPAN, LOGF_INT } kind;
    const char *text;
    struct span span;
    int64_t number;
};
#define LOGF_S(k, v) ((struct log_field){.key = (k), .kind = LOGF_TEXT, .text = (v)})
#define LOGF_B(k, v) ((struct log_field){.key = (k), .kind = LOGF_SPAN, .span = (v)})
#define LOGF_N(k, v)                                                                     \
    ((struct log_field){.key = (k), .kind = LOGF_INT, .number = (int64_t)(v)})

void log_init(struct log *l, int fd, const char *role, const struct clock *clock);
/* Write one line. Foreign text is escaped and cut at 512 octets a field, 4096 a line.
 * A full or broken sink loses the line, never blocks or ends the process; the next line
 * that goes is followed by one that tells how many were lost, if l->dropped counts them. */
void log_write(const struct log *l, enum log_event_id id, const struct log_field *fields,
               size_t n);
/* log_event(l, LOG_SMTP_ACCEPTED, LOGF_S("mid", text), LOGF_N("size", n)); */
#define log_event(l, id, ...)                                                            \
    log_write((l), (id), (const struct log_field[]){__VA_ARGS__},                        \
              sizeof((const struct log_field[]){__VA_ARGS__}) /                          \
                  sizeof(struct log_field))

const struct log_event_info *log_event_info(enum log_event_id id);

#endif
