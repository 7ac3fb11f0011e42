/* SPDX-License-Identifier: ISC */
/* maild/smtp/data.h - the octets between 354 and the lone dot (RFC 5321 4.1.1.4, 4.5.2).
 *
 * Why:       where a message ends must be decided by one rule only: CR LF . CR LF. Bare CR
 *            or LF never ends anything; a message that has one is refused as a whole, since
 *            the next server might read it differently.
 * Ownership: the caller owns the struct and the output buffer.
 * Threads:   values.
 * Pure:      no I/O, no clock, no globals.
 *
 * Length of text lines: RFC 5321 4.5.3.1.6 obliges us to take 1000 octets. Longer ones are
 * taken as far as the message may be large: breaking them would break signatures, refusing
 * them loses real mail, and nothing here holds a line in memory. */
#ifndef MAILD_SMTP_DATA_H
#define MAILD_SMTP_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/buf.h"
#include "base/core/span.h"

enum smtp_data_fault {
    SMTP_DATA_GOOD,
    SMTP_DATA_BARE_CR,
    SMTP_DATA_BARE_LF,
    SMTP_DATA_TOO_BIG
};

enum smtp_data_result {
    SMTP_DATA_MORE, /* all of the input was taken, the message goes on */
    SMTP_DATA_END,  /* the lone dot was taken */
    SMTP_DATA_ABORT /* refused long ago and still no end in sight: close */
};

struct smtp_data {
    enum { DATA_LINE_START, DATA_TEXT, DATA_CR, DATA_DOT, DATA_DOT_CR } state;
    uint64_t size;              /* octets of the message so far, dots unstuffed */
    uint64_t size_max;          /* 0: no limit */
    uint64_t skipped;           /* octets taken since the fault */
    bool is_8bit;               /* an octet over 127 came */
    enum smtp_data_fault fault; /* the first one; nothing is output after it */
};

void smtp_data_begin(struct smtp_data *d, uint64_t size_max);
/* Take octets from the front of `in`, *used of them; append what belongs to the message to
 * `out`, which must have room for in.n + 2. */
enum smtp_data_result smtp_data_feed(struct smtp_data *d, struct span in, size_t *used,
                                     struct buf *out);

#endif
