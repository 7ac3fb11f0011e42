/* SPDX-License-Identifier: ISC */
/* base/core/msgid.h - the name of one message inside Signpost.
 *
 * Ten bits that count half days, then 118 random bits, printed as 26 characters of lower-case
 * base32 (RFC 4648 alphabet). The first two characters name the folder of the message's
 * file: what comes in together lies together, so a checkpoint has few folders to sync.
 * It is what the log calls mid=, what trace finds, the name of the blob and the
 * idempotence key of a delivery together with the recipient's number. */
#ifndef BASE_CORE_MSGID_H
#define BASE_CORE_MSGID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/rng.h"
#include "base/core/span.h"

#define MSGID_OCTETS 16
#define MSGID_TEXT   26 /* characters, without NUL */

struct msgid {
    uint8_t b[MSGID_OCTETS];
};

/* `now_s` is wall clock time. */
void msgid_new(struct msgid *id, struct rng *rng, int64_t now_s);
bool msgid_eq(const struct msgid *a, const struct msgid *b);
void msgid_print(const struct msgid *id, char text[MSGID_TEXT + 1]);
/* Accepts either letter case; false unless exactly MSGID_TEXT valid characters. */
bool msgid_parse(struct span text, struct msgid *id);

#endif
