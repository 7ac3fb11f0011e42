/* SPDX-License-Identifier: ISC */
/* base/msg/address_list.c - RFC 5322 3.4 address lists as people and programs write them.
 *
 * One pass from left to right. Words are gathered until the next special character says
 * what they were:
 *
 *     words <      a display name, an address in angle brackets follows
 *     words :      the name of a group
 *     words @      a local part, the domain follows
 *     words , ; .  something without a domain ("undisclosed recipients"), kept as it is
 *
 * So the words are kept in two forms at once, as a phrase (one blank where there was white
 * space) and as a local part (none). Each scratch area and the pool of finished texts are
 * as large as the input allows, taken from the arena in the beginning: no octet of input is
 * copied into the pool more than once as text and once as comment.
 *
 * Invariant: every turn of the outer loop moves `pos` forward. */
#include <string.h>

#include "base/msg/address.h"

struct text {
    uint8_t *p;
    size_t n;
};

struct scan {
    struct span in;
    size_t pos;
    struct arena *arena;
    struct text phrase, local; /* scratch: the words since the last special */
    struct text comment;       /* scratch: the last comment of this element */
    struct text pool;          /* finished texts */
    bool has_words, has_comment, was_blank, is_group;
    struct address_list *list;
    size_t cap;
};

static bool is_special(uint8_t c)
{
    return c != 0 && strchr("()<>[]:;@\\,.\"", c) != NULL;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int peek(const struct scan *s)
{
    return s->pos < s->in.n ? s->in.p[s->pos] : -1;
}

static void put(struct text *t, uint8_t c)
{
    if (c != '\r' && c != '\n' && c != 0)
        t->p[t->n++] = c;
}

/* Finish a scratch text: a lasting span, never with p == NULL. */
static struct span keep(struct scan *s, const struct text *t)
{
    uint8_t *at = s->pool.p + s->pool.n;

    if (t->n > 0)
        memcpy(at, t->p, t->n);
    s->pool.n += t->n;
    return span_of(at, t->n);
}

/* At "(": read it, nested ones and quoted pairs included. The outermost is remembered. */
static void read_comment(struct scan *s)
{
    size_t depth = 0;

    s->comment.n = 0;
    s->has_comment = true;
    for (; s->pos < s->in.n; s->pos++) {
        uint8_t c = s->in.p[s->pos];

        if (c == '(' && depth++ == 0)
            continue;
        if (c == ')' && --depth == 0) {
            s->pos++;
            return;
        }
        if (c == '\\' && s->pos + 1 < s->in.n)
            c = s->in.p[++s->pos];
        put(&s->comment, c);
    }
    s->list->is_clean = false; /* never closed */
}

/* Comments and white space; says whether there was any. */
static bool skip_cfws(struct scan *s)
{
    size_t start = s->pos;

    while (s->pos < s->in.n) {
        if (is_blank(s->in.p[s->pos]))
            s->pos++;
        else if (s->in.p[s->pos] == '(')
            read_comment(s);
        else
            break;
    }
    return s->pos > start;
}

static void word_begin(struct scan *s)
{
    if (s->has_words && s->was_blank)
        put(&s->phrase, ' ');
    s->has_words = true;
    s->was_blank = false;
}

static void word_octet(struct scan *s, uint8_t c)
{
    put(&s->phrase, c);
    put(&s->local, c);
}

static void read_quoted(struct scan *s)
{
    word_begin(s);
    for (s->pos++; s->pos < s->in.n; s->pos++) {
        uint8_t c = s->in.p[s->pos];

        if (c == '"') {
            s->pos++;
            return;
        }
        if (c == '\\' && s->pos + 1 < s->in.n)
            c = s->in.p[++s->pos];
        word_octet(s, c);
    }
    s->list->is_clean = false;
}

static void read_atom(struct scan *s)
{
    word_begin(s);
    while (s->pos < s->in.n) {
        uint8_t c = s->in.p[s->pos];

        if (is_special(c) || is_blank(c))
            break;
        if (c < 32 || c == 127)
            s->list->is_clean = false;
        word_octet(s, c);
        s->pos++;
    }
}

static void words_reset(struct scan *s)
{
    s->phrase.n = s->local.n = 0;
    s->has_words = s->was_blank = false;
}

/* Gather words (dots among them, RFC 5322 4.1 obs-phrase) up to another special. */
static void read_words(struct scan *s)
{
    words_reset(s);
    for (;;) {
        int c;

        if (skip_cfws(s))
            s->was_blank = true;
        c = peek(s);
        if (c == '"') {
            read_quoted(s);
        } else if (c == '.') {
            word_begin(s);
            word_octet(s, '.');
            s->pos++;
        } else if (c == -1 || is_special((uint8_t)c)) {
            return;
        } else {
            read_atom(s);
        }
    }
}

/* Behind "@": a literal, or atoms and dots without the blanks between them. */
static struct span read_domain(struct scan *s)
{
    struct text t = {s->pool.p + s->pool.n, 0};
    int c;

    (void)skip_cfws(s);
    if (peek(s) == '[') {
        do {
            c = peek(s);
            if (!is_blank((uint8_t)c))
                put(&t, (uint8_t)c);
            s->pos++;
        } while (c != ']' && peek(s) != -1);
        if (c != ']')
            s->list->is_clean = false;
    } else {
        while ((c = peek(s)) != -1 && (c == '.' || !is_special((uint8_t)c))) {
            size_t before = s->pos;

            if (skip_cfws(s)) {
                /* a blank inside a domain is only legal beside a dot */
                if (peek(s) != '.' && (before == 0 || s->in.p[before - 1] != '.'))
                    break;
                continue;
            }
            put(&t, (uint8_t)c);
            s->pos++;
        }
    }
    if (t.n == 0)
        s->list->is_clean = false;
    s->pool.n += t.n;
    return span_of(t.p, t.n);
}

static bool list_add(struct scan *s, const struct address *a)
{
    struct address_list *l = s->list;

    if (l->n == s->cap) {
        size_t cap = s->cap == 0 ? 8 : s->cap * 2;
        struct address *v = NULL;

        if (cap <= ADDRESS_LIST_MAX)
            v = arena_alloc(s->arena, cap * sizeof(*v));
        if (v == NULL) {
            l->is_clean = false;
            return false;
        }
        if (l->n > 0)
            memcpy(v, l->v, l->n * sizeof(*v));
        l->v = v;
        s->cap = cap;
    }
    l->v[l->n++] = *a;
    return true;
}

/* Behind "<": an optional route, an address, ">". */
static void read_angle(struct scan *s, struct address *a)
{
    (void)skip_cfws(s);
    if (peek(s) == '@') {
        struct text t = {s->pool.p + s->pool.n, 0};

        while (peek(s) != -1 && peek(s) != ':' && peek(s) != '>') {
            if (!is_blank(s->in.p[s->pos]))
                put(&t, s->in.p[s->pos]);
            s->pos++;
        }
        s->pool.n += t.n;
        a->route = span_of(t.p, t.n);
        if (peek(s) == ':')
            s->pos++;
    }
    read_words(s);
    if (!s->has_words)
        s->list->is_clean = false;
    a->local = keep(s, &s->local);
    if (peek(s) == '@') {
        s->pos++;
        a->domain = read_domain(s);
    } else {
        s->list->is_clean = false;
    }
    (void)skip_cfws(s);
    if (peek(s) == '>') {
        s->pos++;
        return;
    }
    s->list->is_clean = false;
    while (peek(s) != -1 && peek(s) != '>' && peek(s) != ',')
        s->pos++;
    if (peek(s) == '>')
        s->pos++;
}

/* What stands between an address and the next separator: comments, else junk. */
static void finish_element(struct scan *s)
{
    (void)skip_cfws(s);
    while (peek(s) != -1 && peek(s) != ',' && !(peek(s) == ';' && s->is_group)) {
        s->list->is_clean = false;
        if (peek(s) == '"')
            read_quoted(s);
        else if (peek(s) == '(')
            read_comment(s);
        else
            s->pos++;
    }
}

static bool read_mailbox(struct scan *s)
{
    struct address a = {.kind = ADDRESS_MAILBOX};

    if (peek(s) == '<') {
        if (s->has_words)
            a.name = keep(s, &s->phrase);
        s->pos++;
        read_angle(s, &a);
    } else if (peek(s) == '@') {
        if (!s->has_words)
            s->list->is_clean = false;
        a.local = keep(s, &s->local);
        s->pos++;
        a.domain = read_domain(s);
    } else {
        s->list->is_clean = false;
        a.local = keep(s, &s->phrase);
    }
    finish_element(s);
    if (a.name.p == NULL && s->has_comment)
        a.name = keep(s, &s->comment);
    return list_add(s, &a);
}

/* One element or separator; false when the list is full. */
static bool read_element(struct scan *s)
{
    struct address a = {.kind = ADDRESS_GROUP_END};

    s->has_comment = false;
    read_words(s);
    switch (peek(s)) {
    case ',':
        if (s->has_words)
            break;
        s->pos++;
        return true;
    case ';':
        if (!s->is_group)
            s->list->is_clean = false;
        if (s->has_words)
            break;
        s->pos++;
        if (!s->is_group)
            return true;
        s->is_group = false;
        return list_add(s, &a);
    case ':':
        s->pos++;
        if (s->is_group || !s->has_words) {
            s->list->is_clean = false;
            return true;
        }
        s->is_group = true;
        a.kind = ADDRESS_GROUP_BEGIN;
        a.name = keep(s, &s->phrase);
        return list_add(s, &a);
    case -1:
        if (!s->has_words)
            return true;
        break;
    case '<':
    case '@':
        break;
    default: /* ) > ] [ \ : nothing begins with these */
        s->list->is_clean = false;
        if (!s->has_words) {
            s->pos++;
            return true;
        }
        break;
    }
    return read_mailbox(s);
}

void address_list_parse(struct span value, struct arena *a, struct address_list *list)
{
    struct scan s = {.in = value, .arena = a, .list = list};
    const struct address end = {.kind = ADDRESS_GROUP_END};
    uint8_t *room;

    *list = (struct address_list){.is_clean = true};
    if (value.n == 0)
        return;
    room = arena_alloc(a, value.n * 5);
    if (room == NULL) {
        list->is_clean = false;
        return;
    }
    s.phrase.p = room;
    s.local.p = room + value.n;
    s.comment.p = room + value.n * 2;
    s.pool.p = room + value.n * 3;
    while (s.pos < s.in.n)
        if (!read_element(&s))
            return;
    if (s.is_group) {
        list->is_clean = false;
        (void)list_add(&s, &end);
    }
}
