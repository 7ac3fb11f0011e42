/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "maild/store/blob.h"
#include "maild/store/record.h"

static const struct record_segment seg = {.base = 4096, .previous = 4096, .number = 9};

/* A segment with two records; the caller frees. */
static struct buf make(void)
{
    const struct span parts[] = {SPAN_LIT("hello "), SPAN_LIT("world")};
    uint8_t head[RECORD_SEGMENT_HEAD];
    struct buf b;

    buf_init(&b, 65536);
    record_segment_encode(&seg, head);
    assert_int_equal(buf_append(&b, head, sizeof(head)), 0);
    assert_int_equal(record_encode(3, parts, 2, &b), 0);
    assert_int_equal(record_encode(4, parts, 1, &b), 0);
    record_seal(b.data + sizeof(head), b.len - sizeof(head), 4096, 100);
    return b;
}

static void records_are_read_as_written(void **state)
{
    struct buf b = make();
    struct record_segment s;
    struct record r;
    uint64_t next;

    (void)state;
    assert_true(record_segment_decode(buf_all(&b), &s));
    assert_int_equal(s.base, 4096);
    assert_int_equal(s.number, 9);
    assert_int_equal(record_decode(buf_all(&b), &s, RECORD_SEGMENT_HEAD, &r, &next),
                     RECORD_OK);
    assert_int_equal(r.type, 3);
    assert_int_equal(r.position, 4096);
    assert_int_equal(r.synced, 100);
    assert_true(span_eq_str(r.payload, "hello world"));
    assert_int_equal(record_decode(buf_all(&b), &s, next, &r, &next), RECORD_OK);
    assert_int_equal(r.type, 4);
    assert_true(span_eq_str(r.payload, "hello "));
    assert_int_equal(next, b.len);
    assert_int_equal(record_decode(buf_all(&b), &s, next, &r, &next), RECORD_END);
    buf_free(&b);
}

/* From exact-size copies, so that the sanitizer sees a read behind the end. */
static void every_cut_and_every_flipped_bit_is_noticed(void **state)
{
    struct buf b = make();
    struct record r;
    uint64_t next;

    (void)state;
    for (size_t n = 0; n < b.len; n++) {
        uint8_t *copy = mem_dup(b.data, n);
        struct record_segment s;
        size_t whole = 0;
        uint64_t at = RECORD_SEGMENT_HEAD;

        if (record_segment_decode(span_of(copy, n), &s)) {
            while (record_decode(span_of(copy, n), &s, at, &r, &at) == RECORD_OK)
                whole++;
        }
        assert_true(whole <= 1 || n + 8 > b.len); /* the padding may be missing */
        free(copy);
    }
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        struct record_segment s = seg;
        uint64_t at = RECORD_SEGMENT_HEAD;
        size_t whole = 0, i = bit / 8;
        /* the zeros behind a payload are covered by nothing */
        bool is_padding = (i >= RECORD_SEGMENT_HEAD + RECORD_HEAD + 11 &&
                           i < RECORD_SEGMENT_HEAD + record_size(11)) ||
                          i >= RECORD_SEGMENT_HEAD + record_size(11) + RECORD_HEAD + 6;

        b.data[i] ^= (uint8_t)(1u << bit % 8);
        if (i < RECORD_SEGMENT_HEAD - 4)
            assert_false(record_segment_decode(buf_all(&b), &s));
        else {
            while (record_decode(buf_all(&b), &s, at, &r, &next) == RECORD_OK) {
                at = next;
                whole++;
            }
            assert_true(is_padding || i < RECORD_SEGMENT_HEAD ? whole == 2 : whole < 2);
        }
        b.data[i] ^= (uint8_t)(1u << bit % 8);
    }
    buf_free(&b);
}

static void a_later_promise_tells_damage_from_a_torn_end(void **state)
{
    struct buf b = make();
    const uint64_t second = RECORD_SEGMENT_HEAD + record_size(11);

    (void)state;
    assert_false(record_promised_later(buf_all(&b), &seg, RECORD_SEGMENT_HEAD));
    record_seal(b.data + second, b.len - second, 4096 + record_size(11),
                4096 + record_size(11));
    assert_true(record_promised_later(buf_all(&b), &seg, RECORD_SEGMENT_HEAD));
    assert_false(record_promised_later(buf_all(&b), &seg, second));
    buf_free(&b);
}

static void records_of_another_life_are_not_taken(void **state)
{
    struct buf b = make();
    const struct record_segment later = {.base = 8192, .previous = 8192, .number = 10};
    struct record r;
    uint64_t next;

    (void)state;
    assert_int_equal(record_decode(buf_all(&b), &later, RECORD_SEGMENT_HEAD, &r, &next),
                     RECORD_END);
    buf_free(&b);
}

static void too_large_payload_is_refused(void **state)
{
    uint8_t *big = mem_new(1, RECORD_PAYLOAD_MAX + 1);
    struct span part = span_of(big, RECORD_PAYLOAD_MAX + 1);
    struct buf b;

    (void)state;
    buf_init(&b, 1u << 20);
    assert_int_equal(record_encode(1, &part, 1, &b), -1);
    assert_int_equal(b.len, 0);
    part.n--;
    assert_int_equal(record_encode(1, &part, 1, &b), 0);
    buf_free(&b);
    free(big);
}

static void blob_head_survives_no_change(void **state)
{
    struct blob_head h = {.accepted_s = 1795000000,
                          .offset = 500,
                          .size = 77,
                          .envelope = SPAN_LIT("some envelope")},
                     got;
    struct buf b;

    (void)state;
    memset(h.id.b, 5, sizeof(h.id.b));
    buf_init(&b, 4096);
    assert_int_equal(blob_head_encode(&h, &b), 0);
    assert_int_equal(b.len, blob_head_size(h.envelope.n));
    for (size_t n = 0; n < b.len; n++) {
        uint8_t *copy = mem_dup(b.data, n);

        assert_false(blob_head_decode(span_of(copy, n), &got));
        free(copy);
    }
    assert_true(blob_head_decode(buf_all(&b), &got));
    assert_true(msgid_eq(&got.id, &h.id));
    assert_int_equal(got.accepted_s, h.accepted_s);
    assert_int_equal(got.offset, 500);
    assert_int_equal(got.size, 77);
    assert_true(span_eq(got.envelope, h.envelope));
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(blob_head_decode(buf_all(&b), &got));
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_read_as_written),
        cmocka_unit_test(every_cut_and_every_flipped_bit_is_noticed),
        cmocka_unit_test(a_later_promise_tells_damage_from_a_torn_end),
        cmocka_unit_test(records_of_another_life_are_not_taken),
        cmocka_unit_test(too_large_payload_is_refused),
        cmocka_unit_test(blob_head_survives_no_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
