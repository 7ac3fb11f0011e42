/* SPDX-License-Identifier: ISC */
/* base/conf/value.h - is this word a value of that key, and which?
 *
 * Why:       one checker per type, each with a message that says what would be right.
 * Pure:      no I/O, no clock, no globals. */
#ifndef BASE_CONF_VALUE_H
#define BASE_CONF_VALUE_H

#include "base/conf/conf.h"
#include "base/core/buf.h"

/* Check `words[0..n)` against `k`. Canonical text goes to `text`, the number of a CONF_INT
 * or CONF_BOOL to *number. Returns 0, or -1 with *err ("<key>: ..."). `text` has room
 * for all words and 100 octets more. */
MUST_USE int value_check(const struct conf_key *k, const char *const *words, size_t n,
                         struct buf *text, int64_t *number, struct err *err);
/* "smtp 127.0.0.1:25" cut apart; used again by conf_listen(). */
bool value_listen(const char *text, enum conf_service *service, struct ipaddr *addr,
                  uint16_t *port);

#endif
