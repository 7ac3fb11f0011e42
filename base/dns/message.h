/* SPDX-License-Identifier: ISC */
/* base/dns/message.h - DNS messages for those who ask: queries out, answers in.
 *
 * Why:       checker, tools and tests talk to name servers of strangers; the reader accepts
 *            compression but never follows it backwards in circles or past the end.
 *            dnsd itself answers with its own code (dnsd/query).
 * Ownership: the reader borrows the packet.
 * Threads:   no state. Pure. */
#ifndef BASE_DNS_MESSAGE_H
#define BASE_DNS_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/span.h"
#include "base/dns/dname.h"
#include "base/dns/rrtype.h"

#define MESSAGE_HEADER 12

enum message_flag {
    MESSAGE_QR = 0x8000,
    MESSAGE_AA = 0x0400,
    MESSAGE_TC = 0x0200,
    MESSAGE_RD = 0x0100,
    MESSAGE_RA = 0x0080,
    MESSAGE_AD = 0x0020,
    MESSAGE_CD = 0x0010,
};

enum message_section {
    MESSAGE_QUESTION,
    MESSAGE_ANSWER,
    MESSAGE_AUTHORITY,
    MESSAGE_ADDITIONAL
};

enum message_result { MESSAGE_OK, MESSAGE_END, MESSAGE_BAD };

struct message {
    struct span packet;
    size_t at;          /* octets read */
    uint16_t id, flags; /* flags: the whole 16-bit word */
    uint16_t counts[4]; /* as the header says */
    unsigned section;   /* of the next record */
    unsigned done;      /* records read in that section */
};

struct message_rr {
    enum message_section section;
    struct dname owner;
    uint16_t type, class;
    uint32_t ttl_s;    /* 0 in the question section */
    size_t rdata_at;   /* where rdata begins in the packet */
    struct span rdata; /* as in the packet, maybe compressed: see rdata_unpack() */
};

/* Read the header. False when shorter than one. */
MUST_USE bool message_open(struct message *m, struct span packet);
unsigned message_rcode(const struct message *m); /* header bits only */
/* Next question or record, in order through all sections. MESSAGE_END also demands that
 * nothing is left over. MESSAGE_BAD is final. */
MUST_USE enum message_result message_next(struct message *m, struct message_rr *rr);
/* A possibly compressed name at *at; advances *at behind it. Pointers must go backwards. */
MUST_USE bool message_name(struct span packet, size_t *at, struct dname *out);

struct message_query {
    uint16_t id;
    uint16_t type, class;
    uint16_t flags;        /* MESSAGE_RD and the like */
    uint16_t edns_payload; /* 0: no OPT */
    bool is_dnssec_ok;
};
/* Append a query. 0, or -1 at the ceiling. */
MUST_USE int message_put_query(struct buf *out, struct span name,
                               const struct message_query *q);
/* Append one record, names uncompressed; the caller keeps the counts in the header. */
MUST_USE int message_put_rr(struct buf *out, struct span owner, uint16_t type,
                            uint16_t class, uint32_t ttl_s, struct span rdata);

#endif
