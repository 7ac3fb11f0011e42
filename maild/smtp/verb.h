/* SPDX-License-Identifier: ISC */
/* maild/smtp/verb.h - the commands of the server, one row each.
 *
 * Why:       when a command is legal, whether its mere use is hostile, and who carries it
 *            out stand side by side; a new verb is a new row and a function.
 * Pure:      a table. */
#ifndef MAILD_SMTP_VERB_H
#define MAILD_SMTP_VERB_H

#include "base/core/span.h"
#include "maild/smtp/session.h"

enum {
    VERB_NO_ARGUMENT = 1, /* 501 with one */
    VERB_FOREIGN = 2,     /* another protocol talks to us: close */
};

struct smtp_verb {
    const char *name;
    unsigned phases; /* enum smtp_phase bits in which it is legal */
    unsigned flags;
    void (*run)(struct smtp_session *s, struct span arg);
    const char *hint; /* what to say with 503 in another phase */
};

/* Split "VERB argument": the verb, and what follows its first blank, blanks at the end of
 * the line dropped. */
void smtp_verb_split(struct span line, struct span *name, struct span *arg);
/* The row of this name, letter case ignored, or NULL. */
const struct smtp_verb *smtp_verb_find(struct span name);

#endif
