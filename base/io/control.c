/* SPDX-License-Identifier: ISC */
/* base/io/control.c - server side of the control socket.
 *
 * A client is a conn plus at most one request. While the request is open the conn is paused,
 * so the next line is offered only after the answer to this one. A request outlives its
 * client: the handler may hold it while a job runs; then `client` is NULL and rows go
 * nowhere. A client whose request is open outlives nothing. */
#include "base/io/control.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/core/list.h"
#include "base/core/mem.h"
#include "base/io/conn.h"
#include "base/io/listen.h"
#include "base/io/unixsock_int.h"

enum {
    CLIENTS_MAX = 64,
    BACKLOG = 16,
    IDLE_MS = 300000,
    LAST_WORDS_MS = 5000,
};

struct client {
    struct list link;
    struct control *server;
    struct conn *conn;
    struct control_req *req; /* under way, or NULL */
};

struct control_req {
    struct client *client; /* NULL: gone */
};

struct control {
    struct loop *loop;
    char *path; /* NULL: adopted */
    struct listener *listener;
    struct list clients;
    size_t n_clients;
    control_fn cb;
    void *ctx;
};

static void client_free(struct client *cl)
{
    if (cl->req != NULL)
        cl->req->client = NULL;
    list_remove(&cl->link);
    cl->server->n_clients--;
    conn_free(&cl->conn);
    free(cl);
}

/* Say why, then close. */
static void client_refuse(struct client *cl, const char *text)
{
    if (conn_write(cl->conn, span_str(text)) == 0)
        conn_finish(&cl->conn, LAST_WORDS_MS);
    client_free(cl);
}

static void on_input(void *ctx)
{
    struct client *cl = ctx;
    struct span in = conn_input(cl->conn);
    ptrdiff_t end = span_index(in, '\n');
    struct control_req *req;
    uint8_t line[CONTROL_LINE_MAX];
    size_t n;

    if (end < 0) {
        if (in.n >= CONTROL_LINE_MAX)
            client_refuse(cl, "error usage request line too long\n");
        return;
    }
    n = (size_t)end;
    memcpy(line, in.p, n); /* the conn's buffer may move under an answer */
    conn_consume(cl->conn, n + 1);
    if (n > 0 && line[n - 1] == '\r')
        n--;
    conn_pause(cl->conn, true);
    conn_deadline(cl->conn, 0);
    req = mem_new(1, sizeof(*req));
    req->client = cl;
    cl->req = req;
    cl->server->cb(cl->server->ctx, req, span_of(line, n));
}

static void on_end(void *ctx, enum conn_end why)
{
    (void)why;
    client_free(ctx);
}

static bool is_allowed(int fd)
{
    struct ucred who;
    socklen_t n = sizeof(who);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == -1)
        return false;
    return who.uid == 0 || who.uid == geteuid();
}

static void on_accept(void *ctx, int fd, const struct ipaddr *peer, uint16_t port)
{
    static const struct conn_handlers handlers = {.on_input = on_input, .on_end = on_end};
    static const struct conn_limits limits = {
        .in_max = CONTROL_LINE_MAX, .out_max = CONTROL_OUT_MAX, .out_high = 65536};
    struct control *c = ctx;
    struct client *cl = mem_new(1, sizeof(*cl));
    bool may = is_allowed(fd);

    (void)peer;
    (void)port;
    cl->server = c;
    cl->conn = conn_accept(c->loop, fd, &limits, &handlers, cl);
    list_add_tail(&c->clients, &cl->link);
    c->n_clients++;
    if (!may)
        client_refuse(cl, "error denied only root and the user of the daemon may ask\n");
    else if (c->n_clients > CLIENTS_MAX)
        client_refuse(cl, "error busy too many control connections\n");
    else
        conn_deadline(cl->conn, IDLE_MS);
}

int control_listen(const char *path, struct err *err)
{
    /* 0660: the group of the folder may ask in principle; is_allowed() decides. */
    int fd = unixsock_bind(path, SOCK_STREAM, 0660, err);

    if (fd != -1 && listen(fd, BACKLOG) == -1) {
        (void)err_sys(err, "listen at %s", path);
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

struct control *control_adopt(struct loop *l, int fd, control_fn cb, void *ctx)
{
    struct control *c = mem_new(1, sizeof(*c));

    c->loop = l;
    c->cb = cb;
    c->ctx = ctx;
    list_init(&c->clients);
    c->listener = listener_new(l, fd, "control", on_accept, c);
    return c;
}

struct control *control_new(struct loop *l, const char *path, control_fn cb, void *ctx,
                            struct err *err)
{
    int fd = control_listen(path, err);
    struct control *c;

    if (fd == -1)
        return NULL;
    c = control_adopt(l, fd, cb, ctx);
    c->path = mem_strdup(path);
    return c;
}

void control_free(struct control **cp)
{
    struct control *c = *cp;

    if (c == NULL)
        return;
    *cp = NULL;
    listener_free(&c->listener);
    while (!list_is_empty(&c->clients))
        client_free(LIST_ENTRY(c->clients.next, struct client, link));
    if (c->path != NULL)
        (void)unlink(c->path);
    free(c->path);
    free(c);
}

int control_row(struct control_req *req, struct span json)
{
    struct conn *conn = req->client == NULL ? NULL : req->client->conn;

    assert(span_index(json, '\n') < 0);
    if (conn == NULL || json.n >= CONTROL_OUT_MAX - conn_out_len(conn))
        return -1;
    /* The room was asked for, so neither can fail. */
    return conn_write(conn, json) == 0 ? conn_write(conn, SPAN_LIT("\n")) : -1;
}

/* The last line; the client may ask again. */
static void end(struct control_req *req, const char *line)
{
    struct client *cl = req->client;

    free(req);
    if (cl == NULL)
        return;
    cl->req = NULL;
    if (conn_write(cl->conn, span_str(line)) == -1) {
        client_free(
            cl); /* does not take its answer: cut off, so it knows it is not whole */
        return;
    }
    conn_deadline(cl->conn, IDLE_MS);
    conn_pause(cl->conn, false);
}

void control_ok(struct control_req *req)
{
    end(req, "ok\n");
}

void control_error(struct control_req *req, const char *code, const char *fmt, ...)
{
    char text[768], line[1024];
    va_list ap;

    va_start(ap, fmt);
    if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    for (char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p < ' ')
            *p = ' '; /* the answer is one line */
    (void)snprintf(line, sizeof(line), "error %s %s\n", code, text);
    end(req, line);
}
