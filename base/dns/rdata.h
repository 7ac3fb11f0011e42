/* SPDX-License-Identifier: ISC */
/* base/dns/rdata.h - record data: text to wire, wire to text, names inside.
 *
 * Why:       records are kept in wire form; people write and read master-file text.
 * Ownership: results are appended to the caller's buffer; spans are borrowed.
 * Threads:   no state. Pure.
 *
 * Everything is driven by the field list of base/dns/rrtype.c. */
#ifndef BASE_DNS_RDATA_H
#define BASE_DNS_RDATA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/span.h"
#include "base/dns/dname.h"
#include "base/dns/rrtype.h"

#define RDATA_MAX 65535

/* Text of one record's rdata ("10 mail.example.com.") to wire form, appended to `wire`.
 * Names without a final dot continue with `origin` (NULL: every name is absolute).
 * `\# 3 0a0b0c` works for every type (RFC 3597 5). 0, or -1 with *err saying which field
 * is wrong and what was expected; `wire` is then unchanged. */
MUST_USE int rdata_parse(uint16_t type, struct span text, const struct dname *origin,
                         struct buf *wire, struct err *err);
/* Presentation form appended to `text`: absolute names, TXT quoted and escaped. Data that
 * does not have its type's shape, or of an unknown type, comes in \# form.
 * 0, or -1 at the ceiling of `text`. */
MUST_USE int rdata_print(uint16_t type, struct span wire, struct buf *text);
/* "3600", "1h30m": seconds, also for TTLs of master files. */
MUST_USE bool rdata_parse_ttl(struct span text, uint32_t *seconds);
/* True when the octets have the shape of their type; unknown types are always valid. */
bool rdata_is_valid(uint16_t type, struct span wire);

/* Names inside, in order: start with *at = 0; false when there is no further one. `wire`
 * must be valid. */
bool rdata_next_name(uint16_t type, struct span wire, size_t *at, struct span *name);
/* Copy rdata out of a message with its names decompressed. `at` and `n` bound the rdata
 * in `packet`. 0, or -1 when it is malformed or at the ceiling. */
MUST_USE int rdata_unpack(uint16_t type, struct span packet, size_t at, size_t n,
                          struct buf *wire);
/* rdata equal in the sense of RRsets: names ignore letter case (RFC 4034 6.2). */
bool rdata_eq(uint16_t type, struct span a, struct span b);

/* Ready-made rdata, appended to `wire`; -1 at the ceiling. */
MUST_USE int rdata_put_txt(struct buf *wire, struct span text); /* split at 255 octets */
MUST_USE int rdata_put_mx(struct buf *wire, uint16_t preference, struct span host);
MUST_USE int rdata_put_srv(struct buf *wire, uint16_t priority, uint16_t weight,
                           uint16_t port, struct span target);
struct rdata_soa {
    struct span mname, rname; /* wire names */
    uint32_t serial, refresh_s, retry_s, expire_s, minimum_s;
};
MUST_USE int rdata_put_soa(struct buf *wire, const struct rdata_soa *soa);
/* Borrow the fields of valid SOA rdata; false when it is not. */
MUST_USE bool rdata_get_soa(struct span wire, struct rdata_soa *soa);

#endif
