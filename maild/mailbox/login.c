/* SPDX-License-Identifier: ISC */
/* TICKET and LOGIN. The directory checked the password and sent the same ticket here and to
 * edge; edge passes a session with it. So edge can open no account that did not just log in
 * through it. A ticket is good once, for 30 seconds.
 *
 * The two travel on different sockets, so LOGIN may be read first: it is then parked until its
 * ticket comes, PARKED_MS at most. A descriptor that stays parked when its edge dies is
 * closed with it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/core/mem.h"
#include "maild/mailbox/mailbox_int.h"

#define TICKET_MS     30000
#define TICKET_OCTETS 16
#define PARKED_MS     2000
#define PARKED_MAX    256u

struct ticket {
    struct list link; /* mailbox->ticket_age, oldest first */
    uint8_t key[TICKET_OCTETS];
    uint64_t account;
    int64_t expires_ms;
};

struct parked {
    struct list link; /* mailbox->parked, oldest first */
    struct ipc *edge;
    uint64_t call;
    int fd;
    struct buf payload; /* of LOGIN */
    uint8_t key[TICKET_OCTETS];
    int64_t expires_ms;
};

static void ticket_free(struct mailbox *m, struct ticket *t)
{
    (void)map_take(m->tickets, span_of(t->key, sizeof(t->key)));
    list_remove(&t->link);
    free(t);
}

void login_expire(struct mailbox *m, bool all)
{
    int64_t now = clock_mono_ms(m->env->clock);

    while (!list_is_empty(&m->ticket_age)) {
        struct ticket *t = LIST_ENTRY(m->ticket_age.next, struct ticket, link);

        if (!all && t->expires_ms > now)
            return;
        ticket_free(m, t);
    }
}

/* The account the ticket opens, held; or NULL with the reason. */
static struct account *redeem(struct mailbox *m, const struct m_login *msg,
                              const char **why)
{
    struct ticket *t = map_get(m->tickets, msg->ticket);
    struct account *a;
    uint64_t id;

    *why = "no such ticket";
    if (t == NULL)
        return NULL;
    id = t->account;
    ticket_free(m, t);
    *why = "too many accounts in use";
    a = account_hold(m, id);
    if (a == NULL)
        return NULL;
    *why = "too many sessions of this account";
    if (a->n_clients >= m->sessions_max) {
        account_release(a);
        return NULL;
    }
    *why = "too many sessions";
    if (m->n_clients >= m->clients_max) {
        account_release(a);
        return NULL;
    }
    return a;
}

static void answer(struct ipc *ch, uint64_t call, bool is_taken)
{
    struct m_login_result r = {.status = is_taken ? ANSWER_YES : ANSWER_NO};
    uint8_t space[8];
    struct buf b = {space, 0, sizeof(space), sizeof(space)};
    struct wr w;

    wr_init(&w, &b);
    m_login_result_encode(&r, &w);
    /* without an answer edge gives up and closes its end: the session ends by itself */
    if (!w.is_bad && ipc_reply(ch, call, IPC_LOGIN_RESULT, buf_all(&b), -1) == -1)
        return;
}

static void log_refused(const struct mailbox *m, const char *why)
{
    log_event(m->env->log, LOG_IMAP_REFUSED, LOGF_S("why", why));
}

/* The ticket is here, or will not come. Takes `fd` over. */
static void take_over(struct mailbox *m, struct ipc *edge, uint64_t call,
                      const struct m_login *msg, int fd)
{
    const char *why;
    struct account *a = redeem(m, msg, &why);

    answer(edge, call, a != NULL);
    if (a == NULL) {
        log_refused(m, why);
        (void)close(fd);
        return;
    }
    log_event(m->env->log, LOG_IMAP_SESSION, LOGF_N("account", a->id),
              LOGF_B("peer", msg->peer), LOGF_N("tls", msg->is_tls),
              LOGF_N("sessions", a->n_clients + 1));
    client_new(m, a, fd, msg);
}

/* ---- parked -------------------------------------------------------------------------- */

static void parked_free(struct mailbox *m, struct parked *p)
{
    list_remove(&p->link);
    m->n_parked--;
    if (p->fd != -1)
        (void)close(p->fd);
    buf_free(&p->payload);
    free(p);
}

/* Go on with it, whether its ticket has come or not. */
static void unpark(struct mailbox *m, struct parked *p)
{
    struct m_login msg;
    int fd = p->fd;

    p->fd = -1;
    if (m_login_decode(buf_all(&p->payload), &msg)) /* it did before */
        take_over(m, p->edge, p->call, &msg, fd);
    parked_free(m, p);
}

static void park_timer(struct mailbox *m)
{
    const struct parked *first;

    if (list_is_empty(&m->parked)) {
        loop_timer_cancel(m->park_timer);
        return;
    }
    first = LIST_ENTRY(m->parked.next, struct parked, link);
    loop_timer_set(m->park_timer, first->expires_ms - clock_mono_ms(m->env->clock));
}

void login_unpark(void *ctx)
{
    struct mailbox *m = ctx;
    int64_t now = clock_mono_ms(m->env->clock);

    while (!list_is_empty(&m->parked)) {
        struct parked *p = LIST_ENTRY(m->parked.next, struct parked, link);

        if (p->expires_ms > now)
            break;
        unpark(m, p);
    }
    park_timer(m);
}

void login_drop(struct mailbox *m, const struct ipc *edge)
{
    struct list *next;

    for (struct list *it = m->parked.next; it != &m->parked; it = next) {
        struct parked *p = LIST_ENTRY(it, struct parked, link);

        next = it->next;
        if (edge == NULL || p->edge == edge)
            parked_free(m, p);
    }
}

static void park(struct mailbox *m, struct ipc *edge, const struct ipc_in *in,
                 const struct m_login *msg)
{
    struct parked *p = mem_new(1, sizeof(*p));

    p->edge = edge;
    p->call = in->call;
    p->fd = in->fd;
    memcpy(p->key, msg->ticket.p, sizeof(p->key));
    p->expires_ms = clock_mono_ms(m->env->clock) + PARKED_MS;
    buf_init(&p->payload, in->payload.n);
    list_init(&p->link);
    list_add_tail(&m->parked, &p->link);
    m->n_parked++;
    if (buf_span(&p->payload, in->payload) == -1)
        parked_free(m, p); /* cannot be: its ceiling is what goes in */
    park_timer(m);
}

/* ---- the messages -------------------------------------------------------------------- */

void login_message(struct mailbox *m, struct ipc *ch, const struct ipc_in *in)
{
    struct m_login msg;

    login_expire(m, false);
    if (!m_login_decode(in->payload, &msg) || msg.ticket.n != TICKET_OCTETS ||
        in->fd == -1) {
        if (in->fd != -1)
            (void)close(in->fd);
        ipc_break(ch, "LOGIN that cannot be read");
        return;
    }
    if (msg.service != AUTH_IMAP || m->is_stopping) {
        log_refused(m, m->is_stopping ? "the role stops" : "another protocol than IMAP");
        answer(ch, in->call, false);
        (void)close(in->fd);
    } else if (map_get(m->tickets, msg.ticket) != NULL || m->n_parked >= PARKED_MAX) {
        take_over(m, ch, in->call, &msg, in->fd);
    } else {
        park(m, ch, in, &msg);
    }
}

void login_ticket(struct mailbox *m, const struct ipc_in *in)
{
    struct m_ticket msg;
    struct ticket *t;

    login_expire(m, false);
    if (!m_ticket_decode(in->payload, &msg) || msg.ticket.n != TICKET_OCTETS ||
        !mailbox_has(m, msg.account_id) || map_get(m->tickets, msg.ticket) != NULL)
        return;
    t = mem_new(1, sizeof(*t));
    memcpy(t->key, msg.ticket.p, sizeof(t->key));
    t->account = msg.account_id;
    t->expires_ms = clock_mono_ms(m->env->clock) + TICKET_MS;
    list_init(&t->link);
    if (map_put(m->tickets, msg.ticket, t) == -1) {
        free(t); /* too many: that login is refused, the client tries again */
        return;
    }
    list_add_tail(&m->ticket_age, &t->link);
    LIST_EACH (it, &m->parked) {
        struct parked *p = LIST_ENTRY(it, struct parked, link);

        if (CRYPTO_memcmp(p->key, t->key, sizeof(p->key)) == 0) {
            unpark(m, p);
            park_timer(m);
            return;
        }
    }
}
