/* SPDX-License-Identifier: ISC */
/* dnsd/answer.h - from a zone and a question to the octets behind the question.
 *
 * Pure: no allocation, no lock, no clock. */
#ifndef DNSD_ANSWER_H
#define DNSD_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "dnsd/zonetab.h"
#include "zones/image.h"

/* What was written, and what the header has to say about it. */
struct answer {
    size_t len; /* octets behind the question */
    uint16_t counts[3];
    uint8_t rcode;
    bool is_authoritative;
    bool is_truncated;
};

/* Write the answer of `im` to (q, type) at `out`, at most `room` octets. The message begins
 * 12 octets + QNAME + 4 octets before `out`. */
void answer_write(const struct image *im, const struct qname *q, uint16_t type,
                  uint8_t *out, size_t room, struct answer *a);

#endif
