/* SPDX-License-Identifier: ISC */
/* maild/queue/prepare.h - what a submission server adds to and takes from a message.
 *
 * Why:       RFC 6409 8 lets the submission server complete what a user's program left out,
 *            before the signature is made; mail of strangers is never touched.
 * Ownership: borrows the message; the new header is appended to the caller's buffer.
 * Threads:   values; runs in a pool job.
 * Pure:      time and id are arguments. */
#ifndef MAILD_QUEUE_PREPARE_H
#define MAILD_QUEUE_PREPARE_H

#include <stddef.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/msgid.h"
#include "base/core/span.h"

#define PREPARE_DOMAIN_MAX 255
/* Largest header of a submission: it has to fit into a question to the signer. */
#define PREPARE_HEADER_MAX (60u * 1024u)

enum prepare_result {
    PREPARE_OK,
    PREPARE_TOO_LONG, /* header over PREPARE_HEADER_MAX: 552 5.3.4 */
    PREPARE_NO_FROM,  /* no From field that names an address: 550 5.6.0 */
};

/* New header of a message that begins with `octets` (at least the whole header; the empty
 * line is the last thing appended): Bcc and Return-Path taken out (RFC 5322 3.6.3, RFC 5321
 * 4.4), Date and Message-ID added when missing.
 * skip   out: octets of the message that `header` replaces
 * from   out: domain of the first From address, lower case, "" when there is none */
enum prepare_result prepare_header(struct span octets, int64_t now_s,
                                   const struct msgid *id, const char *hostname,
                                   struct buf *header, size_t *skip,
                                   char from[PREPARE_DOMAIN_MAX + 1]);

/* What the trace remembers of a header. Texts are cut to fit and made printable. */
struct prepare_digest {
    char message_id[256]; /* without <> */
    char from[256];       /* the first address */
    char subject[256];    /* unfolded, encoded words as they are */
};
void prepare_digest(struct span octets, struct prepare_digest *d);

#endif
