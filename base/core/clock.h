/* SPDX-License-Identifier: ISC */
/* base/core/clock.h - time as an argument.
 *
 * Why:       retries, key roll-overs and time-outs are tested with a clock that a test
 *            turns by hand.
 * Ownership: the caller owns the struct and passes a pointer down; nobody keeps time in a
 *            global.
 * Threads:   clock_system() is safe everywhere; a fake clock belongs to one thread.
 *
 * Two kinds of time: `mono_ms` only ever moves forward and is for intervals; `wall_s`
 * is what calendars show and is for dates and what is stored. */
#ifndef BASE_CORE_CLOCK_H
#define BASE_CORE_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*mono_us)(const struct clock *c); /* microseconds, arbitrary start */
    int64_t (*wall_us)(const struct clock *c); /* microseconds since 1970 UTC */
    int64_t fake_mono_us;                      /* used by a fake clock only */
    int64_t fake_wall_us;
};

/* The machine's clock; a constant. The only caller of clock_gettime in the tree. */
const struct clock *clock_system(void);
/* A clock that stands still at the given wall time until clock_fake_advance(). */
void clock_fake_init(struct clock *c, int64_t wall_s);
void clock_fake_advance(struct clock *c, int64_t ms);

int64_t clock_mono_us(const struct clock *c);
int64_t clock_mono_ms(const struct clock *c);
int64_t clock_wall_s(const struct clock *c);
int64_t clock_wall_us(const struct clock *c);

#endif
