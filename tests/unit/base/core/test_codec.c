/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/codec.h"
#include "base/core/rng.h"

typedef int (*encode_fn)(struct span in, struct buf *out);
typedef bool (*decode_fn)(struct span in, struct buf *out);

/* RFC 4648 10, with the project's choice of lower case and no padding in base32. */
static const struct {
    const char *octets, *want_64, *want_32, *want_32hex, *want_16;
} vectors[] = {
    {"", "", "", "", ""},
    {"f", "Zg==", "my", "co", "66"},
    {"fo", "Zm8=", "mzxq", "cpng", "666f"},
    {"foo", "Zm9v", "mzxw6", "cpnmu", "666f6f"},
    {"foob", "Zm9vYg==", "mzxw6yq", "cpnmuog", "666f6f62"},
    {"fooba", "Zm9vYmE=", "mzxw6ytb", "cpnmuoj1", "666f6f6261"},
    {"foobar", "Zm9vYmFy", "mzxw6ytboi", "cpnmuoj1e8", "666f6f626172"},
};

static void both_ways(encode_fn encode, decode_fn decode, const char *octets,
                      const char *want)
{
    struct buf out;

    buf_init(&out, strlen(want) + 1); /* exactly what is needed is enough */
    assert_int_equal(encode(span_str(octets), &out), 0);
    assert_string_equal(buf_cstr(&out), want);
    buf_reset(&out);
    assert_true(decode(span_str(want), &out));
    assert_string_equal(buf_cstr(&out), octets);
    buf_free(&out);
}

static void test_rfc4648_10_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        both_ways(base64_encode, base64_decode, vectors[i].octets, vectors[i].want_64);
        both_ways(base32_encode, base32_decode, vectors[i].octets, vectors[i].want_32);
        both_ways(base32hex_encode, base32hex_decode, vectors[i].octets,
                  vectors[i].want_32hex);
        both_ways(hex_encode, hex_decode, vectors[i].octets, vectors[i].want_16);
    }
}

static void test_bad_text_is_refused_and_leaves_output_alone(void **state)
{
    static const struct {
        const char *name, *in;
        decode_fn decode;
    } cases[] = {
        {"one character", "Z", base64_decode},
        {"no padding", "Zg", base64_decode},
        {"half the padding", "Zg=", base64_decode},
        {"three pads", "Z===", base64_decode},
        {"only pads", "====", base64_decode},
        {"pad in the middle", "Zg==Zg==", base64_decode},
        {"trailing bits", "Zh==", base64_decode},
        {"trailing bits of two", "Zm9=", base64_decode},
        {"line end", "Zm9v\r\n", base64_decode},
        {"blank", "Zm 9", base64_decode},
        {"url alphabet", "Zm-_", base64_decode},
        {"one character", "m", base32_decode},
        {"three characters", "mzx", base32_decode},
        {"six characters", "mzxw6y", base32_decode},
        {"digit 1", "m1", base32_decode},
        {"trailing bits", "mz", base32_decode},
        {"padding", "my======", base32_decode},
        {"w is too large", "cw", base32hex_decode},
        {"odd length", "666", hex_decode},
        {"g", "6g", hex_decode},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *copy = span_dup(span_str(cases[i].in));
        struct buf out;

        buf_init(&out, 100);
        assert_int_equal(buf_str(&out, "before"), 0);
        if (cases[i].decode(span_str(copy), &out))
            fail_msg("%s: %s was taken", cases[i].name, cases[i].in);
        assert_true(span_eq(buf_all(&out), SPAN_LIT("before")));
        buf_free(&out);
        free(copy);
    }
}

static void test_either_letter_case_is_read(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 100);
    assert_true(base32_decode(SPAN_LIT("MZXW6"), &out));
    assert_true(base32hex_decode(SPAN_LIT("CPNMU"), &out));
    assert_true(hex_decode(SPAN_LIT("666F6f"), &out));
    assert_true(span_eq(buf_all(&out), SPAN_LIT("foofoofoo")));
    buf_free(&out);
}

static void test_ceiling_refuses_whole_text(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 7);
    assert_int_equal(base64_encode(SPAN_LIT("fooba"), &out), -1);
    assert_int_equal(out.len, 0);
    assert_false(hex_decode(SPAN_LIT("0000000000000000"), &out));
    assert_int_equal(out.len, 0);
    buf_free(&out);
}

/* Random octets of every length come back, and no shorter text decodes to them. */
static void test_round_trip(void **state)
{
    uint8_t octets[64];
    struct rng rng;

    (void)state;
    rng_seeded_init(&rng, 5);
    for (size_t n = 0; n <= sizeof octets; n++) {
        static const encode_fn encoders[] = {base64_encode, base32_encode,
                                             base32hex_encode, hex_encode};
        static const decode_fn decoders[] = {base64_decode, base32_decode,
                                             base32hex_decode, hex_decode};

        rng_fill(&rng, octets, sizeof octets);
        for (size_t k = 0; k < COUNT_OF(encoders); k++) {
            struct buf text;
            struct buf back;

            buf_init(&text, 200);
            buf_init(&back, 200);
            assert_int_equal(encoders[k](span_of(octets, n), &text), 0);
            assert_true(decoders[k](buf_all(&text), &back));
            assert_true(span_eq(buf_all(&back), span_of(octets, n)));
            buf_free(&text);
            buf_free(&back);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc4648_10_vectors),
        cmocka_unit_test(test_bad_text_is_refused_and_leaves_output_alone),
        cmocka_unit_test(test_either_letter_case_is_read),
        cmocka_unit_test(test_ceiling_refuses_whole_text),
        cmocka_unit_test(test_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
