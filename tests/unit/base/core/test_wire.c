/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "base/core/wire.h"

static void put_all(struct wr *w)
{
    wr_u8(w, 0x01);
    wr_u16(w, 0x0203);
    wr_u32(w, 0x04050607);
    wr_u64(w, 0x08090a0b0c0d0e0fu);
    wr_le32(w, 0x04050607);
    wr_le64(w, 0x08090a0b0c0d0e0fu);
    wr_span16(w, SPAN_LIT("ab"));
    wr_span32(w, SPAN_LIT("cde"));
    wr_bytes(w, SPAN_LIT("f"));
}

static const uint8_t wire[] = {1,  2,  3, 4,   5,   6, 7,  8,  9,  10,  11,  12,  13,
                               14, 15, 7, 6,   5,   4, 15, 14, 13, 12,  11,  10,  9,
                               8,  0,  2, 'a', 'b', 0, 0,  0,  3,  'c', 'd', 'e', 'f'};

static void test_octets_on_the_wire(void **state)
{
    struct buf out;
    struct wr w;

    (void)state;
    buf_init(&out, 100);
    wr_init(&w, &out);
    put_all(&w);
    assert_false(w.is_bad);
    assert_true(span_eq(buf_all(&out), span_of(wire, sizeof wire)));
    buf_free(&out);
}

/* Every shorter input sets is_bad, reads zeros and never runs off the end. */
static void test_short_input_is_sticky(void **state)
{
    (void)state;
    for (size_t n = 0; n <= sizeof wire; n++) {
        uint8_t *exact = mem_dup(wire, n);
        struct rd r;
        uint8_t last;

        rd_init(&r, span_of(exact, n));
        assert_int_equal(rd_u8(&r), n >= 1 ? 1 : 0);
        assert_int_equal(rd_u16(&r), n >= 3 ? 0x0203 : 0);
        assert_int_equal(rd_u32(&r), n >= 7 ? 0x04050607 : 0);
        assert_true(rd_u64(&r) == (n >= 15 ? 0x08090a0b0c0d0e0fu : 0));
        assert_int_equal(rd_le32(&r), n >= 19 ? 0x04050607 : 0);
        assert_true(rd_le64(&r) == (n >= 27 ? 0x08090a0b0c0d0e0fu : 0));
        assert_true(span_eq_str(rd_span16(&r), n >= 31 ? "ab" : ""));
        assert_true(span_eq_str(rd_span32(&r), n >= 38 ? "cde" : ""));
        assert_int_equal(rd_left(&r), n == sizeof wire ? 1 : 0);
        last = rd_u8(&r);
        assert_int_equal(last, n == sizeof wire ? 'f' : 0);
        assert_int_equal(rd_done(&r), n == sizeof wire);
        assert_int_equal(r.is_bad, n != sizeof wire);
        free(exact);
    }
}

static void test_lengths_that_lie(void **state)
{
    static const uint8_t lie[] = {0xff, 0xff, 0xff, 0xff, 'x'};
    struct rd r;

    (void)state;
    rd_init(&r, span_of(lie, sizeof lie));
    assert_int_equal(rd_span32(&r).n, 0);
    assert_true(r.is_bad);
    assert_int_equal(rd_left(&r), 0);
    rd_init(&r, span_of(lie, sizeof lie));
    assert_int_equal(rd_bytes(&r, SIZE_MAX).n, 0);
    assert_true(r.is_bad);
    rd_init(&r, span_of(lie, sizeof lie));
    assert_int_equal(rd_bytes(&r, 4).n, 4);
    assert_false(rd_done(&r)); /* one octet is left over */
}

static void test_writer_is_sticky(void **state)
{
    static const uint8_t large[UINT16_MAX + 1];
    struct buf out;
    struct wr w;

    (void)state;
    buf_init(&out, 3);
    wr_init(&w, &out);
    wr_u16(&w, 1);
    wr_u16(&w, 2); /* over the ceiling */
    wr_u8(&w, 3);  /* would fit, but half a message is worse than none */
    assert_true(w.is_bad);
    assert_int_equal(out.len, 2);
    buf_free(&out);

    buf_init(&out, 100000);
    wr_init(&w, &out);
    wr_span16(&w, span_of(large, sizeof large));
    assert_true(w.is_bad);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_octets_on_the_wire),
        cmocka_unit_test(test_short_input_is_sticky),
        cmocka_unit_test(test_lengths_that_lie),
        cmocka_unit_test(test_writer_is_sticky),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
