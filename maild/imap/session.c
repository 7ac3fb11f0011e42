/* SPDX-License-Identifier: ISC */
/* States of the input (the protocol's own states are imap_state):
 *
 *   COMMAND --whole command--> answered here, or BUSY (driver) --done--> COMMAND
 *   COMMAND --IDLE--> IDLE --any line--> BUSY (the driver answers) --done--> COMMAND
 *   COMMAND --AUTHENTICATE without response--> SASL --line--> BUSY
 *   COMMAND --message literal of APPEND--> OCTETS --all of them--> COMMAND (same command)
 *   any --too long, too many errors, LOGOUT--> CLOSED
 *
 * Invariants: cmd points into collect.text and the arena, so neither changes while BUSY;
 * what must outlive collect_next() (the tag in IDLE and SASL) is copied to the arena. */
#include "maild/imap/session.h"

#include <string.h>

#include "base/core/codec.h"
#include "maild/imap/respond.h"

#define ARENA_MAX (2u * 1024u * 1024u)

void imap_session_init(struct imap_session *s, const struct imap_session_config *cfg,
                       enum imap_state state)
{
    memset(s, 0, sizeof(*s));
    s->cfg = *cfg;
    s->state = state;
    s->phase = IMAP_PHASE_COMMAND;
    collect_init(&s->collect);
    buf_init(&s->secret, 2 * IMAP_PASSWORD_MAX + 2048);
    s->arena = arena_new(ARENA_MAX);
}

/* Passwords pass through here; clear them where they lay. */
static void wipe(struct span s)
{
    if (s.n > 0)
        explicit_bzero((void *)(uintptr_t)s.p, s.n);
}

static void wipe_command(struct imap_session *s)
{
    wipe(s->cmd.password);
    wipe(s->cmd.initial);
    wipe(buf_all(&s->secret));
    if (s->cmd.password.n > 0)
        wipe(buf_all(&s->collect.text));
}

void imap_session_free(struct imap_session *s)
{
    wipe_command(s);
    collect_free(&s->collect);
    buf_free(&s->secret);
    arena_free(&s->arena);
}

/* Ready for the next command. */
static void next_command(struct imap_session *s)
{
    wipe_command(s);
    memset(&s->cmd, 0, sizeof(s->cmd));
    buf_reset(&s->secret);
    collect_next(&s->collect);
    arena_reset(s->arena);
    s->append_n = 0;
    s->append_refusal = NULL;
    s->phase = IMAP_PHASE_COMMAND;
}

void imap_session_done(struct imap_session *s)
{
    s->bad_count = 0;
    next_command(s);
}

void imap_session_set_state(struct imap_session *s, enum imap_state state)
{
    s->state = state;
}

bool imap_session_is_busy(const struct imap_session *s)
{
    return s->phase == IMAP_PHASE_BUSY;
}

bool imap_session_is_idle(const struct imap_session *s)
{
    return s->phase == IMAP_PHASE_IDLE;
}

/* ---- answers ---------------------------------------------------------------------- */

static enum imap_do say_bye(struct imap_session *s, struct buf *out, const char *why)
{
    struct imap_out o;

    imap_out_init(&o, out);
    imap_put_status(&o, span_of(NULL, 0), "BYE", NULL, why);
    s->phase = IMAP_PHASE_CLOSED;
    return IMAP_DO_CLOSE;
}

/* Answer the command and go on with the next. */
static enum imap_do answer(struct imap_session *s, struct buf *out, const char *word,
                           const char *code, const char *text)
{
    enum imap_do todo = s->append_n > 0 ? IMAP_DO_APPEND_END : IMAP_DO_MORE;
    bool is_bad = strcmp(word, "BAD") == 0;
    struct imap_out o;

    imap_out_init(&o, out);
    imap_put_status(&o, s->cmd.tag, word, code, text);
    if (!is_bad)
        s->bad_count = 0;
    next_command(s);
    if (is_bad && ++s->bad_count >= s->cfg.bad_max)
        return say_bye(s, out, "too many bad commands");
    return o.is_full ? say_bye(s, out, "output does not fit") : todo;
}

static enum imap_do say_bad(struct imap_session *s, struct buf *out, const char *why)
{
    return answer(s, out, "BAD", NULL, why);
}

static enum imap_do proceed(struct imap_session *s, struct buf *out, const char *text)
{
    struct imap_out o;

    imap_out_init(&o, out);
    imap_putf(&o, "+ %s\r\n", text);
    return o.is_full ? say_bye(s, out, "output does not fit") : IMAP_DO_MORE;
}

/* ---- login ------------------------------------------------------------------------ */

/* PLAIN (RFC 4616): [authzid] NUL authcid NUL passwd. Acting for another is not offered. */
static bool split_plain(struct imap_session *s)
{
    struct span rest = buf_all(&s->secret), authzid;

    if (!span_cut(rest, 0, &authzid, &rest) ||
        !span_cut(rest, 0, &s->cmd.user, &s->cmd.password))
        return false;
    return s->cmd.user.n > 0 && (authzid.n == 0 || span_eq(authzid, s->cmd.user)) &&
           span_index(s->cmd.password, 0) < 0;
}

static enum imap_do sasl_response(struct imap_session *s, struct span text,
                                  struct buf *out)
{
    if (span_eq_str(text, "*"))
        return say_bad(s, out, "authentication cancelled");
    if (!base64_decode(text, &s->secret))
        return say_bad(s, out, "the response is not base64");
    if (!split_plain(s))
        return answer(s, out, "NO", "AUTHENTICATIONFAILED", "the response is not PLAIN");
    s->phase = IMAP_PHASE_BUSY;
    return IMAP_DO_RUN;
}

static enum imap_do do_login(struct imap_session *s, struct buf *out)
{
    if (!s->cfg.is_login_allowed)
        return answer(s, out, "NO", "PRIVACYREQUIRED", "log in after STARTTLS");
    if (s->cmd.op == IMAP_OP_LOGIN) {
        s->phase = IMAP_PHASE_BUSY;
        return IMAP_DO_RUN;
    }
    if (!span_eq_str_nocase(s->cmd.mech, "PLAIN"))
        return answer(s, out, "NO", "CANNOT", "only AUTHENTICATE PLAIN is offered");
    if (s->cmd.initial.p != NULL)
        return sasl_response(s, s->cmd.initial, out);
    s->cmd.tag = arena_copy(s->arena, s->cmd.tag);
    collect_next(&s->collect);
    s->phase = IMAP_PHASE_SASL;
    return proceed(s, out, "");
}

/* ---- commands the machine answers itself ------------------------------------------- */

static enum imap_do do_enable(struct imap_session *s, struct buf *out)
{
    struct imap_out o;

    /* nothing we offer must be enabled first: the answer is an empty list (RFC 5161 3.1) */
    imap_out_init(&o, out);
    imap_put(&o, "* ENABLED\r\n");
    return answer(s, out, "OK", NULL, "enabled");
}

static enum imap_do do_starttls(struct imap_session *s, struct buf *out)
{
    if (!s->cfg.is_starttls_offered)
        return say_bad(s, out, "TLS is not on offer here");
    (void)answer(s, out, "OK", NULL, "begin TLS now");
    return IMAP_DO_STARTTLS;
}

static enum imap_do do_logout(struct imap_session *s, struct buf *out)
{
    struct span tag = s->cmd.tag;
    struct imap_out o;

    imap_out_init(&o, out);
    imap_put_status(&o, span_of(NULL, 0), "BYE", NULL, "until next time");
    imap_put_status(&o, tag, "OK", NULL, "logged out");
    s->phase = IMAP_PHASE_CLOSED;
    return IMAP_DO_CLOSE;
}

static enum imap_do do_idle(struct imap_session *s, struct buf *out)
{
    s->cmd.tag = arena_copy(s->arena, s->cmd.tag);
    collect_next(&s->collect);
    if (proceed(s, out, "idling") == IMAP_DO_CLOSE)
        return IMAP_DO_CLOSE;
    s->phase = IMAP_PHASE_IDLE;
    return IMAP_DO_RUN;
}

/* A command that parsed and is legal now. */
static enum imap_do dispatch(struct imap_session *s, struct buf *out)
{
    struct imap_out o;

    imap_out_init(&o, out);
    switch (s->cmd.op) {
    case IMAP_OP_CAPABILITY:
        imap_putf(&o, "* CAPABILITY %s\r\n", s->cfg.capabilities);
        return answer(s, out, "OK", NULL, "that is all");
    case IMAP_OP_ID:
        imap_put(&o, "* ID (\"name\" \"Signpost\")\r\n");
        return answer(s, out, "OK", NULL, "pleased to meet you");
    case IMAP_OP_NAMESPACE:
        imap_put(&o, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
        return answer(s, out, "OK", NULL, "all mailboxes are personal");
    case IMAP_OP_ENABLE:
        return do_enable(s, out);
    case IMAP_OP_STARTTLS:
        return do_starttls(s, out);
    case IMAP_OP_LOGOUT:
        return do_logout(s, out);
    case IMAP_OP_LOGIN:
    case IMAP_OP_AUTHENTICATE:
        return do_login(s, out);
    case IMAP_OP_IDLE:
        return do_idle(s, out);
    case IMAP_OP_NOOP:
        if (s->state == IMAP_STATE_GREETED)
            return answer(s, out, "OK", NULL, "nothing done");
        break;
    default:
        break;
    }
    if (s->cmd.is_name_bad)
        return answer(s, out, "NO", "CANNOT", "no mailbox can have this name");
    if (s->cmd.is_charset_bad)
        return answer(s, out, "NO", "BADCHARSET (UTF-8 US-ASCII)",
                      "this charset is not known");
    s->phase = IMAP_PHASE_BUSY;
    return IMAP_DO_RUN;
}

/* ---- APPEND ----------------------------------------------------------------------- */

static bool may_stream(void *ctx, struct span seg)
{
    struct imap_session *s = ctx;
    bool is_first = s->append_n == 0;

    return s->phase == IMAP_PHASE_COMMAND && s->state != IMAP_STATE_GREETED &&
           imap_append_parse(seg, is_first, s->arena, &s->append);
}

static void set_append_tag(struct imap_session *s)
{
    struct span rest;

    (void)span_cut(collect_text(&s->collect), ' ', &s->cmd.tag, &rest);
    s->cmd.op = IMAP_OP_APPEND;
}

/* A message literal was announced. */
static enum imap_do append_begin(struct imap_session *s, struct buf *out)
{
    const char *code = NULL, *why = NULL;

    set_append_tag(s);
    if (s->append_n == 0)
        s->cmd.mailbox = s->append.mailbox;
    if (s->append.is_name_bad) {
        code = "CANNOT";
        why = "no mailbox can have this name";
    } else if (s->append.size > s->cfg.append_max) {
        code = "TOOBIG";
        why = "the message is larger than this server takes";
    } else if (s->append.size == 0) {
        why = "a message of no octets";
    }
    if (why != NULL && s->append.is_sync) /* the client waits, and will send nothing */
        return answer(s, out, "NO", code, why);
    s->append_refusal = s->append_refusal != NULL ? s->append_refusal : why;
    s->append_left = s->append.size;
    s->phase = IMAP_PHASE_OCTETS;
    if (s->append.size == 0) {
        s->phase = IMAP_PHASE_COMMAND;
        collect_streamed(&s->collect);
        s->append_n++;
        return IMAP_DO_MORE;
    }
    if (s->append.is_sync && proceed(s, out, "send the message") == IMAP_DO_CLOSE)
        return IMAP_DO_CLOSE;
    s->append_n++;
    return s->append_refusal == NULL ? IMAP_DO_APPEND : IMAP_DO_MORE;
}

static enum imap_do append_octets(struct imap_session *s, struct span in, size_t *used)
{
    s->octets = span_take(in, s->append_left < in.n ? (size_t)s->append_left : in.n);
    *used = s->octets.n;
    s->append_left -= s->octets.n;
    s->is_last = s->append_left == 0;
    if (s->is_last) {
        s->phase = IMAP_PHASE_COMMAND;
        collect_streamed(&s->collect);
    }
    return s->append_refusal == NULL ? IMAP_DO_OCTETS : IMAP_DO_MORE;
}

/* The command's last line end behind the last message. */
static enum imap_do append_done(struct imap_session *s, struct buf *out)
{
    set_append_tag(s);
    if (s->append_refusal != NULL)
        return answer(s, out, "NO", NULL, s->append_refusal);
    if (collect_segment(&s->collect).n > 0)
        return say_bad(s, out, "after a message comes another or the end of the line");
    s->verb = imap_verb_find(SPAN_LIT("APPEND"));
    s->phase = IMAP_PHASE_BUSY;
    return IMAP_DO_RUN;
}

/* ---- input ------------------------------------------------------------------------ */

static enum imap_do command_line(struct imap_session *s, struct buf *out)
{
    const char *fault;

    if (s->append_n > 0)
        return append_done(s, out);
    if (collect_text(&s->collect).n == 0) {
        next_command(s); /* a bare line end between commands: some clients send it */
        return IMAP_DO_MORE;
    }
    arena_reset(s->arena);
    if (!imap_parse(collect_text(&s->collect), s->arena, &s->cmd, &s->verb, &fault))
        return say_bad(s, out, fault);
    if ((s->verb->states & s->state) == 0)
        return say_bad(s, out,
                       s->state == IMAP_STATE_GREETED ? "log in first"
                       : s->state == IMAP_STATE_AUTH &&
                               s->verb->states == IMAP_STATE_SELECTED
                           ? "select a mailbox first"
                           : "not in this state");
    return dispatch(s, out);
}

static enum imap_do line_done(struct imap_session *s, struct buf *out)
{
    switch (s->phase) {
    case IMAP_PHASE_IDLE:
        /* anything else than DONE is the client's fault, but it ends IDLE as well */
        s->phase = IMAP_PHASE_BUSY;
        return IMAP_DO_IDLE_END;
    case IMAP_PHASE_SASL:
        return sasl_response(s, collect_text(&s->collect), out);
    case IMAP_PHASE_COMMAND:
        return command_line(s, out);
    case IMAP_PHASE_BUSY:
    case IMAP_PHASE_OCTETS:
    case IMAP_PHASE_CLOSED:
        break;
    }
    return IMAP_DO_MORE;
}

/* The line announced a waiting literal that will not be taken. */
static enum imap_do literal_refused(struct imap_session *s, struct buf *out)
{
    if (s->phase != IMAP_PHASE_COMMAND) /* literals have no meaning there */
        return line_done(s, out);
    s->cmd.tag = imap_parse_tag(collect_text(&s->collect));
    if (s->cmd.tag.p == NULL)
        return say_bad(s, out, "a command begins with a tag");
    return answer(s, out, "NO", "LIMIT", "the literal is too large for this command");
}

enum imap_do imap_session_input(struct imap_session *s, struct span in, size_t *used,
                                struct buf *out)
{
    *used = 0;
    if (s->phase == IMAP_PHASE_CLOSED)
        return IMAP_DO_CLOSE;
    if (s->phase == IMAP_PHASE_BUSY || in.n == 0)
        return IMAP_DO_MORE;
    if (s->phase == IMAP_PHASE_OCTETS)
        return append_octets(s, in, used);
    switch (collect_feed(&s->collect, in, used, may_stream, s)) {
    case COLLECT_MORE:
        return IMAP_DO_MORE;
    case COLLECT_CONTINUE:
        return proceed(s, out, "go on");
    case COLLECT_STREAM:
        return append_begin(s, out);
    case COLLECT_DONE:
        return line_done(s, out);
    case COLLECT_REFUSED:
        return literal_refused(s, out);
    case COLLECT_OVERFLOW:
        break;
    }
    return say_bye(s, out, "the command is too long");
}
