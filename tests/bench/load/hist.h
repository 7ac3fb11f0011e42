/* SPDX-License-Identifier: ISC */
/* tests/bench/load/hist.h - latencies of the load programs, counted in buckets 1.6 % wide.
 *
 * Why:       a percentile of millions of values in 16 KiB.
 * Ownership: the caller owns the struct; all zero is empty.
 * Threads:   one owner at a time; hist_add() joins those of several threads. */
#ifndef TESTS_BENCH_LOAD_HIST_H
#define TESTS_BENCH_LOAD_HIST_H

#include <stdint.h>

enum { HIST_BUCKETS = 2048 };

struct hist {
    uint64_t n;
    uint64_t buckets[HIST_BUCKETS];
};

void hist_note(struct hist *h, int64_t us);
void hist_add(struct hist *to, const struct hist *from);
/* p from 0 to 1; 0 when nothing was noted. */
double hist_percentile_us(const struct hist *h, double p);

#endif
