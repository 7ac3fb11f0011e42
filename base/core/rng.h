/* SPDX-License-Identifier: ISC */
/* base/core/rng.h - randomness as an argument.
 *
 * Why:       ids and jitter come from a seeded source in tests, from the kernel elsewhere.
 * Threads:   rng_system() is safe everywhere; a seeded source belongs to one thread. */
#ifndef BASE_CORE_RNG_H
#define BASE_CORE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    void (*fill)(struct rng *r, void *dst, size_t n);
    uint64_t state[4]; /* seeded source only */
};

/* getrandom(2). Ends the process when the kernel gives none. */
struct rng *rng_system(void);
/* Same seed, same octets. Tests only: predictable. */
void rng_seeded_init(struct rng *r, uint64_t seed);

void rng_fill(struct rng *r, void *dst, size_t n);
uint64_t rng_u64(struct rng *r);
/* Uniform in [0, below), below > 0. */
uint64_t rng_below(struct rng *r, uint64_t below);

#endif
