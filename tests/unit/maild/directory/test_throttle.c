/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/attr.h"
#include "maild/directory/throttle.h"

#define ANN SPAN_LIT("ann@example.com")
static const struct ipaddr home = {AF_INET, {192, 0, 2, 1}};
static const struct ipaddr away = {AF_INET, {198, 51, 100, 7}};

struct fixture {
    struct rng rng;
    struct throttle *t;
};

static int setup(void **state)
{
    static struct fixture f;

    rng_seeded_init(&f.rng, 7);
    f.t = throttle_new(&f.rng);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    throttle_free(&f->t);
    assert_null(f->t);
    return 0;
}

/* Attempts until refused, all at `now`. */
static int attempts(struct throttle *t, const struct ipaddr *peer, struct span login,
                    int64_t now, enum throttle_verdict want)
{
    for (int n = 0; n < 1000; n++) {
        enum throttle_verdict v = throttle_take(t, peer, login, now);

        if (v != THROTTLE_OK) {
            assert_int_equal(v, want);
            return n;
        }
    }
    return 1000;
}

static void login_is_limited_and_recovers(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(attempts(f->t, &away, ANN, 0, THROTTLE_NAME), THROTTLE_NAME_BURST);
    assert_int_equal(throttle_take(f->t, &away, ANN, THROTTLE_NAME_REFILL_MS - 1),
                     THROTTLE_NAME);
    assert_int_equal(
        attempts(f->t, &away, ANN, 3 * THROTTLE_NAME_REFILL_MS, THROTTLE_NAME), 3);
    /* never more than the burst, however long nobody tried */
    assert_int_equal(attempts(f->t, &home, ANN, INT64_C(1) << 40, THROTTLE_NAME),
                     THROTTLE_NAME_BURST);
}

static void client_is_limited_over_all_logins(void **state)
{
    struct fixture *f = *state;
    int n = 0;

    for (uint8_t c = 'a'; c <= 'z'; c++)
        n += throttle_take(f->t, &away, span_of(&c, 1), 5) == THROTTLE_OK;
    assert_int_equal(n, THROTTLE_PEER_BURST);
    assert_int_equal(throttle_take(f->t, &home, ANN, 5), THROTTLE_OK);
}

static void letter_case_does_not_help(void **state)
{
    struct fixture *f = *state;

    (void)attempts(f->t, &away, ANN, 0, THROTTLE_NAME);
    assert_int_equal(throttle_take(f->t, &away, SPAN_LIT("ANN@Example.COM"), 0),
                     THROTTLE_NAME);
}

static void owner_is_not_locked_out_by_a_stranger(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(throttle_take(f->t, &home, ANN, 0), THROTTLE_OK);
    throttle_success(f->t, &home, ANN, 0);
    (void)attempts(f->t, &away, ANN, 1, THROTTLE_NAME);
    assert_int_equal(throttle_take(f->t, &home, ANN, 2), THROTTLE_OK);
    throttle_success(f->t, &home, ANN, 2);
    /* the trust ends a day after the last success */
    (void)attempts(f->t, &away, ANN, THROTTLE_KNOWN_MS + 2, THROTTLE_NAME);
    assert_int_equal(throttle_take(f->t, &home, ANN, THROTTLE_KNOWN_MS + 2),
                     THROTTLE_NAME);
}

static void success_and_undo_give_back(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 100; i++) {
        assert_int_equal(throttle_take(f->t, &home, ANN, 0), THROTTLE_OK);
        if (i % 2 == 0)
            throttle_success(f->t, &home, ANN, 0);
        else
            throttle_undo(f->t, &home, ANN, 0);
    }
    assert_int_equal(attempts(f->t, &away, ANN, 0, THROTTLE_NAME), THROTTLE_NAME_BURST);
}

static void ipv6_clients_count_by_64(void **state)
{
    struct fixture *f = *state;
    struct ipaddr six = {AF_INET6, {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1}};
    int n = 0;

    for (uint8_t i = 0; i < 200; i++) {
        six.b[15] = i;
        n += throttle_take(f->t, &six, span_of(&i, 1), 0) == THROTTLE_OK;
    }
    assert_int_equal(n, THROTTLE_PEER_BURST);
    six.b[7] = 2;
    assert_int_equal(throttle_take(f->t, &six, ANN, 0), THROTTLE_OK);
}

static void table_has_a_ceiling(void **state)
{
    struct fixture *f = *state;

    (void)attempts(f->t, &away, ANN, 0, THROTTLE_NAME);
    for (uint32_t i = 0; i < THROTTLE_ENTRIES_MAX; i++) {
        struct ipaddr peer = {AF_INET,
                              {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};

        char login[16];

        (void)snprintf(login, sizeof login, "%u", i);
        assert_int_equal(throttle_take(f->t, &peer, span_str(login), 0), THROTTLE_OK);
    }
    /* what was touched longest ago was forgotten */
    assert_int_equal(
        throttle_take(f->t, &(struct ipaddr){AF_INET, {203, 0, 113, 1}}, ANN, 0),
        THROTTLE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(login_is_limited_and_recovers, setup, teardown),
        cmocka_unit_test_setup_teardown(client_is_limited_over_all_logins, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(letter_case_does_not_help, setup, teardown),
        cmocka_unit_test_setup_teardown(owner_is_not_locked_out_by_a_stranger, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(success_and_undo_give_back, setup, teardown),
        cmocka_unit_test_setup_teardown(ipv6_clients_count_by_64, setup, teardown),
        cmocka_unit_test_setup_teardown(table_has_a_ceiling, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
