/* SPDX-License-Identifier: ISC */
/* maild/given.h - what the parent opens for its roles and holds as long as it lives.
 *
 * Why:       roles open no port, no certificate and no socket file; and a port that the
 *            parent holds loses no client while a role is started anew: the kernel queues.
 * Ownership: the caller owns the struct; a bag gets duplicates.
 * Threads:   the parent's.
 *
 *     name      text                  descriptor                                  for
 *     listen    SERVICE ADDR:PORT     listening TCP socket, one for each port     edge
 *     tls       -                     memory: chain, then private key, PEM        edge
 *     control   path                  listening UNIX socket                       queue
 *     notify    path                  datagram socket for notices of changes      signer */
#ifndef MAILD_GIVEN_H
#define MAILD_GIVEN_H

#include "base/conf/conf.h"
#include "base/core/err.h"
#include "base/io/bag.h"
#include "maild/roles.h"

struct given;

/* Open all. NULL with *err: a port is taken, a certificate cannot be read ... */
struct given *given_open(const struct conf *c, struct err *err);
/* Closes and removes the socket files. */
void given_close(struct given **g);
/* Put into `bag` what role `r` gets. 0, or -1 with *err (no descriptors left). */
MUST_USE int given_fill(const struct given *g, enum role r, struct bag *bag,
                        struct err *err);
/* The configuration is `c` from now on (it outlives `g`; it may be the one it was): ports that
 * it adds are opened, ports that it leaves out are closed, the certificate is read again. Who
 * is given something from now on gets the new. On failure all stays as it was. */
MUST_USE int given_reload(struct given *g, const struct conf *c, struct err *err);
/* The descriptor of the certificate's memory, borrowed; -1 without certificate. */
int given_tls(const struct given *g);

#endif
