/* SPDX-License-Identifier: ISC */
/* Answering allocates nothing. This program brings its own base/core/mem.c, which counts;
 * check-style sees to it that nothing else in the tree calls the C library's allocator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "base/dns/message.h"
#include "dnsd/query.h"
#include "zones/image_build.h"
#include "zones/zonefile.h"

static unsigned long calls;

static void *counted(void *p, size_t n, size_t size)
{
    calls++;
    p = reallocarray(p, n, size);
    if (p == NULL)
        abort();
    return p;
}

void *mem_new(size_t n, size_t size)
{
    return memset(counted(NULL, n, size), 0, n * size);
}

void *mem_resize(void *p, size_t n, size_t size)
{
    return counted(p, n, size);
}

void *mem_dup(const void *p, size_t n)
{
    return memcpy(counted(NULL, n, 1), p, n);
}

char *mem_strdup(const char *text)
{
    return mem_dup(text, strlen(text) + 1);
}

static const char zone_text[] =
    "$TTL 300\n"
    "@ SOA ns1 root 1 2 3 4 5\n"
    "@ NS ns1\n@ MX 10 mail\n@ TXT \"v=spf1 -all\"\n"
    "ns1 A 192.0.2.1\nmail A 192.0.2.2\nmail AAAA 2001:db8::2\n"
    "www CNAME mail\n*.w TXT wild\nsub NS ns.sub\nns.sub A 192.0.2.3\n"
    "old DNAME new.\na.b.c.d A 192.0.2.4\n"
    "$GENERATE 1-60 big TXT \"a text that is long enough to be truncated $\"\n";

static const struct {
    const char *name;
    uint16_t type, edns;
} questions[] = {
    {"example.com.", RR_MX, 1232},     {"example.com.", RR_SOA, 0},
    {"MAIL.example.com.", RR_A, 1232}, {"www.example.com.", RR_AAAA, 1232},
    {"x.y.w.example.com.", RR_TXT, 0}, {"no.such.name.example.com.", RR_A, 4096},
    {"c.d.example.com.", RR_A, 1232},  {"a.sub.example.com.", RR_A, 1232},
    {"a.old.example.com.", RR_A, 512}, {"big.example.com.", RR_TXT, 1232},
    {"elsewhere.net.", RR_A, 1232},    {"example.com.", RR_ANY, 1232},
    {"example.com.", RR_AXFR, 1232},   {"example.com.", RR_DS, 0},
};

static void free_now(void *ctx, void *memory)
{
    (void)ctx;
    free(memory);
}

static struct zonetab *load(void)
{
    static const uint64_t key[2] = {1, 2};
    struct dname apex;
    struct err err = {0};
    struct rng rng;
    struct zonetab *t;
    struct zone *z;
    struct buf image;

    rng_seeded_init(&rng, 1);
    t = zonetab_new(&rng, free_now, NULL);
    assert_int_equal(dname_parse(SPAN_LIT("example.com."), NULL, &apex), DNAME_OK);
    z = zonefile_parse("zone", span_of(zone_text, sizeof(zone_text) - 1),
                       dname_span(&apex), "test", &err);
    if (z == NULL)
        fail_msg("%s", err.text);
    buf_init(&image, IMAGE_SIZE_MAX);
    assert_int_equal(image_build(z, key, &image, &err), 0);
    zonetab_put(t, zone_live_new(buf_all(&image), &err));
    buf_free(&image);
    zone_free(&z);
    return t;
}

static void test_the_counter_counts(void **state)
{
    unsigned long before = calls;
    char *volatile p = mem_new(1, 1);

    (void)state;
    p = mem_resize(p, 2, 1);
    assert_int_equal(calls, before + 2);
    free(p);
}

static void test_answering_allocates_nothing(void **state)
{
    static uint8_t packet[QUERY_TCP_CAP];
    static struct stats stats;
    struct zonetab *t = load();
    struct query_ctx ctx = {t, &stats};
    size_t answered = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(questions); i++)
        for (int transport = QUERY_UDP; transport <= QUERY_TCP; transport++) {
            struct message_query q = {.type = questions[i].type,
                                      .class = RRCLASS_IN,
                                      .edns_payload = questions[i].edns};
            struct dname name;
            struct buf query;
            unsigned long before;

            buf_init(&query, 600);
            assert_int_equal(dname_parse(span_str(questions[i].name), NULL, &name),
                             DNAME_OK);
            assert_int_equal(message_put_query(&query, dname_span(&name), &q), 0);
            before = calls;
            for (int k = 0; k < 1000; k++) {
                memcpy(packet, query.data, query.len);
                answered += query_answer(&ctx, packet, query.len, sizeof(packet),
                                         (enum query_transport)transport) > 0;
            }
            assert_int_equal(calls - before, 0);
            buf_free(&query);
        }
    assert_int_equal(answered, 2000 * COUNT_OF(questions));
    zonetab_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_counter_counts),
        cmocka_unit_test(test_answering_allocates_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
