/* SPDX-License-Identifier: ISC */
/* Databases, changes, serials, writers side by side, the past. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <sqlite3.h>

#include "tests/unit/zones/fixture.h"
#include "zones/dkimkeys.h"
#include "zones/past.h"

struct touches {
    int64_t domain[64], serial[64];
    bool is_removed[64];
    char name[64][64];
    size_t n;
};

static void take_touch(void *ctx, const struct zone_touch *t)
{
    struct touches *all = ctx;

    assert_true(all->n < 64);
    all->domain[all->n] = t->domain_id;
    all->serial[all->n] = t->serial;
    all->is_removed[all->n] = t->is_removed;
    (void)snprintf(all->name[all->n], 64, "%s", t->name);
    all->n++;
}

static struct touches since(struct fixture *f, int64_t serial)
{
    struct touches t = {.n = 0};
    struct err err = {0};

    if (change_zones_since(f->d, serial, take_touch, &t, &err) == -1)
        fail_msg("%s", err.text);
    return t;
}

static void test_change_moves_the_zones_it_touches(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct touches t;
    int64_t a, b;

    begin(f, "add");
    a = add_domain(f, "a.example");
    assert_int_equal(commit(f), 2);
    begin(f, "add");
    b = add_domain(f, "b.example");
    assert_int_equal(commit(f), 3);
    t = since(f, 2);
    assert_int_equal(t.n, 1);
    assert_int_equal(t.domain[0], b);
    begin(f, "record");
    must(add_record(f, a, "www.a.example", 1, "192.0.2.1", &err), DOMAINDB_OK, &err, "r");
    assert_int_equal(commit(f), 4);
    t = since(f, 3);
    assert_int_equal(t.n, 1);
    assert_int_equal(t.domain[0], a);
    assert_string_equal(t.name[0], "a.example");
}

static void test_accounts_leave_zones_alone(void **state)
{
    struct fixture *f = *state;
    struct account_row row = {.address = "ann@a.example", .created_s = NOW};
    struct err err = {0};

    begin(f, "add");
    (void)add_domain(f, "a.example");
    (void)commit(f);
    domaindb_new_ref(rng_system(), row.secret_ref);
    begin(f, "account");
    must(account_insert(f->d, &row, &err), DOMAINDB_OK, &err, "account");
    assert_int_equal(commit(f), 3);
    assert_int_equal(since(f, 2).n, 0);
}

static void test_host_change_touches_all(void **state)
{
    struct fixture *f = *state;
    struct host_set set;
    struct err err = {0};
    struct touches t;

    begin(f, "add");
    (void)add_domain(f, "a.example");
    (void)commit(f);
    assert_int_equal(host_set_load(f->d, &set, &err), 0);
    assert_int_equal(set.host[0].n_addr, 2);
    assert_int_equal(set.host[0].port[HOST_IMAPS], 993);
    begin(f, "host set");
    must(host_update(f->d, &set.host[0], &err), DOMAINDB_OK, &err, "same");
    assert_int_equal(commit(f), 0); /* nothing differs: no change */
    set.host[0].n_addr = 1;
    begin(f, "host set");
    must(host_update(f->d, &set.host[0], &err), DOMAINDB_OK, &err, "less");
    assert_int_equal(commit(f), 3);
    t = since(f, 2);
    assert_int_equal(t.n, 1);
    assert_int_equal(t.domain[0], 0);
    host_set_free(&set);
}

static void test_removed_and_added_again_keeps_growing(void **state)
{
    struct fixture *f = *state;
    struct domain_row row;
    struct err err = {0};
    struct touches t;
    int64_t first, second;

    begin(f, "add");
    first = add_domain(f, "a.example");
    (void)commit(f);
    begin(f, "remove");
    must(domain_delete(f->d, first, &err), DOMAINDB_OK, &err, "delete");
    assert_int_equal(commit(f), 3);
    t = since(f, 2);
    assert_int_equal(t.n, 1);
    assert_true(t.is_removed[0]);
    assert_string_equal(t.name[0], "a.example");
    begin(f, "add");
    second = add_domain(f, "a.example");
    assert_int_equal(commit(f), 4);
    assert_int_not_equal(first, second); /* ids are not used again */
    must(domain_find(f->d, span_str("A.Example."), &row, &err), DOMAINDB_OK, &err,
         "find");
    assert_int_equal(row.zone_serial, 4);
    assert_int_equal(row.id, second);
}

static void test_related_zones_follow(void **state)
{
    struct fixture *f = *state;
    struct domain_row row;
    struct err err = {0};
    struct touches t;
    int64_t parent, child;

    begin(f, "add");
    parent = add_domain(f, "example.org");
    (void)commit(f);
    begin(f, "add");
    child = add_domain(f, "deep.sub.example.org");
    (void)commit(f);
    t = since(f, 2);
    assert_int_equal(t.n, 2); /* the delegation above changes with it */
    assert_true((t.domain[0] == parent && t.domain[1] == child) ||
                (t.domain[0] == child && t.domain[1] == parent));
    begin(f, "other");
    (void)add_domain(f, "reports.example");
    (void)commit(f);
    must(domain_get(f->d, child, &row, &err), DOMAINDB_OK, &err, "get");
    (void)snprintf(row.rua, sizeof(row.rua), "dmarc@reports.example");
    begin(f, "set");
    must(domain_update(f->d, &row, &err), DOMAINDB_OK, &err, "update");
    (void)commit(f);
    t = since(f, 4);
    assert_int_equal(t.n, 2); /* itself, and the zone that now has to consent */
}

static void test_write_outside_of_a_change_is_refused(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};

    assert_int_equal(setting_put(f->d, "x", "y", &err), DOMAINDB_FAULT);
    assert_non_null(strstr(err.text, "outside of a change"));
}

static void test_rollback_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct domain_row row;
    struct err err = {0};

    begin(f, "add");
    (void)add_domain(f, "a.example");
    change_rollback(f->d);
    assert_int_equal(domain_find(f->d, span_str("a.example"), &row, &err), DOMAINDB_NONE);
    assert_int_equal(change_last(f->d, &err), 1);
    begin(f, "nothing");
    assert_int_equal(commit(f), 0);
}

static void test_existing_names_are_refused(void **state)
{
    struct fixture *f = *state;
    struct domain_row row = {.name = "a.example", .created_s = NOW};
    struct err err = {0};
    int64_t id;

    row.host_id = f->host_id;
    begin(f, "add");
    id = add_domain(f, "a.example");
    must(domain_insert(f->d, &row, &err), DOMAINDB_EXISTS, &err, "twice");
    must(add_record(f, id, "w.a.example", 1, "192.0.2.1", &err), DOMAINDB_OK, &err, "r");
    must(add_record(f, id, "w.a.example", 1, "192.0.2.1", &err), DOMAINDB_EXISTS, &err,
         "r");
    must(host_delete(f->d, f->host_id, &err), DOMAINDB_REFUSED, &err, "in use");
    assert_int_equal(commit(f), 2); /* what was refused did not spoil the rest */
}

struct log_seen {
    size_t n;
    char kinds[256];
};

static void take_log(void *ctx, const struct change_info *c)
{
    struct log_seen *s = ctx;

    s->n++;
    assert_string_equal(c->who, "test");
    (void)snprintf(s->kinds + strlen(s->kinds), sizeof(s->kinds) - strlen(s->kinds),
                   "%s%s%s ", c->kind, c->before[0] ? "-" : "", c->after[0] ? "+" : "");
}

static void test_log_has_before_and_after(void **state)
{
    struct fixture *f = *state;
    struct domain_row row;
    struct log_seen seen = {0};
    struct err err = {0};
    int64_t id;

    begin(f, "add");
    id = add_domain(f, "a.example");
    (void)commit(f);
    must(domain_get(f->d, id, &row, &err), DOMAINDB_OK, &err, "get");
    row.dmarc = DOMAIN_DMARC_REJECT;
    begin(f, "set");
    must(domain_update(f->d, &row, &err), DOMAINDB_OK, &err, "update");
    (void)commit(f);
    begin(f, "remove");
    must(domain_delete(f->d, id, &err), DOMAINDB_OK, &err, "delete");
    (void)commit(f);
    assert_int_equal(change_list(f->d, id, 3, take_log, &seen, &err), 0);
    assert_string_equal(seen.kinds, "domain- domain-+ domain+ ");
}

/* Two processes that add domains at the same time: all succeed, no serial is used twice. */
static void test_two_writers(void **state)
{
    enum { EACH = 20 };
    struct fixture *f = *state;
    struct err err = {0};
    pid_t pid[2];

    domaindb_close(&f->d); /* connections do not survive a fork */
    for (int w = 0; w < 2; w++) {
        pid[w] = fork();
        assert_int_not_equal(pid[w], -1);
        if (pid[w] != 0)
            continue;
        f->d = domaindb_open(f->dir, NULL, DOMAINDB_WRITE, &err);
        for (int i = 0; f->d != NULL && i < EACH; i++) {
            char name[48];

            (void)snprintf(name, sizeof(name), "d%d.w%d.example", i, w);
            begin(f, name);
            (void)add_domain(f, name);
            (void)commit(f);
        }
        _exit(f->d == NULL);
    }
    for (int w = 0; w < 2; w++) {
        int status;

        assert_int_equal(waitpid(pid[w], &status, 0), pid[w]);
        assert_int_equal(status, 0);
    }
    f->d = domaindb_open(f->dir, NULL, DOMAINDB_WRITE, &err);
    assert_non_null(f->d);
    assert_int_equal(domain_count(f->d, &err), 2 * EACH);
    assert_int_equal(change_last(f->d, &err), 1 + 2 * EACH);
}

static void test_settling(void **state)
{
    struct fixture *f = *state;
    struct domain_row row;
    struct err err = {0};
    int64_t id;
    int n;

    begin(f, "add");
    id = add_domain(f, "a.example");
    (void)commit(f);
    assert_int_equal(domain_settle(f->d, NOW + 60, NOW - 1, &n, &err), 0);
    assert_int_equal(n, 0);
    assert_int_equal(change_last(f->d, &err), 2); /* asked for nothing, wrote nothing */
    assert_int_equal(domain_settle(f->d, NOW + 90000, NOW, &n, &err), 0);
    assert_int_equal(n, 2); /* the domain and its host */
    must(domain_get(f->d, id, &row, &err), DOMAINDB_OK, &err, "get");
    assert_true(row.is_settled);
    assert_int_equal(row.zone_serial, 3); /* TTLs changed, so the serial moved */
    begin(f, "record");
    must(add_record(f, id, "w.a.example", 1, "192.0.2.1", &err), DOMAINDB_OK, &err, "r");
    (void)commit(f);
    must(domain_get(f->d, id, &row, &err), DOMAINDB_OK, &err, "get");
    assert_false(row.is_settled);
}

static void test_past_shows_earlier_serials(void **state)
{
    struct fixture *f = *state;
    struct domain_row row;
    struct domaindb *past;
    struct err err = {0};
    struct zone *z;
    struct draft dr;
    struct dname www;
    int64_t id;

    begin(f, "add");
    id = add_domain(f, "a.example");
    (void)commit(f);
    begin(f, "record");
    must(add_record(f, id, "www.a.example", 1, "192.0.2.1", &err), DOMAINDB_OK, &err,
         "r");
    (void)commit(f);
    begin(f, "remove");
    must(domain_delete(f->d, id, &err), DOMAINDB_OK, &err, "delete");
    (void)commit(f);
    assert_int_equal(dname_parse(span_str("www.a.example"), NULL, &www), DNAME_OK);
    for (int64_t serial = 1; serial <= 4; serial++) {
        bool is_there = serial == 2 || serial == 3;
        enum domaindb_result r;

        past = past_open(f->dir, serial, &err);
        if (past == NULL)
            fail_msg("%s", err.text);
        assert_int_equal(draft_open(&dr, past, &err), 0);
        r = draft_zone_named(&dr, span_str("a.example"), &row, &z, &err);
        must(r, is_there ? DOMAINDB_OK : DOMAINDB_NONE, &err, "past");
        if (is_there) {
            assert_int_equal(zone_serial(z), 2026112200u + (uint32_t)serial);
            assert_int_equal(zone_find(z, dname_span(&www), RR_A) != NULL, serial == 3);
        }
        zone_free(&z);
        draft_close(&dr);
        domaindb_close(&past);
    }
}

static void test_sweep_takes_old_orphans_only(void **state)
{
    struct fixture *f = *state;
    struct account_row row = {.address = "ann@a.example", .created_s = NOW};
    const char *orphan = "00000000000000000000000000000001";
    const char *fresh = "00000000000000000000000000000002";
    char hash[ACCOUNT_HASH_MAX + 1];
    struct dkim_key_row key = {.key_ref = "00000000000000000000000000000003"};
    struct buf pem;
    struct err err = {0};

    buf_init(&pem, DKIMKEYS_PEM_MAX);
    domaindb_new_ref(rng_system(), row.secret_ref);
    assert_int_equal(secret_put(f->d, row.secret_ref, "used", NOW - 9999, &err), 0);
    assert_int_equal(secret_put(f->d, orphan, "old", NOW - 9999, &err), 0);
    assert_int_equal(secret_put(f->d, fresh, "new", NOW - 10, &err), 0);
    key.created_s = NOW - 9999;
    assert_int_equal(dkimkeys_put(f->d, &key, span_str("PEM"), &err), 0);
    begin(f, "add");
    (void)add_domain(f, "a.example");
    must(account_insert(f->d, &row, &err), DOMAINDB_OK, &err, "account");
    (void)commit(f);
    assert_int_equal(domaindb_sweep(f->d, NOW, &err), 0);
    must(secret_get(f->d, row.secret_ref, hash, &err), DOMAINDB_OK, &err, "used");
    assert_string_equal(hash, "used");
    must(secret_get(f->d, orphan, hash, &err), DOMAINDB_NONE, &err, "orphan");
    must(secret_get(f->d, fresh, hash, &err), DOMAINDB_OK, &err, "fresh");
    must(dkimkeys_get(f->d, key.key_ref, &pem, &err), DOMAINDB_NONE, &err, "key");
    buf_free(&pem);
}

static void sql(const char *path, const char *text)
{
    sqlite3 *h;

    assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
    assert_int_equal(sqlite3_exec(h, text, NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(h);
}

static void test_modes_and_missing_files(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    char path[128];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/keys/keys.db", f->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_null(domaindb_open("/tmp/no-such-data-dir", NULL, 0, &err));
    assert_non_null(strstr(err.text, "signpost setup"));
}

static void test_newer_and_older_schema(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    char path[128], copy[160];

    domaindb_close(&f->d);
    (void)snprintf(path, sizeof(path), "%s/db/signpost.db", f->dir);
    sql(path, "PRAGMA user_version = 999");
    assert_null(domaindb_open(f->dir, NULL, 0, &err));
    assert_non_null(strstr(err.text, "newer"));
    assert_null(domaindb_open(f->dir, NULL, DOMAINDB_WRITE, &err));
    assert_non_null(strstr(err.text, "newer"));
    /* As if the last step had not been there when this database was made. */
    sql(path, "DROP TRIGGER touch_one; DROP TRIGGER touch_all; PRAGMA user_version = 7");
    assert_null(domaindb_open(f->dir, NULL, 0, &err));
    assert_non_null(strstr(err.text, "older"));
    f->d = domaindb_open(f->dir, NULL, DOMAINDB_WRITE, &err);
    if (f->d == NULL)
        fail_msg("%s", err.text);
    (void)snprintf(copy, sizeof(copy), "%s.before-7", path);
    assert_int_equal(access(copy, F_OK), 0);
    begin(f, "add");
    (void)add_domain(f, "a.example");
    (void)commit(f);
    assert_int_equal(since(f, 1).n, 1);
}

#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_change_moves_the_zones_it_touches),
        T(test_accounts_leave_zones_alone),
        T(test_host_change_touches_all),
        T(test_removed_and_added_again_keeps_growing),
        T(test_related_zones_follow),
        T(test_write_outside_of_a_change_is_refused),
        T(test_rollback_leaves_nothing),
        T(test_existing_names_are_refused),
        T(test_log_has_before_and_after),
        T(test_two_writers),
        T(test_settling),
        T(test_past_shows_earlier_serials),
        T(test_sweep_takes_old_orphans_only),
        T(test_modes_and_missing_files),
        T(test_newer_and_older_schema),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
