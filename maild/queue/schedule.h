/* SPDX-License-Identifier: ISC */
/* maild/queue/schedule.h - when to try again, when to give up, how much at once.
 *
 * Why:       the rules of RFC 5321 4.5.4 and the manners towards other hosts, apart from the
 *            machinery, so that days pass in a test in microseconds.
 * Threads:   values.
 * Pure:      the time is an argument. */
#ifndef MAILD_QUEUE_SCHEDULE_H
#define MAILD_QUEUE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct schedule_config {
    int64_t first_s;    /* wait after the first failed attempt */
    int64_t max_s;      /* longest wait */
    int64_t lifetime_s; /* age at which we give up */
};

/* When to try after failed attempt number `attempts` (1 is the first) at `now_s`: first_s
 * doubling up to max_s, and once more right at the end of the lifetime, so that the last
 * word is not hours old. */
int64_t schedule_next(const struct schedule_config *c, int64_t accepted_s,
                      uint32_t attempts, int64_t now_s);
/* A temporary failure at `now_s` is final. */
bool schedule_is_expired(const struct schedule_config *c, int64_t accepted_s,
                         int64_t now_s);

/* How many sessions to one destination at a time: begins small, grows by one with each
 * window of successes, halves when the destination does not answer. */
struct schedule_window {
    unsigned limit;   /* sessions allowed now */
    unsigned success; /* since the last growth */
};
#define SCHEDULE_WINDOW_FIRST 5u
#define SCHEDULE_WINDOW_MAX   20u
void schedule_window_init(struct schedule_window *w);
void schedule_window_good(struct schedule_window *w);
void schedule_window_bad(struct schedule_window *w);

#endif
