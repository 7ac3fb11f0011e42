/* SPDX-License-Identifier: ISC */
/* The compiler's refusals, and the border guard: damaged images, each octet in turn, are
 * refused or answer without leaving the image (the sanitizer watches an exact-size copy). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/attr.h"
#include "base/core/hash.h"
#include "base/core/mem.h"
#include "zones/image.h"
#include "zones/image_build.h"

static const uint64_t key[2] = {5, 6};

struct record {
    const char *owner;
    uint16_t type;
    const char *rdata;
};
#define SOA                                                                              \
    {                                                                                    \
        "@", RR_SOA, "ns1.x. root.x. 7 3600 900 1209600 300"                             \
    }

static struct zone *zone_from(const struct record *r, size_t n)
{
    struct zone *z = zone_new(SPAN_LIT("\1x\0"), 0);
    struct err err = {0};

    for (size_t i = 0; i < n && r[i].owner != NULL; i++)
        if (zone_add_text(z, r[i].owner, r[i].type, 3600, r[i].rdata, "t", &err) != 0)
            fail_msg("%s", err.text);
    return z;
}

static int build(const struct record *r, size_t n, struct buf *image, struct err *err)
{
    struct zone *z = zone_from(r, n);
    int rc = image_build(z, key, image, err);

    zone_free(&z);
    return rc;
}

static void test_refusals(void **state)
{
    static const struct {
        struct record r[6];
        const char *want;
    } cases[] = {
        {{{"a", RR_A, "192.0.2.1"}}, "the zone needs exactly one SOA at its apex"},
        {{SOA, {"@", RR_SOA, "ns1.x. root.x. 8 3600 900 1209600 300"}},
         "the zone needs exactly one SOA at its apex"},
        {{SOA, {"c", RR_CNAME, "a"}, {"c", RR_A, "192.0.2.1"}},
         "c.x. has other records beside its CNAME"},
        {{SOA, {"c", RR_CNAME, "a"}, {"c", RR_CNAME, "b"}},
         "c.x. has more than one CNAME"},
        {{SOA, {"*.w", RR_NS, "a"}}, "*.w.x.: a wildcard cannot be a delegation"},
        {{SOA, {"d", RR_DNAME, "a."}, {"d", RR_DNAME, "b."}},
         "d.x. has more than one DNAME"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf image;
        struct err err = {0};

        buf_init(&image, IMAGE_SIZE_MAX);
        assert_int_equal(build(cases[i].r, COUNT_OF(cases[i].r), &image, &err), -1);
        assert_string_equal(err.text, cases[i].want);
        assert_int_equal(image.len, 0);
        buf_free(&image);
    }
}

/* 65,000 octets of TXT are the most that one message takes; more is refused with the name. */
static void test_an_answer_must_fit_a_message(void **state)
{
    static const struct record soa[] = {SOA};
    struct zone *z = zone_from(soa, 1);
    struct buf image;
    struct err err = {0};
    uint8_t rdata[256];
    unsigned n = 0;

    (void)state;
    memset(rdata, 'x', sizeof(rdata));
    rdata[0] = 255;
    buf_init(&image, IMAGE_SIZE_MAX);
    for (; n < 243; n++) { /* 268 octets each */
        rdata[1] = (uint8_t)(n & 0xff);
        rdata[2] = (uint8_t)(n >> 8);
        assert_int_equal(
            zone_add(z, SPAN_LIT("\1x\0"), RR_TXT, 1, span_of(rdata, 256), "t"),
            ZONE_ADDED);
    }
    assert_int_equal(image_build(z, key, &image, &err), 0);
    buf_reset(&image);
    rdata[3] = 'y';
    assert_int_equal(zone_add(z, SPAN_LIT("\1x\0"), RR_TXT, 1, span_of(rdata, 256), "t"),
                     ZONE_ADDED);
    assert_int_equal(image_build(z, key, &image, &err), -1);
    assert_string_equal(err.text, "x.: an answer does not fit a DNS message");
    buf_free(&image);
    zone_free(&z);
}

/* A ceiling of the buffer anywhere in the work is an error, never a broken image. */
static void test_every_ceiling(void **state)
{
    static const struct record r[] = {SOA, {"a", RR_A, "192.0.2.1"}, {"b", RR_MX, "1 a"}};

    (void)state;
    for (size_t max = 64; max < 1200; max += 3) {
        struct buf image;
        struct err err = {0};
        struct image im;

        buf_init(&image, max);
        if (build(r, COUNT_OF(r), &image, &err) == 0)
            assert_int_equal(image_open(buf_all(&image), &im, &err), 0);
        else
            assert_true(err.text[0] != '\0');
        buf_free(&image);
    }
}

static const struct record rich[] = {
    SOA,
    {"@", RR_NS, "ns1"},
    {"ns1", RR_A, "192.0.2.1"},
    {"@", RR_MX, "10 mail"},
    {"mail", RR_A, "192.0.2.2"},
    {"www", RR_CNAME, "mail"},
    {"*.w", RR_TXT, "hello"},
    {"sub", RR_NS, "ns.sub"},
    {"ns.sub", RR_A, "192.0.2.3"},
    {"d", RR_DNAME, "e."},
    {"a.b.c", RR_A, "192.0.2.4"},
};

static void reseal(uint8_t *p, size_t n)
{
    struct image_header h;
    size_t from = offsetof(struct image_header, crc) + sizeof(h.crc);

    if (n < sizeof(h))
        return;
    memcpy(&h, p, sizeof(h));
    h.crc = crc32c(0, span_of(p + from, n - from));
    memcpy(p, &h, sizeof(h));
}

/* Walk all that a reader could: if the guard let it in, nothing may leave the octets. */
static void use(const struct image *im)
{
    volatile uint32_t sink = 0;

    for (uint32_t i = 0; i < im->head->n_nodes; i++) {
        const struct image_node *n = &im->nodes[i];

        for (unsigned type = 0; type < 70; type++) {
            const struct image_answer *a = image_pick(im, n, (uint16_t)type);

            for (unsigned k = 0; k < a->len; k++)
                sink += image_body(a)[k];
            for (unsigned k = 0; k < a->n_relocs; k++)
                sink += image_body(a)[image_relocs(a)[k]];
        }
        assert_int_equal(image_find(im, image_node_name(im, n)), i);
    }
    (void)sink;
}

static void test_every_octet_damaged(void **state)
{
    struct buf image;
    struct err err = {0};
    size_t accepted = 0;

    (void)state;
    buf_init(&image, IMAGE_SIZE_MAX);
    assert_int_equal(build(rich, COUNT_OF(rich), &image, &err), 0);
    for (size_t i = 0; i < image.len; i++) {
        static const uint8_t changes[] = {0x01, 0x80, 0xff};

        for (size_t c = 0; c < sizeof(changes); c++) {
            uint8_t *copy = mem_dup(image.data, image.len);
            struct image im;

            copy[i] ^= changes[c];
            assert_int_equal(image_open(span_of(copy, image.len), &im, &err), -1);
            reseal(copy, image.len); /* damage with a good checksum: a faulty compiler */
            if (image_open(span_of(copy, image.len), &im, &err) == 0) {
                use(&im);
                accepted++;
            }
            free(copy);
        }
    }
    assert_true(accepted < 3 * image.len); /* rdata may be anything, the rest may not */
    buf_free(&image);
}

static void test_every_length(void **state)
{
    struct buf image;
    struct err err = {0};
    struct image im;

    (void)state;
    buf_init(&image, IMAGE_SIZE_MAX);
    assert_int_equal(build(rich, COUNT_OF(rich), &image, &err), 0);
    assert_int_equal(image_open(buf_all(&image), &im, &err), 0);
    use(&im);
    assert_int_equal(im.head->soa_serial, 7);
    assert_int_equal(im.head->records, COUNT_OF(rich));
    assert_int_equal(image_apex(&im).n, 3);
    for (size_t n = 0; n < image.len; n++) {
        uint8_t *copy = n > 0 ? mem_dup(image.data, n) : mem_new(1, 1);

        assert_int_equal(image_open(span_of(copy, n), &im, &err), -1);
        free(copy);
    }
    buf_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_an_answer_must_fit_a_message),
        cmocka_unit_test(test_every_ceiling),
        cmocka_unit_test(test_every_octet_damaged),
        cmocka_unit_test(test_every_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
