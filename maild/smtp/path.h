/* SPDX-License-Identifier: ISC */
/* maild/smtp/path.h - what stands behind MAIL FROM: and RCPT TO: (RFC 5321 4.1.2).
 *
 * Ownership: borrows.
 * Threads:   values.
 * Pure:      no I/O, no clock, no globals.
 *
 * Taken although not in the grammar, since it is common and harmless: blanks before the
 * path, and a mailbox without its angle brackets. Source routes are read and dropped, as
 * RFC 5321 4.1.1.3 wants. */
#ifndef MAILD_SMTP_PATH_H
#define MAILD_SMTP_PATH_H

#include <stdbool.h>

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/span.h"
#include "base/msg/address.h"

enum smtp_path_result {
    SMTP_PATH_OK,
    SMTP_PATH_SYNTAX,
    SMTP_PATH_NOT_ASCII, /* RFC 6531 is not offered */
    SMTP_PATH_LONG,      /* RFC 5321 4.5.3.1 */
    SMTP_PATH_DOMAIN     /* the domain is no host name and no address literal */
};

struct smtp_path {
    bool is_null;       /* <> */
    bool is_postmaster; /* <postmaster> without a domain; mailbox.domain is empty */
    struct mailbox mailbox;
};

/* Take a path from the front of `in`; *rest is what follows, parameters with the blank in
 * front of them, or nothing. */
enum smtp_path_result smtp_path_parse(struct span in, struct smtp_path *p,
                                      struct span *rest);
/* "", or local@domain as mailbox_print() writes it; <postmaster> gets `host` as its
 * domain. 0, or -1 at the ceiling of `out`. */
MUST_USE int smtp_path_print(const struct smtp_path *p, const char *host,
                             struct buf *out);

#endif
