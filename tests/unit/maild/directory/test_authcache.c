/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "maild/directory/authcache.h"

#define REF   SPAN_LIT("0123456789abcdef")
#define OTHER SPAN_LIT("fedcba9876543210")
#define PASS  SPAN_LIT("correct horse")

static void remembers_only_what_was_right(void **state)
{
    struct rng rng;
    struct authcache *c;

    (void)state;
    rng_seeded_init(&rng, 1);
    c = authcache_new(&rng);
    assert_false(authcache_has(c, REF, PASS, 0));
    authcache_put(c, REF, PASS, 0);
    assert_true(authcache_has(c, REF, PASS, 1));
    assert_false(authcache_has(c, REF, SPAN_LIT("correct hors"), 1));
    assert_false(authcache_has(c, REF, SPAN_LIT(""), 1));
    /* a new password is a new reference: the old one is worth nothing at once */
    assert_false(authcache_has(c, OTHER, PASS, 1));
    authcache_free(&c);
    assert_null(c);
}

static void forgets_after_ten_minutes_whatever_was_used(void **state)
{
    struct rng rng;
    struct authcache *c;

    (void)state;
    rng_seeded_init(&rng, 2);
    c = authcache_new(&rng);
    authcache_put(c, REF, PASS, 0);
    assert_true(authcache_has(c, REF, PASS, AUTHCACHE_TTL_MS - 1));
    assert_false(authcache_has(c, REF, PASS, AUTHCACHE_TTL_MS));
    authcache_put(c, REF, PASS, AUTHCACHE_TTL_MS);
    authcache_put(c, REF, PASS, AUTHCACHE_TTL_MS + 5); /* again: one entry, new time */
    assert_true(authcache_has(c, REF, PASS, 2 * AUTHCACHE_TTL_MS + 4));
    authcache_free(&c);
}

static void has_a_ceiling(void **state)
{
    struct rng rng;
    struct authcache *c;

    (void)state;
    rng_seeded_init(&rng, 3);
    c = authcache_new(&rng);
    for (uint32_t i = 0; i < AUTHCACHE_ENTRIES_MAX + 1; i++)
        authcache_put(c, REF, span_of(&i, sizeof i), i);
    assert_false(authcache_has(c, REF, span_of(&(uint32_t){0}, 4), 10000));
    assert_true(authcache_has(c, REF, span_of(&(uint32_t){1}, 4), 10000));
    authcache_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remembers_only_what_was_right),
        cmocka_unit_test(forgets_after_ten_minutes_whatever_was_used),
        cmocka_unit_test(has_a_ceiling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
