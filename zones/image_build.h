/* SPDX-License-Identifier: ISC */
/* zones/image_build.h - the compiler: a zone in memory becomes a zone image.
 *
 * Why:       see zones/image.h; what the compiler decides is written there.
 * Ownership: the image is appended to the caller's buffer.
 * Threads:   no state. Pure. */
#ifndef ZONES_IMAGE_BUILD_H
#define ZONES_IMAGE_BUILD_H

#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "zones/model/zone.h"

/* Compile `z` into `out`, which must be empty. `hash_key` keys the name table and should be
 * secret, since names are chosen by strangers. Refused with a reason in *err: no SOA, an
 * answer that does not fit a message, data beside a CNAME, a delegation at a wildcard. */
MUST_USE int image_build(const struct zone *z, const uint64_t hash_key[2],
                         struct buf *out, struct err *err);

#endif
