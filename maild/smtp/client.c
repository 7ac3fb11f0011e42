/* SPDX-License-Identifier: ISC */
/* maild/smtp/client.c - GREETING -> EHLO [-> HELO] [-> STARTTLS -> HANDSHAKE -> EHLO]
 * -> ENVELOPE -> BODY -> DOT -> DONE.
 *
 * 1. A recipient's result is written once, by decide(); the first word about it stands.
 * 2. In ENVELOPE, commands are numbered: 0 MAIL, 1..n RCPT, n+1 DATA. `asked` and `answered`
 *    count them, so a reply is matched by its number and pipelining is only the question how
 *    far `asked` may run ahead. DATA ends a group (RFC 2920 3.1).
 * 3. Which results "try later" and which "failed" follows the first digit (RFC 5321 4.2.1),
 *    with the exceptions named where they are made.
 * 4. 421 means that the host closes (RFC 5321 3.8): everything undecided is put off.
 * 5. After the final dot the peer may or may not have the message: no other host is tried.
 *
 * Over 500 lines because it is one state machine; replies are taken apart in replyparse.c. */
#include "maild/smtp/client.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "maild/smtp/replyparse.h"

enum { WINDOW = 100 /* pipelined commands without an answer */ };

void smtp_client_init(struct smtp_client *c, const struct smtp_client_job *job)
{
    memset(c, 0, sizeof(*c));
    c->job = job;
    c->results = mem_new(job->n > 0 ? job->n : 1, sizeof(*c->results));
    buf_init(&c->out, SMTP_CLIENT_OUT_MAX);
    c->stage = STAGE_GREETING;
}

void smtp_client_free(struct smtp_client *c)
{
    for (size_t i = 0; i < c->job->n; i++)
        free(c->results[i].text);
    free(c->results);
    c->results = NULL;
    buf_free(&c->out);
}

/* ---- results ---- */

static void decide(struct smtp_client *c, size_t i, enum smtp_client_outcome o,
                   struct span text)
{
    struct smtp_client_result *r = &c->results[i];

    if (r->outcome != OUTCOME_NONE)
        return;
    r->outcome = o;
    r->text = span_dup(text);
}

static void decide_all(struct smtp_client *c, enum smtp_client_outcome o,
                       const char *text)
{
    for (size_t i = 0; i < c->job->n; i++)
        decide(c, i, o, span_str(text));
}

static enum smtp_client_outcome by_code(const struct smtp_peer_reply *r)
{
    return r->code >= 500 ? OUTCOME_FAILED : OUTCOME_LATER;
}

/* The reply as one line, on the heap. */
static char *reply_text(const struct smtp_peer_reply *r)
{
    struct buf b;
    char *text;

    buf_init(&b, SMTP_CLIENT_REPLY_MAX + 1);
    replyparse_print(r, SMTP_CLIENT_REPLY_MAX, &b);
    text = mem_strdup(buf_cstr(&b));
    buf_free(&b);
    return text;
}

static void decide_all_by(struct smtp_client *c, enum smtp_client_outcome o,
                          const struct smtp_peer_reply *r)
{
    char *text = reply_text(r);

    decide_all(c, o, text);
    free(text);
}

/* ---- commands ---- */

static void put(struct smtp_client *c, const char *a, const char *b, const char *end)
{
    /* Each command is bounded by its parts (host name 255, address 512) and fill() looks at
     * the room before. */
    if (buf_str(&c->out, a) == -1 || buf_str(&c->out, b) == -1 ||
        buf_str(&c->out, end) == -1)
        assert(!"room was checked");
}

static enum smtp_client_want done(struct smtp_client *c)
{
    c->stage = STAGE_DONE;
    return CLIENT_DONE;
}

/* In good order: the peer hears QUIT. */
static enum smtp_client_want quit(struct smtp_client *c)
{
    put(c, "QUIT", "", "\r\n");
    return done(c);
}

static enum smtp_client_want say_hello(struct smtp_client *c, enum smtp_client_stage how)
{
    c->stage = how;
    put(c, how == STAGE_EHLO ? "EHLO " : "HELO ", c->job->helo, "\r\n");
    return CLIENT_MORE;
}

static void put_mail(struct smtp_client *c)
{
    put(c, "MAIL FROM:<", c->job->sender, ">");
    if (c->has_size &&
        buf_printf(&c->out, " SIZE=%llu", (unsigned long long)c->job->size) == -1)
        assert(!"room was checked");
    if (c->has_8bit && c->job->is_8bit)
        put(c, " BODY=8BITMIME", "", "");
    put(c, "\r\n", "", "");
}

/* Next recipient to be named, from `i` on: those already decided are not. */
static bool is_undecided(const struct smtp_client *c, size_t i)
{
    return c->results[i].outcome == OUTCOME_NONE;
}

/* Send what may be sent now. Returns done when nothing is left to ask. */
static enum smtp_client_want fill(struct smtp_client *c)
{
    size_t n = c->job->n;

    while (c->asked <= n + 1 && c->out.len < SMTP_CLIENT_OUT_MAX / 2) {
        if (c->asked != c->answered && !c->has_pipelining)
            return CLIENT_MORE;
        if (c->asked - c->answered >= WINDOW)
            return CLIENT_MORE;
        if (c->asked == 0) {
            put_mail(c);
        } else if (c->asked <= n) {
            /* An address that cannot be named is decided beforehand: skip its number when
             * nothing is outstanding, so that numbers and answers stay in step. */
            if (!is_undecided(c, c->asked - 1)) {
                if (c->asked != c->answered)
                    return CLIENT_MORE;
                c->answered++;
            } else {
                put(c, "RCPT TO:<", c->job->rcpts[c->asked - 1], ">\r\n");
            }
        } else {
            if (c->asked == c->answered && c->accepted == 0)
                return quit(c); /* nobody to send it to */
            put(c, "DATA", "", "\r\n");
        }
        c->asked++;
    }
    return CLIENT_MORE;
}

/* RFC 5321 4.1.2: an address that would break the command line, or needs SMTPUTF8. */
static bool can_be_named(const char *address)
{
    size_t n = strlen(address);

    if (n > 320)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned char o = (unsigned char)address[i];

        if (o < ' ' || o > '~' || o == '<' || o == '>')
            return false;
    }
    return true;
}

static enum smtp_client_want begin_envelope(struct smtp_client *c)
{
    const struct smtp_client_job *j = c->job;

    if (j->is_8bit && !c->has_8bit)
        decide_all(
            c, OUTCOME_FAILED,
            "554 5.6.3 the message has 8-bit octets and this host takes only 7-bit "
            "mail (no 8BITMIME)");
    if (c->size_max > 0 && j->size > c->size_max)
        decide_all(c, OUTCOME_FAILED,
                   "552 5.3.4 the message is larger than this host takes");
    if (!can_be_named(j->sender))
        decide_all(c, OUTCOME_FAILED,
                   "553 5.6.7 the sender's address cannot be sent to this host");
    for (size_t i = 0; i < j->n; i++)
        if (!can_be_named(j->rcpts[i]))
            decide(c, i, OUTCOME_FAILED,
                   SPAN_LIT("553 5.6.7 this address cannot be sent to this host"));
    c->has_begun = true;
    for (size_t i = 0; i < j->n; i++) {
        if (is_undecided(c, i)) {
            c->stage = STAGE_ENVELOPE;
            c->has_begun = false;
            return fill(c);
        }
    }
    return quit(c);
}

/* ---- replies ---- */

/* One line of the EHLO reply (RFC 5321 4.1.1.1). */
static void take_keyword(struct smtp_client *c, struct span line)
{
    struct span word;
    uint64_t max = 0;

    if (!span_word(&line, &word))
        return;
    if (span_eq_str_nocase(word, "STARTTLS"))
        c->has_starttls = true;
    else if (span_eq_str_nocase(word, "PIPELINING"))
        c->has_pipelining = true;
    else if (span_eq_str_nocase(word, "8BITMIME"))
        c->has_8bit = true;
    else if (span_eq_str_nocase(word, "SIZE")) {
        c->has_size = true;
        if (span_word(&line, &word) && span_to_u64(word, UINT64_MAX, &max))
            c->size_max = max;
    }
}

static void take_keywords(struct smtp_client *c, const struct smtp_peer_reply *r)
{
    struct span lines = r->lines, line;
    bool is_first = true;

    c->has_starttls = c->has_pipelining = c->has_8bit = c->has_size = false;
    c->size_max = 0;
    while (replyparse_line(&lines, &line)) {
        if (!is_first) /* the first names the host */
            take_keyword(c, line);
        is_first = false;
    }
}

static enum smtp_client_want on_greeting(struct smtp_client *c,
                                         const struct smtp_peer_reply *r)
{
    if (r->code == 220)
        return say_hello(c, STAGE_EHLO);
    /* 4yz: not now. 5yz (554, RFC 7504's 521): no mail service here, ever. */
    decide_all_by(c, by_code(r), r);
    return quit(c);
}

static enum smtp_client_want on_ehlo(struct smtp_client *c,
                                     const struct smtp_peer_reply *r)
{
    if (r->code / 100 == 2) {
        take_keywords(c, r);
        if (c->has_starttls && c->job->may_tls && !c->is_tls) {
            c->stage = STAGE_STARTTLS;
            put(c, "STARTTLS", "", "\r\n");
            return CLIENT_MORE;
        }
        return begin_envelope(c);
    }
    if (r->code >= 500 && !c->is_tls) /* RFC 5321 3.2: an old server */
        return say_hello(c, STAGE_HELO);
    decide_all_by(c, by_code(r), r);
    return quit(c);
}

static enum smtp_client_want on_helo(struct smtp_client *c,
                                     const struct smtp_peer_reply *r)
{
    if (r->code / 100 == 2)
        return begin_envelope(c);
    decide_all_by(c, by_code(r), r);
    return quit(c);
}

static enum smtp_client_want on_starttls(struct smtp_client *c,
                                         const struct smtp_peer_reply *r)
{
    if (r->code == 220) {
        c->stage = STAGE_HANDSHAKE;
        return CLIENT_TLS;
    }
    /* Offered, then refused: TLS here is opportunistic (RFC 7435), go on without. */
    return begin_envelope(c);
}

enum smtp_client_want smtp_client_tls(struct smtp_client *c)
{
    assert(c->stage == STAGE_HANDSHAKE);
    c->is_tls = true;
    return say_hello(c, STAGE_EHLO); /* RFC 3207 4.2: what was said before is forgotten */
}

static void on_rcpt(struct smtp_client *c, size_t i, const struct smtp_peer_reply *r)
{
    enum smtp_client_outcome o = by_code(r);
    char *text;

    if (r->code / 100 == 2) {
        c->accepted++;
        return;
    }
    /* RFC 5321 4.5.3.1.10: 552 from old servers means "too many recipients", unless the
     * enhanced code says that it is about the mailbox. */
    if (r->code == 552 && (r->status.n == 0 || span_eq_str(r->status, "5.5.3")))
        o = OUTCOME_LATER;
    text = reply_text(r);
    decide(c, i, o, span_str(text));
    free(text);
}

static enum smtp_client_want on_data(struct smtp_client *c,
                                     const struct smtp_peer_reply *r)
{
    if (r->code == 354) {
        if (c->accepted > 0) {
            c->stage = STAGE_BODY;
            c->last[0] = '\r'; /* the message begins at the start of a line */
            c->last[1] = '\n';
            return CLIENT_BODY;
        }
        /* RFC 2920 3.1: DATA went out before all recipients were refused, and this server
         * wants a message all the same: an empty one, for nobody. */
        c->stage = STAGE_DOT;
        put(c, ".", "", "\r\n");
        return CLIENT_MORE;
    }
    /* 2yz and 3yz make no sense here: the message is not sent, so it is for later. */
    decide_all_by(c, by_code(r), r);
    return quit(c);
}

static enum smtp_client_want on_envelope(struct smtp_client *c,
                                         const struct smtp_peer_reply *r)
{
    size_t which = c->answered++;

    c->has_begun = true;
    if (which == 0) {
        c->is_mail_ok = r->code / 100 == 2;
        if (!c->is_mail_ok)
            decide_all_by(c, by_code(r), r);
        if (!c->is_mail_ok && c->asked == c->answered)
            return quit(c);
    } else if (which <= c->job->n) {
        if (c->is_mail_ok)
            on_rcpt(c, which - 1, r);
    } else {
        return on_data(c, r);
    }
    return fill(c);
}

static enum smtp_client_want on_dot(struct smtp_client *c,
                                    const struct smtp_peer_reply *r)
{
    decide_all_by(c, r->code / 100 == 2 ? OUTCOME_SENT : by_code(r), r);
    return quit(c);
}

static enum smtp_client_want on_reply(struct smtp_client *c,
                                      const struct smtp_peer_reply *r)
{
    if (r->code == 421 && c->stage != STAGE_GREETING) {
        decide_all_by(c, OUTCOME_LATER, r);
        return done(c);
    }
    switch (c->stage) {
    case STAGE_GREETING:
        return on_greeting(c, r);
    case STAGE_EHLO:
        return on_ehlo(c, r);
    case STAGE_HELO:
        return on_helo(c, r);
    case STAGE_STARTTLS:
        return on_starttls(c, r);
    case STAGE_ENVELOPE:
        return on_envelope(c, r);
    case STAGE_DOT:
        return on_dot(c, r);
    case STAGE_BODY:
        /* It has heard enough. Nothing can be said before the end of the message, so the
         * connection is closed without QUIT. */
        decide_all_by(c, by_code(r), r);
        return done(c);
    case STAGE_HANDSHAKE:
    case STAGE_DONE:
        break;
    }
    return CLIENT_DONE;
}

enum smtp_client_want smtp_client_input(struct smtp_client *c, struct span in,
                                        size_t *used)
{
    enum smtp_client_want want = c->stage == STAGE_DONE ? CLIENT_DONE : CLIENT_MORE;

    *used = 0;
    while (want == CLIENT_MORE) {
        struct smtp_peer_reply r;
        size_t n;

        switch (replyparse_next(span_drop(in, *used), &r, &n)) {
        case REPLYPARSE_MORE:
            return CLIENT_MORE;
        case REPLYPARSE_OK:
            *used += n;
            want = on_reply(c, &r);
            break;
        case REPLYPARSE_BAD:
            decide_all(c, OUTCOME_LATER, "451 4.5.0 the host does not speak SMTP");
            return done(c);
        case REPLYPARSE_TOO_LONG:
            decide_all(c, OUTCOME_LATER, "451 4.5.0 the host sent a reply without end");
            return done(c);
        }
    }
    return want;
}

/* ---- the message ---- */

/* Dots are stuffed (RFC 5321 4.5.2). Everything we store has CRLF lines; should a bare CR or
 * LF ever stand in it, it leaves as CRLF: what a peer might take for a line end must be one,
 * or it could see the end of the message where we do not (SMTP smuggling). */
int smtp_client_body(struct smtp_client *c, struct span piece)
{
    uint8_t last = c->last[1], before = c->last[0];

    assert(c->stage == STAGE_BODY);
    if (buf_reserve(&c->out, piece.n * 3 + 2) == -1)
        return -1;
    for (size_t i = 0; i < piece.n; i++) {
        uint8_t o = piece.p[i];
        uint8_t *to = c->out.data;

        if (last == '\r' && o != '\n') {
            to[c->out.len++] = '\n';
            before = '\r';
            last = '\n';
        }
        if (o == '\n' && last != '\r') {
            to[c->out.len++] = '\r';
            last = '\r';
        }
        if (o == '.' && last == '\n' && before == '\r')
            to[c->out.len++] = '.';
        to[c->out.len++] = o;
        before = last;
        last = o;
    }
    c->last[0] = before;
    c->last[1] = last;
    return 0;
}

enum smtp_client_want smtp_client_body_end(struct smtp_client *c)
{
    if (c->stage != STAGE_BODY)
        return c->stage == STAGE_DONE ? CLIENT_DONE : CLIENT_MORE;
    if (c->last[1] == '\r')
        put(c, "\n", "", "");
    else if (c->last[1] != '\n')
        put(c, "\r\n", "", "");
    put(c, ".", "", "\r\n");
    c->stage = STAGE_DOT;
    return CLIENT_MORE;
}

/* ---- faults ---- */

void smtp_client_lost(struct smtp_client *c, const char *why)
{
    struct buf b;

    buf_init(&b, SMTP_CLIENT_REPLY_MAX);
    if (buf_printf(&b, "451 4.4.2 %.200s while %s", why, smtp_client_doing(c)) == 0)
        decide_all(c, OUTCOME_LATER, buf_cstr(&b));
    buf_free(&b);
    c->stage = STAGE_DONE;
}

void smtp_client_give_up(struct smtp_client *c, const char *text)
{
    decide_all(c, OUTCOME_LATER, text);
    c->stage = STAGE_DONE;
}

bool smtp_client_may_try_next(const struct smtp_client *c)
{
    return !c->has_begun;
}

int64_t smtp_client_timeout_ms(const struct smtp_client *c)
{
    switch (c->stage) {
    case STAGE_ENVELOPE:
        /* 4.5.3.2.2-4: MAIL and RCPT 5 minutes, DATA 2 */
        return c->answered == c->job->n + 1 ? 2 * 60000 : 5 * 60000;
    case STAGE_BODY:
        return 3 * 60000; /* 4.5.3.2.5, each block */
    case STAGE_DOT:
        return 10 * 60000; /* 4.5.3.2.6 */
    case STAGE_HANDSHAKE:
        return 60000;
    case STAGE_GREETING: /* 4.5.3.2.1 */
    case STAGE_EHLO:
    case STAGE_HELO:
    case STAGE_STARTTLS:
    case STAGE_DONE:
        break;
    }
    return 5 * 60000;
}

const char *smtp_client_doing(const struct smtp_client *c)
{
    switch (c->stage) {
    case STAGE_GREETING:
        return "waiting for the greeting";
    case STAGE_EHLO:
        return "waiting for the answer to EHLO";
    case STAGE_HELO:
        return "waiting for the answer to HELO";
    case STAGE_STARTTLS:
        return "waiting for the answer to STARTTLS";
    case STAGE_HANDSHAKE:
        return "starting TLS";
    case STAGE_ENVELOPE:
        if (c->answered == 0)
            return "waiting for the answer to MAIL";
        return c->answered <= c->job->n ? "waiting for the answer to RCPT"
                                        : "waiting for the answer to DATA";
    case STAGE_BODY:
        return "sending the message";
    case STAGE_DOT:
        return "waiting for the answer to the message";
    case STAGE_DONE:
        break;
    }
    return "closing";
}
