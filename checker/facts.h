/* SPDX-License-Identifier: ISC */
/* checker/facts.h - what was learned from the DNS, asked once and remembered.
 *
 * Why:       a check is a pure function of facts. When a fact is missing, asking for it
 *            notes the question; the caller resolves what was noted and runs the check
 *            again. So no check waits, no question is sent twice, and the same checks run
 *            on answers from a file.
 * Ownership: facts own the answers; spans stay valid until facts_free().
 * Threads:   one owner. Pure: no I/O, no clock, no globals. */
#ifndef CHECKER_FACTS_H
#define CHECKER_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/span.h"

enum fact_state {
    FACT_MISSING, /* not asked yet: noted, come again */
    FACT_RECORDS, /* n > 0 */
    FACT_NO_DATA, /* the name exists without this type */
    FACT_NO_NAME, /* NXDOMAIN */
    FACT_UNKNOWN, /* servers silent, refused, failed, or DNSSEC bogus: see `why` */
};

struct fact {
    char *name; /* lower case, no final dot */
    uint16_t type;
    enum fact_state state;
    const char *why; /* FACT_UNKNOWN: a sentence for people */
    bool is_secure;
    uint32_t ttl_s;
    size_t n;
    struct span *rdata; /* wire form, names uncompressed */
};

struct facts;

struct facts *facts_new(void);
void facts_free(struct facts **f);

/* The fact; FACT_MISSING (and noted as a question) when it was not learned yet. */
const struct fact *fact_get(struct facts *f, const char *name, uint16_t type);
/* Learn. Takes copies. A name and type are learned once; later answers are ignored. */
void fact_learn(struct facts *f, const char *name, uint16_t type, enum fact_state state,
                const char *why, const struct span *rdata, size_t n);
/* How many questions are noted and not yet learned. */
size_t facts_open(const struct facts *f);
/* The i-th noted, unlearned question; false past the end. */
bool facts_question(const struct facts *f, size_t i, const char **name, uint16_t *type);
/* Total of facts, learned or open. */
size_t facts_count(const struct facts *f);

/* "NXDOMAIN", "no such record", "could not be asked: ..." for messages. */
const char *fact_absence(const struct fact *fact);

#endif
