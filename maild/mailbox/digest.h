/* SPDX-License-Identifier: ISC */
/* maild/mailbox/digest.h - what the index keeps of a message so that a folder is listed
 * without opening its files: ENVELOPE, BODY and BODYSTRUCTURE as FETCH answers them.
 *
 * Ownership: the caller frees. Threads: any. Pure: no I/O. */
#ifndef MAILD_MAILBOX_DIGEST_H
#define MAILD_MAILBOX_DIGEST_H

#include "base/core/buf.h"
#include "base/core/span.h"

struct digest {
    struct buf envelope, body, structure;
};

/* Of the message as stored. A header or structure too large to keep is replaced by an
 * empty envelope or one opaque part: the octets themselves can still be fetched. */
void digest_make(struct digest *d, struct span message);
void digest_free(struct digest *d);

#endif
