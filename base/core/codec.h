/* SPDX-License-Identifier: ISC */
/* base/core/codec.h - base64, base32 and hex with a ceiling on the output.
 *
 * Pure. Decoders are strict: no white space, no foreign octet, correct padding, zero
 * trailing bits (RFC 4648 3.5), so that one value has one text, letter case of base32 and
 * hex apart. */
#ifndef BASE_CORE_CODEC_H
#define BASE_CORE_CODEC_H

#include <stdbool.h>

#include "base/core/buf.h"
#include "base/core/span.h"

/* Encoders append text and return 0, or -1 at the ceiling of `out`. */
MUST_USE int base64_encode(struct span in, struct buf *out);
MUST_USE int base32_encode(struct span in, struct buf *out); /* lower case, no padding */
MUST_USE int base32hex_encode(struct span in,
                              struct buf *out);           /* RFC 5155: lower, no pad */
MUST_USE int hex_encode(struct span in, struct buf *out); /* lower case */
/* Decoders append octets; false on bad text or at the ceiling, with `out` unchanged. */
MUST_USE bool base64_decode(struct span in, struct buf *out);
MUST_USE bool base32_decode(struct span in, struct buf *out);
MUST_USE bool base32hex_decode(struct span in, struct buf *out);
MUST_USE bool hex_decode(struct span in, struct buf *out);

#endif
