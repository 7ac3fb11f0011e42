/* SPDX-License-Identifier: ISC */
/* deliverability/record/spf.c - see spf.h.
 *
 * One row per mechanism or modifier tells what may stand behind its name: nothing, a
 * domain-spec, a prefix length, an address. Every term is read completely before the record
 * counts as valid, because one bad term makes the whole record a permerror. */
#include "deliverability/record/spf.h"

enum arg {
    ARG_NONE,       /* all */
    ARG_DOMAIN,     /* must have ":domain" or "=domain" */
    ARG_DOMAIN_OPT, /* ptr */
    ARG_DUAL_CIDR,  /* a, mx: [":" domain] ["/" n] ["//" n] */
    ARG_IP4,
    ARG_IP6
};

static const struct {
    const char *name;
    enum spf_kind kind;
    bool is_modifier;
    bool costs_lookup; /* RFC 7208 4.6.4 */
    enum arg arg;
} rows[] = {
    {"all", SPF_ALL, false, false, ARG_NONE},
    {"include", SPF_INCLUDE, false, true, ARG_DOMAIN},
    {"a", SPF_A, false, true, ARG_DUAL_CIDR},
    {"mx", SPF_MX, false, true, ARG_DUAL_CIDR},
    {"ptr", SPF_PTR, false, true, ARG_DOMAIN_OPT},
    {"ip4", SPF_IP4, false, false, ARG_IP4},
    {"ip6", SPF_IP6, false, false, ARG_IP6},
    {"exists", SPF_EXISTS, false, true, ARG_DOMAIN},
    {"redirect", SPF_REDIRECT, true, true, ARG_DOMAIN},
    {"exp", SPF_EXP, true, false, ARG_DOMAIN},
};

static enum spf_parse bad(struct err *err, struct span term, const char *why)
{
    (void)err_set(err, "\"%.*s\": %s", SPAN_ARG(term), why);
    return SPF_PARSE_BAD;
}

bool spf_is_record(struct span text)
{
    /* RFC 7208 4.5: the version, then a blank or the end; "v=spf10" is not one. */
    return span_starts_nocase(text, SPAN_LIT("v=spf1")) &&
           (text.n == 6 || text.p[6] == ' ');
}

/* "%{" letter [digits] ["r"] *delimiter "}" (RFC 7208 7.1). Returns octets, 0 when bad. */
static size_t macro_octets(struct span s)
{
    size_t i = 2;

    if (s.n < 2)
        return 0;
    if (s.p[1] == '%' || s.p[1] == '_' || s.p[1] == '-')
        return 2;
    if (s.p[1] != '{' || s.n < 4 ||
        span_index(SPAN_LIT("slodiphcrtvSLODIPHCRTV"), s.p[2]) < 0)
        return 0;
    i = 3;
    while (i < s.n && ascii_is_digit(s.p[i]))
        i++;
    if (i < s.n && ascii_lower(s.p[i]) == 'r')
        i++;
    while (i < s.n && span_index(SPAN_LIT(".-+,/_="), s.p[i]) >= 0)
        i++;
    return i < s.n && s.p[i] == '}' ? i + 1 : 0;
}

/* macro-string: visible characters and macros, or nothing (RFC 7208 7.1). */
static bool is_macro_string(struct span s)
{
    while (s.n > 0) {
        size_t n = s.p[0] == '%' ? macro_octets(s) : s.p[0] >= 0x21 && s.p[0] <= 0x7e;

        if (n == 0)
            return false;
        s = span_drop(s, n);
    }
    return true;
}

/* domain-spec: visible characters and macros, at the end a top label or a macro. */
static const char *check_domain(struct span d)
{
    size_t label = 0, labels = 0;
    bool ends_in_macro = false;

    if (d.n == 0)
        return "a domain name is missing";
    if (d.n > 253)
        return "the domain name is longer than 253 characters";
    for (size_t i = 0; i < d.n;) {
        size_t n = 1;

        if (d.p[i] < 0x21 || d.p[i] > 0x7e)
            return "the domain name holds a character that is not printable ASCII";
        ends_in_macro = d.p[i] == '%';
        if (ends_in_macro) {
            n = macro_octets(span_drop(d, i));
            if (n == 0)
                return "a % that does not begin a valid macro (RFC 7208 7.1)";
            label += 1;
        } else if (d.p[i] == '.') {
            if (label == 0)
                return "the domain name has an empty label";
            label = 0;
            labels++;
        } else if (++label > 63) {
            return "a label of the domain name is longer than 63 characters";
        }
        i += n;
    }
    if (!ends_in_macro && labels == 0)
        return "a name without a dot is not a domain name here (RFC 7208 7.1)";
    return NULL;
}

static bool read_bits(struct span text, unsigned max, unsigned *bits)
{
    uint64_t v;

    if (text.n > 1 && text.p[0] == '0')
        return false;
    if (!span_to_u64(text, max, &v))
        return false;
    *bits = (unsigned)v;
    return true;
}

/* [":" domain-spec] ["/" bits] ["//" bits], RFC 7208 5.3. A "/" inside macro braces does
 * not end the name, so look for it from the end. */
static const char *read_dual_cidr(struct span arg, struct spf_term *t)
{
    size_t end = arg.n, at;

    for (at = arg.n; at > 0 && (ascii_is_digit(arg.p[at - 1]) || arg.p[at - 1] == '/');
         at--)
        continue;
    while (at < arg.n && arg.p[at] != '/')
        at++;
    if (at < arg.n) {
        struct span cidr = span_drop(arg, at), four = cidr, six = {0};
        ptrdiff_t twice = span_find(cidr, SPAN_LIT("//"));

        if (twice >= 0) {
            four = span_take(cidr, (size_t)twice);
            six = span_drop(cidr, (size_t)twice + 2);
            if (!read_bits(six, 128, &t->prefix6))
                return "the IPv6 prefix length is not a number from 0 to 128";
        }
        if (four.n > 0 && !read_bits(span_drop(four, 1), 32, &t->prefix4))
            return "the IPv4 prefix length is not a number from 0 to 32";
        end = at;
    }
    if (end == 0)
        return NULL;
    if (arg.p[0] != ':')
        return "after the name come ':' and a domain, or '/' and a prefix length";
    t->domain = span_of(arg.p + 1, end - 1);
    return check_domain(t->domain);
}

static const char *read_address(struct span arg, bool is_ip6, struct spf_term *t)
{
    unsigned max = is_ip6 ? 128 : 32, bits = max;
    struct span addr, len;

    if (arg.n == 0 || arg.p[0] != ':')
        return "an address is missing";
    if (span_cut(span_drop(arg, 1), '/', &addr, &len) && !read_bits(len, max, &bits))
        return is_ip6 ? "the prefix length is not a number from 0 to 128"
                      : "the prefix length is not a number from 0 to 32";
    if (!ipaddr_parse(addr, &t->addr) || (t->addr.family == AF_INET6) != is_ip6)
        return is_ip6 ? "this is not an IPv6 address" : "this is not an IPv4 address";
    if (is_ip6)
        t->prefix6 = bits;
    else
        t->prefix4 = bits;
    return NULL;
}

static const char *read_arg(enum arg kind, struct span arg, char mark, struct spf_term *t)
{
    switch (kind) {
    case ARG_NONE:
        return arg.n == 0 ? NULL : "nothing may follow this word";
    case ARG_DOMAIN_OPT:
        if (arg.n == 0)
            return NULL;
        /* fall through */
    case ARG_DOMAIN:
        if (arg.n == 0 || arg.p[0] != (uint8_t)mark)
            return "a domain name is missing";
        t->domain = span_drop(arg, 1);
        return check_domain(t->domain);
    case ARG_DUAL_CIDR:
        return read_dual_cidr(arg, t);
    case ARG_IP4:
    case ARG_IP6:
        return read_address(arg, kind == ARG_IP6, t);
    }
    return "unknown";
}

/* name "=" macro-string with a name that no row has: ignored by rule, but must be sound. */
static bool is_unknown_modifier(struct span term)
{
    ptrdiff_t eq = span_index(term, '=');

    if (eq <= 0 || !ascii_is_alpha(term.p[0]))
        return false;
    for (ptrdiff_t i = 1; i < eq; i++) {
        uint8_t c = term.p[i];

        if (!ascii_is_alnum(c) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return is_macro_string(span_drop(term, (size_t)eq + 1));
}

static enum spf_qualifier take_qualifier(struct span *term)
{
    static const char marks[] = "+-~?";
    enum spf_qualifier q = SPF_PASS;

    for (size_t i = 0; term->n > 0 && marks[i] != '\0'; i++) {
        if (term->p[0] == (uint8_t)marks[i]) {
            *term = span_drop(*term, 1);
            q = (enum spf_qualifier)i;
            break;
        }
    }
    return q;
}

enum spf_parse spf_parse_term(struct span text, struct spf_term *t, struct err *err)
{
    struct span word = text, name = {0};
    bool has_qualifier;
    size_t n = 0;

    *t = (struct spf_term){.text = text, .prefix4 = 32, .prefix6 = 128};
    t->qualifier = take_qualifier(&word);
    has_qualifier = word.n != text.n;
    while (n < word.n && (ascii_is_alnum(word.p[n]) || word.p[n] == '-' ||
                          word.p[n] == '_' || word.p[n] == '.'))
        n++;
    name = span_take(word, n);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool is_modifier = n < word.n && word.p[n] == '=';
        const char *why;

        if (!span_eq_str_nocase(name, rows[i].name) || is_modifier != rows[i].is_modifier)
            continue;
        if (is_modifier && has_qualifier)
            return bad(err, text, "a modifier takes no qualifier");
        t->kind = rows[i].kind;
        why = read_arg(rows[i].arg, span_drop(word, n), is_modifier ? '=' : ':', t);
        return why == NULL ? SPF_PARSE_OK : bad(err, text, why);
    }
    if (!has_qualifier && is_unknown_modifier(text)) {
        t->kind = SPF_UNKNOWN_MODIFIER;
        return SPF_PARSE_OK;
    }
    return bad(err, text,
               "neither a mechanism of SPF (all include a mx ptr ip4 ip6 exists) nor a "
               "modifier");
}

static enum spf_parse add_term(struct span word, struct spf_record *r, struct err *err)
{
    struct spf_term *t = &r->term[r->n];
    enum spf_parse rc;

    if (r->n == SPF_TERMS_MAX) {
        (void)err_set(err, "more than %d terms", SPF_TERMS_MAX);
        return SPF_PARSE_BAD;
    }
    rc = spf_parse_term(word, t, err);
    if (rc != SPF_PARSE_OK)
        return rc;
    for (size_t i = 0; i < r->n; i++)
        if (r->term[i].kind == t->kind && (t->kind == SPF_REDIRECT || t->kind == SPF_EXP))
            return bad(err, word, "this modifier may stand only once (RFC 7208 6)");
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].kind == t->kind && rows[i].costs_lookup)
            r->lookups++;
    r->has_all |= t->kind == SPF_ALL;
    r->has_redirect |= t->kind == SPF_REDIRECT;
    r->n++;
    return SPF_PARSE_OK;
}

enum spf_parse spf_parse(struct span text, struct spf_record *r, struct err *err)
{
    struct span rest, word;

    r->n = 0;
    r->lookups = 0;
    r->has_all = r->has_redirect = false;
    if (!spf_is_record(text)) {
        (void)err_set(err, "an SPF record begins with \"v=spf1\" and a blank");
        return SPF_PARSE_NOT_SPF;
    }
    rest = span_drop(text, 6);
    while (rest.n > 0) {
        enum spf_parse rc;

        span_cut(rest, ' ', &word, &rest);
        if (word.n == 0)
            continue; /* several blanks are allowed (RFC 7208 4.6.1) */
        rc = add_term(word, r, err);
        if (rc != SPF_PARSE_OK)
            return rc;
    }
    return SPF_PARSE_OK;
}

int spf_print(const struct spf_record *r, struct buf *out)
{
    size_t before = out->len;

    if (buf_str(out, "v=spf1") == -1)
        return -1;
    for (size_t i = 0; i < r->n; i++) {
        if (buf_byte(out, ' ') == -1 || buf_span(out, r->term[i].text) == -1) {
            buf_truncate(out, before);
            return -1;
        }
    }
    return 0;
}
