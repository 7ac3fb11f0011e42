/* SPDX-License-Identifier: ISC */
/* The directory role over its channels, with a real database. The test plays edge and
 * mailbox; the clock is turned by hand. */
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
#include "base/crypto/pwhash.h"
#include "maild/directory/throttle.h"
#include "maild/ipc_msgs.h"
#include "maild/roles.h"
#include "tests/unit/maild/neighbour.h"
#include "zones/account.h"
#include "zones/change.h"
#include "zones/domain.h"
#include "zones/host.h"

#define NOW   1795000000
#define REF   "00000000000000000000000000000001"
#define RIGHT "correct horse"

struct fixture {
    char dir[64];
    struct clock clock;
    struct rng rng;
    struct log log;
    struct loop *loop;
    struct conf *conf;
    struct role_env env;
    void *role;
    struct ipc *edge, *mailbox;

    unsigned answers, no, not_yes, tickets;
    enum answer status; /* of the last AUTH_RESULT */
    uint64_t account;
    uint8_t ticket[16], told[16]; /* by AUTH_RESULT, by TICKET */
    size_t ticket_n;
    char login[321];
};

/* ---- the world ---- */

static void fill(struct domaindb *d)
{
    const struct change_intent intent = {"test", "make a world", NOW};
    const struct pwhash_cost cheap = {4, 8, 1};
    const uint8_t salt[PWHASH_SALT] = {1};
    struct host_row host = {.name = "mx.ours.test", .roles = HOST_MAIL | HOST_NS};
    struct domain_row domain = {.name = "ours.test", .mx_preference = 10};
    struct account_row ann = {.address = "ann@ours.test", .secret_ref = REF};
    char hash[PWHASH_MAX + 1];
    struct err err = {0};
    int64_t serial;

    assert_int_equal(pwhash_make(SPAN_LIT(RIGHT), salt, &cheap, hash, &err), 0);
    assert_int_equal(secret_put(d, REF, hash, NOW, &err), 0);
    assert_int_equal(change_begin(d, &intent, &err), 0);
    assert_int_equal(host_insert(d, &host, &err), DOMAINDB_OK);
    domain.host_id = host.id;
    assert_int_equal(domain_insert(d, &domain, &err), DOMAINDB_OK);
    ann.is_enabled = true;
    assert_int_equal(account_insert(d, &ann, &err), DOMAINDB_OK);
    assert_int_equal(change_commit(d, &serial, &err), 0);
}

static void on_message(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct fixture *f = ctx;
    struct m_ticket m;

    assert_ptr_equal(ch, f->mailbox);
    assert_int_equal(in->type, IPC_TICKET);
    assert_true(m_ticket_decode(in->payload, &m));
    assert_int_equal(m.ticket.n, sizeof f->told);
    memcpy(f->told, m.ticket.p, m.ticket.n);
    f->tickets++;
}

static void on_closed(void *ctx, struct ipc *ch)
{
    (void)ctx;
    (void)ch;
}

static const struct ipc_handlers handlers = {.message = on_message, .closed = on_closed};

static struct ipc *neighbour(struct fixture *f, enum role peer)
{
    return neighbour_join(&f->env, peer, 0, &handlers, f);
}

static int setup(void **state)
{
    struct fixture *f = mem_new(1, sizeof *f);
    struct err err = {0};
    struct domaindb *d;
    char text[512];

    (void)snprintf(f->dir, sizeof f->dir, "/tmp/signpost-directory-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    d = domaindb_open(f->dir, NULL, DOMAINDB_WRITE | DOMAINDB_CREATE | DOMAINDB_SECRETS,
                      &err);
    if (d == NULL)
        fail_msg("%s", err.text);
    fill(d);
    domaindb_close(&d);
    (void)snprintf(text, sizeof text,
                   "hostname mx.ours.test\naddress 192.0.2.1\ndata_dir %s\n"
                   "listen smtp 127.0.0.1:25\n",
                   f->dir);
    f->conf = conf_parse("test", span_str(text), &err);
    if (f->conf == NULL)
        fail_msg("%s", err.text);
    clock_fake_init(&f->clock, NOW);
    rng_seeded_init(&f->rng, 11);
    log_init(&f->log, -1, "directory", &f->clock);
    f->loop = loop_new(&f->log, clock_system());
    f->env = (struct role_env){.self = ROLE_DIRECTORY,
                               .loop = f->loop,
                               .log = &f->log,
                               .clock = &f->clock,
                               .rng = &f->rng,
                               .conf = f->conf};
    neighbours_count(&f->env);
    f->role = directory_start(&f->env, &err);
    if (f->role == NULL)
        fail_msg("%s", err.text);
    f->edge = neighbour(f, ROLE_EDGE);
    f->mailbox = neighbour(f, ROLE_MAILBOX);
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

    directory_stop(f->role);
    ipc_free(&f->edge);
    ipc_free(&f->mailbox);
    loop_free(&f->loop);
    conf_free(&f->conf);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", f->dir, files[i]);
        (void)remove(path);
    }
    free(f);
    return 0;
}

/* ---- questions ---- */

static void on_auth_result(void *ctx, const struct ipc_in *in)
{
    struct fixture *f = ctx;
    struct m_auth_result m;

    assert_non_null(in);
    assert_true(m_auth_result_decode(in->payload, &m));
    f->status = (enum answer)m.status;
    f->account = m.account_id;
    f->ticket_n = m.ticket.n;
    if (m.ticket.n != 0)
        memcpy(f->ticket, m.ticket.p, m.ticket.n);
    assert_true(span_copy(m.login, f->login, sizeof f->login));
    f->answers++;
    f->no += m.status == ANSWER_NO;
    f->not_yes += m.status != ANSWER_YES;
}

static void ask(struct fixture *f, uint8_t service, const char *login,
                const char *password, const char *peer)
{
    const struct m_auth m = {.service = service,
                             .login = span_str(login),
                             .password = span_str(password),
                             .peer = span_str(peer)};
    struct buf out;
    struct wr w;

    buf_init(&out, 4096);
    wr_init(&w, &out);
    m_auth_encode(&m, &w);
    assert_false(w.is_bad);
    (void)ipc_call(f->edge, IPC_AUTH, buf_all(&out), -1, 30000, on_auth_result, f);
    buf_free(&out);
}

static void turn_until(struct fixture *f, unsigned answers)
{
    for (int i = 0; i < 1000 && f->answers < answers; i++)
        loop_turn(f->loop, 100);
    assert_int_equal(f->answers, answers);
}

static enum answer auth(struct fixture *f, uint8_t service, const char *login,
                        const char *password, const char *peer)
{
    unsigned n = f->answers + 1;

    ask(f, service, login, password, peer);
    turn_until(f, n);
    return f->status;
}

/* ---- tests ---- */

static void imap_login_gets_the_ticket_the_mailbox_knows(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(auth(f, AUTH_IMAP, "Ann@OURS.test", RIGHT, "192.0.2.9"), ANSWER_YES);
    assert_string_equal(f->login, "ann@ours.test");
    assert_true(f->account != 0);
    assert_int_equal(f->ticket_n, sizeof f->ticket);
    for (int i = 0; i < 100 && f->tickets == 0; i++)
        loop_turn(f->loop, 10);
    assert_int_equal(f->tickets, 1);
    assert_memory_equal(f->ticket, f->told, sizeof f->told);
}

/* Nobody could open the session: the client is told to come again, and may. */
static void login_waits_for_its_mailbox(void **state)
{
    struct fixture *f = *state;

    ipc_free(&f->mailbox);
    for (int i = 0; i < 5; i++)
        loop_turn(f->loop, 1);
    assert_int_equal(auth(f, AUTH_IMAP, "ann@ours.test", RIGHT, "192.0.2.9"),
                     ANSWER_LATER);
    f->mailbox = neighbour(f, ROLE_MAILBOX);
    assert_int_equal(auth(f, AUTH_IMAP, "ann@ours.test", RIGHT, "192.0.2.9"), ANSWER_YES);
}

/* With several instances the ticket goes where the account's mail is. */
static void ticket_goes_to_the_accounts_mailbox(void **state)
{
    struct fixture *f = *state;
    struct ipc *ends[5];
    unsigned mine;
    struct err err;

    ipc_free(&f->edge);
    ipc_free(&f->mailbox);
    directory_stop(f->role);
    f->env.count[ROLE_MAILBOX] = COUNT_OF(ends);
    f->role = directory_start(&f->env, &err);
    assert_non_null(f->role);
    f->edge = neighbour(f, ROLE_EDGE);
    for (unsigned i = 0; i < COUNT_OF(ends); i++)
        ends[i] = neighbour_join(&f->env, ROLE_MAILBOX, i, &handlers, f);
    assert_int_equal(auth(f, AUTH_SUBMISSION, "ann@ours.test", RIGHT, "192.0.2.9"),
                     ANSWER_YES);
    mine = role_mailbox(&f->env, f->account);
    f->mailbox = ends[mine]; /* on_message() wants it to come there */
    assert_int_equal(auth(f, AUTH_IMAP, "ann@ours.test", RIGHT, "192.0.2.9"), ANSWER_YES);
    for (int i = 0; i < 100 && f->tickets == 0; i++)
        loop_turn(f->loop, 10);
    assert_int_equal(f->tickets, 1);
    for (unsigned i = 0; i < COUNT_OF(ends); i++)
        if (i != mine)
            ipc_free(&ends[i]);
}

static void edge_dies_with_a_question_in_hand(void **state)
{
    struct fixture *f = *state;

    ask(f, AUTH_IMAP, "ann@ours.test", RIGHT, "192.0.2.9");
    for (int i = 0; i < 3; i++)
        loop_turn(f->loop, 1);
    ipc_free(&f->edge);
    f->edge = neighbour(f, ROLE_EDGE);
    assert_int_equal(auth(f, AUTH_IMAP, "ann@ours.test", "wrong", "192.0.2.9"),
                     ANSWER_NO);
}

static void submission_needs_no_ticket(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(auth(f, AUTH_SUBMISSION, "ann@ours.test", RIGHT, "192.0.2.9"),
                     ANSWER_YES);
    assert_int_equal(f->ticket_n, 0);
    assert_int_equal(f->tickets, 0);
}

static void wrong_and_unknown_get_the_same_no(void **state)
{
    static const char *const logins[][2] = {
        {"ann@ours.test", "wrong"},
        {"ann@ours.test", ""},
        {"nobody@ours.test", RIGHT},
        {"ann", RIGHT},
        {"", ""},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(logins); i++) {
        assert_int_equal(auth(f, AUTH_IMAP, logins[i][0], logins[i][1], "192.0.2.9"),
                         ANSWER_NO);
        assert_int_equal(f->account, 0);
        assert_string_equal(f->login, "");
        assert_int_equal(f->ticket_n, 0);
    }
    assert_int_equal(f->tickets, 0);
}

/* Parallel guesses are counted before any is looked at; right ones do not use them up. */
static void guesses_are_throttled_also_in_parallel(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 3 * THROTTLE_NAME_BURST; i++)
        assert_int_equal(auth(f, AUTH_IMAP, "ann@ours.test", RIGHT, "192.0.2.9"),
                         ANSWER_YES);
    f->answers = 0;
    for (unsigned i = 0; i < THROTTLE_NAME_BURST + 5; i++)
        ask(f, AUTH_IMAP, "ann@ours.test", "guess", "198.51.100.7");
    turn_until(f, THROTTLE_NAME_BURST + 5);
    /* the right password from there does not help now, from the known client it does */
    assert_int_equal(auth(f, AUTH_IMAP, "ann@ours.test", RIGHT, "198.51.100.7"),
                     ANSWER_LATER);
    assert_int_equal(auth(f, AUTH_IMAP, "ann@ours.test", RIGHT, "192.0.2.9"), ANSWER_YES);
    clock_fake_advance(&f->clock, THROTTLE_NAME_REFILL_MS);
    assert_int_equal(auth(f, AUTH_IMAP, "ann@ours.test", RIGHT, "198.51.100.7"),
                     ANSWER_YES);
}

/* More right passwords at a time than the buckets hold: all of them are right. */
static void a_burst_of_right_passwords_is_let_in(void **state)
{
    struct fixture *f = *state;
    unsigned n = 3 * THROTTLE_PEER_BURST;

    for (unsigned i = 0; i < n; i++)
        ask(f, AUTH_IMAP, "ann@ours.test", RIGHT, "192.0.2.9");
    turn_until(f, n);
    assert_int_equal(f->not_yes, 0);
    /* guesses in a burst are not more than those one by one */
    f->answers = f->no = 0;
    for (unsigned i = 0; i < n; i++)
        ask(f, AUTH_IMAP, "ann@ours.test", "guess", "198.51.100.7");
    turn_until(f, n);
    assert_int_equal(f->no, THROTTLE_NAME_BURST);
}

static void a_lost_database_is_try_later(void **state)
{
    struct fixture *f = *state;
    char path[128], away[140];

    (void)snprintf(path, sizeof path, "%s/db/signpost.db", f->dir);
    (void)snprintf(away, sizeof away, "%s.away", path);
    assert_int_equal(rename(path, away), 0);
    assert_int_equal(auth(f, AUTH_IMAP, "ann@ours.test", RIGHT, "192.0.2.9"),
                     ANSWER_LATER);
    assert_int_equal(rename(away, path), 0);
    assert_int_equal(auth(f, AUTH_IMAP, "ann@ours.test", RIGHT, "192.0.2.9"), ANSWER_YES);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(imap_login_gets_the_ticket_the_mailbox_knows),
        TEST(submission_needs_no_ticket),
        TEST(login_waits_for_its_mailbox),
        TEST(ticket_goes_to_the_accounts_mailbox),
        TEST(edge_dies_with_a_question_in_hand),
        TEST(wrong_and_unknown_get_the_same_no),
        TEST(guesses_are_throttled_also_in_parallel),
        TEST(a_burst_of_right_passwords_is_let_in),
        TEST(a_lost_database_is_try_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
