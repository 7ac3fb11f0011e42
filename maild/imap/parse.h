/* SPDX-License-Identifier: ISC */
/* maild/imap/parse.h - text of one command -> struct imap_cmd (RFC 3501 section 9).
 *
 * Why:       the grammar is one table row per command and one function per production.
 * Ownership: borrows the text; lists and unquoted strings are made in the arena.
 * Pure:      no I/O, no clock, no globals. */
#ifndef MAILD_IMAP_PARSE_H
#define MAILD_IMAP_PARSE_H

#include <stdbool.h>

#include "base/core/arena.h"
#include "maild/imap/cmd.h"
#include "maild/imap/lex.h"

/* When a command is allowed (RFC 3501 section 3), as bits. */
enum imap_state {
    IMAP_STATE_GREETED = 1, /* not authenticated */
    IMAP_STATE_AUTH = 2,
    IMAP_STATE_SELECTED = 4,
};

/* What a reader wants to know about a command. */
struct imap_verb {
    const char *name;
    enum imap_op op;
    unsigned states;
    bool has_uid_form;
    /* EXPUNGE responses may go out behind it: not during FETCH, STORE, SEARCH, whose
     * numbers they would change (RFC 3501 7.4.1). Their UID forms may have them. */
    bool may_expunge;
    bool (*parse)(struct lex *x, struct imap_cmd *cmd);
};
/* Row of `name` in any letter case, or NULL. */
const struct imap_verb *imap_verb_find(struct span name);

/* Parse a whole command. On failure *fault says why and cmd->tag is set if there was one;
 * *verb is NULL when the command is unknown. */
bool imap_parse(struct span text, struct arena *a, struct imap_cmd *cmd,
                const struct imap_verb **verb, const char **fault);
/* The tag in front of a command that is not taken apart further; p == NULL for none. */
struct span imap_parse_tag(struct span text);
/* Parse one segment of APPEND up to and with its announced literal: the first from the tag
 * on, the others from the octets behind the literal before. False when this is not a whole
 * segment that ends in a message literal. */
bool imap_append_parse(struct span seg, bool is_first, struct arena *a,
                       struct imap_append *out);

/* parse_fetch.c and parse_search.c */
bool imap_parse_fetch(struct lex *x, struct imap_cmd *cmd);
bool imap_parse_search(struct lex *x, struct imap_cmd *cmd);

#endif
