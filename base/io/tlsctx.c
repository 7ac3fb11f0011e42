/* SPDX-License-Identifier: ISC */
/* base/io/tlsctx.c - one SSL_CTX made our way; replaced as a whole by a reload. */
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/core/mem.h"
#include "base/io/tlsctx_int.h"

struct tlsctx {
    SSL_CTX *ctx;
    bool is_server;
    char *chain, *key; /* server */
    char *ca;          /* client, or NULL */
};

/* The oldest entry of OpenSSL's error queue is the cause. Always -1. */
static int ssl_fail(struct err *err, const char *what, const char *path)
{
    unsigned long code = ERR_get_error();
    const char *reason = ERR_reason_error_string(code);

    ERR_clear_error();
    return err_set(err, "%s %s: %s", what, path,
                   reason != NULL ? reason : "not in PEM form");
}

static int load_certificate(SSL_CTX *ctx, const struct tlsctx *t, struct err *err)
{
    /* OpenSSL says "system lib" for a missing file; errno says it better. */
    if (access(t->chain, R_OK) == -1)
        return err_sys(err, "certificate %s", t->chain);
    if (access(t->key, R_OK) == -1)
        return err_sys(err, "private key %s", t->key);
    if (SSL_CTX_use_certificate_chain_file(ctx, t->chain) != 1)
        return ssl_fail(err, "certificate", t->chain);
    if (SSL_CTX_use_PrivateKey_file(ctx, t->key, SSL_FILETYPE_PEM) != 1)
        return ssl_fail(err, "private key", t->key);
    if (SSL_CTX_check_private_key(ctx) != 1) {
        ERR_clear_error();
        return err_set(err, "private key %s does not belong to certificate %s", t->key,
                       t->chain);
    }
    return 0;
}

static int load_authorities(SSL_CTX *ctx, const struct tlsctx *t, struct err *err)
{
    if (t->ca == NULL)
        return SSL_CTX_set_default_verify_paths(ctx) == 1
                   ? 0
                   : ssl_fail(err, "load", "the system's certificate authorities");
    if (access(t->ca, R_OK) == -1)
        return err_sys(err, "certificate authority %s", t->ca);
    return SSL_CTX_load_verify_file(ctx, t->ca) == 1
               ? 0
               : ssl_fail(err, "certificate authority", t->ca);
}

static SSL_CTX *make(const struct tlsctx *t, struct err *err)
{
    static const unsigned char context[] = "signpost";
    SSL_CTX *ctx = SSL_CTX_new(t->is_server ? TLS_server_method() : TLS_client_method());

    if (ctx == NULL) {
        (void)ssl_fail(err, "start", "TLS");
        return NULL;
    }
    (void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    /* Many mail programs close without close_notify. The mail protocols mark their own
     * ends, so a cut stream is noticed there and not worth an error here. */
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE |
                                       SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                    SSL_MODE_RELEASE_BUFFERS);
    /* Tickets need no memory here; a cache would. */
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_session_id_context(ctx, context, sizeof(context) - 1);
    if ((t->is_server ? load_certificate(ctx, t, err) : load_authorities(ctx, t, err)) ==
        -1) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static struct tlsctx *begin(struct tlsctx *t, struct err *err)
{
    t->ctx = make(t, err);
    if (t->ctx == NULL)
        tlsctx_free(&t);
    return t;
}

struct tlsctx *tlsctx_new_server(const char *chain_pem_path, const char *key_pem_path,
                                 struct err *err)
{
    struct tlsctx *t = mem_new(1, sizeof(*t));

    t->is_server = true;
    t->chain = mem_strdup(chain_pem_path);
    t->key = mem_strdup(key_pem_path);
    return begin(t, err);
}

struct tlsctx *tlsctx_new_client(const char *ca_pem_path, struct err *err)
{
    struct tlsctx *t = mem_new(1, sizeof(*t));

    if (ca_pem_path != NULL)
        t->ca = mem_strdup(ca_pem_path);
    return begin(t, err);
}

int tlsctx_reload(struct tlsctx *t, struct err *err)
{
    SSL_CTX *fresh = make(t, err);

    if (fresh == NULL)
        return -1;
    SSL_CTX_free(t->ctx); /* sessions under way hold their own reference */
    t->ctx = fresh;
    return 0;
}

void tlsctx_free(struct tlsctx **tp)
{
    struct tlsctx *t = *tp;

    if (t == NULL)
        return;
    *tp = NULL;
    SSL_CTX_free(t->ctx);
    free(t->chain);
    free(t->key);
    free(t->ca);
    free(t);
}

SSL *tlsctx_session(struct tlsctx *t)
{
    return SSL_new(t->ctx);
}
