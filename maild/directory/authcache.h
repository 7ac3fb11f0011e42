/* SPDX-License-Identifier: ISC */
/* maild/directory/authcache.h - passwords that were right a moment ago.
 *
 * Why:       scrypt costs 100 ms and 32 MiB by design; a mail program that opens four
 *            connections at once should pay once.
 * Ownership: the caller frees.
 * Threads:   one owner.
 * Pure:      given its random key; time is an argument.
 *
 * What is kept is HMAC-SHA256 under a key drawn at start, never a password. The reference
 * of the stored hash is part of what is hashed: a new password, or the account's removal,
 * makes the entry unreachable at once. Only rights are kept: a wrong guess always pays. */
#ifndef MAILD_DIRECTORY_AUTHCACHE_H
#define MAILD_DIRECTORY_AUTHCACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/rng.h"
#include "base/core/span.h"

#define AUTHCACHE_TTL_MS      (10 * 60 * 1000)
#define AUTHCACHE_ENTRIES_MAX 8192

struct authcache;

struct authcache *authcache_new(struct rng *rng);
void authcache_free(struct authcache **c);
/* Was this password right for the hash under `secret_ref` within the last ten minutes? */
bool authcache_has(struct authcache *c, struct span secret_ref, struct span password,
                   int64_t now_ms);
/* It was just now. The time counts from the check, not from the last use. */
void authcache_put(struct authcache *c, struct span secret_ref, struct span password,
                   int64_t now_ms);

#endif
