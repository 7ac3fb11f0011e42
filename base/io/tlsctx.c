/* SPDX-License-Identifier: ISC */
/* base/io/tlsctx.c - one SSL_CTX made our way; replaced as a whole by a reload.
 *
 * Whatever a context needs is read when it is made and kept by OpenSSL: a confined process
 * has neither the files of its certificate nor the folder of the system's authorities. The
 * PEM text itself is wiped as soon as it is loaded. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/core/mem.h"
#include "base/io/tlsctx_int.h"

#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt" /* Debian's and most others' */

struct tlsctx {
    SSL_CTX *ctx;
    bool is_server;
    struct buf pem;    /* server: chain and key, only while they are loaded */
    char *chain, *key; /* server: their files, for messages and to read them again */
    char *ca;          /* client, or NULL */
};

/* The oldest entry of OpenSSL's error queue is the cause. Always -1. */
static int ssl_fail(struct err *err, const char *what, const char *path)
{
    unsigned long code = ERR_get_error();
    const char *reason = ERR_reason_error_string(code);

    ERR_clear_error();
    return err_set(err, "%s%s%s: %s", what, *path != '\0' ? " " : "", path,
                   reason != NULL ? reason : "not in PEM form");
}

/* One file behind what is in `pem` already, with a line end between them. */
static int read_file(const char *what, const char *path, struct buf *pem, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 1;
    int rc = 0;

    if (fd == -1)
        return err_sys(err, "%s %s", what, path);
    while (rc == 0 && n > 0) {
        if (buf_reserve(pem, 4096) == -1)
            rc = err_set(err, "%s %s: more than %u octets", what, path, TLSCTX_PEM_MAX);
        else if ((n = read(fd, pem->data + pem->len, 4096)) == -1)
            rc = err_sys(err, "%s %s", what, path);
        else
            pem->len += (size_t)n;
    }
    (void)close(fd);
    return rc == 0 ? buf_byte(pem, '\n') : -1;
}

int tlsctx_read(const char *chain_path, const char *key_path, struct buf *pem,
                struct err *err)
{
    if (read_file("certificate", chain_path, pem, err) == -1)
        return -1;
    return read_file("private key", key_path, pem, err);
}

static BIO *bio_of(struct span pem)
{
    return pem.n <= TLSCTX_PEM_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
}

/* The first certificate is ours, the others lead to its authority. */
static int use_chain(SSL_CTX *ctx, struct span pem)
{
    BIO *in = bio_of(pem);
    X509 *cert = in != NULL ? PEM_read_bio_X509_AUX(in, NULL, NULL, NULL) : NULL;
    int rc = cert != NULL && SSL_CTX_use_certificate(ctx, cert) == 1 ? 0 : -1;

    X509_free(cert);
    while (rc == 0 && (cert = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL)
        if (SSL_CTX_add0_chain_cert(ctx, cert) != 1) {
            X509_free(cert);
            rc = -1;
        }
    if (rc == 0)
        ERR_clear_error(); /* "no start line" is how the end is told */
    BIO_free(in);
    return rc;
}

static int use_key(SSL_CTX *ctx, struct span pem)
{
    BIO *in = bio_of(pem);
    EVP_PKEY *key = in != NULL ? PEM_read_bio_PrivateKey(in, NULL, NULL, NULL) : NULL;
    int rc = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1 ? 0 : -1;

    EVP_PKEY_free(key);
    BIO_free(in);
    return rc;
}

static int load_certificate(SSL_CTX *ctx, const struct tlsctx *t, struct err *err)
{
    struct span pem = buf_all(&t->pem);

    if (use_chain(ctx, pem) == -1)
        return ssl_fail(err, "certificate", t->chain);
    if (use_key(ctx, pem) == -1)
        return ssl_fail(err, "private key", t->key);
    if (SSL_CTX_check_private_key(ctx) != 1) {
        ERR_clear_error();
        return err_set(err, "private key %s does not belong to certificate %s", t->key,
                       t->chain);
    }
    return 0;
}

/* The system's authorities are taken from the one file that has them all, and now: looking
 * them up in a folder when they are needed is not for a process without files. */
static int load_authorities(SSL_CTX *ctx, const struct tlsctx *t, struct err *err)
{
    const char *ca = t->ca != NULL ? t->ca : SYSTEM_CA;

    if (t->ca == NULL && access(ca, R_OK) == -1)
        return SSL_CTX_set_default_verify_file(ctx) == 1
                   ? 0
                   : ssl_fail(err, "load", "the system's certificate authorities");
    if (access(ca, R_OK) == -1)
        return err_sys(err, "certificate authority %s", ca);
    return SSL_CTX_load_verify_file(ctx, ca) == 1
               ? 0
               : ssl_fail(err, "certificate authority", ca);
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

static void forget_pem(struct tlsctx *t)
{
    if (t->pem.len > 0)
        OPENSSL_cleanse(t->pem.data, t->pem.len);
    buf_free(&t->pem);
}

/* What make() finds in `pem` replaces what is there. */
static int swap(struct tlsctx *t, struct err *err)
{
    SSL_CTX *fresh = make(t, err);

    forget_pem(t);
    if (fresh == NULL)
        return -1;
    SSL_CTX_free(t->ctx); /* sessions under way hold their own reference */
    t->ctx = fresh;
    return 0;
}

static struct tlsctx *server_new(const char *chain, const char *key)
{
    struct tlsctx *t = mem_new(1, sizeof(*t));

    t->is_server = true;
    t->chain = mem_strdup(chain);
    t->key = mem_strdup(key);
    buf_init(&t->pem, TLSCTX_PEM_MAX + 2);
    return t;
}

struct tlsctx *tlsctx_new_server_pem(struct span pem, struct err *err)
{
    struct tlsctx *t = server_new("", "");

    if (tlsctx_replace(t, pem, err) == -1)
        tlsctx_free(&t);
    return t;
}

int tlsctx_replace(struct tlsctx *t, struct span pem, struct err *err)
{
    if (buf_span(&t->pem, pem) == -1)
        return err_set(err, "certificate and key have more than %u octets",
                       TLSCTX_PEM_MAX);
    return swap(t, err);
}

struct tlsctx *tlsctx_new_server(const char *chain_pem_path, const char *key_pem_path,
                                 struct err *err)
{
    struct tlsctx *t = server_new(chain_pem_path, key_pem_path);

    if (tlsctx_reload(t, err) == -1)
        tlsctx_free(&t);
    return t;
}

int tlsctx_reload(struct tlsctx *t, struct err *err)
{
    if (tlsctx_read(t->chain, t->key, &t->pem, err) == -1) {
        forget_pem(t);
        return -1;
    }
    return swap(t, err);
}

struct tlsctx *tlsctx_new_client(const char *ca_pem_path, struct err *err)
{
    struct tlsctx *t = mem_new(1, sizeof(*t));

    if (ca_pem_path != NULL)
        t->ca = mem_strdup(ca_pem_path);
    return begin(t, err);
}

void tlsctx_free(struct tlsctx **tp)
{
    struct tlsctx *t = *tp;

    if (t == NULL)
        return;
    *tp = NULL;
    SSL_CTX_free(t->ctx);
    if (t->is_server)
        forget_pem(t);
    free(t->chain);
    free(t->key);
    free(t->ca);
    free(t);
}

SSL *tlsctx_session(struct tlsctx *t)
{
    return SSL_new(t->ctx);
}
