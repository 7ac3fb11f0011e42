/* SPDX-License-Identifier: ISC */
/* tests/bench/load/wire.h - a blocking connection of a load program, read by lines.
 *
 * Why:       the loads for SMTP and IMAP dial, send and read lines alike.
 * Ownership: the caller owns the struct; wire_init() once, then dial and hang up at will.
 * Threads:   one wire a thread. */
#ifndef TESTS_BENCH_LOAD_WIRE_H
#define TESTS_BENCH_LOAD_WIRE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/core/span.h"

enum { WIRE_ROOM = 1 << 16, WIRE_TIMEOUT_S = 20 };

struct wire {
    int fd;       /* -1: not connected */
    size_t at, n; /* unread octets are in[at, n) */
    uint8_t in[WIRE_ROOM];
};

void wire_init(struct wire *w);
/* "address" and port; false when it is none. */
bool wire_address(struct sockaddr_in *to, const char *address, unsigned long port);
/* False leaves it hung up. Waits for anything end after WIRE_TIMEOUT_S. */
bool wire_dial(struct wire *w, const struct sockaddr_in *to);
void wire_hang_up(struct wire *w);

bool wire_send(struct wire *w, struct span octets);
/* One line without its CRLF, good until the next call. False: the connection is gone, or the
 * line is longer than the room. */
bool wire_line(struct wire *w, struct span *line);
/* The next `n` octets in one piece, good until the next call; at most the room. */
bool wire_take(struct wire *w, size_t n, struct span *octets);
/* One whole SMTP reply: its code, or 0 when the connection is gone. */
int wire_smtp_reply(struct wire *w);

#endif
