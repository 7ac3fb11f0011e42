/* SPDX-License-Identifier: ISC */
/* maild/smtp/replyparse.h - one reply of an SMTP server from the front of what came in.
 *
 * Why:       what a peer said goes into bounces and the trace, so its words are kept; what
 *            it may make us hold is bounded.
 * Ownership: borrows the input.
 * Pure:      no I/O, no clock, no globals.
 *
 * Lenient where servers are known to be sloppy (a bare LF ends a line, a code without text,
 * text longer than 512 octets); strict where it matters: every line of a reply carries the
 * same code (RFC 5321 4.2.1). */
#ifndef MAILD_SMTP_REPLYPARSE_H
#define MAILD_SMTP_REPLYPARSE_H

#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/span.h"

#define REPLYPARSE_MAX 16384 /* octets of one reply, all lines */

enum replyparse_result {
    REPLYPARSE_OK,
    REPLYPARSE_MORE,
    REPLYPARSE_BAD,     /* not an SMTP reply */
    REPLYPARSE_TOO_LONG /* more than REPLYPARSE_MAX without an end */
};

struct smtp_peer_reply {
    uint16_t code;      /* 200..599 */
    struct span status; /* "5.1.1" of the first line (RFC 2034), or empty */
    struct span lines;  /* the whole reply; walk it with replyparse_line() */
};

/* Take one reply, all its lines. `used`: octets to drop, set on REPLYPARSE_OK. The result
 * does not depend on how the octets were cut. */
enum replyparse_result replyparse_next(struct span in, struct smtp_peer_reply *r,
                                       size_t *used);
/* Next line's text, without code, separator and line end. False at the end. */
bool replyparse_line(struct span *lines, struct span *text);
/* Append the reply as one line for people: "550 5.1.1 No such user; see policy". Code and
 * enhanced code once; anything but printable ASCII and UTF-8 becomes '?'; cut at `max`
 * octets. */
void replyparse_print(const struct smtp_peer_reply *r, size_t max, struct buf *out);

#endif
