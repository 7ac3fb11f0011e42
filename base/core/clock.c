/* SPDX-License-Identifier: ISC */
/* base/core/clock.c - time as an argument; see clock.h. */
#include "base/core/clock.h"

#include <assert.h>
#include <time.h>

static int64_t read_us(clockid_t which)
{
    struct timespec ts;
    int rc = clock_gettime(which, &ts);

    assert(rc == 0); /* both clocks exist on every Linux */
    (void)rc;
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t system_mono_us(const struct clock *c)
{
    (void)c;
    return read_us(CLOCK_MONOTONIC);
}

static int64_t system_wall_us(const struct clock *c)
{
    (void)c;
    return read_us(CLOCK_REALTIME);
}

const struct clock *clock_system(void)
{
    static const struct clock machine = {.mono_us = system_mono_us,
                                         .wall_us = system_wall_us};

    return &machine;
}

static int64_t fake_mono_us(const struct clock *c)
{
    return c->fake_mono_us;
}

static int64_t fake_wall_us(const struct clock *c)
{
    return c->fake_wall_us;
}

void clock_fake_init(struct clock *c, int64_t wall_s)
{
    *c = (struct clock){.mono_us = fake_mono_us,
                        .wall_us = fake_wall_us,
                        .fake_mono_us = 1000000, /* 0 often means "not set" */
                        .fake_wall_us = wall_s * 1000000};
}

void clock_fake_advance(struct clock *c, int64_t ms)
{
    assert(ms >= 0);
    c->fake_mono_us += ms * 1000;
    c->fake_wall_us += ms * 1000;
}

int64_t clock_mono_us(const struct clock *c)
{
    return c->mono_us(c);
}

int64_t clock_mono_ms(const struct clock *c)
{
    return c->mono_us(c) / 1000;
}

int64_t clock_wall_us(const struct clock *c)
{
    return c->wall_us(c);
}

int64_t clock_wall_s(const struct clock *c)
{
    return c->wall_us(c) / 1000000;
}
