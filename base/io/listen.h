/* SPDX-License-Identifier: ISC */
/* base/io/listen.h - TCP listening sockets and fair accepting.
 *
 * Why:       "port taken" must name the service and the port; a flood of connections must
 *            not starve those that are served; running out of descriptors must not spin.
 * Ownership: listen_open gives a descriptor to the caller; listener_new takes it over.
 *            An accepted descriptor belongs to the callback.
 * Threads:   the loop's thread. */
#ifndef BASE_IO_LISTEN_H
#define BASE_IO_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/ipaddr.h"
#include "base/io/loop.h"

struct listener;

/* Bind and listen: non-blocking, close-on-exec, SO_REUSEADDR; IPv6 sockets take IPv6 only.
 * Family 0 (`*`) listens on all IPv6 and IPv4 addresses with one socket. Port 0 takes a free
 * one (listen_port). `service` is for messages: "smtp 127.0.0.1:2525: port taken by another
 * program". Returns the descriptor or -1 with *err. */
MUST_USE int listen_open(const char *service, const struct ipaddr *addr, uint16_t port,
                         struct err *err);
/* The port a listening descriptor is bound to. */
uint16_t listen_port(int fd);

/* `fd` is an accepted, non-blocking, close-on-exec stream that the callback owns. IPv4
 * peers of a `*` socket arrive as IPv4. */
typedef void (*listener_fn)(void *ctx, int fd, const struct ipaddr *peer, uint16_t port);

/* Accept on `fd`, at most 16 connections a wake-up. Without free descriptors it rests for
 * a moment (logged as listen.exhausted) and tries again. `service` outlives the listener. */
struct listener *listener_new(struct loop *l, int fd, const char *service, listener_fn cb,
                              void *ctx);
/* Stop and go on accepting (a ceiling of connections was reached); the kernel queues. */
void listener_pause(struct listener *s, bool is_paused);
/* Closes the descriptor. */
void listener_free(struct listener **s);

#endif
