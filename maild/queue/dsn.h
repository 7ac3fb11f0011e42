/* SPDX-License-Identifier: ISC */
/* maild/queue/dsn.h - the report a sender gets when a message cannot be delivered.
 *
 * Why:       RFC 3464 lets programs read it; most readers are people who want to know who did
 *            not get it, why, and what they can do now. Both from one struct.
 * Ownership: borrows everything; appends to the caller's buffer.
 * Threads:   values.
 * Pure:      time, ids and names are arguments. */
#ifndef MAILD_QUEUE_DSN_H
#define MAILD_QUEUE_DSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/msgid.h"
#include "base/core/span.h"

#define DSN_STATUS_TEXT 12 /* "5.123.123" and NUL */

struct dsn_rcpt {
    const char *address;  /* where it was going */
    const char *original; /* as the sender wrote it */
    const char *host;     /* who refused it, "" when it was us */
    const char *reason;   /* the reply, or our own words */
    bool is_expired;      /* a temporary failure that lasted too long */
    int64_t last_s;       /* of the last attempt */
};

struct dsn {
    struct msgid id; /* of the report */
    int64_t now_s;
    const char *hostname;    /* who reports */
    const char *from_domain; /* of MAILER-DAEMON@ */
    const char *sender;      /* who gets it */
    int64_t accepted_s;      /* when the message was taken */
    int64_t lifetime_s;      /* how long we tried, for expired ones */
    const struct dsn_rcpt *rcpts;
    size_t n;
    struct span header; /* of the message, returned to its sender */
};

/* The whole report with CRLF line ends. 0, or -1 at the ceiling of `out`. */
MUST_USE int dsn_write(const struct dsn *d, struct buf *out);

/* "5.1.1" out of "550 5.1.1 no such user"; without one in the text, 5.0.0 or 4.0.0 by the
 * reply code, and `fallback` when there is no code either. */
void dsn_status(const char *reason, const char *fallback, char status[DSN_STATUS_TEXT]);

#endif
