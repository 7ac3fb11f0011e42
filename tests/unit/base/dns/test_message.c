/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/attr.h"
#include "base/core/mem.h"
#include "base/dns/message.h"
#include "base/dns/rdata.h"

#define HEAD "\x12\x34\x84\0\0\1\0\1\0\0\0\0"
#define MX                                                                               \
    HEAD "\7example\3com\0\0\x0f\0\1"                                                    \
         "\xc0\x0c\0\x0f\0\1\0\0\x0e\x10\0\x09\0\x0a\4mail\xc0\x0c"

static const struct {
    const char *name, *octets;
    size_t n;
    enum message_result want; /* how it ends */
    unsigned want_records;    /* questions included */
} cases[] = {
#define P(octets) octets, sizeof(octets) - 1
    {"an MX answer", P(MX), MESSAGE_END, 2},
    {"octets left over", P(MX "x"), MESSAGE_BAD, 2},
    {"pointer to itself", P(HEAD "\xc0\x0c\0\1\0\1"), MESSAGE_BAD, 0},
    {"pointer forwards", P(HEAD "\xc0\x0e\0\0\1\0\1"), MESSAGE_BAD, 0},
    {"two pointers in a circle", P(HEAD "\1a\xc0\x10\xc0\x0c\0\1\0\1"), MESSAGE_BAD, 0},
    {"pointer behind the end", P(HEAD "\xff\xff\0\1\0\1"), MESSAGE_BAD, 0},
    {"pointer cut", P(HEAD "\xc0"), MESSAGE_BAD, 0},
    {"label type 10", P(HEAD "\x80\0\1\0\1"), MESSAGE_BAD, 0},
    {"rdata longer than the packet",
     P(HEAD "\0\0\1\0\1"
            "\0\0\1\0\1\0\0\0\0\0\5"
            "abcd"),
     MESSAGE_BAD, 1},
    {"records missing", P(HEAD "\0\0\1\0\1"), MESSAGE_BAD, 1},
#undef P
};

static enum message_result walk(struct span packet, unsigned *records)
{
    struct message m;
    struct message_rr rr;
    enum message_result r;

    *records = 0;
    if (!message_open(&m, packet))
        return MESSAGE_BAD;
    while ((r = message_next(&m, &rr)) == MESSAGE_OK) {
        struct buf plain;

        buf_init(&plain, RDATA_MAX);
        if (rr.section != MESSAGE_QUESTION)
            (void)!rdata_unpack(rr.type, packet, rr.rdata_at, rr.rdata.n, &plain);
        buf_free(&plain);
        ++*records;
    }
    return r;
}

static void test_reading(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t *copy = mem_dup(cases[i].octets, cases[i].n);
        unsigned records;
        enum message_result r = walk(span_of(copy, cases[i].n), &records);

        if (r != cases[i].want || records != cases[i].want_records)
            fail_msg("%s: result %d, %u records", cases[i].name, r, records);
        free(copy);
    }
}

/* Any cut and any changed octet ends without over-read or circle. */
static void test_cut_and_changed(void **state)
{
    static const char mx[] = MX;

    (void)state;
    for (size_t n = 0; n < sizeof(mx); n++)
        for (unsigned change = 0; change < 256; change++) {
            uint8_t *copy = n > 0 ? mem_dup(mx, n) : mem_new(1, 1);
            unsigned records;

            if (n > 0)
                copy[n - 1] ^= (uint8_t)change;
            (void)walk(span_of(copy, n), &records);
            free(copy);
        }
}

/* Only a name written out may be 255 octets; one made by pointers to pointers too, no more. */
static void test_name_limit_holds_through_pointers(void **state)
{
    uint8_t packet[600] = {0};
    size_t n = 0;
    size_t at;
    struct dname name;

    (void)state;
    for (int i = 0; i < 3; i++) {
        packet[n] = 63;
        memset(packet + n + 1, 'a', 63);
        n += 64;
    }
    packet[n++] = 0; /* 193 octets */
    at = n;
    packet[n++] = 61;
    memset(packet + n, 'b', 61);
    n += 61;
    packet[n++] = 0xc0;
    packet[n++] = 0;
    assert_true(message_name(span_of(packet, n), &at, &name));
    assert_int_equal(name.n, 255);
    assert_int_equal(at, n);
    at = 193;
    packet[at] = 62;
    packet[at + 62] = 'b';
    packet[at + 63] = 0xc0;
    packet[at + 64] = 0;
    assert_false(message_name(span_of(packet, at + 65), &at, &name));
}

static void test_rdata_is_unpacked(void **state)
{
    static const char mx[] = MX;
    struct span packet = span_of(mx, sizeof(mx) - 1);
    struct message m;
    struct message_rr rr;
    struct buf plain;

    (void)state;
    buf_init(&plain, RDATA_MAX);
    assert_true(message_open(&m, packet));
    assert_int_equal(m.id, 0x1234);
    assert_int_equal(message_rcode(&m), 0);
    assert_int_equal(message_next(&m, &rr), MESSAGE_OK);
    assert_int_equal(rr.section, MESSAGE_QUESTION);
    assert_int_equal(message_next(&m, &rr), MESSAGE_OK);
    assert_int_equal(rr.ttl_s, 3600);
    assert_int_equal(rdata_unpack(rr.type, packet, rr.rdata_at, rr.rdata.n, &plain), 0);
    assert_true(span_eq(buf_all(&plain), SPAN_LIT("\0\x0a\4mail\7example\3com\0")));
    /* a wrong length of rdata is noticed */
    assert_int_equal(rdata_unpack(rr.type, packet, rr.rdata_at, rr.rdata.n - 1, &plain),
                     -1);
    assert_int_equal(rdata_unpack(rr.type, packet, packet.n + 1, 0, &plain), -1);
    buf_free(&plain);
}

static void test_query_and_record_are_read_back(void **state)
{
    struct message_query q = {.id = 7,
                              .type = RR_A,
                              .class = RRCLASS_IN,
                              .flags = MESSAGE_RD,
                              .edns_payload = 1232,
                              .is_dnssec_ok = true};
    struct buf out;
    struct message m;
    struct message_rr rr;

    (void)state;
    buf_init(&out, 600);
    assert_int_equal(message_put_query(&out, SPAN_LIT("\1a\0"), &q), 0);
    out.data[7] = 1; /* pretend that a record follows: OPT counts as additional */
    assert_true(message_open(&m, buf_all(&out)));
    assert_int_equal(m.flags, MESSAGE_RD);
    assert_int_equal(m.counts[MESSAGE_ADDITIONAL], 1);
    out.data[7] = 0;
    out.data[11] = 2;
    assert_int_equal(message_put_rr(&out, SPAN_LIT("\1b\0"), RR_A, RRCLASS_IN, 5,
                                    SPAN_LIT("\1\2\3\4")),
                     0);
    assert_true(message_open(&m, buf_all(&out)));
    assert_int_equal(message_next(&m, &rr), MESSAGE_OK);
    assert_int_equal(message_next(&m, &rr), MESSAGE_OK);
    assert_int_equal(rr.type, RR_OPT);
    assert_int_equal(rr.class, 1232);
    assert_int_equal(rr.ttl_s, 0x8000);
    assert_int_equal(message_next(&m, &rr), MESSAGE_OK);
    assert_int_equal(rr.ttl_s, 5);
    assert_int_equal(message_next(&m, &rr), MESSAGE_END);
    buf_free(&out);
    buf_init(&out, 10);
    assert_int_equal(message_put_query(&out, SPAN_LIT("\1a\0"), &q), -1);
    assert_int_equal(out.len, 0);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_cut_and_changed),
        cmocka_unit_test(test_name_limit_holds_through_pointers),
        cmocka_unit_test(test_rdata_is_unpacked),
        cmocka_unit_test(test_query_and_record_are_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
