/* SPDX-License-Identifier: ISC */
/* base/io/tlsctx_int.h - what conn needs of a tlsctx. */
#ifndef BASE_IO_TLSCTX_INT_H
#define BASE_IO_TLSCTX_INT_H

#include <openssl/ssl.h>

#include "base/io/tlsctx.h"

/* A new session under the current certificate. NULL when OpenSSL has no memory. */
SSL *tlsctx_session(struct tlsctx *t);

#endif
