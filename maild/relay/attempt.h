/* SPDX-License-Identifier: ISC */
/* maild/relay/attempt.h - one connection to one address with one message.
 *
 * Why:       the driver between conn (octets, TLS, deadlines) and the SMTP client machine
 *            (who said what); it decides nothing about recipients itself.
 * Ownership: the attempt owns its connection and its machine; job and body are borrowed.
 * Threads:   the loop's thread. */
#ifndef MAILD_RELAY_ATTEMPT_H
#define MAILD_RELAY_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/ipaddr.h"
#include "base/io/loop.h"
#include "base/io/tlsctx.h"
#include "maild/relay/blobread.h"
#include "maild/smtp/client.h"

#define ATTEMPT_CONNECT_MS 30000

struct attempt;

struct attempt_to {
    struct loop *loop;
    struct tlsctx *tls;
    const char *host; /* for SNI and texts */
    struct ipaddr addr;
    uint16_t port;
    const struct ipaddr *source; /* NULL: any */
    const struct smtp_client_job *job;
    struct blobread *body;
};

/* Over: the results stand in attempt_client(). Called once, from the loop; free it then. */
typedef void (*attempt_done_fn)(void *ctx);

struct attempt *attempt_new(const struct attempt_to *to, attempt_done_fn done, void *ctx);
/* Breaks the connection off if it is not over. */
void attempt_free(struct attempt **a);

const struct smtp_client *attempt_client(const struct attempt *a);
/* Did the peer say anything at all? */
bool attempt_was_greeted(const struct attempt *a);
/* Why TLS failed to begin: the same address may be tried in clear. NULL when it did not. */
const char *attempt_tls_failure(const struct attempt *a);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384", "" in clear. */
const char *attempt_tls(const struct attempt *a);
/* "mx.example[192.0.2.1]:25" */
const char *attempt_peer(const struct attempt *a);

#endif
