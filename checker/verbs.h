/* SPDX-License-Identifier: ISC */
/* checker/verbs.h - what the command can do; each returns the exit code. */
#ifndef CHECKER_VERBS_H
#define CHECKER_VERBS_H

#include <stddef.h>

#include "checker/report.h"

#define VERB_REPEAT_MAX 16

struct verb_options {
    const char *conf_path; /* NULL: no database, ask the root servers */
    const char *resolver;  /* address, overrides the configuration */
    const char *selector[VERB_REPEAT_MAX];
    size_t n_selectors;
    const char *list[VERB_REPEAT_MAX];
    size_t n_lists;
    const char *key_type; /* dkim generate */
    const char *out_path;
    struct report_options report;
};

int verb_domain(const struct verb_options *o, char **args, int n);
int verb_rdns(const struct verb_options *o, char **args, int n);
int verb_blocklist(const struct verb_options *o, char **args, int n);
int verb_dkim(const struct verb_options *o, char **args, int n);

#endif
