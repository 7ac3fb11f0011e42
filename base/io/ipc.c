/* SPDX-License-Identifier: ISC */
/* base/io/ipc.c - frames, calls and their deadlines on one channel.
 *
 * 1. A call id is (round << 32 | slot + 1): the slot finds the call at once, the round tells
 *    a late answer to a call that is gone from an answer to its successor. 0 is "no call".
 * 2. Every frame received is checked against the table before anyone sees it: known type,
 *    sent by the side that may send it, length within bounds, at most one descriptor; an
 *    answer must be of the type its question expects. Anything else breaks the channel.
 * 3. What the kernel does not take waits in a backlog of at most BACKLOG_FRAMES frames and
 *    BACKLOG_OCTETS octets, in order, and leaves when the socket is writable. Beyond that the
 *    sender is refused.
 * 4. The answerer marks the id with the number of its peer (`epoch`, in bits that slots do not
 *    use), so that an answer worked out for a peer that died is not sent to its successor,
 *    whose ids begin anew.
 * 5. Callbacks may free the channel: `depth` counts the callbacks under way, and the struct
 *    goes when the outermost one returns. After each callback `is_freed` is asked.
 *
 * Over 500 lines because sending, receiving, calls and the end of a channel share one struct
 * that nobody else may see. */
#include "base/io/ipc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/core/buf.h"
#include "base/core/heap.h"
#include "base/core/list.h"
#include "base/core/mem.h"
#include "base/core/wire.h"

enum {
    HEAD_OCTETS = 12,
    FLAG_ANSWER = 1,
    READ_BUDGET = 64, /* frames a wake-up */
    READ_BUDGET_US = 3000,
    BACKLOG_FRAMES = 1024,
    BACKLOG_OCTETS = 8 * 1024 * 1024,
    SLOTS_MAX = 65536, /* calls under way */
    STUCK_MS = 20
};

/* Bits of a call id that are for the epoch: slot + 1 needs the 17 below, the round those
 * above. */
#define EPOCH_SHIFT 17
#define EPOCH_BITS  ((uint64_t)0x7fff << EPOCH_SHIFT)

struct ipc_call {
    struct ipc *ch;
    uint64_t id;     /* 0: refused at once, only waits for its bad news */
    uint16_t answer; /* type expected */
    struct heap_item due;
    struct list link; /* in ch->refused, when id == 0 */
    ipc_answer_fn cb;
    void *ctx;
};

struct frame {
    struct list link;
    int fd;
    size_t n;
    uint8_t octets[];
};

struct slot {
    struct ipc_call *call; /* NULL: free */
    uint32_t round;
    uint32_t next_free; /* index + 1, 0 ends the list */
};

struct ipc {
    struct loop *loop;
    const struct ipc_table *table;
    uint8_t self, peer;
    int fd;                   /* -1: down */
    struct loop_io *io;       /* NULL while down */
    uint32_t epoch;           /* how many peers there were before this one */
    struct loop_timer *timer; /* first deadline, or at once for refused calls */
    struct ipc_handlers h;
    void *ctx;
    void (*breach)(void *ctx, struct ipc *ch);
    void *breach_ctx;
    uint8_t *in; /* room for one frame */

    struct slot *slots;
    size_t n_slots;
    uint32_t free_slot; /* index + 1 */
    struct heap due;
    struct list refused;

    struct list backlog;
    size_t backlog_frames, backlog_octets;
    bool is_full_said;
    bool
        is_stuck; /* the kernel lacks room in a way no event will end: try by the timer */

    unsigned depth;
    bool is_freed;
};

static const struct ipc_msg *msg_find(const struct ipc_table *t, uint16_t type)
{
    return type >= 1 && type <= t->n ? &t->msgs[type - 1] : NULL;
}

static uint64_t epoch_mark(const struct ipc *ch)
{
    return (uint64_t)ch->epoch << EPOCH_SHIFT & EPOCH_BITS;
}

/* ---- calls ---- */

static void slot_give_back(struct ipc *ch, struct ipc_call *c)
{
    size_t at = (size_t)(c->id & UINT32_MAX) - 1;

    ch->slots[at].call = NULL;
    ch->slots[at].round++;
    ch->slots[at].next_free = ch->free_slot;
    ch->free_slot = (uint32_t)at + 1;
}

static bool slot_take(struct ipc *ch, struct ipc_call *c)
{
    size_t at;

    if (ch->free_slot == 0) {
        size_t n = ch->n_slots == 0 ? 16 : ch->n_slots * 2;

        if (n > SLOTS_MAX)
            return false;
        ch->slots = mem_resize(ch->slots, n, sizeof(*ch->slots));
        for (size_t i = n; i > ch->n_slots; i--) {
            ch->slots[i - 1] = (struct slot){NULL, 1, ch->free_slot};
            ch->free_slot = (uint32_t)i;
        }
        ch->n_slots = n;
    }
    at = ch->free_slot - 1;
    ch->free_slot = ch->slots[at].next_free;
    ch->slots[at].call = c;
    c->id = (uint64_t)ch->slots[at].round << 32 | (at + 1);
    return true;
}

static struct ipc_call *call_find(const struct ipc *ch, uint64_t id)
{
    uint64_t at = id & UINT32_MAX;

    if (at == 0 || at > ch->n_slots)
        return NULL;
    if (ch->slots[at - 1].call == NULL || ch->slots[at - 1].round != id >> 32)
        return NULL;
    return ch->slots[at - 1].call;
}

/* Take the call out of every structure; the memory stays. */
static void call_unlink(struct ipc_call *c)
{
    list_remove(&c->link);
    heap_remove(&c->ch->due, &c->due);
    if (c->id != 0)
        slot_give_back(c->ch, c);
}

static void call_end(struct ipc_call *c, const struct ipc_in *in)
{
    ipc_answer_fn cb = c->cb;
    void *ctx = c->ctx;

    call_unlink(c);
    free(c);
    cb(ctx, in);
}

static void timer_arm(struct ipc *ch)
{
    const struct heap_item *first = heap_first(&ch->due);

    if (ch->is_freed)
        return;
    if (!list_is_empty(&ch->refused))
        loop_timer_set(ch->timer, 0);
    else if (ch->is_stuck)
        loop_timer_set(ch->timer, STUCK_MS);
    else if (first != NULL)
        loop_timer_set(ch->timer, first->key - clock_mono_ms(loop_clock(ch->loop)));
    else
        loop_timer_cancel(ch->timer);
}

/* ---- end of a channel ---- */

static void leave(struct ipc *ch)
{
    if (--ch->depth == 0 && ch->is_freed)
        free(ch);
}

static void backlog_clear(struct ipc *ch)
{
    while (!list_is_empty(&ch->backlog)) {
        struct frame *f = LIST_ENTRY(ch->backlog.next, struct frame, link);

        list_remove(&f->link);
        if (f->fd != -1)
            (void)close(f->fd);
        free(f);
    }
    ch->backlog_frames = ch->backlog_octets = 0;
    ch->is_stuck = false;
}

static void shut(struct ipc *ch)
{
    loop_io_free(&ch->io);
    if (ch->fd != -1)
        (void)close(ch->fd);
    ch->fd = -1;
    backlog_clear(ch);
}

/* Peer gone or protocol broken. The caller is inside enter/leave. */
static void fall(struct ipc *ch, const char *why)
{
    struct heap_item *first;

    if (ch->fd == -1)
        return;
    if (why != NULL)
        log_event(loop_log(ch->loop), LOG_IPC_BROKEN, LOGF_N("self", ch->self),
                  LOGF_N("peer", ch->peer), LOGF_S("why", why));
    shut(ch);
    while (!ch->is_freed && (first = heap_first(&ch->due)) != NULL)
        call_end(LIST_ENTRY(first, struct ipc_call, due), NULL);
    if (!ch->is_freed && why != NULL && ch->breach != NULL)
        ch->breach(ch->breach_ctx, ch);
    if (!ch->is_freed && ch->h.closed != NULL)
        ch->h.closed(ch->ctx, ch);
}

/* ---- sending ---- */

enum sent { SENT_YES, SENT_LATER, SENT_NEVER };

static enum sent send_now(struct ipc *ch, struct span head, struct span body, int fd)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    /* sendmsg only reads what the vector points at. */
    struct iovec iov[2] = {{(void *)(uintptr_t)head.p, head.n},
                           {(void *)(uintptr_t)body.p, body.n}};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = body.n > 0 ? 2 : 1};

    if (fd != -1) {
        struct cmsghdr *c;

        memset(&control, 0, sizeof(control));
        m.msg_control = control.room;
        m.msg_controllen = sizeof(control.room);
        c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
    }
    for (;;) {
        if (sendmsg(ch->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) != -1)
            return SENT_YES;
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return SENT_LATER;
        /* EPIPE and the like: the reading side will notice and say so. Too many descriptors
         * in flight (ETOOMANYREFS) or no kernel memory: no event tells when that is over. */
        return SENT_NEVER;
    }
}

static int backlog_add(struct ipc *ch, struct span head, struct span body, int fd)
{
    struct frame *f;
    int copy = -1;

    if (ch->backlog_frames >= BACKLOG_FRAMES ||
        ch->backlog_octets > BACKLOG_OCTETS - head.n - body.n)
        return -1;
    if (fd != -1 && (copy = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1)
        return -1;
    f = mem_new(1, sizeof(*f) + head.n + body.n);
    f->fd = copy;
    f->n = head.n + body.n;
    memcpy(f->octets, head.p, head.n);
    if (body.n > 0)
        memcpy(f->octets + head.n, body.p, body.n);
    list_add_tail(&ch->backlog, &f->link);
    ch->backlog_frames++;
    ch->backlog_octets += f->n;
    if (!ch->is_stuck)
        loop_io_watch(ch->io, LOOP_READ | LOOP_WRITE);
    return 0;
}

static void backlog_flush(struct ipc *ch)
{
    while (!list_is_empty(&ch->backlog)) {
        struct frame *f = LIST_ENTRY(ch->backlog.next, struct frame, link);

        enum sent sent = send_now(ch, span_of(f->octets, f->n), SPAN_LIT(""), f->fd);

        ch->is_stuck = sent == SENT_NEVER;
        if (ch->is_stuck)
            loop_io_watch(ch->io, LOOP_READ);
        if (sent != SENT_YES)
            return;
        list_remove(&f->link);
        ch->backlog_frames--;
        ch->backlog_octets -= f->n;
        if (f->fd != -1)
            (void)close(f->fd);
        free(f);
    }
    ch->is_full_said = false;
    loop_io_watch(ch->io, LOOP_READ);
}

static void on_timer(void *arg)
{
    struct ipc *ch = arg;
    struct heap_item *first;
    int64_t now_ms = clock_mono_ms(loop_clock(ch->loop));

    ch->depth++;
    while (!ch->is_freed && !list_is_empty(&ch->refused))
        call_end(LIST_ENTRY(ch->refused.next, struct ipc_call, link), NULL);
    while (!ch->is_freed && (first = heap_first(&ch->due)) != NULL &&
           first->key <= now_ms)
        call_end(LIST_ENTRY(first, struct ipc_call, due), NULL);
    if (ch->is_stuck && ch->fd != -1)
        backlog_flush(ch);
    timer_arm(ch);
    leave(ch);
}

static int refuse(struct ipc *ch, const struct ipc_msg *m)
{
    if (!ch->is_full_said && ch->fd != -1)
        log_event(loop_log(ch->loop), LOG_IPC_FULL, LOGF_S("message", m->name),
                  LOGF_N("self", ch->self), LOGF_N("peer", ch->peer));
    ch->is_full_said = true; /* once, until the backlog is empty again */
    return -1;
}

static int frame_send(struct ipc *ch, const struct ipc_msg *m, uint16_t flags,
                      uint64_t call, struct span payload, int fd)
{
    uint8_t head[HEAD_OCTETS];
    enum sent sent = SENT_LATER;

    assert(m != NULL && m->from == ch->self && m->to == ch->peer);
    assert(payload.n >= m->len_min && payload.n <= m->len_max);
    assert(payload.n <= IPC_FRAME_MAX - HEAD_OCTETS);
    if (ch->fd == -1)
        return -1;
    head[0] = (uint8_t)(m->type >> 8);
    head[1] = (uint8_t)m->type;
    head[2] = (uint8_t)(flags >> 8);
    head[3] = (uint8_t)flags;
    for (unsigned i = 0; i < 8; i++)
        head[4 + i] = (uint8_t)(call >> (56 - 8 * i));

    if (list_is_empty(&ch->backlog))
        sent = send_now(ch, span_of(head, sizeof(head)), payload, fd);
    if (sent == SENT_LATER &&
        backlog_add(ch, span_of(head, sizeof(head)), payload, fd) == 0)
        sent = SENT_YES;
    return sent == SENT_YES ? 0 : refuse(ch, m);
}

/* ---- receiving ---- */

/* The one descriptor of a message into *fd. False when there are more. */
static bool take_fds(struct msghdr *m, int *fd)
{
    bool is_ok = true;

    *fd = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        size_t n;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int got;

            memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (*fd == -1) {
                *fd = got;
            } else {
                (void)close(got);
                is_ok = false;
            }
        }
    }
    return is_ok && (m->msg_flags & MSG_CTRUNC) == 0;
}

/* What is wrong with this frame, or NULL. */
static const char *frame_fault(const struct ipc *ch, const struct ipc_msg *m,
                               uint16_t flags, const struct ipc_in *in)
{
    const struct ipc_call *c;

    if (m == NULL)
        return "unknown message";
    if (m->from != ch->peer || m->to != ch->self)
        return "message from the wrong side";
    if ((in->call & EPOCH_BITS) != 0)
        return "call id that cannot be";
    if (in->payload.n < m->len_min || in->payload.n > m->len_max)
        return "message of wrong length";
    if ((flags & ~FLAG_ANSWER) != 0)
        return "unknown flag";
    if ((flags & FLAG_ANSWER) == 0)
        return NULL;
    c = call_find(ch, in->call);
    return c != NULL && c->answer != in->type ? "answer of the wrong type" : NULL;
}

static void frame_handle(struct ipc *ch, struct rd *r, int fd)
{
    struct ipc_in in = {.fd = fd};
    uint16_t flags;
    const struct ipc_msg *m;
    const char *fault;

    in.type = rd_u16(r);
    flags = rd_u16(r);
    in.call = rd_u64(r);
    in.payload = rd_bytes(r, rd_left(r));
    m = msg_find(ch->table, in.type);
    fault = r->is_bad ? "frame without a head" : frame_fault(ch, m, flags, &in);
    if (fault != NULL) {
        if (fd != -1)
            (void)close(fd);
        fall(ch, fault);
    } else if ((flags & FLAG_ANSWER) != 0) {
        struct ipc_call *c = call_find(ch, in.call);

        if (c != NULL)
            call_end(c, &in);
        else if (fd != -1) /* the asker gave up: nobody wants the descriptor */
            (void)close(fd);
    } else if (ch->h.message != NULL) {
        if (in.call != 0)
            in.call |= epoch_mark(ch);
        ch->h.message(ch->ctx, ch, &in);
    } else if (fd != -1) {
        (void)close(fd);
    }
}

/* One frame. False when there is nothing more to read for now. */
static bool receive(struct ipc *ch)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(4 *
                             sizeof(int))]; /* more than allowed, to see and close them */
    } control;
    struct iovec iov = {ch->in, IPC_FRAME_MAX};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof(control.room)};
    ssize_t n = recvmsg(ch->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct rd r;
    int fd;

    if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return false;
    if (n <= 0) { /* no frame is empty, so 0 is the end */
        fall(ch, NULL);
        return false;
    }
    if (!take_fds(&m, &fd) || (m.msg_flags & MSG_TRUNC) != 0) {
        if (fd != -1)
            (void)close(fd);
        fall(ch, "frame too long or with too many descriptors");
        return false;
    }
    rd_init(&r, span_of(ch->in, (size_t)n));
    frame_handle(ch, &r, fd);
    return ch->fd != -1;
}

/* What handlers do with a frame may be much: few frames or little time, whichever is over
 * first. The rest stays in the socket, which stays readable. */
static void receive_some(struct ipc *ch)
{
    const struct clock *clock = loop_clock(ch->loop);
    int64_t until_us = clock_mono_us(clock) + READ_BUDGET_US;

    for (unsigned i = 0; i < READ_BUDGET && receive(ch); i++)
        if (clock_mono_us(clock) > until_us)
            break;
}

static void on_ready(void *arg, unsigned what)
{
    struct ipc *ch = arg;

    ch->depth++;
    if (what & LOOP_WRITE)
        backlog_flush(ch);
    if (what & LOOP_READ)
        receive_some(ch);
    if (!ch->is_freed)
        timer_arm(ch);
    leave(ch);
}

/* ---- the door ---- */

static void attach(struct ipc *ch, int fd)
{
    ch->fd = fd;
    ch->is_full_said = false;
    ch->io = loop_io_new(ch->loop, fd, "ipc", on_ready, ch);
    loop_io_watch(ch->io, LOOP_READ);
}

struct ipc *ipc_new(struct loop *l, int fd, const struct ipc_table *t, uint8_t self,
                    uint8_t peer, const struct ipc_handlers *h, void *ctx)
{
    struct ipc *ch = mem_new(1, sizeof(*ch));

    for (size_t i = 0; i < t->n; i++)
        assert(t->msgs[i].type == i + 1);
    ch->loop = l;
    ch->table = t;
    ch->self = self;
    ch->peer = peer;
    ch->fd = -1;
    ch->h = *h;
    ch->ctx = ctx;
    ch->in = mem_new(1, IPC_FRAME_MAX);
    heap_init(&ch->due);
    list_init(&ch->refused);
    list_init(&ch->backlog);
    ch->timer = loop_timer_new(l, "ipc.deadline", on_timer, ch);
    if (fd != -1)
        attach(ch, fd);
    return ch;
}

void ipc_plug(struct ipc *ch, int fd)
{
    ch->depth++;
    fall(ch, NULL);
    if (ch->is_freed) {
        (void)close(fd);
    } else {
        ch->epoch++;
        attach(ch, fd);
        if (ch->h.opened != NULL)
            ch->h.opened(ch->ctx, ch);
    }
    leave(ch);
}

bool ipc_is_up(const struct ipc *ch)
{
    return ch->fd != -1;
}

uint8_t ipc_peer(const struct ipc *ch)
{
    return ch->peer;
}

void ipc_on_breach(struct ipc *ch, void (*fn)(void *ctx, struct ipc *ch), void *ctx)
{
    ch->breach = fn;
    ch->breach_ctx = ctx;
}

void ipc_break(struct ipc *ch, const char *why)
{
    ch->depth++;
    fall(ch, why);
    leave(ch);
}

void ipc_free(struct ipc **chp)
{
    struct ipc *ch = *chp;
    struct heap_item *first;

    if (ch == NULL)
        return;
    *chp = NULL;
    ch->depth++;
    ch->is_freed = true;
    shut(ch);
    loop_timer_free(&ch->timer);
    while ((first = heap_first(&ch->due)) != NULL) {
        struct ipc_call *c = LIST_ENTRY(first, struct ipc_call, due);

        call_unlink(c);
        free(c);
    }
    while (!list_is_empty(&ch->refused)) {
        struct ipc_call *c = LIST_ENTRY(ch->refused.next, struct ipc_call, link);

        call_unlink(c);
        free(c);
    }
    heap_free(&ch->due);
    free(ch->slots);
    free(ch->in);
    leave(ch);
}

int ipc_pair(int fds[2], struct err *err)
{
    int room = 2 * (int)IPC_FRAME_MAX;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == -1)
        return err_sys(err, "make a channel between two roles");
    for (unsigned i = 0; i < 2; i++) {
        if (setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) == -1) {
            (void)err_sys(err, "size a channel between two roles");
            (void)close(fds[0]);
            (void)close(fds[1]);
            return -1;
        }
    }
    return 0;
}

int ipc_send(struct ipc *ch, uint16_t type, struct span payload, int fd)
{
    return frame_send(ch, msg_find(ch->table, type), 0, 0, payload, fd);
}

struct ipc_call *ipc_call(struct ipc *ch, uint16_t type, struct span payload, int fd,
                          int64_t deadline_ms, ipc_answer_fn cb, void *ctx)
{
    const struct ipc_msg *m = msg_find(ch->table, type);
    struct ipc_call *c = mem_new(1, sizeof(*c));

    assert(m != NULL && m->reply != 0);
    c->ch = ch;
    c->answer = m->reply;
    c->cb = cb;
    c->ctx = ctx;
    list_init(&c->link);
    heap_item_init(&c->due);
    if (!slot_take(ch, c)) {
        (void)refuse(ch, m);
    } else if (frame_send(ch, m, 0, c->id, payload, fd) == -1) {
        slot_give_back(ch, c);
        c->id = 0;
    }
    if (c->id == 0)
        list_add_tail(&ch->refused, &c->link);
    else
        heap_put(&ch->due, &c->due, clock_mono_ms(loop_clock(ch->loop)) + deadline_ms);
    timer_arm(ch);
    return c;
}

void ipc_cancel(struct ipc_call **cp)
{
    struct ipc_call *c = *cp;

    if (c == NULL)
        return;
    *cp = NULL;
    call_unlink(c);
    free(c);
}

int ipc_reply(struct ipc *ch, uint64_t call, uint16_t type, struct span payload, int fd)
{
    /* Sent without wanting an answer, or by somebody who is gone. */
    if (call == 0 || ch->fd == -1 || (call & EPOCH_BITS) != epoch_mark(ch))
        return 0;
    return frame_send(ch, msg_find(ch->table, type), FLAG_ANSWER, call & ~EPOCH_BITS,
                      payload, fd);
}
