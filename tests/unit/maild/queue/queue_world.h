/* SPDX-License-Identifier: ISC */
/* tests/unit/maild/queue/queue_world.h - the queue role with its neighbours played: edge sends,
 * mailbox, relay, directory and signer answer as each case says. Real files, real databases, a
 * clock turned by hand. */
#ifndef TESTS_UNIT_MAILD_QUEUE_QUEUE_WORLD_H
#define TESTS_UNIT_MAILD_QUEUE_QUEUE_WORLD_H

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
#include "base/io/control.h"
#include "maild/queue/queue_int.h"
#include "tests/unit/maild/neighbour.h"

#define NOW 1795000000

struct world {
    char dir[64];
    struct log log;
    struct clock clock;
    struct rng rng;
    struct loop *loop;
    struct conf *conf;
    struct role_env env;
    struct bag bag; /* what the parent would hand over */
    struct queue *q;
    struct ipc *peer[ROLE_COUNT]; /* the other ends, played here */
    unsigned count[ROLE_COUNT];   /* instances, where it is more than one */
    bool is_signer_silent;
    unsigned accounts[16]; /* DELIVERs for account n */

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

    const struct fsops *fs; /* file calls of the queue; NULL: the kernel's */
    int body_fd;
    bool has_body_file;
    int seen_fd; /* one line for each row, relayed recipient and "250"; -1: none */
};

/* Written at once, so that it outlives a kill. */
static void note_seen(const struct world *w, const char *what, const char *id,
                      size_t number)
{
    if (w->seen_fd != -1)
        (void)dprintf(w->seen_fd, "%s %.26s %zu\n", what, id, number);
}

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
    w->accounts[d.account_id % 16]++;
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
        if (map_get(w->rows, span_str(key)) == NULL)
            note_seen(w, "row", id, d.number);
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
    for (size_t i = 0; i < e.n; i++) {
        char id[MSGID_TEXT + 1];
        bool is_bad = strncmp(e.rcpts[i].address, "bad", 3) == 0;

        msgid_print(&e.id, id);
        if (w->relay_says == RELAY_SENT && !is_bad)
            note_seen(w, "relayed", id, i);
        relay_outcome_put(&wr, &(struct relay_outcome){
                                   .status = is_bad ? RELAY_FAILED : w->relay_says,
                                   .reply = span_str(is_bad ? "550 5.1.1 no such user"
                                                            : w->relay_text)});
    }
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
        if (w->is_signer_silent) {
            buf_free(&payload);
            buf_free(&targets);
            return;
        }
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

static const struct ipc_handlers handlers = {.message = play};

static void start_queue(struct world *w)
{
    char path[128];
    struct err err;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/maild.ctl", w->dir);
    fd = control_listen(path, &err);
    if (fd == -1)
        fail_msg("%s", err.text);
    bag_init(&w->bag);
    bag_add(&w->bag, "control", span_str(path), fd);

    memset(&w->env, 0, sizeof(w->env));
    w->env.self = ROLE_QUEUE;
    w->env.loop = w->loop;
    w->env.log = &w->log;
    w->env.clock = &w->clock;
    w->env.rng = &w->rng;
    w->env.conf = w->conf;
    w->env.bag = &w->bag;
    neighbours_count(&w->env);
    for (int r = 0; r < ROLE_COUNT; r++)
        if (w->count[r] > 0)
            w->env.count[r] = w->count[r];
    w->q = queue_start_with(&w->env, w->fs != NULL ? w->fs : fsops_system(),
                            SEGMENTS_OCTETS_MIN, &err);
    if (w->q == NULL)
        fail_msg("%s", err.text);
    for (int r = 0; r < ROLE_COUNT; r++)
        if (r != ROLE_QUEUE && role_speaks(ROLE_QUEUE, (enum role)r))
            w->peer[r] = neighbour_join(&w->env, (enum role)r, 0, &handlers, w);
}

static inline void stop_queue(struct world *w)
{
    queue_stop(w->q);
    w->q = NULL;
    bag_free(&w->bag);
    for (int r = 0; r < ROLE_COUNT; r++)
        ipc_free(&w->peer[r]);
}

/* Everything but the queue itself, on the folder w->dir. */
static void make_world(struct world *w)
{
    char text[512];
    struct err err;

    w->seen_fd = -1;
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
}

static inline int setup(void **state)
{
    struct world *w = mem_new(1, sizeof(*w));

    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/signpost-queue-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    make_world(w);
    start_queue(w);
    *state = w;
    return 0;
}

static inline int teardown(void **state)
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
    if (r.code == 250)
        note_seen(w, "250", (const char *)r.text.p + sizeof("2.0.0 queued as ") - 1, 0);
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

    msgid_new(&e.id, &w->rng, 1000000);
    for (size_t i = 0; i < n; i++) {
        bool is_local = strstr(rcpts[i], "@host.example") != NULL;

        r[i] = (struct envelope_rcpt){.kind = is_local ? RCPT_LOCAL : RCPT_REMOTE,
                                      .account_id = !is_local            ? 0
                                                    : rcpts[i][0] == '8' ? 8
                                                                         : 7,
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

static inline size_t files_left(struct world *w)
{
    char cmd[160], line[32] = "";
    FILE *p;

    (void)snprintf(cmd, sizeof(cmd), "find %s/mail/blobs -type f ! -name '.*' | wc -l",
                   w->dir);
    p = popen(cmd, "r");
    assert_non_null(p);
    assert_non_null(fgets(line, sizeof(line), p));
    (void)pclose(p);
    return (size_t)strtoul(line, NULL, 10);
}

/* Begin a checkpoint now, whatever the clock says, and wait for its end. */
static inline void checkpoint(struct world *w)
{
    uint64_t before = w->q->cp.n_done;

    while (w->q->cp.state != CP_IDLE)
        loop_turn(w->loop, 2);
    checkpoint_begin(w->q);
    UNTIL(w, w->q->cp.n_done > before || w->q->cp.state == CP_IDLE);
}

#endif
