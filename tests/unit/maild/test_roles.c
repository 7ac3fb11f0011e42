/* SPDX-License-Identifier: ISC */
/* test_roles.c - who is there, and which instance has what. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "maild/ipc_msgs.h"
#include "maild/roles.h"
#include "tests/unit/maild/neighbour.h"

struct seen {
    unsigned opened, closed, breaches;
    enum role role;
    unsigned instance;
};

static void on_opened(void *ctx, struct ipc *ch)
{
    struct seen *s = ctx;

    (void)ch;
    s->opened++;
}

static void on_closed(void *ctx, struct ipc *ch)
{
    struct seen *s = ctx;

    (void)ch;
    s->closed++;
}

static void on_breach(void *ctx, enum role r, unsigned instance)
{
    struct seen *s = ctx;

    s->breaches++;
    s->role = r;
    s->instance = instance;
}

static void peers_come_and_go_by_instance(void **state)
{
    static const struct ipc_handlers h = {.opened = on_opened, .closed = on_closed};
    struct seen seen = {0};
    struct role_env env = {.self = ROLE_QUEUE, .breach = on_breach, .breach_ctx = &seen};
    struct log log;
    struct ipc *two;
    int fds[2];

    (void)state;
    log_init(&log, -1, "test", clock_system());
    env.loop = loop_new(&log, clock_system());
    neighbours_count(&env);
    env.count[ROLE_RELAY] = 3;
    role_connect(&env, ROLE_RELAY, &h, &seen);
    assert_null(role_peer(&env, ROLE_RELAY, 3));
    assert_null(role_peer(&env, ROLE_MAILBOX, 0));
    assert_false(role_is_up(&env, ROLE_RELAY));
    two = neighbour_join(&env, ROLE_RELAY, 2, &(struct ipc_handlers){0}, NULL);
    assert_int_equal(seen.opened, 1);
    assert_true(ipc_is_up(role_peer(&env, ROLE_RELAY, 2)));
    assert_int_equal(role_instance(&env, role_peer(&env, ROLE_RELAY, 2)), 2);
    assert_false(role_is_up(&env, ROLE_RELAY)); /* the two others */
    ipc_break(role_peer(&env, ROLE_RELAY, 2), "nonsense");
    assert_int_equal(seen.breaches, 1);
    assert_int_equal(seen.role, ROLE_RELAY);
    assert_int_equal(seen.instance, 2);
    assert_int_equal(seen.closed, 1);
    ipc_free(&two);

    /* one it does not speak with: the descriptor is not kept */
    assert_int_equal(pipe(fds), 0);
    role_plug(&env, ROLE_SIGNER, 0, fds[0]);
    assert_int_equal(fcntl(fds[0], F_GETFD), -1);
    (void)close(fds[1]);

    role_disconnect(&env);
    role_disconnect(&env);
    assert_null(role_peer(&env, ROLE_RELAY, 2));
    loop_free(&env.loop);
}

static void accounts_and_domains_spread_and_stay(void **state)
{
    struct role_env env = {.self = ROLE_QUEUE};
    unsigned mailboxes[ROLE_INSTANCES_MAX] = {0}, relays[4] = {0};

    (void)state;
    neighbours_count(&env);
    for (unsigned n = 1; n <= ROLE_INSTANCES_MAX; n++) {
        env.count[ROLE_MAILBOX] = n;
        for (uint64_t id = 1; id < 100; id++) {
            unsigned at = role_mailbox(&env, id);

            /* what shares an index shares the process that writes it */
            assert_int_equal(at, role_mailbox(&env, id + ROLE_SHARDS));
            assert_int_equal(at, role_shard(id) % n);
            mailboxes[at]++;
        }
    }
    for (unsigned i = 0; i < ROLE_INSTANCES_MAX; i++)
        assert_true(mailboxes[i] > 0);
    env.count[ROLE_RELAY] = COUNT_OF(relays);
    assert_int_equal(role_relay(&env, SPAN_LIT("Far.Example")),
                     role_relay(&env, SPAN_LIT("far.example")));
    for (unsigned i = 0; i < 400; i++) {
        char domain[] = "d000.example";

        domain[1] = (char)('0' + i / 100);
        domain[2] = (char)('0' + i / 10 % 10);
        domain[3] = (char)('0' + i % 10);
        relays[role_relay(&env, span_str(domain))]++;
    }
    for (unsigned i = 0; i < COUNT_OF(relays); i++)
        assert_in_range(relays[i], 60, 140);
}

static void counts_come_from_the_configuration(void **state)
{
    static const char text[] = "hostname h.test.example\naddress 192.0.2.1\n"
                               "listen smtp 192.0.2.1:25\n"
                               "edge_processes 2\nmailbox_processes 16\n";
    unsigned count[ROLE_COUNT];
    struct err err = {0};
    struct conf *c = conf_parse("test", span_str(text), &err);

    (void)state;
    if (c == NULL)
        fail_msg("%s", err.text);
    role_counts(c, count);
    assert_int_equal(count[ROLE_EDGE], 2);
    assert_int_equal(count[ROLE_MAILBOX], 16);
    assert_int_equal(count[ROLE_RELAY], 1);
    assert_int_equal(count[ROLE_QUEUE], 1);
    conf_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peers_come_and_go_by_instance),
        cmocka_unit_test(accounts_and_domains_spread_and_stay),
        cmocka_unit_test(counts_come_from_the_configuration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
