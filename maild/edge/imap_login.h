/* SPDX-License-Identifier: ISC */
/* maild/edge/imap_login.h - IMAP until login: what the network may reach without a password.
 *
 * Why:       hostile octets are parsed here, where there is no mail; after login the session
 *            goes on in the mailbox role and edge only carries octets between TLS and it.
 * Ownership: a session owns its connection, then its pump.
 * Threads:   the role's loop.
 *
 * The entry point is imap_login_accept() of maild/edge/edge_int.h. The protocol itself is
 * maild/imap/session.h, the same machine as after login, in the state "not authenticated". */
#ifndef MAILD_EDGE_IMAP_LOGIN_H
#define MAILD_EDGE_IMAP_LOGIN_H

#include "maild/edge/edge_int.h"

#define IMAP_LOGIN_TRIES    3    /* wrong passwords before the connection is closed */
#define IMAP_LOGIN_DELAY_MS 2000 /* before a wrong password is answered */

#endif
