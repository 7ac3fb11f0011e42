/* SPDX-License-Identifier: ISC */
/* maild/relay/mx.h - which hosts take mail for a domain, in which order (RFC 5321 5.1).
 *
 * Why:       the rules about equal preferences, null MX, missing MX and our own host in the
 *            list are where mail loops and lost mail come from; here they are a function of
 *            the DNS answers alone.
 * Ownership: the caller owns the struct; everything is copied in.
 * Pure:      no I/O; randomness is an argument.
 *
 * Use: mx_init(); while it says MX_ASK_MX or MX_ASK_HOSTS, put the questions and hand in the
 * answers (mx_take_mx; then for each host mx_take_addrs for A and AAAA, and mx_set_ours for
 * those that are this system); then mx_decide() once and mx_target() from 0 on. */
#ifndef MAILD_RELAY_MX_H
#define MAILD_RELAY_MX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/ipaddr.h"
#include "base/core/rng.h"
#include "base/core/span.h"

#define MX_HOSTS_MAX   10 /* the best of the list */
#define MX_ADDRS_MAX   8  /* of one host and family */
#define MX_TARGETS_MAX 20 /* addresses tried for one message */
#define MX_NAME        256
#define MX_TEXT        512

enum mx_state {
    MX_ASK_MX,
    MX_ASK_HOSTS,
    MX_READY,
    MX_LATER, /* plan->text says why, as an SMTP reply: "451 4.4.3 ..." */
    MX_FAILED /* "550 5.1.2 ...", "556 5.1.10 ...", "554 5.4.6 ..." */
};

/* One DNS answer as the resolver gave it. */
struct mx_answer {
    int rcode; /* -1: none */
    bool is_bogus;
    size_t n;
    const struct span *rdata; /* wire form */
};

/* What this system is and can do. */
struct mx_self {
    const char *hostname;
    const struct ipaddr *addrs; /* its addresses on which outbound_port is served by us */
    size_t n_addrs;
    bool
        has_loopback; /* 127.0.0.0/8 and ::1 are served by us, too (a wildcard listener) */
    bool has_v4, has_v6; /* families that may be used */
};

struct mx_host {
    char name[MX_NAME];
    uint16_t preference;
    uint32_t lot; /* order among equals */
    struct ipaddr v4[MX_ADDRS_MAX], v6[MX_ADDRS_MAX];
    size_t n_v4, n_v6;
    bool is_ours, had_trouble;
};

struct mx_target {
    const char *host;
    struct ipaddr addr;
};

struct mx_plan {
    char domain[MX_NAME];
    const struct mx_self *self;
    struct mx_host hosts[MX_HOSTS_MAX];
    size_t n;
    bool is_implicit; /* no MX record: the domain itself (RFC 5321 5.1) */
    struct mx_target targets[MX_TARGETS_MAX];
    size_t n_targets;
    char text[MX_TEXT];
};

/* `domain`: A-labels or an address literal ([192.0.2.1]); `self` outlives the plan. */
MUST_USE enum mx_state mx_init(struct mx_plan *p, const char *domain,
                               const struct mx_self *self);
MUST_USE enum mx_state mx_take_mx(struct mx_plan *p, const struct mx_answer *a,
                                  struct rng *rng);
/* The addresses of hosts[i]; `type` is RR_A or RR_AAAA. */
void mx_take_addrs(struct mx_plan *p, size_t i, uint16_t type, const struct mx_answer *a);
/* hosts[i] is this system (its name is ours). */
void mx_set_ours(struct mx_plan *p, size_t i);
/* All answers are in: MX_READY with targets, or why not. */
MUST_USE enum mx_state mx_decide(struct mx_plan *p);

#endif
