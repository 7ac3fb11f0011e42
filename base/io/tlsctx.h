/* SPDX-License-Identifier: ISC */
/* base/io/tlsctx.h - certificates and TLS policy, shared by many connections.
 *
 * TLS 1.2 and up, no compression, no renegotiation, session tickets on. Reload replaces
 * the certificate for new handshakes; running connections keep what they have.
 * Threads: the loop's thread. */
#ifndef BASE_IO_TLSCTX_H
#define BASE_IO_TLSCTX_H

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/span.h"

#define TLSCTX_PEM_MAX (256u * 1024u) /* octets of chain and key together */

struct tlsctx;

/* Read a chain and its private key, PEM, into `pem` (its ceiling at least TLSCTX_PEM_MAX), one
 * behind the other: for who may read the files and hands them to who serves. */
MUST_USE int tlsctx_read(const char *chain_path, const char *key_path, struct buf *pem,
                         struct err *err);
/* Server side, from what tlsctx_read() gave: copied. NULL with *err. */
struct tlsctx *tlsctx_new_server_pem(struct span pem, struct err *err);
/* New handshakes use this certificate; on failure the old one stays. */
MUST_USE int tlsctx_replace(struct tlsctx *t, struct span pem, struct err *err);
/* Server side, from PEM files: a chain and its private key. NULL with *err. */
struct tlsctx *tlsctx_new_server(const char *chain_pem_path, const char *key_pem_path,
                                 struct err *err);
/* Client side. `ca_path` NULL: the system's. Opportunistic use does not verify. */
struct tlsctx *tlsctx_new_client(const char *ca_pem_path, struct err *err);
/* Load the files again; on failure the old certificate stays. */
MUST_USE int tlsctx_reload(struct tlsctx *t, struct err *err);
void tlsctx_free(struct tlsctx **t);

#endif
