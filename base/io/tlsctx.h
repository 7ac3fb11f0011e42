/* SPDX-License-Identifier: ISC */
/* base/io/tlsctx.h - certificates and TLS policy, shared by many connections.
 *
 * TLS 1.2 and up, no compression, no renegotiation, session tickets on. Reload replaces
 * the certificate for new handshakes; running connections keep what they have.
 * Threads: the loop's thread. */
#ifndef BASE_IO_TLSCTX_H
#define BASE_IO_TLSCTX_H

#include "base/core/attr.h"
#include "base/core/err.h"

struct tlsctx;

/* Server side, from PEM files: a chain and its private key. NULL with *err. */
struct tlsctx *tlsctx_new_server(const char *chain_pem_path, const char *key_pem_path,
                                 struct err *err);
/* Client side. `ca_path` NULL: the system's. Opportunistic use does not verify. */
struct tlsctx *tlsctx_new_client(const char *ca_pem_path, struct err *err);
/* Load the files again; on failure the old certificate stays. */
MUST_USE int tlsctx_reload(struct tlsctx *t, struct err *err);
void tlsctx_free(struct tlsctx **t);

#endif
