/* SPDX-License-Identifier: ISC */
/* base/io/control_client.c - client side of the control socket, with poll(). */
#include "base/io/control_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/core/buf.h"
#include "base/core/clock.h"
#include "base/core/mem.h"
#include "base/io/unixsock_int.h"

enum { ROW_MAX = 4 * 1024 * 1024, CHUNK = 65536 };

struct control_client {
    int fd;
    char *path;
    struct buf in;
};

struct control_client *control_open(const char *path, struct err *err)
{
    struct sockaddr_un sun;
    struct control_client *c;
    int fd;

    if (unixsock_name(path, &sun, err) == -1)
        return NULL;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
        if (errno == ENOENT || errno == ECONNREFUSED)
            (void)err_set(
                err,
                "the daemon is not running (nobody answers at %s); start it, or "
                "see in its log why it ended",
                path);
        else
            (void)err_sys(err, "ask at %s", path);
        if (fd != -1)
            (void)close(fd);
        return NULL;
    }
    c = mem_new(1, sizeof(*c));
    c->fd = fd;
    c->path = mem_strdup(path);
    buf_init(&c->in, ROW_MAX);
    return c;
}

void control_close(struct control_client **cp)
{
    struct control_client *c = *cp;

    if (c == NULL)
        return;
    *cp = NULL;
    (void)close(c->fd);
    buf_free(&c->in);
    free(c->path);
    free(c);
}

/* Wait for `what`. -1 with *err after the deadline. */
static int wait_for(struct control_client *c, short what, int64_t until_ms,
                    struct err *err)
{
    for (;;) {
        struct pollfd p = {.fd = c->fd, .events = what};
        int64_t left_ms = until_ms - clock_mono_ms(clock_system());
        int rc;

        if (left_ms <= 0)
            return err_set(err, "%s: the daemon did not answer in time", c->path);
        rc = poll(&p, 1, left_ms > 60000 ? 60000 : (int)left_ms);
        if (rc > 0)
            return 0;
        if (rc == -1 && errno != EINTR)
            return err_sys(err, "%s: wait for the daemon", c->path);
    }
}

static int send_line(struct control_client *c, const char *line, int64_t until_ms,
                     struct err *err)
{
    struct buf out;
    int rc = -1;

    buf_init(&out, CHUNK);
    if (buf_str(&out, line) == -1 || buf_byte(&out, '\n') == -1) {
        (void)err_set(err, "request too long");
        goto out;
    }
    while (out.len > 0) {
        ssize_t n;

        if (wait_for(c, POLLOUT, until_ms, err) == -1)
            goto out;
        n = send(c->fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n == -1 && errno != EAGAIN && errno != EINTR) {
            (void)err_sys(err, "%s: the daemon went away", c->path);
            goto out;
        }
        if (n > 0)
            buf_drop(&out, (size_t)n);
    }
    rc = 0;
out:
    buf_free(&out);
    return rc;
}

/* Read until a line end is in the buffer; *n: octets of the line without LF. */
static int read_line(struct control_client *c, int64_t until_ms, size_t *n,
                     struct err *err)
{
    size_t seen = 0;

    for (;;) {
        ptrdiff_t at = span_index(span_drop(buf_all(&c->in), seen), '\n');
        ssize_t got;

        if (at >= 0) {
            *n = seen + (size_t)at;
            return 0;
        }
        seen = c->in.len;
        if (wait_for(c, POLLIN, until_ms, err) == -1)
            return -1;
        if (buf_reserve(&c->in, CHUNK) == -1)
            return err_set(err, "%s: the daemon's answer has a line too long", c->path);
        got = recv(c->fd, c->in.data + c->in.len, CHUNK, MSG_DONTWAIT);
        if (got == 0 || (got == -1 && errno != EAGAIN && errno != EINTR))
            return err_set(err, "%s: the daemon went away in the middle of its answer",
                           c->path);
        if (got > 0)
            c->in.len += (size_t)got;
    }
}

/* "CODE text" behind `error `. */
static void take_error(struct span s, struct control_answer *a)
{
    struct span code;

    if (a == NULL)
        return;
    (void)span_cut(s, ' ', &code, &s);
    if (!span_copy(code, a->code, sizeof(a->code)))
        (void)snprintf(a->code, sizeof(a->code), "fault");
    if (!span_copy(span_take(s, sizeof(a->text) - 1), a->text, sizeof(a->text)))
        (void)snprintf(a->text, sizeof(a->text), "(the daemon's text is not readable)");
}

enum control_result control_ask(struct control_client *c, const char *line,
                                int64_t timeout_ms,
                                void (*row)(void *ctx, struct span json), void *ctx,
                                struct control_answer *answer, struct err *err)
{
    int64_t until_ms = clock_mono_ms(clock_system()) + timeout_ms;
    size_t n = 0;

    if (strpbrk(line, "\r\n") != NULL) {
        (void)err_set(err, "a request is one line");
        return CONTROL_FAULT;
    }
    if (send_line(c, line, until_ms, err) == -1)
        return CONTROL_FAULT;
    for (;;) {
        struct span s;

        if (read_line(c, until_ms, &n, err) == -1)
            return CONTROL_FAULT;
        s = span_of(c->in.data, n);
        if (span_eq_str(s, "ok")) {
            buf_drop(&c->in, n + 1);
            return CONTROL_OK;
        }
        if (span_starts(s, SPAN_LIT("error "))) {
            take_error(span_drop(s, 6), answer);
            buf_drop(&c->in, n + 1);
            return CONTROL_ERROR;
        }
        if (row != NULL)
            row(ctx, s);
        buf_drop(&c->in, n + 1);
    }
}
