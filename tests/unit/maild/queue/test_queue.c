/* SPDX-License-Identifier: ISC */
/* The queue role with its neighbours played: edge sends, mailbox, relay, directory and signer
 * answer as each case says. Real files, real databases, a clock turned by hand. */
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
#include "maild/queue/queue_int.h"

#define NOW 1795000000

struct world {
    char dir[64];
    struct log log;
    struct clock clock;
    struct rng rng;
    struct loop *loop;
    struct conf *conf;
    struct role_env env;
    struct queue *q;
    struct ipc *peer[ROLE_COUNT]; /* the other ends, played here */

    /* what the neighbours do and saw */
    uint8_t mailbox_says; /* enum answer, 0: silent */
    uint8_t relay_says;   /* enum relay_status, 0: silent */
    const char *relay_text;
    unsigned delivers, relays, settles, signs, routes;
    struct map *rows;   /* mailbox: "id/number" --> itself: idempotence */
    char *last_relayed; /* octets of the last message relay read */
    char *last_local;
    int replies;
    uint16_t code;
    char text[600];
};

static void answer_with(struct ipc *ch, uint64_t call, uint16_t type, struct buf *payload)
{
    assert_int_equal(ipc_reply(ch, call, type, buf_all(payload), -1), 0);
    buf_free(payload);
}

static char *read_all(int fd, uint64_t offset, uint64_t size)
{
    char *octets = mem_new(1, size + 1);

    assert_int_equal(pread(fd, octets, size, (off_t)offset), (ssize_t)size);
    return octets;
}

static void play_deliver(struct world *w, struct ipc *ch, const struct ipc_in *in)
{
    struct m_deliver d;
    struct m_deliver_result r = {.status = w->mailbox_says,
                                 .text = SPAN_LIT("2.1.5 delivered to INBOX uid 1")};
    char path[700], key[64], id[MSGID_TEXT + 1];
    struct buf payload;
    struct wr wr;
    FILE *f;

    assert_true(m_deliver_decode(in->payload, &d));
    w->delivers++;
    (void)snprintf(path, sizeof(path), "%s/%.*s", w->dir, SPAN_ARG(d.path));
    f = fopen(path, "r");
    assert_non_null(f);
    free(w->last_local);
    w->last_local = read_all(fileno(f), d.blob_head, d.size);
    (void)fclose(f);
    if (w->mailbox_says == 0)
        return;
    if (w->mailbox_says == ANSWER_YES) {
        msgid_print(&d.id, id);
        (void)snprintf(key, sizeof(key), "%s/%u", id, d.number);
        assert_int_equal(map_put(w->rows, span_str(key), w), 0);
    } else
        r.text = SPAN_LIT("5.2.1 mailbox closed");
    buf_init(&payload, 1024);
    wr_init(&wr, &payload);
    m_deliver_result_encode(&r, &wr);
    answer_with(ch, in->call, IPC_DELIVER_RESULT, &payload);
}

static void play_relay(struct world *w, struct ipc *ch, const struct ipc_in *in)
{
    struct m_relay m;
    struct m_relay_result r = {.host = SPAN_LIT("mx.far.example")};
    struct arena *a = arena_new(65536);
    struct envelope e;
    struct buf payload, results;
    struct wr wr;
    struct rd rd;

    assert_true(m_relay_decode(in->payload, &m));
    w->relays++;
    assert_int_not_equal(in->fd, -1);
    free(w->last_relayed);
    w->last_relayed = read_all(in->fd, m.offset, m.size);
    (void)close(in->fd);
    rd_init(&rd, m.envelope);
    assert_true(envelope_decode(&rd, a, &e));
    buf_init(&results, 65536);
    wr_init(&wr, &results);
    for (size_t i = 0; i < e.n; i++)
        relay_outcome_put(&wr, &(struct relay_outcome){.status = w->relay_says,
                                                       .reply = span_str(w->relay_text)});
    r.results = buf_all(&results);
    buf_init(&payload, 65536 + 1024);
    wr_init(&wr, &payload);
    m_relay_result_encode(&r, &wr);
    arena_free(&a);
    if (w->relay_says != 0)
        answer_with(ch, in->call, IPC_RELAY_RESULT, &payload);
    else
        buf_free(&payload);
    buf_free(&results);
}

static void play_small(struct world *w, struct ipc *ch, const struct ipc_in *in)
{
    struct buf payload, targets;
    struct wr wr;

    buf_init(&payload, 8192);
    buf_init(&targets, 1024);
    wr_init(&wr, &payload);
    if (in->type == IPC_SETTLE) {
        w->settles++;
        m_settle_result_encode(&(struct m_settle_result){.status = ANSWER_YES}, &wr);
        answer_with(ch, in->call, IPC_SETTLE_RESULT, &payload);
    } else if (in->type == IPC_SIGN) {
        w->signs++;
        m_sign_result_encode(
            &(struct m_sign_result){.status = ANSWER_YES,
                                    .fields = SPAN_LIT("X-Signed: yes\r\n")},
            &wr);
        answer_with(ch, in->call, IPC_SIGN_RESULT, &payload);
    } else if (in->type == IPC_ROUTE) {
        struct wr t;
        struct m_route m;

        assert_true(m_route_decode(in->payload, &m));
        w->routes++;
        wr_init(&t, &targets);
        rcpt_target_put(&t, &(struct rcpt_target){.kind = RCPT_LOCAL,
                                                  .account_id = 7,
                                                  .address = m.address});
        m_route_result_encode(&(struct m_route_result){.status = RCPT_OK_LOCAL,
                                                       .targets = buf_all(&targets)},
                              &wr);
        answer_with(ch, in->call, IPC_ROUTE_RESULT, &payload);
    }
    buf_free(&targets);
    buf_free(&payload);
}

static void play(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    if (in->type == IPC_DELIVER)
        play_deliver(ctx, ch, in);
    else if (in->type == IPC_RELAY)
        play_relay(ctx, ch, in);
    else
        play_small(ctx, ch, in);
}

static void gone(void *ctx, struct ipc *ch)
{
    (void)ctx, (void)ch;
}

static const struct ipc_handlers handlers = {play, gone};

static void start_queue(struct world *w)
{
    struct err err;

    memset(&w->env, 0, sizeof(w->env));
    w->env.self = ROLE_QUEUE;
    w->env.loop = w->loop;
    w->env.log = &w->log;
    w->env.clock = &w->clock;
    w->env.rng = &w->rng;
    w->env.conf = w->conf;
    for (int r = 0; r < ROLE_COUNT; r++) {
        int fds[2];

        w->env.peer_fd[r] = -1;
        if (r == ROLE_QUEUE || !role_speaks(ROLE_QUEUE, (enum role)r))
            continue;
        assert_int_equal(ipc_pair(fds, &err), 0);
        w->env.peer_fd[r] = fds[0];
        w->peer[r] = ipc_new(w->loop, fds[1], &maild_ipc_table, (uint8_t)r, ROLE_QUEUE,
                             &handlers, w);
    }
    w->q = queue_start(&w->env, &err);
    if (w->q == NULL)
        fail_msg("%s", err.text);
}

static void stop_queue(struct world *w)
{
    queue_stop(w->q);
    w->q = NULL;
    for (int r = 0; r < ROLE_COUNT; r++)
        ipc_free(&w->peer[r]);
}

static int setup(void **state)
{
    struct world *w = mem_new(1, sizeof(*w));
    char text[512];
    struct err err;

    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/signpost-queue-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    log_init(&w->log, -1, "queue", &w->clock);
    clock_fake_init(&w->clock, NOW);
    rng_seeded_init(&w->rng, 42);
    w->loop = loop_new(&w->log, &w->clock);
    (void)snprintf(text, sizeof(text),
                   "hostname mail.host.example\naddress 192.0.2.25\nlisten smtp "
                   "127.0.0.1:2525\ndata_dir %s\nrun_dir %s\n",
                   w->dir, w->dir);
    w->conf = conf_parse("test.conf", span_str(text), &err);
    if (w->conf == NULL)
        fail_msg("%s", err.text);
    w->rows = map_new(100000, &w->rng);
    w->mailbox_says = ANSWER_YES;
    w->relay_says = RELAY_SENT;
    w->relay_text = "250 2.0.0 taken";
    start_queue(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char cmd[128];

    stop_queue(w);
    map_free(&w->rows);
    conf_free(&w->conf);
    loop_free(&w->loop);
    free(w->last_local);
    free(w->last_relayed);
    (void)snprintf(cmd, sizeof(cmd), "rm -rf %s", w->dir);
    assert_int_equal(system(cmd), 0);
    free(w);
    return 0;
}

/* Turn the loop until `cond` is not zero; the real time spent is bounded. */
#define UNTIL(w, cond)                                                                   \
    do {                                                                                 \
        for (int turn_ = 0; turn_ < 4000 && !(cond); turn_++)                            \
            loop_turn((w)->loop, 2);                                                     \
        assert_true(cond);                                                               \
    } while (0)

static void accept_result(void *ctx, const struct ipc_in *in)
{
    struct world *w = ctx;
    struct m_accept_result r;

    assert_non_null(in);
    assert_true(m_accept_result_decode(in->payload, &r));
    w->replies++;
    w->code = r.code;
    assert_true(span_copy(r.text, w->text, sizeof(w->text)));
}

/* Send one message as edge does. */
static struct msgid send_message(struct world *w, enum envelope_via via,
                                 const char *sender, const char *const *rcpts, size_t n,
                                 const char *body)
{
    struct envelope_rcpt r[10];
    struct envelope e = {.via = via,
                         .accepted_s = clock_wall_s(&w->clock),
                         .sender = sender,
                         .peer = "192.0.2.1",
                         .helo = "client.example",
                         .n = n,
                         .rcpts = r};
    struct m_accept m = {.trace = SPAN_LIT("Received: by mail.host.example\r\n"),
                         .facts = SPAN_LIT("{\"spf\":\"pass\"}"),
                         .body = span_str(body),
                         .body_size = strlen(body)};
    struct buf env, payload;
    struct wr wr;

    msgid_new(&e.id, &w->rng);
    for (size_t i = 0; i < n; i++) {
        bool is_local = strstr(rcpts[i], "@host.example") != NULL;

        r[i] = (struct envelope_rcpt){.kind = is_local ? RCPT_LOCAL : RCPT_REMOTE,
                                      .account_id = is_local ? 7 : 0,
                                      .address = rcpts[i],
                                      .original = rcpts[i]};
    }
    buf_init(&env, 65536);
    wr_init(&wr, &env);
    envelope_encode(&e, &wr);
    m.envelope = buf_all(&env);
    buf_init(&payload, IPC_FRAME_MAX);
    wr_init(&wr, &payload);
    m_accept_encode(&m, &wr);
    assert_false(wr.is_bad);
    (void)ipc_call(w->peer[ROLE_EDGE], IPC_ACCEPT, buf_all(&payload), -1, 10000,
                   accept_result, w);
    buf_free(&env);
    buf_free(&payload);
    return e.id;
}

static size_t files_left(struct world *w)
{
    char cmd[160], line[32] = "";
    FILE *p;

    (void)snprintf(cmd, sizeof(cmd), "find %s/mail/blobs -type f | wc -l", w->dir);
    p = popen(cmd, "r");
    assert_non_null(p);
    assert_non_null(fgets(line, sizeof(line), p));
    (void)pclose(p);
    return (size_t)strtoul(line, NULL, 10);
}

/* Begin a checkpoint now, whatever the clock says, and wait for its end. */
static void checkpoint(struct world *w)
{
    uint64_t before = w->q->cp.n_done;

    while (w->q->cp.state != CP_IDLE)
        loop_turn(w->loop, 2);
    spool_checkpoint(w->q);
    UNTIL(w, w->q->cp.n_done > before || w->q->cp.state == CP_IDLE);
}

static const char body[] = "From: a@far.example\r\nSubject: Hi\r\n"
                           "Message-ID: <m1@far.example>\r\n\r\nHello\r\n";

static void local_message_is_delivered_and_forgotten(void **state)
{
    struct world *w = *state;
    const char *to[] = {"u@host.example"};

    (void)send_message(w, VIA_SMTP, "a@far.example", to, 1, body);
    UNTIL(w, w->delivers == 1 && w->replies == 1);
    assert_int_equal(w->code, 250);
    assert_non_null(strstr(w->text, "2.0.0 queued as "));
    assert_int_equal(strncmp(w->last_local, "Received: by mail.host.example\r\n", 32), 0);
    assert_string_equal(w->last_local + 32, body);
    UNTIL(w, w->q->unsettled == 1);
    assert_int_equal(files_left(w), 1); /* until the mailbox has settled */
    checkpoint(w);
    UNTIL(w, map_count(w->q->messages) == 0 && files_left(w) == 0);
    assert_int_equal(w->settles, 1);
    assert_true(journal_unreleased(w->q->journal) < 1000); /* late results */
}

static void submission_is_completed_and_signed(void **state)
{
    struct world *w = *state;
    const char *to[] = {"b@far.example", "c@far.example", "d@other.example"};
    const char *text = "From: Anna <anna@host.example>\r\nBcc: secret@far.example\r\n"
                       "To: b@far.example\r\n\r\nHello\r\n";

    (void)send_message(w, VIA_SUBMISSION, "anna@host.example", to, 3, text);
    UNTIL(w, w->relays == 2 && w->replies == 1);
    assert_int_equal(w->code, 250);
    assert_int_equal(w->signs, 1);
    assert_null(strstr(w->last_relayed, "secret@"));
    assert_int_equal(strncmp(w->last_relayed, "X-Signed: yes\r\nReceived: by", 27), 0);
    assert_non_null(strstr(w->last_relayed, "\r\nDate: "));
    assert_non_null(strstr(w->last_relayed, "\r\nMessage-ID: <"));
    assert_non_null(strstr(w->last_relayed, "\r\n\r\nHello\r\n"));
    /* No mailbox has a link: nothing to wait for. */
    UNTIL(w, map_count(w->q->messages) == 0 && files_left(w) == 0);
    assert_int_equal(w->q->count.relayed, 3);
}

static void refused_submissions_say_why(void **state)
{
    struct world *w = *state;
    const char *to[] = {"b@far.example"};

    (void)send_message(w, VIA_SUBMISSION, "anna@host.example", to, 1,
                       "To: x\r\n\r\nHello\r\n");
    UNTIL(w, w->replies == 1);
    assert_int_equal(w->code, 550);
    assert_non_null(strstr(w->text, "5.6.0"));
    assert_int_equal(map_count(w->q->messages), 0);
}

static void deferred_message_waits_in_the_database_and_comes_back(void **state)
{
    struct world *w = *state;
    const char *to[] = {"b@far.example"};

    w->relay_says = RELAY_LATER;
    w->relay_text = "451 4.7.1 not now";
    (void)send_message(w, VIA_SMTP, "a@host.example", to, 1, body);
    UNTIL(w, w->relays == 1 && map_count(w->q->messages) == 0);
    stop_queue(w); /* an orderly restart: the same as a kill, the journal is replayed */
    start_queue(w);
    for (int i = 0; i < 50; i++)
        loop_turn(w->loop, 2);
    assert_int_equal(w->relays, 1); /* not due yet */
    w->relay_says = RELAY_SENT;
    clock_fake_advance(&w->clock, 301000);
    spool_load(w->q);
    UNTIL(w, w->relays == 2 && map_count(w->q->messages) == 0 && files_left(w) == 0);
}

static void failure_is_reported_to_the_sender(void **state)
{
    struct world *w = *state;
    const char *to[] = {"nobody@far.example"};

    w->relay_says = RELAY_FAILED;
    w->relay_text = "550 5.1.1 no such user";
    (void)send_message(
        w, VIA_SUBMISSION, "anna@host.example", to, 1,
        "From: anna@host.example\r\nMessage-ID: <x@host.example>\r\n\r\nHi\r\n");
    UNTIL(w, w->delivers == 1);
    assert_int_equal(w->routes, 1);
    assert_int_equal(w->signs, 2);
    assert_non_null(strstr(w->last_local, "From: Mail Delivery System <MAILER-DAEMON@"));
    assert_non_null(strstr(w->last_local, "There is no such mailbox"));
    assert_non_null(strstr(w->last_local, "550 5.1.1 no such user"));
    assert_non_null(strstr(w->last_local, "Status: 5.1.1\r\n"));
    assert_non_null(strstr(w->last_local, "Final-Recipient: rfc822; nobody@far.example"));
    assert_non_null(strstr(w->last_local, "\r\nMessage-ID: <x@host.example>\r\n"));
    UNTIL(w, map_count(w->q->messages) == 1); /* the report, until it is settled */
    checkpoint(w);
    UNTIL(w, map_count(w->q->messages) == 0 && files_left(w) == 0);
}

static void null_sender_is_never_reported_to(void **state)
{
    struct world *w = *state;
    const char *to[] = {"nobody@far.example"};

    w->relay_says = RELAY_FAILED;
    w->relay_text = "550 5.1.1 no such user";
    (void)send_message(w, VIA_SMTP, "", to, 1, body);
    UNTIL(w, w->relays == 1 && w->replies == 1 && map_count(w->q->messages) == 0);
    assert_int_equal(w->routes, 0);
    assert_int_equal(files_left(w), 0);
}

static void old_message_is_given_up(void **state)
{
    struct world *w = *state;
    const char *to[] = {"b@far.example"};

    w->relay_says = RELAY_LATER;
    w->relay_text = "4.4.1 no answer from mx.far.example";
    (void)send_message(w, VIA_SMTP, "a@host.example", to, 1, body);
    UNTIL(w, w->relays == 1 && map_count(w->q->messages) == 0);
    clock_fake_advance(&w->clock, (int64_t)6 * 86400 * 1000);
    spool_load(w->q);
    UNTIL(w, w->delivers == 1);
    assert_non_null(strstr(w->last_local, "will not try again"));
}

static void crash_before_settling_delivers_again(void **state)
{
    struct world *w = *state;
    const char *to[] = {"u@host.example", "b@far.example"};

    (void)send_message(w, VIA_SMTP, "a@far.example", to, 2, body);
    UNTIL(w, w->delivers == 1 && w->relays == 1 && w->q->unsettled == 1);
    stop_queue(w);
    start_queue(w);
    UNTIL(w, w->delivers == 2); /* the mailbox knows it: idempotent */
    for (int i = 0; i < 50; i++)
        loop_turn(w->loop, 2);
    assert_int_equal(w->relays, 1);
    assert_int_equal(map_count(w->rows), 1);
    UNTIL(w, w->q->unsettled == 1);
    checkpoint(w);
    UNTIL(w, map_count(w->q->messages) == 0 && files_left(w) == 0);
    stop_queue(w);
    start_queue(w);
    for (int i = 0; i < 50; i++)
        loop_turn(w->loop, 2);
    assert_int_equal(w->delivers, 2);
}

static void lost_database_is_made_again_from_the_files(void **state)
{
    struct world *w = *state;
    const char *to[] = {"b@far.example"};
    char path[128];

    w->relay_says = RELAY_LATER;
    w->relay_text = "451 4.7.1 not now";
    (void)send_message(w, VIA_SMTP, "a@host.example", to, 1, body);
    UNTIL(w, w->relays == 1 && map_count(w->q->messages) == 0);
    checkpoint(w);
    assert_true(journal_unreleased(w->q->journal) < 1000); /* late results */
    stop_queue(w);
    (void)snprintf(path, sizeof(path), "%s/db/queue.db", w->dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs("this is no database, and longer than sixteen octets", f);
    (void)fclose(f);
    w->relay_says = RELAY_SENT;
    start_queue(w);
    UNTIL(w, w->relays == 2 && map_count(w->q->messages) == 0 && files_left(w) == 0);
}

static void large_body_stays_where_it_was_received(void **state)
{
    struct world *w = *state;
    struct envelope_rcpt r = {.kind = RCPT_LOCAL,
                              .account_id = 7,
                              .address = "u@host.example",
                              .original = "u@host.example"};
    struct envelope e = {.via = VIA_SUBMISSION,
                         .accepted_s = NOW,
                         .sender = "anna@host.example",
                         .peer = "",
                         .helo = "",
                         .n = 1,
                         .rcpts = &r};
    const char *head = "From: anna@host.example\r\nBcc: x@y.example\r\n\r\n";
    size_t n = strlen(head) + 200000;
    char *big = mem_new(1, n + 1);
    struct m_accept m = {.trace = SPAN_LIT("Received: by x\r\n"), .body_size = n};
    struct buf env, payload;
    struct wr wr;
    struct err err;
    int fd = blob_body_open(w->q->blobs, &err);

    assert_int_not_equal(fd, -1);
    memset(big, 'a', n);
    memcpy(big, head, strlen(head));
    memcpy(big + n - 2, "\r\n", 2);
    assert_int_equal(write(fd, big, n), (ssize_t)n);
    msgid_new(&e.id, &w->rng);
    buf_init(&env, 65536);
    wr_init(&wr, &env);
    envelope_encode(&e, &wr);
    m.envelope = buf_all(&env);
    buf_init(&payload, IPC_FRAME_MAX);
    wr_init(&wr, &payload);
    m_accept_encode(&m, &wr);
    (void)ipc_call(w->peer[ROLE_EDGE], IPC_ACCEPT, buf_all(&payload), fd, 10000,
                   accept_result, w);
    (void)close(fd);
    UNTIL(w, w->delivers == 1 && w->replies == 1);
    assert_int_equal(w->code, 250);
    assert_int_equal(
        strncmp(w->last_local, "X-Signed: yes\r\nReceived: by x\r\nFrom: ", 37), 0);
    assert_null(strstr(w->last_local, "Bcc"));
    assert_int_equal(strlen(strstr(w->last_local, "\r\n\r\naaa")) - 4, 200000);
    buf_free(&env);
    buf_free(&payload);
    free(big);
}

struct rows {
    size_t n;
    char *first;
    bool is_done;
};

static void take_rows(void *ctx, char *const *v, size_t n, const struct err *err)
{
    struct rows *r = ctx;

    assert_null(err);
    r->n = n;
    r->first = n > 0 ? mem_strdup(v[0]) : NULL;
    r->is_done = true;
}

static void trace_finds_by_address_message_id_and_id(void **state)
{
    struct world *w = *state;
    const char *to[] = {"u@host.example"};
    struct msgid id = send_message(w, VIA_SMTP, "a@far.example", to, 1, body);
    char text[MSGID_TEXT + 1];
    const char *asked[] = {"U@host.example", "a@far.example", "<m1@far.example>", text};

    msgid_print(&id, text);
    UNTIL(w, w->delivers == 1 && w->q->unsettled == 1);
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        struct rows rows = {0};

        history_trace(w->q->history, span_str(asked[i]), 10, take_rows, &rows);
        UNTIL(w, rows.is_done);
        assert_int_equal(rows.n, 2); /* the message and its delivery */
        assert_non_null(strstr(rows.first, "\"spf\":\"pass\""));
        assert_non_null(strstr(rows.first, text));
        free(rows.first);
    }
}

static void many_messages_share_their_syncs(void **state)
{
    struct world *w = *state;
    const char *to[] = {"u@host.example"};
    const int n = 500;

    for (int i = 0; i < n; i++) {
        (void)send_message(w, VIA_SMTP, "a@far.example", to, 1, body);
        loop_turn(w->loop, 0);
    }
    UNTIL(w, w->replies == n && w->delivers == (unsigned)n);
    UNTIL(w, w->q->unsettled == (uint32_t)n);
    checkpoint(w);
    UNTIL(w, map_count(w->q->messages) == 0 && files_left(w) == 0);
    assert_int_equal(map_count(w->rows), n);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(local_message_is_delivered_and_forgotten),
        CASE(submission_is_completed_and_signed),
        CASE(refused_submissions_say_why),
        CASE(deferred_message_waits_in_the_database_and_comes_back),
        CASE(failure_is_reported_to_the_sender),
        CASE(null_sender_is_never_reported_to),
        CASE(old_message_is_given_up),
        CASE(crash_before_settling_delivers_again),
        CASE(lost_database_is_made_again_from_the_files),
        CASE(large_body_stays_where_it_was_received),
        CASE(trace_finds_by_address_message_id_and_id),
        CASE(many_messages_share_their_syncs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
