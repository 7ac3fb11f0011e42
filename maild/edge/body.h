/* SPDX-License-Identifier: ISC */
/* maild/edge/body.h - the octets of a message on their way in.
 *
 * Why:       small messages should touch no file, large ones no more than a little memory,
 *            and a slow disk must slow down its own client only.
 * Ownership: the session holds it; body_free() may come at any time, also while the disk is
 *            at work.
 * Threads:   the role's loop; writes run on the role's pool.
 *
 * Up to BODY_MEMORY_MAX octets stay in memory. Then queue is asked for a file and
 * the octets go there in pieces, one write at a time. While body_is_busy() the driver takes
 * no more octets from the client. */
#ifndef MAILD_EDGE_BODY_H
#define MAILD_EDGE_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/msgid.h"
#include "base/core/span.h"
#include "maild/edge/edge_int.h"

#define BODY_MEMORY_MAX (64u * 1024u)

struct body;

/* `ready` is called each time the body stops being busy. */
struct body *body_new(struct edge *e, const struct msgid *id, void (*ready)(void *ctx),
                      void *ctx);
void body_free(struct body **b);
/* Take octets. Never refuses: after a fault it forgets them (body_fault). */
void body_append(struct body *b, struct span octets);
/* True while there is as much in memory as there should be, or a flush is under way. */
bool body_is_busy(const struct body *b);
/* All octets are there: write what is left. Afterwards, when not busy, the body is whole. */
void body_flush(struct body *b);
uint64_t body_size(const struct body *b);
/* The octets in memory, empty when they are in the file. */
struct span body_memory(const struct body *b);
/* The file, or -1. Stays the body's. */
int body_fd(const struct body *b);
/* NULL, or what went wrong: the reply text for the client. */
const char *body_fault(const struct body *b);

#endif
