/* SPDX-License-Identifier: ISC */
/* maild/edge/received.h - the Received field of a message we take (RFC 5321 4.4).
 *
 * Why:       it is what people and programs follow a message by, hop by hop.
 * Ownership: appends to the caller's buffer.
 * Threads:   values.
 * Pure:      the time is an argument. */
#ifndef MAILD_EDGE_RECEIVED_H
#define MAILD_EDGE_RECEIVED_H

#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/ipaddr.h"

struct received {
    const char *helo;        /* as given; is checked here */
    const struct ipaddr *ip; /* of the client */
    const char *rdns;        /* its confirmed name, or NULL */
    const char *by;          /* our host name */
    const char *with;        /* ESMTP, ESMTPS, ... (RFC 3848) */
    const char *tls;         /* protocol and cipher, or NULL */
    const char *id;
    const char *rcpt; /* the recipient when there is just one, else NULL (RFC 5321 7.2) */
    int64_t now_s;
};

/* The whole field with CRLF at each line's end. 0, or -1 at the ceiling of `out`. */
MUST_USE int received_print(const struct received *r, struct buf *out);

#endif
