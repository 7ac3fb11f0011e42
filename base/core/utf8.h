/* SPDX-License-Identifier: ISC */
/* base/core/utf8.h - is this text, and which character comes next (RFC 3629).
 *
 * Why:       log lines, addresses and messages between roles carry text from strangers; what
 *            is not well-formed UTF-8 must not travel as text.
 * Pure:      no I/O, no clock, no globals, no locale. */
#ifndef BASE_CORE_UTF8_H
#define BASE_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/span.h"

/* Length in octets of the character at the front of `s`, 1 to 4, with its code point in
 * *point; 0 when there is none: empty, malformed, overlong, a surrogate, over 10FFFF. */
size_t utf8_next(struct span s, uint32_t *point);
/* A character that a terminal obeys instead of showing: C0, DEL, C1, line and paragraph
 * separators, and those that turn the direction of writing. */
bool utf8_is_control(uint32_t point);
/* Well-formed from end to end, and none of its characters below U+0020, U+007F or C1. */
bool utf8_is_text(struct span s);
/* Octets at the front of `s` that are printable ASCII other than '"' and '\\': what needs no
 * escape in a quoted string and is most of any text. */
size_t utf8_plain_run(struct span s);

#endif
