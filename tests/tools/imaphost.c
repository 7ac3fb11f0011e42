/* SPDX-License-Identifier: ISC */
/* imaphost - the IMAP side of maild alone: the real edge and mailbox roles in one loop, with
 * the directory played by this program (every name may log in with the given password).
 *
 *     imaphost CONF PASSWORD
 *
 * For tests/suites/imap.sh and for a debugger: needs no domain database, no queue, no
 * resolver. Runs until SIGTERM or SIGINT. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/hash.h"
#include "maild/ipc_msgs.h"
#include "maild/roles.h"

struct host {
    struct loop *loop;
    struct rng *rng;
    const char *password;
    struct ipc *edge, *mailbox;
};

static void on_signal(void *ctx, int signo)
{
    struct host *h = ctx;

    (void)signo;
    loop_stop(h->loop);
}

static void die(const char *what, const struct err *err)
{
    (void)fprintf(stderr, "imaphost: %s: %s\n", what, err->text);
    exit(2);
}

/* One account a name: a hash of it will do. */
static uint64_t account_of(struct span login)
{
    return 1 + crc32c(0, login) % 1000;
}

static void send_ticket(struct host *h, struct span ticket, const struct m_auth *m)
{
    const struct m_ticket t = {
        .ticket = ticket, .account_id = account_of(m->login), .login = m->login};
    struct buf out;
    struct wr w;

    buf_init(&out, 1024);
    wr_init(&w, &out);
    m_ticket_encode(&t, &w);
    if (ipc_send(h->mailbox, IPC_TICKET, buf_all(&out), -1) == -1)
        (void)fprintf(stderr, "imaphost: the mailbox role takes no ticket\n");
    buf_free(&out);
}

static void on_auth(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    struct m_auth_result r = {.status = ANSWER_NO};
    struct host *h = ctx;
    uint8_t ticket[16];
    struct m_auth m;
    struct buf out;
    struct wr w;

    if (in->type != IPC_AUTH || !m_auth_decode(in->payload, &m))
        return;
    rng_fill(h->rng, ticket, sizeof(ticket));
    if (span_eq_str(m.password, h->password)) {
        r.status = ANSWER_YES;
        r.account_id = account_of(m.login);
        r.login = m.login;
        r.ticket = span_of(ticket, sizeof(ticket));
        send_ticket(h, r.ticket, &m);
    }
    buf_init(&out, 1024);
    wr_init(&w, &out);
    m_auth_result_encode(&r, &w);
    if (ipc_reply(ch, in->call, IPC_AUTH_RESULT, buf_all(&out), -1) == -1)
        (void)fprintf(stderr, "imaphost: edge takes no answer\n");
    buf_free(&out);
}

static void ignore(void *ctx, struct ipc *ch, const struct ipc_in *in)
{
    (void)ctx;
    (void)ch;
    if (in->fd != -1)
        (void)close(in->fd);
}

static void on_closed(void *ctx, struct ipc *ch)
{
    struct host *h = ctx;

    if (h->edge == ch)
        ipc_free(&h->edge);
    else if (h->mailbox == ch)
        ipc_free(&h->mailbox);
}

static void join(struct role_env *a, enum role b_role, struct role_env *b)
{
    struct err err;
    int fds[2];

    if (ipc_pair(fds, &err) == -1)
        die("join roles", &err);
    a->peer_fd[b_role] = fds[0];
    b->peer_fd[a->self] = fds[1];
}

int main(int argc, char **argv)
{
    static const struct ipc_handlers directory = {on_auth, on_closed};
    static const struct ipc_handlers nobody = {ignore, on_closed};
    struct host h = {.rng = rng_system()};
    struct role_env edge, mailbox, other;
    struct err err = {0, ""};
    void *edge_state, *mailbox_state;
    struct conf *conf;
    struct log log;

    if (argc != 3) {
        (void)fprintf(stderr, "usage: imaphost CONF PASSWORD\n");
        return 2;
    }
    h.password = argv[2];
    log_init(&log, STDERR_FILENO, "imaphost", clock_system());
    conf = conf_load(argv[1], &err);
    h.loop = loop_new(&log, clock_system());
    edge = (struct role_env){.self = ROLE_EDGE,
                             .loop = h.loop,
                             .log = &log,
                             .clock = clock_system(),
                             .rng = h.rng,
                             .conf = conf};
    if (conf == NULL)
        die("read the configuration", &err);
    for (int i = 0; i < ROLE_COUNT; i++)
        edge.peer_fd[i] = -1;
    mailbox = other = edge;
    mailbox.self = ROLE_MAILBOX;
    other.self = ROLE_DIRECTORY;
    join(&edge, ROLE_MAILBOX, &mailbox);
    join(&edge, ROLE_DIRECTORY, &other);
    join(&mailbox, ROLE_DIRECTORY, &other);
    h.edge = ipc_new(h.loop, other.peer_fd[ROLE_EDGE], &maild_ipc_table, ROLE_DIRECTORY,
                     ROLE_EDGE, &directory, &h);
    h.mailbox = ipc_new(h.loop, other.peer_fd[ROLE_MAILBOX], &maild_ipc_table,
                        ROLE_DIRECTORY, ROLE_MAILBOX, &nobody, &h);
    other.self = ROLE_QUEUE;
    join(&mailbox, ROLE_QUEUE, &other);
    if ((mailbox_state = mailbox_start(&mailbox, &err)) == NULL)
        die("start the mailbox role", &err);
    if ((edge_state = edge_start(&edge, &err)) == NULL)
        die("start the edge role", &err);
    loop_on_signal(h.loop, SIGTERM, on_signal, &h);
    loop_on_signal(h.loop, SIGINT, on_signal, &h);
    (void)printf("ready\n");
    (void)fflush(stdout);
    loop_run(h.loop);
    edge_stop(edge_state);
    mailbox_stop(mailbox_state);
    for (int i = 0; i < ROLE_COUNT; i++) {
        ipc_free(&edge.peer[i]);
        ipc_free(&mailbox.peer[i]);
    }
    ipc_free(&h.edge);
    ipc_free(&h.mailbox);
    loop_free(&h.loop);
    conf_free(&conf);
    return 0;
}
