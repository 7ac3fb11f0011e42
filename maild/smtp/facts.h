/* SPDX-License-Identifier: ISC */
/* maild/smtp/facts.h - why a message was taken or refused, as JSON text for the trace.
 *
 * Why:       "why was this rejected?" is answered from what was recorded when it was
 *            decided, not from guesses afterwards.
 * Ownership: appends to the caller's buffer.
 * Pure:      no I/O, no clock, no globals.
 *
 * Shape: {"service":"smtp","peer":"192.0.2.1","rdns":"mx.example","rdns_state":"confirmed",
 * "helo":"mx.example","protocol":"ESMTPS","tls":"TLSv1.3 ...","login":"anna@example.com",
 * "size":1234,"decisions":[{"at":"rcpt","subject":"a@b","code":250,"text":"..."}]}.
 * Absent facts are left out. Foreign octets that are not UTF-8 become U+FFFD. */
#ifndef MAILD_SMTP_FACTS_H
#define MAILD_SMTP_FACTS_H

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/span.h"
#include "maild/smtp/session.h"

#define FACTS_MAX           8192 /* octets of the whole text: the ACCEPT message's field */
#define FACTS_DECISIONS_MAX 5120 /* of its list; more decisions are left out */

/* What the driver knows and the machine does not. NULL or "" for unknown. */
struct smtp_peer_facts {
    const char *service;
    const char *peer;
    const char *rdns;
    const char *rdns_state; /* confirmed, mismatch, none, failed, pending */
    const char *tls;
};

/* Append {"at":...} to the list of decisions, with a comma before all but the first. */
void facts_decision(struct buf *decisions, const char *at, const char *subject,
                    unsigned code, const char *text);
/* Append the whole object. 0, or -1 at the ceiling of `out`. */
MUST_USE int facts_print(const struct smtp_session *s, const struct smtp_peer_facts *p,
                         struct buf *out);
/* Append a JSON string, quotes included. */
MUST_USE int facts_string(struct buf *out, struct span text);

#endif
