/* SPDX-License-Identifier: ISC */
/* tests/bench/load/busy.h - how much of a processor the load program itself took.
 *
 * Why: a load near 1 measures itself, not the server; every load program prints it. */
#ifndef TESTS_BENCH_LOAD_BUSY_H
#define TESTS_BENCH_LOAD_BUSY_H

/* Processor seconds of this process, all threads, user and system. */
double busy_seconds(void);

#endif
