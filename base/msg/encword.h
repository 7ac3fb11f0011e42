/* SPDX-License-Identifier: ISC */
/* base/msg/encword.h - text of mail as UTF-8: charsets, transfer encodings, RFC 2047 words.
 *
 * Why:       SEARCH, rules and traces compare what people see, not how it travelled.
 * Ownership: output goes to the caller's buffer, whose ceiling bounds it.
 * Pure:      no I/O of ours, no clock, no globals; iconv(3) may load its tables.
 *
 * Lenient: broken input gives broken text, never an error; what has no meaning becomes
 * U+FFFD or is dropped. When a buffer is full the text ends there. */
#ifndef BASE_MSG_ENCWORD_H
#define BASE_MSG_ENCWORD_H

#include <stdbool.h>

#include "base/core/buf.h"
#include "base/core/span.h"

/* Append `in` as UTF-8. Empty and unknown charsets are taken as UTF-8 where that is valid,
 * else as ISO-8859-1; the result is false for an unknown one. */
bool charset_to_utf8(struct span charset, struct span in, struct buf *out);
/* True when iconv(3) or we know the name. */
bool charset_is_known(struct span charset);
/* Have iconv(3) load what the charsets of mail need, for the life of the process: it reads a
 * file for each, which a confined process cannot. */
void charset_keep(void);
/* Well-formed UTF-8 (RFC 3629: shortest forms, no surrogates). */
bool utf8_is_valid(struct span s);

/* Append the value of an unstructured field (or a phrase), folds removed and encoded words
 * decoded (RFC 2047; white space between two encoded words vanishes). */
void encword_decode(struct span in, struct buf *out);

/* Append what `encoding` ("base64", "quoted-printable", anything else as it is) stands for. */
void transfer_decode(struct span encoding, struct span in, struct buf *out);

/* Append the UTF-8 text `in` with letters folded for comparison without case: ASCII,
 * Latin-1, Latin Extended-A, Greek and Cyrillic; others as they are. */
void utf8_fold(struct span in, struct buf *out);

#endif
