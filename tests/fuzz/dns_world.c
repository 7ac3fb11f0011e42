/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/dns_world.h"

#include <stdlib.h>
#include <string.h>

#include <ldns/ldns.h>

#include "base/core/mem.h"
#include "base/dns/message.h"
#include "base/dns/rdata.h"
#include "tests/fuzz/fuzz.h"
#include "zones/image_build.h"
#include "zones/zonefile.h"

#define TXT200                                                                           \
    "\"01234567890123456789012345678901234567890123456789\" "                            \
    "\"01234567890123456789012345678901234567890123456789\" "                            \
    "\"01234567890123456789012345678901234567890123456789\" "                            \
    "\"01234567890123456789012345678901234567890123456789\""

static const struct {
    const char *apex, *text;
} zones[] = {
    {"example.com.",
     "$TTL 3600\n"
     "@ SOA ns1 root 7 3600 900 1209600 300\n"
     "@ NS ns1\n@ NS ns2.other.net.\n@ MX 10 mail\n@ MX 20 mx.other.net.\n"
     "@ TXT \"v=spf1 mx ~all\"\n@ CAA 0 issue \"ca.example\"\n"
     "ns1 A 192.0.2.53\nmail A 192.0.2.25\nmail AAAA 2001:db8::25\n"
     "_submission._tcp SRV 0 1 587 mail\nwww CNAME mail\noutside CNAME www.other.net.\n"
     "c1 CNAME c2\nc2 CNAME c3\nc3 CNAME mail\nl1 CNAME l2\nl2 CNAME l1\n"
     "dangling CNAME nothing\ntosub CNAME host.sub\ntowild CNAME a.b.wild\n"
     "self CNAME x.self\n*.wild TXT \"wild\"\n*.wild MX 5 mail\n*.wild MX 6 in.wild\n"
     "in.wild A 192.0.2.99\na.ent.wild A 192.0.2.98\n*.wc CNAME mail\n"
     "sub NS ns.sub\nsub NS ns1\nsub DS 1 13 2 00112233\nns.sub A 192.0.2.54\n"
     "old DNAME renamed-for-good.example.net.\nin DNAME wild\n"
     "big TXT " TXT200 " " TXT200 " \"a\"\nbig TXT " TXT200 " " TXT200 " \"b\"\n"
     "svc HTTPS 1 mail alpn=h2\nodd\\.dot A 192.0.2.2\ntype TYPE65280 \\# 3 010203\n"},
    {"child.example.com.",
     "$TTL 3600\n@ SOA ns1 root 1 3600 900 1209600 300\n@ NS ns1.example.com.\n@ A "
     "192.0.2.200\n"},
    {"2.0.192.in-addr.arpa.",
     "$TTL 3600\n@ SOA ns1 root 1 3600 900 1209600 300\n@ NS ns1.example.com.\n25 PTR "
     "mail.example.com.\n"},
};

static void free_now(void *ctx, void *memory)
{
    (void)ctx;
    free(memory);
}

static struct zonetab *table_new(void)
{
    struct rng rng;

    rng_seeded_init(&rng, 1);
    return zonetab_new(&rng, free_now, NULL);
}

static void compile(const char *apex, const char *text, struct buf *image)
{
    static const uint64_t key[2] = {1, 2};
    struct err err = {0};
    struct dname name;
    struct zone *z;

    LAW(dname_parse(span_str(apex), NULL, &name) == DNAME_OK, "the sample's apex");
    z = zonefile_parse("sample", span_str(text), dname_span(&name), "test", &err);
    LAW(z != NULL, err.text);
    buf_init(image, IMAGE_SIZE_MAX);
    LAW(image_build(z, key, image, &err) == 0, err.text);
    zone_free(&z);
}

struct zonetab *dns_world_of(struct span image)
{
    struct zonetab *t;
    struct err err;
    struct zone_live *live = zone_live_new(image, &err);

    if (live == NULL)
        return NULL;
    t = table_new();
    zonetab_put(t, live);
    return t;
}

static struct buf sample; /* image of zones[0] */

const struct query_ctx *dns_world(void)
{
    static struct stats stats;
    static struct query_ctx ctx;
    struct dname broken;

    if (ctx.zones != NULL)
        return &ctx;
    {
        struct zonetab *t = table_new();

        for (size_t i = 0; i < COUNT_OF(zones); i++) {
            struct buf image;
            struct err err = {0};
            struct zone_live *live;

            compile(zones[i].apex, zones[i].text, &image);
            live = zone_live_new(buf_all(&image), &err);
            LAW(live != NULL, err.text);
            zonetab_put(t, live);
            if (i == 0)
                sample = image;
            else
                buf_free(&image);
        }
        LAW(dname_parse(SPAN_LIT("broken.test."), NULL, &broken) == DNAME_OK, "a name");
        zonetab_put(t, zone_live_broken(dname_span(&broken)));
        ctx = (struct query_ctx){t, &stats};
    }
    return &ctx;
}

struct span dns_world_image(void)
{
    (void)dns_world();
    return buf_all(&sample);
}

/* Our reader and ldns's, which shares no code with it, must both be able to read it. */
static void check_readable(struct span reply)
{
    ldns_pkt *pkt = NULL;
    struct message_rr rr;
    struct message m;
    struct buf rdata;
    enum message_result r;

    LAW(message_open(&m, reply), "a reply has a header");
    buf_init(&rdata, RDATA_MAX);
    while ((r = message_next(&m, &rr)) == MESSAGE_OK) {
        if (rr.section == MESSAGE_QUESTION)
            continue;
        buf_reset(&rdata);
        LAW(rdata_unpack(rr.type, reply, rr.rdata_at, rr.rdata.n, &rdata) == 0 &&
                rdata_is_valid(rr.type, buf_all(&rdata)),
            "records have the shape of their type");
    }
    LAW(r == MESSAGE_END, "a reply can be read to its end");
    LAW(ldns_wire2pkt(&pkt, reply.p, reply.n) == LDNS_STATUS_OK, "by ldns, too");
    ldns_pkt_free(pkt);
    buf_free(&rdata);
}

size_t dns_ask(const struct query_ctx *ctx, struct span query,
               enum query_transport transport, bool is_trusted, uint8_t *reply)
{
    size_t cap = transport == QUERY_UDP ? QUERY_UDP_CAP : QUERY_TCP_CAP, n;
    uint8_t *packet;

    if (query.n > cap)
        return 0;
    packet = mem_new(cap, 1);
    if (query.n > 0)
        memcpy(packet, query.p, query.n);
    n = query_answer(ctx, packet, query.n, cap, transport);
    LAW(n <= cap, "a reply has its bound");
    if (query.n < 12 || (query.p[2] & 0x80) != 0) {
        LAW(n == 0, "rubbish and responses get no reply");
    } else {
        LAW(n >= 12 && packet[0] == query.p[0] && packet[1] == query.p[1],
            "a reply has the query's number");
        LAW((packet[2] & 0xf9) == (0x80 | (query.p[2] & 0x79)) && (packet[3] & 0xe0) == 0,
            "flags: QR set, opcode and RD as asked, RA, Z and AD clear");
        if (is_trusted)
            check_readable(span_of(packet, n));
    }
    memcpy(reply, packet, n);
    free(packet);
    return n;
}
