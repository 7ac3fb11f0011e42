/* SPDX-License-Identifier: ISC */
/* maild/imap/session.h - the IMAP session machine: octets in, one thing to do at a time out.
 *
 * Why:       the same machine runs in edge (until login), in the mailbox role (after it), in
 *            the tests and in the fuzzers. It knows the grammar, the states and the limits;
 *            it knows no socket and no store.
 * Ownership: the caller owns the struct; cmd and everything it points to live until
 *            imap_session_done().
 * Threads:   one owner.
 * Pure:      no I/O, no clock, no globals.
 *
 * One command at a time: after IMAP_DO_RUN the driver executes the command, writes its
 * responses, calls imap_session_done() and feeds on. Pipelined input simply waits. */
#ifndef MAILD_IMAP_SESSION_H
#define MAILD_IMAP_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/arena.h"
#include "base/core/buf.h"
#include "base/core/span.h"
#include "maild/imap/cmd.h"
#include "maild/imap/collect.h"
#include "maild/imap/parse.h"

#define IMAP_PASSWORD_MAX 1024

enum imap_do {
    IMAP_DO_MORE,     /* nothing; feed more octets */
    IMAP_DO_RUN,      /* execute s->cmd, then imap_session_done() */
    IMAP_DO_IDLE_END, /* the client ended IDLE: answer s->cmd.tag, imap_session_done() */
    IMAP_DO_APPEND,   /* a message begins: s->append. Its octets follow */
    IMAP_DO_OCTETS,   /* s->octets belong to that message; s->is_last: it is complete */
    IMAP_DO_APPEND_END, /* forget the messages of this APPEND; it was answered already */
    IMAP_DO_STARTTLS,   /* answered OK: begin the handshake */
    IMAP_DO_CLOSE,      /* the last words are in `out`: send them and close */
};

struct imap_session_config {
    const char *capabilities; /* words behind "CAPABILITY " */
    uint64_t append_max;      /* octets of one message */
    unsigned bad_max;         /* BADs in a row before the session is closed */
    bool is_login_allowed;    /* else PRIVACYREQUIRED: no TLS yet */
    bool is_starttls_offered;
};

struct imap_session {
    struct imap_session_config cfg;
    enum imap_state state; /* set by the driver: imap_session_set_state() */
    struct imap_cmd cmd;
    const struct imap_verb *verb;
    struct imap_append append;
    struct span octets;
    bool is_last;

    /* inside */
    enum imap_phase {
        IMAP_PHASE_COMMAND,
        IMAP_PHASE_BUSY,
        IMAP_PHASE_IDLE,
        IMAP_PHASE_SASL,
        IMAP_PHASE_OCTETS,
        IMAP_PHASE_CLOSED,
    } phase;
    struct collect collect;
    struct arena *arena;
    unsigned bad_count;
    uint64_t append_left;
    size_t append_n;            /* messages of this APPEND begun */
    const char *append_refusal; /* their octets are thrown away; this is the answer */
    struct buf secret;          /* decoded SASL response */
};

/* `cfg` is copied; its texts must outlive the session. */
void imap_session_init(struct imap_session *s, const struct imap_session_config *cfg,
                       enum imap_state state);
void imap_session_free(struct imap_session *s);
/* Take octets from the front of `in`, *used of them; replies of the machine's own go to
 * `out`. Call again with the rest until *used is 0 and the result is IMAP_DO_MORE. */
enum imap_do imap_session_input(struct imap_session *s, struct span in, size_t *used,
                                struct buf *out);
/* The command has been answered. */
void imap_session_done(struct imap_session *s);
void imap_session_set_state(struct imap_session *s, enum imap_state state);
/* True while the driver executes a command: do not feed. */
bool imap_session_is_busy(const struct imap_session *s);
bool imap_session_is_idle(const struct imap_session *s);

#endif
