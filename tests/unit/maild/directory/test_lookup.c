/* SPDX-License-Identifier: ISC */
/* Directory questions against a real database in a folder of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "base/msg/envelope.h"
#include "maild/directory/lookup.h"
#include "zones/alias.h"
#include "zones/change.h"
#include "zones/domain.h"
#include "zones/host.h"

#define NOW 1795000000

struct fixture {
    char dir[64];
    struct lookup *l;
    int64_t ann, bob;
};

static int64_t add_account(struct domaindb *d, const char *address, const char *ref)
{
    struct account_row row = {.is_enabled = true, .created_s = NOW};
    struct err err;

    (void)snprintf(row.address, sizeof row.address, "%s", address);
    (void)snprintf(row.secret_ref, sizeof row.secret_ref, "%s", ref);
    assert_int_equal(account_insert(d, &row, &err), DOMAINDB_OK);
    return row.id;
}

static void add_alias(struct domaindb *d, const char *address, const char *target)
{
    struct alias_row row = {0};
    struct err err = {0};

    (void)snprintf(row.address, sizeof row.address, "%s", address);
    (void)snprintf(row.target, sizeof row.target, "%s", target);
    if (alias_insert(d, &row, &err) != DOMAINDB_OK)
        fail_msg("%s -> %s: %s", address, target, err.text);
}

static void add_domain(struct domaindb *d, const char *name, int64_t host)
{
    struct domain_row row = {.host_id = host, .mx_preference = 10, .created_s = NOW};
    struct err err = {0};

    (void)snprintf(row.name, sizeof row.name, "%s", name);
    if (domain_insert(d, &row, &err) != DOMAINDB_OK)
        fail_msg("%s: %s", name, err.text);
}

static void fill(struct fixture *f, struct domaindb *d)
{
    const struct change_intent intent = {"test", "make a world", NOW};
    struct host_row host = {.name = "mx.ours.test", .roles = HOST_MAIL | HOST_NS};
    const char *ref_a = "00000000000000000000000000000001";
    const char *ref_b = "00000000000000000000000000000002";
    int64_t serial;
    struct err err = {0};

    assert_int_equal(secret_put(d, ref_a, "$scrypt$a", NOW, &err), 0);
    assert_int_equal(secret_put(d, ref_b, "$scrypt$b", NOW, &err), 0);
    assert_true(ipaddr_parse(SPAN_LIT("192.0.2.1"), &host.addr[0]));
    host.n_addr = 1;
    assert_int_equal(change_begin(d, &intent, &err), 0);
    if (host_insert(d, &host, &err) != DOMAINDB_OK)
        fail_msg("host: %s", err.text);
    add_domain(d, "ours.test", host.id);
    add_domain(d, "empty.test", host.id);
    f->ann = add_account(d, "ann@ours.test", ref_a);
    f->bob = add_account(d, "bob@ours.test", ref_b);
    add_alias(d, "both@ours.test", "ann@ours.test");
    add_alias(d, "both@ours.test", "bob@ours.test");
    add_alias(d, "out@ours.test", "user@peer.test");
    add_alias(d, "a@ours.test", "b@ours.test");
    add_alias(d, "b@ours.test", "a@ours.test");
    assert_int_equal(change_commit(d, &serial, &err), 0);
}

static int setup(void **state)
{
    struct fixture *f = mem_new(1, sizeof *f);
    struct err err = {0};
    struct domaindb *d;

    (void)snprintf(f->dir, sizeof f->dir, "/tmp/signpost-lookup-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    d = domaindb_open(f->dir, NULL, DOMAINDB_WRITE | DOMAINDB_CREATE | DOMAINDB_SECRETS,
                      &err);
    if (d == NULL)
        fail_msg("%s", err.text);
    fill(f, d);
    domaindb_close(&d);
    f->l = lookup_new(f->dir);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    static const char *const files[] = {
        "db/signpost.db",
        "db/signpost.db-wal",
        "db/signpost.db-shm",
        "db/secrets.db",
        "db/secrets.db-wal",
        "db/secrets.db-shm",
        "db",
        "",
    };
    struct fixture *f = *state;
    char path[256];

    lookup_free(&f->l);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", f->dir, files[i]);
        (void)remove(path);
    }
    free(f);
    return 0;
}

#define LOGIN 1 /* any account: only "somebody logged in" counts */

static const struct {
    const char *name, *address;
    uint64_t login;
    enum rcpt_status want;
    const char *want_targets; /* kind and address, a blank between */
} rcpts[] = {
    {"account", "ann@ours.test", 0, RCPT_OK_LOCAL, "L:ann@ours.test"},
    {"letter case", "ANN@Ours.Test", 0, RCPT_OK_LOCAL, "L:ann@ours.test"},
    {"detail", "ann+lists@ours.test", 0, RCPT_OK_LOCAL, "L:ann@ours.test"},
    {"alias with two targets", "both@ours.test", 0, RCPT_OK_LOCAL,
     "L:ann@ours.test L:bob@ours.test"},
    {"alias that leads outside", "out@ours.test", 0, RCPT_OK_LOCAL, "R:user@peer.test"},
    {"alias in a circle", "a@ours.test", 0, RCPT_TOO_MANY, ""},
    {"nobody", "nobody@ours.test", 0, RCPT_UNKNOWN, ""},
    {"nobody, logged in", "nobody@ours.test", LOGIN, RCPT_UNKNOWN, ""},
    {"relay", "user@peer.test", 0, RCPT_RELAY_DENIED, ""},
    {"relay after login", "user@peer.test", LOGIN, RCPT_OK_REMOTE, "R:user@peer.test"},
    {"quoted elsewhere", "\"a b\"@peer.test", LOGIN, RCPT_OK_REMOTE,
     "R:\"a b\"@peer.test"},
    {"address literal", "user@[192.0.2.9]", 0, RCPT_RELAY_DENIED, ""},
    {"rfc5321_4_5_1 postmaster", "Postmaster@ours.test", 0, RCPT_OK_LOCAL,
     "L:ann@ours.test"},
    {"rfc5321_4_5_1 postmaster alone", "postmaster", 0, RCPT_OK_LOCAL, "L:ann@ours.test"},
    {"rfc5321_4_5_1 domain without accounts", "postmaster@empty.test", 0, RCPT_OK_LOCAL,
     "L:ann@ours.test"},
    {"rfc5321_4_5_1 postmaster of the host", "postmaster@mx.ours.test", 0, RCPT_OK_LOCAL,
     "L:ann@ours.test"},
    {"nobody else is at the host", "ann@mx.ours.test", 0, RCPT_RELAY_DENIED, ""},
    {"no domain", "ann", 0, RCPT_BAD_ADDRESS, ""},
    {"subdomain is not ours", "ann@sub.ours.test", 0, RCPT_RELAY_DENIED, ""},
};

static void print_targets(const struct buf *targets, char *out, size_t cap)
{
    struct rcpt_target t;
    struct rd r;
    size_t n = 0;

    out[0] = '\0';
    rd_init(&r, buf_all(targets));
    while (rcpt_target_next(&r, &t))
        n += (size_t)snprintf(out + n, cap - n, "%s%c:%.*s", n == 0 ? "" : " ",
                              t.kind == RCPT_LOCAL ? 'L' : 'R', SPAN_ARG(t.address));
    assert_true(rd_done(&r));
}

static void recipients(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(rcpts); i++) {
        struct err err = {0};
        struct buf targets;
        char text[1024] = "";
        enum rcpt_status got;

        buf_init(&targets, 40000);
        got =
            lookup_rcpt(f->l, span_str(rcpts[i].address), rcpts[i].login, &targets, &err);
        if (got == RCPT_OK_LOCAL || got == RCPT_OK_REMOTE)
            print_targets(&targets, text, sizeof text);
        if (got != rcpts[i].want || strcmp(text, rcpts[i].want_targets) != 0)
            fail_msg("%s: status %d \"%s\", wanted %d \"%s\" %s", rcpts[i].name, (int)got,
                     text, (int)rcpts[i].want, rcpts[i].want_targets, err.text);
        buf_free(&targets);
    }
}

static void logins(void **state)
{
    struct fixture *f = *state;
    struct lookup_login who;
    struct err err = {0};

    assert_int_equal(lookup_login(f->l, SPAN_LIT("Bob@OURS.test"), &who, &err),
                     DOMAINDB_OK);
    assert_int_equal(who.account.id, f->bob);
    assert_string_equal(who.hash, "$scrypt$b");
    /* an alias or a detail is no login, neither is half an address */
    assert_int_equal(lookup_login(f->l, SPAN_LIT("both@ours.test"), &who, &err),
                     DOMAINDB_NONE);
    assert_int_equal(lookup_login(f->l, SPAN_LIT("bob+x@ours.test"), &who, &err),
                     DOMAINDB_NONE);
    assert_int_equal(lookup_login(f->l, SPAN_LIT("bob"), &who, &err), DOMAINDB_NONE);
    assert_int_equal(lookup_login(f->l, SPAN_LIT(""), &who, &err), DOMAINDB_NONE);
}

static void senders_and_domains(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    uint64_t ann = (uint64_t)f->ann, bob = (uint64_t)f->bob;

    assert_int_equal(lookup_sender(f->l, ann, SPAN_LIT("ann@ours.test"), &err),
                     ANSWER_YES);
    assert_int_equal(lookup_sender(f->l, ann, SPAN_LIT("both@ours.test"), &err),
                     ANSWER_YES);
    assert_int_equal(lookup_sender(f->l, bob, SPAN_LIT("ann@ours.test"), &err),
                     ANSWER_NO);
    assert_int_equal(lookup_sender(f->l, bob, SPAN_LIT("user@peer.test"), &err),
                     ANSWER_NO);
    assert_int_equal(lookup_sender(f->l, bob, SPAN_LIT(""), &err), ANSWER_YES);
    assert_int_equal(lookup_is_ours(f->l, SPAN_LIT("Empty.Test"), &err), ANSWER_YES);
    assert_int_equal(lookup_is_ours(f->l, SPAN_LIT("mx.ours.test"), &err), ANSWER_YES);
    assert_int_equal(lookup_is_ours(f->l, SPAN_LIT("peer.test"), &err), ANSWER_NO);
}

static void a_commit_is_seen_at_once(void **state)
{
    const struct change_intent intent = {"test", "add", NOW};
    const char *ref = "00000000000000000000000000000003";
    struct fixture *f = *state;
    struct lookup_login who;
    struct err err = {0};
    struct domaindb *d;
    int64_t serial;

    assert_int_equal(lookup_login(f->l, SPAN_LIT("new@ours.test"), &who, &err),
                     DOMAINDB_NONE);
    d = domaindb_open(f->dir, NULL, DOMAINDB_WRITE | DOMAINDB_SECRETS, &err);
    assert_non_null(d);
    assert_int_equal(secret_put(d, ref, "$scrypt$n", NOW, &err), 0);
    assert_int_equal(change_begin(d, &intent, &err), 0);
    (void)add_account(d, "new@ours.test", ref);
    assert_int_equal(change_commit(d, &serial, &err), 0);
    domaindb_close(&d);
    assert_int_equal(lookup_login(f->l, SPAN_LIT("new@ours.test"), &who, &err),
                     DOMAINDB_OK);
}

static void no_database_is_a_fault_with_a_remedy(void **state)
{
    struct lookup *l = lookup_new("/nonexistent");
    struct lookup_login who;
    struct err err = {0};
    struct buf targets;

    (void)state;
    buf_init(&targets, 1000);
    assert_int_equal(lookup_check_open("/nonexistent", &err), -1);
    assert_true(strlen(err.text) > 0);
    assert_int_equal(lookup_login(l, SPAN_LIT("a@ours.test"), &who, &err),
                     DOMAINDB_FAULT);
    assert_int_equal(lookup_rcpt(l, SPAN_LIT("a@ours.test"), 0, &targets, &err),
                     RCPT_TRY_LATER);
    assert_int_equal(lookup_sender(l, 1, SPAN_LIT("a@ours.test"), &err), ANSWER_LATER);
    assert_int_equal(lookup_is_ours(l, SPAN_LIT("ours.test"), &err), ANSWER_LATER);
    buf_free(&targets);
    lookup_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(recipients, setup, teardown),
        cmocka_unit_test_setup_teardown(logins, setup, teardown),
        cmocka_unit_test_setup_teardown(senders_and_domains, setup, teardown),
        cmocka_unit_test_setup_teardown(a_commit_is_seen_at_once, setup, teardown),
        cmocka_unit_test(no_database_is_a_fault_with_a_remedy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
