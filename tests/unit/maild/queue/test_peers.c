/* SPDX-License-Identifier: ISC */
/* test_peers.c - the queue while its neighbours die and come back: nothing is lost, nothing is
 * doubled, and nobody waits longer than he must. No case turns the clock unless it says so,
 * so what goes out again goes out at once. */
#include "tests/unit/maild/queue/queue_world.h"

static const char body[] = "Subject: hello\r\n\r\nHi.\r\n";
static const char submission[] = "From: anna@host.example\r\n\r\nHi.\r\n";

static void die(struct world *w, enum role r)
{
    ipc_free(&w->peer[r]);
    for (int i = 0; i < 5; i++)
        loop_turn(w->loop, 1);
}

static void come(struct world *w, enum role r)
{
    w->peer[r] = neighbour_join(&w->env, r, 0, &handlers, w);
}

static void some_turns(struct world *w)
{
    for (int i = 0; i < 30; i++)
        loop_turn(w->loop, 2);
}

static void what_the_mailbox_had_in_hand_goes_out_again(void **state)
{
    struct world *w = *state;
    const char *to[] = {"anna@host.example"};

    w->mailbox_says = 0;
    (void)send_message(w, VIA_SMTP, "a@far.example", to, 1, body);
    UNTIL(w, w->delivers == 1);
    die(w, ROLE_MAILBOX);
    some_turns(w);
    assert_int_equal(w->delivers, 1);
    w->mailbox_says = ANSWER_YES;
    come(w, ROLE_MAILBOX);
    UNTIL(w, w->delivers == 2 && w->q->count.delivered == 1);
    assert_int_equal(map_count(w->rows), 1);
    checkpoint(w);
    UNTIL(w, map_count(w->q->messages) == 0 && files_left(w) == 0);
    assert_int_equal(w->delivers, 2);
}

static void mail_for_a_mailbox_that_is_away_is_taken_and_waits(void **state)
{
    struct world *w = *state;
    const char *to[] = {"anna@host.example"};

    die(w, ROLE_MAILBOX);
    for (int i = 0; i < 3; i++)
        (void)send_message(w, VIA_SMTP, "a@far.example", to, 1, body);
    UNTIL(w, w->replies == 3);
    assert_int_equal(w->code, 250);
    some_turns(w);
    assert_int_equal(w->delivers, 0);
    come(w, ROLE_MAILBOX);
    UNTIL(w, w->q->count.delivered == 3);
    assert_int_equal(w->delivers, 3);
}

static void what_the_relay_had_in_hand_goes_out_again(void **state)
{
    struct world *w = *state;
    const char *to[] = {"b@far.example", "c@far.example", "d@other.example"};

    w->relay_says = 0;
    (void)send_message(w, VIA_SMTP, "a@host.example", to, 3, body);
    UNTIL(w, w->relays == 2);
    die(w, ROLE_RELAY);
    some_turns(w);
    w->relay_says = RELAY_SENT;
    come(w, ROLE_RELAY);
    UNTIL(w, w->relays == 4 && map_count(w->q->messages) == 0 && files_left(w) == 0);
    assert_int_equal(w->q->count.relayed, 3);
    assert_int_equal(w->q->count.deferred, 0);
}

/* It may be what kills the role: it is put off, and the rest gets through. */
static void a_message_that_saw_three_deaths_is_put_off(void **state)
{
    struct world *w = *state;
    const char *to[] = {"anna@host.example"};

    w->mailbox_says = 0;
    (void)send_message(w, VIA_SMTP, "a@far.example", to, 1, body);
    for (unsigned i = 1; i <= 3; i++) {
        UNTIL(w, w->delivers == i);
        die(w, ROLE_MAILBOX);
        come(w, ROLE_MAILBOX);
    }
    some_turns(w);
    assert_int_equal(w->delivers, 3);
    assert_int_equal(w->q->count.deferred, 1);
    w->mailbox_says = ANSWER_YES;
    (void)send_message(w, VIA_SMTP, "a@far.example", to, 1, body);
    UNTIL(w, w->q->count.delivered == 1);
    clock_fake_advance(&w->clock, 301000); /* the first retry */
    spool_load(w->q);
    UNTIL(w, w->q->count.delivered == 2);
}

static void each_account_and_each_domain_has_its_instance(void **state)
{
    static const enum role two[] = {ROLE_MAILBOX, ROLE_RELAY};
    static const char *const domains[] = {"far.example", "other.example", "x.example"};
    struct world *w = *state, first, second;
    struct ipc *ends[4];
    size_t n = 0;

    stop_queue(w);
    w->count[ROLE_MAILBOX] = w->count[ROLE_RELAY] = 2;
    start_queue(w);
    first = second = *w; /* own counters */
    for (unsigned i = 0; i < 2; i++)
        ipc_free(&w->peer[two[i]]);
    for (unsigned i = 0; i < 2; i++) {
        ends[n++] = neighbour_join(&w->env, two[i], 0, &handlers, &first);
        ends[n++] = neighbour_join(&w->env, two[i], 1, &handlers, &second);
    }
    for (unsigned i = 0; i < 4; i++) {
        const char *to[] = {i % 2 == 0 ? "7@host.example" : "8@host.example"};

        (void)send_message(w, VIA_SMTP, "a@far.example", to, 1, body);
    }
    UNTIL(w, w->q->count.delivered == 4);
    assert_int_equal(first.accounts[8], 2); /* shard 8, of two: instance 0 */
    assert_int_equal(first.accounts[7], 0);
    assert_int_equal(second.accounts[7], 2);
    assert_int_equal(second.accounts[8], 0);
    for (unsigned i = 0; i < COUNT_OF(domains); i++) {
        struct world *mine =
            role_relay(&w->env, span_str(domains[i])) == 0 ? &first : &second;
        unsigned before = mine->relays;
        char address[40];
        const char *to[] = {address};

        (void)snprintf(address, sizeof(address), "b@%s", domains[i]);
        (void)send_message(w, VIA_SMTP, "a@host.example", to, 1, body);
        UNTIL(w, w->q->count.relayed == i + 1);
        assert_int_equal(mine->relays, before + 1);
    }
    /* A checkpoint is one only when both have settled. */
    ipc_free(&ends[1]);
    checkpoint(w);
    assert_int_equal(w->q->cp.n_done, 0);
    assert_int_equal(first.settles, 1);
    assert_int_not_equal(map_count(w->q->messages), 0);
    ends[1] = neighbour_join(&w->env, ROLE_MAILBOX, 1, &handlers, &second);
    checkpoint(w);
    assert_int_equal(w->q->cp.n_done, 1);
    assert_int_equal(second.settles, 1);
    UNTIL(w, map_count(w->q->messages) == 0);
    while (n > 0)
        ipc_free(&ends[--n]);
    free(first.last_local);
    free(first.last_relayed);
    free(second.last_local);
    free(second.last_relayed);
}

static void a_submission_waits_for_the_signer(void **state)
{
    struct world *w = *state;
    const char *to[] = {"b@far.example"};

    w->is_signer_silent = true;
    (void)send_message(w, VIA_SUBMISSION, "anna@host.example", to, 1, submission);
    UNTIL(w, w->signs == 1);
    die(w, ROLE_SIGNER);
    some_turns(w);
    assert_int_equal(w->replies, 0);
    w->is_signer_silent = false;
    come(w, ROLE_SIGNER);
    UNTIL(w, w->replies == 1 && w->relays == 1);
    assert_int_equal(w->code, 250);
    assert_int_equal(w->signs, 2);
    assert_non_null(strstr(w->last_relayed, "X-Signed: yes"));
}

static void a_signer_that_stays_away_is_a_temporary_failure(void **state)
{
    struct world *w = *state;
    const char *to[] = {"b@far.example"};

    die(w, ROLE_SIGNER);
    (void)send_message(w, VIA_SUBMISSION, "anna@host.example", to, 1, submission);
    some_turns(w);
    assert_int_equal(w->replies, 0);
    clock_fake_advance(&w->clock, 10001);
    accept_tick(w->q);
    UNTIL(w, w->replies == 1);
    assert_int_equal(w->code, 451);
    assert_non_null(strstr(w->text, "4.7.0"));
    assert_int_equal(map_count(w->q->messages), 0);
}

/* The client was not told 250 and will send it again: once is enough. */
static void what_a_dead_edge_asked_for_is_not_taken(void **state)
{
    struct world *w = *state;
    const char *to[] = {"b@far.example"};

    w->is_signer_silent = true;
    (void)send_message(w, VIA_SUBMISSION, "anna@host.example", to, 1, submission);
    UNTIL(w, w->signs == 1);
    die(w, ROLE_EDGE);
    die(w, ROLE_SIGNER);
    w->is_signer_silent = false;
    come(w, ROLE_SIGNER);
    UNTIL(w, w->signs == 2 && w->q->count.refused == 1);
    come(w, ROLE_EDGE);
    (void)send_message(w, VIA_SUBMISSION, "anna@host.example", to, 1, submission);
    UNTIL(w, w->replies == 1 && w->q->count.relayed == 1);
    some_turns(w);
    assert_int_equal(w->relays, 1);
    assert_int_equal(w->code, 250);
}

static void a_report_waits_for_the_directory(void **state)
{
    struct world *w = *state;
    const char *to[] = {"nobody@far.example"};

    die(w, ROLE_DIRECTORY);
    w->relay_says = RELAY_FAILED;
    w->relay_text = "550 5.1.1 no such user";
    (void)send_message(w, VIA_SUBMISSION, "anna@host.example", to, 1, submission);
    UNTIL(w, w->relays == 1);
    some_turns(w);
    assert_int_equal(w->delivers, 0);
    come(w, ROLE_DIRECTORY);
    clock_fake_advance(&w->clock, 61000);
    spool_load(w->q);
    UNTIL(w, w->delivers == 1);
    assert_non_null(strstr(w->last_local, "550 5.1.1 no such user"));
}

/* What was handed out when the queue itself ends is in its journal. */
static void a_restart_with_everybody_away_loses_nothing(void **state)
{
    struct world *w = *state;
    const char *to[] = {"anna@host.example", "b@far.example"};

    w->mailbox_says = 0;
    w->relay_says = 0;
    (void)send_message(w, VIA_SMTP, "a@x.example", to, 2, body);
    UNTIL(w, w->delivers == 1 && w->relays == 1);
    stop_queue(w);
    w->mailbox_says = ANSWER_YES;
    w->relay_says = RELAY_SENT;
    start_queue(w);
    UNTIL(w, w->delivers == 2 && w->relays == 2);
    checkpoint(w);
    UNTIL(w, map_count(w->q->messages) == 0 && files_left(w) == 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(what_the_mailbox_had_in_hand_goes_out_again),
        CASE(mail_for_a_mailbox_that_is_away_is_taken_and_waits),
        CASE(what_the_relay_had_in_hand_goes_out_again),
        CASE(a_message_that_saw_three_deaths_is_put_off),
        CASE(each_account_and_each_domain_has_its_instance),
        CASE(a_submission_waits_for_the_signer),
        CASE(a_signer_that_stays_away_is_a_temporary_failure),
        CASE(what_a_dead_edge_asked_for_is_not_taken),
        CASE(a_report_waits_for_the_directory),
        CASE(a_restart_with_everybody_away_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
