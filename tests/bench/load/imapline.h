/* SPDX-License-Identifier: ISC */
/* tests/bench/load/imapline.h - what a load program must see in a line of an IMAP server.
 *
 * Pure: no I/O, no clock, no globals. */
#ifndef TESTS_BENCH_LOAD_IMAPLINE_H
#define TESTS_BENCH_LOAD_IMAPLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/core/span.h"

/* The octets of "... {123}" at the end of a line; 0 when there is none. */
size_t imapline_literal(struct span line);
/* The number of "* 12 FETCH" with the word " FETCH", 0 for other responses. */
unsigned imapline_number(struct span line, const char *word);
bool imapline_has(struct span line, const char *text);

#endif
