/* SPDX-License-Identifier: ISC */
/* tests/fuzz/imap_note.h - a parsed IMAP command as text, with the laws of its values.
 *
 * Why: two ways of feeding the same octets must give the same command in every field. */
#ifndef TESTS_FUZZ_IMAP_NOTE_H
#define TESTS_FUZZ_IMAP_NOTE_H

#include "base/core/buf.h"
#include "maild/imap/cmd.h"
#include "maild/imap/parse.h"

/* Append all fields of `cmd`; ends the process when one breaks its law. */
void imap_note_cmd(struct buf *log, const struct imap_cmd *cmd,
                   const struct imap_verb *verb);

#endif
