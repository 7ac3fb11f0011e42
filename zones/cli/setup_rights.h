/* SPDX-License-Identifier: ISC */
/* zones/cli/setup_rights.h - the part of `signpost setup` that is about users and files.
 *
 * Why:       what is done and said; who gets what stands in rights.c.
 * Threads:   one. */
#ifndef ZONES_CLI_SETUP_RIGHTS_H
#define ZONES_CLI_SETUP_RIGHTS_H

#include <stdbool.h>

#include "zones/cli/cli.h"

/* With privsep full: make the users when asked, and give the files to them. Users that are
 * missing are named, with the remedy; that is no failure. */
MUST_USE enum cli_exit setup_rights(struct cli *c, bool makes_users);
/* Only look: CLI_NO, with a line for each difference. */
MUST_USE enum cli_exit setup_check(struct cli *c);

#endif
