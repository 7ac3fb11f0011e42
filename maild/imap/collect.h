/* SPDX-License-Identifier: ISC */
/* maild/imap/collect.h - gather one whole command, its literals included (RFC 3501 4.3).
 *
 * Why:       the parser wants all of a command at once; the client may send it an octet a
 *            minute, wait for "+" before each literal, or send ten commands in one packet.
 * Ownership: the collector owns what it gathered until collect_next().
 * Pure:      no I/O, no clock, no globals.
 *
 * Message literals of APPEND are not gathered: COLLECT_STREAM says that one begins, the
 * session takes its octets out of the input itself, then goes on feeding. */
#ifndef MAILD_IMAP_COLLECT_H
#define MAILD_IMAP_COLLECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/buf.h"
#include "base/core/span.h"

#define COLLECT_MAX (64u * 1024u) /* octets of one command, literals included */

enum collect_result {
    COLLECT_MORE,     /* all input taken; more is needed */
    COLLECT_CONTINUE, /* the client waits for a "+" line before its literal */
    COLLECT_STREAM, /* a literal of c->literal octets begins that is not to be gathered */
    COLLECT_DONE,   /* collect_text() is one command without its last line end */
    COLLECT_REFUSED, /* a waiting literal would pass the ceiling: say NO, nothing comes */
    COLLECT_OVERFLOW, /* the ceiling was passed: answer and close */
};

struct collect {
    struct buf text;
    size_t line;      /* where the line under way begins in text */
    size_t seg;       /* where the current APPEND segment begins in text */
    uint64_t literal; /* octets of the announced literal still to come */
    bool is_sync;     /* the announced literal waits for "+" */
    bool in_literal;
};

/* May the literal announced at the end of `seg`, the text since the last streamed literal,
 * be streamed? */
typedef bool (*collect_stream_fn)(void *ctx, struct span seg);

void collect_init(struct collect *c);
void collect_free(struct collect *c);
/* Feed from the front of `in`; *used octets were taken. */
enum collect_result collect_feed(struct collect *c, struct span in, size_t *used,
                                 collect_stream_fn stream, void *ctx);
/* After COLLECT_STREAM and the literal's octets: the rest of the command follows. */
void collect_streamed(struct collect *c);
struct span collect_text(const struct collect *c);
/* Text since the last streamed literal. */
struct span collect_segment(const struct collect *c);
/* Forget the command, be ready for the next. */
void collect_next(struct collect *c);

#endif
