/* SPDX-License-Identifier: ISC */
/* maild/smtp/session.c - phases, replies and time of an SMTP session.
 *
 *     GREET --greet--> HELO --EHLO--> READY --MAIL--> MAIL --RCPT--> RCPT --DATA--> DATA
 *                       ^               ^ |                                          |
 *                       +---- TLS ------+ +--AUTH--> AUTH (lines of the exchange)    |
 *                                       +---------- end of message, RSET, EHLO ------+
 *
 * Invariants
 *  1. A command gets exactly one reply, and the next is not looked at before that: while
 *     `waiting` is set no input is taken.
 *  2. Every call begins with session_begin(): it does the reset that the call before left due, so
 *     the driver can read sender, recipients and decisions after a message was refused.
 *  3. Nothing that came in clear survives STARTTLS: the driver throws the octets away, the
 *     machine the HELO and the transaction (RFC 3207 4.2).
 *  4. On a submission service no transaction begins without `account`; elsewhere `account`
 *     stays 0, so the directory says "not ours" to every foreign domain: no relaying. */
#include "maild/smtp/session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maild/smtp/facts.h"
#include "maild/smtp/line.h"
#include "maild/smtp/session_int.h"

/* RFC 5321 4.5.3.1.4 says 512; MAIL may be longer by the parameters we offer: SIZE 26
 * (RFC 1870 3), BODY 17 (RFC 6152 2), AUTH 500 (RFC 4954 3). */
#define LINE_MAX_ANY 1055
/* An overlong line is skipped up to here, then the session ends. */
#define LINE_SKIP_MAX (64u * 1024u)
#define OUT_MAX       4096 /* replies of one step; EHLO's is the longest */

void smtp_session_init(struct smtp_session *s, const struct smtp_policy *p, bool is_tls,
                       int64_t now_ms)
{
    *s = (struct smtp_session){.policy = p, .phase = SMTP_PH_GREET, .is_tls = is_tls};
    s->deadline_ms = now_ms + p->idle_ms;
    s->end_ms = now_ms + p->total_ms;
    buf_init(&s->out, OUT_MAX);
    buf_init(&s->chunk, SMTP_FEED_MAX + 2);
    buf_init(&s->head, SMTP_HEAD_MAX);
    buf_init(&s->decisions, FACTS_DECISIONS_MAX);
}

void smtp_session_free(struct smtp_session *s)
{
    sasl_clear(&s->sasl);
    arena_free(&s->arena);
    free(s->rcpts);
    s->rcpts = NULL;
    buf_free(&s->out);
    buf_free(&s->chunk);
    buf_free(&s->head);
    buf_free(&s->decisions);
}

void session_reset(struct smtp_session *s)
{
    s->reset_due = false;
    s->sender[0] = '\0';
    s->declared_8bit = false;
    s->tried = s->given = s->n_rcpts = s->rcpt_octets = 0;
    arena_free(&s->arena);
    s->data = (struct smtp_data){.size = 0};
    buf_free(&s->chunk); /* an idle session should cost little */
    buf_free(&s->head);
    buf_reset(&s->decisions);
    if (s->phase != SMTP_PH_CLOSED)
        s->phase = s->helo[0] != '\0' ? SMTP_PH_READY : SMTP_PH_HELO;
}

void session_begin(struct smtp_session *s)
{
    memset(&s->step, 0, sizeof(s->step));
    if (s->reset_due)
        session_reset(s);
}

void session_touch(struct smtp_session *s, int64_t now_ms)
{
    s->deadline_ms = now_ms + s->policy->idle_ms;
}

void session_say_text(struct smtp_session *s, unsigned code, const char *text)
{
    int rc = buf_printf(&s->out, "%u %s\r\n", code, text);

    assert(rc == 0); /* the driver empties it after every step */
    (void)rc;
    if (code >= 500)
        s->errors++;
}

void session_say(struct smtp_session *s, enum smtp_reply_id id)
{
    const struct smtp_reply *r = smtp_reply(id);
    char text[160];
    int n = snprintf(text, sizeof(text), "%s%s%s", r->status,
                     r->status[0] != '\0' ? " " : "", r->text);

    assert(n > 0 && (size_t)n < sizeof(text));
    session_say_text(s, r->code, text);
}

void session_decide_text(struct smtp_session *s, const char *at, const char *subject,
                         unsigned code, const char *text)
{
    struct smtp_verdict *v = &s->step.verdict;
    int n;

    session_say_text(s, code, text);
    facts_decision(&s->decisions, at, subject, code, text);
    if (code < 400)
        return;
    v->is_set = true;
    memcpy(v->sender, s->sender, sizeof(v->sender));
    if (strcmp(at, "rcpt") == 0)
        memcpy(v->rcpt, s->ask, sizeof(v->rcpt));
    n = snprintf(v->reply, sizeof(v->reply), "%u %s", code, text);
    assert(n > 0); /* cut when longer, which is enough to read */
}

void session_decide(struct smtp_session *s, const char *at, const char *subject,
                    enum smtp_reply_id id)
{
    const struct smtp_reply *r = smtp_reply(id);
    char text[160];
    int n = snprintf(text, sizeof(text), "%s %s", r->status, r->text);

    assert(n > 0 && (size_t)n < sizeof(text));
    session_decide_text(s, at, subject, r->code, text);
}

void session_wait(struct smtp_session *s, enum smtp_waiting what, enum smtp_act act)
{
    assert(s->waiting == SMTP_WAIT_NOTHING);
    s->waiting = what;
    s->step.act = act;
}

void session_close(struct smtp_session *s, enum smtp_reply_id id)
{
    session_say(s, id);
    s->phase = SMTP_PH_CLOSED;
    s->step.act = SMTP_ACT_CLOSE;
}

static void hang_up(struct smtp_session *s)
{
    s->phase = SMTP_PH_CLOSED;
    s->step.act = SMTP_ACT_CLOSE;
}

const struct smtp_step *smtp_session_greet(struct smtp_session *s, bool has_input,
                                           int64_t now_ms)
{
    int rc;

    assert(s->phase == SMTP_PH_GREET);
    session_begin(s);
    if (has_input) {
        session_close(s, REPLY_EARLY);
        return &s->step;
    }
    rc = buf_printf(&s->out, "220 %s ESMTP Signpost\r\n", s->policy->hostname);
    assert(rc == 0);
    (void)rc;
    s->phase = SMTP_PH_HELO;
    session_touch(s, now_ms);
    return &s->step;
}

/* Drop octets up to the CRLF that ends an overlong line. */
static void skip_line(struct smtp_session *s, struct span in)
{
    for (size_t i = 0; i < in.n; i++) {
        bool is_end = s->skip_cr && in.p[i] == '\n';

        s->skip_cr = in.p[i] == '\r';
        if (!is_end)
            continue;
        s->step.used = i + 1;
        s->is_skipping = false;
        session_say(s, REPLY_LONG_LINE);
        return;
    }
    s->step.used = in.n;
    s->skipped += in.n;
    if (s->skipped > LINE_SKIP_MAX)
        session_close(s, REPLY_LONG_LINE);
    else
        s->step.act = SMTP_ACT_MORE;
}

static void take_line(struct smtp_session *s, struct span line)
{
    s->commands++;
    if (s->errors >= s->policy->errors_max)
        session_close(s, REPLY_ERRORS);
    else if (s->commands > s->policy->commands_max)
        session_close(s, REPLY_COMMANDS);
    else if (s->phase == SMTP_PH_AUTH)
        session_sasl(s, sasl_line(&s->sasl, line));
    else
        session_command(s, line);
}

/* True when a whole line was dealt with. */
static bool take_input(struct smtp_session *s, struct span in)
{
    const struct span auth = SPAN_LIT("AUTH ");
    bool is_auth = s->phase == SMTP_PH_AUTH || span_starts_nocase(in, auth);
    struct span line;

    if (s->is_skipping) {
        skip_line(s, in);
        return !s->is_skipping;
    }
    switch (smtp_line_next(in, is_auth ? SASL_LINE_MAX : LINE_MAX_ANY, &line,
                           &s->step.used)) {
    case LINE_OK:
        take_line(s, line);
        return true;
    case LINE_MORE:
        s->step.act = SMTP_ACT_MORE;
        return false;
    case LINE_BARE_CR:
        session_close(s, REPLY_BARE_CR);
        return true;
    case LINE_BARE_LF:
        session_close(s, REPLY_BARE_LF);
        return true;
    case LINE_TOO_LONG:
        break;
    }
    if (s->phase == SMTP_PH_AUTH) {
        sasl_clear(&s->sasl);
        s->phase = SMTP_PH_READY;
    }
    s->is_skipping = true;
    s->skip_cr = false;
    s->skipped = 0;
    return false; /* the driver comes again with the same octets */
}

const struct smtp_step *smtp_session_step(struct smtp_session *s, struct span in,
                                          int64_t now_ms)
{
    session_begin(s);
    if (s->waiting != SMTP_WAIT_NOTHING || in.n == 0 || s->phase == SMTP_PH_CLOSED ||
        s->phase == SMTP_PH_GREET) {
        s->step.act = SMTP_ACT_MORE;
        return &s->step;
    }
    if (s->phase == SMTP_PH_DATA ? session_data_octets(s, in) : take_input(s, in))
        session_touch(s, now_ms);
    return &s->step;
}

const struct smtp_step *smtp_session_timeout(struct smtp_session *s, int64_t now_ms)
{
    session_begin(s);
    if (s->waiting == SMTP_WAIT_TLS || (s->phase == SMTP_PH_GREET && s->is_tls))
        hang_up(s); /* a word in clear would be noise in the handshake */
    else
        session_close(s, now_ms >= s->end_ms ? REPLY_TOTAL_TIME : REPLY_IDLE);
    return &s->step;
}

const struct smtp_step *smtp_session_stop(struct smtp_session *s)
{
    session_begin(s);
    s->is_stopping = true;
    if (s->waiting == SMTP_WAIT_TLS || (s->phase == SMTP_PH_GREET && s->is_tls))
        hang_up(s);
    else if (s->waiting == SMTP_WAIT_NOTHING)
        session_close(s, REPLY_SHUTDOWN);
    else
        s->step.act = SMTP_ACT_MORE; /* the answer that is due comes first */
    return &s->step;
}

int64_t smtp_session_rest(struct smtp_session *s)
{
    bool has_erred = s->errors > s->rested_errors;
    bool has_asked = s->commands > s->rested_commands;

    if (s->phase == SMTP_PH_DATA || s->waiting != SMTP_WAIT_NOTHING)
        return 0;
    s->rested_errors = s->errors;
    s->rested_commands = s->commands;
    if (has_erred && s->errors > s->policy->errors_free)
        return s->policy->error_rest_ms;
    if (has_asked && s->commands > s->policy->commands_free)
        return s->policy->command_rest_ms;
    return 0;
}

int64_t smtp_session_deadline(const struct smtp_session *s)
{
    if (s->waiting != SMTP_WAIT_NOTHING && s->waiting != SMTP_WAIT_TLS)
        return INT64_MAX; /* it is not the client who lets us wait */
    return s->deadline_ms < s->end_ms ? s->deadline_ms : s->end_ms;
}

struct span smtp_session_output(const struct smtp_session *s)
{
    return buf_all(&s->out);
}

void smtp_session_sent(struct smtp_session *s)
{
    buf_reset(&s->out);
}

bool smtp_session_is_8bit(const struct smtp_session *s)
{
    return s->declared_8bit || s->data.is_8bit;
}

const char *smtp_session_protocol(const struct smtp_session *s)
{
    if (!s->is_esmtp)
        return s->is_tls ? "ESMTPS" : "SMTP"; /* there is no word for HELO under TLS */
    if (s->is_tls)
        return s->account != 0 ? "ESMTPSA" : "ESMTPS";
    return s->account != 0 ? "ESMTPA" : "ESMTP";
}
