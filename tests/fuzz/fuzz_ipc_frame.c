/* SPDX-License-Identifier: ISC */
/* A peer that sends any frames over a real channel (base/io/ipc.h): only what the table allows
 * reaches the handler, and whoever breaks the protocol is cut off.
 *
 * Input: frames, each with its length in one octet in front; the queue role's channel to edge. */
#include <sys/socket.h>
#include <unistd.h>

#include "base/io/loop.h"
#include "maild/ipc_msgs.h"
#include "maild/roles.h"
#include "tests/fuzz/fuzz.h"

struct seen {
    size_t n, closed;
};

static const uint8_t zeros[512]; /* the shortest answer of any type */

static void on_message(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct seen *s = ctx;
    const struct ipc_msg *m;

    LAW(in->type > 0 && in->type < IPC_TYPE_COUNT, "a type is one of the table");
    m = &maild_ipc_table.msgs[in->type - 1];
    LAW(m->from == ROLE_EDGE && m->to == ROLE_QUEUE, "a message comes the right way");
    LAW(in->payload.n >= m->len_min && in->payload.n <= m->len_max,
        "a message has the length of its type");
    LAW(in->fd == -1, "no descriptor was sent");
    s->n++;
    if (m->reply != 0 && in->payload.n % 2 == 0) {
        struct span answer = span_take(span_of(zeros, sizeof(zeros)),
                                       maild_ipc_table.msgs[m->reply - 1].len_min);

        LAW(ipc_reply(ch, in->call, m->reply, answer, -1) == 0 || s->n > 1,
            "an answer has room");
    }
}

static void on_closed(void *ctx, struct ipc *ch)
{
    struct seen *s = ctx;

    LAW(!ipc_is_up(ch), "a closed channel is down");
    s->closed++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct ipc_handlers handlers = {.message = on_message,
                                                 .closed = on_closed};
    static struct log log = {.fd = -1};
    static struct loop *loop;
    struct span in = span_of(data, n);
    struct seen seen = {0, 0};
    struct ipc *ch;
    struct err err;
    size_t frames = 0;
    int fds[2];

    if (loop == NULL) {
        log_init(&log, -1, "queue", clock_system());
        loop = loop_new(&log, clock_system());
    }
    LAW(ipc_pair(fds, &err) == 0, "a pair can be made");
    ch = ipc_new(loop, fds[0], &maild_ipc_table, ROLE_QUEUE, ROLE_EDGE, &handlers, &seen);
    for (; in.n > 0 && frames < 20; frames++) {
        struct span f = fuzz_field(&in);

        if (send(fds[1], f.p, f.n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
        loop_turn(loop, 0);
    }
    loop_turn(loop, 0);
    LAW(seen.n <= frames && seen.closed <= 1, "a frame is at most one message");
    LAW(ipc_is_up(ch) == (seen.closed == 0), "down is told");
    (void)close(fds[1]);
    ipc_free(&ch);
    return 0;
}
