/* SPDX-License-Identifier: ISC */
/* zones/lint.h - what is wrong with a zone, before anybody sees it.
 *
 * Why:       a zone that fails is not published; the last good one stays. `signpost` and
 *            `checker` print the same findings.
 * Threads:   no state.
 * Pure:      looks at nothing but the zone: other zones and the live DNS are checker's. */
#ifndef ZONES_LINT_H
#define ZONES_LINT_H

#include "zones/model/zone.h"

enum lint_severity { LINT_NOTICE, LINT_WARNING, LINT_ERROR };

#define LINT_TEXT_MAX 512

struct lint_finding {
    const char *id; /* "cname-and-other-data": never changes once released */
    enum lint_severity severity;
    char text[LINT_TEXT_MAX]; /* what was seen, with names */
    const char *fix;          /* what to do about it */
};

/* Calls `each` for every finding in order of the zone; `each` may be NULL. Returns how many
 * are errors: 0 means fit to be published. */
size_t lint_zone(const struct zone *z,
                 void (*each)(void *ctx, const struct lint_finding *f), void *ctx);

const char *lint_severity_name(enum lint_severity s); /* "error", ... */

/* Every finding there can be, for the manual. */
struct lint_rule {
    const char *id;
    enum lint_severity severity;
    const char *meaning;
    const char *fix;
};
extern const struct lint_rule lint_rules[];
extern const size_t lint_rules_count;

#endif
