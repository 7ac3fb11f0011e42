/* SPDX-License-Identifier: ISC */
/* maild/edge/edge_int.h - what the files of the edge role share.
 *
 * Why:       every listening protocol up to login runs here: smtp_driver.c for the three
 *            SMTP services, imap_login.c for the two IMAP ones. They share the listeners,
 *            the limits, the TLS context and the channels of the role, nothing else.
 * Ownership: edge.c makes and frees struct edge; a protocol owns its sessions.
 * Threads:   the role's loop. */
#ifndef MAILD_EDGE_EDGE_INT_H
#define MAILD_EDGE_EDGE_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/conf/conf.h"
#include "base/core/ipaddr.h"
#include "base/core/list.h"
#include "base/io/pool.h"
#include "base/io/tlsctx.h"
#include "maild/edge/limits.h"
#include "maild/roles.h"

struct edge;
struct smtp_policy;

/* An accepted connection, before any protocol has seen it. */
struct edge_client {
    int fd; /* the protocol owns it from now on (conn_accept) */
    enum conf_service service;
    struct ipaddr peer; /* IPv4-mapped addresses are shown as IPv4 */
    uint16_t peer_port;
    bool is_full; /* a limit is passed: say so in the protocol's words and close */
};

/* The part of a session that edge must know; first thing a protocol embeds in its own
 * session. Every client that is not full holds a place (maild/edge/limits.h) and must be
 * given to edge_session_begin(); edge_session_end() gives the place back. Between them the
 * session is on the role's list and may be asked to stop. */
struct edge_session {
    struct list link;
    struct ipaddr peer;
    struct edge *edge;
    bool is_counted;
    /* The role stops: finish what is being answered, say goodbye (421, BYE), close. */
    void (*stop)(struct edge_session *s);
    /* The role is being freed: close at once and free the session. */
    void (*kill)(struct edge_session *s);
};

struct edge {
    struct role_env *env;
    struct tlsctx *tls; /* NULL: no certificate is configured; STARTTLS is not offered */
    struct limits *limits;
    struct list sessions; /* of struct edge_session */
    size_t session_count;
    struct pool *disk;    /* writes of bodies that outgrew memory */
    bool allow_cleartext; /* conf allow_cleartext_login */
    bool
        is_serving; /* queue, directory and mailboxes were all there once: let clients in */
    bool is_stopping;
    struct smtp_policy *policies;  /* smtp_driver.c's, by enum conf_service */
    struct list listeners;         /* edge.c's, as is what follows */
    struct loop_timer *stop_timer; /* then sessions still open are closed */
    uint64_t stop_call;            /* of the parent, to be answered when all have gone */
    size_t stop_told;
};

void edge_session_begin(struct edge *e, struct edge_session *s,
                        const struct edge_client *c);
/* Last thing a protocol does with its session; it may free it afterwards. */
void edge_session_end(struct edge_session *s);

/* maild/edge/smtp_driver.c: what is the same for all sessions, from the configuration. */
void smtp_driver_start(struct edge *e);
void smtp_driver_stop(struct edge *e);
/* A first certificate has come: offer STARTTLS from now on. */
void smtp_driver_reload(struct edge *e);
/* A connection on an smtp, submission or submissions port. */
void smtp_driver_accept(struct edge *e, const struct edge_client *c);
/* maild/edge/imap_login.c: a connection on an imap (STARTTLS) or imaps port. With
 * c->is_full it answers "* BYE [UNAVAILABLE] ..." and closes. */
void imap_login_accept(struct edge *e, const struct edge_client *c);

#endif
