/* SPDX-License-Identifier: ISC */
/* The tree is built in one pass over the lines, with a stack of the multiparts that are
 * open. Whatever the nesting, an octet is looked at once (and a line that begins with "--"
 * once for each open boundary), so a hostile message costs no more than its size.
 *
 *   header of an entity --blank line--> multipart: push, scan its preamble
 *                                       message/rfc822: its child begins here
 *                                       else: leaf, scan for a delimiter
 *   "--boundary" of level k:   close all above k, new child of k, header again
 *   "--boundary--" of level k: close all above k, k is in its epilogue
 *   end of the message:        close all
 *
 * A delimiter is matched innermost first; the line end in front of it belongs to it
 * (RFC 2046 5.1.1). */
#include "base/msg/mime.h"

#include <string.h>

#include "base/msg/header.h"

/* ---- lines ------------------------------------------------------------------------ */

/* Length of the line at the front of `s`, its LF included. */
static size_t line_len(struct span s)
{
    const uint8_t *lf = s.n > 0 ? memchr(s.p, '\n', s.n) : NULL;

    return lf == NULL ? s.n : (size_t)(lf - s.p) + 1;
}

/* The line without CRLF or LF. */
static struct span line_text(struct span line)
{
    if (line.n > 0 && line.p[line.n - 1] == '\n')
        line.n--;
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

struct span mime_unfold(struct span value, struct arena *a)
{
    uint8_t *dst = arena_alloc(a, value.n + 1);
    size_t n = 0;

    if (dst == NULL)
        return span_of(NULL, 0);
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] != '\r' && value.p[i] != '\n')
            dst[n++] = value.p[i];
    }
    return span_trim(span_of(dst, n));
}

/* ---- values with parameters (RFC 2045 5.1) ---------------------------------------- */

struct scan {
    struct span in;
    size_t at;
};

static int peek(const struct scan *s)
{
    return s->at < s->in.n ? s->in.p[s->at] : -1;
}

/* Over blanks, line ends and (nested) comments. */
static void skip_cfws(struct scan *s)
{
    int depth = 0;

    for (; s->at < s->in.n; s->at++) {
        uint8_t c = s->in.p[s->at];

        if (depth > 0 && c == '\\' && s->at + 1 < s->in.n)
            s->at++;
        else if (c == '(')
            depth++;
        else if (c == ')' && depth > 0)
            depth--;
        else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n')
            return;
    }
}

static bool is_tspecial(uint8_t c)
{
    return c <= ' ' || c == 127 || strchr("()<>@,;:\\\"/[]?=", c) != NULL;
}

/* A token; `lenient` also takes what senders forget to quote ('/', '=', ':' ...). */
static struct span take_token(struct scan *s, bool lenient)
{
    size_t from = s->at;

    while (s->at < s->in.n) {
        uint8_t c = s->in.p[s->at];

        if (lenient ? (c <= ' ' || c == ';' || c == '"') : is_tspecial(c))
            break;
        s->at++;
    }
    return span_of(s->in.p + from, s->at - from);
}

/* Over a quoted string; what stands between the quotes, escapes still in it. Without its
 * closing quote it ends with the value. */
static struct span skip_quoted(struct scan *s)
{
    size_t from = s->at + 1;
    struct span raw;

    for (s->at++; s->at < s->in.n && s->in.p[s->at] != '"'; s->at++)
        if (s->in.p[s->at] == '\\' && s->at + 1 < s->in.n)
            s->at++;
    raw = span_take(span_drop(s->in, from), s->at - from);
    if (s->at < s->in.n)
        s->at++;
    return raw;
}

/* A quoted string, unquoted into the arena. The scan goes on behind it, room or not. */
static struct span take_quoted(struct scan *s, struct arena *a)
{
    struct span raw = skip_quoted(s);
    uint8_t *dst = arena_alloc(a, raw.n + 1);
    size_t n = 0;

    if (dst == NULL)
        return span_of(NULL, 0);
    for (size_t i = 0; i < raw.n; i++) {
        if (raw.p[i] == '\\' && i + 1 < raw.n)
            i++;
        if (raw.p[i] != '\r' && raw.p[i] != '\n')
            dst[n++] = raw.p[i];
    }
    return span_of(dst, n);
}

static void take_param(struct scan *s, struct arena *a, struct mime_value *v)
{
    struct mime_param p;

    skip_cfws(s);
    p.name = take_token(s, false);
    skip_cfws(s);
    if (peek(s) == '=') {
        s->at++;
        skip_cfws(s);
        p.value = peek(s) == '"' ? take_quoted(s, a) : take_token(s, true);
        if (p.name.n > 0 && p.value.p != NULL && v->n < MIME_PARAMS_MAX)
            v->params[v->n++] = p;
    }
    while (s->at < s->in.n && peek(s) != ';') {
        if (peek(s) == '"')
            (void)skip_quoted(s);
        else
            s->at++;
    }
}

bool mime_value_parse(struct span value, struct arena *a, struct mime_value *v)
{
    struct scan s = {.in = value};

    v->type = v->subtype = span_of(NULL, 0);
    v->n = 0;
    skip_cfws(&s);
    v->type = take_token(&s, false);
    if (v->type.n == 0)
        return false;
    skip_cfws(&s);
    if (peek(&s) == '/') {
        s.at++;
        skip_cfws(&s);
        v->subtype = take_token(&s, false);
    }
    while (s.at < s.in.n) {
        skip_cfws(&s);
        /* some senders forget the semicolon in front of a folded parameter */
        if (peek(&s) != -1 && !is_tspecial((uint8_t)peek(&s))) {
            take_param(&s, a, v);
        } else if (peek(&s) == ';') {
            s.at++;
            take_param(&s, a, v);
        } else {
            s.at++;
        }
    }
    return true;
}

struct span mime_param_find(const struct mime_value *v, const char *name)
{
    for (int i = 0; i < v->n; i++) {
        if (span_eq_str_nocase(v->params[i].name, name))
            return v->params[i].value;
    }
    return span_of(NULL, 0);
}

/* ---- the tree --------------------------------------------------------------------- */

/* An entity that is not closed yet. */
struct open_part {
    int part;
    struct span boundary; /* empty: not a multipart */
    bool is_digest;       /* its children are messages unless they say otherwise */
};

struct builder {
    struct span msg;
    struct arena *arena;
    struct mime_tree *tree;
    int cap;
    int depth;
    struct open_part stack[MIME_DEPTH_MAX + 2];
    size_t lines; /* LFs seen so far */
};

static int part_new(struct builder *b, size_t at)
{
    struct mime_tree *t = b->tree;
    int parent = b->depth > 0 ? b->stack[b->depth - 1].part : MIME_NONE;

    if (t->n == b->cap) {
        int cap = b->cap == 0 ? 8 : b->cap * 2;
        struct mime_part *more = arena_alloc(b->arena, (size_t)cap * sizeof(*more));

        if (more == NULL)
            return MIME_NONE;
        if (t->n > 0)
            memcpy(more, t->parts, (size_t)t->n * sizeof(*more));
        t->parts = more;
        b->cap = cap;
    }
    t->parts[t->n] = (struct mime_part){.header = at,
                                        .body = at,
                                        .end = at,
                                        .kind = MIME_LEAF,
                                        .parent = parent,
                                        .child = MIME_NONE,
                                        .next = MIME_NONE};
    if (parent != MIME_NONE) {
        int *link = &t->parts[parent].child;

        while (*link != MIME_NONE)
            link = &t->parts[*link].next;
        *link = t->n;
    }
    b->stack[b->depth++] = (struct open_part){.part = t->n};
    return t->n++;
}

/* LFs in [from, to). */
static size_t count_lines(struct span msg, size_t from, size_t to)
{
    size_t n = 0;

    while (from < to) {
        const uint8_t *lf = memchr(msg.p + from, '\n', to - from);

        if (lf == NULL)
            break;
        n++;
        from = (size_t)(lf - msg.p) + 1;
    }
    return n;
}

/* Close everything above `level`; the innermost octet range ends at `end`. */
static void close_to(struct builder *b, int level, size_t end)
{
    while (b->depth > level) {
        struct mime_part *p = &b->tree->parts[b->stack[--b->depth].part];

        if (p->body > end)
            p->body = end; /* a delimiter stood inside the header */
        p->end = end;
    }
}

/* Which open multipart does this line delimit? Its level + 1 (what stays open), or 0. */
static int match_delimiter(const struct builder *b, struct span line, bool *is_last)
{
    struct span t = line_text(line);

    if (t.n < 2 || t.p[0] != '-' || t.p[1] != '-')
        return 0;
    t = span_drop(t, 2);
    while (t.n > 0 && (t.p[t.n - 1] == ' ' || t.p[t.n - 1] == '\t'))
        t.n--;
    for (int i = b->depth; i > 0; i--) {
        struct span want = b->stack[i - 1].boundary;

        if (want.n == 0 || !span_starts(t, want))
            continue;
        *is_last = t.n == want.n + 2 && t.p[want.n] == '-' && t.p[want.n + 1] == '-';
        if (*is_last || t.n == want.n)
            return i;
    }
    return 0;
}

/* A transfer encoding under which a message/rfc822 cannot be looked into. */
static bool is_encoded(struct span header)
{
    struct header_field f;
    struct span v;

    if (!header_find(header, "Content-Transfer-Encoding", &f))
        return false;
    v = span_trim(f.value);
    return span_eq_str_nocase(v, "base64") || span_eq_str_nocase(v, "quoted-printable");
}

static bool is_message_type(const struct mime_value *v)
{
    return span_eq_str_nocase(v->type, "message") &&
           (span_eq_str_nocase(v->subtype, "rfc822") ||
            span_eq_str_nocase(v->subtype, "global"));
}

static bool in_digest(const struct builder *b)
{
    return b->depth > 1 && b->stack[b->depth - 2].is_digest;
}

/* The header of the innermost open entity ends at its `body`: what is it? True when a
 * child begins right there. False in *ok when the arena is full. */
static bool classify(struct builder *b, bool *ok)
{
    struct open_part *top = &b->stack[b->depth - 1];
    struct mime_part *p = &b->tree->parts[top->part];
    struct span header = span_of(b->msg.p + p->header, p->body - p->header);
    struct mime_value v;
    struct header_field f;

    if (b->depth > MIME_DEPTH_MAX || b->tree->n >= MIME_PARTS_MAX)
        return false;
    if (!header_find(header, "Content-Type", &f) ||
        !mime_value_parse(f.value, b->arena, &v)) {
        if (!in_digest(b)) /* RFC 2046 5.1.5 */
            return false;
        v.type = SPAN_LIT("message");
        v.subtype = SPAN_LIT("rfc822");
    }
    if (span_eq_str_nocase(v.type, "multipart")) {
        struct span boundary = mime_param_find(&v, "boundary");

        while (boundary.n > 0 && boundary.p[boundary.n - 1] == ' ')
            boundary.n--;
        if (boundary.n > 0) {
            p->kind = MIME_MULTIPART;
            top->boundary = boundary;
            top->is_digest = span_eq_str_nocase(v.subtype, "digest");
        }
        return false;
    }
    if (!is_message_type(&v) || is_encoded(header))
        return false;
    p->kind = MIME_MESSAGE;
    *ok = part_new(b, p->body) != MIME_NONE;
    return *ok;
}

/* The end of a part's content: in front of the line end that precedes the delimiter. */
static size_t content_end(struct span msg, size_t at, size_t floor)
{
    if (at > floor && msg.p[at - 1] == '\n')
        at--;
    if (at > floor && msg.p[at - 1] == '\r')
        at--;
    return at;
}

/* A delimiter stands at `at`, its line is `n` long. */
static bool take_delimiter(struct builder *b, int level, bool is_last, size_t at,
                           size_t n)
{
    const struct mime_part *top = &b->tree->parts[b->stack[b->depth - 1].part];

    close_to(b, level, content_end(b->msg, at, top->body));
    if (is_last) {
        b->stack[level - 1].boundary = span_of(NULL, 0); /* epilogue */
        return false;
    }
    if (b->tree->n >= MIME_PARTS_MAX)
        return false;
    return part_new(b, at + n) != MIME_NONE;
}

bool mime_parse(struct span msg, struct arena *a, struct mime_tree *tree)
{
    struct builder b = {.msg = msg, .arena = a, .tree = tree};
    bool in_header = true, ok = true;
    size_t at = 0;

    *tree = (struct mime_tree){NULL, 0};
    if (part_new(&b, 0) == MIME_NONE)
        return false;
    while (at < msg.n && ok) {
        struct span rest = span_drop(msg, at);
        size_t n = line_len(rest);
        bool is_last = false;
        int level = match_delimiter(&b, span_take(rest, n), &is_last);

        if (level > 0) {
            in_header = take_delimiter(&b, level, is_last, at, n);
            at += n;
            continue;
        }
        at += n;
        if (!in_header)
            continue;
        tree->parts[b.stack[b.depth - 1].part].body = at;
        if (line_text(span_take(rest, n)).n == 0)
            in_header = classify(&b, &ok);
    }
    close_to(&b, 0, msg.n);
    for (int i = 0; i < tree->n; i++)
        tree->parts[i].lines = count_lines(msg, tree->parts[i].body, tree->parts[i].end);
    return ok;
}
