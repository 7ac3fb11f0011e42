/* SPDX-License-Identifier: ISC */
/* maild/imap/section.h - which octets BODY[...] means (RFC 3501 6.4.5).
 *
 * Why:       most sections are one run of the stored message, so the driver can send them
 *            from the file however large they are; only chosen header fields are copied.
 * Ownership: borrows.
 * Pure:      no I/O, no clock, no globals.
 *
 * A message as read is `prefix` (fields of this recipient) followed by the stored octets.
 * Offsets in the result count from the start of the prefix; the tree's from behind it. */
#ifndef MAILD_IMAP_SECTION_H
#define MAILD_IMAP_SECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/buf.h"
#include "base/core/span.h"
#include "base/msg/mime.h"
#include "maild/imap/cmd.h"
#include "maild/imap/respond.h"

enum imap_section_result {
    IMAP_SECTION_NONE,  /* no such part: NIL */
    IMAP_SECTION_RANGE, /* octets [from, from + n) of the message as read */
    IMAP_SECTION_COPY,  /* what was appended to `out` */
};

/* Does it need the part tree, or only the length of the header? */
bool imap_section_needs_tree(const struct imap_section *s);
/* Resolve, without regard to the partial. `tree` needs its first part only (header, body,
 * end) when imap_section_needs_tree() is false, and `message` its header. */
enum imap_section_result imap_section_find(const struct imap_section *s,
                                           struct span prefix, struct span message,
                                           const struct mime_tree *tree, struct buf *out,
                                           uint64_t *from, uint64_t *n);
/* Cut [0, n) to the partial asked for; *skip octets go, *n stay. */
void imap_section_cut(const struct imap_section *s, uint64_t *skip, uint64_t *n);
/* "BODY[1.HEADER.FIELDS (To)]<0>" or its RFC822 name. */
void imap_put_section_name(struct imap_out *o, const struct imap_item *it);

#endif
