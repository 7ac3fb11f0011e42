/* SPDX-License-Identifier: ISC */
#include "tests/bench/load/busy.h"

#include <sys/resource.h>

double busy_seconds(void)
{
    struct rusage u;

    if (getrusage(RUSAGE_SELF, &u) == -1)
        return 0;
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}
