/* SPDX-License-Identifier: ISC */
/* base/core/msgid.h - the name of one message inside Signpost.
 *
 * Ten bits that count half days, 26 that count milliseconds in them, then 92 random bits,
 * printed as 26 characters of lower-case base32 (RFC 4648 alphabet). What comes in together
 * lies together: the first two characters name the folder of a message's file, so a
 * checkpoint has few folders to sync, and in an index by id new entries share their pages.
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

/* `wall_us` as clock_wall_us() gives it. */
void msgid_new(struct msgid *id, struct rng *rng, int64_t wall_us);
bool msgid_eq(const struct msgid *a, const struct msgid *b);
void msgid_print(const struct msgid *id, char text[MSGID_TEXT + 1]);
/* Accepts either letter case; false unless exactly MSGID_TEXT valid characters. */
bool msgid_parse(struct span text, struct msgid *id);

#endif
