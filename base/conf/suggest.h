/* SPDX-License-Identifier: ISC */
/* base/conf/suggest.h - which of these words did they mean?
 *
 * Why:       a typing error in a key or command costs a second when the right word stands
 *            in the message.
 * Pure:      no I/O, no clock, no globals. */
#ifndef BASE_CONF_SUGGEST_H
#define BASE_CONF_SUGGEST_H

#include <stddef.h>

/* Changes of one letter (insert, remove, replace, swap two neighbours) between two words,
 * without regard to letter case; `-` equals `_`. Words longer than 63 are far from all. */
size_t suggest_distance(const char *a, const char *b);

/* The best of candidates so far; start with {.wanted = word}. */
struct suggest {
    const char *wanted;
    const char *best; /* NULL: none near enough */
    size_t distance;  /* of best */
};
void suggest_offer(struct suggest *s, const char *candidate);

#endif
