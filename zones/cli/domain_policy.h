/* SPDX-License-Identifier: ISC */
/* zones/cli/domain_policy.h - the options of `domain add` and `domain set`. */
#ifndef ZONES_CLI_DOMAIN_POLICY_H
#define ZONES_CLI_DOMAIN_POLICY_H

#include "zones/cli/cli.h"

extern const struct cli_option domain_policy_options[];

/* Put what was given into the row; says what is wrong. Needs the open database. */
MUST_USE enum cli_exit domain_policy_apply(struct cli *c, const struct cli_args *a,
                                           struct domain_row *row);
/* When reports go to a domain that is not hosted here: the record its owner has to publish
 * (RFC 7489 7.1). */
void domain_policy_say_consent(struct cli *c, const struct domain_row *row);
/* "none", "quarantine", "reject" */
const char *domain_policy_dmarc(enum domain_dmarc p);

#endif
