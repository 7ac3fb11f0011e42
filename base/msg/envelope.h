/* SPDX-License-Identifier: ISC */
/* base/msg/envelope.h - who a message is from and for (RFC 5321 2.3.1), as a value.
 *
 * Why:       the same envelope travels from edge to queue, stands in the journal, leads the
 *            blob and goes to relay; one codec serves all four.
 * Ownership: built in an arena; texts are NUL-terminated UTF-8 without control characters.
 * Pure:      no I/O, no clock, no globals. */
#ifndef BASE_MSG_ENVELOPE_H
#define BASE_MSG_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/msgid.h"
#include "base/core/wire.h"

#define ENVELOPE_OCTETS_MAX (64u * 1024u) /* encoded */
#define ENVELOPE_RCPTS_MAX  1000

enum envelope_via { VIA_SMTP = 1, VIA_SUBMISSION = 2, VIA_BOUNCE = 3, VIA_LOCAL = 4 };

enum rcpt_kind {
    RCPT_LOCAL = 1,  /* to a mailbox here: account_id is set */
    RCPT_REMOTE = 2, /* to be relayed to the domain of `address` */
};

struct envelope_rcpt {
    enum rcpt_kind kind;
    uint64_t account_id;  /* RCPT_LOCAL */
    const char *address;  /* where it goes after alias expansion: local@domain */
    const char *original; /* as given in RCPT TO, for Delivered-To, reports, trace */
};

struct envelope {
    struct msgid id;
    enum envelope_via via;
    int64_t accepted_s; /* wall clock */
    const char *sender; /* reverse-path without <>, "" for the null reverse-path */
    const char *peer;   /* address of the client, "" when local */
    const char *helo;
    uint64_t login_account; /* submission: who logged in, else 0 */
    bool is_8bit;           /* BODY=8BITMIME was given or the body has octets over 127 */
    size_t n;
    struct envelope_rcpt *rcpts;
};

void envelope_encode(const struct envelope *e, struct wr *w);
/* False on any malformed field. Texts and recipients are made in `a`. */
MUST_USE bool envelope_decode(struct rd *r, struct arena *a, struct envelope *e);

#endif
