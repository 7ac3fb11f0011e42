/* SPDX-License-Identifier: ISC */
/* checker/report.h - findings for a terminal or for a program. */
#ifndef CHECKER_REPORT_H
#define CHECKER_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "checker/finding.h"

struct report_options {
    bool is_json;
    bool is_quiet;         /* text: failures and what could not be tested only */
    bool is_colour;        /* text */
    enum severity fail_on; /* least severity that makes the run fail */
};

/* Print to `out`, gravest first. Returns the exit code: 0 nothing at or above fail_on,
 * 1 findings, 2 nothing failed but something could not be tested at all. */
int report_print(FILE *out, const char *title, const struct findings *f,
                 const struct report_options *o);

#endif
