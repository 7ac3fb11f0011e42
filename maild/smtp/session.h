/* SPDX-License-Identifier: ISC */
/* maild/smtp/session.h - the server's side of one SMTP session (RFC 5321, RFC 6409).
 *
 * Why:       what is answered to whom is decided here and nowhere else, on octets and
 *            answers alone; so tests, replays and fuzzers run exactly what the server runs.
 * Ownership: the caller owns the struct: _init, then any calls, then _free. Spans in a step
 *            are borrowed until the next call.
 * Threads:   one owner.
 * Pure:      no I/O, no clock, no globals; `now_ms` is any clock that only moves forward.
 *
 * The driver's part, in a loop: give the octets that wait to smtp_session_step(); drop
 * step.used of them; append step.body to the message; send smtp_session_output(); do
 * step.act. An ask is answered by the function of its name, which returns the next step. A
 * step belongs to the session and is good until the next call.
 *
 * While an answer is due the machine takes no input: half-duplex inside, although clients
 * may pipeline (RFC 2920), as what they sent early simply waits. */
#ifndef MAILD_SMTP_SESSION_H
#define MAILD_SMTP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/arena.h"
#include "base/core/buf.h"
#include "base/core/span.h"
#include "base/msg/envelope.h"
#include "maild/smtp/data.h"
#include "maild/smtp/reply.h"
#include "maild/smtp/sasl.h"

#define SMTP_ADDRESS_MAX 512           /* octets of an address as text, with NUL */
#define SMTP_HEAD_MAX    (64u * 1024u) /* of a header we look into */
#define SMTP_FEED_MAX    (32u * 1024u) /* octets of a message taken in one step */

/* What is the same for all sessions of a listener. Texts outlive the sessions. */
struct smtp_policy {
    const char *hostname;
    bool is_submission; /* AUTH required, nothing without it */
    bool has_tls;       /* STARTTLS can be offered */
    bool allow_cleartext_auth;
    uint64_t size_max; /* octets of one message */
    size_t recipients_max;
    size_t hops_max;          /* Received fields */
    size_t errors_max;        /* 5xx replies until a message was accepted */
    size_t auth_failures_max; /* the last of them is answered 421 */
    size_t commands_max;      /* until a message was accepted */
    size_t messages_max;      /* in one session */
    size_t errors_free; /* without a rest after each, until a message was accepted */
    int64_t error_rest_ms;
    size_t commands_free; /* likewise for commands that led to no message yet */
    int64_t command_rest_ms;
    int64_t idle_ms;  /* for one command, or for 4 KiB of a message */
    int64_t total_ms; /* for the session */
};

enum smtp_act {
    SMTP_ACT_NONE,       /* go on with what input is left */
    SMTP_ACT_MORE,       /* go on when more input has come */
    SMTP_ACT_ASK_RCPT,   /* may mail to s->ask come in? smtp_session_rcpt() */
    SMTP_ACT_ASK_AUTH,   /* s->sasl.login and .password: smtp_session_auth() */
    SMTP_ACT_ASK_SENDER, /* may s->account use s->ask? smtp_session_sender() */
    SMTP_ACT_START_TLS,  /* send the output in clear, handshake: smtp_session_tls() */
    SMTP_ACT_ACCEPT,     /* the message is whole: smtp_session_accepted() */
    SMTP_ACT_DROP,       /* the message was refused: forget its octets, then go on */
    SMTP_ACT_CLOSE       /* send the output, then close; forget the message if any */
};

/* A refusal worth remembering (VERDICT to the queue role). */
struct smtp_verdict {
    bool is_set;
    char sender[SMTP_ADDRESS_MAX];
    char rcpt[SMTP_ADDRESS_MAX]; /* "" when not about one recipient */
    char reply[512];             /* as the client was told, without CRLF */
};

struct smtp_step {
    size_t used;      /* octets to drop from the front of the input */
    struct span body; /* octets of the message to keep; may be empty */
    enum smtp_act act;
    struct smtp_verdict verdict;
};

enum smtp_phase {
    SMTP_PH_GREET = 1, /* not greeted yet: a client that speaks now is no mail server */
    SMTP_PH_HELO = 2,  /* greeted, no HELO or EHLO yet */
    SMTP_PH_READY = 4,
    SMTP_PH_MAIL = 8,  /* sender given */
    SMTP_PH_RCPT = 16, /* at least one recipient accepted */
    SMTP_PH_AUTH = 32, /* lines belong to the SASL exchange */
    SMTP_PH_DATA = 64, /* octets belong to the message */
    SMTP_PH_CLOSED = 128
};

struct smtp_session {
    const struct smtp_policy *policy;
    enum smtp_phase phase;
    enum smtp_waiting {
        SMTP_WAIT_NOTHING,
        SMTP_WAIT_TLS,
        SMTP_WAIT_AUTH,
        SMTP_WAIT_SENDER, /* of MAIL FROM */
        SMTP_WAIT_FROM,   /* of the From field */
        SMTP_WAIT_RCPT,
        SMTP_WAIT_ACCEPT
    } waiting;
    int64_t deadline_ms; /* idle */
    int64_t end_ms;      /* total */
    bool is_stopping;    /* say 421 after the answer that is due */
    bool reset_due;   /* the transaction is over; its fields last until the next call */
    bool is_skipping; /* in an overlong command line, up to its CRLF */
    bool skip_cr;     /* the last octet skipped was CR */
    size_t skipped;

    /* facts of the session */
    bool is_tls, is_esmtp;
    char helo[256];
    uint64_t account; /* who logged in, 0 for nobody */
    char login[SASL_LOGIN_MAX + 1];
    struct sasl sasl;
    size_t errors, auth_failures, commands, messages;
    size_t rested_errors, rested_commands; /* for which smtp_session_rest() was asked */

    /* the transaction */
    char sender[SMTP_ADDRESS_MAX];
    bool declared_8bit;
    size_t tried;        /* RCPT commands, refused ones too */
    size_t given;        /* RCPT commands accepted */
    struct arena *arena; /* texts of rcpts */
    struct envelope_rcpt *rcpts;
    size_t n_rcpts, cap_rcpts, rcpt_octets;
    struct smtp_data data;
    uint64_t data_mark; /* octets since the idle time was last renewed */
    struct buf chunk;   /* the body of one step */
    struct buf head;    /* header of the message, as far as it fits */
    bool head_done;     /* its empty line was seen */
    size_t from_next;   /* which address of From is asked about next */

    char ask[SMTP_ADDRESS_MAX];
    struct buf out;
    struct buf decisions;  /* JSON objects separated by commas (maild/smtp/facts.h) */
    struct smtp_step step; /* what the last call came to */
};

enum smtp_rcpt_verdict {
    SMTP_RCPT_YES,
    SMTP_RCPT_UNKNOWN,  /* our domain, nobody there */
    SMTP_RCPT_NOT_OURS, /* not our domain, and the client is a stranger */
    SMTP_RCPT_DISABLED,
    SMTP_RCPT_QUOTA,
    SMTP_RCPT_TOO_MANY, /* the alias leads to more recipients than a message may have */
    SMTP_RCPT_BAD,      /* the directory takes it for no address */
    SMTP_RCPT_LATER
};
enum smtp_answer { SMTP_YES, SMTP_NO, SMTP_LATER };

/* `is_tls`: the handshake comes before the greeting (port 465). */
void smtp_session_init(struct smtp_session *s, const struct smtp_policy *p, bool is_tls,
                       int64_t now_ms);
void smtp_session_free(struct smtp_session *s);

/* Send the greeting; with `has_input` the client spoke before it and is sent away. */
const struct smtp_step *smtp_session_greet(struct smtp_session *s, bool has_input,
                                           int64_t now_ms);
/* Take one command, or a piece of the message, from the front of `in`. */
const struct smtp_step *smtp_session_step(struct smtp_session *s, struct span in,
                                          int64_t now_ms);

const struct smtp_step *smtp_session_rcpt(struct smtp_session *s,
                                          enum smtp_rcpt_verdict v,
                                          const struct envelope_rcpt *targets, size_t n,
                                          int64_t now_ms);
/* `login`: the account's canonical name. */
const struct smtp_step *smtp_session_auth(struct smtp_session *s, enum smtp_answer a,
                                          uint64_t account, const char *login,
                                          int64_t now_ms);
const struct smtp_step *smtp_session_sender(struct smtp_session *s, enum smtp_answer a,
                                            int64_t now_ms);
/* `code` and `text` (with its enhanced status code) go to the client as they are; 250
 * means that we are responsible from now on. */
const struct smtp_step *smtp_session_accepted(struct smtp_session *s, unsigned code,
                                              const char *text, int64_t now_ms);
/* The handshake is done: everything the client said before is forgotten (RFC 3207 4.2). */
const struct smtp_step *smtp_session_tls(struct smtp_session *s, int64_t now_ms);
/* The deadline has passed, or the server stops: 421, unless there is nothing to say. */
const struct smtp_step *smtp_session_timeout(struct smtp_session *s, int64_t now_ms);
const struct smtp_step *smtp_session_stop(struct smtp_session *s);

/* Milliseconds to wait before the next command is looked at; ask before each. 0 for all who
 * behave; each rest is given out once. Who only makes errors, or sends commands without end and
 * no message, gets our time in small pieces, so that others keep theirs. */
int64_t smtp_session_rest(struct smtp_session *s);
/* When to call smtp_session_timeout(), on the clock of `now_ms`. */
int64_t smtp_session_deadline(const struct smtp_session *s);
/* Replies due; the driver sends and forgets them. */
struct span smtp_session_output(const struct smtp_session *s);
void smtp_session_sent(struct smtp_session *s);
/* True when the body was announced as, or has, 8-bit octets. */
bool smtp_session_is_8bit(const struct smtp_session *s);
/* "ESMTP", "ESMTPS", "ESMTPSA"...: RFC 3848. */
const char *smtp_session_protocol(const struct smtp_session *s);

#endif
