/* SPDX-License-Identifier: ISC */
/* images.db itself; what the builder makes of it is in tests/unit/dnsd/test_images.c. */
#include "base/core/hash.h"
#include "base/dns/rrtype.h"
#include "tests/unit/zones/fixture.h"
#include "zones/image.h"
#include "zones/image_build.h"
#include "zones/imagestore.h"

struct seen {
    size_t n, stop_after;
    int64_t ids[8];
    enum imagestore_state states[8];
};

static bool note(void *ctx, const struct imagestore_row *row)
{
    struct seen *s = ctx;

    assert_true(s->n < COUNT_OF(s->ids));
    s->ids[s->n] = row->domain_id;
    s->states[s->n++] = row->state;
    if (row->state == IMAGESTORE_GOOD) {
        assert_true(span_eq_str(row->name, "a.test"));
        assert_true(span_eq_str(row->image, "octets"));
        assert_int_equal(row->serial, 3);
        assert_int_equal(row->at_s, NOW);
    }
    return s->n != s->stop_after;
}

static void put(struct imagestore *s, int64_t id, uint32_t format)
{
    const struct imagestore_row row = {.domain_id = id,
                                       .serial = 3,
                                       .at_s = NOW,
                                       .generator = GENERATE_VERSION,
                                       .format = format,
                                       .name = SPAN_LIT("a.test"),
                                       .image = SPAN_LIT("octets")};
    struct err err = {0};

    assert_int_equal(imagestore_put(s, &row, &err), 0);
}

static void test_rows_come_back_in_order(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    bool was_unusable;
    struct imagestore *s = imagestore_open(f->dir, &was_unusable, &err);
    struct seen seen = {.n = 0};

    assert_non_null(s);
    assert_false(was_unusable);
    assert_int_equal(imagestore_begin(s, &err), 0);
    put(s, 9, IMAGE_VERSION);
    put(s, 4, IMAGE_VERSION);
    put(s, 6, IMAGE_VERSION + 1);
    put(s, 4, IMAGE_VERSION);
    assert_int_equal(imagestore_commit(s, &err), 0);
    assert_int_equal(imagestore_begin(s, &err), 0);
    put(s, 5, IMAGE_VERSION);
    imagestore_rollback(s);
    imagestore_close(&s);
    s = imagestore_open(f->dir, &was_unusable, &err);
    assert_non_null(s);
    assert_int_equal(imagestore_count(s, &err), 3);
    assert_int_equal(imagestore_each(s, 0, note, &seen, &err), 0);
    assert_int_equal(seen.n, 3);
    assert_int_equal(seen.ids[0], 4);
    assert_int_equal(seen.ids[2], 9);
    assert_int_equal(seen.states[1], IMAGESTORE_FOREIGN);
    seen = (struct seen){.stop_after = 1};
    assert_int_equal(imagestore_each(s, 4, note, &seen, &err), 0);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.ids[0], 6);
    assert_int_equal(imagestore_begin(s, &err), 0);
    assert_int_equal(imagestore_remove(s, 6, &err), 0);
    assert_int_equal(imagestore_remove_named(s, SPAN_LIT("a.test"), &err), 0);
    assert_int_equal(imagestore_commit(s, &err), 0);
    assert_int_equal(imagestore_count(s, &err), 0);
    imagestore_close(&s);
}

static void test_no_place_for_it_is_said(void **state)
{
    struct err err = {0};
    bool was_unusable;

    (void)state;
    assert_null(imagestore_open("/nonexistent", &was_unusable, &err));
    assert_non_null(strstr(err.text, "/nonexistent/dns"));
}

/* The compiled form of a fixed domain. When this fails, what a zone gets has changed: raise
 * GENERATE_VERSION (or IMAGE_VERSION, when old images cannot be read), so that images of
 * earlier programs are compiled again, and put the new sum here. */
static void test_the_version_moves_with_the_contents(void **state)
{
    static const uint64_t key[2] = {1, 2};
    struct fixture *f = *state;
    struct err err = {0};
    struct draft dr;
    struct zone *z;
    struct buf image;
    int64_t id;

    begin(f, "domain");
    id = add_domain(f, "example.com");
    must(add_record(f, id, "www.example.com", RR_CNAME, "example.com.", &err),
         DOMAINDB_OK, &err, "record");
    (void)commit(f);
    assert_int_equal(draft_open(&dr, f->d, &err), 0);
    assert_int_equal(draft_zone(&dr, id, &z, &err), DOMAINDB_OK);
    buf_init(&image, IMAGE_SIZE_MAX);
    if (image_build(z, key, &image, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(GENERATE_VERSION, 1);
    assert_int_equal(IMAGE_VERSION, 1);
    assert_int_equal(crc32c(0, buf_all(&image)), 0x0c81d71f);
    buf_free(&image);
    zone_free(&z);
    draft_close(&dr);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_rows_come_back_in_order),
        cmocka_unit_test(test_no_place_for_it_is_said),
        T(test_the_version_moves_with_the_contents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
