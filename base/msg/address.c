/* SPDX-License-Identifier: ISC */
/* base/msg/address.c - the strict grammar of SMTP mailboxes.
 *
 * The lenient lists of header fields are in address_list.c: the two share the header and
 * the printing, on purpose not one line of parsing. */
#include "base/msg/address.h"

#include <string.h>

#include "base/core/ipaddr.h"

#define LABEL_MAX 63

/* RFC 5322 3.2.3 */
static bool is_atext(uint8_t c)
{
    return ascii_is_alnum(c) || (c != 0 && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static enum mailbox_result fault_at(struct span in, size_t pos)
{
    return pos < in.n && in.p[pos] >= 128 ? MAILBOX_NOT_ASCII : MAILBOX_SYNTAX;
}

/* Dot-string = Atom *("." Atom) */
static enum mailbox_result take_dot_string(struct span in, size_t *used)
{
    size_t i = 0;

    for (;;) {
        size_t atom = i;

        while (i < in.n && is_atext(in.p[i]))
            i++;
        if (i == atom)
            return fault_at(in, i);
        if (i == in.n || in.p[i] != '.')
            break;
        i++;
    }
    *used = i;
    return i < in.n && in.p[i] >= 128 ? MAILBOX_NOT_ASCII : MAILBOX_OK;
}

/* Quoted-string = DQUOTE *QcontentSMTP DQUOTE; what a backslash may protect is 32..126. */
static enum mailbox_result take_quoted(struct span in, size_t *used)
{
    for (size_t i = 1; i < in.n; i++) {
        if (in.p[i] == '"') {
            *used = i + 1;
            return MAILBOX_OK;
        }
        if (in.p[i] == '\\' && ++i == in.n)
            break;
        if (in.p[i] < 32 || in.p[i] > 126)
            return fault_at(in, i);
    }
    return MAILBOX_SYNTAX;
}

enum mailbox_result mailbox_parse_local(struct span in, struct span *local, size_t *used)
{
    enum mailbox_result r;
    size_t n = 0;

    if (in.n > 0 && in.p[0] == '"')
        r = take_quoted(in, &n);
    else
        r = take_dot_string(in, &n);
    if (r != MAILBOX_OK)
        return r;
    if (n > MAILBOX_LOCAL_MAX)
        return MAILBOX_LOCAL_LONG;
    *local = span_take(in, n);
    *used = n;
    return MAILBOX_OK;
}

bool mailbox_domain_ok(struct span domain)
{
    size_t label = 0;

    if (domain.n == 0 || domain.n > MAILBOX_DOMAIN_MAX)
        return false;
    for (size_t i = 0; i <= domain.n; i++) {
        if (i == domain.n || domain.p[i] == '.') {
            if (label == 0 || label > LABEL_MAX || domain.p[i - 1] == '-')
                return false;
            label = 0;
        } else if (ascii_is_alnum(domain.p[i]) || (domain.p[i] == '-' && label > 0)) {
            label++;
        } else {
            return false;
        }
    }
    return true;
}

bool mailbox_literal_ok(struct span literal)
{
    const struct span v6 = SPAN_LIT("IPv6:");
    struct ipaddr a;

    if (literal.n < 2 || literal.p[0] != '[' || literal.p[literal.n - 1] != ']')
        return false;
    literal = span_take(span_drop(literal, 1), literal.n - 2);
    if (span_starts_nocase(literal, v6))
        return ipaddr_parse(span_drop(literal, v6.n), &a) && a.family == AF_INET6;
    return ipaddr_parse(literal, &a) && a.family == AF_INET;
}

static bool has_long_label(struct span domain)
{
    struct span label;

    while (domain.n > 0) {
        (void)span_cut(domain, '.', &label, &domain);
        if (label.n > LABEL_MAX)
            return true;
    }
    return false;
}

static enum mailbox_result take_domain(struct span in, struct mailbox *m, size_t *used)
{
    size_t n = 0;

    if (in.n > 0 && in.p[0] == '[') {
        ptrdiff_t end = span_index(in, ']');

        if (end < 0)
            return MAILBOX_DOMAIN_BAD;
        m->domain = span_take(in, (size_t)end + 1);
        m->is_literal = true;
        *used = m->domain.n;
        return mailbox_literal_ok(m->domain) ? MAILBOX_OK : MAILBOX_DOMAIN_BAD;
    }
    while (n < in.n && (ascii_is_alnum(in.p[n]) || in.p[n] == '-' || in.p[n] == '.'))
        n++;
    m->domain = span_take(in, n);
    m->is_literal = false;
    *used = n;
    if (n < in.n && in.p[n] >= 128)
        return MAILBOX_NOT_ASCII;
    if (n > MAILBOX_DOMAIN_MAX || has_long_label(m->domain))
        return MAILBOX_DOMAIN_LONG;
    return mailbox_domain_ok(m->domain) ? MAILBOX_OK : MAILBOX_DOMAIN_BAD;
}

enum mailbox_result mailbox_parse(struct span in, struct mailbox *m, size_t *used)
{
    size_t local = 0, domain = 0;
    enum mailbox_result r = mailbox_parse_local(in, &m->local, &local);

    if (r != MAILBOX_OK)
        return r;
    m->is_quoted = m->local.p[0] == '"';
    if (local == in.n || in.p[local] != '@')
        return fault_at(in, local);
    r = take_domain(span_drop(in, local + 1), m, &domain);
    *used = local + 1 + domain;
    return r;
}

enum mailbox_result mailbox_parse_all(struct span in, struct mailbox *m)
{
    size_t used = 0;
    enum mailbox_result r = mailbox_parse(in, m, &used);

    if (r == MAILBOX_OK && used != in.n)
        return fault_at(in, used);
    return r;
}

static bool needs_quotes(struct span local)
{
    bool was_dot = true;

    for (size_t i = 0; i < local.n; i++) {
        if (local.p[i] == '.') {
            if (was_dot)
                return true;
            was_dot = true;
        } else if (is_atext(local.p[i]) || local.p[i] >= 128) {
            was_dot = false;
        } else {
            return true;
        }
    }
    return was_dot; /* empty, or a dot at the end */
}

static int print_local(struct span local, struct buf *out)
{
    if (!needs_quotes(local))
        return buf_span(out, local);
    if (buf_byte(out, '"') == -1)
        return -1;
    for (size_t i = 0; i < local.n; i++) {
        uint8_t c = local.p[i];

        if (c < 32 || c == 127)
            return -1; /* no quoting makes a control character legal */
        if ((c == '"' || c == '\\') && buf_byte(out, '\\') == -1)
            return -1;
        if (buf_byte(out, c) == -1)
            return -1;
    }
    return buf_byte(out, '"');
}

int mailbox_print_parts(struct span local, struct span domain, struct buf *out)
{
    size_t start = out->len, at;

    if (print_local(local, out) == -1 || buf_byte(out, '@') == -1)
        goto fail;
    at = out->len;
    if (buf_span(out, domain) == -1)
        goto fail;
    ascii_lower_all(out->data + at, out->len - at);
    return 0;
fail:
    buf_truncate(out, start);
    return -1;
}

int mailbox_print(const struct mailbox *m, struct buf *out)
{
    uint8_t plain[MAILBOX_LOCAL_MAX];
    size_t n = 0;

    if (!m->is_quoted)
        return mailbox_print_parts(m->local, m->domain, out);
    for (size_t i = 1; i + 1 < m->local.n && n < sizeof(plain); i++) {
        if (m->local.p[i] == '\\')
            i++;
        plain[n++] = m->local.p[i];
    }
    return mailbox_print_parts(span_of(plain, n), m->domain, out);
}
