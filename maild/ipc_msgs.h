/* SPDX-License-Identifier: ISC */
/* maild/ipc_msgs.h - the messages between roles as C: types, structs, encode, decode.
 *
 * Why:       both ends of a channel must agree to the octet, so both are made from the same
 *            two lists, ipc_msgs.def (who says what to whom) and ipc_fields.def (with which
 *            fields), by the preprocessor; there is nothing to keep in step by hand.
 * Ownership: texts and octets of a decoded struct point into the payload; copy what must
 *            live longer than the callback.
 * Pure:      no I/O, no clock, no globals.
 *
 * For every message NAME with tag name there is
 *     IPC_NAME                                              its type
 *     struct m_name { ... }                                 its fields
 *     void m_name_encode(const struct m_name *m, struct wr *w)
 *         sets w->is_bad when a field is longer than its list allows or a text is no text;
 *     bool m_name_decode(struct span payload, struct m_name *m)
 *         true when the payload is exactly this message: every field whole and within its
 *         bounds, texts well-formed UTF-8 without control characters, nothing left over.
 *
 * A new message is a row in each list; the compiler asks for the one that was forgotten. */
#ifndef MAILD_IPC_MSGS_H
#define MAILD_IPC_MSGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/msgid.h"
#include "base/core/span.h"
#include "base/core/wire.h"
#include "base/io/ipc.h"

enum ipc_type {
    IPC_NONE, /* never on a wire */
#define MSG(NAME, FROM, TO, ANSWER, meaning) IPC_##NAME,
#include "maild/ipc_msgs.def"
#undef MSG
    IPC_TYPE_COUNT
};

#define BEGIN(NAME, name) struct m_##name {
#define U8(field)         uint8_t field;
#define U16(field)        uint16_t field;
#define U32(field)        uint32_t field;
#define U64(field)        uint64_t field;
#define ID(field)         struct msgid field;
#define TXT(field, max)   struct span field;
#define OCT(field, max)   struct span field;
#define END(NAME, name)                                                                  \
    }                                                                                    \
    ;                                                                                    \
    void m_##name##_encode(const struct m_##name *m, struct wr *w);                      \
    MUST_USE bool m_##name##_decode(struct span payload, struct m_##name *m);
#include "maild/ipc_fields.def"
#undef BEGIN
#undef U8
#undef U16
#undef U32
#undef U64
#undef ID
#undef TXT
#undef OCT
#undef END

/* Names, directions, answers and lengths of all messages, for ipc_new(). */
extern const struct ipc_table maild_ipc_table;

/* Values of the fields ------------------------------------------------------------------ */

/* AUTH.service, LOGIN.service */
enum auth_service { AUTH_SUBMISSION = 1, AUTH_IMAP = 2, AUTH_POP3 = 3 };

/* `status` wherever a question is answered. */
enum answer {
    ANSWER_YES = 1,
    ANSWER_NO = 2,   /* final */
    ANSWER_LATER = 3 /* could not be found out; ask again */
};

/* RCPT_RESULT.status */
enum rcpt_status {
    RCPT_OK_LOCAL = 1, /* one of our domains; `targets` says where it ends up */
    RCPT_OK_REMOTE,    /* somebody else's, and this login may send there */
    RCPT_UNKNOWN,      /* our domain, no such address: 550 5.1.1 */
    RCPT_RELAY_DENIED, /* not our domain, not logged in: 550 5.7.1 */
    RCPT_FULL,         /* over quota: 452 4.2.2 */
    RCPT_DISABLED,     /* account is closed for now: 550 5.2.1 */
    RCPT_TOO_MANY,     /* the alias grows beyond what one message may have: 550 5.4.6 */
    RCPT_BAD_ADDRESS,  /* not an address: 553 5.1.3 */
    RCPT_TRY_LATER     /* the database is not there: 451 4.3.0 */
};

/* One entry of RCPT_RESULT.targets. */
struct rcpt_target {
    uint8_t kind;        /* enum rcpt_kind of base/msg/envelope.h */
    uint64_t account_id; /* of a local one, else 0 */
    struct span address; /* local@domain, text */
};
void rcpt_target_put(struct wr *w, const struct rcpt_target *t);
/* Next entry; false at the end, and with r->is_bad when malformed. */
bool rcpt_target_next(struct rd *r, struct rcpt_target *t);

/* RELAY_RESULT.results */
enum relay_status {
    RELAY_SENT = 1, /* the peer took responsibility */
    RELAY_LATER,    /* 4yz, no route, no answer: try again */
    RELAY_FAILED    /* 5yz, no such domain, null MX, loop: bounce */
};

/* One entry of RELAY_RESULT.results, in the order of the envelope's recipients. */
struct relay_outcome {
    enum relay_status status;
    struct span reply; /* "250 2.0.0 queued as 77", or our own words; text, one line */
};
void relay_outcome_put(struct wr *w, const struct relay_outcome *o);
bool relay_outcome_next(struct rd *r, struct relay_outcome *o);

/* RESOLVE_RESULT.rcode when there was no answer at all */
#define RESOLVE_NO_ANSWER 255

#endif
