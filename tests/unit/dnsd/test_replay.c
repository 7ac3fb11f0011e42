/* SPDX-License-Identifier: ISC */
/* Plays tests/replay/dns_*.dns against the answer engine. A file has, line by line:
 *
 *   zone APEX            master file text up to a line `end`
 *   ask NAME TYPE [edns=OCTETS] [tcp]
 *   hex OCTETS           a packet by hand, by UDP; blanks are skipped
 *   want TEXT            of the question before: "silence", or
 *                        RCODE [aa] [tc] [edns] | answer | authority | additional
 *                        with records as "owner ttl TYPE rdata", "; " between them
 *
 * Recorded questions of the wild, and whatever was once answered wrongly, go there. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/codec.h"
#include "base/core/mem.h"
#include "base/dns/message.h"
#include "base/dns/rdata.h"
#include "dnsd/query.h"
#include "zones/image_build.h"
#include "zones/zonefile.h"

struct replay {
    const char *path;
    unsigned line;
    struct zonetab *zones;
    struct stats stats;
    struct buf zone_text;
    struct dname apex; /* n > 0: inside a zone */
    struct buf reply;  /* as text */
    bool has_reply;
    unsigned n_wants;
};

static void free_now(void *ctx, void *memory)
{
    (void)ctx;
    free(memory);
}

static void load_zone(struct replay *r)
{
    static const uint64_t key[2] = {1, 2};
    struct err err = {0};
    struct zone *z = zonefile_parse(r->path, buf_all(&r->zone_text), dname_span(&r->apex),
                                    "replay", &err);
    struct buf image;
    struct zone_live *live;

    if (z == NULL)
        fail_msg("%s", err.text);
    buf_init(&image, IMAGE_SIZE_MAX);
    if (image_build(z, key, &image, &err) != 0)
        fail_msg("%s: %s", r->path, err.text);
    live = zone_live_new(buf_all(&image), &err);
    assert_non_null(live);
    zonetab_put(r->zones, live);
    buf_free(&image);
    zone_free(&z);
    r->apex.n = 0;
}

static void print_rr(struct span packet, const struct message_rr *rr, struct buf *out)
{
    char owner[DNAME_TEXT];
    char type[RRTYPE_TEXT];
    struct buf rdata;

    buf_init(&rdata, RDATA_MAX);
    (void)dname_print(dname_span(&rr->owner), owner);
    assert_int_equal(rdata_unpack(rr->type, packet, rr->rdata_at, rr->rdata.n, &rdata),
                     0);
    assert_int_equal(
        buf_printf(out, "%s %u %s ", owner, rr->ttl_s, rrtype_print(rr->type, type)), 0);
    assert_int_equal(rdata_print(rr->type, buf_all(&rdata), out), 0);
    buf_free(&rdata);
}

static void print_reply(struct span packet, struct buf *out)
{
    struct buf sections[4];
    struct message m;
    struct message_rr rr;
    bool has_opt = false;
    unsigned rcode;
    enum message_result got;

    for (int i = 0; i < 4; i++)
        buf_init(&sections[i], 1 << 20);
    assert_true(message_open(&m, packet));
    rcode = message_rcode(&m);
    while ((got = message_next(&m, &rr)) == MESSAGE_OK) {
        struct buf *s = &sections[rr.section];

        if (rr.type == RR_OPT && rr.section == MESSAGE_ADDITIONAL) {
            has_opt = true;
            rcode |= rr.ttl_s >> 24 << 4;
        } else if (rr.section != MESSAGE_QUESTION) {
            assert_int_equal(buf_str(s, s->len > 0 ? "; " : ""), 0);
            print_rr(packet, &rr, s);
        }
    }
    assert_int_equal(got, MESSAGE_END);
    assert_int_equal(
        buf_printf(out, "%s%s%s%s", rcode_name(rcode), m.flags & MESSAGE_AA ? " aa" : "",
                   m.flags & MESSAGE_TC ? " tc" : "", has_opt ? " edns" : ""),
        0);
    for (int i = 1; i < 4; i++) {
        assert_int_equal(buf_str(out, sections[i].len > 0 ? " | " : " |"), 0);
        assert_int_equal(buf_span(out, buf_all(&sections[i])), 0);
        buf_free(&sections[i]);
    }
}

static void answer(struct replay *r, struct span query, enum query_transport transport)
{
    struct query_ctx ctx = {r->zones, &r->stats};
    size_t cap = transport == QUERY_UDP ? QUERY_UDP_CAP : QUERY_TCP_CAP;
    uint8_t *packet = mem_new(1, cap);
    size_t n;

    assert_true(query.n <= cap);
    if (query.n > 0)
        memcpy(packet, query.p, query.n);
    n = query_answer(&ctx, packet, query.n, cap, transport);
    buf_reset(&r->reply);
    if (n == 0)
        assert_int_equal(buf_str(&r->reply, "silence"), 0);
    else
        print_reply(span_of(packet, n), &r->reply);
    r->has_reply = true;
    free(packet);
}

static void ask(struct replay *r, struct span rest)
{
    struct message_query q = {.id = 1, .class = RRCLASS_IN};
    enum query_transport transport = QUERY_UDP;
    struct span word;
    struct dname name;
    struct buf query;
    uint64_t octets;

    assert_true(span_word(&rest, &word));
    assert_int_equal(dname_parse(word, NULL, &name), DNAME_OK);
    assert_true(span_word(&rest, &word));
    assert_true(rrtype_parse(word, &q.type));
    while (span_word(&rest, &word))
        if (span_eq_str(word, "tcp")) {
            transport = QUERY_TCP;
        } else {
            assert_true(span_starts(word, SPAN_LIT("edns=")));
            assert_true(span_to_u64(span_drop(word, 5), UINT16_MAX, &octets));
            q.edns_payload = (uint16_t)octets;
        }
    buf_init(&query, 600);
    assert_int_equal(message_put_query(&query, dname_span(&name), &q), 0);
    answer(r, buf_all(&query), transport);
    buf_free(&query);
}

static void by_hand(struct replay *r, struct span rest)
{
    struct buf digits;
    struct buf packet;
    struct span word;

    buf_init(&digits, 4 * QUERY_UDP_CAP);
    buf_init(&packet, QUERY_UDP_CAP);
    while (span_word(&rest, &word))
        assert_int_equal(buf_span(&digits, word), 0);
    assert_true(hex_decode(buf_all(&digits), &packet));
    answer(r, buf_all(&packet), QUERY_UDP);
    buf_free(&digits);
    buf_free(&packet);
}

static void want(struct replay *r, struct span rest)
{
    rest = span_trim(rest);
    assert_true(r->has_reply);
    if (!span_eq(rest, buf_all(&r->reply)))
        fail_msg("%s:%u\n want %.*s\n have %s", r->path, r->line, (int)rest.n,
                 (const char *)rest.p, buf_cstr(&r->reply));
    r->n_wants++;
}

static void play_line(struct replay *r, struct span line)
{
    static const struct {
        const char *word;
        void (*run)(struct replay *r, struct span rest);
    } verbs[] = {{"ask", ask}, {"hex", by_hand}, {"want", want}};
    struct span rest = line;
    struct span word;

    if (r->apex.n > 0) {
        if (span_eq_str(line, "end")) {
            load_zone(r);
            return;
        }
        assert_int_equal(buf_span(&r->zone_text, line), 0);
        assert_int_equal(buf_byte(&r->zone_text, '\n'), 0);
        return;
    }
    if (line.n == 0 || line.p[0] == '#')
        return;
    assert_true(span_word(&rest, &word));
    if (span_eq_str(word, "zone")) {
        buf_reset(&r->zone_text);
        assert_int_equal(dname_parse(span_trim(rest), NULL, &r->apex), DNAME_OK);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (span_eq_str(word, verbs[i].word)) {
            verbs[i].run(r, rest);
            return;
        }
    fail_msg("%s:%u: unknown word %.*s", r->path, r->line, SPAN_ARG(word));
}

static void play(const char *path)
{
    struct replay *r = aligned_alloc(_Alignof(struct replay), sizeof(*r));
    struct rng rng;
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;

    assert_non_null(f);
    assert_non_null(r);
    memset(r, 0, sizeof(*r));
    rng_seeded_init(&rng, 1);
    r->path = path;
    r->zones = zonetab_new(&rng, free_now, NULL);
    buf_init(&r->zone_text, 1 << 20);
    buf_init(&r->reply, 1 << 20);
    while ((n = getline(&line, &cap, f)) > 0) {
        r->line++;
        play_line(r, span_of(line, (size_t)(n - (line[n - 1] == '\n'))));
    }
    assert_true(r->n_wants > 0);
    (void)fclose(f);
    free(line);
    buf_free(&r->zone_text);
    buf_free(&r->reply);
    zonetab_free(&r->zones);
    free(r);
}

static void test_files(void **state)
{
    glob_t g;

    (void)state;
    assert_int_equal(glob("tests/replay/dns_*.dns", 0, NULL, &g), 0);
    for (size_t i = 0; i < g.gl_pathc; i++)
        play(g.gl_pathv[i]);
    globfree(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
