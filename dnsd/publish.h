/* SPDX-License-Identifier: ISC */
/* dnsd/publish.h - the one writer of the zone table, on a thread of its own.
 *
 * Why:       checking and copying thousands of images takes longer than a loop may be held,
 *            and the table wants exactly one writer.
 * Ownership: owns zone table and grace; jobs own their message until `done`.
 * Threads:   publish_* from the loop's thread; the table is read by answering threads. */
#ifndef DNSD_PUBLISH_H
#define DNSD_PUBLISH_H

#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/span.h"
#include "dnsd/grace.h"
#include "dnsd/roles.h"
#include "dnsd/zonetab.h"

struct publish;

struct publish_result {
    uint32_t count; /* zones done */
    uint32_t zones; /* in the table afterwards */
    uint64_t octets;
};
typedef void (*publish_done_fn)(void *ctx, uint64_t call, const struct publish_result *r);

struct publish *publish_new(const struct dnsd_env *env, unsigned readers,
                            publish_done_fn done, void *ctx);
/* All readers are gone. */
void publish_free(struct publish **p);

const struct zonetab *publish_zones(const struct publish *p);
struct grace *publish_grace(const struct publish *p);

/* Each runs in order on the writer's thread and ends with done(ctx, call, result). -1 when
 * the queue is full; then `fd` is closed and nothing happens. */
MUST_USE int publish_images(struct publish *p, uint64_t call, int fd, uint64_t octets,
                            uint32_t count);
/* What was there before ROUND_BEGIN and was not named between it and ROUND_END is removed. */
enum publish_round { PUBLISH_ROUND_BEGIN, PUBLISH_ROUND_END };
MUST_USE int publish_round(struct publish *p, enum publish_round what);
enum publish_names { PUBLISH_REMOVE, PUBLISH_WITHHOLD };
MUST_USE int publish_names(struct publish *p, uint64_t call, enum publish_names what,
                           struct span names);

#endif
