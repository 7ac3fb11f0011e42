/* SPDX-License-Identifier: ISC */
/* A damaged or hostile zone image is refused, or what it answers stays inside it
 * (zones/image.h, dnsd/answer.h).
 *
 * Input: one octet; even: changes to a good image, each of a 16-bit place, a width and a
 * value; odd: the octets of an image. Magic, sizes and checksum are then made right, since
 * they stop accidents and not attackers. */
#include <stdlib.h>
#include <string.h>

#include "base/core/hash.h"
#include "base/core/mem.h"
#include "base/dns/message.h"
#include "tests/fuzz/dns_world.h"
#include "tests/fuzz/fuzz.h"
#include "zones/image.h"

#define NODES_MAX 24

static void change(struct span in, uint8_t *p, size_t n)
{
    while (in.n > 0) {
        size_t at = fuzz_u16(&in), width = (size_t)1 << fuzz_u8(&in) % 3;
        uint32_t value = width == 4   ? fuzz_u32(&in)
                         : width == 2 ? fuzz_u16(&in)
                                      : fuzz_u8(&in);

        for (size_t i = 0; i < width; i++)
            p[(at + i) % n] = (uint8_t)(value >> 8 * i & 0xff);
    }
}

static void make_right(uint8_t *p, size_t n, bool is_raw)
{
    struct image_header h;
    const size_t covered = offsetof(struct image_header, crc) + sizeof(h.crc);

    if (n < sizeof(h))
        return;
    memcpy(&h, p, sizeof(h));
    if (is_raw) {
        h.magic = IMAGE_MAGIC;
        h.version = IMAGE_VERSION;
        h.reserved = 0;
        h.size = (uint32_t)n;
    }
    memcpy(p, &h, sizeof(h));
    h.crc = crc32c(0, span_of(p + covered, n - covered));
    memcpy(p, &h, sizeof(h));
}

static void ask(const struct query_ctx *ctx, struct span name, uint16_t type,
                uint8_t *reply)
{
    struct message_query q = {.id = 1, .type = type, .class = RRCLASS_IN};
    struct buf query;

    buf_init(&query, 600);
    LAW(message_put_query(&query, name, &q) == 0, "a question has room");
    (void)dns_ask(ctx, buf_all(&query), QUERY_UDP, false, reply);
    (void)dns_ask(ctx, buf_all(&query), QUERY_TCP, false, reply);
    buf_free(&query);
}

/* Every node and a name below it, for types that go different ways. */
static void ask_all(struct span octets, const struct zonetab *t)
{
    static const uint16_t types[] = {RR_A,   RR_NS,  RR_MX, RR_TXT,
                                     RR_SOA, RR_ANY, RR_DS, RR_CNAME};
    uint8_t *reply = mem_new(QUERY_TCP_CAP, 1);
    struct stats *stats = aligned_alloc(_Alignof(struct stats), sizeof(*stats));
    struct query_ctx ctx = {t, stats};
    struct image im;
    struct err err;

    memset(stats, 0, sizeof(*stats));
    LAW(image_open(octets, &im, &err) == 0, "an image that is taken once is taken again");
    for (uint32_t i = 0; i < im.head->n_nodes && i < NODES_MAX; i++) {
        struct span name = image_node_name(&im, &im.nodes[i]);
        struct dname below;

        LAW(dname_check(name) == name.n, "a node has a name");
        for (size_t k = 0; k < COUNT_OF(types); k++)
            ask(&ctx, name, types[k], reply);
        if (dname_join(SPAN_LIT("below"), name, &below))
            ask(&ctx, dname_span(&below), RR_A, reply);
    }
    free(stats);
    free(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span in = span_of(data, n), octets;
    bool is_raw = fuzz_u8(&in) % 2;
    struct zonetab *t;

    octets = fuzz_heap(is_raw ? in : dns_world_image());
    if (!is_raw)
        change(in, (uint8_t *)(uintptr_t)octets.p, octets.n);
    make_right((uint8_t *)(uintptr_t)octets.p, octets.n, is_raw);
    t = dns_world_of(octets);
    if (t != NULL) {
        ask_all(octets, t);
        zonetab_free(&t);
    }
    fuzz_heap_free(octets);
    return 0;
}
