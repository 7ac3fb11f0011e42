/* SPDX-License-Identifier: ISC */
/* dnsd/edns.h - the OPT pseudo-record: read the asker's, write ours (RFC 6891).
 *
 * Pure: octets in, octets out. */
#ifndef DNSD_EDNS_H
#define DNSD_EDNS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/span.h"

#define EDNS_PAYLOAD   1232 /* what we send and announce (DNS flag day 2020) */
#define EDNS_OPT       11   /* octets of an OPT without options */
#define EDNS_EDE       6    /* octets of an extended error without text (RFC 8914) */
#define EDNS_PLAIN_MAX 512  /* UDP without EDNS (RFC 1035 4.2.1) */

enum edns_error { EDE_NONE = -1, EDE_NOT_READY = 14, EDE_NOT_AUTHORITATIVE = 20 };

struct edns {
    bool is_present;
    bool is_dnssec_ok;
    bool has_tsig;
    uint8_t version;
    uint16_t payload; /* of the asker, at least 512 */
};

/* Read the additional section of a query: `count` records from *at to the end of the
 * packet. False when malformed: two OPTs, an OPT not owned by the root, options that do
 * not fit, octets left over. Options are skipped: none is known yet (RFC 6891 6.1.2). */
MUST_USE bool edns_read(struct span packet, size_t at, unsigned count, struct edns *e);
/* Octets that edns_write() will use; 0 when the asker sent no OPT. */
size_t edns_room(const struct edns *e, int extended_error);
/* Write our OPT; `rcode_high` are the upper 8 bits of the rcode. Returns octets written. */
size_t edns_write(const struct edns *e, unsigned rcode_high, int extended_error,
                  uint8_t *at);

#endif
