/* SPDX-License-Identifier: ISC */
/* maild/smtp/client.h - the sending side of SMTP as a machine: one message to one host.
 *
 * Why:       who was told what, and whose fault it was, is decided here from the peer's
 *            replies alone, so every failure at every step is tested with strings.
 * Ownership: the caller owns the struct; the job's texts are borrowed while it lives.
 * Pure:      no I/O, no clock, no globals.
 *
 * Use: feed what comes in to smtp_client_input() and do what it wants; send what stands in
 * `out` (and drop it) after every call. RFC 5321, RFC 2920 (PIPELINING), RFC 1870 (SIZE),
 * RFC 6152 (8BITMIME), RFC 3207 (STARTTLS). */
#ifndef MAILD_SMTP_CLIENT_H
#define MAILD_SMTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/span.h"

#define SMTP_CLIENT_OUT_MAX (192u * 1024u)
#define SMTP_CLIENT_PIECE_MAX                                                            \
    (48u * 1024u)                 /* of the message; stuffed it is 3 times that */
#define SMTP_CLIENT_REPLY_MAX 480 /* octets of a reply that are kept */

enum smtp_client_want {
    CLIENT_MORE, /* send `out`, give more input */
    CLIENT_TLS, /* send `out`, throw away other input, start TLS, then smtp_client_tls() */
    CLIENT_BODY, /* give the message with smtp_client_body(), then smtp_client_body_end() */
    CLIENT_DONE, /* send `out` (a QUIT, if it is still of use) and close; results stand */
};

enum smtp_client_outcome {
    OUTCOME_NONE, /* not decided yet */
    OUTCOME_SENT,
    OUTCOME_LATER,
    OUTCOME_FAILED,
};

struct smtp_client_result {
    enum smtp_client_outcome outcome;
    char *text; /* "550 5.1.1 no such user": the peer's words or ours, one line */
};

struct smtp_client_job {
    const char *helo; /* our host name */
    bool may_tls;     /* use STARTTLS when offered */
    const char *sender;
    const char *const *rcpts;
    size_t n;
    uint64_t size; /* octets of the message */
    bool is_8bit;  /* it has octets over 127 */
};

enum smtp_client_stage {
    STAGE_GREETING,
    STAGE_EHLO,
    STAGE_HELO,
    STAGE_STARTTLS,
    STAGE_HANDSHAKE,
    STAGE_ENVELOPE, /* MAIL, RCPT ..., DATA */
    STAGE_BODY,
    STAGE_DOT, /* the message is out, its reply is awaited */
    STAGE_DONE,
};

struct smtp_client {
    const struct smtp_client_job *job;
    struct smtp_client_result *results; /* one for each recipient */
    struct buf out;
    enum smtp_client_stage stage;
    bool is_tls, has_starttls, has_pipelining, has_8bit, has_size;
    uint64_t size_max;      /* SIZE of the peer, 0: none said */
    size_t asked, answered; /* 0 MAIL, 1..n RCPT, n+1 DATA */
    bool is_mail_ok;
    size_t accepted; /* recipients the peer took at RCPT */
    bool has_begun;  /* the peer has answered about a recipient or the sender */
    uint8_t last[2]; /* octets before the next one of the body */
};

void smtp_client_init(struct smtp_client *c, const struct smtp_client_job *job);
void smtp_client_free(struct smtp_client *c);

/* Take replies from the front of `in`; *used octets are to be dropped. */
enum smtp_client_want smtp_client_input(struct smtp_client *c, struct span in,
                                        size_t *used);
/* The handshake is done; go on in TLS. */
enum smtp_client_want smtp_client_tls(struct smtp_client *c);
/* A piece of the message (CRLF lines, at most SMTP_CLIENT_PIECE_MAX) into `out`, dots
 * stuffed. 0, or -1 when `out` has no room: send some, then give the same piece again. */
MUST_USE int smtp_client_body(struct smtp_client *c, struct span piece);
enum smtp_client_want smtp_client_body_end(struct smtp_client *c);
/* The connection ended or took too long. Everything undecided is put off; `why` is a line for
 * people: "connection lost". */
void smtp_client_lost(struct smtp_client *c, const char *why);
/* We cannot go on (our own file fails): put off, with this reply text. */
void smtp_client_give_up(struct smtp_client *c, const char *text);

/* True when this host did not get as far as a word about the sender or a recipient: another
 * host of the domain is then to be tried (RFC 5321 5.1). */
bool smtp_client_may_try_next(const struct smtp_client *c);
/* How long the peer may take at this point (RFC 5321 4.5.3.2). */
int64_t smtp_client_timeout_ms(const struct smtp_client *c);
/* "waiting for the greeting", ...: the end of "connection lost while ". */
const char *smtp_client_doing(const struct smtp_client *c);

#endif
