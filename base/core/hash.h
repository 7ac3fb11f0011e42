/* SPDX-License-Identifier: ISC */
/* base/core/hash.h - checksums and keyed hashes that are not cryptography.
 *
 * crc32c guards records on disk (Castagnoli, as in iSCSI); siphash keys the hash tables,
 * because names in them are chosen by strangers. Pure. */
#ifndef BASE_CORE_HASH_H
#define BASE_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/core/span.h"

/* CRC-32C of `s` continued from `crc` (0 to start). Uses the CPU instruction if any. */
uint32_t crc32c(uint32_t crc, struct span s);
/* The same without the instruction: for machines that lack it, and to test it on others. */
uint32_t crc32c_plain(uint32_t crc, struct span s);
/* SipHash-1-3 of `s` under a 128-bit key. */
uint64_t siphash13(const uint64_t key[2], struct span s);

#endif
