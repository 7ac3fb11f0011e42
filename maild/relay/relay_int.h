/* SPDX-License-Identifier: ISC */
/* maild/relay/relay_int.h - what relay.c (the role) and job.c (one RELAY) share. */
#ifndef MAILD_RELAY_RELAY_INT_H
#define MAILD_RELAY_RELAY_INT_H

#include "base/core/list.h"
#include "base/io/pool.h"
#include "base/io/tlsctx.h"
#include "maild/ipc_msgs.h"
#include "maild/relay/mx.h"
#include "maild/roles.h"

enum {
    RELAY_ACTIVE_MAX = 200,  /* jobs with connections */
    RELAY_DOMAIN_MAX = 20,   /* of them to one domain */
    RELAY_WAITING_MAX = 5000 /* jobs that wait for a place, each holds a descriptor */
};

struct relay {
    struct role_env *env;
    struct tlsctx *tls;
    struct pool *pool; /* reads messages */
    uint16_t port;
    struct mx_self self;
    struct ipaddr *own_addrs;
    struct ipaddr source_v4, source_v6; /* family 0: any */
    struct list active, waiting;
    size_t n_active, n_waiting;
    struct loop_timer *next; /* lets waiting jobs begin, outside the end of another */
    struct loop_timer
        *away;        /* the resolver has gone: how long its return is waited for */
    bool is_given_up; /* that time is over */
};

struct relay_job;

/* Decode a RELAY. NULL when it is malformed; in->fd then is still the caller's. */
struct relay_job *relay_job_new(struct relay *r, struct ipc *queue,
                                const struct ipc_in *in);
/* Begin; job_done() in relay.c is called once, later. */
void relay_job_start(struct relay_job *j);
void relay_job_free(struct relay_job **j);
const char *relay_job_domain(const struct relay_job *j);
struct list *relay_job_link(struct relay_job *j);
struct relay_job *relay_job_of_link(struct list *link);
/* Answer everything "later" with `text` without having tried. */
void relay_job_refuse(struct relay_job *j, const char *text);

/* The resolver is back, or will not be waited for: ask again what waits for it. */
void relay_job_resolver(struct relay_job *j);

/* relay.c: the resolver is away and may be back soon. */
bool relay_awaits_resolver(const struct relay *r);
/* `j` has answered; frees it, and a waiting one begins soon. */
void relay_job_done(struct relay *r, struct relay_job *j);

#endif
