/* SPDX-License-Identifier: ISC */
/* maild/directory/lookup.h - questions to the domain database, one function each.
 *
 * Why:       the role's loop must not wait for SQLite, so each of these runs straight
 *            through as a job on the one database thread.
 * Ownership: the caller frees.
 * Threads:   the database thread only (lookup_check_open: anywhere, it opens and closes).
 *
 * The connection is read-only and opened at the first question; it is opened anew after a
 * fault and when signpost.db has become another file (restored from a backup). Commits of
 * others need no care: every question sees what was committed before it. */
#ifndef MAILD_DIRECTORY_LOOKUP_H
#define MAILD_DIRECTORY_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/span.h"
#include "maild/ipc_msgs.h"
#include "zones/account.h"

struct lookup;

/* Opens nothing yet. */
struct lookup *lookup_new(const char *data_dir);
void lookup_free(struct lookup **l);
/* Can the databases be opened and read? 0, or -1 with *err saying what to do. */
MUST_USE int lookup_check_open(const char *data_dir, struct err *err);

/* Who this login is. NONE: nobody. */
struct lookup_login {
    struct account_row account;
    char hash[ACCOUNT_HASH_MAX + 1];
};
enum domaindb_result lookup_login(struct lookup *l, struct span login,
                                  struct lookup_login *out, struct err *err);

/* May mail to this address come in (or, for a login, go out), and where does it end up?
 * `targets` gets the entries of RCPT_RESULT.targets. RCPT_TRY_LATER fills *err. */
enum rcpt_status lookup_rcpt(struct lookup *l, struct span address,
                             uint64_t login_account, struct buf *targets,
                             struct err *err);
/* May this account send as `address`? ANSWER_LATER fills *err. */
enum answer lookup_sender(struct lookup *l, uint64_t login_account, struct span address,
                          struct err *err);
/* Is this a domain or a host of ours? ANSWER_LATER fills *err. */
enum answer lookup_is_ours(struct lookup *l, struct span name, struct err *err);

#endif
