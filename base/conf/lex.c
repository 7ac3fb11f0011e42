/* SPDX-License-Identifier: ISC */
/* base/conf/lex.c - one line of signpost.conf cut into words; see lex.h. */
#include "base/conf/lex.h"

#include <assert.h>

#include "base/core/utf8.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* True when a word may end here: at the end of the line or before a blank. */
static bool at_border(struct span s)
{
    return s.n == 0 || is_blank(s.p[0]);
}

/* The word behind an opening quote; *s moves behind the closing one. */
static enum lex_result quoted_word(struct span *s, char *word)
{
    size_t n = 0;

    for (;;) {
        uint8_t c;

        if (s->n == 0)
            return LEX_OPEN;
        c = s->p[0];
        *s = span_drop(*s, 1);
        if (c == '"')
            break;
        if (c == '\\') {
            if (s->n == 0)
                return LEX_OPEN;
            c = s->p[0];
            if (c != '"' && c != '\\')
                return LEX_ESCAPE;
            *s = span_drop(*s, 1);
        }
        word[n++] = (char)c;
    }
    return at_border(*s) ? LEX_OK : LEX_GLUED;
}

static enum lex_result bare_word(struct span *s, char *word)
{
    size_t n = 0;

    for (; !at_border(*s); *s = span_drop(*s, 1)) {
        if (s->p[0] == '"')
            return LEX_GLUED;
        word[n++] = (char)s->p[0];
    }
    return LEX_OK;
}

/* Tabs separate words; any other control character is refused. */
static bool is_text(struct span s)
{
    struct span part;
    bool has_more;

    do {
        has_more = span_cut(s, '\t', &part, &s);
        if (!utf8_is_text(part))
            return false;
    } while (has_more);
    return true;
}

enum lex_result lex_line(struct span line, struct arena *a, struct lex_line *out)
{
    enum lex_result r = LEX_OK;

    out->n = 0;
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    if (!is_text(line))
        return LEX_NOT_TEXT;
    for (;;) {
        char *word;

        while (line.n > 0 && is_blank(line.p[0]))
            line = span_drop(line, 1);
        if (line.n == 0 || line.p[0] == '#')
            return LEX_OK;
        word = out->n == LEX_WORDS_MAX ? NULL : arena_alloc(a, line.n + 1);
        if (word == NULL)
            return LEX_TOO_MANY;
        if (line.p[0] == '"') {
            line = span_drop(line, 1);
            r = quoted_word(&line, word);
        } else {
            r = bare_word(&line, word);
        }
        if (r != LEX_OK)
            return r;
        out->words[out->n++] = word;
    }
}

const char *lex_result_text(enum lex_result r)
{
    assert(r != LEX_OK);
    switch (r) {
    case LEX_OK:
        break;
    case LEX_OPEN:
        return "a double quote is opened and not closed in this line";
    case LEX_GLUED:
        return "double quotes must stand around a whole word";
    case LEX_ESCAPE:
        return "inside double quotes a backslash may stand only before \" and \\";
    case LEX_NOT_TEXT:
        return "the line holds control characters or is not UTF-8";
    case LEX_TOO_MANY:
        return "the line has too many words or is too long";
    }
    return "there is no fault";
}
