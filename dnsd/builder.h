/* SPDX-License-Identifier: ISC */
/* dnsd/builder.h - the part that watches the database and sends compiled zones to serve.
 *
 * Why:       it reads the database and never a packet; so a fault in one part does not
 *            give away the other.
 * Ownership: owns its thread, its notify socket and the state of every zone.
 * Threads:   the loop's thread. */
#ifndef DNSD_BUILDER_H
#define DNSD_BUILDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/core/attr.h"
#include "base/core/map.h"
#include "dnsd/roles.h"

struct builder;

/* Begin to build. `on_ready` is called when serve answers for all that was found. NULL with
 * *err. Takes over env->peer_fd in any case. */
struct builder *builder_start(const struct dnsd_env *env, void (*on_ready)(void *ctx),
                              void *ctx, struct err *err);
void builder_stop(struct builder **b);

/* --- for the control socket --- */

struct zone_status {
    uint32_t soa_serial; /* of what is served; 0: nothing is */
    uint32_t records;
    size_t octets;
    int64_t published_s; /* wall clock */
    char *fault;         /* why the newest state is not served, NULL when it is */
};

struct builder_status {
    size_t zones, served, faulty;
    uint64_t octets; /* of all images */
    int64_t serial;  /* newest change of the database that was looked at */
    size_t left;     /* zones still to be built */
    bool is_ready;
    bool is_empty_refused;
    const char *fault; /* of the database, "" when there is none */
};

void builder_status(const struct builder *b, struct builder_status *s);
/* NULL when the zone is unknown. `zone` is text without final dot. */
const struct zone_status *builder_zone(const struct builder *b, struct span zone);
/* Visit all zones, in no order: start with *cursor = 0. */
bool builder_next_zone(const struct builder *b, size_t *cursor, struct span *zone,
                       const struct zone_status **status);
/* Believe the empty database. */
void builder_confirm_empty(struct builder *b);
/* Look at the database now. */
void builder_poke(struct builder *b);
/* Ask serve for its counters: cb gets a JSON object, or the empty span. */
void builder_ask_stats(struct builder *b, void (*cb)(void *ctx, struct span json),
                       void *ctx);

#endif
