/* SPDX-License-Identifier: ISC */
/* maild/edge/rdns.h - what the client's address is called, checked forwards.
 *
 * Why:       the name stands in Received and in the facts of a message. Anybody may write
 *            any name into his own reverse zone, so it counts only when it leads back to the
 *            same address (RFC 1912 2.1).
 * Ownership: the session holds it; freeing it forgets the questions under way.
 * Threads:   the role's loop. */
#ifndef MAILD_EDGE_RDNS_H
#define MAILD_EDGE_RDNS_H

#include <stdbool.h>

#include "base/core/ipaddr.h"
#include "maild/edge/edge_int.h"

struct rdns;

/* Ask for the name of `ip`; `done` is called once, later, unless it is freed before. */
struct rdns *rdns_new(struct edge *e, const struct ipaddr *ip, void (*done)(void *ctx),
                      void *ctx);
void rdns_free(struct rdns **r);
bool rdns_is_done(const struct rdns *r);
/* The confirmed name, or NULL. */
const char *rdns_name(const struct rdns *r);
/* "confirmed", "mismatch" (the name does not lead back), "none" (no name), "failed" (no
 * answer), "pending". */
const char *rdns_state(const struct rdns *r);

#endif
