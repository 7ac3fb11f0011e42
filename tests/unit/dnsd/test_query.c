/* SPDX-License-Identifier: ISC */
/* Each query is a question about one small world of zones. The reply is decoded by ldns,
 * which shares no code with ours, and printed; a case states the text it wants:
 *
 *   rcode flags | answer; ... | authority; ... | additional; ...
 *
 * with aa, tc, do (EDNS in the reply) as flags and records as "owner ttl TYPE rdata". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ldns/ldns.h>

#include "base/core/attr.h"
#include "base/core/mem.h"
#include "base/dns/message.h"
#include "dnsd/answer.h"
#include "dnsd/edns.h"
#include "dnsd/query.h"
#include "zones/image_build.h"

struct record {
    const char *owner;
    uint16_t type;
    const char *rdata;
};

#define SOA(apex)                                                                        \
    {                                                                                    \
        "@", RR_SOA, "ns1." apex " root." apex " 7 3600 900 1209600 300"                 \
    }
#define TXT50  "\"01234567890123456789012345678901234567890123456789\""
#define TXT200 TXT50 " " TXT50 " " TXT50 " " TXT50

static const struct record example[] = {
    SOA("example.com."),
    {"@", RR_NS, "ns1"},
    {"@", RR_NS, "ns2.other.net."},
    {"@", RR_MX, "10 mail"},
    {"@", RR_MX, "20 mx.other.net."},
    {"@", RR_TXT, "\"v=spf1 mx ~all\""},
    {"ns1", RR_A, "192.0.2.53"},
    {"mail", RR_A, "192.0.2.25"},
    {"mail", RR_AAAA, "2001:db8::25"},
    {"_submission._tcp", RR_SRV, "0 1 587 mail"},
    {"www", RR_CNAME, "mail"},
    {"outside", RR_CNAME, "www.other.net."},
    {"chain1", RR_CNAME, "chain2"},
    {"chain2", RR_CNAME, "chain3"},
    {"chain3", RR_CNAME, "mail"},
    {"loop1", RR_CNAME, "loop2"},
    {"loop2", RR_CNAME, "loop1"},
    {"dangling", RR_CNAME, "nothing-here"},
    {"tosub", RR_CNAME, "host.sub"},
    {"towild", RR_CNAME, "a.b.wild"},
    {"selfsuffix", RR_CNAME, "x.selfsuffix"},
    {"*.wild", RR_TXT, "\"wild\""},
    {"*.wild", RR_MX, "5 mail"},
    {"*.wild", RR_MX, "6 in.wild"},
    {"in.wild", RR_A, "192.0.2.99"},
    {"a.ent.wild", RR_A, "192.0.2.98"},
    {"*.wcname", RR_CNAME, "mail"},
    {"sub", RR_NS, "ns.sub"},
    {"sub", RR_NS, "ns1"},
    {"sub", RR_NS, "far.other.net."},
    {"sub", RR_DS, "1 13 2 00112233"},
    {"ns.sub", RR_A, "192.0.2.54"},
    {"ns.sub", RR_AAAA, "2001:db8::54"},
    {"host.sub", RR_A, "192.0.2.66"},
    {"plaincut", RR_NS, "ns1"},
    {"deep.er.and.deeper", RR_A, "192.0.2.77"},
    {"old", RR_DNAME, "renamed-for-good.example.net."},
    {"below.old", RR_A, "192.0.2.1"},
    {"big", RR_TXT, TXT200 " " TXT200 " \"a\""},
    {"big", RR_TXT, TXT200 " " TXT200 " \"b\""},
    {"big", RR_TXT, TXT200 " " TXT200 " \"c\""},
    {"medium", RR_TXT, TXT200 " " TXT200},
    {"svc", RR_HTTPS, "1 mail alpn=h2"},
    {"odd\\.dot", RR_A, "192.0.2.2"},
    {"type", 65280, "\\# 3 010203"},
};
static const struct record child[] = {
    SOA("child.example.com."),
    {"@", RR_NS, "ns1.example.com."},
    {"@", RR_A, "192.0.2.200"},
};
static const struct record reverse[] = {
    SOA("2.0.192.in-addr.arpa."),
    {"@", RR_NS, "ns1.example.com."},
    {"25", RR_PTR, "mail.example.com."},
};

struct world {
    struct zonetab *zones;
    struct stats stats;
    struct query_ctx ctx;
};

static void free_now(void *ctx, void *memory)
{
    (void)ctx;
    free(memory);
}

static void load(struct world *w, const char *apex, const struct record *r, size_t n)
{
    static const uint64_t key[2] = {1, 2};
    struct dname name;
    struct zone *z;
    struct buf image;
    struct zone_live *live;
    struct err err = {0};

    assert_int_equal(dname_parse(span_str(apex), NULL, &name), DNAME_OK);
    z = zone_new(dname_span(&name), 0);
    for (size_t i = 0; i < n; i++)
        if (zone_add_text(z, r[i].owner, r[i].type, 3600, r[i].rdata, "test", &err) != 0)
            fail_msg("%s", err.text);
    buf_init(&image, IMAGE_SIZE_MAX);
    if (image_build(z, key, &image, &err) != 0)
        fail_msg("%s", err.text);
    live = zone_live_new(buf_all(&image), &err);
    if (live == NULL)
        fail_msg("%s", err.text);
    zonetab_put(w->zones, live);
    buf_free(&image);
    zone_free(&z);
}

static int setup(void **state)
{
    struct world *w = aligned_alloc(_Alignof(struct world), sizeof(*w));
    struct rng rng;
    struct dname broken;

    memset(w, 0, sizeof(*w));
    rng_seeded_init(&rng, 1);
    w->zones = zonetab_new(&rng, free_now, NULL);
    w->ctx = (struct query_ctx){w->zones, &w->stats};
    load(w, "example.com.", example, COUNT_OF(example));
    load(w, "child.example.com.", child, COUNT_OF(child));
    load(w, "2.0.192.in-addr.arpa.", reverse, COUNT_OF(reverse));
    assert_int_equal(dname_parse(SPAN_LIT("broken.test."), NULL, &broken), DNAME_OK);
    zonetab_put(w->zones, zone_live_broken(dname_span(&broken)));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    zonetab_free(&w->zones);
    free(w);
    return 0;
}

/* --- printing a reply --- */

static void print_list(ldns_rr_list *l, struct buf *out)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(l); i++) {
        char *text = ldns_rr2str(ldns_rr_list_rr(l, i));
        size_t n = strlen(text);

        assert_int_equal(buf_str(out, i > 0 ? "; " : ""), 0);
        for (size_t k = 0; k < n && text[k] != '\n'; k++)
            if (!(text[k] == '\t' && strncmp(text + k, "\tIN\t", 4) == 0)) {
                uint8_t c = text[k] == '\t' ? ' ' : (uint8_t)text[k];

                assert_int_equal(buf_byte(out, c), 0);
            } else {
                k += 2;
            }
        free(text);
    }
}

static void print_reply(const uint8_t *reply, size_t n, struct buf *out)
{
    ldns_pkt *pkt = NULL;
    unsigned rcode;

    if (n == 0) {
        assert_int_equal(buf_str(out, "silence"), 0);
        return;
    }
    assert_int_equal(ldns_wire2pkt(&pkt, reply, n), LDNS_STATUS_OK);
    rcode = (unsigned)ldns_pkt_get_rcode(pkt) |
            (unsigned)ldns_pkt_edns_extended_rcode(pkt) << 4;
    assert_int_equal(
        buf_printf(out, "%s%s%s%s", rcode_name(rcode), ldns_pkt_aa(pkt) ? " aa" : "",
                   ldns_pkt_tc(pkt) ? " tc" : "", ldns_pkt_edns(pkt) ? " edns" : ""),
        0);
    assert_int_equal(buf_str(out, " | "), 0);
    print_list(ldns_pkt_answer(pkt), out);
    assert_int_equal(buf_str(out, " | "), 0);
    print_list(ldns_pkt_authority(pkt), out);
    assert_int_equal(buf_str(out, " | "), 0);
    print_list(ldns_pkt_additional(pkt), out);
    ldns_pkt_free(pkt);
}

/* Ask and compare. `edns` 0: no OPT. Returns the reply's length. */
static size_t ask(struct world *w, const char *name, uint16_t type, uint16_t edns,
                  enum query_transport transport, const char *want)
{
    uint8_t *packet = mem_new(1, QUERY_TCP_CAP);
    struct message_query q = {
        .id = 0x1234, .type = type, .class = RRCLASS_IN, .edns_payload = edns};
    struct dname qname;
    struct buf query;
    struct buf text;
    size_t n;

    buf_init(&query, 600);
    buf_init(&text, 200000);
    assert_int_equal(dname_parse(span_str(name), NULL, &qname), DNAME_OK);
    assert_int_equal(message_put_query(&query, dname_span(&qname), &q), 0);
    memcpy(packet, query.data, query.len);
    n = query_answer(&w->ctx, packet, query.len,
                     transport == QUERY_UDP ? QUERY_UDP_CAP : QUERY_TCP_CAP, transport);
    print_reply(packet, n, &text);
    if (want != NULL && strcmp(buf_cstr(&text), want) != 0)
        fail_msg("%s type %u\n want %s\n have %s", name, type, want, buf_cstr(&text));
    assert_memory_equal(packet + 12, query.data + 12, qname.n + 4u); /* case kept */
    buf_free(&query);
    buf_free(&text);
    free(packet);
    return n;
}

#define NEG                                                                              \
    "example.com. 300 SOA ns1.example.com. root.example.com. 7 3600 900 1209600 300"
#define MAIL_A    "mail.example.com. 3600 A 192.0.2.25"
#define MAIL_AAAA "mail.example.com. 3600 AAAA 2001:db8::25"

static const struct {
    const char *clause, *name;
    uint16_t type;
    const char *want;
} lookups[] = {
    {"plain", "mail.example.com.", RR_A, "NOERROR aa | " MAIL_A " |  | "},
    {"rfc4343 case", "MAIL.exAMPLE.Com.", RR_AAAA,
     "NOERROR aa | MAIL.exAMPLE.Com. 3600 AAAA 2001:db8::25 |  | "},
    {"rfc1035_3_3_9 additional", "example.com.", RR_MX,
     "NOERROR aa | example.com. 3600 MX 10 mail.example.com.; "
     "example.com. 3600 MX 20 mx.other.net. |  | " MAIL_A "; " MAIL_AAAA},
    {"apex NS", "example.com.", RR_NS,
     "NOERROR aa | example.com. 3600 NS ns1.example.com.; "
     "example.com. 3600 NS ns2.other.net. |  | ns1.example.com. 3600 A 192.0.2.53"},
    {"SOA keeps its TTL", "example.com.", RR_SOA,
     "NOERROR aa | example.com. 3600 SOA ns1.example.com. root.example.com. 7 3600 "
     "900 "
     "1209600 300 |  | "},
    {"rfc2782 additional", "_submission._tcp.example.com.", RR_SRV,
     "NOERROR aa | _submission._tcp.example.com. 3600 SRV 0 1 587 mail.example.com. "
     "|  "
     "| " MAIL_A "; " MAIL_AAAA},
    {"rfc2308_3 nodata", "mail.example.com.", RR_MX, "NOERROR aa |  | " NEG " | "},
    {"rfc2308_3 nxdomain", "no.such.example.com.", RR_A, "NXDOMAIN aa |  | " NEG " | "},
    {"nxdomain one label", "xyzzy.example.com.", RR_A, "NXDOMAIN aa |  | " NEG " | "},
    {"rfc8020 empty non-terminal", "_tcp.example.com.", RR_A,
     "NOERROR aa |  | " NEG " | "},
    {"empty non-terminals in a row", "and.deeper.example.com.", RR_A,
     "NOERROR aa |  | " NEG " | "},
    {"below an empty non-terminal", "x.and.deeper.example.com.", RR_A,
     "NXDOMAIN aa |  | " NEG " | "},
    {"rfc1034_3_6_2 cname", "www.example.com.", RR_A,
     "NOERROR aa | www.example.com. 3600 CNAME mail.example.com.; " MAIL_A " |  | "},
    {"cname asked itself", "www.example.com.", RR_CNAME,
     "NOERROR aa | www.example.com. 3600 CNAME mail.example.com. |  | "},
    {"cname, then nodata", "www.example.com.", RR_TXT,
     "NOERROR aa | www.example.com. 3600 CNAME mail.example.com. | " NEG " | "},
    {"rfc6604 cname, then nxdomain", "dangling.example.com.", RR_A,
     "NXDOMAIN aa | dangling.example.com. 3600 CNAME nothing-here.example.com. | " NEG
     " | "},
    {"cname leads out", "outside.example.com.", RR_A,
     "NOERROR aa | outside.example.com. 3600 CNAME www.other.net. |  | "},
    {"cname chain", "chain1.example.com.", RR_AAAA,
     "NOERROR aa | chain1.example.com. 3600 CNAME chain2.example.com.; "
     "chain2.example.com. 3600 CNAME chain3.example.com.; "
     "chain3.example.com. 3600 CNAME mail.example.com.; " MAIL_AAAA " |  | "},
    {"cname loop", "loop1.example.com.", RR_A,
     "NOERROR aa | loop1.example.com. 3600 CNAME loop2.example.com.; "
     "loop2.example.com. 3600 CNAME loop1.example.com. |  | "},
    {"cname below itself", "selfsuffix.example.com.", RR_A,
     "NXDOMAIN aa | selfsuffix.example.com. 3600 CNAME x.selfsuffix.example.com. "
     "| " NEG " | "},
    {"cname to a delegation", "tosub.example.com.", RR_A,
     "NOERROR aa | tosub.example.com. 3600 CNAME host.sub.example.com. | "
     "sub.example.com. 3600 NS ns.sub.example.com.; sub.example.com. 3600 NS "
     "far.other.net.; sub.example.com. 3600 NS ns1.example.com. | "
     "ns.sub.example.com. 3600 A 192.0.2.54; ns.sub.example.com. 3600 AAAA "
     "2001:db8::54; ns1.example.com. 3600 A 192.0.2.53"},
    {"cname to a wildcard", "towild.example.com.", RR_TXT,
     "NOERROR aa | towild.example.com. 3600 CNAME a.b.wild.example.com.; "
     "a.b.wild.example.com. 3600 TXT \"wild\" |  | "},
    {"rfc4592 wildcard", "x.wild.example.com.", RR_TXT,
     "NOERROR aa | x.wild.example.com. 3600 TXT \"wild\" |  | "},
    {"wildcard, many labels", "a.b.c.wild.example.com.", RR_MX,
     "NOERROR aa | a.b.c.wild.example.com. 3600 MX 5 mail.example.com.; "
     "a.b.c.wild.example.com. 3600 MX 6 in.wild.example.com. |  | " MAIL_A "; " MAIL_AAAA
     "; in.wild.example.com. 3600 A 192.0.2.99"},
    {"wildcard, type missing", "x.wild.example.com.", RR_A, "NOERROR aa |  | " NEG " | "},
    {"rfc4592_2_3 the wildcard itself", "*.wild.example.com.", RR_TXT,
     "NOERROR aa | *.wild.example.com. 3600 TXT \"wild\" |  | "},
    {"an existing name blocks", "in.wild.example.com.", RR_TXT,
     "NOERROR aa |  | " NEG " | "},
    {"below an existing name", "x.in.wild.example.com.", RR_TXT,
     "NXDOMAIN aa |  | " NEG " | "},
    {"rfc4592_2_2_2 ent blocks", "ent.wild.example.com.", RR_TXT,
     "NOERROR aa |  | " NEG " | "},
    {"below an ent", "x.ent.wild.example.com.", RR_TXT, "NXDOMAIN aa |  | " NEG " | "},
    {"the wildcard's parent", "wild.example.com.", RR_TXT, "NOERROR aa |  | " NEG " | "},
    {"wildcard cname", "any.thing.wcname.example.com.", RR_A,
     "NOERROR aa | any.thing.wcname.example.com. 3600 CNAME "
     "mail.example.com.; " MAIL_A " |  | "},
    {"wildcard cname, nodata", "z.wcname.example.com.", RR_MX,
     "NOERROR aa | z.wcname.example.com. 3600 CNAME mail.example.com. | " NEG " | "},
    {"rfc1034_4_3_2 referral", "a.b.sub.example.com.", RR_A,
     "NOERROR |  | sub.example.com. 3600 NS ns.sub.example.com.; sub.example.com. "
     "3600 "
     "NS far.other.net.; sub.example.com. 3600 NS ns1.example.com. | "
     "ns.sub.example.com. 3600 A 192.0.2.54; ns.sub.example.com. 3600 AAAA "
     "2001:db8::54; ns1.example.com. 3600 A 192.0.2.53"},
    {"glue is no answer", "ns.sub.example.com.", RR_A,
     "NOERROR |  | sub.example.com. 3600 NS ns.sub.example.com.; sub.example.com. "
     "3600 "
     "NS far.other.net.; sub.example.com. 3600 NS ns1.example.com. | "
     "ns.sub.example.com. 3600 A 192.0.2.54; ns.sub.example.com. 3600 AAAA "
     "2001:db8::54; ns1.example.com. 3600 A 192.0.2.53"},
    {"NS of the cut", "plaincut.example.com.", RR_NS,
     "NOERROR |  | plaincut.example.com. 3600 NS ns1.example.com. | "
     "ns1.example.com. 3600 A 192.0.2.53"},
    {"ANY at the cut", "plaincut.example.com.", RR_ANY,
     "NOERROR |  | plaincut.example.com. 3600 NS ns1.example.com. | "
     "ns1.example.com. 3600 A 192.0.2.53"},
    {"rfc4035_3_1_4_1 DS at the cut", "sub.example.com.", RR_DS,
     "NOERROR aa | sub.example.com. 3600 DS 1 13 2 00112233 |  | "},
    {"no DS at the cut", "plaincut.example.com.", RR_DS, "NOERROR aa |  | " NEG " | "},
    {"DS below the cut", "x.plaincut.example.com.", RR_DS,
     "NOERROR |  | plaincut.example.com. 3600 NS ns1.example.com. | "
     "ns1.example.com. 3600 A 192.0.2.53"},
    {"rfc6672_3_1 dname", "a.b.old.example.com.", RR_A,
     "NOERROR aa | old.example.com. 3600 DNAME renamed-for-good.example.net.; "
     "a.b.old.example.com. 3600 CNAME a.b.renamed-for-good.example.net. |  | "},
    {"rfc6672_2_4 occluded", "below.old.example.com.", RR_A,
     "NOERROR aa | old.example.com. 3600 DNAME renamed-for-good.example.net.; "
     "below.old.example.com. 3600 CNAME below.renamed-for-good.example.net. |  | "},
    {"dname itself", "old.example.com.", RR_DNAME,
     "NOERROR aa | old.example.com. 3600 DNAME renamed-for-good.example.net. |  | "},
    {"dname's owner is not renamed", "old.example.com.", RR_A,
     "NOERROR aa |  | " NEG " | "},
    {"deepest zone", "child.example.com.", RR_A,
     "NOERROR aa | child.example.com. 3600 A 192.0.2.200 |  | "},
    {"inside the child", "x.child.example.com.", RR_A,
     "NXDOMAIN aa |  | child.example.com. 300 SOA ns1.child.example.com. "
     "root.child.example.com. 7 3600 900 1209600 300 | "},
    {"DS of the child, from above", "child.example.com.", RR_DS,
     "NXDOMAIN aa |  | " NEG " | "},
    {"DS of an apex without parent", "example.com.", RR_DS, "NOERROR aa |  | " NEG " | "},
    {"PTR", "25.2.0.192.in-addr.arpa.", RR_PTR,
     "NOERROR aa | 25.2.0.192.in-addr.arpa. 3600 PTR mail.example.com. |  | "},
    {"rfc8482 any", "mail.example.com.", RR_ANY, "NOERROR aa | " MAIL_A " |  | "},
    {"any at a cname", "www.example.com.", RR_ANY,
     "NOERROR aa | www.example.com. 3600 CNAME mail.example.com. |  | "},
    {"any at an ent", "_tcp.example.com.", RR_ANY, "NOERROR aa |  | " NEG " | "},
    {"any of nothing", "nope.example.com.", RR_ANY, "NXDOMAIN aa |  | " NEG " | "},
    {"rfc3597 unknown type", "type.example.com.", 65280,
     "NOERROR aa | type.example.com. 3600 TYPE65280 \\# 3 010203 |  | "},
    {"unknown type, no data", "mail.example.com.", 1000, "NOERROR aa |  | " NEG " | "},
    {"https additional", "svc.example.com.", RR_HTTPS,
     "NOERROR aa | svc.example.com. 3600 HTTPS 1 mail.example.com. alpn=h2 |  "
     "| " MAIL_A "; " MAIL_AAAA},
    {"dot in a label", "odd\\.dot.example.com.", RR_A,
     "NOERROR aa | odd\\.dot.example.com. 3600 A 192.0.2.2 |  | "},
    {"not that label", "odd.dot.example.com.", RR_A, "NXDOMAIN aa |  | " NEG " | "},
    {"elsewhere", "example.net.", RR_A, "REFUSED |  |  | "},
    {"the root", ".", RR_NS, "REFUSED |  |  | "},
    {"our parent", "com.", RR_NS, "REFUSED |  |  | "},
    {"zone without image", "x.broken.test.", RR_A, "SERVFAIL |  |  | "},
    {"axfr", "example.com.", RR_AXFR, "REFUSED |  |  | "},
    {"ixfr", "example.com.", RR_IXFR, "REFUSED |  |  | "},
    {"type OPT", "example.com.", RR_OPT, "FORMERR |  |  | "},
    {"type TSIG", "example.com.", RR_TSIG, "FORMERR |  |  | "},
    {"type MAILB", "example.com.", RR_MAILB, "NOTIMP |  |  | "},
};

static void test_lookup(void **state)
{
    for (size_t i = 0; i < COUNT_OF(lookups); i++) {
        (void)ask(*state, lookups[i].name, lookups[i].type, 0, QUERY_UDP,
                  lookups[i].want);
        (void)ask(*state, lookups[i].name, lookups[i].type, 0, QUERY_TCP,
                  lookups[i].want);
    }
}

#define NINE  "abcdefghi."
#define NINES NINE NINE NINE NINE NINE
/* 230 octets of labels in front of the zone's. */
#define LONG_PREFIX NINES NINES NINES NINES NINE NINE NINE

static void test_rfc6672_dname_too_long(void **state)
{
    static const char name[] = LONG_PREFIX "old.example.com.";

    (void)ask(
        *state, name, RR_A, 0, QUERY_UDP,
        "YXDOMAIN aa | old.example.com. 3600 DNAME renamed-for-good.example.net. |  | ");
}

static void test_wildcard_and_negative_with_longest_qname(void **state)
{
    static const char name[] = LONG_PREFIX "wild.example.com.";
    char want[600];

    (void)snprintf(want, sizeof(want), "NOERROR aa | %s 3600 TXT \"wild\" |  | ", name);
    (void)ask(*state, name, RR_TXT, 0, QUERY_UDP, want);
    (void)ask(*state, name, RR_A, 0, QUERY_UDP, "NOERROR aa |  | " NEG " | ");
}

static void test_sizes_and_truncation(void **state)
{
    struct world *w = *state;
    struct stats before = w->stats;
    static const char neg_edns[] = "NXDOMAIN aa edns |  | " NEG " | ";

    assert_true(ask(w, "medium.example.com.", RR_TXT, 0, QUERY_UDP, NULL) <= 512);
    /* one RRset of 1,300 octets: nothing of it fits 512 or 1232, all of it fits TCP */
    (void)ask(w, "big.example.com.", RR_TXT, 0, QUERY_UDP, "NOERROR aa tc |  |  | ");
    (void)ask(w, "big.example.com.", RR_TXT, 1232, QUERY_UDP,
              "NOERROR aa tc edns |  |  | ");
    (void)ask(w, "big.example.com.", RR_TXT, 4096, QUERY_UDP,
              "NOERROR aa tc edns |  |  | ");
    assert_true(ask(w, "big.example.com.", RR_TXT, 0, QUERY_TCP, NULL) > 1232);
    assert_true(ask(w, "big.example.com.", RR_TXT, 512, QUERY_TCP, NULL) > 1232);
    assert_int_equal(w->stats.n[STAT_TRUNCATED] - before.n[STAT_TRUNCATED], 3);
    /* payloads below 512 count as 512 (RFC 6891 6.2.3) */
    (void)ask(w, "no.example.com.", RR_A, 1, QUERY_UDP, neg_edns);
    (void)ask(w, "no.example.com.", RR_A, 65535, QUERY_UDP, neg_edns);
}

/* --- packets by hand --- */

struct packet {
    const char *name;
    const char *octets;
    size_t n;
    const char *want; /* as print_reply, or NULL: just survive */
};
#define PACKET(octets)              octets, sizeof(octets) - 1
#define QN                          "\4mail\7example\3com\0"
#define HEAD(flags, qd, an, ns, ar) "\x12\x34" flags "\0" qd "\0" an "\0" ns "\0" ar
#define IN_A                        "\0\1\0\1"
#define OPT(payload, version, flags, options)                                            \
    "\0\0\x29" payload "\0" version flags options

static void run_packet(struct world *w, const struct packet *c)
{
    uint8_t *packet = mem_new(1, QUERY_UDP_CAP);
    struct buf text;
    size_t n;

    buf_init(&text, 20000);
    memcpy(packet, c->octets, c->n);
    n = query_answer(&w->ctx, packet, c->n, QUERY_UDP_CAP, QUERY_UDP);
    assert_true(n <= QUERY_UDP_CAP);
    print_reply(packet, n, &text);
    if (c->want != NULL && strcmp(buf_cstr(&text), c->want) != 0)
        fail_msg("%s\n want %s\n have %s", c->name, c->want, buf_cstr(&text));
    buf_free(&text);
    free(packet);
}

static const struct packet packets[] = {
    {"empty", PACKET(""), "silence"},
    {"eleven octets", PACKET("\x12\x34\0\0\0\1\0\0\0\0\0"), "silence"},
    {"a response", PACKET(HEAD("\x80\0", "\1", "\0", "\0", "\0") QN IN_A), "silence"},
    {"header only", PACKET(HEAD("\0\0", "\0", "\0", "\0", "\0")), "FORMERR |  |  | "},
    {"plain", PACKET(HEAD("\0\0", "\1", "\0", "\0", "\0") QN IN_A),
     "NOERROR aa | " MAIL_A " |  | "},
    {"two questions", PACKET(HEAD("\0\0", "\2", "\0", "\0", "\0") QN IN_A QN IN_A),
     "FORMERR |  |  | "},
    {"an answer in the query",
     PACKET(HEAD("\0\0", "\1", "\1", "\0", "\0") QN IN_A "\0" IN_A "\0\0\0\0\0\0"),
     "FORMERR |  |  | "},
    {"an authority in the query",
     PACKET(HEAD("\0\0", "\1", "\0", "\1", "\0") QN IN_A "\0" IN_A "\0\0\0\0\0\0"),
     "FORMERR |  |  | "},
    {"octets left over", PACKET(HEAD("\0\0", "\1", "\0", "\0", "\0") QN IN_A "x"),
     "FORMERR |  |  | "},
    {"opcode IQUERY", PACKET(HEAD("\x08\0", "\1", "\0", "\0", "\0") QN IN_A),
     "NOTIMP |  |  | "},
    {"opcode STATUS", PACKET(HEAD("\x10\0", "\1", "\0", "\0", "\0") QN IN_A),
     "NOTIMP |  |  | "},
    {"opcode NOTIFY", PACKET(HEAD("\x20\0", "\1", "\0", "\0", "\0") QN IN_A),
     "NOTIMP |  |  | "},
    {"opcode UPDATE", PACKET(HEAD("\x28\0", "\1", "\0", "\0", "\0") QN IN_A),
     "NOTIMP |  |  | "},
    {"opcode 15", PACKET(HEAD("\x78\0", "\1", "\0", "\0", "\0") QN IN_A),
     "NOTIMP |  |  | "},
    {"class CH",
     PACKET(HEAD("\0\0", "\1", "\0", "\0", "\0") "\7version\4bind\0\0\x10\0\3"),
     "REFUSED |  |  | "},
    {"class ANY", PACKET(HEAD("\0\0", "\1", "\0", "\0", "\0") QN "\0\1\0\xff"),
     "REFUSED |  |  | "},
    {"qname runs out", PACKET(HEAD("\0\0", "\1", "\0", "\0", "\0") "\4mai"),
     "FORMERR |  |  | "},
    {"qname without root", PACKET(HEAD("\0\0", "\1", "\0", "\0", "\0") "\4mail"),
     "FORMERR |  |  | "},
    {"qname is a pointer", PACKET(HEAD("\0\0", "\1", "\0", "\0", "\0") "\xc0\x0c" IN_A),
     "FORMERR |  |  | "},
    {"label type 01", PACKET(HEAD("\0\0", "\1", "\0", "\0", "\0") "\x41xx\0" IN_A),
     "FORMERR |  |  | "},
    {"type missing", PACKET(HEAD("\0\0", "\1", "\0", "\0", "\0") QN), "FORMERR |  |  | "},
    {"class cut", PACKET(HEAD("\0\0", "\1", "\0", "\0", "\0") QN "\0\1\0"),
     "FORMERR |  |  | "},
    {"additional promised, not there",
     PACKET(HEAD("\0\0", "\1", "\0", "\0", "\1") QN IN_A), "FORMERR |  |  | "},
    {"edns",
     PACKET(HEAD("\0\0", "\1", "\0", "\0", "\1")
                QN IN_A OPT("\4\xd0", "\0", "\0\0", "\0\0")),
     "NOERROR aa edns | " MAIL_A " |  | "},
    {"rfc6891_6_1_3 version 1",
     PACKET(HEAD("\0\0", "\1", "\0", "\0", "\1")
                QN IN_A OPT("\4\xd0", "\1", "\0\0", "\0\0")),
     "BADVERS edns |  |  | "},
    {"rfc6891_6_1_2 unknown option",
     PACKET(HEAD("\0\0", "\1", "\0", "\0", "\1")
                QN IN_A OPT("\4\xd0", "\0", "\0\0", "\0\6\xff\xf0\0\2ab")),
     "NOERROR aa edns | " MAIL_A " |  | "},
    {"option longer than the OPT",
     PACKET(HEAD("\0\0", "\1", "\0", "\0", "\1")
                QN IN_A OPT("\4\xd0", "\0", "\0\0", "\0\6\xff\xf0\0\3ab")),
     "FORMERR |  |  | "},
    {"rdata longer than the packet",
     PACKET(HEAD("\0\0", "\1", "\0", "\0", "\1")
                QN IN_A OPT("\4\xd0", "\0", "\0\0", "\0\1")),
     "FORMERR |  |  | "},
    {"two OPTs",
     PACKET(HEAD("\0\0", "\1", "\0", "\0", "\2") QN IN_A OPT(
         "\4\xd0", "\0", "\0\0", "\0\0") OPT("\4\xd0", "\0", "\0\0", "\0\0")),
     "FORMERR |  |  | "},
    {"OPT not owned by the root",
     PACKET(HEAD("\0\0", "\1", "\0", "\0", "\1") QN IN_A
            "\1x" OPT("\4\xd0", "\0", "\0\0", "\0\0")),
     "FORMERR |  |  | "},
    {"an unknown additional record",
     PACKET(HEAD("\0\0", "\1", "\0", "\0", "\1") QN IN_A "\xc0\x0c" IN_A
                                                         "\0\0\0\0\0\4abcd"),
     "NOERROR aa | " MAIL_A " |  | "},
    {"rfc8945 TSIG with a key we do not have",
     PACKET(HEAD("\0\0", "\1", "\0", "\0", "\1") QN IN_A "\1k\0\0\xfa\0\xff\0\0\0\0\0\0"),
     "NOTAUTH |  |  | "},
    {"rfc1995_3 ixfr brings a SOA",
     PACKET(HEAD("\0\0", "\1", "\0", "\1", "\0") QN "\0\xfb\0\1\xc0\x0c\0\6\0\1\0\0\0\0"
                                                    "\0\0"),
     "REFUSED |  |  | "},
};

static void test_packets(void **state)
{
    for (size_t i = 0; i < COUNT_OF(packets); i++)
        run_packet(*state, &packets[i]);
}

static void test_header_bits(void **state)
{
    static const struct {
        const char *name;
        uint8_t in[2], want[2];
    } cases[] = {
        {"none", {0x00, 0x00}, {0x84, 0x00}},
        {"RD is copied", {0x01, 0x00}, {0x85, 0x00}},
        {"CD is copied, AD and Z are not", {0x00, 0x70}, {0x84, 0x10}},
        {"RA, AA, TC, rcode of the query are not", {0x06, 0x8f}, {0x84, 0x00}},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct world *w = *state;
        uint8_t packet[QUERY_UDP_CAP] = HEAD("\0\0", "\1", "\0", "\0", "\0") QN IN_A;
        size_t n;

        memcpy(packet + 2, cases[i].in, 2);
        n = query_answer(&w->ctx, packet, 12 + 18 + 4, sizeof(packet), QUERY_UDP);
        assert_true(n > 12);
        assert_memory_equal(packet, "\x12\x34", 2);
        assert_memory_equal(packet + 2, cases[i].want, 2);
    }
}

/* DO is copied, other flags are cleared; an error carries its extended code. */
static void test_opt_of_the_reply(void **state)
{
    struct world *w = *state;
    uint8_t packet[QUERY_UDP_CAP] = HEAD("\0\0", "\1", "\0", "\0", "\1")
        QN IN_A OPT("\4\xd0", "\0", "\xff\xff", "\0\0");
    uint8_t refused[QUERY_UDP_CAP] = HEAD(
        "\0\0", "\1", "\0", "\0", "\1") "\1x\0" IN_A OPT("\4\xd0", "\0", "\0\0", "\0\0");
    size_t n = query_answer(&w->ctx, packet, 12 + 18 + 4 + 11, sizeof(packet), QUERY_UDP);

    assert_memory_equal(packet + n - 11, "\0\0\x29\x04\xd0\0\0\x80\0\0\0", 11);
    n = query_answer(&w->ctx, refused, 12 + 3 + 4 + 11, sizeof(refused), QUERY_UDP);
    assert_int_equal(n, 12 + 3 + 4 + 17);
    assert_memory_equal(refused + n - 17, "\0\0\x29\x04\xd0\0\0\0\0\0\6\0\x0f\0\2\0\x14",
                        17);
}

/* Every cut and every changed octet of a rich query: no over-read (heap copies of exact
 * size), and whatever comes back is a message that ldns can read. */
static void test_cut_and_changed_packets(void **state)
{
    static const char rich[] = HEAD("\0\0", "\1", "\0", "\0", "\1")
        QN IN_A OPT("\4\xd0", "\0", "\x80\0", "\0\6\xff\xf0\0\2ab");
    struct world *w = *state;

    for (size_t n = 0; n < sizeof(rich); n++)
        for (unsigned change = 0; change < 256; change += 17) {
            uint8_t *packet = mem_new(1, QUERY_UDP_CAP);
            ldns_pkt *pkt = NULL;
            size_t len;

            memcpy(packet, rich, n);
            if (n > 0)
                packet[n - 1] ^= (uint8_t)change;
            len = query_answer(&w->ctx, packet, n, QUERY_UDP_CAP, QUERY_UDP);
            assert_true(len <= QUERY_UDP_CAP);
            if (len > 0)
                assert_int_equal(ldns_wire2pkt(&pkt, packet, len), LDNS_STATUS_OK);
            ldns_pkt_free(pkt);
            free(packet);
        }
}

/* Every answer that the images hold, in every size that cuts it, decodes. */
static void test_every_limit_decodes(void **state)
{
    static const char *const names[] = {
        "example.com.",        "x.y.wild.example.com.", "a.sub.example.com.",
        "chain1.example.com.", "medium.example.com.",   "a.b.old.example.com.",
    };
    static const uint16_t types[] = {RR_MX, RR_NS, RR_A, RR_TXT, RR_AAAA};
    struct world *w = *state;
    uint8_t out[2000];

    for (size_t i = 0; i < COUNT_OF(names); i++)
        for (size_t t = 0; t < COUNT_OF(types); t++)
            for (size_t room = 0; room < 700; room++) {
                struct dname name;
                struct qname q;
                struct answer a;
                ldns_pkt *pkt = NULL;
                size_t at;

                assert_int_equal(dname_parse(span_str(names[i]), NULL, &name), DNAME_OK);
                qname_set(&q, dname_span(&name));
                memset(out, 0, sizeof(out));
                memcpy(out + 12, name.w, name.n);
                out[5] = 1;
                at = 12u + name.n + 4u;
                out[at - 3] = (uint8_t)types[t];
                out[at - 1] = 1;
                answer_write(&zonetab_find(w->zones, &q, false)->im, &q, types[t],
                             out + at, room, &a);
                assert_true(a.len <= room);
                for (int k = 0; k < 3; k++)
                    out[7 + 2 * k] = (uint8_t)a.counts[k];
                assert_int_equal(ldns_wire2pkt(&pkt, out, at + a.len), LDNS_STATUS_OK);
                ldns_pkt_free(pkt);
            }
}

static void test_counters(void **state)
{
    struct world *w = *state;
    const struct stats *all[] = {&w->stats};
    struct buf json;
    uint64_t refused = stats_sum(all, 1, STAT_REFUSED);

    (void)ask(w, "elsewhere.", RR_A, 1232, QUERY_TCP, "REFUSED edns |  |  | ");
    assert_int_equal(stats_sum(all, 1, STAT_REFUSED), refused + 1);
    buf_init(&json, 4096);
    assert_int_equal(stats_json(all, 1, &json), 0);
    assert_non_null(strstr(buf_cstr(&json), "\"rcode_refused\":"));
    buf_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_rfc6672_dname_too_long),
        cmocka_unit_test(test_wildcard_and_negative_with_longest_qname),
        cmocka_unit_test(test_sizes_and_truncation),
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_header_bits),
        cmocka_unit_test(test_opt_of_the_reply),
        cmocka_unit_test(test_cut_and_changed_packets),
        cmocka_unit_test(test_every_limit_decodes),
        cmocka_unit_test(test_counters),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
