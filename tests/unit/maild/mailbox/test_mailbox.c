/* SPDX-License-Identifier: ISC */
/* test_mailbox.c - the mailbox role on real channels, with edge, queue and directory played
 * by this program. Nothing sleeps: the loop turns until what is waited for has come. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "maild/ipc_msgs.h"
#include "maild/mailbox/mailbox_int.h"
#include "maild/roles.h"
#include "tests/unit/maild/neighbour.h"

#define TURNS 2000

struct world {
    char dir[64];
    struct log log;
    struct clock clock;
    struct rng rng;
    struct loop *loop;
    struct conf *conf;
    struct role_env env;
    struct ipc *fake[ROLE_COUNT];
    void *role;
    int client;
    struct buf got;
    /* the last answer */
    bool is_answered;
    uint8_t status;
    char text[520];
};

static void ignore(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    (void)ctx;
    (void)ch;
    (void)in;
}

static void on_gone(void *ctx, struct ipc *ch)
{
    struct world *w = ctx;

    for (int r = 0; r < ROLE_COUNT; r++) {
        if (w->fake[r] == ch)
            ipc_free(&w->fake[r]);
    }
}

static void pair(struct world *w, enum role r)
{
    static const struct ipc_handlers h = {.message = ignore, .closed = on_gone};

    w->fake[r] = neighbour_join(&w->env, r, 0, &h, w);
}

static void start_instance(struct world *w, unsigned instance, unsigned count)
{
    struct err err = {0, ""};

    neighbours_count(&w->env);
    w->env.instance = instance;
    w->env.count[ROLE_MAILBOX] = count;
    w->role = mailbox_start(&w->env, &err);
    if (w->role == NULL)
        fail_msg("%s", err.text);
    pair(w, ROLE_EDGE);
    pair(w, ROLE_QUEUE);
    pair(w, ROLE_DIRECTORY);
}

static void start(struct world *w)
{
    start_instance(w, 0, 1);
}

static void stop(struct world *w)
{
    mailbox_stop(w->role);
    for (int r = 0; r < ROLE_COUNT; r++)
        ipc_free(&w->fake[r]);
    if (w->client != -1)
        (void)close(w->client);
    w->client = -1;
    buf_reset(&w->got);
}

static int setup(void **state)
{
    struct world *w = mem_new(1, sizeof(*w));
    struct err err = {0, ""};
    char text[300];

    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/test_mailbox.XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(text, sizeof(text),
                   "hostname h.test\naddress 192.0.2.1\nlisten dns 192.0.2.1:53\n"
                   "data_dir %s\n",
                   w->dir);
    clock_fake_init(&w->clock, 1795379400);
    rng_seeded_init(&w->rng, 7);
    log_init(&w->log, -1, "mailbox", &w->clock);
    w->loop = loop_new(&w->log, &w->clock);
    w->conf = conf_parse("test", span_str(text), &err);
    if (w->conf == NULL)
        fail_msg("%s", err.text);
    w->env = (struct role_env){.self = ROLE_MAILBOX,
                               .loop = w->loop,
                               .log = &w->log,
                               .clock = &w->clock,
                               .rng = &w->rng,
                               .conf = w->conf};
    w->client = -1;
    buf_init(&w->got, 1u << 20);
    start(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char cmd[100];

    stop(w);
    loop_free(&w->loop);
    conf_free(&w->conf);
    buf_free(&w->got);
    (void)snprintf(cmd, sizeof(cmd), "rm -rf %s", w->dir);
    assert_int_equal(system(cmd), 0);
    free(w);
    return 0;
}

/* ---- queue's side -------------------------------------------------------------------- */

static void on_deliver_result(void *ctx, const struct ipc_in *in)
{
    struct m_deliver_result r;
    struct world *w = ctx;

    assert_non_null(in);
    assert_true(m_deliver_result_decode(in->payload, &r));
    w->is_answered = true;
    w->status = r.status;
    assert_true(span_copy(r.text, w->text, sizeof(w->text)));
}

static void on_settle_result(void *ctx, const struct ipc_in *in)
{
    struct m_settle_result r;
    struct world *w = ctx;

    assert_non_null(in);
    assert_true(m_settle_result_decode(in->payload, &r));
    w->is_answered = true;
    w->status = r.status;
}

static void await(struct world *w)
{
    for (int i = 0; i < TURNS && !w->is_answered; i++)
        loop_turn(w->loop, 5);
    assert_true(w->is_answered);
    w->is_answered = false;
}

/* A blob as queue leaves it: eight octets of head, then the message. */
static void write_blob(struct world *w, const char *name, const char *message)
{
    char path[128];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/mail/%s", w->dir, name);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_true(fprintf(f, "HEADHEAD%s", message) > 0);
    assert_int_equal(fclose(f), 0);
}

static void deliver(struct world *w, uint8_t id, uint32_t number, const char *blob,
                    const char *message)
{
    char path[64];
    struct m_deliver m = {.number = number,
                          .account_id = 5,
                          .rcpt = SPAN_LIT("joe@x.test"),
                          .sender = SPAN_LIT("ann@y.test"),
                          .blob_head = 8,
                          .size = strlen(message),
                          .accepted_s = 1795379000};
    struct buf b;
    struct wr wr;

    (void)snprintf(path, sizeof(path), "mail/%s", blob);
    memset(m.id.b, id, sizeof(m.id.b));
    m.path = span_str(path);
    buf_init(&b, 4096);
    wr_init(&wr, &b);
    m_deliver_encode(&m, &wr);
    assert_false(wr.is_bad);
    (void)ipc_call(w->fake[ROLE_QUEUE], IPC_DELIVER, buf_all(&b), -1, 60000,
                   on_deliver_result, w);
    buf_free(&b);
}

static void settle(struct world *w)
{
    struct buf b;
    struct wr wr;

    buf_init(&b, 64);
    wr_init(&wr, &b);
    m_settle_encode(&(struct m_settle){.number = 1}, &wr);
    (void)ipc_call(w->fake[ROLE_QUEUE], IPC_SETTLE, buf_all(&b), -1, 60000,
                   on_settle_result, w);
    buf_free(&b);
}

/* ---- edge's and directory's side ------------------------------------------------------ */

static const uint8_t key[16] = "0123456789abcde";

static void send_ticket(struct world *w)
{
    const struct m_ticket t = {
        .ticket = span_of(key, 16), .account_id = 5, .login = SPAN_LIT("joe@x.test")};
    struct buf b;
    struct wr wr;

    buf_init(&b, 1024);
    wr_init(&wr, &b);
    m_ticket_encode(&t, &wr);
    assert_int_equal(ipc_send(w->fake[ROLE_DIRECTORY], IPC_TICKET, buf_all(&b), -1), 0);
    buf_free(&b);
    for (int i = 0; i < 5; i++)
        loop_turn(w->loop, 1);
}

static void on_login_result(void *ctx, const struct ipc_in *in)
{
    struct m_login_result r;
    struct world *w = ctx;

    assert_non_null(in);
    assert_true(m_login_result_decode(in->payload, &r));
    w->is_answered = true;
    w->status = r.status;
}

/* Ask; the answer may have to wait for the ticket. */
static int ask_login(struct world *w, const char *input)
{
    const struct m_login m = {.ticket = span_of(key, 16),
                              .service = AUTH_IMAP,
                              .is_tls = 1,
                              .tag = SPAN_LIT("L"),
                              .peer = SPAN_LIT("192.0.2.9"),
                              .input = span_str(input)};
    struct buf b;
    struct wr wr;
    int fds[2];

    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    buf_init(&b, 4096);
    wr_init(&wr, &b);
    m_login_encode(&m, &wr);
    (void)ipc_call(w->fake[ROLE_EDGE], IPC_LOGIN, buf_all(&b), fds[1], 60000,
                   on_login_result, w);
    (void)close(fds[1]);
    buf_free(&b);
    for (int i = 0; i < 5; i++)
        loop_turn(w->loop, 1);
    return fds[0];
}

static void login(struct world *w, const char *input)
{
    int fd = ask_login(w, input);

    await(w);
    if (w->client != -1)
        (void)close(w->client);
    w->client = fd;
}

static void say(struct world *w, const char *text)
{
    assert_int_equal(send(w->client, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void hear(struct world *w, const char *want)
{
    char chunk[4096];
    ssize_t n;

    for (int i = 0; i < TURNS; i++) {
        ptrdiff_t at = span_find(buf_all(&w->got), span_str(want));

        if (at >= 0) {
            buf_drop(&w->got, (size_t)at + strlen(want));
            return;
        }
        loop_turn(w->loop, 5);
        while ((n = read(w->client, chunk, sizeof(chunk))) > 0)
            assert_int_equal(buf_append(&w->got, chunk, (size_t)n), 0);
    }
    fail_msg("wanted %s, came %.*s", want, SPAN_ARG(buf_all(&w->got)));
}

static void enter(struct world *w, const char *input)
{
    send_ticket(w);
    login(w, input);
    assert_int_equal(w->status, ANSWER_YES);
    hear(w, "L OK [CAPABILITY IMAP4rev1 ");
}

/* ---- tests --------------------------------------------------------------------------- */

#define MESSAGE "Subject: hello\r\n\r\nbody\r\n"

static void test_delivered_mail_is_read_as_it_came(void **state)
{
    struct world *w = *state;

    write_blob(w, "b1", MESSAGE);
    deliver(w, 1, 0, "b1", MESSAGE);
    await(w);
    assert_int_equal(w->status, ANSWER_YES);
    assert_string_equal(w->text, "2.1.5 delivered to INBOX uid 1");
    enter(w, "a SELECT INBOX\r\n"); /* octets that came behind the login */
    hear(w, "* 1 EXISTS\r\n");
    hear(w, "a OK [READ-WRITE]");
    say(w, "b FETCH 1 (RFC822.SIZE INTERNALDATE BODY.PEEK[])\r\n");
    hear(w,
         "* 1 FETCH (RFC822.SIZE 77 INTERNALDATE \"22-Nov-2026 20:23:20 +0000\" BODY[] "
         "{77}\r\nReturn-Path: <ann@y.test>\r\nDelivered-To: joe@x.test\r\n" MESSAGE
         ")\r\nb OK");
}

#define LISTED                                                                           \
    "Received: from a by b\r\nSubject: first\r\n line\r\nX-Odd: yes\r\nFrom: a@x\r\n"    \
    "\r\nbody\r\n"

/* Fields that the index keeps come from there, others and a header too long to be kept from
 * the file; nobody sees a difference. */
static void test_header_fields_are_those_of_the_file(void **state)
{
    struct world *w = *state;
    char *large = mem_new(1, 8192);
    size_t n = (size_t)snprintf(large, 64, "Subject: second\r\nReferences:");

    while (n < 5000)
        n +=
            (size_t)snprintf(large + n, 64, " <0123456789012345678901234567@x.test>\r\n");
    (void)snprintf(large + n, 64, "To: b@x\r\n\r\nbody\r\n");
    write_blob(w, "b1", LISTED);
    deliver(w, 1, 0, "b1", LISTED);
    await(w);
    write_blob(w, "b2", large);
    deliver(w, 2, 0, "b2", large);
    await(w);
    free(large);
    enter(w, "a SELECT INBOX\r\n");
    hear(w, "a OK [READ-WRITE]");
    say(w, "b FETCH 1:2 BODY.PEEK[HEADER.FIELDS (from SUBJECT to)]\r\n");
    hear(w, "* 1 FETCH (BODY[HEADER.FIELDS (from SUBJECT to)] {36}\r\n"
            "Subject: first\r\n line\r\nFrom: a@x\r\n\r\n)\r\n"
            "* 2 FETCH (BODY[HEADER.FIELDS (from SUBJECT to)] {28}\r\n"
            "Subject: second\r\nTo: b@x\r\n\r\n)\r\nb OK");
    say(w, "c FETCH 1 (ENVELOPE BODY.PEEK[HEADER.FIELDS (X-Odd Subject)]<2.9>)\r\n");
    hear(w, "ENVELOPE (NIL \"first line\"");
    hear(w, "BODY[HEADER.FIELDS (X-Odd Subject)]<2> {9}\r\nbject: fi)\r\nc OK");
    say(w,
        "d FETCH 1 (BODY.PEEK[HEADER.FIELDS (Return-Path)] "
        "BODY.PEEK[HEADER.FIELDS.NOT (From)]<0.3> BODY.PEEK[HEADER.FIELDS (From)])\r\n");
    hear(w, "{29}\r\nReturn-Path: <ann@y.test>\r\n\r\n ");
    hear(w, "{3}\r\nRet BODY[HEADER.FIELDS (From)] {13}\r\nFrom: a@x\r\n\r\n)\r\nd OK");
}

/* Deliveries gather behind a batch; none is forgotten. */
static void test_deliveries_gather_and_all_arrive(void **state)
{
    struct world *w = *state;

    write_blob(w, "b1", MESSAGE);
    deliver(w, 1, 0, "b1", MESSAGE);
    await(w);
    enter(w, "a SELECT INBOX\r\n");
    hear(w, "a OK [READ-WRITE]");
    say(w, "b IDLE\r\n");
    hear(w, "+ ");
    for (uint8_t id = 2; id < 12; id++)
        deliver(w, id, 0, "b1", MESSAGE);
    hear(w, "* 11 EXISTS\r\n");
    say(w, "DONE\r\n");
    hear(w, "b OK");
}

/* Sets with holes, "*", and numbers nobody has. */
static void test_a_set_names_the_messages_it_names(void **state)
{
    struct world *w = *state;

    write_blob(w, "b1", MESSAGE);
    for (unsigned i = 0; i < 20; i++) {
        deliver(w, (uint8_t)(i + 1), 0, "b1", MESSAGE);
        await(w);
    }
    enter(w, "a SELECT INBOX\r\n");
    hear(w, "a OK [READ-WRITE]");
    say(w, "b FETCH 2,9:10,* (UID ENVELOPE)\r\n");
    hear(w, "* 2 FETCH (UID 2 ENVELOPE (NIL \"hello\"");
    hear(w, ")\r\n* 9 FETCH (UID 9 ENVELOPE (NIL \"hello\"");
    hear(w, ")\r\n* 10 FETCH (UID 10 ENVELOPE (NIL \"hello\"");
    hear(w, ")\r\n* 20 FETCH (UID 20 ENVELOPE (NIL \"hello\"");
    hear(w, ")\r\nb OK");
    say(w, "c UID FETCH 30:*,25 UID\r\n");
    hear(w, "* 20 FETCH (UID 20)\r\nc OK");
    say(w, "d UID FETCH 5,25,19 UID\r\n");
    hear(w, "* 5 FETCH (UID 5)\r\n* 19 FETCH (UID 19)\r\nd OK");
    say(w, "e UID FETCH 25 UID\r\n");
    hear(w, "e OK");
}

/* The queue may ask again after a crash on either side. */
static void test_a_repeated_delivery_is_one_message(void **state)
{
    struct world *w = *state;

    write_blob(w, "b1", MESSAGE);
    deliver(w, 1, 0, "b1", MESSAGE);
    await(w);
    stop(w);
    start(w);
    /* after a power loss the blob may be a new file under its old name */
    write_blob(w, "b2", MESSAGE);
    deliver(w, 1, 0, "b2", MESSAGE);
    await(w);
    assert_int_equal(w->status, ANSWER_YES);
    assert_string_equal(w->text, "2.1.5 was delivered before");
    deliver(w, 1, 1, "b2", MESSAGE);
    await(w);
    assert_string_equal(w->text, "2.1.5 delivered to INBOX uid 2");
    settle(w);
    await(w);
    assert_int_equal(w->status, ANSWER_YES);
}

static void test_a_lost_blob_is_said_so(void **state)
{
    struct world *w = *state;

    deliver(w, 1, 0, "none", MESSAGE);
    await(w);
    assert_int_equal(w->status, ANSWER_NO);
    assert_string_equal(w->text, "5.3.0 the message was lost before delivery");
    deliver(w, 1, 0, "../etc/passwd", MESSAGE);
    await(w);
    assert_int_equal(w->status, ANSWER_NO);
}

static void test_idle_hears_of_new_mail(void **state)
{
    struct world *w = *state;

    enter(w, "");
    say(w, "a SELECT INBOX\r\nb IDLE\r\n");
    hear(w, "+ idling\r\n");
    write_blob(w, "b1", MESSAGE);
    deliver(w, 1, 0, "b1", MESSAGE);
    hear(w, "* 1 EXISTS\r\n* 1 RECENT\r\n");
    say(w, "DONE\r\n");
    hear(w, "b OK");
}

static void test_flags_and_removal_survive_a_restart(void **state)
{
    struct world *w = *state;

    enter(w, "");
    say(w, "a APPEND INBOX (\\Flagged work) {24+}\r\n" MESSAGE "\r\n");
    hear(w, "a OK [APPENDUID ");
    say(w, "b APPEND INBOX {24}\r\n");
    hear(w, "+ ");
    say(w, MESSAGE "\r\n");
    hear(w, "b OK [APPENDUID ");
    say(w, "c SELECT INBOX\r\nd STORE 2 +FLAGS (\\Deleted)\r\ne EXPUNGE\r\n"
           "f STORE 1 +FLAGS.SILENT (\\Seen)\r\n");
    hear(w, "* 2 EXPUNGE\r\n");
    hear(w, "f OK");
    stop(w); /* the flag is not a second old: written by the stop */
    start(w);
    enter(w, "a SELECT INBOX\r\nb FETCH 1:* (UID FLAGS)\r\n");
    hear(w, "* OK [UIDNEXT 3]");
    hear(w, "* 1 FETCH (UID 1 FLAGS (\\Flagged \\Seen work))\r\nb OK");
}

static void login_without_ticket(struct world *w)
{
    int fd = ask_login(w, "");

    assert_false(w->is_answered);
    clock_fake_advance(&w->clock, 1999);
    login_unpark(w->role);
    assert_false(w->is_answered);
    clock_fake_advance(&w->clock, 1);
    login_unpark(w->role);
    await(w);
    assert_int_equal(w->status, ANSWER_NO);
    (void)close(fd);
}

static void hear_end(struct world *w)
{
    char octet;

    for (int i = 0; i < TURNS; i++) {
        if (read(w->client, &octet, 1) == 0)
            return;
        loop_turn(w->loop, 5);
    }
    fail_msg("the connection stays open");
}

static void test_tickets(void **state)
{
    struct world *w = *state;

    login_without_ticket(w); /* none was sent */
    enter(w, "");
    login_without_ticket(w); /* good once */
    send_ticket(w);
    clock_fake_advance(&w->clock, 31000);
    login_without_ticket(w); /* too old */
}

/* Ticket and login travel on different sockets. */
static void test_a_login_before_its_ticket_waits(void **state)
{
    struct world *w = *state;

    w->client = ask_login(w, "a NOOP\r\n");
    assert_false(w->is_answered);
    send_ticket(w);
    await(w);
    assert_int_equal(w->status, ANSWER_YES);
    hear(w, "L OK [CAPABILITY IMAP4rev1 ");
    hear(w, "a OK");
}

static void test_a_login_that_waits_goes_with_its_edge(void **state)
{
    struct world *w = *state;

    w->client = ask_login(w, "");
    ipc_free(&w->fake[ROLE_EDGE]);
    hear_end(w);
    send_ticket(w); /* nobody comes for it any more */
    pair(w, ROLE_EDGE);
    enter(w, "");
}

static bool has_file(struct world *w, const char *rest);

/* Each index has one process that opens it. */
static void test_accounts_of_another_instance_are_not_touched(void **state)
{
    struct world *w = *state;
    char path[200];

    stop(w);
    (void)snprintf(path, sizeof(path), "%s/mail/05/index.db", w->dir);
    assert_int_equal(unlink(path), 0);
    start_instance(w, 0, 2); /* account 5 is with instance 1 */
    write_blob(w, "b1", MESSAGE);
    deliver(w, 1, 0, "b1", MESSAGE);
    await(w);
    assert_int_equal(w->status, ANSWER_LATER);
    send_ticket(w);
    login_without_ticket(w);
    assert_false(has_file(w, "mail/05/index.db"));
    stop(w);
    start_instance(w, 1, 2);
    deliver(w, 1, 0, "b1", MESSAGE);
    await(w);
    assert_int_equal(w->status, ANSWER_YES);
    assert_true(has_file(w, "mail/05/index.db"));
    enter(w, "a SELECT INBOX\r\n");
    hear(w, "* 1 EXISTS\r\n");
}

/* Queue dies while a delivery is under way and asks again after its return. */
static void test_queue_returns_and_asks_again(void **state)
{
    struct world *w = *state;

    write_blob(w, "b1", MESSAGE);
    deliver(w, 1, 0, "b1", MESSAGE);
    ipc_free(&w->fake[ROLE_QUEUE]);
    pair(w, ROLE_QUEUE);
    deliver(w, 1, 0, "b1", MESSAGE);
    await(w);
    assert_int_equal(w->status, ANSWER_YES);
    enter(w, "a SELECT INBOX\r\n");
    hear(w, "* 1 EXISTS\r\n");
}

static void put_file(struct world *w, const char *rest)
{
    char path[200];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", w->dir, rest);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
}

static bool has_file(struct world *w, const char *rest)
{
    char path[200];

    (void)snprintf(path, sizeof(path), "%s/%s", w->dir, rest);
    return access(path, F_OK) == 0;
}

/* A crash between the name of an appended file and its row. */
static void test_pending_file_without_a_row_is_removed(void **state)
{
    static const char id[] = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct world *w = *state;
    char file[100], pending[100];

    enter(w, "a APPEND INBOX {24+}\r\n" MESSAGE "\r\n");
    hear(w, "a OK [APPENDUID ");
    stop(w);
    (void)snprintf(file, sizeof(file), "%s/mail/05/5/aa", w->dir);
    (void)mkdir(file, 0700);
    (void)snprintf(file, sizeof(file), "mail/05/5/aa/%s.0", id);
    (void)snprintf(pending, sizeof(pending), "mail/05/pending/5.%s.0", id);
    put_file(w, file);
    put_file(w, pending);
    start(w);
    enter(w, "a SELECT INBOX\r\nb FETCH 1 BODY.PEEK[TEXT]\r\n");
    hear(w, "{6}\r\nbody\r\n)");
    assert_false(has_file(w, file));
    assert_false(has_file(w, pending));
}

static size_t count_files(struct world *w, const char *folder)
{
    char path[200];
    const struct dirent *e;
    size_t n = 0;
    DIR *d;

    (void)snprintf(path, sizeof(path), "%s/%s", w->dir, folder);
    d = opendir(path);
    assert_non_null(d);
    while ((e = readdir(d)) != NULL)
        n += e->d_name[0] != '.';
    (void)closedir(d);
    return n;
}

/* A client that goes away at any moment takes nothing along. */
static void test_client_gone_in_mid_command(void **state)
{
    static const char *const last_words[] = {"a SELECT INBOX\r\nb FETCH 1:* BODY[]\r\n",
                                             "a SELECT INBOX\r\nb SEARCH TEXT x\r\n",
                                             "a APPEND INBOX {1000+}\r\nhalf",
                                             "a APPEND INBOX {4+}\r\nall!\r\n",
                                             "a SELECT INBOX\r\nb MOVE 1 Trash\r\n",
                                             "a LIST \"\" *\r\n"};
    struct world *w = *state;

    write_blob(w, "b1", MESSAGE);
    for (size_t i = 0; i < COUNT_OF(last_words); i++) {
        deliver(w, (uint8_t)(i + 1), 0, "b1", MESSAGE);
        await(w);
        enter(w, "");
        say(w, last_words[i]);
        for (size_t k = 0; k < i % 3; k++)
            loop_turn(w->loop, 1);
        (void)close(w->client);
        w->client = -1;
        for (int k = 0; k < 20; k++)
            loop_turn(w->loop, 1);
    }
    enter(w, "z NOOP\r\n");
    hear(w, "z OK");
    for (int i = 0; i < TURNS && count_files(w, "mail/05/pending") > 0; i++)
        loop_turn(w->loop, 5);
    assert_int_equal(count_files(w, "mail/05/pending"), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_delivered_mail_is_read_as_it_came),
        T(test_header_fields_are_those_of_the_file),
        T(test_a_set_names_the_messages_it_names),
        T(test_deliveries_gather_and_all_arrive),
        T(test_a_repeated_delivery_is_one_message),
        T(test_a_lost_blob_is_said_so),
        T(test_idle_hears_of_new_mail),
        T(test_flags_and_removal_survive_a_restart),
        T(test_pending_file_without_a_row_is_removed),
        T(test_tickets),
        T(test_a_login_before_its_ticket_waits),
        T(test_a_login_that_waits_goes_with_its_edge),
        T(test_queue_returns_and_asks_again),
        T(test_accounts_of_another_instance_are_not_touched),
        T(test_client_gone_in_mid_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
