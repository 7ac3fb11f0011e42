/* SPDX-License-Identifier: ISC */
/* base/msg/address.h - mail addresses: the strict one of SMTP and the lenient list of a
 * header field.
 *
 * Why:       an SMTP path must match RFC 5321 to the octet, for what we let in we send on;
 *            a From or To field comes as people and programs wrote it and must still be
 *            shown. Two grammars, two parsers, one file, so that nobody mixes them up.
 * Ownership: mailbox_parse borrows; address lists are made in the caller's arena.
 * Threads:   values.
 * Pure:      no I/O, no clock, no globals. */
#ifndef BASE_MSG_ADDRESS_H
#define BASE_MSG_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/span.h"

#define MAILBOX_LOCAL_MAX  64  /* RFC 5321 4.5.3.1.1, octets as written */
#define MAILBOX_DOMAIN_MAX 255 /* RFC 5321 4.5.3.1.2 */
#define MAILBOX_PATH_MAX   256 /* RFC 5321 4.5.3.1.3, with the angle brackets */

/* One RFC 5321 4.1.2 Mailbox, as it stood. */
struct mailbox {
    struct span local;  /* with its quotes when is_quoted */
    struct span domain; /* host name, or the literal with its brackets */
    bool is_quoted;
    bool is_literal; /* [192.0.2.1] or [IPv6:...], checked to be an address */
};

enum mailbox_result {
    MAILBOX_OK,
    MAILBOX_SYNTAX,      /* no Mailbox begins here */
    MAILBOX_NOT_ASCII,   /* would need SMTPUTF8 (RFC 6531) */
    MAILBOX_LOCAL_LONG,  /* local part over 64 octets */
    MAILBOX_DOMAIN_LONG, /* domain over 255 octets or a label over 63 */
    MAILBOX_DOMAIN_BAD   /* not a host name (RFC 5321 4.1.2) nor an address literal */
};

/* Take a Mailbox from the front of `in`; *used is where it ends. Strict: a dot-string or a
 * quoted string, "@", a host name of letters, digits and hyphens or an address literal. */
enum mailbox_result mailbox_parse(struct span in, struct mailbox *m, size_t *used);
/* The same, and nothing may follow. */
enum mailbox_result mailbox_parse_all(struct span in, struct mailbox *m);
/* Take a local part alone ("<postmaster>", alias names). */
enum mailbox_result mailbox_parse_local(struct span in, struct span *local, size_t *used);
/* Host name syntax of RFC 5321 4.1.2: labels of letters, digits, inner hyphens, at most 63
 * octets each, 255 together; one final dot is not allowed. */
bool mailbox_domain_ok(struct span domain);
/* "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 4.1.3). */
bool mailbox_literal_ok(struct span literal);

/* Append the one text that names this mailbox: quoting only where the local part needs it,
 * the domain in lower case, the local part's letters as they were (RFC 5321 2.4). 0, or -1
 * at the ceiling of `out`. */
MUST_USE int mailbox_print(const struct mailbox *m, struct buf *out);
/* The same from a local part without quoting, as address lists give it. */
MUST_USE int mailbox_print_parts(struct span local, struct span domain, struct buf *out);

/* One element of an RFC 5322 3.4 address list, in the shape IMAP shows it (RFC 3501 7.4.2).
 * Every text is unfolded, without comments and quotes; encoded words stay as they are.
 * Absent parts have p == NULL; present but empty ones have p != NULL and n == 0. */
struct address {
    enum address_kind {
        ADDRESS_MAILBOX,
        ADDRESS_GROUP_BEGIN, /* name = the group's */
        ADDRESS_GROUP_END
    } kind;
    struct span name;   /* display name; else the last comment, as in "a@b (Anna)" */
    struct span route;  /* obsolete source route "@a,@b" */
    struct span local;  /* quotes removed */
    struct span domain; /* p == NULL when there was no "@" */
};

#define ADDRESS_LIST_MAX 4096 /* elements; more are left out and is_clean is false */

struct address_list {
    struct address *v;
    size_t n;
    bool is_clean; /* every octet was RFC 5322 (obsolete forms included) */
};

/* Read the value of From, To, Reply-To and the like. Never fails: what cannot be read is
 * skipped up to the next comma and is_clean becomes false; at the arena's ceiling the rest
 * is left out. */
void address_list_parse(struct span value, struct arena *a, struct address_list *list);

#endif
