/* SPDX-License-Identifier: ISC */
/* maild/imap/list.h - LIST and LSUB: patterns, attributes, rows (RFC 3501 6.3.8, RFC 5258).
 *
 * Ownership: borrows. Pure: no I/O, no clock, no globals. */
#ifndef MAILD_IMAP_LIST_H
#define MAILD_IMAP_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/core/span.h"
#include "maild/imap/cmd.h"
#include "maild/imap/respond.h"

/* One name of the account. */
struct imap_list_name {
    struct span name; /* UTF-8 */
    const char *use;  /* "\\Sent" or "" */
    bool is_missing;  /* only a subscription */
    bool is_noselect, is_subscribed;
    bool has_children;            /* set by imap_list_prepare() */
    bool has_subscribed_children; /* the same */
};

/* Find out who has children. `v` is sorted by name octets. */
void imap_list_prepare(struct imap_list_name *v, size_t n);
/* "%" is everything but "/", "*" is everything. INBOX matches in any letter case. Both in
 * modified UTF-7. */
bool imap_list_match(struct span pattern, struct span name);
/* Write the row of v[i] if the command asks for it. For LSUB with "%" also the superior of
 * a subscribed name (RFC 3501 6.3.9). */
bool imap_put_list(struct imap_out *o, const struct imap_cmd *cmd,
                   const struct imap_list_name *v, size_t n, size_t i);

#endif
