/* SPDX-License-Identifier: ISC */
/* checker/answer.h - reading the rdata of facts: addresses, host names, texts. Pure. */
#ifndef CHECKER_ANSWER_H
#define CHECKER_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/buf.h"
#include "base/core/ipaddr.h"
#include "base/dns/dname.h"
#include "checker/facts.h"

#define ANSWER_TEXT_MAX 65536

/* Address of A or AAAA rdata; false when it has another length. */
bool answer_addr(const struct fact *f, size_t i, struct ipaddr *addr);
/* The name in PTR, NS, CNAME or MX rdata, without final dot ("." for the root). */
bool answer_name(const struct fact *f, size_t i, char text[DNAME_TEXT]);
uint16_t answer_mx_preference(const struct fact *f, size_t i);
/* The strings of a TXT record joined (RFC 7208 3.3, RFC 6376 3.6.2.2); `out` is reset. */
bool answer_txt(const struct fact *f, size_t i, struct buf *out);
/* "MX 10 mail.example.com., MX 20 ..." or how the answer is missing; `out` is reset. */
const char *answer_print(const struct fact *f, struct buf *out);

#endif
