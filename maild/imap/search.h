/* SPDX-License-Identifier: ISC */
/* maild/imap/search.h - does a message match a tree of SEARCH keys (RFC 3501 6.4.4)?
 *
 * Why:       flags, numbers, sizes and dates are answered from memory; only what is still
 *            open then is worth opening a file for. So the evaluation has three results.
 * Ownership: borrows all; the text object owns its folded copies.
 * Pure:      no I/O, no clock, no globals. */
#ifndef MAILD_IMAP_SEARCH_H
#define MAILD_IMAP_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/arena.h"
#include "base/core/buf.h"
#include "base/core/span.h"
#include "maild/imap/cmd.h"

enum imap_match { IMAP_MATCH_NO, IMAP_MATCH_YES, IMAP_MATCH_OPEN /* needs the text */ };

/* What is known without the file. */
struct imap_facts {
    uint32_t seq, uid;
    uint64_t flags; /* with IMAP_FLAG_RECENT where it holds */
    int64_t date_s; /* internal date */
    uint64_t size;
};

/* The same for all messages of one search. */
struct imap_search_env {
    uint32_t seq_max, uid_max; /* what "*" means; 0 for an empty mailbox */
    int64_t now_s;
    const char *const *keywords;
    size_t n_keywords;
};

/* The text of one message, made comparable when it is first asked for. */
struct imap_text {
    struct span prefix, message;
    struct buf header, body; /* decoded, folded */
    bool has_header, has_body;
};
void imap_text_init(struct imap_text *t, struct span prefix, struct span message);
void imap_text_free(struct imap_text *t);

/* `text` NULL: as far as the facts go. With text the result is never OPEN. */
enum imap_match imap_search_match(const struct imap_key *key, const struct imap_facts *f,
                                  const struct imap_search_env *env,
                                  struct imap_text *text);
/* Is `n` in the set, `max` being what "*" stands for? */
bool imap_set_has(const struct imap_set *set, uint32_t n, uint32_t max);
/* Where the next range above `n` begins; 0: nowhere, or at "*". */
uint32_t imap_set_after(const struct imap_set *set, uint32_t n);
/* A number of the set that is no "*" and greater than `max`? (BAD for sequence numbers.) */
bool imap_set_exceeds(const struct imap_set *set, uint32_t max);

#endif
