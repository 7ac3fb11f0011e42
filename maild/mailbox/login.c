/* SPDX-License-Identifier: ISC */
/* TICKET and LOGIN. The directory checked the password and sent the same ticket here and to
 * edge; edge passes a session with it. So edge can open no account that did not just log in
 * through it. A ticket is good once, for 30 seconds. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "maild/mailbox/mailbox_int.h"

#define TICKET_MS     30000
#define TICKET_OCTETS 16

struct ticket {
    struct list link; /* mailbox->ticket_age, oldest first */
    uint8_t key[TICKET_OCTETS];
    uint64_t account;
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

void login_ticket(struct mailbox *m, const struct ipc_in *in)
{
    struct m_ticket msg;
    struct ticket *t;

    login_expire(m, false);
    if (!m_ticket_decode(in->payload, &msg) || msg.ticket.n != TICKET_OCTETS ||
        map_get(m->tickets, msg.ticket) != NULL)
        return;
    t = mem_new(1, sizeof(*t));
    memcpy(t->key, msg.ticket.p, sizeof(t->key));
    t->account = msg.account_id;
    t->expires_ms = clock_mono_ms(m->env->clock) + TICKET_MS;
    list_init(&t->link);
    if (map_put(m->tickets, msg.ticket, t) == -1)
        free(t); /* too many: that login is refused, the client tries again */
    else
        list_add_tail(&m->ticket_age, &t->link);
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

void login_message(struct mailbox *m, struct ipc *ch, const struct ipc_in *in)
{
    struct account *a = NULL;
    struct m_login msg;
    const char *why = "malformed";

    login_expire(m, false);
    if (m_login_decode(in->payload, &msg) && msg.service == AUTH_IMAP && in->fd != -1 &&
        !m->is_stopping)
        a = redeem(m, &msg, &why);
    answer(ch, in->call, a != NULL);
    if (a == NULL) {
        log_event(m->env->log, LOG_IMAP_REFUSED, LOGF_S("why", why));
        if (in->fd != -1)
            (void)close(in->fd);
        return;
    }
    log_event(m->env->log, LOG_IMAP_SESSION, LOGF_N("account", a->id),
              LOGF_B("peer", msg.peer), LOGF_N("tls", msg.is_tls),
              LOGF_N("sessions", a->n_clients + 1));
    client_new(m, a, in->fd, &msg);
}
