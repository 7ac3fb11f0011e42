/* SPDX-License-Identifier: ISC */
/* maild/smtp/session_answer.c - what the answers of other roles do to an SMTP session.
 *
 * Each answer ends exactly one wait (session.c, invariant 1), becomes exactly one reply, and
 * may lead to the next question: the From field of a submission is asked about address by
 * address before queue is asked to take the message. */
#include <assert.h>
#include <string.h>

#include "base/core/mem.h"
#include "maild/smtp/session_int.h"

#define ARENA_MAX (256u * 1024u) /* texts of all recipients */

static void answered(struct smtp_session *s, enum smtp_waiting what, int64_t now_ms)
{
    assert(s->waiting == what);
    session_begin(s);
    s->waiting = SMTP_WAIT_NOTHING;
    session_touch(s, now_ms);
}

/* A stop that came while we waited, now that the answer is out. */
static void stop_if_due(struct smtp_session *s)
{
    if (s->is_stopping && s->waiting == SMTP_WAIT_NOTHING && s->phase != SMTP_PH_CLOSED)
        session_close(s, REPLY_SHUTDOWN);
}

static bool has_target(const struct smtp_session *s, const struct envelope_rcpt *t)
{
    for (size_t i = 0; i < s->n_rcpts; i++) {
        const struct envelope_rcpt *r = &s->rcpts[i];

        if (r->kind == t->kind && r->account_id == t->account_id &&
            strcmp(r->address, t->address) == 0)
            return true;
    }
    return false;
}

/* Add what the directory made of s->ask. False when the envelope has no room. */
static bool add_targets(struct smtp_session *s, const struct envelope_rcpt *targets,
                        size_t n)
{
    struct span original = span_str(s->ask);
    size_t old_n = s->n_rcpts, old_octets = s->rcpt_octets;

    if (s->arena == NULL)
        s->arena = arena_new(ARENA_MAX);
    for (size_t i = 0; i < n; i++) {
        struct envelope_rcpt *r;

        if (has_target(s, &targets[i]))
            continue; /* two aliases of one mailbox: one copy is enough */
        s->rcpt_octets += strlen(targets[i].address) + original.n + 32;
        if (s->n_rcpts == ENVELOPE_RCPTS_MAX ||
            s->rcpt_octets > ENVELOPE_OCTETS_MAX - 4096)
            goto full;
        if (s->n_rcpts == s->cap_rcpts) {
            s->cap_rcpts = s->cap_rcpts == 0 ? 4 : s->cap_rcpts * 2;
            s->rcpts = mem_resize(s->rcpts, s->cap_rcpts, sizeof(*s->rcpts));
        }
        r = &s->rcpts[s->n_rcpts];
        *r = targets[i];
        r->address = arena_strdup(s->arena, span_str(targets[i].address));
        r->original = arena_strdup(s->arena, original);
        if (r->address == NULL || r->original == NULL)
            goto full;
        s->n_rcpts++;
    }
    return true;
full:
    s->n_rcpts = old_n;
    s->rcpt_octets = old_octets;
    return false;
}

static enum smtp_reply_id rcpt_reply(enum smtp_rcpt_verdict v)
{
    switch (v) {
    case SMTP_RCPT_YES:
        return REPLY_RCPT_OK;
    case SMTP_RCPT_UNKNOWN:
        return REPLY_RCPT_UNKNOWN;
    case SMTP_RCPT_NOT_OURS:
        return REPLY_NOT_OURS;
    case SMTP_RCPT_DISABLED:
        return REPLY_RCPT_DISABLED;
    case SMTP_RCPT_QUOTA:
        return REPLY_RCPT_QUOTA;
    case SMTP_RCPT_TOO_MANY:
        return REPLY_RCPT_TOO_MANY;
    case SMTP_RCPT_BAD:
        return REPLY_RCPT_BAD;
    case SMTP_RCPT_LATER:
        break;
    }
    return REPLY_RCPT_LATER;
}

const struct smtp_step *smtp_session_rcpt(struct smtp_session *s,
                                          enum smtp_rcpt_verdict v,
                                          const struct envelope_rcpt *targets, size_t n,
                                          int64_t now_ms)
{
    enum smtp_reply_id id = rcpt_reply(v);

    answered(s, SMTP_WAIT_RCPT, now_ms);
    if (v == SMTP_RCPT_YES && n == 0)
        id = REPLY_RCPT_LATER; /* an alias that leads nowhere: not for ever, one hopes */
    else if (v == SMTP_RCPT_YES && !add_targets(s, targets, n))
        id = REPLY_RCPT_FULL;
    if (id == REPLY_RCPT_OK) {
        s->given++;
        s->phase = SMTP_PH_RCPT;
    }
    session_decide(s, "rcpt", s->ask, id);
    stop_if_due(s);
    return &s->step;
}

const struct smtp_step *smtp_session_auth(struct smtp_session *s, enum smtp_answer a,
                                          uint64_t account, const char *login,
                                          int64_t now_ms)
{
    answered(s, SMTP_WAIT_AUTH, now_ms);
    sasl_clear(&s->sasl);
    switch (a) {
    case SMTP_YES:
        assert(account != 0);
        s->account = account;
        if (!span_copy(span_str(login), s->login, sizeof(s->login)))
            s->login[0] = '\0';
        s->auth_failures = 0;
        session_say(s, REPLY_AUTH_OK);
        break;
    case SMTP_NO:
        session_auth_failed(s, REPLY_AUTH_FAILED);
        break;
    case SMTP_LATER:
        session_say(s, REPLY_AUTH_LATER);
        break;
    }
    stop_if_due(s);
    return &s->step;
}

static void sender_answer(struct smtp_session *s, enum smtp_answer a)
{
    switch (a) {
    case SMTP_YES:
        session_decide(s, "mail", s->sender, REPLY_SENDER_OK);
        s->phase = SMTP_PH_MAIL;
        return;
    case SMTP_NO:
        session_decide(s, "mail", s->sender, REPLY_NOT_YOUR_SENDER);
        break;
    case SMTP_LATER:
        session_decide(s, "mail", s->sender, REPLY_SENDER_LATER);
        break;
    }
    s->reset_due = true;
}

static void from_answer(struct smtp_session *s, enum smtp_answer a)
{
    switch (a) {
    case SMTP_YES:
        session_check_from(s);
        break;
    case SMTP_NO:
        session_refuse_message(s, REPLY_NOT_YOUR_FROM);
        break;
    case SMTP_LATER:
        session_refuse_message(s, REPLY_SENDER_LATER);
        break;
    }
}

const struct smtp_step *smtp_session_sender(struct smtp_session *s, enum smtp_answer a,
                                            int64_t now_ms)
{
    enum smtp_waiting what = s->waiting;

    answered(s, what == SMTP_WAIT_FROM ? SMTP_WAIT_FROM : SMTP_WAIT_SENDER, now_ms);
    if (what == SMTP_WAIT_FROM)
        from_answer(s, a);
    else
        sender_answer(s, a);
    stop_if_due(s);
    return &s->step;
}

const struct smtp_step *smtp_session_accepted(struct smtp_session *s, unsigned code,
                                              const char *text, int64_t now_ms)
{
    answered(s, SMTP_WAIT_ACCEPT, now_ms);
    if (code == 250) {
        session_say_text(s, code, text);
        s->messages++;
        s->errors = s->commands = 0;
    } else {
        session_decide_text(s, "accept", "", code, text);
        s->step.act = SMTP_ACT_DROP;
    }
    s->reset_due = true;
    stop_if_due(s);
    return &s->step;
}

const struct smtp_step *smtp_session_tls(struct smtp_session *s, int64_t now_ms)
{
    answered(s, SMTP_WAIT_TLS, now_ms);
    s->is_tls = true;
    s->is_esmtp = false;
    s->helo[0] = '\0';
    s->account = 0; /* who logged in in clear may have been somebody in between */
    s->login[0] = '\0';
    session_reset(s);
    stop_if_due(s);
    return &s->step;
}
