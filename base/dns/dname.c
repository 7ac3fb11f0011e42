/* SPDX-License-Identifier: ISC */
/* Design: a valid wire name is its own index: from any label the next one is found by its
 * length octet, and the root label ends it. Order and suffix questions need the labels from
 * the right, so they first note where the labels begin (label_starts), at most 127 of them. */
#include "base/dns/dname.h"

#include <assert.h>
#include <string.h>

static const uint8_t root_octets[1] = {0};

struct span dname_root(void)
{
    return span_of(root_octets, 1);
}

struct span dname_span(const struct dname *d)
{
    return span_of(d->w, d->n);
}

/* --- presentation form in --- */

/* One octet of a label at text.p[*at], escapes resolved. False on a bad escape. */
static bool take_octet(struct span text, size_t *at, uint8_t *octet)
{
    uint8_t c = text.p[(*at)++];
    unsigned value = 0;

    if (c != '\\') {
        *octet = c;
        return true;
    }
    if (*at == text.n)
        return false;
    if (!ascii_is_digit(text.p[*at])) {
        *octet = text.p[(*at)++];
        return true;
    }
    if (text.n - *at < 3)
        return false;
    for (int i = 0; i < 3; i++) {
        if (!ascii_is_digit(text.p[*at]))
            return false;
        value = value * 10 + (unsigned)(text.p[(*at)++] - '0');
    }
    *octet = (uint8_t)(value & 0xff);
    return value <= 255;
}

/* Where a name under construction stands. */
struct name_build {
    size_t len_at; /* index of the open label's length octet */
    size_t n;      /* octets written, the open label's length octet included */
};

static enum dname_result put_octet(struct dname *out, struct name_build *b, uint8_t c)
{
    if (b->n - b->len_at > DNAME_LABEL_MAX)
        return DNAME_LABEL_LONG;
    if (b->n + 1 >= DNAME_MAX) /* the root label must still fit */
        return DNAME_LONG;
    out->w[b->n++] = c;
    return DNAME_OK;
}

static void close_label(struct dname *out, struct name_build *b)
{
    out->w[b->len_at] = (uint8_t)(b->n - b->len_at - 1);
    b->len_at = b->n++;
}

static enum dname_result parse_labels(struct span text, struct dname *out,
                                      bool *is_absolute)
{
    struct name_build b = {0, 1};
    size_t at = 0;

    *is_absolute = false;
    while (at < text.n) {
        uint8_t c;
        enum dname_result r;

        if (text.p[at] == '.') {
            at++;
            if (b.n == b.len_at + 1)
                return DNAME_EMPTY_LABEL;
            if (b.n + 1 > DNAME_MAX)
                return DNAME_LONG;
            close_label(out, &b);
            *is_absolute = at == text.n;
            continue;
        }
        if (!take_octet(text, &at, &c))
            return DNAME_BAD_ESCAPE;
        if ((r = put_octet(out, &b, c)) != DNAME_OK)
            return r;
    }
    if (!*is_absolute)
        close_label(out, &b);
    out->w[b.len_at] = 0;
    out->n = (uint8_t)b.n;
    return DNAME_OK;
}

static enum dname_result append_origin(struct dname *out, const struct dname *origin)
{
    size_t labels = (size_t)out->n - 1;

    if (labels + origin->n > DNAME_MAX)
        return DNAME_LONG;
    memcpy(out->w + labels, origin->w, origin->n);
    out->n = (uint8_t)(labels + origin->n);
    return DNAME_OK;
}

enum dname_result dname_parse(struct span text, const struct dname *origin,
                              struct dname *out)
{
    enum dname_result r;
    bool is_absolute;

    out->n = 0;
    if (text.n == 0)
        return DNAME_EMPTY;
    if (span_eq_str(text, ".")) {
        out->n = 1;
        out->w[0] = 0;
        return DNAME_OK;
    }
    if (origin != NULL && span_eq_str(text, "@")) {
        *out = *origin;
        return DNAME_OK;
    }
    r = parse_labels(text, out, &is_absolute);
    if (r == DNAME_OK && !is_absolute && origin != NULL)
        r = append_origin(out, origin);
    if (r != DNAME_OK)
        out->n = 0;
    return r;
}

const char *dname_result_text(enum dname_result r)
{
    switch (r) {
    case DNAME_OK:
        return "the name is valid";
    case DNAME_EMPTY:
        return "the name is empty";
    case DNAME_EMPTY_LABEL:
        return "the name has an empty label (two dots in a row, or a dot in front)";
    case DNAME_LABEL_LONG:
        return "a label is longer than 63 octets";
    case DNAME_LONG:
        return "the name is longer than 255 octets";
    case DNAME_BAD_ESCAPE:
        return "a backslash is not followed by a character or by three digits up to 255";
    }
    return "the name is invalid";
}

/* --- presentation form out --- */

/* Octets that mean something in master files (RFC 1035 5.1) are quoted by a backslash. */
static bool needs_backslash(uint8_t c)
{
    return c == '.' || c == '\\' || c == '"' || c == ';' || c == '(' || c == ')' ||
           c == '@' || c == '$';
}

static size_t print_octet(uint8_t c, char *text)
{
    size_t n = 0;

    if (c > 0x20 && c < 0x7f) {
        if (needs_backslash(c))
            text[n++] = '\\';
        text[n++] = (char)c;
        return n;
    }
    text[n++] = '\\';
    text[n++] = (char)('0' + c / 100);
    text[n++] = (char)('0' + c / 10 % 10);
    text[n++] = (char)('0' + c % 10);
    return n;
}

size_t dname_print(struct span name, char text[DNAME_TEXT])
{
    size_t n = 0;
    size_t at = 0;

    if (name.n <= 1)
        text[n++] = '.';
    while (at < name.n && name.p[at] != 0) {
        size_t end = at + 1 + name.p[at];

        for (at++; at < end; at++)
            n += print_octet(name.p[at], text + n);
        text[n++] = '.';
    }
    text[n] = '\0';
    return n;
}

size_t dname_print_bare(struct span name, char text[DNAME_TEXT])
{
    size_t n = dname_print(name, text);

    if (n > 1)
        text[--n] = '\0';
    return n;
}

/* --- wire form --- */

size_t dname_check(struct span in)
{
    size_t at = 0;

    for (;;) {
        if (at >= in.n || in.p[at] > DNAME_LABEL_MAX)
            return 0;
        if (in.p[at] == 0)
            return at + 1;
        at += 1u + in.p[at];
        if (at >= DNAME_MAX)
            return 0;
    }
}

bool dname_set(struct dname *out, struct span name)
{
    out->n = 0;
    if (name.n == 0 || dname_check(name) != name.n)
        return false;
    memcpy(out->w, name.p, name.n);
    out->n = (uint8_t)name.n;
    return true;
}

/* Length octets are at most 63 and so never letters: the whole name folds as octets. */
void dname_lower(struct dname *d)
{
    ascii_lower_all(d->w, d->n);
}

bool dname_eq(struct span a, struct span b)
{
    return span_eq_nocase(a, b);
}

/* Note where each label begins, leftmost first; returns how many. */
static unsigned label_starts(struct span name, uint8_t starts[DNAME_LABELS])
{
    unsigned n = 0;

    for (size_t at = 0; name.p[at] != 0; at += 1u + name.p[at]) {
        assert(n < DNAME_LABELS);
        starts[n++] = (uint8_t)at;
    }
    return n;
}

static struct span label_at(struct span name, uint8_t start)
{
    return span_of(name.p + start + 1, name.p[start]);
}

int dname_cmp(struct span a, struct span b)
{
    uint8_t starts_a[DNAME_LABELS];
    uint8_t starts_b[DNAME_LABELS];
    unsigned na = label_starts(a, starts_a);
    unsigned nb = label_starts(b, starts_b);

    while (na > 0 && nb > 0) {
        struct span label_a = label_at(a, starts_a[--na]);
        struct span label_b = label_at(b, starts_b[--nb]);
        int c;

        if (span_eq(label_a, label_b)) /* names of one zone share most of their labels */
            continue;
        c = span_cmp_nocase(label_a, label_b);
        if (c != 0)
            return c;
    }
    return na > 0 ? 1 : (nb > 0 ? -1 : 0);
}

bool dname_in(struct span name, struct span zone)
{
    size_t skip;

    if (name.n < zone.n)
        return false;
    skip = name.n - zone.n;
    for (size_t at = 0; at < skip;) {
        at += 1u + name.p[at];
        if (at > skip)
            return false; /* the border falls inside a label */
    }
    return dname_eq(span_drop(name, skip), zone);
}

unsigned dname_labels(struct span name)
{
    unsigned n = 0;

    for (size_t at = 0; name.p[at] != 0; at += 1u + name.p[at])
        n++;
    return n;
}

struct span dname_parent(struct span name)
{
    return name.p[0] == 0 ? name : span_drop(name, 1u + name.p[0]);
}

bool dname_is_wildcard(struct span name)
{
    return name.n >= 2 && name.p[0] == 1 && name.p[1] == '*';
}

bool dname_is_host(struct span name)
{
    if (name.n <= 1)
        return false;
    for (size_t at = 0; name.p[at] != 0; at += 1u + name.p[at]) {
        struct span label = label_at(name, (uint8_t)at);

        if (label.p[0] == '-' || label.p[label.n - 1] == '-')
            return false;
        for (size_t i = 0; i < label.n; i++)
            if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-')
                return false;
    }
    return true;
}

bool dname_join(struct span label, struct span rest, struct dname *out)
{
    uint8_t joined[DNAME_MAX];

    if (label.n == 0 || label.n > DNAME_LABEL_MAX || label.n + 1 > DNAME_MAX - rest.n)
        return false;
    joined[0] = (uint8_t)label.n;
    memcpy(joined + 1, label.p, label.n);
    memcpy(joined + 1 + label.n, rest.p, rest.n);
    out->n = (uint8_t)(1 + label.n + rest.n);
    memcpy(out->w, joined, out->n);
    return true;
}
