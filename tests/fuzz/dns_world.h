/* SPDX-License-Identifier: ISC */
/* tests/fuzz/dns_world.h - zones to ask, and what every answer must be.
 *
 * Why:       the query path, the image loader and the compiler are judged by the same laws.
 * Ownership: dns_world() gives a constant that lives as long as the process. */
#ifndef TESTS_FUZZ_DNS_WORLD_H
#define TESTS_FUZZ_DNS_WORLD_H

#include "base/core/buf.h"
#include "dnsd/query.h"

/* Zones with every kind of name: wildcards, cuts, DNAME, CNAME chains, large sets. */
const struct query_ctx *dns_world(void);
/* The image of its largest zone. */
struct span dns_world_image(void);
/* A table with this one zone; NULL when its image is refused. Free with zonetab_free(). */
struct zonetab *dns_world_of(struct span image);

/* Ask `query` and check the laws of the answer. `is_trusted`: the image was made by us, so
 * the answer must be readable, too. Returns the length of the reply in `reply`, which has
 * room for QUERY_TCP_CAP octets. */
size_t dns_ask(const struct query_ctx *ctx, struct span query,
               enum query_transport transport, bool is_trusted, uint8_t *reply);

#endif
