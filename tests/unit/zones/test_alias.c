/* SPDX-License-Identifier: ISC */
/* Where mail to an address goes. */
#include "tests/unit/zones/fixture.h"

static int64_t add_account(struct fixture *f, const char *address)
{
    struct account_row row = {.created_s = NOW};
    struct err err = {0};

    (void)snprintf(row.address, sizeof(row.address), "%s", address);
    domaindb_new_ref(rng_system(), row.secret_ref);
    must(account_insert(f->d, &row, &err), DOMAINDB_OK, &err, address);
    return row.id;
}

static void add_alias(struct fixture *f, const char *address, const char *target)
{
    struct alias_row row = {.id = 0};
    struct err err = {0};

    (void)snprintf(row.address, sizeof(row.address), "%s", address);
    (void)snprintf(row.target, sizeof(row.target), "%s", target);
    must(alias_insert(f->d, &row, &err), DOMAINDB_OK, &err, address);
}

static int set_up_world(void **state)
{
    struct fixture *f;

    if (set_up(state) != 0)
        return -1;
    f = *state;
    begin(f, "world");
    (void)add_domain(f, "ours.test");
    (void)add_domain(f, "xn--3e0b707e.test");
    (void)add_account(f, "ann@ours.test");
    (void)add_account(f, "ben@ours.test");
    (void)add_account(f, "ann@xn--3e0b707e.test");
    add_alias(f, "info@ours.test", "ann@ours.test");
    add_alias(f, "info@ours.test", "Ben@Ours.Test");
    add_alias(f, "all@ours.test", "info@ours.test");
    add_alias(f, "all@ours.test", "ann@ours.test");
    add_alias(f, "away@ours.test", "Someone@Else.example");
    add_alias(f, "copy@ours.test", "copy@ours.test");
    add_alias(f, "ben@ours.test", "ben@ours.test");
    add_alias(f, "ben@ours.test", "ben.home@else.example");
    add_alias(f, "ping@ours.test", "pong@ours.test");
    add_alias(f, "pong@ours.test", "ping@ours.test");
    add_alias(f, "dead@ours.test", "nobody@ours.test");
    add_alias(f, "postmaster@ours.test", "ann@ours.test");
    add_alias(f, "*@xn--3e0b707e.test", "ann@ours.test");
    (void)commit(f);
    return 0;
}

static const struct {
    const char *address;
    enum address_result want;
    const char *targets; /* in order, joined by blanks */
} cases[] = {
    {"ann@ours.test", ADDRESS_OK, "ann@ours.test"},
    {"ANN@Ours.TEST", ADDRESS_OK, "ann@ours.test"},
    {"ann+lists@ours.test", ADDRESS_OK, "ann@ours.test"},
    {"info@ours.test", ADDRESS_OK, "ben@ours.test ben.home@else.example ann@ours.test"},
    {"info+x@ours.test", ADDRESS_OK, "ben@ours.test ben.home@else.example ann@ours.test"},
    {"all@ours.test", ADDRESS_OK, "ann@ours.test ben@ours.test ben.home@else.example"},
    {"away@ours.test", ADDRESS_OK, "Someone@Else.example"},
    {"ben@ours.test", ADDRESS_OK, "ben@ours.test ben.home@else.example"},
    {"copy@ours.test", ADDRESS_LOOP, ""},
    {"ping@ours.test", ADDRESS_LOOP, ""},
    {"dead@ours.test", ADDRESS_UNKNOWN, ""},
    {"nobody@ours.test", ADDRESS_UNKNOWN, ""},
    {"+ann@ours.test", ADDRESS_UNKNOWN, ""},
    {"ann@elsewhere.test", ADDRESS_NOT_OURS, ""},
    {"whoever@xn--3e0b707e.test", ADDRESS_OK, "ann@ours.test"},
    {"ann@xn--3e0b707e.test", ADDRESS_OK, "ann@xn--3e0b707e.test"},
    {"ann@\xed\x95\x9c\xea\xb5\xad.test", ADDRESS_OK, "ann@xn--3e0b707e.test"},
    {"Postmaster", ADDRESS_OK, "ann@ours.test"}, /* RFC 5321 4.5.1 */
    {"ann", ADDRESS_MALFORMED, ""},
    {"\"a b\"@ours.test", ADDRESS_MALFORMED, ""},
    {"@ours.test", ADDRESS_MALFORMED, ""},
    {"ann@ours..test", ADDRESS_MALFORMED, ""},
};

static void test_expand(void **state)
{
    struct fixture *f = *state;
    struct address_targets *list = malloc(sizeof(*list));

    assert_non_null(list);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char got[1024] = "";
        struct err err = {0};
        enum address_result r =
            address_expand(f->d, span_str(cases[i].address), list, &err);

        for (size_t t = 0; r == ADDRESS_OK && t < list->n; t++)
            (void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s",
                           t > 0 ? " " : "", list->t[t].address);
        if (r != cases[i].want || strcmp(got, cases[i].targets) != 0)
            fail_msg("%s: %d \"%s\" (%s)", cases[i].address, (int)r, got, err.text);
    }
    free(list);
}

static void test_long_chain_and_wide_alias_end(void **state)
{
    struct fixture *f = *state;
    struct address_targets *list = malloc(sizeof(*list));
    struct err err = {0};
    char from[64], to[64];

    assert_non_null(list);
    begin(f, "chain");
    for (int i = 0; i < ADDRESS_DEPTH_MAX + 5; i++) {
        (void)snprintf(from, sizeof(from), "c%d@ours.test", i);
        (void)snprintf(to, sizeof(to), "c%d@ours.test", i + 1);
        add_alias(f, from, to);
    }
    for (int i = 0; i < ADDRESS_TARGETS_MAX + 1; i++) {
        (void)snprintf(to, sizeof(to), "x%d@else.example", i);
        add_alias(f, "wide@ours.test", to);
    }
    (void)commit(f);
    assert_int_equal(address_expand(f->d, span_str("c0@ours.test"), list, &err),
                     ADDRESS_LOOP);
    assert_int_equal(address_expand(f->d, span_str("wide@ours.test"), list, &err),
                     ADDRESS_LOOP);
    free(list);
}

static void test_may_send(void **state)
{
    static const struct {
        const char *login, *as;
        int want;
    } table[] = {
        {"ann@ours.test", "ann@ours.test", 1},
        {"ann@ours.test", "Ann+x@ours.test", 1},
        {"ann@ours.test", "info@ours.test", 1},
        {"ann@ours.test", "all@ours.test", 1},
        {"ann@ours.test", "ben@ours.test", 0},
        {"ben@ours.test", "postmaster@ours.test", 0},
        {"ann@ours.test", "ann@elsewhere.test", 0},
        {"ann@ours.test", "nobody@ours.test", 0},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct account_row row;
        struct err err = {0};

        must(account_find(f->d, span_str(table[i].login), &row, &err), DOMAINDB_OK, &err,
             table[i].login);
        if (address_may_send(f->d, row.id, span_str(table[i].as), &err) != table[i].want)
            fail_msg("%s as %s", table[i].login, table[i].as);
    }
}

#define T(t) cmocka_unit_test_setup_teardown(t, set_up_world, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_expand),
        T(test_long_chain_and_wide_alias_end),
        T(test_may_send),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
