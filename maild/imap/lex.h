/* SPDX-License-Identifier: ISC */
/* maild/imap/lex.h - the tokens of one complete IMAP command (RFC 3501 section 9).
 *
 * Why:       grammar rules read best when they cannot run off the end and need not check
 *            each step: the first fault is kept, later calls do nothing, the rule asks once.
 * Ownership: input is borrowed; what must be unquoted goes to the arena.
 * Pure:      no I/O, no clock, no globals.
 *
 * Literals stand inline: "{5}" CRLF and five octets, as collected by maild/imap/collect. */
#ifndef MAILD_IMAP_LEX_H
#define MAILD_IMAP_LEX_H

#include <stdbool.h>

#include "base/core/arena.h"
#include "base/core/span.h"
#include "maild/imap/cmd.h"

struct lex {
    struct span in;
    size_t at;
    struct arena *arena;
    const char *fault; /* NULL while all is well; then what was wrong, for BAD */
};

void lex_init(struct lex *x, struct span in, struct arena *a);
/* Keep the first fault. Returns false, for `return lex_fail(...)`. */
bool lex_fail(struct lex *x, const char *why);
/* The next octet, or -1 at the end or after a fault. */
int lex_peek(const struct lex *x);
/* True, and one on, when the next octet is `c`. */
bool lex_take(struct lex *x, uint8_t c);
/* The same, but its absence is a fault. */
bool lex_want(struct lex *x, uint8_t c, const char *why);
bool lex_space(struct lex *x);
/* Nothing may be left. */
bool lex_end(struct lex *x);

/* atom: 1*ATOM-CHAR. `extra` are further characters to take. Fault when empty. */
struct span lex_atom(struct lex *x, const char *extra);
/* quoted or literal. */
struct span lex_string(struct lex *x);
/* astring: atom with "]" allowed, or string. */
struct span lex_astring(struct lex *x);
/* nstring: NIL gives p == NULL. */
struct span lex_nstring(struct lex *x);
/* list-mailbox: also takes "%" and "*". */
struct span lex_list_mailbox(struct lex *x);
uint64_t lex_number(struct lex *x, uint64_t max);
/* Sets *is_bad instead of failing when the name cannot exist. UTF-8 result. */
struct span lex_mailbox(struct lex *x, bool *is_bad);
struct imap_set lex_set(struct lex *x);
/* "(" [flag *(SP flag)] ")" */
struct imap_flags lex_flag_list(struct lex *x);
/* flag-list without its parentheses allowed (STORE). */
struct imap_flags lex_flags(struct lex *x);
/* date, perhaps in quotes: days since 1970-01-01. */
int64_t lex_date(struct lex *x);
/* date-time in quotes: seconds since 1970-01-01 UTC. */
int64_t lex_date_time(struct lex *x);

/* The rules a mailbox name must obey once decoded; INBOX is put in capitals in place. */
bool imap_name_check(uint8_t *name, size_t n);

#endif
