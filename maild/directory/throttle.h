/* SPDX-License-Identifier: ISC */
/* maild/directory/throttle.h - how often a password may be guessed.
 *
 * Why:       guesses are what a stranger can make without limit unless we set one; and the
 *            limit must not let him lock the owner out.
 * Ownership: the caller frees; the table forgets what was not touched for longest.
 * Threads:   one owner.
 * Pure:      given the random key of its tables; time is an argument.
 *
 * Two token buckets, one for the client's address (IPv6: its /64) and one for the login.
 * An attempt takes a token of each before anything is computed, so that parallel guesses
 * count too; a success gives them back. A client that has logged in to this very account
 * within a day does not ask the login's bucket: guesses from elsewhere do not lock the
 * owner out. */
#ifndef MAILD_DIRECTORY_THROTTLE_H
#define MAILD_DIRECTORY_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/ipaddr.h"
#include "base/core/rng.h"
#include "base/core/span.h"

#define THROTTLE_PEER_BURST     20
#define THROTTLE_PEER_REFILL_MS 30000 /* one token back */
#define THROTTLE_NAME_BURST     10
#define THROTTLE_NAME_REFILL_MS 60000
#define THROTTLE_KNOWN_MS       (24 * 3600 * 1000)
#define THROTTLE_ENTRIES_MAX    65536 /* in each table */

struct throttle;

struct throttle *throttle_new(struct rng *rng);
void throttle_free(struct throttle **t);

enum throttle_verdict {
    THROTTLE_OK,   /* one token of each bucket was taken */
    THROTTLE_PEER, /* this client failed too often: nothing taken */
    THROTTLE_NAME  /* this login was guessed at too often: nothing taken */
};
/* Before a password is looked at. `login` is compared without letter case. */
MUST_USE enum throttle_verdict throttle_take(struct throttle *t,
                                             const struct ipaddr *peer, struct span login,
                                             int64_t now_ms);
/* The password was right: give the tokens back and remember the pair. */
void throttle_success(struct throttle *t, const struct ipaddr *peer, struct span login,
                      int64_t now_ms);
/* The attempt was not decided (disk fault, shut-down): give the tokens back. */
void throttle_undo(struct throttle *t, const struct ipaddr *peer, struct span login,
                   int64_t now_ms);

#endif
