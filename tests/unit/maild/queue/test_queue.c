/* SPDX-License-Identifier: ISC */
/* What the queue role promises its neighbours, one case each. */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/db/db.h"
#include "tests/unit/maild/queue/queue_world.h"
#include "tests/unit/maild/store/fs_sandbox.h"

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
    UNTIL(w, files_left(w) == 0);
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

/* A role that is there and never answers must not keep mail for ever. */
static void old_message_without_an_answer_is_given_up(void **state)
{
    struct world *w = *state;
    const char *to[] = {"b@far.example"}, *other[] = {"c@near.example"};

    w->relay_says = 0;
    (void)send_message(w, VIA_SMTP, "a@host.example", to, 1, body);
    UNTIL(w, w->relays == 1);
    clock_fake_advance(&w->clock, (int64_t)6 * 86400 * 1000);
    w->relay_says = RELAY_SENT; /* the next question moves the channel's timer */
    (void)send_message(w, VIA_SMTP, "a@host.example", other, 1, body);
    UNTIL(w, w->delivers == 1);
    assert_non_null(strstr(w->last_local, "could say what became of it"));
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
    (void)snprintf(path, sizeof(path), "%s/queue/queue.db", w->dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs("this is no database, and longer than sixteen octets", f);
    (void)fclose(f);
    w->relay_says = RELAY_SENT;
    start_queue(w);
    UNTIL(w, w->relays == 2 && map_count(w->q->messages) == 0 && files_left(w) == 0);
}

static void body_file(void *ctx, const struct ipc_in *in)
{
    struct world *w = ctx;

    assert_non_null(in);
    w->body_fd = in->fd;
    w->has_body_file = true;
}

/* Ask for a file as edge does; -1 when there is none. */
static int open_body(struct world *w, const struct msgid *id)
{
    struct buf b;
    struct wr wr;

    buf_init(&b, 64);
    wr_init(&wr, &b);
    m_body_open_encode(&(struct m_body_open){.id = *id}, &wr);
    w->has_body_file = false;
    (void)ipc_call(w->peer[ROLE_EDGE], IPC_BODY_OPEN, buf_all(&b), -1, 10000, body_file,
                   w);
    UNTIL(w, w->has_body_file);
    buf_free(&b);
    return w->body_fd;
}

static void drop_body(struct world *w, const struct msgid *id)
{
    struct buf b;
    struct wr wr;

    buf_init(&b, 64);
    wr_init(&wr, &b);
    m_body_drop_encode(&(struct m_body_drop){.id = *id}, &wr);
    assert_int_equal(ipc_send(w->peer[ROLE_EDGE], IPC_BODY_DROP, buf_all(&b), -1), 0);
    buf_free(&b);
}

/* The submission `id` whose body of `n` octets is in `fd`. */
static void offer_large(struct world *w, const struct msgid *id, int fd, size_t n)
{
    struct envelope_rcpt r = {.kind = RCPT_LOCAL,
                              .account_id = 7,
                              .address = "u@host.example",
                              .original = "u@host.example"};
    struct envelope e = {.id = *id,
                         .via = VIA_SUBMISSION,
                         .accepted_s = NOW,
                         .sender = "anna@host.example",
                         .peer = "",
                         .helo = "",
                         .n = 1,
                         .rcpts = &r};
    struct m_accept m = {.trace = SPAN_LIT("Received: by x\r\n"), .body_size = n};
    struct buf env, payload;
    struct wr wr;

    buf_init(&env, 65536);
    wr_init(&wr, &env);
    envelope_encode(&e, &wr);
    m.envelope = buf_all(&env);
    buf_init(&payload, IPC_FRAME_MAX);
    wr_init(&wr, &payload);
    m_accept_encode(&m, &wr);
    (void)ipc_call(w->peer[ROLE_EDGE], IPC_ACCEPT, buf_all(&payload), fd, 10000,
                   accept_result, w);
    buf_free(&env);
    buf_free(&payload);
}

/* Hand over a submission with a body of 200,000 letters behind `head`. */
static struct msgid send_large(struct world *w, const char *head)
{
    size_t n = strlen(head) + 200000;
    char *big = mem_new(1, n + 1);
    struct msgid id;
    int fd;

    msgid_new(&id, &w->rng, 1000000);
    fd = open_body(w, &id);
    assert_int_not_equal(fd, -1);
    memset(big, 'a', n);
    memcpy(big, head, strlen(head));
    memcpy(big + n - 2, "\r\n", 2);
    assert_int_equal(write(fd, big, n), (ssize_t)n);
    offer_large(w, &id, fd, n);
    (void)close(fd);
    free(big);
    return id;
}

static void large_body_stays_where_it_was_received(void **state)
{
    struct world *w = *state;

    (void)send_large(w, "From: anna@host.example\r\nBcc: x@y.example\r\n\r\n");
    UNTIL(w, w->delivers == 1 && w->replies == 1);
    assert_int_equal(w->code, 250);
    assert_int_equal(
        strncmp(w->last_local, "X-Signed: yes\r\nReceived: by x\r\nFrom: ", 37), 0);
    assert_null(strstr(w->last_local, "Bcc"));
    assert_int_equal(strlen(strstr(w->last_local, "\r\n\r\naaa")) - 4, 200000);
}

/* Whichever call fails, a refused message leaves no file behind. */
static void refused_large_body_leaves_no_file(void **state)
{
    struct world *w = *state;
    struct fsbox sb;

    stop_queue(w);
    fsbox_init(&sb);
    w->fs = &sb.ops;
    start_queue(w);
    (void)send_large(w, "From: anna@host.example\r\n\r\n"); /* makes the folder */
    UNTIL(w, w->delivers == 1 && w->replies == 1);
    checkpoint(w);
    UNTIL(w, files_left(w) == 0);
    w->q->cp.next_ms = INT64_MAX; /* no checkpoint among the calls that are counted */
    for (unsigned i = 1; i < 100; i++) {
        int replies = w->replies;
        struct msgid id;

        sb.error = EIO;
        sb.at = sb.calls + 1 + i; /* 1: the file that receives the body */
        sb.mode = FSBOX_FAIL;
        id = send_large(w, "From: anna@host.example\r\n\r\n");
        UNTIL(w, w->replies == replies + 1);
        sb.mode = FSBOX_COUNT;
        drop_body(w, &id);
        if (w->code == 250)
            break;
        assert_int_equal(w->code, 451);
        UNTIL(w, files_left(w) == 0);
    }
    assert_int_equal(w->code, 250);
    stop_queue(w);
    fsbox_free(&sb);
    w->fs = NULL;
    start_queue(w);
}

/* Its client gave up, its edge died, or this role did (J0). */
static void unfinished_large_body_leaves_no_file(void **state)
{
    struct world *w = *state;
    struct msgid id;
    int fd;

    for (int way = 0; way < 3; way++) {
        msgid_new(&id, &w->rng, 1000000);
        fd = open_body(w, &id);
        assert_int_equal(write(fd, "half", 4), 4);
        (void)close(fd);
        assert_int_equal(files_left(w), 1);
        if (way == 0)
            drop_body(w, &id);
        else if (way == 1)
            accept_body_closed(w->q, role_peer(w->q->env, ROLE_EDGE, 0));
        else {
            stop_queue(w);
            start_queue(w);
        }
        UNTIL(w, files_left(w) == 0);
    }
}

/* A descriptor alone is no permission to become a message: the name must have been asked for. */
static void strange_descriptor_is_refused(void **state)
{
    struct world *w = *state;
    struct msgid id;
    int fd, other;

    msgid_new(&id, &w->rng, 1000000);
    fd = open_body(w, &id);
    other = memfd_create("body", MFD_CLOEXEC);
    assert_int_equal(pwrite(other, "From: a@host.example\r\n\r\n", 24, BLOB_BODY_AT), 24);
    assert_int_equal(ftruncate(other, BLOB_BODY_AT + 100000), 0);
    offer_large(w, &id, other, 100000);
    UNTIL(w, w->replies == 1);
    assert_int_equal(w->code, 451);
    (void)close(fd);
    msgid_new(&id, &w->rng, 1000000);
    offer_large(w, &id, other, 100000);
    UNTIL(w, w->replies == 2);
    assert_int_equal(w->code, 451);
    (void)close(other);
}

static void no_more_is_promised_than_has_room(void **state)
{
    struct world *w = *state;
    const char *to[] = {"b@far.example"};

    w->relay_says = RELAY_LATER;
    w->q->cp.next_ms = INT64_MAX;
    w->q->ceiling.messages = 3;
    for (unsigned i = 0; i < 5; i++) /* all are on their way at once */
        (void)send_message(w, VIA_SMTP, "a@far.example", to, 1, body);
    UNTIL(w, w->replies == 5);
    assert_int_equal(w->q->count.accepted, 3);
    assert_int_equal(w->q->count.refused, 2);
    w->q->ceiling.messages = QUEUE_MESSAGES_MAX;
    w->q->ceiling.journal_octets = journal_unreleased(w->q->journal) - 1;
    (void)send_message(w, VIA_SMTP, "a@far.example", to, 1, body);
    UNTIL(w, w->replies == 6);
    assert_int_equal(w->code, 451);
    checkpoint(w);
    (void)send_message(w, VIA_SMTP, "a@far.example", to, 1, body);
    UNTIL(w, w->replies == 7);
    assert_int_equal(w->code, 250);
}

static void full_disk_refuses_and_loses_nothing(void **state)
{
    struct world *w = *state;
    const char *to[] = {"u@host.example"};
    struct fsbox sb;

    stop_queue(w);
    fsbox_init(&sb);
    w->fs = &sb.ops;
    start_queue(w);
    (void)send_message(w, VIA_SMTP, "a@far.example", to, 1, body);
    UNTIL(w, w->delivers == 1 && w->replies == 1);
    sb.mode = FSBOX_FULL;
    (void)send_message(w, VIA_SMTP, "a@far.example", to, 1, body);
    UNTIL(w, w->replies == 2);
    assert_int_equal(w->code, 452);
    assert_int_equal(strncmp(w->text, "4.3.1 ", 6), 0);
    sb.mode = FSBOX_COUNT;
    (void)send_message(w, VIA_SMTP, "a@far.example", to, 1, body);
    UNTIL(w, w->replies == 3 && w->delivers == 2);
    assert_int_equal(w->code, 250);
    stop_queue(w);
    fsbox_free(&sb);
    w->fs = NULL;
    start_queue(w);
    UNTIL(w, w->delivers == 4 && map_count(w->rows) == 2);
}

static void message_file_waits_for_room(void **state)
{
    struct world *w = *state;
    const char *to[] = {"u@host.example"};
    struct fsbox sb;

    stop_queue(w);
    fsbox_init(&sb);
    w->fs = &sb.ops;
    start_queue(w);
    w->q->cp.next_ms = INT64_MAX; /* no checkpoint among the calls that are counted */
    (void)send_message(w, VIA_SMTP, "a@far.example", to, 1, body);
    while (w->replies == 0 && w->q->accepting + map_count(w->q->messages) == 0)
        loop_turn(w->loop, 1);
    UNTIL(w, w->delivers == 1);
    sb.error = ENOSPC;
    sb.at = sb.calls + 4; /* write, sync; open, write */
    sb.mode = FSBOX_FAIL;
    (void)send_message(w, VIA_SMTP, "a@far.example", to, 1, body);
    UNTIL(w, w->replies == 2 && w->q->is_disk_full);
    assert_int_equal(w->code, 250);
    (void)send_message(w, VIA_SMTP, "a@far.example", to, 1, body);
    UNTIL(w, w->replies == 3);
    assert_int_equal(w->code, 452);
    spool_write(w->q);
    UNTIL(w, w->delivers == 2 && !w->q->is_disk_full);
    stop_queue(w);
    fsbox_free(&sb);
    w->fs = NULL;
    start_queue(w);
}

static void message_whose_row_failed_is_not_forgotten(void **state)
{
    struct world *w = *state;
    const struct db_options o = {.mode = DB_WRITE, .busy_ms = 1000};
    const char *to[] = {"b@far.example"};
    uint64_t released;
    char path[128];
    struct db *other;
    struct err err;

    w->relay_says = RELAY_LATER;
    w->relay_text = "451 4.7.1 not now";
    (void)snprintf(path, sizeof(path), "%s/queue/queue.db", w->dir);
    other = db_open(path, &o, &err);
    assert_non_null(other);
    assert_int_equal(db_begin(other, &err), 0); /* somebody holds it */
    (void)send_message(w, VIA_SMTP, "a@host.example", to, 1, body);
    UNTIL(w, w->relays == 1 && map_count(w->q->messages) == 0);
    checkpoint(w); /* waits for the database, fails, releases nothing */
    released = w->q->cp.n_done;
    assert_true(journal_unreleased(w->q->journal) > 0);
    db_rollback(other);
    db_close(&other);
    checkpoint(w);
    UNTIL(w, w->q->cp.n_done > released);
    w->relay_says = RELAY_SENT;
    clock_fake_advance(&w->clock, 301000);
    spool_load(w->q);
    UNTIL(w, w->relays == 2 && map_count(w->q->messages) == 0 && files_left(w) == 0);
}

/* Ask as `signpost` does; the answer up to its last line. */
static void ask(struct world *w, const char *line, char *answer, size_t cap)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    size_t n = 0;

    assert_int_not_equal(fd, -1);
    (void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/maild.ctl", w->dir);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(write(fd, line, strlen(line)), (ssize_t)strlen(line));
    for (int turn = 0; turn < 2000; turn++) {
        ssize_t got = read(fd, answer + n, cap - 1 - n);

        if (got > 0)
            n += (size_t)got;
        answer[n] = '\0';
        if (strncmp(answer, "ok\n", 3) == 0 || strstr(answer, "\nok\n") != NULL ||
            strncmp(answer, "error ", 6) == 0 || strstr(answer, "\nerror ") != NULL)
            break;
        loop_turn(w->loop, 2);
    }
    (void)close(fd);
}

static void control_lists_shows_retries_and_removes(void **state)
{
    struct world *w = *state;
    const char *to[] = {"b@far.example", "c@other.example"};
    char answer[8192], line[64], id[MSGID_TEXT + 1];
    struct msgid mid;

    w->relay_says = RELAY_LATER;
    w->relay_text = "451 4.7.1 not now";
    mid = send_message(w, VIA_SMTP, "a@host.example", to, 2, body);
    msgid_print(&mid, id);
    UNTIL(w, w->relays == 2 && map_count(w->q->messages) == 0);
    ask(w, "queue list\n", answer, sizeof(answer));
    assert_non_null(strstr(answer, id));
    assert_non_null(strstr(answer, "\"waiting\":2"));
    assert_non_null(strstr(answer, "451 4.7.1 not now"));
    (void)snprintf(line, sizeof(line), "queue show %s\n", id);
    ask(w, line, answer, sizeof(answer));
    assert_non_null(strstr(answer, "\"address\":\"c@other.example\""));
    assert_non_null(strstr(answer, "\"state\":\"waiting\""));
    UNTIL(w, map_count(w->q->messages) == 0); /* put away again */
    ask(w, "queue retry all\n", answer, sizeof(answer));
    assert_non_null(strstr(answer, "\"retried\":2"));
    UNTIL(w, w->relays == 4 && map_count(w->q->messages) == 0);
    (void)snprintf(line, sizeof(line), "queue retry %s\n", id);
    ask(w, line, answer, sizeof(answer));
    assert_non_null(strstr(answer, "\"retried\":2"));
    UNTIL(w, w->relays == 6 && map_count(w->q->messages) == 0);
    (void)snprintf(line, sizeof(line), "queue remove %s\n", id);
    ask(w, line, answer, sizeof(answer));
    assert_non_null(strstr(answer, "\"removed\":1"));
    UNTIL(w, files_left(w) == 0);
    ask(w, "queue list\n", answer, sizeof(answer));
    assert_string_equal(answer, "ok\n");
    ask(w, line, answer, sizeof(answer));
    assert_int_equal(strncmp(answer, "error not-found", 15), 0);
    ask(w, "trace c@other.example\n", answer, sizeof(answer));
    assert_non_null(strstr(answer, "\"event\":\"removed\""));
    ask(w, "status\n", answer, sizeof(answer));
    assert_non_null(strstr(answer, "\"row\":\"queue\""));
    ask(w, "queue burn\n", answer, sizeof(answer));
    assert_int_equal(strncmp(answer, "error usage", 11), 0);
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
        CASE(old_message_without_an_answer_is_given_up),
        CASE(crash_before_settling_delivers_again),
        CASE(lost_database_is_made_again_from_the_files),
        CASE(large_body_stays_where_it_was_received),
        CASE(refused_large_body_leaves_no_file),
        CASE(unfinished_large_body_leaves_no_file),
        CASE(strange_descriptor_is_refused),
        CASE(no_more_is_promised_than_has_room),
        CASE(full_disk_refuses_and_loses_nothing),
        CASE(message_file_waits_for_room),
        CASE(message_whose_row_failed_is_not_forgotten),
        CASE(control_lists_shows_retries_and_removes),
        CASE(trace_finds_by_address_message_id_and_id),
        CASE(many_messages_share_their_syncs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
