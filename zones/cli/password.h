/* SPDX-License-Identifier: ISC */
/* zones/cli/password.h - a new password: from a person, from a pipe, or made up.
 *
 * Never from the command line, where every user of the machine could read it. The caller
 * cleanses what it is given. */
#ifndef ZONES_CLI_PASSWORD_H
#define ZONES_CLI_PASSWORD_H

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/rng.h"

#define PASSWORD_MAX 1023 /* octets; the login protocols carry no more */

/* The first line of standard input. */
MUST_USE int password_from_stdin(char out[PASSWORD_MAX + 1], struct err *err);
/* Ask twice on the terminal, without echo. */
MUST_USE int password_from_terminal(const char *login, char out[PASSWORD_MAX + 1],
                                    struct err *err);
/* 20 characters that cannot be mistaken for each other: about 98 bits. */
void password_make_up(struct rng *rng, char out[PASSWORD_MAX + 1]);

#endif
