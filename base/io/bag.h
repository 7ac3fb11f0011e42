/* SPDX-License-Identifier: ISC */
/* base/io/bag.h - what a role is handed before it is confined.
 *
 * Why:       a confined role opens no port, no certificate and no socket file. Whoever may
 *            (the parent) opens them and puts them, with a name, into the role's bag.
 * Ownership: the bag owns its descriptors until bag_take(); the caller owns the bag.
 * Threads:   one owner at a time.
 *
 * A bag travels over a SOCK_SEQPACKET socket one item a datagram, followed by an end mark.
 * Several items may have the same name; they keep their order. */
#ifndef BASE_IO_BAG_H
#define BASE_IO_BAG_H

#include <stddef.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/span.h"

#define BAG_NAME_MAX 32   /* octets, the NUL included */
#define BAG_TEXT_MAX 1024 /* octets of an item's text */

struct bag {
    struct bag_item *items;
    size_t n, cap;
};

void bag_init(struct bag *b);
/* Close what is still in it. */
void bag_free(struct bag *b);

/* Add an item: `text` (at most BAG_TEXT_MAX octets, copied, may be empty) and `fd`, which
 * the bag owns from now on (-1 for none). */
void bag_add(struct bag *b, const char *name, struct span text, int fd);
/* How many items have this name. */
size_t bag_count(const struct bag *b, const char *name);
/* The i-th item of this name: its descriptor, still the bag's; -1 when there is none. */
int bag_fd(const struct bag *b, const char *name, size_t i);
/* The same, but the caller owns the descriptor from now on. */
int bag_take(struct bag *b, const char *name, size_t i);
/* The i-th item's text, borrowed; empty when there is none. A NUL that is not counted stands
 * behind it. */
struct span bag_text(const struct bag *b, const char *name, size_t i);

/* Sealed memory with these octets, to be put into a bag or a message: nobody can change it
 * any more. The descriptor, or -1 with *err. */
MUST_USE int bag_memory(const char *name, struct span octets, struct err *err);
/* Map what bag_memory() made (not longer than `max`), read-only. Refused when it is not
 * sealed against writing and shrinking: a map that shrinks would end us. Unmap with
 * munmap(). 0, or -1 with *err. */
MUST_USE int bag_map(int fd, size_t max, struct span *octets, struct err *err);

/* Send all items and the end mark over `sock`; waits as long as it takes. The bag keeps
 * its descriptors. 0, or -1 with *err. */
MUST_USE int bag_send(const struct bag *b, int sock, struct err *err);
/* Receive into an empty bag up to the end mark; waits. 0, or -1 with *err. */
MUST_USE int bag_receive(struct bag *b, int sock, struct err *err);

#endif
