/* SPDX-License-Identifier: ISC */
/* maild/mailbox/digest.h - what the index keeps of a message so that a folder is listed
 * without opening its files: ENVELOPE, BODY and BODYSTRUCTURE as FETCH answers them, and
 * the header fields that mail programs ask for when they show a list.
 *
 * Ownership: the caller frees. Threads: any. Pure: no I/O. */
#ifndef MAILD_MAILBOX_DIGEST_H
#define MAILD_MAILBOX_DIGEST_H

#include <stdbool.h>

#include "base/core/buf.h"
#include "base/core/span.h"

struct digest {
    struct buf envelope, body, structure;
    struct buf fields; /* the kept ones as they stand, in their order */
    bool has_fields;   /* else they are too long to keep */
};

/* Is a field of this name among the kept ones? To answer BODY[HEADER.FIELDS (...)] from the
 * index all its names must be. What the list loses or gains here is told by a new column
 * of the index only. */
bool digest_keeps(struct span name);
/* Of the message as stored. A header or structure too large to keep is replaced by an
 * empty envelope or one opaque part: the octets themselves can still be fetched. */
void digest_make(struct digest *d, struct span message);
void digest_free(struct digest *d);

#endif
