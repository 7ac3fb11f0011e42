/* SPDX-License-Identifier: ISC */
/* maild/edge/limits.h - how many sessions one address, and all together, may hold.
 *
 * Why:       one client must not take the places of all others.
 * Ownership: the caller frees; the table forgets an address with its last session.
 * Threads:   one owner.
 * Pure:      given the random key of its table.
 *
 * IPv6 clients are counted by /64: that is what one customer has. */
#ifndef MAILD_EDGE_LIMITS_H
#define MAILD_EDGE_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/core/attr.h"
#include "base/core/ipaddr.h"
#include "base/core/rng.h"

struct limits;

enum limits_verdict { LIMITS_OK, LIMITS_FULL_ADDRESS, LIMITS_FULL_ALL };

struct limits *limits_new(size_t per_address, size_t all, struct rng *rng);
void limits_free(struct limits **l);
/* Take a place. Anything but LIMITS_OK takes none. */
MUST_USE enum limits_verdict limits_take(struct limits *l, const struct ipaddr *peer);
/* Give back one place that limits_take() gave. */
void limits_give(struct limits *l, const struct ipaddr *peer);
size_t limits_count(const struct limits *l);
/* Sessions of this address now. */
size_t limits_count_address(const struct limits *l, const struct ipaddr *peer);

#endif
