/* SPDX-License-Identifier: ISC */
#include "maild/queue/schedule.h"

int64_t schedule_next(const struct schedule_config *c, int64_t accepted_s,
                      uint32_t attempts, int64_t now_s)
{
    int64_t wait = c->first_s;
    const int64_t end = accepted_s + c->lifetime_s;

    for (uint32_t i = 1; i < attempts && wait < c->max_s; i++)
        wait *= 2;
    if (wait > c->max_s)
        wait = c->max_s;
    if (now_s < end && now_s + wait > end)
        return end;
    return now_s + wait;
}

bool schedule_is_expired(const struct schedule_config *c, int64_t accepted_s,
                         int64_t now_s)
{
    return now_s >= accepted_s + c->lifetime_s;
}

void schedule_window_init(struct schedule_window *w)
{
    w->limit = SCHEDULE_WINDOW_FIRST;
    w->success = 0;
}

void schedule_window_good(struct schedule_window *w)
{
    if (++w->success < w->limit)
        return;
    w->success = 0;
    if (w->limit < SCHEDULE_WINDOW_MAX)
        w->limit++;
}

void schedule_window_bad(struct schedule_window *w)
{
    w->success = 0;
    w->limit = w->limit > 1 ? w->limit / 2 : 1;
}
