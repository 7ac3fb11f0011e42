/* SPDX-License-Identifier: ISC */
/* base/core/rng.c - randomness as an argument; see rng.h.
 *
 * The seeded source is xoshiro256** filled by splitmix64 (Blackman and Vigna), chosen
 * because it is short and passes the statistical tests; it hides nothing. */
#include "base/core/rng.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void system_fill(struct rng *r, void *dst, size_t n)
{
    uint8_t *at = dst;

    (void)r;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);

        if (got < 0) {
            if (errno == EINTR)
                continue;
            perror("the kernel gives no random octets");
            abort();
        }
        at += got;
        n -= (size_t)got;
    }
}

struct rng *rng_system(void)
{
    /* Never written to: not const only because seeded sources, which share the type, are
     * changed by every draw. */
    static struct rng kernel = {.fill = system_fill};

    return &kernel;
}

static uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static uint64_t next(uint64_t s[4])
{
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

static void seeded_fill(struct rng *r, void *dst, size_t n)
{
    uint8_t *at = dst;

    while (n > 0) {
        uint64_t v = next(r->state);

        for (unsigned i = 0; i < 8 && n > 0; i++, n--)
            *at++ = (uint8_t)(v >> 8 * i); /* the same octets on every machine */
    }
}

void rng_seeded_init(struct rng *r, uint64_t seed)
{
    *r = (struct rng){.fill = seeded_fill};
    for (unsigned i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9e3779b97f4a7c15u;

        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        r->state[i] = z ^ z >> 31;
    }
}

void rng_fill(struct rng *r, void *dst, size_t n)
{
    r->fill(r, dst, n);
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t v;

    rng_fill(r, &v, sizeof v);
    return v;
}

uint64_t rng_below(struct rng *r, uint64_t below)
{
    uint64_t skip;
    uint64_t v;

    assert(below > 0);
    /* Draws under 2^64 mod below would make the small results too likely. */
    skip = (UINT64_MAX - below + 1) % below;
    do
        v = rng_u64(r);
    while (v < skip);
    return v % below;
}
