/* SPDX-License-Identifier: ISC */
/* SEARCH (RFC 3501 6.4.4, RFC 4731, RFC 5032). The keys become a tree; strings are turned
 * into folded UTF-8 here, once, so that evaluation only compares.
 *
 * The plain keys are rows of a table; NOT, OR, NEW, sets and lists are written out. The UN-
 * and OLD forms become NOT of their opposite, so evaluation knows fewer kinds. Depth and
 * number of keys have ceilings, because evaluation recurses once a message. */
#include <string.h>

#include "base/core/buf.h"
#include "base/msg/encword.h"
#include "maild/imap/parse.h"

#define DEPTH_MAX 32
#define KEYS_MAX  1000

enum arg {
    ARG_NONE,
    ARG_TEXT,
    ARG_FIELD_TEXT,
    ARG_DATE,
    ARG_NUMBER,
    ARG_KEYWORD,
    ARG_SET
};

/* clang-format off */
static const struct row {
    const char *name;
    enum imap_key_kind kind;
    enum arg arg;
    bool is_not;
    uint32_t flag;
    const char *field;
} rows[] = {
    {"ALL",        IMAP_KEY_ALL,         ARG_NONE,       false, 0, NULL},
    {"ANSWERED",   IMAP_KEY_FLAG,        ARG_NONE,       false, IMAP_FLAG_ANSWERED, NULL},
    {"BCC",        IMAP_KEY_HEADER,      ARG_TEXT,       false, 0, "Bcc"},
    {"BEFORE",     IMAP_KEY_BEFORE,      ARG_DATE,       false, 0, NULL},
    {"BODY",       IMAP_KEY_BODY,        ARG_TEXT,       false, 0, NULL},
    {"CC",         IMAP_KEY_HEADER,      ARG_TEXT,       false, 0, "Cc"},
    {"DELETED",    IMAP_KEY_FLAG,        ARG_NONE,       false, IMAP_FLAG_DELETED, NULL},
    {"DRAFT",      IMAP_KEY_FLAG,        ARG_NONE,       false, IMAP_FLAG_DRAFT, NULL},
    {"FLAGGED",    IMAP_KEY_FLAG,        ARG_NONE,       false, IMAP_FLAG_FLAGGED, NULL},
    {"FROM",       IMAP_KEY_HEADER,      ARG_TEXT,       false, 0, "From"},
    {"HEADER",     IMAP_KEY_HEADER,      ARG_FIELD_TEXT, false, 0, NULL},
    {"KEYWORD",    IMAP_KEY_KEYWORD,     ARG_KEYWORD,    false, 0, NULL},
    {"LARGER",     IMAP_KEY_LARGER,      ARG_NUMBER,     false, 0, NULL},
    {"OLD",        IMAP_KEY_FLAG,        ARG_NONE,       true,  IMAP_FLAG_RECENT, NULL},
    {"OLDER",      IMAP_KEY_OLDER,       ARG_NUMBER,     false, 0, NULL},
    {"ON",         IMAP_KEY_ON,          ARG_DATE,       false, 0, NULL},
    {"RECENT",     IMAP_KEY_FLAG,        ARG_NONE,       false, IMAP_FLAG_RECENT, NULL},
    {"SEEN",       IMAP_KEY_FLAG,        ARG_NONE,       false, IMAP_FLAG_SEEN, NULL},
    {"SENTBEFORE", IMAP_KEY_SENT_BEFORE, ARG_DATE,       false, 0, NULL},
    {"SENTON",     IMAP_KEY_SENT_ON,     ARG_DATE,       false, 0, NULL},
    {"SENTSINCE",  IMAP_KEY_SENT_SINCE,  ARG_DATE,       false, 0, NULL},
    {"SINCE",      IMAP_KEY_SINCE,       ARG_DATE,       false, 0, NULL},
    {"SMALLER",    IMAP_KEY_SMALLER,     ARG_NUMBER,     false, 0, NULL},
    {"SUBJECT",    IMAP_KEY_HEADER,      ARG_TEXT,       false, 0, "Subject"},
    {"TEXT",       IMAP_KEY_TEXT,        ARG_TEXT,       false, 0, NULL},
    {"TO",         IMAP_KEY_HEADER,      ARG_TEXT,       false, 0, "To"},
    {"UID",        IMAP_KEY_UID,         ARG_SET,        false, 0, NULL},
    {"UNANSWERED", IMAP_KEY_FLAG,        ARG_NONE,       true,  IMAP_FLAG_ANSWERED, NULL},
    {"UNDELETED",  IMAP_KEY_FLAG,        ARG_NONE,       true,  IMAP_FLAG_DELETED, NULL},
    {"UNDRAFT",    IMAP_KEY_FLAG,        ARG_NONE,       true,  IMAP_FLAG_DRAFT, NULL},
    {"UNFLAGGED",  IMAP_KEY_FLAG,        ARG_NONE,       true,  IMAP_FLAG_FLAGGED, NULL},
    {"UNKEYWORD",  IMAP_KEY_KEYWORD,     ARG_KEYWORD,    true,  0, NULL},
    {"UNSEEN",     IMAP_KEY_FLAG,        ARG_NONE,       true,  IMAP_FLAG_SEEN, NULL},
    {"YOUNGER",    IMAP_KEY_YOUNGER,     ARG_NUMBER,     false, 0, NULL},
};
/* clang-format on */

struct search {
    struct lex *x;
    struct span charset;
    int depth, keys;
};

static struct imap_key *take_key(struct search *s);

static struct imap_key *new_key(struct search *s, enum imap_key_kind kind)
{
    struct imap_key *k = NULL;

    if (++s->keys <= KEYS_MAX)
        k = arena_alloc(s->x->arena, sizeof(*k));
    if (k == NULL)
        (void)lex_fail(s->x, "the search has too many keys");
    else
        k->kind = kind;
    return k;
}

static struct imap_key *negate(struct search *s, struct imap_key *k)
{
    struct imap_key *not = k == NULL ? NULL : new_key(s, IMAP_KEY_NOT);

    if (not != NULL)
        not ->child = k;
    return not ;
}

/* A string as folded UTF-8 in the arena. */
static struct span take_text(struct search *s)
{
    struct span raw = lex_astring(s->x), text = {NULL, 0};
    struct buf utf8, folded;

    if (s->x->fault != NULL)
        return text;
    buf_init(&utf8, raw.n * 4 + 4);
    buf_init(&folded, raw.n * 8 + 8);
    (void)charset_to_utf8(s->charset, raw, &utf8);
    utf8_fold(buf_all(&utf8), &folded);
    text = arena_copy(s->x->arena, folded.len > 0 ? buf_all(&folded) : SPAN_LIT(""));
    if (text.p == NULL)
        (void)lex_fail(s->x, "the command is too large");
    buf_free(&utf8);
    buf_free(&folded);
    return text;
}

static void take_args(struct search *s, const struct row *r, struct imap_key *k)
{
    if (r->arg != ARG_NONE)
        (void)lex_space(s->x);
    switch (r->arg) {
    case ARG_NONE:
        k->number = r->flag;
        break;
    case ARG_FIELD_TEXT:
        k->field = lex_astring(s->x);
        (void)lex_space(s->x);
        k->text = take_text(s);
        break;
    case ARG_TEXT:
        k->field = span_str(r->field);
        k->text = take_text(s);
        break;
    case ARG_DATE:
        k->day = lex_date(s->x);
        break;
    case ARG_NUMBER:
        k->number = lex_number(s->x, UINT32_MAX);
        break;
    case ARG_KEYWORD:
        k->text = lex_atom(s->x, "]");
        break;
    case ARG_SET:
        k->set = lex_set(s->x);
        break;
    }
}

/* OR, NOT, NEW and the plain keys of the table. */
static struct imap_key *take_named(struct search *s)
{
    struct span name = lex_atom(s->x, "");
    struct imap_key *k, *second;

    if (span_eq_str_nocase(name, "NOT")) {
        (void)lex_space(s->x);
        return negate(s, take_key(s));
    }
    if (span_eq_str_nocase(name, "OR")) {
        k = new_key(s, IMAP_KEY_OR);
        (void)lex_space(s->x);
        if (k == NULL || (k->child = take_key(s)) == NULL)
            return NULL;
        (void)lex_space(s->x);
        k->child->next = take_key(s);
        return k;
    }
    if (span_eq_str_nocase(name, "NEW")) { /* RECENT UNSEEN */
        k = new_key(s, IMAP_KEY_AND);
        if (k == NULL || (k->child = new_key(s, IMAP_KEY_FLAG)) == NULL ||
            (second = new_key(s, IMAP_KEY_FLAG)) == NULL)
            return NULL;
        k->child->number = IMAP_FLAG_RECENT;
        second->number = IMAP_FLAG_SEEN;
        k->child->next = negate(s, second);
        return k;
    }
    for (size_t i = 0; i < COUNT_OF(rows) && s->x->fault == NULL; i++) {
        if (!span_eq_str_nocase(name, rows[i].name))
            continue;
        if ((k = new_key(s, rows[i].kind)) == NULL)
            return NULL;
        take_args(s, &rows[i], k);
        return rows[i].is_not ? negate(s, k) : k;
    }
    (void)lex_fail(s->x, "there is no such SEARCH key");
    return NULL;
}

static struct imap_key *take_list(struct search *s)
{
    struct imap_key *k = new_key(s, IMAP_KEY_AND), **link;

    if (k == NULL)
        return NULL;
    link = &k->child;
    do {
        if ((*link = take_key(s)) == NULL)
            return NULL;
        link = &(*link)->next;
    } while (lex_take(s->x, ' '));
    return k;
}

static struct imap_key *take_key(struct search *s)
{
    struct imap_key *k = NULL;
    int c = lex_peek(s->x);

    if (++s->depth > DEPTH_MAX) {
        (void)lex_fail(s->x, "the search is nested too deep");
    } else if (lex_take(s->x, '(')) {
        k = take_list(s);
        (void)lex_want(s->x, ')', "a parenthesis does not close");
    } else if (c == '*' || (c >= '0' && c <= '9')) {
        if ((k = new_key(s, IMAP_KEY_SEQ)) != NULL)
            k->set = lex_set(s->x);
    } else {
        k = take_named(s);
    }
    s->depth--;
    return s->x->fault == NULL ? k : NULL;
}

/* Does this word stand here, followed by a blank? Then take both. */
static bool take_word(struct lex *x, const char *word)
{
    struct span w = span_str(word);
    struct span rest = span_drop(x->in, x->at);

    if (!span_starts_nocase(rest, w) || rest.n <= w.n || rest.p[w.n] != ' ')
        return false;
    x->at += w.n + 1;
    return true;
}

static void take_return(struct lex *x, struct imap_cmd *cmd)
{
    static const struct {
        const char *name;
        unsigned bit;
    } words[] = {{"MIN", IMAP_RETURN_MIN},
                 {"MAX", IMAP_RETURN_MAX},
                 {"ALL", IMAP_RETURN_ALL},
                 {"COUNT", IMAP_RETURN_COUNT}};
    unsigned bits = 0;

    (void)lex_want(x, '(', "RETURN wants a list");
    while (x->fault == NULL && !lex_take(x, ')')) {
        struct span w = lex_atom(x, "");
        unsigned bit = 0;

        for (size_t i = 0; i < COUNT_OF(words); i++)
            bit |= span_eq_str_nocase(w, words[i].name) ? words[i].bit : 0;
        if (bit == 0)
            (void)lex_fail(x, "there is no such SEARCH return option");
        bits |= bit;
        if (lex_peek(x) != ')')
            (void)lex_space(x);
    }
    cmd->search_return = IMAP_RETURN_EXTENDED | (bits == 0 ? IMAP_RETURN_ALL : bits);
    (void)lex_space(x);
}

bool imap_parse_search(struct lex *x, struct imap_cmd *cmd)
{
    struct search s = {.x = x};

    (void)lex_space(x);
    if (take_word(x, "RETURN"))
        take_return(x, cmd);
    if (take_word(x, "CHARSET")) {
        s.charset = lex_astring(x);
        cmd->is_charset_bad = x->fault == NULL && !charset_is_known(s.charset);
        (void)lex_space(x);
    }
    cmd->key = take_list(&s);
    return x->fault == NULL;
}
