/* SPDX-License-Identifier: ISC */
/* base/core/hash.c - checksums and keyed hashes; see hash.h. */
#include "base/core/hash.h"

#include <stdbool.h>
#include <string.h>

/* CRC-32C ---------------------------------------------------------------------------- */

/* Half an octet at a time through the reflected Castagnoli polynomial: entry i is i after
 * four steps of the division. Only machines without the instruction come here. */
static uint32_t crc32c_by_table(uint32_t crc, const uint8_t *p, size_t n)
{
    static const uint32_t steps[16] = {
        0x00000000u, 0x105ec76fu, 0x20bd8edeu, 0x30e349b1u, 0x417b1dbcu, 0x5125dad3u,
        0x61c69362u, 0x7198540du, 0x82f63b78u, 0x92a8fc17u, 0xa24bb5a6u, 0xb21572c9u,
        0xc38d26c4u, 0xd3d3e1abu, 0xe330a81au, 0xf36e6f75u};

    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ steps[crc & 15];
        crc = crc >> 4 ^ steps[crc & 15];
    }
    return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t
crc32c_by_cpu(uint32_t crc, const uint8_t *p, size_t n)
{
    uint64_t wide = crc;

    for (; n >= 8; p += 8, n -= 8) {
        uint64_t v;

        memcpy(&v, p, sizeof v);
        wide = _mm_crc32_u64(wide, v);
    }
    crc = (uint32_t)wide;
    for (; n > 0; p++, n--)
        crc = _mm_crc32_u8(crc, *p);
    return crc;
}

static bool has_cpu_crc32c(void)
{
    return __builtin_cpu_supports("sse4.2") != 0; /* a load and a test */
}
#else
static uint32_t crc32c_by_cpu(uint32_t crc, const uint8_t *p, size_t n)
{
    return crc32c_by_table(crc, p, n);
}

static bool has_cpu_crc32c(void)
{
    return false;
}
#endif

uint32_t crc32c(uint32_t crc, struct span s)
{
    return ~(has_cpu_crc32c() ? crc32c_by_cpu(~crc, s.p, s.n)
                              : crc32c_by_table(~crc, s.p, s.n));
}

uint32_t crc32c_plain(uint32_t crc, struct span s)
{
    return ~crc32c_by_table(~crc, s.p, s.n);
}

/* SipHash-1-3 (Aumasson and Bernstein; one round per word, three at the end) ------------ */

static uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* Up to eight octets, least significant first. */
static uint64_t little_endian(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

uint64_t siphash13(const uint64_t key[2], struct span s)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                     key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
    size_t whole = s.n & ~(size_t)7;
    uint64_t last = (uint64_t)s.n << 56;

    for (size_t i = 0; i < whole; i += 8) {
        uint64_t m = little_endian(s.p + i, 8);

        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    if (s.n > whole)
        last |= little_endian(s.p + whole, s.n - whole);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
