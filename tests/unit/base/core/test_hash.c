/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/hash.h"
#include "base/core/rng.h"

/* RFC 3720 B.4, and the check value of the CRC catalogue. */
static void test_crc32c_rfc3720_b4(void **state)
{
    uint8_t rising[32];
    uint8_t zeros[32] = {0};
    uint8_t ones[32];

    (void)state;
    memset(ones, 0xff, sizeof ones);
    for (uint8_t i = 0; i < sizeof rising; i++)
        rising[i] = i;
    assert_int_equal(crc32c(0, span_of(zeros, 32)), 0x8a9136aau);
    assert_int_equal(crc32c(0, span_of(ones, 32)), 0x62a8ab43u);
    assert_int_equal(crc32c(0, span_of(rising, 32)), 0x46dd794eu);
    assert_int_equal(crc32c(0, SPAN_LIT("123456789")), 0xe3069283u);
    assert_int_equal(crc32c(0, span_of(NULL, 0)), 0);
}

/* Both ways of computing it agree at every length and place, whole and in two parts. */
static void test_crc32c_parts_and_table_agree(void **state)
{
    uint8_t octets[80];
    struct rng rng;

    (void)state;
    rng_seeded_init(&rng, 7);
    rng_fill(&rng, octets, sizeof octets);
    for (size_t from = 0; from < 8; from++)
        for (size_t n = 0; n <= sizeof octets - from; n++) {
            struct span s = span_of(octets + from, n);
            uint32_t want = crc32c(0, s);

            assert_int_equal(crc32c_plain(0, s), want);
            assert_int_equal(crc32c(crc32c(0, span_take(s, n / 3)), span_drop(s, n / 3)),
                             want);
        }
}

/* The official vectors exist for SipHash-2-4 only; these come from an independent
 * implementation of 1-3 (key 00..0f, input 00, 01, ... of the given length). */
static void test_siphash13_vectors(void **state)
{
    static const struct {
        size_t n;
        uint64_t want;
    } cases[] = {
        {0, 0xabac0158050fc4dcu}, {1, 0xc9f49bf37d57ca93u},  {7, 0xd3927d989bb11140u},
        {8, 0x369095118d299a8eu}, {15, 0xd320d86d2a519956u}, {16, 0xcc4fdd1a7d908b66u},
    };
    const uint64_t key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    uint8_t in[16];

    (void)state;
    for (uint8_t i = 0; i < sizeof in; i++)
        in[i] = i;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(siphash13(key, span_of(in, cases[i].n)), cases[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c_rfc3720_b4),
        cmocka_unit_test(test_crc32c_parts_and_table_agree),
        cmocka_unit_test(test_siphash13_vectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
