/* SPDX-License-Identifier: ISC */
/* maild/imap/envelope.h - ENVELOPE and BODY/BODYSTRUCTURE of a message (RFC 3501 7.4.2).
 *
 * Why:       both are made once, when a message comes in, and kept in the index: a folder
 *            is listed without opening a file.
 * Ownership: texts go to the caller's buffer; the arena is for scratch.
 * Pure:      no I/O, no clock, no globals. */
#ifndef MAILD_IMAP_ENVELOPE_H
#define MAILD_IMAP_ENVELOPE_H

#include <stdbool.h>

#include "base/core/arena.h"
#include "base/core/span.h"
#include "base/msg/mime.h"
#include "maild/imap/respond.h"

/* The parenthesised envelope of the header at the front of `message`. */
void imap_put_envelope(struct imap_out *o, struct span message, struct arena *a);
/* The parenthesised structure of part `part` (0: the whole message); with extension data
 * it is BODYSTRUCTURE, without BODY. */
void imap_put_structure(struct imap_out *o, struct span message,
                        const struct mime_tree *tree, int part, bool is_extended,
                        struct arena *a);

#endif
