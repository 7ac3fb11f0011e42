/* SPDX-License-Identifier: ISC */
/* The zone table and the rule by which memory goes: alone, and with readers that never stop
 * while a writer replaces everything under them (run this one under the thread sanitizer). */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/clock.h"
#include "base/core/mem.h"
#include "dnsd/answer.h"
#include "dnsd/grace.h"
#include "dnsd/zonetab.h"
#include "zones/image_build.h"

static void retire(void *ctx, void *memory)
{
    grace_retire(ctx, memory);
}

static struct zone_live *make(const char *apex, unsigned serial)
{
    static const uint64_t key[2] = {3, 4};
    struct dname name;
    struct zone *z;
    struct buf image;
    struct zone_live *live;
    char soa[64];
    struct err err = {0};

    assert_int_equal(dname_parse(span_str(apex), NULL, &name), DNAME_OK);
    z = zone_new(dname_span(&name), 0);
    (void)snprintf(soa, sizeof(soa), "ns. root. %u 1 2 3 4", serial);
    assert_int_equal(zone_add_text(z, "@", RR_SOA, 60, soa, "t", &err), 0);
    buf_init(&image, IMAGE_SIZE_MAX);
    assert_int_equal(image_build(z, key, &image, &err), 0);
    live = zone_live_new(buf_all(&image), &err);
    assert_non_null(live);
    buf_free(&image);
    zone_free(&z);
    return live;
}

static struct qname ask(const char *name)
{
    struct dname d;
    struct qname q;

    assert_int_equal(dname_parse(span_str(name), NULL, &d), DNAME_OK);
    qname_set(&q, dname_span(&d));
    return q;
}

static unsigned serial_at(const struct zonetab *t, const char *name)
{
    struct qname q = ask(name);
    const struct zone_live *z = zonetab_find(t, &q, false);

    return z == NULL ? 0 : z->im.head->soa_serial;
}

static void test_deepest_zone_wins(void **state)
{
    struct grace *g = grace_new(1);
    struct rng rng;
    struct zonetab *t;
    struct qname q = ask("a.b.example.com.");

    (void)state;
    rng_seeded_init(&rng, 1);
    t = zonetab_new(&rng, retire, g);
    assert_int_equal(serial_at(t, "example.com."), 0);
    zonetab_put(t, make("example.com.", 1));
    zonetab_put(t, make("b.example.com.", 2));
    zonetab_put(t, make("org.", 3));
    assert_int_equal(serial_at(t, "example.com."), 1);
    assert_int_equal(serial_at(t, "EXAMPLE.com."), 1);
    assert_int_equal(serial_at(t, "x.example.com."), 1);
    assert_int_equal(serial_at(t, "a.b.example.com."), 2);
    assert_int_equal(serial_at(t, "a.b.c.org."), 3);
    assert_int_equal(serial_at(t, "com."), 0);
    assert_int_equal(serial_at(t, "."), 0);
    assert_int_equal(zonetab_find(t, &q, true)->im.head->soa_serial, 2);
    q = ask("b.example.com.");
    assert_int_equal(zonetab_find(t, &q, true)->im.head->soa_serial, 1);
    zonetab_put(t, make("b.example.com.", 9));
    assert_int_equal(serial_at(t, "a.b.example.com."), 9);
    assert_int_equal(zonetab_count(t), 3);
    assert_true(zonetab_remove(t, SPAN_LIT("\1B\7example\3com\0")));
    assert_false(zonetab_remove(t, SPAN_LIT("\1b\7example\3com\0")));
    assert_int_equal(serial_at(t, "a.b.example.com."), 1);
    zonetab_put(t, make("b.example.com.", 10));
    assert_int_equal(serial_at(t, "a.b.example.com."), 10);
    zonetab_put(t, make(".", 11));
    assert_int_equal(serial_at(t, "net."), 11);
    assert_true(zonetab_octets(t) > 0);
    zonetab_free(&t);
    grace_free(&g);
}

/* Adding to 100,000 zones must not copy them all: the bound is generous for a busy machine
 * and still a tenth of what the issue allows. */
static void test_adding_one_to_many_is_quick(void **state)
{
    enum { MANY = 100000 };
    struct grace *g = grace_new(1);
    struct rng rng;
    struct zonetab *t;
    struct zone_live *one;
    int64_t us;
    char name[64];

    (void)state;
    rng_seeded_init(&rng, 1);
    t = zonetab_new(&rng, retire, g);
    for (int i = 0; i < MANY; i++) {
        struct dname apex;

        (void)snprintf(name, sizeof(name), "zone-%d.example.", i);
        assert_int_equal(dname_parse(span_str(name), NULL, &apex), DNAME_OK);
        zonetab_put(t, zone_live_broken(dname_span(&apex)));
    }
    assert_int_equal(zonetab_count(t), MANY);
    one = make("new.example.", 5);
    us = clock_mono_us(clock_system());
    zonetab_put(t, one);
    us = clock_mono_us(clock_system()) - us;
    assert_true(us < 10000);
    assert_int_equal(serial_at(t, "www.new.example."), 5);
    for (int i = 0; i < MANY; i += 997) {
        struct qname q;

        (void)snprintf(name, sizeof(name), "x.zone-%d.example.", i);
        q = ask(name);
        assert_non_null(zonetab_find(t, &q, false));
    }
    zonetab_free(&t);
    grace_free(&g);
}

static void test_memory_waits_for_readers(void **state)
{
    struct grace *g = grace_new(2);

    (void)state;
    grace_retire(g, mem_new(1, 8));
    assert_int_equal(grace_sweep(g), 0); /* nobody is reading */
    grace_enter(g, 0);
    grace_retire(g, mem_new(1, 8));
    grace_enter(g, 1); /* entered after: cannot have seen it */
    assert_int_equal(grace_sweep(g), 1);
    grace_leave(g, 1);
    assert_int_equal(grace_sweep(g), 1);
    grace_enter(g, 0); /* a new batch: has passed */
    assert_int_equal(grace_sweep(g), 0);
    grace_retire(g, mem_new(1, 8));
    grace_leave(g, 0);
    assert_int_equal(grace_sweep(g), 0);
    grace_retire(g, mem_new(1, 8));
    grace_free(&g); /* frees what waits */
    assert_null(g);
}

struct race {
    struct zonetab *t;
    struct grace *g;
    atomic_bool is_over;
    atomic_ullong found;
};

static void *reader(void *ctx)
{
    struct race *r = ctx;
    struct qname q = ask("www.moving.example.");
    struct qname gone = ask("coming.example.");
    uint8_t out[600];

    while (!atomic_load(&r->is_over)) {
        const struct zone_live *z;
        struct answer a;

        grace_enter(r->g, 0);
        z = zonetab_find(r->t, &q, false);
        if (z != NULL && z->im.p != NULL) {
            answer_write(&z->im, &q, RR_A, out, sizeof(out), &a);
            if (a.rcode == RCODE_NXDOMAIN && a.len > 20)
                (void)atomic_fetch_add(&r->found, 1);
        }
        z = zonetab_find(r->t, &gone, false);
        if (z != NULL && z->im.p != NULL)
            answer_write(&z->im, &gone, RR_SOA, out, sizeof(out), &a);
        grace_leave(r->g, 0);
    }
    return NULL;
}

static void test_readers_never_see_freed_memory(void **state)
{
    struct race r = {.g = grace_new(1)};
    struct rng rng;
    pthread_t thread;
    char name[64];

    (void)state;
    rng_seeded_init(&rng, 1);
    r.t = zonetab_new(&rng, retire, r.g);
    zonetab_put(r.t, make("moving.example.", 1));
    assert_int_equal(pthread_create(&thread, NULL, reader, &r), 0);
    for (unsigned i = 0; i < 1500 || (atomic_load(&r.found) < 100 && i < 1000000); i++) {
        zonetab_put(r.t, make("moving.example.", i));
        (void)snprintf(name, sizeof(name), "other-%u.example.", i % 400);
        zonetab_put(r.t, make(name, i));
        zonetab_put(r.t, make("coming.example.", i));
        assert_true(zonetab_remove(r.t, SPAN_LIT("\6coming\7example\0")));
        (void)grace_sweep(r.g);
    }
    atomic_store(&r.is_over, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(grace_sweep(r.g), 0);
    zonetab_free(&r.t);
    grace_free(&r.g);
}

/* A builder that was started anew says all it knows; what it does not name is gone. */
static void test_a_round_drops_what_was_not_named(void **state)
{
    struct grace *g = grace_new(1);
    struct rng rng;
    struct zonetab *t;
    struct dname bad;

    (void)state;
    rng_seeded_init(&rng, 1);
    t = zonetab_new(&rng, retire, g);
    assert_int_equal(dname_parse(SPAN_LIT("bad.test."), NULL, &bad), DNAME_OK);
    zonetab_put(t, make("kept.test.", 1));
    zonetab_put(t, make("gone.test.", 1));
    zonetab_put(t, make("bad.test.", 1));
    zonetab_round(t);
    zonetab_put(t, make("kept.test.", 2));
    zonetab_put(t, make("new.test.", 2));
    assert_true(zonetab_touch(t, dname_span(&bad)));
    assert_int_equal(serial_at(t, "gone.test."), 1); /* until the end of the round */
    assert_int_equal(zonetab_drop_untouched(t), 1);
    assert_int_equal(zonetab_count(t), 3);
    assert_int_equal(serial_at(t, "gone.test."), 0);
    assert_int_equal(serial_at(t, "kept.test."), 2);
    assert_int_equal(serial_at(t, "bad.test."), 1);
    assert_int_equal(zonetab_drop_untouched(t), 0);
    zonetab_free(&t);
    grace_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deepest_zone_wins),
        cmocka_unit_test(test_adding_one_to_many_is_quick),
        cmocka_unit_test(test_memory_waits_for_readers),
        cmocka_unit_test(test_a_round_drops_what_was_not_named),
        cmocka_unit_test(test_readers_never_see_freed_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
