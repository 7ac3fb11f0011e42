/* SPDX-License-Identifier: ISC */
/* dnsd/builder.h - the part that watches the database and sends compiled zones to serve.
 *
 * Why:       it reads the database and never a packet; so a fault in one part does not
 *            give away the other.
 * Ownership: owns its threads, the notify and control sockets it was given, and the state of
 *            every zone.
 * Threads:   the loop's thread. */
#ifndef DNSD_BUILDER_H
#define DNSD_BUILDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/core/attr.h"
#include "dnsd/roles.h"
#include "dnsd/zonestat.h"

struct builder;

/* Begin to build; zones are sent when serve is plugged. NULL with *err. */
struct builder *builder_start(const struct dnsd_env *env, struct err *err);
/* `peer` (serve or the parent) is at the other end of `fd` now. */
void builder_plug(struct builder *b, enum dnsd_role peer, int fd);
void builder_stop(struct builder **b);

/* --- for the control socket --- */

struct builder_status {
    size_t zones, served, faulty;
    uint64_t octets;  /* of all images */
    int64_t serial;   /* newest change of the database that was looked at */
    size_t left;      /* zones still to be built */
    size_t in_flight; /* batches that serve has not confirmed yet */
    bool is_ready;
    bool is_empty_refused;
    const char *fault; /* of the database, "" when there is none */
};

void builder_status(const struct builder *b, struct builder_status *s);
const struct zonestat *builder_zones(const struct builder *b);
/* Believe the empty database. */
void builder_confirm_empty(struct builder *b);
/* Look at the database now. */
void builder_poke(struct builder *b);
/* Ask serve for its counters: cb gets a JSON object, or the empty span. */
void builder_ask_stats(struct builder *b, void (*cb)(void *ctx, struct span json),
                       void *ctx);

#endif
