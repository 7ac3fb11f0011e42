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
#include "base/io/listen.h"
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

/* The two ends of a channel that one of them, or both, is played here. */
static void pair(int fds[2])
{
    struct err err;

    if (ipc_pair(fds, &err) == -1)
        die("join roles", &err);
}

/* Play `self` towards the role of `env`. */
static struct ipc *play(struct role_env *env, enum role self,
                        const struct ipc_handlers *hs, struct host *h)
{
    int fds[2];

    pair(fds);
    role_plug(env, self, 0, fds[0]);
    return ipc_new(h->loop, fds[1], &maild_ipc_table, (uint8_t)self, (uint8_t)env->self,
                   hs, h);
}

/* What the parent would hand to edge: its one port. */
static void open_port(const struct conf *c, struct bag *bag)
{
    enum conf_service service;
    struct ipaddr addr;
    struct err err;
    uint16_t port;
    int fd = -1;

    if (conf_listen(c, 0, &service, &addr, &port))
        fd = listen_open(conf_service_name(service), &addr, port, &err);
    if (fd == -1)
        die("open the port", &err);
    bag_add(bag, "listen", span_str(conf_nth(c, "listen", 0)), fd);
}

int main(int argc, char **argv)
{
    static const struct ipc_handlers directory = {.message = on_auth};
    static const struct ipc_handlers nobody = {.message = ignore};
    struct host h = {.rng = rng_system()};
    struct role_env edge, mailbox;
    struct ipc *queue_e, *queue_m;
    int fds[2];
    struct err err = {0, ""};
    void *edge_state, *mailbox_state;
    struct conf *conf;
    struct bag bag;
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
        edge.count[i] = 1;
    mailbox = edge;
    mailbox.self = ROLE_MAILBOX;
    bag_init(&bag);
    open_port(conf, &bag);
    edge.bag = &bag;
    if ((mailbox_state = mailbox_start(&mailbox, &err)) == NULL)
        die("start the mailbox role", &err);
    if ((edge_state = edge_start(&edge, &err)) == NULL)
        die("start the edge role", &err);
    pair(fds);
    role_plug(&edge, ROLE_MAILBOX, 0, fds[0]);
    role_plug(&mailbox, ROLE_EDGE, 0, fds[1]);
    h.edge = play(&edge, ROLE_DIRECTORY, &directory, &h);
    h.mailbox = play(&mailbox, ROLE_DIRECTORY, &nobody, &h);
    queue_e = play(&edge, ROLE_QUEUE, &nobody, &h);
    queue_m = play(&mailbox, ROLE_QUEUE, &nobody, &h);
    loop_on_signal(h.loop, SIGTERM, on_signal, &h);
    loop_on_signal(h.loop, SIGINT, on_signal, &h);
    (void)printf("ready\n");
    (void)fflush(stdout);
    loop_run(h.loop);
    edge_stop(edge_state);
    mailbox_stop(mailbox_state);
    ipc_free(&queue_e);
    ipc_free(&queue_m);
    ipc_free(&h.edge);
    ipc_free(&h.mailbox);
    loop_free(&h.loop);
    bag_free(&bag);
    conf_free(&conf);
    return 0;
}
