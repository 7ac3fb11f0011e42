/* SPDX-License-Identifier: ISC */
#include "tests/bench/load/hist.h"

#include <stddef.h>

enum { PER_OCTAVE = 44 };

void hist_note(struct hist *h, int64_t us)
{
    double v = us < 1 ? 1 : (double)us;
    size_t octave = 0;
    size_t b;

    while (v >= 2) {
        v /= 2;
        octave++;
    }
    b = octave * PER_OCTAVE + (size_t)((v - 1) * PER_OCTAVE);
    h->buckets[b < HIST_BUCKETS ? b : HIST_BUCKETS - 1]++;
    h->n++;
}

void hist_add(struct hist *to, const struct hist *from)
{
    to->n += from->n;
    for (size_t b = 0; b < HIST_BUCKETS; b++)
        to->buckets[b] += from->buckets[b];
}

double hist_percentile_us(const struct hist *h, double p)
{
    uint64_t sum = 0;

    for (size_t b = 0; b < HIST_BUCKETS; b++) {
        sum += h->buckets[b];
        if (h->n > 0 && (double)sum >= p * (double)h->n)
            return (double)(1ull << (b / PER_OCTAVE)) *
                   (1 + (double)(b % PER_OCTAVE) / PER_OCTAVE);
    }
    return 0;
}
