/* SPDX-License-Identifier: ISC */
/* zones/cli/rights.h - users of the roles, and who may do what below data_dir.
 *
 * Why:       a role that runs as a user of its own is only as shut in as the files allow.
 *            One table says it; `setup` brings the files in line, `setup --check` compares.
 * Ownership: nothing is kept.
 * Threads:   one. */
#ifndef ZONES_CLI_RIGHTS_H
#define ZONES_CLI_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/core/attr.h"
#include "base/core/err.h"

struct rights_user {
    const char *name;
    const char *gecos; /* what it is for, in the user database */
    const char *group; /* beside the one of its own name; NULL: none */
};
extern const struct rights_user rights_users[]; /* ends with a NULL name */
extern const char *const rights_groups[];       /* ends with NULL */

/* The first user or group of the tables that this machine does not have, or NULL. */
const char *rights_missing(void);
/* Make the missing ones with groupadd and useradd. `said` is called for each. */
MUST_USE int rights_make_users(void (*said)(void *ctx, const char *text), void *ctx,
                               struct err *err);

struct rights_report {
    /* A path that is not as the table wants it; `what` in one line. */
    void (*differs)(void *ctx, const char *path, const char *what);
    void *ctx;
    bool is_check; /* true: only look */
    size_t n;      /* out: how many differed */
};

/* Compare all that is below data_dir with the table, and unless is_check bring it in line:
 * folders that roles need are made, files of older versions are moved. Never follows a
 * symbolic link: roles could make some. Nothing may be missing from the users. */
MUST_USE int rights_apply(const char *data_dir, struct rights_report *r, struct err *err);

#endif
