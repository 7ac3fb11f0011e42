/* SPDX-License-Identifier: ISC */
/* maild/queue/dsn.c
 *
 * multipart/report (RFC 6522) of three parts: text for people, message/delivery-status
 * (RFC 3464), and the header of the message (text/rfc822-headers). Foreign words stand in the
 * first part indented by four blanks, so that nobody takes them for ours. */
#include "maild/queue/dsn.h"

#include <stdio.h>
#include <string.h>

#include "base/msg/date.h"
#include "base/msg/header.h"

#define COLUMNS    76
#define HEADER_MAX (32u * 1024u) /* of the returned header */

/* What a status means, for people. The first row whose code begins the status is taken, its
 * class (the first digit) not looked at. */
static const struct {
    const char *code, *why, *advice;
} meanings[] = {
    {".1.1", "There is no such mailbox at that address.",
     "Check the spelling of the address, or ask the person in another way for the right "
     "one."},
    {".1.2", "The domain of the address does not exist or has no mail server.",
     "Check the part behind the @ of the address."},
    {".1.3", "The address is not written the way an address must be.",
     "Check the address for stray characters."},
    {".1.10", "The domain of the address says that it takes no mail at all.",
     "Check the part behind the @ of the address; if it is right, use another way to "
     "reach "
     "the person."},
    {".2.1", "The mailbox is closed for now.",
     "Try again later, or use another way to reach the person."},
    {".2.2", "The mailbox is full.",
     "Tell the person in another way, and send the message again later."},
    {".2.3", "The message is larger than the mailbox takes.",
     "Send it again without large attachments, or share them by a link."},
    {".3.4", "The message is larger than the other server takes.",
     "Send it again without large attachments, or share them by a link."},
    {".4.1", "The other mail server did not answer.",
     "If it is urgent, use another way to reach the person; sending again helps once "
     "their "
     "server is back."},
    {".4.6", "The message ran in circles between mail servers.",
     "Show this report to the administrator of the recipient's domain: a forwarding "
     "leads "
     "back to where it came from."},
    {".4.7", "The message could not be delivered in the time allowed.",
     "If it is urgent, use another way to reach the person; otherwise send it again."},
    {".4.", "The other mail server could not be reached.",
     "Send it again later; if it keeps happening, show this report to the "
     "administrator."},
    {".6.", "The other server did not accept the form of the message.",
     "Send it again as simple text; show this report to the administrator if that fails "
     "too."},
    {".7.", "The other server refused the message by its rules.",
     "Read its words above: they say what it wants. Show this report to your "
     "administrator "
     "if they do not help you."},
    {"", "The other server did not accept the message.",
     "Read its words above, check the address, and show this report to your "
     "administrator "
     "if they do not help you."},
};

static bool is_status(struct span s)
{
    unsigned dots = 0, digits = 0;

    if (s.n < 5 || s.n >= DSN_STATUS_TEXT ||
        (s.p[0] != '2' && s.p[0] != '4' && s.p[0] != '5') || s.p[1] != '.')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.') {
            if (digits == 0 || ++dots > 2)
                return false;
            digits = 0;
        } else if (!ascii_is_digit(s.p[i]) || ++digits > 3)
            return false;
    }
    return dots == 2 && digits > 0;
}

void dsn_status(const char *reason, const char *fallback, char status[DSN_STATUS_TEXT])
{
    struct span left = span_str(reason), word;
    uint64_t code = 0;

    (void)snprintf(status, DSN_STATUS_TEXT, "%s", fallback);
    if (!span_word(&left, &word))
        return;
    if (word.n >= 4 && word.p[3] == '-') /* "550-5.1.1": the first of several lines */
        left = span_drop(span_str(reason), 4), word = span_take(word, 3);
    if (word.n == 3 && span_to_u64(word, 599, &code) && code >= 400) {
        (void)snprintf(status, DSN_STATUS_TEXT, "%c.0.0", word.p[0]);
        if (!span_word(&left, &word))
            return;
    }
    if (is_status(word))
        (void)snprintf(status, DSN_STATUS_TEXT, "%.*s", SPAN_ARG(word));
}

static size_t meaning_of(const char *status)
{
    size_t i = 0;

    while (!span_starts(span_str(status + 1), span_str(meanings[i].code)) ||
           /* ".1.1" must not take ".1.10" */
           (meanings[i].code[0] != '\0' &&
            meanings[i].code[strlen(meanings[i].code) - 1] != '.' &&
            strlen(status + 1) != strlen(meanings[i].code)))
        i++; /* the last row fits everything */
    return i;
}

/* Foreign text for a field of ASCII. */
static int put_ascii(struct buf *out, const char *text)
{
    int bad = 0;

    for (const char *p = text; *p != '\0'; p++) {
        uint8_t c = (uint8_t)*p;

        bad |= buf_byte(out, c < 0x20 || c > 0x7e ? '?' : c);
    }
    return bad;
}

/* Words filled into lines, each line behind `indent`. */
static int put_wrapped(struct buf *out, const char *indent, const char *text)
{
    struct span left = span_str(text), word;
    size_t column = 0;
    int bad = 0;

    while (span_word(&left, &word)) {
        if (column > 0 && column + 1 + word.n > COLUMNS) {
            bad |= buf_str(out, "\r\n");
            column = 0;
        }
        if (column == 0) {
            bad |= buf_str(out, indent);
            column = strlen(indent);
        } else {
            bad |= buf_byte(out, ' ');
            column++;
        }
        /* One endless word: cut it, for a line has at most 998 octets. */
        bad |= buf_span(out, span_take(word, 900));
        column += word.n;
    }
    return bad | buf_str(out, "\r\n");
}

static bool is_ascii(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] > 0x7e)
            return false;
    }
    return true;
}

static int write_head(const struct dsn *d, const char *boundary, struct buf *out)
{
    char date[DATE_TEXT], id[MSGID_TEXT + 1];
    struct header_field f;
    int bad;

    date_print(d->now_s, 0, date);
    msgid_print(&d->id, id);
    bad = buf_printf(out,
                     "From: Mail Delivery System <MAILER-DAEMON@%s>\r\n"
                     "To: <%s>\r\n"
                     "Subject: Not delivered: your message to %s%s\r\n"
                     "Date: %s\r\n"
                     "Message-ID: <%s@%s>\r\n"
                     "Auto-Submitted: auto-replied\r\n",
                     d->from_domain, d->sender, d->n == 1 ? d->rcpts[0].original : "",
                     d->n == 1 ? "" : "several recipients", date, id, d->hostname);
    /* So that it is shown beside the message it is about. */
    if (header_find(d->header, "message-id", &f) && f.value.n < 500 && is_ascii(f.value))
        bad |=
            buf_str(out, "References:") | buf_span(out, f.value) | buf_str(out, "\r\n");
    bad |= buf_printf(out,
                      "MIME-Version: 1.0\r\n"
                      "Content-Type: multipart/report; report-type=delivery-status;\r\n"
                      " boundary=\"%s\"\r\n"
                      "\r\n"
                      "This is a report in several parts, made by a mail server.\r\n",
                      boundary);
    return bad;
}

static int write_person(const struct dsn *d, const struct dsn_rcpt *r, struct buf *out)
{
    char status[DSN_STATUS_TEXT], line[400];
    size_t m;
    int bad = 0;

    dsn_status(r->reason, r->is_expired ? "4.4.7" : "5.0.0", status);
    m = meaning_of(status);
    bad |= buf_printf(out, "\r\n<%s>\r\n", r->original);
    if (strcmp(r->address, r->original) != 0)
        bad |= buf_printf(out, "    (forwarded to <%s>)\r\n", r->address);
    bad |= put_wrapped(out, "", meanings[m].why);
    if (r->is_expired) {
        (void)snprintf(line, sizeof(line),
                       "We have tried for %lld hours and will not try again.",
                       (long long)((d->now_s - d->accepted_s) / 3600));
        bad |= put_wrapped(out, "", line);
    }
    if (r->host[0] != '\0') {
        (void)snprintf(line, sizeof(line), "The words of %s:", r->host);
        bad |= put_wrapped(out, "", line);
    } else
        bad |= put_wrapped(out, "", "The words of this server:");
    bad |= put_wrapped(out, "    ", r->reason);
    return bad | put_wrapped(out, "", "What you can do:") |
           put_wrapped(out, "    ", meanings[m].advice);
}

static int write_people(const struct dsn *d, const char *boundary, struct buf *out)
{
    struct buf text;
    bool ascii;
    int bad;

    buf_init(&text, 1024u * 1024u);
    bad = buf_printf(&text,
                     "This is the mail server %s.\r\n\r\n"
                     "Your message could not be delivered to %s.\r\n"
                     "The first lines of your message are at the end of this report.\r\n",
                     d->hostname,
                     d->n == 1 ? "the recipient below" : "the recipients below");
    for (size_t i = 0; i < d->n; i++)
        bad |= write_person(d, &d->rcpts[i], &text);
    ascii = is_ascii(buf_all(&text));
    bad |= buf_printf(out,
                      "\r\n--%s\r\n"
                      "Content-Type: text/plain; charset=%s\r\n"
                      "Content-Transfer-Encoding: %s\r\n\r\n",
                      boundary, ascii ? "us-ascii" : "utf-8", ascii ? "7bit" : "8bit");
    bad |= buf_span(out, buf_all(&text));
    buf_free(&text);
    return bad;
}

static int write_status(const struct dsn *d, const char *boundary, struct buf *out)
{
    char date[DATE_TEXT], status[DSN_STATUS_TEXT];
    int bad;

    date_print(d->accepted_s, 0, date);
    bad = buf_printf(out,
                     "\r\n--%s\r\n"
                     "Content-Type: message/delivery-status\r\n\r\n"
                     "Reporting-MTA: dns; %s\r\n"
                     "Arrival-Date: %s\r\n",
                     boundary, d->hostname, date);
    for (size_t i = 0; i < d->n; i++) {
        const struct dsn_rcpt *r = &d->rcpts[i];

        dsn_status(r->reason, r->is_expired ? "4.4.7" : "5.0.0", status);
        date_print(r->last_s, 0, date);
        bad |= buf_str(out, "\r\nOriginal-Recipient: rfc822; ");
        bad |= put_ascii(out, r->original);
        bad |= buf_str(out, "\r\nFinal-Recipient: rfc822; ");
        bad |= put_ascii(out, r->address);
        bad |= buf_printf(out, "\r\nAction: failed\r\nStatus: %s\r\n", status);
        if (r->host[0] != '\0')
            bad |= buf_str(out, "Remote-MTA: dns; ") | put_ascii(out, r->host) |
                   buf_str(out, "\r\n");
        bad |= buf_printf(out, "Diagnostic-Code: %s; ",
                          r->host[0] != '\0' ? "smtp" : "x-signpost");
        bad |= put_ascii(out, r->reason);
        bad |= buf_printf(out, "\r\nLast-Attempt-Date: %s\r\n", date);
    }
    return bad;
}

/* The header cut after whole lines. */
static struct span returned_header(const struct dsn *d)
{
    size_t n = header_size(d->header);

    if (n > HEADER_MAX)
        for (n = HEADER_MAX; n > 0 && d->header.p[n - 1] != '\n'; n--)
            continue;
    return span_take(d->header, n);
}

int dsn_write(const struct dsn *d, struct buf *out)
{
    char boundary[MSGID_TEXT + 16], id[MSGID_TEXT + 1];
    struct span header = returned_header(d);
    const size_t from = out->len;
    int bad;

    msgid_print(&d->id, id);
    (void)snprintf(boundary, sizeof(boundary), "=_report_%s", id);
    bad = write_head(d, boundary, out);
    bad |= write_people(d, boundary, out);
    bad |= write_status(d, boundary, out);
    bad |= buf_printf(out,
                      "\r\n--%s\r\n"
                      "Content-Type: text/rfc822-headers\r\n"
                      "Content-Transfer-Encoding: %s\r\n\r\n",
                      boundary, is_ascii(header) ? "7bit" : "8bit");
    bad |= buf_span(out, header);
    bad |= buf_printf(out, "\r\n--%s--\r\n", boundary);
    if (bad != 0)
        buf_truncate(out, from);
    return bad == 0 ? 0 : -1;
}
