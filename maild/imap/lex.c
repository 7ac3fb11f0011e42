/* SPDX-License-Identifier: ISC */
/* Every lex_ function does nothing once a fault is kept: lex_peek() then gives -1, so loops
 * end by themselves and no production needs to test each step. Whatever must be changed
 * (quotes, modified UTF-7) is copied to the arena; the rest points into the command. */
#include "maild/imap/lex.h"

#include <stdlib.h>
#include <string.h>

#include "base/core/buf.h"
#include "maild/imap/datetime.h"
#include "maild/imap/mutf7.h"

#define NAME_OCTETS_MAX 1000 /* of a mailbox name in UTF-8 */
#define SET_RANGES_MAX  20000

void lex_init(struct lex *x, struct span in, struct arena *a)
{
    *x = (struct lex){.in = in, .arena = a};
}

bool lex_fail(struct lex *x, const char *why)
{
    if (x->fault == NULL)
        x->fault = why;
    return false;
}

int lex_peek(const struct lex *x)
{
    return x->fault == NULL && x->at < x->in.n ? x->in.p[x->at] : -1;
}

bool lex_take(struct lex *x, uint8_t c)
{
    if (lex_peek(x) != c)
        return false;
    x->at++;
    return true;
}

bool lex_want(struct lex *x, uint8_t c, const char *why)
{
    return lex_take(x, c) || lex_fail(x, why);
}

bool lex_space(struct lex *x)
{
    return lex_want(x, ' ', "a space is missing");
}

bool lex_end(struct lex *x)
{
    if (x->fault == NULL && x->at < x->in.n)
        return lex_fail(x, "the command should end here");
    return x->fault == NULL;
}

/* ATOM-CHAR of RFC 3501: any CHAR but atom-specials. "]" is for astring only. */
static bool is_atom_char(int c)
{
    return c > ' ' && c < 127 && strchr("(){%*\"\\]", c) == NULL;
}

struct span lex_atom(struct lex *x, const char *extra)
{
    size_t from = x->at;
    int c;

    while ((c = lex_peek(x)) != -1 &&
           (is_atom_char(c) || (c != 0 && strchr(extra, c) != NULL)))
        x->at++;
    if (x->at == from)
        (void)lex_fail(x, "a word is missing");
    return span_of(x->in.p + from, x->at - from);
}

static struct span take_quoted(struct lex *x)
{
    uint8_t *dst;
    size_t n = 0;
    int c;

    dst = arena_alloc(x->arena, x->in.n - x->at + 1);
    if (dst == NULL) {
        (void)lex_fail(x, "the command is too large");
        return span_of(NULL, 0);
    }
    x->at++;
    while ((c = lex_peek(x)) != '"') {
        if (c == '\\') {
            x->at++;
            c = lex_peek(x);
            if (c != '"' && c != '\\') {
                (void)lex_fail(x, "only \\\" and \\\\ may be escaped in a quoted string");
                break;
            }
        }
        if (c == -1 || c == 0 || c == '\r' || c == '\n') {
            (void)lex_fail(x, "a quoted string does not end");
            break;
        }
        dst[n++] = (uint8_t)c;
        x->at++;
    }
    if (x->fault == NULL)
        x->at++;
    return span_of(dst, n);
}

static struct span take_literal(struct lex *x)
{
    struct span rest = span_drop(x->in, x->at + 1), digits, body;
    uint64_t n = 0;

    if (!span_cut(rest, '}', &digits, &rest))
        goto bad;
    if (digits.n > 0 && digits.p[digits.n - 1] == '+')
        digits.n--;
    if (!span_to_u64(digits, UINT32_MAX, &n))
        goto bad;
    if (rest.n > 0 && rest.p[0] == '\r')
        rest = span_drop(rest, 1);
    if (rest.n == 0 || rest.p[0] != '\n' || n > rest.n - 1)
        goto bad;
    body = span_take(span_drop(rest, 1), (size_t)n);
    x->at = (size_t)(body.p - x->in.p) + body.n;
    if (memchr(body.p, 0, body.n) != NULL)
        (void)lex_fail(x, "a literal holds a NUL");
    return body;
bad:
    (void)lex_fail(x, "a literal is malformed");
    return span_of(NULL, 0);
}

struct span lex_string(struct lex *x)
{
    switch (lex_peek(x)) {
    case '"':
        return take_quoted(x);
    case '{':
        return take_literal(x);
    default:
        (void)lex_fail(x, "a string is missing");
        return span_of(NULL, 0);
    }
}

struct span lex_astring(struct lex *x)
{
    int c = lex_peek(x);

    return c == '"' || c == '{' ? lex_string(x) : lex_atom(x, "]");
}

struct span lex_nstring(struct lex *x)
{
    int c = lex_peek(x);
    struct span s;

    if (c == '"' || c == '{')
        return lex_string(x);
    s = lex_atom(x, "");
    if (!span_eq_str_nocase(s, "NIL"))
        (void)lex_fail(x, "a string or NIL is missing");
    return span_of(NULL, 0);
}

struct span lex_list_mailbox(struct lex *x)
{
    int c = lex_peek(x);

    return c == '"' || c == '{' ? lex_string(x) : lex_atom(x, "]%*");
}

uint64_t lex_number(struct lex *x, uint64_t max)
{
    size_t from = x->at;
    uint64_t v = 0;

    while (lex_peek(x) >= '0' && lex_peek(x) <= '9')
        x->at++;
    if (!span_to_u64(span_of(x->in.p + from, x->at - from), max, &v))
        (void)lex_fail(x, "a number is missing or too large");
    return v;
}

/* ---- mailbox names ---------------------------------------------------------------- */

bool imap_name_check(uint8_t *name, size_t n)
{
    if (n == 0 || n > NAME_OCTETS_MAX || name[0] == '/' || name[n - 1] == '/')
        return false;
    for (size_t i = 0; i < n; i++) {
        if (name[i] < 0x20 || name[i] == 0x7f ||
            (i > 0 && name[i] == '/' && name[i - 1] == '/'))
            return false;
    }
    if (n >= 5 && (n == 5 || name[5] == '/') &&
        span_eq_str_nocase(span_of(name, 5), "INBOX"))
        memcpy(name, "INBOX", 5);
    return true;
}

struct span lex_mailbox(struct lex *x, bool *is_bad)
{
    struct span raw = lex_astring(x);
    uint8_t *copy;
    struct buf b;
    size_t n;

    if (x->fault != NULL)
        return span_of(NULL, 0);
    buf_init(&b, raw.n * 3 + 1);
    if (!mutf7_decode(raw, &b))
        *is_bad = true;
    n = b.len;
    if (n > 0 && b.data[n - 1] == '/')
        n--; /* CREATE a/ means: it will have children (RFC 3501 6.3.3) */
    copy = arena_alloc(x->arena, n + 1);
    if (copy == NULL) {
        (void)lex_fail(x, "the command is too large");
        n = 0;
    } else if (n > 0) {
        memcpy(copy, b.data, n);
    }
    if (copy == NULL || !imap_name_check(copy, n))
        *is_bad = true;
    buf_free(&b);
    return span_of(copy, n);
}

/* ---- sets, flags, dates ----------------------------------------------------------- */

static uint32_t take_set_number(struct lex *x)
{
    uint64_t v;

    if (lex_take(x, '*'))
        return IMAP_STAR;
    v = lex_number(x, UINT32_MAX - 1);
    if (v == 0)
        (void)lex_fail(x, "a message number is missing or zero");
    return (uint32_t)v;
}

static int compare_range(const void *a, const void *b)
{
    const struct imap_range *x = a, *y = b;

    return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* Lower end first ("*" is above all), sorted, overlaps joined: so that membership is a
 * binary search whatever a client sends. */
static void normalise(struct imap_set *set)
{
    size_t to = 0;

    for (size_t i = 0; i < set->n; i++) {
        struct imap_range *r = &set->ranges[i];

        if (r->lo > r->hi)
            *r = (struct imap_range){r->hi, r->lo};
    }
    qsort(set->ranges, set->n, sizeof(*set->ranges), compare_range);
    for (size_t i = 1; i < set->n; i++) {
        struct imap_range *last = &set->ranges[to], *r = &set->ranges[i];

        if (last->hi != IMAP_STAR && r->lo > last->hi + 1)
            set->ranges[++to] = *r;
        else if (r->hi > last->hi)
            last->hi = r->hi;
    }
    set->n = to + 1;
}

struct imap_set lex_set(struct lex *x)
{
    struct imap_set set = {0, NULL};
    size_t cap = 1;

    for (size_t i = x->at; i < x->in.n && x->in.p[i] != ' '; i++)
        cap += x->in.p[i] == ',';
    if (cap > SET_RANGES_MAX ||
        (set.ranges = arena_alloc(x->arena, cap * sizeof(*set.ranges))) == NULL) {
        (void)lex_fail(x, "the set has too many ranges");
        return set;
    }
    do {
        struct imap_range *r = &set.ranges[set.n++];

        r->lo = r->hi = take_set_number(x);
        if (lex_take(x, ':'))
            r->hi = take_set_number(x);
    } while (set.n < cap && lex_take(x, ','));
    if (x->fault == NULL)
        normalise(&set);
    return set;
}

static const struct {
    const char *name;
    uint32_t bit;
} system_flags[] = {
    {"Answered", IMAP_FLAG_ANSWERED}, {"Flagged", IMAP_FLAG_FLAGGED},
    {"Deleted", IMAP_FLAG_DELETED},   {"Seen", IMAP_FLAG_SEEN},
    {"Draft", IMAP_FLAG_DRAFT},       {"Recent", 0}, /* cannot be set: ignored */
};

static void take_flag(struct lex *x, struct imap_flags *f, size_t cap)
{
    bool is_system = lex_take(x, '\\');
    struct span name = lex_atom(x, "]");

    if (!is_system) {
        if (name.n > IMAP_KEYWORD_LEN || f->n == cap)
            (void)lex_fail(x, "a keyword is too long, or there are too many");
        else
            f->keywords[f->n++] = name;
        return;
    }
    for (size_t i = 0; i < COUNT_OF(system_flags); i++) {
        if (span_eq_str_nocase(name, system_flags[i].name)) {
            f->system |= system_flags[i].bit;
            return;
        }
    }
    (void)lex_fail(x, "there is no such system flag");
}

static struct imap_flags take_flags(struct lex *x, bool in_list)
{
    struct imap_flags f = {0, 0, NULL};
    const size_t cap = IMAP_KEYWORDS_MAX;

    f.keywords = arena_alloc(x->arena, cap * sizeof(*f.keywords));
    if (f.keywords == NULL) {
        (void)lex_fail(x, "the command is too large");
        return f;
    }
    if (in_list && lex_take(x, ')'))
        return f;
    do {
        take_flag(x, &f, cap);
    } while (x->fault == NULL && lex_take(x, ' '));
    if (in_list)
        (void)lex_want(x, ')', "a flag list does not end");
    return f;
}

struct imap_flags lex_flag_list(struct lex *x)
{
    (void)lex_want(x, '(', "a flag list is missing");
    return take_flags(x, true);
}

struct imap_flags lex_flags(struct lex *x)
{
    if (lex_peek(x) == '(')
        return lex_flag_list(x);
    return take_flags(x, false);
}

int64_t lex_date(struct lex *x)
{
    struct span s = lex_peek(x) == '"' ? lex_string(x) : lex_atom(x, "");
    int64_t day = 0;

    if (x->fault == NULL && !imap_date_parse(s, &day))
        (void)lex_fail(x, "a date looks like 1-Feb-2026");
    return day;
}

int64_t lex_date_time(struct lex *x)
{
    struct span s = lex_string(x);
    int64_t t = 0;

    if (x->fault == NULL && !imap_datetime_parse(s, &t))
        (void)lex_fail(x, "a date-time looks like \" 1-Feb-2026 21:52:25 +0100\"");
    return t;
}
