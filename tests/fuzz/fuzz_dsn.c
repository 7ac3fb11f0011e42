/* SPDX-License-Identifier: ISC */
/* A report about foreign recipients, in foreign words, on a foreign message, must stay our
 * report (maild/queue/dsn.h), and so must the trace field and a completed submission
 * (maild/edge/received.h, maild/queue/prepare.h).
 *
 * Input: one octet of flags; lines: sender, address, original, host, reason, HELO, name of the
 * client; then the header of the message. */
#include <stdlib.h>
#include <string.h>

#include "base/core/utf8.h"
#include "base/msg/header.h"
#include "base/msg/mime.h"
#include "maild/edge/received.h"
#include "maild/queue/dsn.h"
#include "maild/queue/prepare.h"
#include "tests/fuzz/fuzz.h"

#define OUT_MAX   (1u << 20)
#define ARENA_MAX (1u << 20)

enum { SENDER, ADDRESS, ORIGINAL, HOST, REASON, HELO, NAME, TEXTS };

/* The queue's texts have no control characters (base/msg/envelope.h). */
static char *take_text(struct span *in)
{
    struct span line = fuzz_line(in);

    return utf8_is_text(line) ? span_dup(span_take(line, 320))
                              : span_dup(SPAN_LIT("a@b"));
}

/* The message came by SMTP: its lines end with CRLF and hold neither alone. */
static void put_lines(struct span in, struct buf *out)
{
    for (size_t i = 0; i < in.n; i++)
        if (in.p[i] == '\n')
            fuzz_note(out, "\r\n");
        else if (in.p[i] != '\r' && in.p[i] != 0)
            LAW(buf_byte(out, in.p[i]) == 0, "room");
}

static void check_lines(struct span s)
{
    LAW(s.n > 1 && s.p[s.n - 1] == '\n', "text ends with a line end");
    for (size_t i = 0; i < s.n; i++) {
        LAW(s.p[i] != '\n' || (i > 0 && s.p[i - 1] == '\r'), "no bare LF");
        LAW(s.p[i] != '\r' || (i + 1 < s.n && s.p[i + 1] == '\n'), "no bare CR");
        LAW(s.p[i] != 0, "no NUL");
    }
}

static void check_report(const struct dsn *d)
{
    static const char *const once[] = {"From",           "To",          "Subject",
                                       "Date",           "Message-ID",  "Content-Type",
                                       "Auto-Submitted", "MIME-Version"};
    struct arena *a = arena_new(ARENA_MAX);
    struct mime_tree tree;
    struct buf out;
    int parts = 0;

    buf_init(&out, OUT_MAX);
    if (dsn_write(d, &out) == 0) {
        check_lines(buf_all(&out));
        for (size_t i = 0; i < COUNT_OF(once); i++)
            LAW(header_count(buf_all(&out), once[i]) == 1,
                "a report's field stands once");
        LAW(mime_parse(buf_all(&out), a, &tree), "a report has parts");
        for (int p = tree.parts[0].child; p != MIME_NONE; p = tree.parts[p].next)
            parts++;
        LAW(parts == 3, "exactly three of them");
    }
    buf_free(&out);
    arena_free(&a);
}

static void check_received(const struct received *r)
{
    struct header_iter it;
    struct header_field f;
    struct buf out;

    buf_init(&out, 4096);
    if (received_print(r, &out) == 0) {
        check_lines(buf_all(&out));
        header_begin(&it, buf_all(&out));
        LAW(header_next(&it, &f) && span_eq_str(f.name, "Received") && f.raw.n == out.len,
            "a trace field is one field");
    }
    buf_free(&out);
}

static void check_submission(struct span message)
{
    static const struct msgid id = {{1}};
    char from[PREPARE_DOMAIN_MAX + 1];
    struct prepare_digest digest;
    struct buf header;
    size_t skip = 0;

    prepare_digest(message, &digest);
    LAW(utf8_is_text(span_str(digest.message_id)) &&
            utf8_is_text(span_str(digest.from)) && utf8_is_text(span_str(digest.subject)),
        "what the trace remembers is text");
    buf_init(&header, 2 * PREPARE_HEADER_MAX);
    if (prepare_header(message, 1795000000, &id, "mail.example.com", &header, &skip,
                       from) == PREPARE_OK) {
        LAW(skip <= message.n && skip == header_size(message), "the header is replaced");
        LAW(header_size(buf_all(&header)) == header.len,
            "by a header and its empty line");
        LAW(header_count(buf_all(&header), "Bcc") == 0,
            "nobody sees the hidden recipients");
        LAW(header_count(buf_all(&header), "Date") >= 1 &&
                header_count(buf_all(&header), "Message-ID") >= 1,
            "a message has a date and a name");
        LAW(header_count(buf_all(&header), "From") == header_count(message, "From"),
            "From is left as it is");
        LAW(strlen(from) <= PREPARE_DOMAIN_MAX, "a domain has its bound");
    }
    buf_free(&header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span in = span_of(data, n), header;
    unsigned flags = fuzz_u8(&in);
    char *t[TEXTS], status[DSN_STATUS_TEXT];
    struct buf lines;
    struct ipaddr ip;

    for (size_t i = 0; i < TEXTS; i++)
        t[i] = take_text(&in);
    buf_init(&lines, 2 * in.n + 2);
    put_lines(in, &lines);
    header = fuzz_heap(buf_all(&lines));
    buf_free(&lines);
    LAW(ipaddr_parse(SPAN_LIT("192.0.2.1"), &ip), "an address");
    {
        const struct dsn_rcpt rcpts[] = {
            {t[ADDRESS], t[ORIGINAL], t[HOST], t[REASON], flags & 1, 1795000000},
            {t[ORIGINAL], t[ADDRESS], "", t[REASON], flags & 2, 1795000001},
        };
        const struct dsn d = {.now_s = 1795000000,
                              .hostname = "mail.example.com",
                              .from_domain = "example.com",
                              .sender = t[SENDER],
                              .accepted_s = 1794000000,
                              .lifetime_s = 432000,
                              .rcpts = rcpts,
                              .n = 1 + (flags >> 2) % 2,
                              .header = header};
        const struct received r = {.helo = t[HELO],
                                   .ip = &ip,
                                   .rdns = flags & 8 ? t[NAME] : NULL,
                                   .by = "mail.example.com",
                                   .with = "ESMTP",
                                   .tls = flags & 16 ? "TLSv1.3" : NULL,
                                   .id = "abc",
                                   .rcpt = flags & 32 ? t[ADDRESS] : NULL,
                                   .now_s = 1795000000};

        dsn_status(t[REASON], "5.0.0", status);
        LAW(strlen(status) < DSN_STATUS_TEXT && ascii_is_digit((uint8_t)status[0]),
            "a status is one");
        check_report(&d);
        check_received(&r);
    }
    check_submission(header);
    for (size_t i = 0; i < TEXTS; i++)
        free(t[i]);
    fuzz_heap_free(header);
    header = fuzz_heap(in);
    check_submission(header);
    fuzz_heap_free(header);
    return 0;
}
