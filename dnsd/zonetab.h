/* SPDX-License-Identifier: ISC */
/* dnsd/zonetab.h - which zone answers for a name: apex to compiled zone.
 *
 * Why:       answering threads look zones up all the time and must never wait for the one
 *            thread that replaces them; adding one zone to 100,000 must not copy the rest.
 * Ownership: the table owns the zones in it. What is taken out of it (replaced, removed, an
 *            outgrown table) goes to the `retire` function, which frees it when no reader
 *            can hold it any more (dnsd/grace.h).
 * Threads:   one writer; any number of readers, between grace_enter() and grace_leave(). */
#ifndef DNSD_ZONETAB_H
#define DNSD_ZONETAB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/rng.h"
#include "base/core/span.h"
#include "base/dns/dname.h"
#include "zones/image.h"

/* A name as the packet loop has it: once folded, with its label borders known. */
struct qname {
    uint8_t len;
    uint8_t labels;                   /* root not counted */
    uint8_t starts[DNAME_LABELS + 1]; /* of each label and of the root label */
    uint8_t lower[DNAME_MAX];
};

/* The last `labels` labels of the name. */
static inline struct span qname_suffix(const struct qname *q, unsigned labels)
{
    uint8_t start = q->starts[q->labels - labels];

    return (struct span){q->lower + start, (size_t)(q->len - start)};
}
/* Fill from a valid wire name. */
void qname_set(struct qname *q, struct span name);

/* One zone as it is served. Constant once it is in the table. */
struct zone_live {
    struct image im;  /* im.p NULL: known, but nothing good to serve (SERVFAIL) */
    struct span apex; /* lower case */
    uint64_t hash;    /* of the apex under the table's key */
    size_t octets;
    unsigned round;  /* the writer's: when it was put or touched last */
    uint64_t data[]; /* the image, or the apex of a zone without one */
};

/* A private, checked copy of a compiled zone; NULL with *err when it is damaged. */
MUST_USE struct zone_live *zone_live_new(struct span image, struct err *err);
/* A zone that is ours but cannot be served. */
MUST_USE struct zone_live *zone_live_broken(struct span apex);

struct zonetab;

/* `retire` takes over memory that readers may still see; it has to free() it later. */
struct zonetab *zonetab_new(struct rng *rng, void (*retire)(void *ctx, void *memory),
                            void *ctx);
/* No reader is left. */
void zonetab_free(struct zonetab **t);

/* --- the writer --- */
/* Add or replace; takes over `z`. */
void zonetab_put(struct zonetab *t, struct zone_live *z);
/* Stop serving `apex` (wire form, any case); false when it is not there. */
bool zonetab_remove(struct zonetab *t, struct span apex);
/* Begin a round: whoever sends zones starts over. */
void zonetab_round(struct zonetab *t);
/* `apex` belongs to this round, too. False when it is not there. */
bool zonetab_touch(struct zonetab *t, struct span apex);
/* Remove what was neither put nor touched in this round; how many. */
size_t zonetab_drop_untouched(struct zonetab *t);
size_t zonetab_count(const struct zonetab *t);
/* Octets of all images. */
size_t zonetab_octets(const struct zonetab *t);
/* Does the table hold this very apex? For the writer's own questions. */
const struct zone_live *zonetab_get(const struct zonetab *t, struct span apex);

/* --- readers --- */
/* The deepest zone that `q` is in, or NULL. With `is_above` the apex itself does not count:
 * for DS, which the parent answers (RFC 4035 3.1.4.1). */
const struct zone_live *zonetab_find(const struct zonetab *t, const struct qname *q,
                                     bool is_above);

#endif
