/* SPDX-License-Identifier: ISC */
/* A client of the control socket that sends anything, in one piece and in pieces, over a real
 * connection (base/io/control.h). Each line is one request, each request gets its rows and one
 * last line, and what it asked for cannot make another line.
 *
 * Input: two octets for the cuts, then what the client sends. */
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/core/log.h"
#include "base/io/control.h"
#include "base/io/loop.h"
#include "tests/fuzz/fuzz.h"

struct world {
    struct loop *loop;
    struct log log;
    struct sockaddr_un addr;
    socklen_t addr_len;
    size_t requests; /* of the client now connected */
};

/* Refused requests get their own words back. */
static void on_request(void *ctx, struct control_req *req, struct span line)
{
    struct world *w = ctx;

    LAW(line.n < CONTROL_LINE_MAX && span_index(line, '\n') == -1,
        "a request is one line");
    w->requests++;
    if (control_row(req, SPAN_LIT("{\"row\":1}")) == -1 || line.n % 2 == 0)
        control_ok(req);
    else
        control_error(req, "usage", "there is no \"%.*s\"", SPAN_ARG(line));
}

static struct world *world(void)
{
    static struct world w;
    int fd;

    if (w.loop != NULL)
        return &w;
    log_init(&w.log, -1, "test", clock_system());
    w.loop = loop_new(&w.log, clock_system());
    w.addr.sun_family = AF_UNIX;
    w.addr_len = sizeof(w.addr.sun_family); /* the kernel finds a name */
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    LAW(fd != -1 && bind(fd, (struct sockaddr *)&w.addr, w.addr_len) == 0 &&
            listen(fd, 4) == 0,
        "a socket can be had");
    w.addr_len = sizeof(w.addr);
    LAW(getsockname(fd, (struct sockaddr *)&w.addr, &w.addr_len) == 0, "it has a name");
    LAW(control_adopt(w.loop, fd, on_request, &w) != NULL, "it can be served");
    return &w;
}

/* Everything that has come; true while more can. */
static bool take_answer(int fd, struct buf *said)
{
    uint8_t space[4096];
    ssize_t n = 1;

    while (n > 0) {
        n = recv(fd, space, sizeof(space), MSG_DONTWAIT);
        LAW(n <= 0 || buf_append(said, space, (size_t)n) == 0, "answers are bounded");
    }
    return n != 0;
}

static void play(struct world *w, unsigned cuts, bool is_whole, struct span text,
                 struct buf *said)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), idle = 0;
    struct fuzz_cuts c;

    fuzz_cuts_init(&c, cuts);
    buf_init(said, FUZZ_LOG_MAX);
    w->requests = 0;
    LAW(fd != -1 && connect(fd, (struct sockaddr *)&w->addr, w->addr_len) == 0,
        "connect");
    while (idle < 4) {
        size_t n = text.n == 0 ? 0 : is_whole ? text.n : fuzz_cut(&c, text.n), before;

        if (n > 0) {
            ssize_t sent = send(fd, text.p, n, MSG_NOSIGNAL | MSG_DONTWAIT);

            text = sent < 0 ? span_drop(text, text.n) : span_drop(text, (size_t)sent);
        }
        loop_turn(w->loop, 0);
        before = said->len;
        if (!take_answer(fd, said))
            break;
        idle = text.n == 0 && said->len == before ? idle + 1 : 0;
    }
    (void)close(fd);
    loop_turn(w->loop, 0);
    loop_turn(w->loop, 0);
}

/* Rows and last lines, nothing else, and as many last lines as requests. */
static void check_answers(struct span said, size_t requests)
{
    struct span line;
    size_t ends = 0, refused = 0;

    while (said.n > 0) {
        LAW(span_cut(said, '\n', &line, &said), "an answer ends with a line end");
        for (size_t i = 0; i < line.n; i++)
            LAW(line.p[i] >= 32, "an answer is text");
        if (span_eq_str(line, "error usage request line too long"))
            refused++;
        else if (span_eq_str(line, "ok") || span_starts(line, SPAN_LIT("error usage ")))
            ends++;
        else
            LAW(span_eq_str(line, "{\"row\":1}"), "an answer is rows and a last line");
    }
    LAW(ends == requests && refused <= 1, "a request has one last line");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span in = span_of(data, n);
    struct world *w = world();
    unsigned cuts = fuzz_u16(&in);
    struct buf whole, pieces;

    play(w, cuts, true, in, &whole);
    check_answers(buf_all(&whole), w->requests);
    play(w, cuts | 2, false, in, &pieces);
    check_answers(buf_all(&pieces), w->requests);
    fuzz_same(buf_all(&whole), buf_all(&pieces), "split law: control socket");
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
