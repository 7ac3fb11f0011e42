/* SPDX-License-Identifier: ISC */
/* Master files: read, printed, read again, compiled and asked (zones/zonefile.h,
 * zones/image_build.h, zones/lint.h). Input: the text of a zone example.com. */
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "base/dns/message.h"
#include "tests/fuzz/dns_world.h"
#include "tests/fuzz/fuzz.h"
#include "zones/image_build.h"
#include "zones/zonefile.h"

#define TEXT_MAX (16u << 20)

static void print(const struct zone *z, struct buf *out)
{
    const struct zonefile_style style = {.has_rules = true};

    buf_init(out, TEXT_MAX);
    LAW(zonefile_print(z, &style, out) == 0, "a zone prints");
}

static struct zone *read_zone(struct span text, struct span apex)
{
    struct err err = {0};
    struct zone *z = zonefile_parse("fuzz", text, apex, "test", &err);

    LAW(z != NULL || (err.text[0] != '\0' && strchr(err.text, '\n') == NULL),
        "a refusal is a line that says why");
    return z;
}

/* Each record set of the zone is what its own question gets. */
static void ask_all(const struct zone *z, const struct zonetab *t)
{
    uint8_t *reply = mem_new(QUERY_TCP_CAP, 1);
    struct stats *stats = aligned_alloc(_Alignof(struct stats), sizeof(*stats));
    struct query_ctx ctx = {t, stats};

    memset(stats, 0, sizeof(*stats));
    for (size_t i = 0; i < zone_count(z) && i < 40; i++) {
        const struct rrset *set = zone_at(z, i);
        struct message_query q = {
            .id = 1, .type = set->type, .class = RRCLASS_IN, .edns_payload = 1232};
        struct buf query;

        buf_init(&query, 600);
        LAW(message_put_query(&query, set->owner, &q) == 0, "a question has room");
        LAW(dns_ask(&ctx, buf_all(&query), QUERY_UDP, true, reply) > 0,
            "an answer comes");
        LAW(dns_ask(&ctx, buf_all(&query), QUERY_TCP, true, reply) > 0,
            "an answer comes");
        buf_free(&query);
    }
    free(stats);
    free(reply);
}

static void check_image(const struct zone *z)
{
    static const uint64_t key[2] = {3, 4};
    struct err err = {0};
    struct buf image;

    buf_init(&image, IMAGE_SIZE_MAX);
    if (image_build(z, key, &image, &err) == 0) {
        struct zonetab *t = dns_world_of(buf_all(&image));

        LAW(t != NULL, "what the compiler makes is taken");
        ask_all(z, t);
        zonetab_free(&t);
    } else {
        LAW(err.text[0] != '\0', "a refusal says why");
    }
    buf_free(&image);
}

static void ignore(void *ctx, enum zone_change what, const struct rrset *set,
                   const struct rr *r)
{
    (void)ctx;
    (void)what;
    (void)set;
    (void)r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span text = fuzz_heap(span_of(data, n));
    struct buf once, twice;
    struct dname apex;
    struct zone *z, *again;

    LAW(dname_parse(SPAN_LIT("example.com."), NULL, &apex) == DNAME_OK, "a name");
    z = read_zone(text, dname_span(&apex));
    if (z != NULL) {
        print(z, &once);
        again = read_zone(buf_all(&once), dname_span(&apex));
        LAW(again != NULL, "a printed zone reads back");
        print(again, &twice);
        fuzz_same(buf_all(&once), buf_all(&twice), "printing a zone is stable");
        LAW(zone_diff(z, again, ignore, NULL) == 0, "and it is the same zone");
        check_image(z);
        zone_free(&again);
        zone_free(&z);
        buf_free(&once);
        buf_free(&twice);
    }
    fuzz_heap_free(text);
    return 0;
}
