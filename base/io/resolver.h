/* SPDX-License-Identifier: ISC */
/* base/io/resolver.h - asynchronous, validating, caching DNS look-ups on libunbound.
 *
 * Why:       mail decisions need all types, the rcode, and to know secure from bogus.
 * Ownership: answers are borrowed during the callback.
 * Threads:   the loop's thread; libunbound works in a thread of its own.
 *
 * libunbound is configured by one generated file before its first question (calls made
 * later are refused, and local-zone by call has no effect). */
#ifndef BASE_IO_RESOLVER_H
#define BASE_IO_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/span.h"
#include "base/io/loop.h"

#define RESOLVER_ANSWERS_MAX 64

struct resolver_config {
    const char *state_dir;    /* where the generated file goes; NULL: kept in memory */
    const char *root_hints;   /* file, or NULL for the built-in */
    const char *trust_anchor; /* file, or NULL for none (no validation) */
    const char *const
        *forward; /* "127.53.0.53" or "127.53.0.53@5353", NULL-terminated; or NULL */
    /* Zones to be asked for real though they are special use ("test.", "127.in-addr.arpa."). */
    const char *const *nodefault;
    bool do_query_localhost;
};

struct resolver_answer {
    int rcode;      /* DNS rcode 0..15; -1: no answer at all (time-out, no server) */
    bool is_secure; /* validated by DNSSEC */
    bool is_bogus;  /* validation failed: treat as no answer, say why */
    const char *why_bogus;
    uint32_t ttl_s;
    size_t n; /* records of the type asked for, CNAMEs followed */
    struct span rdata[RESOLVER_ANSWERS_MAX]; /* wire form, names not compressed */
    const char *canonical;                   /* owner after CNAMEs, no final dot */
};

struct resolver;
struct resolver_query;

struct resolver *resolver_new(struct loop *l, const struct resolver_config *cfg,
                              struct err *err);
/* Questions under way are forgotten. Not from inside an answer's callback. */
void resolver_free(struct resolver **r);
/* Ask. `name` in presentation form (A-labels). cb is called exactly once unless cancelled;
 * after `timeout_ms` with rcode -1. */
struct resolver_query *
resolver_ask(struct resolver *r, const char *name, uint16_t type, int64_t timeout_ms,
             void (*cb)(void *ctx, const struct resolver_answer *a), void *ctx);
void resolver_cancel(struct resolver_query **q);

#endif
