/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/db/db.h"

struct fixture {
    char dir[64];
    char path[96];
    struct err err;
};

static const struct db_options create = {DB_CREATE, 0, true, 0640};
static const struct db_options readonly = {DB_READ, 0, false, 0};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/signpost-db-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->path, sizeof(f->path), "%s/t.db", f->dir);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".before-1", ".before-2"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s%s", f->path, ends[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(f->dir), 0);
    free(f);
    return 0;
}

static void exec_ok(struct db *db, const char *sql)
{
    struct err err;

    if (db_exec(db, sql, &err) != 0)
        fail_msg("%s: %s", sql, err.text);
}

static void statements_bind_step_and_are_found_again(void **state)
{
    struct fixture *f = *state;
    struct db *db = db_open(f->path, &create, &f->err);
    static const char insert[] = "INSERT INTO t(a, b, c) VALUES(?1, ?2, ?3)";
    struct db_stmt *s;
    struct span b;

    assert_non_null(db);
    exec_ok(db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c BLOB) STRICT");
    s = db_stmt(db, insert, &f->err);
    db_bind_int(s, 1, INT64_MIN);
    db_bind_text(s, 2, NULL);
    db_bind_blob(s, 3, SPAN_LIT("a\0b"));
    assert_int_equal(db_step(s, &f->err), DB_DONE);
    assert_ptr_equal(db_stmt(db, insert, &f->err), s);
    db_bind_int(s, 1, 5);
    db_bind_span(s, 2, SPAN_LIT("five"));
    db_bind_blob(s, 3, SPAN_LIT(""));
    assert_int_equal(db_step(s, &f->err), DB_DONE);
    assert_int_equal(db_last_id(db), 5);
    assert_int_equal(db_changed_rows(db), 1);
    /* bindings do not leak from one use to the next */
    s = db_stmt(db, insert, &f->err);
    assert_int_equal(db_step(s, &f->err), DB_DONE);

    s = db_stmt(db, "SELECT a, b, c FROM t ORDER BY a", &f->err);
    assert_int_equal(db_step(s, &f->err), DB_ROW);
    assert_true(db_col_int(s, 0) == INT64_MIN);
    assert_true(db_col_is_null(s, 1));
    assert_string_equal(db_col_text(s, 1), "");
    b = db_col_span(s, 2);
    assert_int_equal(b.n, 3);
    assert_memory_equal(b.p, "a\0b", 3);
    assert_int_equal(db_step(s, &f->err), DB_ROW);
    assert_string_equal(db_col_text(s, 1), "five");
    assert_false(db_col_is_null(s, 2));
    assert_int_equal(db_col_span(s, 2).n, 0);
    assert_int_equal(db_step(s, &f->err), DB_ROW);
    assert_int_equal(db_step(s, &f->err), DB_DONE);
    db_close(&db);
    assert_null(db);
}

static void bad_sql_is_said_at_the_step(void **state)
{
    struct fixture *f = *state;
    struct db *db = db_open(f->path, &create, &f->err);
    struct db_stmt *s = db_stmt(db, "SELECT x FROM nowhere", &f->err);

    assert_null(s);
    db_bind_int(s, 1, 1);
    assert_int_equal(db_step(s, &f->err), DB_ERROR);
    db_reset(s);
    assert_non_null(strstr(f->err.text, "no such table"));
    assert_non_null(strstr(f->err.text, "nowhere"));
    db_close(&db);
}

static void constraints_are_an_outcome(void **state)
{
    struct fixture *f = *state;
    struct db *db = db_open(f->path, &create, &f->err);
    struct db_stmt *s;

    exec_ok(db, "CREATE TABLE p(a INTEGER PRIMARY KEY);"
                "CREATE TABLE c(p INTEGER NOT NULL REFERENCES p(a))");
    s = db_stmt(db, "INSERT INTO c VALUES(?1)", &f->err);
    db_bind_int(s, 1, 1); /* foreign keys are enforced */
    assert_int_equal(db_step(s, &f->err), DB_CONSTRAINT);
    exec_ok(db, "INSERT INTO p VALUES(1)");
    s = db_stmt(db, "INSERT INTO p VALUES(1)", &f->err);
    assert_int_equal(db_step(s, &f->err), DB_CONSTRAINT);
    db_close(&db);
}

static void a_second_writer_is_told_locked(void **state)
{
    struct fixture *f = *state;
    struct db *a = db_open(f->path, &create, &f->err);
    struct db *b = db_open(f->path, &create, &f->err);

    exec_ok(a, "CREATE TABLE t(x)");
    assert_int_equal(db_begin(a, &f->err), 0);
    assert_int_equal(db_begin(b, &f->err), -1);
    assert_non_null(strstr(f->err.text, "locked by another program"));
    assert_non_null(strstr(f->err.text, f->path));
    db_rollback(b); /* harmless without a transaction */
    db_rollback(a);
    assert_int_equal(db_begin(b, &f->err), 0);
    exec_ok(b, "INSERT INTO t VALUES(1)");
    assert_int_equal(db_commit(b, &f->err), 0);
    db_close(&a);
    db_close(&b);
}

static void the_log_outlives_the_writer_for_readers(void **state)
{
    struct fixture *f = *state;
    struct db *w = db_open(f->path, &create, &f->err);
    struct db *r;
    struct stat st;
    char wal[128];

    exec_ok(w, "CREATE TABLE t(x)");
    r = db_open(f->path, &readonly, &f->err);
    assert_non_null(r);
    db_close(&r);
    db_close(&w);
    (void)snprintf(wal, sizeof(wal), "%s-wal", f->path);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    r = db_open(f->path, &readonly, &f->err);
    assert_non_null(r);
    assert_int_equal(db_exec(r, "INSERT INTO t VALUES(1)", &f->err), -1);
    assert_non_null(strstr(f->err.text, "no permission to write"));
    db_close(&r);
}

static void data_version_moves_with_foreign_commits_only(void **state)
{
    struct fixture *f = *state;
    struct db *a = db_open(f->path, &create, &f->err);
    struct db *b = db_open(f->path, &create, &f->err);
    int64_t before;

    exec_ok(a, "CREATE TABLE t(x)");
    before = db_data_version(a);
    exec_ok(a, "INSERT INTO t VALUES(1)");
    assert_true(db_data_version(a) == before);
    exec_ok(b, "INSERT INTO t VALUES(2)");
    assert_false(db_data_version(a) == before);
    assert_int_equal(db_checkpoint(a, &f->err), 0);
    db_close(&a);
    db_close(&b);
}

static void faults_are_said_in_words(void **state)
{
    struct fixture *f = *state;
    struct db_options write = {DB_WRITE, 0, true, 0};
    struct db *db;
    FILE *file;

    assert_null(db_open(f->path, &write, &f->err));
    assert_non_null(strstr(f->err.text, "o such file"));

    file = fopen(f->path, "w");
    assert_non_null(file);
    for (unsigned i = 0; i < 300; i++)
        (void)fputs("this is not a database\n", file);
    assert_int_equal(fclose(file), 0);
    assert_null(db_open(f->path, &write, &f->err));
    assert_non_null(strstr(f->err.text, "not a database"));
    assert_int_equal(unlink(f->path), 0);

    db = db_open(f->path, &create, &f->err);
    exec_ok(db, "CREATE TABLE t(x); PRAGMA max_page_count = 10");
    assert_int_equal(db_exec(db, "INSERT INTO t VALUES(randomblob(1000000))", &f->err),
                     -1);
    assert_non_null(strstr(f->err.text, "disk full"));
    db_close(&db);

    assert_null(db_open("/nonexistent/x.db", &create, &f->err));
    assert_non_null(strstr(f->err.text, "/nonexistent/x.db"));
}

/* ---- migrations ---- */

static const struct db_migration steps[] = {
    {"first", "CREATE TABLE a(x INTEGER PRIMARY KEY); INSERT INTO a VALUES(1)"},
    {"second", "CREATE TABLE b(x INTEGER REFERENCES a(x)); INSERT INTO b VALUES(1)"},
    {"breaks references", "DELETE FROM a"},
};

static void steps_run_once_each_with_a_copy_before(void **state)
{
    struct fixture *f = *state;
    struct db *db = db_open(f->path, &create, &f->err);
    char copy[128];
    struct stat st;

    (void)snprintf(copy, sizeof(copy), "%s.before-1", f->path);
    assert_int_equal(db_version(db), 0);
    assert_int_equal(db_migrate(db, f->path, steps, 1, &f->err), 0);
    assert_int_equal(db_version(db), 1);
    assert_int_equal(stat(copy, &st), -1); /* nothing to lose yet */
    assert_int_equal(db_migrate(db, f->path, steps, 2, &f->err), 0);
    assert_int_equal(db_version(db), 2);
    assert_int_equal(stat(copy, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(db_migrate(db, f->path, steps, 2, &f->err), 0);
    /* foreign keys are enforced again afterwards */
    assert_int_equal(db_exec(db, "INSERT INTO b VALUES(77)", &f->err), -1);
    db_close(&db);
}

static void a_step_that_fails_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct db *db = db_open(f->path, &create, &f->err);
    struct db_stmt *s;

    assert_int_equal(db_migrate(db, f->path, steps, 2, &f->err), 0);
    assert_int_equal(db_migrate(db, f->path, steps, 3, &f->err), -1);
    assert_non_null(strstr(f->err.text, "step 3 (breaks references)"));
    assert_int_equal(db_version(db), 2);
    s = db_stmt(db, "SELECT count(*) FROM a", &f->err);
    assert_int_equal(db_step(s, &f->err), DB_ROW);
    assert_int_equal(db_col_int(s, 0), 1);
    db_close(&db);
}

static void other_versions_are_refused_clearly(void **state)
{
    struct fixture *f = *state;
    struct db *db = db_open(f->path, &create, &f->err);

    assert_int_equal(db_need_version(db, f->path, 1, &f->err), -1);
    assert_non_null(strstr(f->err.text, "older"));
    exec_ok(db, "PRAGMA user_version = 7");
    assert_int_equal(db_migrate(db, f->path, steps, 2, &f->err), -1);
    assert_non_null(strstr(f->err.text, "newer version of Signpost"));
    assert_int_equal(db_need_version(db, f->path, 2, &f->err), -1);
    assert_non_null(strstr(f->err.text, "newer version of Signpost"));
    assert_int_equal(db_need_version(db, f->path, 7, &f->err), 0);
    db_close(&db);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(statements_bind_step_and_are_found_again),
        TEST(bad_sql_is_said_at_the_step),
        TEST(constraints_are_an_outcome),
        TEST(a_second_writer_is_told_locked),
        TEST(the_log_outlives_the_writer_for_readers),
        TEST(data_version_moves_with_foreign_commits_only),
        TEST(faults_are_said_in_words),
        TEST(steps_run_once_each_with_a_copy_before),
        TEST(a_step_that_fails_leaves_nothing),
        TEST(other_versions_are_refused_clearly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
