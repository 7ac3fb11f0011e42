/* SPDX-License-Identifier: ISC */
/* maild/smtp/session_cmd.c - what each command does (RFC 5321 4.1.1).
 *
 * Order of the checks in MAIL and RCPT: what the session may do, then syntax, then limits,
 * then the question to the directory, which is the only dear one. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "maild/smtp/params.h"
#include "maild/smtp/path.h"
#include "maild/smtp/session_int.h"
#include "maild/smtp/verb.h"

#define LINE_MAX_PLAIN 512 /* RFC 5321 4.5.3.1.4, CRLF included */

/* A reply of several lines, or with parts of its own. */
static void say_raw(struct smtp_session *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void say_raw(struct smtp_session *s, const char *fmt, ...)
{
    va_list ap;
    int rc;

    va_start(ap, fmt);
    rc = buf_vprintf(&s->out, fmt, ap);
    va_end(ap);
    assert(rc == 0);
    (void)rc;
}

static bool has_control(struct span line)
{
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] < 32 || line.p[i] == 127)
            return true;
    return false;
}

void session_command(struct smtp_session *s, struct span line)
{
    const struct smtp_verb *v;
    struct span name, arg;

    smtp_verb_split(line, &name, &arg);
    v = smtp_verb_find(name);
    if (v != NULL && (v->flags & VERB_FOREIGN) != 0)
        session_close(s, REPLY_FOREIGN);
    else if (has_control(line))
        session_say(s, REPLY_FORBIDDEN_OCTET);
    else if (v == NULL)
        session_say(s, REPLY_UNKNOWN);
    else if (line.n + 2 > LINE_MAX_PLAIN && v->run != verb_mail && v->run != verb_auth)
        session_say(s, REPLY_LONG_LINE);
    else if ((v->phases & s->phase) == 0)
        session_say_text(s, 503, v->hint);
    else if ((v->flags & VERB_NO_ARGUMENT) != 0 && arg.n > 0)
        session_say(s, REPLY_NO_ARGUMENT);
    else
        v->run(s, arg);
}

/* Strict enough that the name can stand in Received and in a reply, lax enough for the
 * underscores and bare addresses that real clients send (RFC 5321 4.1.4 forbids to refuse
 * mail over the name). */
static bool is_helo_name(struct span arg)
{
    if (arg.n == 0 || arg.n > 255)
        return false;
    for (size_t i = 0; i < arg.n; i++)
        if (!ascii_is_alnum(arg.p[i]) && (arg.p[i] == 0 || !strchr("-._:[]", arg.p[i])))
            return false;
    return true;
}

static bool take_helo(struct smtp_session *s, struct span arg, bool is_esmtp)
{
    if (!is_helo_name(arg) || !span_copy(arg, s->helo, sizeof(s->helo))) {
        session_say(s, REPLY_HELO_SYNTAX);
        return false;
    }
    s->is_esmtp = is_esmtp;
    session_reset(s); /* RFC 5321 4.1.4 */
    return true;
}

void verb_helo(struct smtp_session *s, struct span arg)
{
    if (take_helo(s, arg, false))
        say_raw(s, "250 %s\r\n", s->policy->hostname);
}

static bool may_auth(const struct smtp_session *s)
{
    return s->is_tls || s->policy->allow_cleartext_auth;
}

void verb_ehlo(struct smtp_session *s, struct span arg)
{
    const struct smtp_policy *p = s->policy;

    if (!take_helo(s, arg, true))
        return;
    say_raw(s, "250-%s greets %s\r\n250-PIPELINING\r\n", p->hostname, s->helo);
    say_raw(s, "250-SIZE %llu\r\n", (unsigned long long)p->size_max);
    say_raw(s, "250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n");
    if (p->has_tls && !s->is_tls)
        say_raw(s, "250-STARTTLS\r\n");
    if (p->is_submission && may_auth(s) && s->account == 0)
        say_raw(s, "250-AUTH PLAIN LOGIN\r\n");
    say_raw(s, "250 HELP\r\n");
}

/* Behind "FROM:" or "TO:". */
static bool after_keyword(struct span arg, struct span keyword, struct span *rest)
{
    *rest = span_drop(arg, keyword.n);
    return span_starts_nocase(arg, keyword);
}

static bool take_path(const struct smtp_session *s, struct span in, bool is_rcpt,
                      char text[SMTP_ADDRESS_MAX], struct span *rest,
                      enum smtp_reply_id *fault)
{
    struct smtp_path path;
    struct buf out;
    bool is_ok = false;

    buf_init(&out, SMTP_ADDRESS_MAX);
    switch (smtp_path_parse(in, &path, rest)) {
    case SMTP_PATH_OK:
        *fault = is_rcpt ? REPLY_RCPT_BAD : REPLY_SENDER_BAD;
        is_ok = (is_rcpt ? !path.is_null : !path.is_postmaster) &&
                smtp_path_print(&path, s->policy->hostname, &out) == 0 &&
                span_copy(buf_all(&out), text, SMTP_ADDRESS_MAX);
        break;
    case SMTP_PATH_SYNTAX:
        *fault = is_rcpt ? REPLY_RCPT_BAD : REPLY_SENDER_BAD;
        break;
    case SMTP_PATH_NOT_ASCII:
        *fault = is_rcpt ? REPLY_RCPT_UTF8 : REPLY_SENDER_UTF8;
        break;
    case SMTP_PATH_LONG:
        *fault = is_rcpt ? REPLY_RCPT_LONG : REPLY_SENDER_LONG;
        break;
    case SMTP_PATH_DOMAIN:
        *fault = is_rcpt ? REPLY_RCPT_DOMAIN : REPLY_SENDER_DOMAIN;
        break;
    }
    buf_free(&out);
    return is_ok;
}

static enum smtp_reply_id params_reply(enum smtp_params_result r)
{
    return r == SMTP_PARAMS_UNKNOWN ? REPLY_PARAM_UNKNOWN : REPLY_PARAM_SYNTAX;
}

void verb_mail(struct smtp_session *s, struct span arg)
{
    struct smtp_mail_params params;
    enum smtp_params_result pr;
    enum smtp_reply_id fault;
    struct span rest;

    if (s->policy->is_submission && s->account == 0) {
        session_say(s, may_auth(s) ? REPLY_NEED_AUTH : REPLY_NEED_TLS);
        return;
    }
    if (s->messages >= s->policy->messages_max) {
        session_close(s, REPLY_MESSAGES);
        return;
    }
    if (!after_keyword(arg, SPAN_LIT("FROM:"), &rest)) {
        session_say(s, REPLY_MAIL_SYNTAX);
        return;
    }
    if (!take_path(s, rest, false, s->sender, &rest, &fault)) {
        session_say(s, fault);
        return;
    }
    pr = smtp_mail_params(rest, &params);
    if (pr != SMTP_PARAMS_OK) {
        session_say(s, params_reply(pr));
        return;
    }
    if (params.has_size && params.size > s->policy->size_max) {
        session_decide(s, "mail", s->sender, REPLY_TOO_BIG);
        s->reset_due = true;
        return;
    }
    s->declared_8bit = params.is_8bit;
    /* The null sender is for everybody: notifications from mail programs use it
     * (RFC 8098 2.1), and the From field is held against the login all the same. */
    if (s->policy->is_submission && s->sender[0] != '\0') {
        memcpy(s->ask, s->sender, sizeof(s->ask));
        session_wait(s, SMTP_WAIT_SENDER, SMTP_ACT_ASK_SENDER);
        return;
    }
    session_decide(s, "mail", s->sender, REPLY_SENDER_OK);
    s->phase = SMTP_PH_MAIL;
}

void verb_rcpt(struct smtp_session *s, struct span arg)
{
    enum smtp_params_result pr;
    enum smtp_reply_id fault;
    struct span rest;

    s->tried++;
    if (!after_keyword(arg, SPAN_LIT("TO:"), &rest)) {
        session_say(s, REPLY_RCPT_SYNTAX);
        return;
    }
    if (!take_path(s, rest, true, s->ask, &rest, &fault)) {
        session_say(s, fault);
        return;
    }
    pr = smtp_rcpt_params(rest);
    if (pr != SMTP_PARAMS_OK) {
        session_say(s, params_reply(pr));
        return;
    }
    if (s->given >= s->policy->recipients_max) {
        session_decide(s, "rcpt", s->ask, REPLY_RCPT_FULL);
        return;
    }
    session_wait(s, SMTP_WAIT_RCPT, SMTP_ACT_ASK_RCPT);
}

void verb_data(struct smtp_session *s, struct span arg)
{
    (void)arg;
    if (s->given > 0)
        session_data_begin(s);
    else if (s->tried > 0)
        session_say(s, REPLY_NO_RECIPIENTS);
    else
        session_say_text(s, 503, "5.5.1 RCPT first");
}

void verb_rset(struct smtp_session *s, struct span arg)
{
    (void)arg;
    session_reset(s);
    session_say(s, REPLY_OK);
}

void verb_noop(struct smtp_session *s, struct span arg)
{
    (void)arg;
    session_say(s, REPLY_OK);
}

void verb_quit(struct smtp_session *s, struct span arg)
{
    (void)arg;
    session_close(s, REPLY_BYE);
}

void verb_vrfy(struct smtp_session *s, struct span arg)
{
    (void)arg;
    session_say(s, REPLY_VRFY); /* RFC 5321 7.3: we do not tell who exists */
}

void verb_help(struct smtp_session *s, struct span arg)
{
    (void)arg;
    session_say(s, REPLY_HELP);
}

void verb_missing(struct smtp_session *s, struct span arg)
{
    (void)arg;
    session_say(s, REPLY_NOT_IMPLEMENTED);
}

void verb_starttls(struct smtp_session *s, struct span arg)
{
    (void)arg;
    if (s->is_tls) {
        session_say(s, REPLY_TLS_ALREADY);
    } else if (!s->policy->has_tls) {
        session_say(s, REPLY_NO_TLS);
    } else {
        session_say(s, REPLY_TLS_READY);
        session_wait(s, SMTP_WAIT_TLS, SMTP_ACT_START_TLS);
    }
}

void session_auth_failed(struct smtp_session *s, enum smtp_reply_id id)
{
    sasl_clear(&s->sasl);
    if (++s->auth_failures >= s->policy->auth_failures_max)
        session_close(s, REPLY_AUTH_FAILURES);
    else
        session_say(s, id);
}

void session_sasl(struct smtp_session *s, enum sasl_result r)
{
    s->phase = SMTP_PH_READY;
    switch (r) {
    case SASL_CHALLENGE:
        s->phase = SMTP_PH_AUTH;
        say_raw(s, "334 %s\r\n", sasl_challenge(&s->sasl));
        break;
    case SASL_DONE:
        session_wait(s, SMTP_WAIT_AUTH, SMTP_ACT_ASK_AUTH);
        break;
    case SASL_CANCELLED:
        sasl_clear(&s->sasl);
        session_say(s, REPLY_AUTH_CANCELLED);
        break;
    case SASL_BAD_BASE64:
        session_auth_failed(s, REPLY_AUTH_BASE64);
        break;
    case SASL_BAD_FORM:
        session_auth_failed(s, REPLY_AUTH_FORM);
        break;
    case SASL_BAD_MECH:
        session_say(s, REPLY_AUTH_MECH);
        break;
    }
}

void verb_auth(struct smtp_session *s, struct span arg)
{
    struct span mech, initial;
    bool has_initial = span_cut(arg, ' ', &mech, &initial);

    if (!s->policy->is_submission)
        session_say(s, REPLY_NO_AUTH_HERE);
    else if (s->account != 0)
        session_say(s, REPLY_AUTH_ALREADY);
    else if (!may_auth(s))
        session_say(s, REPLY_AUTH_NEEDS_TLS);
    else if (mech.n == 0)
        session_say(s, REPLY_AUTH_SYNTAX);
    else
        session_sasl(s, sasl_begin(&s->sasl, mech, has_initial, initial));
}
