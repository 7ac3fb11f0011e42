/* SPDX-License-Identifier: ISC */
/* base/dns/idna.h - names as people write them to names as DNS carries them.
 *
 * Why:     U-labels are accepted wherever a person types a name; A-labels are what is
 *          stored, compared and published (IDNA 2008, RFC 5890-5894, by libidn2).
 * Threads: safe everywhere. Pure. */
#ifndef BASE_DNS_IDNA_H
#define BASE_DNS_IDNA_H

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/span.h"

#define IDNA_NAME_MAX 253 /* characters of a name without final dot */

/* UTF-8 text to a lower-case name of A-labels without final dot. Underscores and a leading
 * "*" label are allowed, since not every name is a host name. 0, or -1 with *err naming the
 * label and the reason. */
MUST_USE int idna_to_ascii(struct span text, char out[IDNA_NAME_MAX + 1],
                           struct err *err);
/* For display: the U-label form in UTF-8, or the text itself where it has none. */
#define IDNA_DISPLAY_MAX 1023
void idna_to_display(const char *name, char out[IDNA_DISPLAY_MAX + 1]);

#endif
