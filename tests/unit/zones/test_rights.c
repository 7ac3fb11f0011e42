/* SPDX-License-Identifier: ISC */
/* The users of `signpost setup --users` against the sysusers.d file that is installed, and
 * against what the roles of maild say they become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dnsd/roles.h"
#include "maild/roles.h"
#include "zones/cli/rights.h"

static char *read_sysusers(void)
{
    static char text[8192];
    FILE *f = fopen("docs/examples/sysusers.conf", "r");
    size_t n;

    assert_non_null(f);
    n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    (void)fclose(f);
    return text;
}

static unsigned count_lines(const char *text, const char *beginning)
{
    unsigned n = 0;

    for (const char *p = text; (p = strstr(p, beginning)) != NULL; p++)
        n += p == text || p[-1] == '\n';
    return n;
}

static void sysusers_file_makes_the_same_users(void **state)
{
    const char *text = read_sysusers();
    unsigned users = 0, groups = 0, members = 0;
    char line[256];

    (void)state;
    for (size_t i = 0; rights_groups[i] != NULL; i++, groups++) {
        (void)snprintf(line, sizeof(line), "g %s - -\n", rights_groups[i]);
        assert_int_equal(count_lines(text, line), 1);
    }
    for (const struct rights_user *u = rights_users; u->name != NULL; u++, users++) {
        (void)snprintf(line, sizeof(line),
                       "u %s - \"%s\" /nonexistent /usr/sbin/nologin\n", u->name,
                       u->gecos);
        assert_int_equal(count_lines(text, line), 1);
        if (u->group == NULL)
            continue;
        (void)snprintf(line, sizeof(line), "m %s %s\n", u->name, u->group);
        assert_int_equal(count_lines(text, line), 1);
        members++;
    }
    assert_int_equal(count_lines(text, "g "), groups);
    assert_int_equal(count_lines(text, "u "), users);
    assert_int_equal(count_lines(text, "m "), members);
}

static bool is_made(const char *user)
{
    for (const struct rights_user *u = rights_users; u->name != NULL; u++)
        if (strcmp(u->name, user) == 0)
            return true;
    return false;
}

static void every_role_s_user_is_made(void **state)
{
    (void)state;
    for (int r = ROLE_PARENT + 1; r < ROLE_COUNT; r++)
        assert_true(is_made(role_table[r].confined.user));
    for (int r = 0; r < DNSD_ROLE_COUNT; r++)
        if (dnsd_roles[r].sandbox.user != NULL)
            assert_true(is_made(dnsd_roles[r].sandbox.user));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sysusers_file_makes_the_same_users),
        cmocka_unit_test(every_role_s_user_is_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
