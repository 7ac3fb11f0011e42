/* SPDX-License-Identifier: ISC */
#include "maild/queue/prepare.h"

#include <stdio.h>
#include <string.h>

#include "base/core/arena.h"
#include "base/core/utf8.h"
#include "base/msg/address.h"
#include "base/msg/date.h"
#include "base/msg/header.h"

#define ADDRESSES_MAX (64u * 1024u) /* octets for a parsed From field */

/* Fields that do not leave with the message. */
static bool is_dropped(struct span name)
{
    return span_eq_str_nocase(name, "bcc") || span_eq_str_nocase(name, "return-path");
}

/* The first mailbox of a From field; false when there is none with a domain. */
static bool first_address(struct span value, struct arena *a, struct address *out)
{
    struct address_list list;

    address_list_parse(value, a, &list);
    for (size_t i = 0; i < list.n; i++) {
        if (list.v[i].kind == ADDRESS_MAILBOX && list.v[i].domain.n > 0) {
            *out = list.v[i];
            return true;
        }
    }
    return false;
}

static bool from_domain(struct span value, char from[PREPARE_DOMAIN_MAX + 1])
{
    struct arena *a = arena_new(ADDRESSES_MAX);
    struct address first;
    bool is_found = first_address(value, a, &first) &&
                    span_copy(first.domain, from, PREPARE_DOMAIN_MAX + 1);

    arena_free(&a);
    if (!is_found)
        from[0] = '\0';
    for (char *p = from; *p != '\0'; p++)
        *p = (char)ascii_lower((uint8_t)*p);
    return is_found;
}

static int add_missing(bool has_date, bool has_id, int64_t now_s, const struct msgid *id,
                       const char *hostname, struct buf *header)
{
    char date[DATE_TEXT], text[MSGID_TEXT + 1];

    date_print(now_s, 0, date);
    msgid_print(id, text);
    if (!has_date && buf_printf(header, "Date: %s\r\n", date) == -1)
        return -1;
    if (!has_id && buf_printf(header, "Message-ID: <%s@%s>\r\n", text, hostname) == -1)
        return -1;
    return 0;
}

enum prepare_result prepare_header(struct span octets, int64_t now_s,
                                   const struct msgid *id, const char *hostname,
                                   struct buf *header, size_t *skip,
                                   char from[PREPARE_DOMAIN_MAX + 1])
{
    bool has_date = false, has_id = false, has_from = false;
    struct header_field f;
    struct header_iter it;

    from[0] = '\0';
    *skip = header_size(octets);
    if (*skip > PREPARE_HEADER_MAX)
        return PREPARE_TOO_LONG;
    header_begin(&it, octets);
    while (header_next(&it, &f)) {
        if (is_dropped(f.name))
            continue;
        has_date |= span_eq_str_nocase(f.name, "date");
        has_id |= span_eq_str_nocase(f.name, "message-id");
        if (!has_from && span_eq_str_nocase(f.name, "from"))
            has_from = from_domain(f.value, from);
        if (buf_span(header, f.raw) == -1)
            return PREPARE_TOO_LONG;
        /* A header that ended without a line end, because the body is missing. */
        if (f.raw.n > 0 && f.raw.p[f.raw.n - 1] != '\n' && buf_str(header, "\r\n") == -1)
            return PREPARE_TOO_LONG;
    }
    if (!has_from)
        return PREPARE_NO_FROM;
    if (add_missing(has_date, has_id, now_s, id, hostname, header) == -1 ||
        buf_str(header, "\r\n") == -1)
        return PREPARE_TOO_LONG;
    return PREPARE_OK;
}

/* Cut to fit, octets that no terminal should see replaced. */
static void keep_text(struct span s, char *out, size_t cap)
{
    size_t n = s.n < cap - 1 ? s.n : cap - 1;

    while (n > 0 && n < s.n && (s.p[n] & 0xc0) == 0x80)
        n--; /* not in the middle of a character */
    if (n > 0)
        memcpy(out, s.p, n);
    out[n] = '\0';
    if (utf8_is_text(span_of(out, n)))
        return;
    for (size_t i = 0; i < n; i++) {
        if ((uint8_t)out[i] < 0x20 || (uint8_t)out[i] >= 0x7f)
            out[i] = '?';
    }
}

static void keep_unfolded(struct span value, char *out, size_t cap)
{
    struct buf text;

    buf_init(&text, 4096);
    if (header_unfold(span_take(value, 2048), &text) == 0)
        keep_text(buf_all(&text), out, cap);
    buf_free(&text);
}

static void keep_address(struct span value, char *out, size_t cap)
{
    struct arena *a = arena_new(ADDRESSES_MAX);
    struct address first;
    struct buf text;

    buf_init(&text, 1024);
    if (first_address(span_take(value, 4096), a, &first) &&
        mailbox_print_parts(first.local, first.domain, &text) == 0)
        keep_text(buf_all(&text), out, cap);
    buf_free(&text);
    arena_free(&a);
}

void prepare_digest(struct span octets, struct prepare_digest *d)
{
    struct header_field f;
    struct header_iter it;

    memset(d, 0, sizeof(*d));
    header_begin(&it, octets);
    while (header_next(&it, &f)) {
        if (d->from[0] == '\0' && span_eq_str_nocase(f.name, "from"))
            keep_address(f.value, d->from, sizeof(d->from));
        else if (d->subject[0] == '\0' && span_eq_str_nocase(f.name, "subject"))
            keep_unfolded(f.value, d->subject, sizeof(d->subject));
        else if (d->message_id[0] == '\0' && span_eq_str_nocase(f.name, "message-id")) {
            struct span id = span_trim(f.value);

            while (id.n > 0 && (id.p[0] == '\r' || id.p[0] == '\n' || id.p[0] == ' '))
                id = span_drop(id, 1);
            if (id.n > 2 && id.p[0] == '<' && id.p[id.n - 1] == '>')
                id = span_of(id.p + 1, id.n - 2);
            keep_text(id, d->message_id, sizeof(d->message_id));
        }
    }
}
