/* SPDX-License-Identifier: ISC */
/* Starts of the builder on every state that docs/STATES.md knows of images.db (D1..D9). */
#include "tests/unit/dnsd/builder_world.h"
#include "zones/generate.h"
#include "zones/imagestore.h"

static struct imagestore *open_store(const struct world *w)
{
    struct err err = {0};
    bool was_unusable;
    struct imagestore *s = imagestore_open(w->dir, &was_unusable, &err);

    if (s == NULL)
        fail_msg("%s", err.text);
    return s;
}

struct row {
    struct imagestore_row row;
    char name[256];
    uint8_t *image;
};

static bool copy_row(void *ctx, const struct imagestore_row *row)
{
    struct row *r = ctx;

    r->row = *row;
    assert_true(span_copy(row->name, r->name, sizeof(r->name)));
    r->row.name = span_str(r->name);
    r->image = mem_new(1, row->image.n);
    memcpy(r->image, row->image.p, row->image.n);
    r->row.image = span_of(r->image, row->image.n);
    return false;
}

static bool exists(const struct world *w, const char *rest)
{
    char path[160];

    path_in(w, rest, path);
    return access(path, F_OK) == 0;
}

static uint32_t crc_of(struct world *w, const char *name)
{
    struct served *z = served(w, name);

    assert_non_null(z);
    assert_false(z->is_withheld);
    return z->crc;
}

static void test_a_start_compiles_only_what_changed(void **state)
{
    struct world *w = *state;
    int64_t a = add_domain(w, "a.test");
    uint32_t crc_a, crc_b;

    (void)add_domain(w, "b.test");
    live(w); /* D1: no file */
    assert_true(log_said(w, "dns.images.loaded zones=0"));
    crc_a = crc_of(w, "a.test");
    crc_b = crc_of(w, "b.test");
    live(w);
    assert_int_equal(w->images, 2); /* the hash key is random: so nothing was compiled */
    assert_int_equal(crc_of(w, "a.test"), crc_a);
    assert_int_equal(crc_of(w, "b.test"), crc_b);
    (void)add_record(w, a, "www.a.test", RR_A, "192.0.2.7");
    (void)add_domain(w, "c.test");
    live(w);
    /* D5: two old images and the missing zone come before the first answer, a.test after it */
    assert_int_equal(w->images_at_loaded, 3);
    assert_int_equal(w->images, 4);
    assert_int_not_equal(crc_of(w, "a.test"), crc_a);
    assert_int_equal(crc_of(w, "b.test"), crc_b);
    assert_true(log_said(w, "zones=2 stale=1 newer=0 damaged=0 format=0 orphans=0"));
}

static void test_a_change_of_all_zones_makes_all_stale(void **state)
{
    struct world *w = *state;
    struct err err = {0};

    (void)add_domain(w, "a.test");
    (void)add_domain(w, "b.test");
    live(w);
    begin(w);
    assert_int_equal(setting_put(w->db, "serial_base", "7", &err), DOMAINDB_OK);
    (void)commit(w);
    live(w);
    assert_int_equal(w->images_at_loaded, 2);
    assert_int_equal(w->images, 4);
}

static void test_the_last_good_answers_outlive_a_restart(void **state)
{
    struct world *w = *state;
    int64_t a = add_domain(w, "a.test");
    uint32_t crc;

    live(w);
    crc = crc_of(w, "a.test");
    (void)add_record(w, a, "a.test", RR_CNAME, "elsewhere.test."); /* lint refuses */
    for (int i = 0; i < 3; i++) {
        live(w);
        assert_int_equal(crc_of(w, "a.test"), crc);
        assert_true(log_said(w, "dns.zone.refused zone=a.test"));
    }
    (void)add_domain(w, "b.test");
    (void)add_record(w, a + 1, "b.test", RR_CNAME, "elsewhere.test.");
    live(w);
    assert_true(served(w, "b.test")->is_withheld); /* never had a good one */
}

static void test_a_file_that_is_no_database_is_set_aside(void **state)
{
    struct world *w = *state;
    char path[160];
    int fd;

    (void)add_domain(w, "a.test");
    live(w);
    path_in(w, "dns/images.db", path);
    fd = open(path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, "this is a text, not a database", 30), 30);
    (void)close(fd);
    path_in(w, "dns/images.db-wal", path); /* it would mend the file */
    assert_int_equal(unlink(path), 0);
    live(w);
    assert_true(log_said(w, "dns.images.unusable"));
    assert_true(exists(w, "dns/images.db.unusable"));
    assert_int_equal(w->images, 1);
    live(w);
    assert_true(log_said(w, "dns.images.loaded zones=1"));
}

static void test_a_file_of_a_newer_program_is_set_aside(void **state)
{
    struct world *w = *state;
    const struct db_options o = {.mode = DB_WRITE, .busy_ms = 1000};
    char path[160];
    struct err err = {0};
    struct db *db;

    (void)add_domain(w, "a.test");
    live(w);
    path_in(w, "dns/images.db", path);
    db = db_open(path, &o, &err);
    assert_non_null(db);
    assert_int_equal(db_exec(db, "PRAGMA user_version = 9", &err), 0);
    db_close(&db);
    live(w);
    assert_true(log_said(w, "dns.images.unusable"));
    assert_non_null(served(w, "a.test"));
}

/* Whatever octets are changed: what is served is right in the end, and never anything that was
 * not compiled here. */
static void test_damage_is_found_and_mended(void **state)
{
    struct world *w = *state;
    char name[64], path[160];
    struct rng rng;
    struct stat st;

    for (int i = 0; i < 12; i++) {
        (void)snprintf(name, sizeof(name), "d%d.test", i);
        (void)add_domain(w, name);
    }
    live(w);
    path_in(w, "dns/images.db", path);
    rng_seeded_init(&rng, 5);
    for (int round = 0; round < 40; round++) {
        uint8_t noise[8];
        int fd;

        /* into the file itself, not its log */
        struct err err = {0};
        const struct db_options o = {.mode = DB_WRITE, .busy_ms = 1000};
        struct db *db = db_open(path, &o, &err);

        if (db != NULL) {
            (void)!db_checkpoint(db, &err);
            db_close(&db);
        }
        assert_int_equal(stat(path, &st), 0);
        fd = open(path, O_WRONLY);
        for (int k = 0; k < 4; k++) {
            uint64_t at;

            rng_fill(&rng, noise, sizeof(noise));
            rng_fill(&rng, &at, sizeof(at));
            assert_int_equal(
                pwrite(fd, noise, 8, (off_t)(at % (uint64_t)(st.st_size - 8))), 8);
        }
        (void)close(fd);
        live(w);
        assert_int_equal(w->n, 12);
        for (size_t z = 0; z < w->n; z++)
            assert_false(w->zones[z].is_withheld);
    }
    assert_true(log_said(w, "dns.images"));
}

static void test_a_damaged_row_is_compiled_again(void **state)
{
    struct world *w = *state;
    const struct db_options o = {.mode = DB_WRITE, .busy_ms = 1000};
    char path[160];
    struct err err = {0};
    struct db *db;
    uint32_t crc_a, crc_b;

    (void)add_domain(w, "a.test");
    (void)add_domain(w, "b.test");
    live(w);
    crc_a = crc_of(w, "a.test");
    crc_b = crc_of(w, "b.test");
    path_in(w, "dns/images.db", path);
    db = db_open(path, &o, &err);
    assert_int_equal(
        db_exec(db, "UPDATE image SET serial = serial + 1 WHERE domain_id = 1", &err), 0);
    db_close(&db);
    (void)log_said(w, "");
    live(w);
    assert_true(log_said(w, "zones=1 stale=0 newer=0 damaged=1"));
    assert_int_not_equal(crc_of(w, "a.test"), crc_a);
    assert_int_equal(crc_of(w, "b.test"), crc_b);
    assert_int_equal(w->images_at_loaded, 2);
}

static void test_other_formats_and_generators_are_compiled_again(void **state)
{
    struct world *w = *state;
    struct imagestore *s;
    struct row r = {.image = NULL};
    struct err err = {0};

    (void)add_domain(w, "a.test");
    live(w);
    s = open_store(w);
    assert_int_equal(imagestore_each(s, 0, copy_row, &r, &err), 0);
    r.row.generator = GENERATE_VERSION + 1;
    assert_int_equal(imagestore_begin(s, &err), 0);
    assert_int_equal(imagestore_put(s, &r.row, &err), 0);
    assert_int_equal(imagestore_commit(s, &err), 0);
    imagestore_close(&s);
    live(w); /* readable: served, and compiled behind it */
    assert_true(log_said(w, "zones=1 stale=1"));
    assert_int_equal(w->images_at_loaded, 1);
    assert_int_equal(w->images, 2);
    r.row.generator = GENERATE_VERSION;
    r.row.format = IMAGE_VERSION + 1;
    s = open_store(w);
    assert_int_equal(imagestore_begin(s, &err), 0);
    assert_int_equal(imagestore_put(s, &r.row, &err), 0);
    assert_int_equal(imagestore_commit(s, &err), 0);
    imagestore_close(&s);
    live(w); /* not readable: compiled first */
    assert_true(log_said(w, "format=1"));
    assert_int_equal(w->images, 1);
    live(w);
    assert_true(log_said(w, "zones=1 stale=0"));
    free(r.image);
}

/* The database of yesterday under the images of today. */
static void test_a_restored_backup_wins(void **state)
{
    struct world *w = *state;
    char command[400];
    int64_t a = add_domain(w, "a.test");
    uint32_t yesterday;
    int64_t gone;

    live(w);
    yesterday = served(w, "a.test")->soa_serial;
    domaindb_close(&w->db);
    (void)snprintf(command, sizeof(command), "cp -r %s/db %s/backup", w->dir, w->dir);
    assert_int_equal(system(command), 0);
    open_database(w, 0);
    (void)add_record(w, a, "www.a.test", RR_A, "192.0.2.7");
    gone = add_domain(w, "today.test");
    assert_int_equal(gone, a + 1);
    live(w);
    assert_int_not_equal(served(w, "a.test")->soa_serial, yesterday);
    domaindb_close(&w->db);
    (void)snprintf(command, sizeof(command), "rm -f %s/db/s*; cp %s/backup/* %s/db/",
                   w->dir, w->dir, w->dir);
    assert_int_equal(system(command), 0);
    open_database(w, 0);
    live(w);
    assert_true(log_said(w, "zones=1 stale=1 newer=1"));
    assert_int_equal(served(w, "a.test")->soa_serial, yesterday);
    assert_null(served(w, "today.test"));
    /* Serials and numbers are given a second time: another domain under the same number */
    assert_int_equal(add_domain(w, "other.test"), gone);
    live(w);
    assert_non_null(served(w, "other.test"));
    assert_null(served(w, "today.test"));
}

static void test_images_of_removed_domains_are_not_served(void **state)
{
    struct world *w = *state;
    int64_t a = add_domain(w, "a.test");

    (void)add_domain(w, "b.test");
    live(w);
    remove_domain(w, a); /* while nobody watches */
    live(w);
    assert_null(served(w, "a.test"));
    assert_true(log_said(w, "zones=1 stale=0 newer=0 damaged=0 format=0 orphans=1"));
    live(w);
    assert_true(log_said(w, "orphans=0"));
}

static void test_an_emptied_database_needs_a_word_also_after_a_restart(void **state)
{
    struct world *w = *state;
    int64_t a = add_domain(w, "a.test");
    int64_t b = add_domain(w, "b.test");

    live(w);
    remove_domain(w, a);
    remove_domain(w, b);
    life_begin(w);
    UNTIL(w, is_idle(w));
    assert_true(log_said(w, "dns.empty.refused"));
    assert_int_equal(w->n, 2);
    builder_confirm_empty(w->builder);
    UNTIL(w, w->n == 0);
    life_end(w);
    live(w);
    assert_int_equal(w->n, 0);
}

static void test_a_serve_that_died_gets_everything_again(void **state)
{
    struct world *w = *state;
    int64_t a = add_domain(w, "a.test");
    uint32_t crc;

    (void)add_domain(w, "b.test");
    life_begin(w);
    UNTIL(w, is_idle(w));
    crc = crc_of(w, "b.test");
    ipc_free(&w->serve);
    (void)add_record(w, a, "www.a.test", RR_A, "192.0.2.7"); /* while there is none */
    builder_poke(w->builder);
    for (int i = 0; i < 50; i++)
        loop_turn(w->loop, 1);
    serve_comes(w);
    UNTIL(w, w->is_loaded && is_idle(w));
    assert_int_equal(w->n, 2);
    assert_int_equal(crc_of(w, "b.test"), crc); /* from disk */
    life_end(w);
    live(w);
    assert_true(log_said(w, "zones=2 stale=0"));
}

/* Serve dies with batches in its hands. */
static void test_a_serve_that_dies_early_loses_nothing(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 20; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "d%d.test", i);
        (void)add_domain(w, name);
    }
    life_begin(w);
    for (int turns = 0; turns < 12; turns++) {
        for (int i = 0; i < turns; i++)
            loop_turn(w->loop, 1);
        ipc_free(&w->serve);
        serve_comes(w);
    }
    UNTIL(w, w->is_loaded && is_idle(w));
    assert_int_equal(w->n, 20);
    life_end(w);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_start_compiles_only_what_changed),
        T(test_a_change_of_all_zones_makes_all_stale),
        T(test_the_last_good_answers_outlive_a_restart),
        T(test_a_file_that_is_no_database_is_set_aside),
        T(test_a_file_of_a_newer_program_is_set_aside),
        T(test_damage_is_found_and_mended),
        T(test_a_damaged_row_is_compiled_again),
        T(test_other_formats_and_generators_are_compiled_again),
        T(test_a_restored_backup_wins),
        T(test_images_of_removed_domains_are_not_served),
        T(test_a_serve_that_died_gets_everything_again),
        T(test_a_serve_that_dies_early_loses_nothing),
        T(test_an_emptied_database_needs_a_word_also_after_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
