/* SPDX-License-Identifier: ISC */
/* maild/imap/mutf7.h - modified UTF-7 of mailbox names (RFC 3501 5.1.3). Pure. */
#ifndef MAILD_IMAP_MUTF7_H
#define MAILD_IMAP_MUTF7_H

#include <stdbool.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/span.h"

/* Append `in` as UTF-8. False, with `out` as it was, when it is not the one right way to
 * write a name: octets over 126 or under 32, an open or needless shift, lone surrogates. */
MUST_USE bool mutf7_decode(struct span in, struct buf *out);
/* Append UTF-8 `in` as modified UTF-7; false at the ceiling or on malformed UTF-8. */
MUST_USE bool mutf7_encode(struct span in, struct buf *out);

#endif
