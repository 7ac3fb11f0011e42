/* SPDX-License-Identifier: ISC */
/* Foreign text in log lines, as text and as JSON (base/core/log.h). Input: one octet of the
 * event, then fields, each with its length in front. */
#include <fcntl.h>
#include <unistd.h>

#include <jansson.h>

#include "base/core/log.h"
#include "base/msg/encword.h"
#include "tests/fuzz/fuzz.h"

#define FIELDS_MAX 6

/* What one call writes. */
static struct span write_line(struct log *l, int fd, enum log_event_id id,
                              const struct log_field *f, size_t n, uint8_t *space,
                              size_t cap)
{
    ssize_t got;

    log_write(l, id, f, n);
    got = read(fd, space, cap);
    LAW(got <= 0 || (size_t)got <= 4096, "a line is bounded");
    return span_of(space, got > 0 ? (size_t)got : 0);
}

static void check_line(struct span line)
{
    LAW(span_index(line, '\n') == (ptrdiff_t)line.n - 1, "one event is one line");
    LAW(utf8_is_valid(line), "a line is UTF-8");
    for (size_t i = 0; i + 1 < line.n; i++)
        LAW(line.p[i] >= 32 && line.p[i] != 127 &&
                !(line.p[i] == 0xc2 && line.p[i + 1] >= 0x80 && line.p[i + 1] < 0xa0),
            "no octet steers a terminal");
}

/* Unquoted blanks separate key=value; foreign text cannot make another one. */
static void check_fields(struct span line, size_t fields)
{
    size_t equals = 0;
    bool is_quoted = false;

    for (size_t i = 0; i < line.n; i++) {
        if (line.p[i] == '\\' && is_quoted)
            i++;
        else if (line.p[i] == '"')
            is_quoted = !is_quoted;
        else if (line.p[i] == '=' && !is_quoted)
            equals++;
    }
    LAW(!is_quoted, "quotes are closed");
    LAW(equals <= fields + 1, "a field cannot be forged"); /* and perhaps cut=... */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const keys[FIELDS_MAX] = {"mid", "from", "to", "peer", "why", "x"};
    static int fds[2] = {-1, -1};
    struct span in = span_of(data, n), line;
    struct log_field f[FIELDS_MAX];
    uint8_t space[8192];
    struct clock clock;
    struct log log;
    size_t count = 0;
    enum log_event_id id = (enum log_event_id)(fuzz_u8(&in) % LOG_EVENT_COUNT);

    if (fds[0] == -1)
        LAW(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0, "a pipe can be made");
    clock_fake_init(&clock, 1795000000);
    log_init(&log, fds[1], "edge", &clock);
    log.least = LOG_LEVEL_DEBUG;
    for (; in.n > 0 && count < FIELDS_MAX; count++) {
        struct span s = count + 1 == FIELDS_MAX ? in : fuzz_field(&in);

        f[count] = LOGF_B(keys[count], s);
    }
    line = write_line(&log, fds[0], id, f, count, space, sizeof(space));
    check_line(line);
    check_fields(line, count);
    log.format = LOG_FORMAT_JSON;
    line = write_line(&log, fds[0], id, f, count, space, sizeof(space));
    check_line(line);
    {
        json_error_t e;
        json_t *j = json_loadb((const char *)line.p, line.n,
                               JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);

        if (j == NULL)
            fuzz_same(line, span_str(e.text), "a JSON line is an object");
        LAW(json_is_object(j), "a JSON line is an object");
        json_decref(j);
    }
    return 0;
}
