/* SPDX-License-Identifier: ISC */
/* base/dns/rdata_int.h - what the rdata files share: tokens of presentation text, and the
 * SvcParams of SVCB and HTTPS, which are a small language of their own. Pure. */
#ifndef BASE_DNS_RDATA_INT_H
#define BASE_DNS_RDATA_INT_H

#include <stdbool.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/span.h"
#include "base/core/wire.h"

/* One blank-separated word, or what stands between quotes. Parentheses outside quotes count
 * as blanks (RFC 1035 5.1). */
struct rdata_token {
    struct span raw; /* escapes still in, quotes off */
    bool is_quoted;
};

enum rdata_token_result { RDATA_TOKEN, RDATA_TOKEN_NONE, RDATA_TOKEN_UNCLOSED };

/* Take the next token off the front of *text. */
enum rdata_token_result rdata_token_next(struct span *text, struct rdata_token *t);
/* Resolve \X and \DDD; appends octets. -1 on a bad escape or at the ceiling. */
MUST_USE int rdata_unescape(struct span raw, struct buf *out);
/* Octets as they stand between quotes: printable ones plain, quote and backslash escaped,
 * others \DDD. */
MUST_USE int rdata_escape(struct span octets, struct buf *text);

/* YYYYMMDDHHMMSS in UTC or seconds since 1970 (RFC 4034 3.2). */
MUST_USE bool rdata_parse_time(struct span text, uint32_t *seconds);

/* SvcParams from the rest of the text, sorted by key as the wire wants it. */
MUST_USE int rdata_svc_parse(struct span text, struct buf *wire, struct err *err);
MUST_USE int rdata_svc_print(struct span wire, struct buf *text);
/* Keys strictly ascend, lengths fit, values of known keys have their shape. */
bool rdata_svc_is_valid(struct span wire);

/* LOC: from the front of *text; false when it is not one. */
#define RDATA_LOC_OCTETS 16
MUST_USE bool rdata_loc_parse(struct span *text, struct buf *wire);
MUST_USE int rdata_loc_print(struct span wire, struct buf *text);
bool rdata_loc_is_valid(struct span wire);

/* Octets of the field at wire.p[at]; -1 when it does not fit its kind. */
ptrdiff_t rdata_field_len(uint8_t field, struct span wire, size_t at);

#endif
