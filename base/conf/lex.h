/* SPDX-License-Identifier: ISC */
/* base/conf/lex.h - one line of signpost.conf cut into words.
 *
 * Why:       the line grammar apart from what the words mean, so that each is tested alone.
 * Ownership: words are copies, made in the caller's arena.
 * Pure:      no I/O, no clock, no globals.
 *
 * Words are separated by blanks. A word in double quotes may hold blanks and '#'; inside,
 * \" and \\ stand for themselves. Outside quotes '#' at the start of a word begins a
 * comment. Everything is UTF-8 without control characters; a CR at the end is dropped. */
#ifndef BASE_CONF_LEX_H
#define BASE_CONF_LEX_H

#include <stddef.h>

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/span.h"

#define LEX_WORDS_MAX 8

enum lex_result {
    LEX_OK,       /* also for an empty line: n is 0 */
    LEX_OPEN,     /* a quote that does not end in this line */
    LEX_GLUED,    /* "a"b or a"b": a quote must stand for a whole word */
    LEX_ESCAPE,   /* a backslash before something else than " and \ inside quotes */
    LEX_NOT_TEXT, /* control characters or no UTF-8 */
    LEX_TOO_MANY  /* more than LEX_WORDS_MAX words, or a line longer than the arena */
};

struct lex_line {
    const char *words[LEX_WORDS_MAX]; /* NUL-terminated */
    size_t n;
};

MUST_USE enum lex_result lex_line(struct span line, struct arena *a,
                                  struct lex_line *out);
/* What is wrong, to stand behind "file:line: ". Not for LEX_OK. */
const char *lex_result_text(enum lex_result r);

#endif
