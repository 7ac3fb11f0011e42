/* SPDX-License-Identifier: ISC */
/* Steps of the builder against a real database in a folder of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "base/core/wire.h"
#include "base/dns/rrtype.h"
#include "dnsd/build.h"
#include "dnsd/ipc_msgs.h"
#include "dnsd/zonetab.h"
#include "zones/change.h"
#include "zones/domain.h"
#include "zones/host.h"
#include "zones/record.h"

#define NOW 1795000000

struct fixture {
    char dir[64];
    struct domaindb *db;
    struct build *build;
    struct rng rng;
    int64_t host_id;
};

static void begin(struct fixture *f)
{
    const struct change_intent i = {"test", "test", NOW};
    struct err err = {0};

    if (change_begin(f->db, &i, &err) != 0)
        fail_msg("%s", err.text);
}

static void commit(struct fixture *f)
{
    int64_t serial;
    struct err err = {0};

    if (change_commit(f->db, &serial, &err) != 0)
        fail_msg("%s", err.text);
}

static int64_t add_domain(struct fixture *f, const char *name)
{
    struct domain_row row = {
        .host_id = f->host_id, .mx_preference = 10, .created_s = NOW};
    struct err err = {0};

    (void)snprintf(row.name, sizeof(row.name), "%s", name);
    begin(f);
    if (domain_insert(f->db, &row, &err) != DOMAINDB_OK)
        fail_msg("%s", err.text);
    commit(f);
    return row.id;
}

static void remove_domain(struct fixture *f, int64_t id)
{
    struct err err = {0};

    begin(f);
    if (domain_delete(f->db, id, &err) != DOMAINDB_OK)
        fail_msg("%s", err.text);
    commit(f);
}

/* Straight into the database, past the checks of `signpost record add`. */
static int64_t add_record(struct fixture *f, int64_t domain, const char *owner,
                          uint16_t type, const char *rdata)
{
    struct record_row row = {.domain_id = domain, .type = type, .rdata = rdata};
    struct err err = {0};

    (void)snprintf(row.owner, sizeof(row.owner), "%s", owner);
    begin(f);
    if (record_insert(f->db, &row, &err) != DOMAINDB_OK)
        fail_msg("%s", err.text);
    commit(f);
    return row.id;
}

static int setup(void **state)
{
    struct fixture *f = mem_new(1, sizeof(*f));
    struct host_row host = {.name = "mx.ours.test", .roles = HOST_MAIL | HOST_NS};
    struct err err = {0};

    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/signpost-build-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->db = domaindb_open(f->dir, NULL, DOMAINDB_WRITE | DOMAINDB_CREATE, &err);
    if (f->db == NULL)
        fail_msg("%s", err.text);
    assert_true(ipaddr_parse(SPAN_LIT("192.0.2.1"), &host.addr[0]));
    host.n_addr = 1;
    begin(f);
    if (host_insert(f->db, &host, &err) != DOMAINDB_OK)
        fail_msg("%s", err.text);
    f->host_id = host.id;
    commit(f);
    rng_seeded_init(&f->rng, 1);
    f->build = build_new(f->dir, &f->rng);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    static const char *const files[] = {
        "db/signpost.db", "db/signpost.db-wal", "db/signpost.db-shm", "db", "keys", ""};
    struct fixture *f = *state;

    build_free(&f->build);
    domaindb_close(&f->db);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/%s", f->dir, files[i]);
        if (unlink(path) != 0)
            (void)rmdir(path);
    }
    free(f);
    return 0;
}

/* "+ours.test!bad.test-gone.test" in the order of the step, and every image opened. */
static struct batch *step(struct fixture *f, const char *want)
{
    struct batch *t = build_step(f->build, false);
    struct buf text;
    uint8_t *map = NULL;
    size_t at = 0;
    size_t built = 0;

    if (t->is_failed)
        fail_msg("%s", t->err.text);
    buf_init(&text, 65536);
    for (size_t i = 0; i < t->n_items; i++) {
        built += t->items[i].news == BUILD_BUILT;
        assert_int_equal(
            buf_printf(&text, "%c%s", "+!-="[t->items[i].news], t -> items[i].zone), 0);
    }
    assert_string_equal(buf_cstr(&text), want);
    buf_free(&text);
    assert_int_equal(built, t->count);
    if (t->fd != -1)
        map = mmap(NULL, (size_t)t->octets, PROT_READ, MAP_SHARED, t->fd, 0);
    for (uint32_t i = 0; i < t->count; i++) {
        struct image_header h;
        struct zone_live *z;
        struct err err;

        memcpy(&h, map + at, sizeof(h));
        z = zone_live_new(span_of(map + at, h.size), &err);
        assert_non_null(z);
        free(z);
        at += h.size;
    }
    assert_int_equal(at, t->octets);
    if (map != NULL) {
        assert_int_equal(ftruncate(t->fd, 0), -1); /* sealed */
        (void)munmap(map, (size_t)t->octets);
    }
    return t;
}

static void step_free(struct fixture *f, const char *want)
{
    struct batch *t = step(f, want);

    batch_free(&t);
}

static void test_only_what_changed_is_built(void **state)
{
    struct fixture *f = *state;
    int64_t a;
    int64_t b;

    step_free(f, "");
    a = add_domain(f, "a.test");
    b = add_domain(f, "b.test");
    step_free(f, "+b.test+a.test");
    step_free(f, "");
    (void)add_record(f, b, "www.b.test", RR_A, "192.0.2.7");
    step_free(f, "+b.test");
    remove_domain(f, a);
    step_free(f, "-a.test");
    step_free(f, "");
    build_restart(f->build);
    step_free(f, "+b.test");
}

static void test_a_change_of_the_host_builds_all(void **state)
{
    struct fixture *f = *state;
    struct host_set hosts;
    struct err err;

    (void)add_domain(f, "a.test");
    (void)add_domain(f, "b.test");
    step_free(f, "+b.test+a.test");
    assert_int_equal(host_set_load(f->db, &hosts, &err), 0);
    assert_true(ipaddr_parse(SPAN_LIT("192.0.2.9"), &hosts.host[0].addr[0]));
    begin(f);
    assert_int_equal(host_update(f->db, &hosts.host[0], &err), DOMAINDB_OK);
    commit(f);
    host_set_free(&hosts);
    step_free(f, "+b.test+a.test");
}

static void test_a_zone_that_fails_says_why(void **state)
{
    struct fixture *f = *state;
    int64_t a = add_domain(f, "a.test");
    int64_t bad;
    struct batch *t;
    struct err err;

    step_free(f, "+a.test");
    bad = add_record(f, a, "a.test", RR_CNAME, "elsewhere.test.");
    t = step(f, "!a.test");
    assert_true(t->items[0].why[0] != '\0');
    assert_int_equal(t->withheld.len, 0); /* the last good one goes on being served */
    batch_free(&t);
    build_free(&f->build);
    f->build = build_new(f->dir, &f->rng); /* after a restart there is no good one */
    t = step(f, "!a.test");
    assert_int_equal(t->withheld.len, 2 + 8);
    batch_free(&t);
    begin(f);
    assert_int_equal(record_delete(f->db, bad, &err), DOMAINDB_OK);
    commit(f);
    step_free(f, "+a.test");
}

static void test_losing_everything_at_once_needs_a_word(void **state)
{
    struct fixture *f = *state;
    int64_t a = add_domain(f, "a.test");
    int64_t b = add_domain(f, "b.test");
    struct batch *t;

    step_free(f, "+b.test+a.test");
    remove_domain(f, a);
    remove_domain(f, b);
    t = step(f, "");
    assert_true(t->is_empty_refused);
    batch_free(&t);
    t = build_step(f->build, true);
    assert_int_equal(t->n_items, 2);
    assert_int_equal(t->removed.len, 2 * (2 + 8));
    batch_free(&t);
    a = add_domain(f, "c.test"); /* a lone domain may simply go */
    step_free(f, "+c.test");
    remove_domain(f, a);
    step_free(f, "-c.test");
}

static void test_a_missing_database_is_a_reason_not_an_end(void **state)
{
    struct fixture *f = *state;
    char path[128];
    char away[140];
    struct batch *t;
    struct err err = {0};

    (void)add_domain(f, "a.test");
    (void)snprintf(path, sizeof(path), "%s/db", f->dir);
    (void)snprintf(away, sizeof(away), "%s/db.away", f->dir);
    assert_int_equal(rename(path, away), 0);
    t = build_step(f->build, false);
    assert_true(t->is_failed);
    assert_true(t->err.text[0] != '\0');
    assert_int_equal(t->fd, -1);
    batch_free(&t);
    assert_int_equal(build_check(f->dir, &err), -1);
    assert_int_equal(rename(away, path), 0);
    assert_int_equal(build_check(f->dir, &err), 0);
    step_free(f, "+a.test");
}

static void test_settled_zones_are_built_again(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    int n;

    (void)add_domain(f, "a.test");
    step_free(f, "+a.test");
    assert_int_equal(domain_settle(f->db, NOW + 3600, NOW - 1, &n, &err), 0);
    step_free(f, "");
    assert_int_equal(domain_settle(f->db, NOW + 90000, NOW, &n, &err), 0);
    step_free(f, "+a.test");
}

/* More zones than one batch holds come in several. */
static void test_many_zones_come_in_batches(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    size_t total = 0;
    int steps = 0;

    begin(f);
    for (int i = 0; i < 2500; i++) {
        struct domain_row row = {.host_id = f->host_id, .created_s = NOW};

        (void)snprintf(row.name, sizeof(row.name), "d%d.test", i);
        assert_int_equal(domain_insert(f->db, &row, &err), DOMAINDB_OK);
    }
    commit(f);
    for (;;) {
        struct batch *t = build_step(f->build, false);
        size_t left = t->left;

        total += t->count;
        batch_free(&t);
        steps++;
        if (left == 0)
            break;
    }
    assert_int_equal(total, 2500);
    assert_true(steps > 1);
}

static void test_messages_are_read_back(void **state)
{
    struct d_images in = {7, 1ull << 40};
    struct d_images out;
    struct d_stats_result json = {SPAN_LIT("{}")};
    struct d_stats_result json_out;
    struct buf b;
    struct wr w;

    (void)state;
    buf_init(&b, 1024);
    wr_init(&w, &b);
    d_images_encode(&in, &w);
    assert_true(d_images_decode(buf_all(&b), &out));
    assert_int_equal(out.octets, in.octets);
    assert_false(d_images_decode(span_take(buf_all(&b), b.len - 1), &out));
    buf_reset(&b);
    d_stats_result_encode(&json, &w);
    assert_true(d_stats_result_decode(buf_all(&b), &json_out));
    assert_true(span_eq(json.json, json_out.json));
    assert_int_equal(buf_byte(&b, 0), 0);
    assert_false(d_stats_result_decode(buf_all(&b), &json_out));
    buf_free(&b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_only_what_changed_is_built),
        T(test_a_change_of_the_host_builds_all),
        T(test_a_zone_that_fails_says_why),
        T(test_losing_everything_at_once_needs_a_word),
        T(test_a_missing_database_is_a_reason_not_an_end),
        T(test_settled_zones_are_built_again),
        T(test_many_zones_come_in_batches),
        cmocka_unit_test(test_messages_are_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
