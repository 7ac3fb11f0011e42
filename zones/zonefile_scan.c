/* SPDX-License-Identifier: ISC */
/* zones/zonefile_scan.c - reads master files (RFC 1035 5, RFC 2308 4); see zonefile.h.
 *
 * Design: text becomes entries. An entry is what stands up to a line end outside quotes and
 * parentheses, with its comments taken out; it begins with blanks when the owner is to be the
 * previous one. An entry is a directive or a record: owner, then TTL and class in either
 * order or not at all, then type, then data, which base/dns/rdata_parse.c reads.
 *
 * Fields that look alike are told apart by place: a word is a TTL if it begins with a digit,
 * a class if it is one, else it must be the type. */
#include "base/dns/rdata.h"
#include "zones/zonefile.h"

enum { ENTRY_MAX = 1 << 20, GENERATE_MAX = 65536, TTL_NONE = -1 };

struct scan {
    const char *name; /* of the file, for messages */
    struct span left;
    unsigned line;  /* where the entry begins */
    unsigned lines; /* where the scanner is */
    struct dname origin, owner;
    int64_t ttl_default, ttl_last; /* TTL_NONE: not said yet */
    struct buf entry;
    struct buf rdata;
    struct zone *zone;
    const char *rule;
    struct err *err;
};

static int fail(struct scan *s, const char *what, struct span token)
{
    return err_set(s->err, "%s:%u: %s%s%.*s", s->name, s->line, what,
                   token.n > 0 ? ": " : "", SPAN_ARG(token));
}

/* --- entries --- */

/* Where the scanner is inside an entry. */
struct nesting {
    unsigned depth; /* of parentheses */
    bool is_quoted;
};

/* What an octet outside escapes does to the nesting; NULL, or what is wrong. */
static const char *nest(struct nesting *n, uint8_t c)
{
    if (c == '"')
        n->is_quoted = !n->is_quoted;
    else if (n->is_quoted)
        return c == '\n' ? "a quoted text does not end on its line" : NULL;
    else if (c == '(')
        n->depth++;
    else if (c == ')' && n->depth-- == 0)
        return "a parenthesis closes that was not opened";
    return NULL;
}

/* Octets of the comment at `text`, without its line end. */
static size_t comment_len(struct span text)
{
    ptrdiff_t end = span_index(text, '\n');

    return end < 0 ? text.n : (size_t)end;
}

/* One step: an escaped pair, a comment, or an octet. Returns octets used; 0 with *why. */
static size_t take(struct scan *s, struct span text, struct nesting *n, const char **why)
{
    uint8_t c = text.p[0];
    size_t used = c == '\\' && text.n > 1 && text.p[1] != '\n' ? 2 : 1;

    if (c == ';' && !n->is_quoted)
        return comment_len(text);
    *why = used == 2 ? NULL : nest(n, c);
    if (*why == NULL &&
        buf_append(&s->entry, c == '\n' ? " " : (const char *)text.p, used) != 0)
        *why = "the entry is too long";
    return *why == NULL ? used : 0;
}

/* Take octets up to the end of the entry into s->entry. 1, 0 at the end of the text, -1. */
static int next_entry(struct scan *s)
{
    struct nesting n = {0, false};
    const char *why = NULL;

    buf_reset(&s->entry);
    s->line = s->lines;
    if (s->left.n == 0)
        return 0;
    while (s->left.n > 0) {
        bool is_line_end = s->left.p[0] == '\n';
        size_t used = take(s, s->left, &n, &why);

        if (used == 0)
            return fail(s, why, span_of(NULL, 0));
        s->left = span_drop(s->left, used);
        s->lines += is_line_end;
        if (is_line_end && n.depth == 0)
            return 1;
    }
    if (n.depth > 0 || n.is_quoted)
        return fail(s, "a parenthesis or quote is not closed", span_of(NULL, 0));
    return 1;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '(' || c == ')';
}

/* Next word off the front of *text; false when only blanks are left. */
static bool next_word(struct span *text, struct span *word)
{
    size_t at = 0;
    size_t start;

    while (at < text->n && is_blank(text->p[at]))
        at++;
    start = at;
    while (at < text->n && !is_blank(text->p[at]))
        at += text->p[at] == '\\' && text->n - at > 1 ? 2 : 1;
    *word = span_take(span_drop(*text, start), at - start);
    *text = span_drop(*text, at);
    return word->n > 0;
}

/* --- records --- */

static int take_owner(struct scan *s, struct span *entry)
{
    struct span word;
    enum dname_result r;

    if (is_blank(entry->p[0])) {
        if (s->owner.n == 0)
            return fail(s, "there is no previous owner to repeat", span_of(NULL, 0));
        return 0;
    }
    (void)next_word(entry, &word);
    r = dname_parse(word, &s->origin, &s->owner);
    return r == DNAME_OK ? 0 : fail(s, dname_result_text(r), word);
}

/* [TTL] [class] type or [class] [TTL] type. */
static int take_head(struct scan *s, struct span *entry, uint16_t *type, uint32_t *ttl_s)
{
    bool has_ttl = false;
    bool has_class = false;
    struct span word;
    uint16_t class;

    while (next_word(entry, &word)) {
        if (!has_ttl && ascii_is_digit(word.p[0]) && rdata_parse_ttl(word, ttl_s)) {
            has_ttl = true;
            s->ttl_last = *ttl_s;
            continue;
        }
        if (!has_class && rrclass_parse(word, &class)) {
            if (class != RRCLASS_IN)
                return fail(s, "only class IN can be served", word);
            has_class = true;
            continue;
        }
        if (!rrtype_parse(word, type))
            return fail(s, "not a record type", word);
        if (has_ttl)
            return 0;
        if (s->ttl_default == TTL_NONE && s->ttl_last == TTL_NONE)
            return fail(s, "no TTL; put $TTL in front of the records", span_of(NULL, 0));
        *ttl_s = (uint32_t)(s->ttl_default != TTL_NONE ? s->ttl_default : s->ttl_last);
        return 0;
    }
    return fail(s, "the record type is missing", span_of(NULL, 0));
}

static int add_record(struct scan *s, struct span entry)
{
    enum zone_add_result added;
    uint16_t type = 0;
    uint32_t ttl_s = 0;
    char owner[DNAME_TEXT];

    if (take_owner(s, &entry) != 0 || take_head(s, &entry, &type, &ttl_s) != 0)
        return -1;
    buf_reset(&s->rdata);
    if (rdata_parse(type, entry, &s->origin, &s->rdata, s->err) != 0)
        return err_wrap(s->err, "%s:%u", s->name, s->line);
    added = zone_add(s->zone, dname_span(&s->owner), type, ttl_s, buf_all(&s->rdata),
                     s->rule);
    if (added == ZONE_ADDED || added == ZONE_SAME)
        return 0;
    (void)dname_print(dname_span(&s->owner), owner);
    return fail(s, zone_add_result_text(added), span_str(owner));
}

/* --- directives --- */

static int do_origin(struct scan *s, struct span rest)
{
    struct span word = {NULL, 0};
    enum dname_result r = DNAME_EMPTY;
    struct dname origin;

    if (next_word(&rest, &word))
        r = dname_parse(word, &s->origin, &origin);
    if (r != DNAME_OK)
        return fail(s, dname_result_text(r), word);
    s->origin = origin;
    return 0;
}

static int do_ttl(struct scan *s, struct span rest)
{
    struct span word = {NULL, 0};
    uint32_t ttl_s;

    if (!next_word(&rest, &word) || !rdata_parse_ttl(word, &ttl_s))
        return fail(s, "$TTL wants a time", word);
    s->ttl_default = ttl_s;
    return 0;
}

static int do_include(struct scan *s, struct span rest)
{
    return fail(s, "$INCLUDE is not followed; put the files into one", span_trim(rest));
}

/* "start-stop" or "start-stop/step" */
static bool parse_range(struct span text, uint64_t v[3])
{
    struct span range;
    struct span step;
    struct span start;
    struct span stop;

    v[2] = 1;
    if (span_cut(text, '/', &range, &step) && !span_to_u64(step, INT32_MAX, &v[2]))
        return false;
    return span_cut(range, '-', &start, &stop) && span_to_u64(start, INT32_MAX, &v[0]) &&
           span_to_u64(stop, INT32_MAX, &v[1]) && v[0] <= v[1] && v[2] > 0 &&
           (v[1] - v[0]) / v[2] < GENERATE_MAX;
}

/* "{offset[,width[,base]]}" behind a $; *used octets. */
static bool put_modified(struct span text, uint64_t value, struct buf *out, size_t *used)
{
    struct span inside;
    struct span rest;
    struct span offset;
    struct span width_text;
    struct span base;
    uint64_t shift = 0;
    uint64_t width = 0;
    bool is_negative;

    if (!span_cut(span_drop(text, 1), '}', &inside, &rest))
        return false;
    *used = inside.n + 2;
    (void)span_cut(inside, ',', &offset, &rest);
    (void)span_cut(rest, ',', &width_text, &base);
    is_negative = offset.n > 0 && offset.p[0] == '-';
    if (!span_to_u64(span_drop(offset, is_negative), INT32_MAX, &shift) ||
        (width_text.n > 0 && !span_to_u64(width_text, 255, &width)) ||
        (is_negative ? shift > value : shift > (uint64_t)INT32_MAX - value))
        return false; /* outside 0..2^31-1, as others read it too */
    value = is_negative ? value - shift : value + shift;
    switch (base.n == 1 ? base.p[0] : (base.n == 0 ? 'd' : '?')) {
    case 'd':
        return buf_printf(out, "%0*llu", (int)width, (unsigned long long)value) == 0;
    case 'o':
        return buf_printf(out, "%0*llo", (int)width, (unsigned long long)value) == 0;
    case 'x':
        return buf_printf(out, "%0*llx", (int)width, (unsigned long long)value) == 0;
    case 'X':
        return buf_printf(out, "%0*llX", (int)width, (unsigned long long)value) == 0;
    default:
        return false;
    }
}

static bool put_generated(struct span text, uint64_t value, struct buf *out)
{
    for (size_t i = 0; i < text.n; i++) {
        size_t used = 0;
        struct span next = span_drop(text, i + 1);

        if (text.p[i] == '\\' && next.n > 0 && next.p[0] == '$') {
            if (buf_byte(out, '$') != 0)
                return false;
            i++;
        } else if (text.p[i] != '$') {
            if (buf_byte(out, text.p[i]) != 0)
                return false;
        } else if (next.n > 0 && next.p[0] == '{') {
            if (!put_modified(next, value, out, &used))
                return false;
            i += used;
        } else if (buf_printf(out, "%llu", (unsigned long long)value) != 0) {
            return false;
        }
    }
    return true;
}

/* $GENERATE start-stop[/step] owner [ttl] [class] type data (a widespread extension). */
static int do_generate(struct scan *s, struct span rest)
{
    struct span range = {NULL, 0};
    struct buf line;
    uint64_t v[3];
    int rc = 0;

    if (!next_word(&rest, &range) || !parse_range(range, v))
        return fail(s, "$GENERATE wants START-STOP[/STEP]", range);
    while (rest.n > 0 && is_blank(rest.p[0]))
        rest = span_drop(rest, 1);
    buf_init(&line, ENTRY_MAX);
    for (uint64_t i = v[0]; rc == 0 && i <= v[1]; i += v[2]) {
        buf_reset(&line);
        rc = put_generated(rest, i, &line) && line.len > 0
                 ? add_record(s, buf_all(&line))
                 : fail(s, "$GENERATE: bad modifier", span_take(rest, 60));
    }
    buf_free(&line);
    return rc;
}

static int do_entry(struct scan *s, struct span entry)
{
    static const struct {
        const char *name;
        int (*run)(struct scan *s, struct span rest);
    } directives[] = {
        {"$ORIGIN", do_origin},
        {"$TTL", do_ttl},
        {"$INCLUDE", do_include},
        {"$GENERATE", do_generate},
    };
    struct span rest = entry;
    struct span word;

    if (!next_word(&rest, &word))
        return 0; /* blanks only */
    if (entry.p[0] != '$')
        return add_record(s, entry);
    for (size_t i = 0; i < COUNT_OF(directives); i++)
        if (span_eq_str_nocase(word, directives[i].name))
            return directives[i].run(s, rest);
    return fail(s, "unknown directive", word);
}

struct zone *zonefile_parse(const char *name, struct span text, struct span apex,
                            const char *rule, struct err *err)
{
    struct scan s = {.name = name,
                     .left = text,
                     .lines = 1,
                     .ttl_default = TTL_NONE,
                     .ttl_last = TTL_NONE,
                     .rule = rule,
                     .err = err};
    int rc;

    if (!dname_set(&s.origin, apex)) {
        (void)err_set(err, "%s: the zone's name is not valid", name);
        return NULL;
    }
    s.zone = zone_new(apex, 0);
    buf_init(&s.entry, ENTRY_MAX);
    buf_init(&s.rdata, RDATA_MAX);
    while ((rc = next_entry(&s)) == 1 && (rc = do_entry(&s, buf_all(&s.entry))) == 0)
        continue;
    buf_free(&s.entry);
    buf_free(&s.rdata);
    if (rc != 0)
        zone_free(&s.zone);
    return s.zone;
}
