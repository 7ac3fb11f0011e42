/* SPDX-License-Identifier: ISC */
/* tests/fuzz/imap_note.h - a parsed IMAP command as text, and what a value may look like.
 *
 * Why: two ways of feeding the same octets must give the same command in every field; and
 * what is made of a stranger's message must not end a response early. */
#ifndef TESTS_FUZZ_IMAP_NOTE_H
#define TESTS_FUZZ_IMAP_NOTE_H

#include "base/core/buf.h"
#include "maild/imap/cmd.h"
#include "maild/imap/parse.h"

/* Append all fields of `cmd`; ends the process when one breaks its law. */
void imap_note_cmd(struct buf *log, const struct imap_cmd *cmd,
                   const struct imap_verb *verb);
/* Ends the process unless `text` is one run of atoms, quoted strings, literals and closed
 * parentheses, without a line end that no literal announces. */
void imap_check_value(struct span text);

#endif
