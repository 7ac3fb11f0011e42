/* SPDX-License-Identifier: ISC */
/* base/crypto/selfca.c - see selfca.h.
 *
 * Two certificates from one builder: the authority signs itself, then the host's. Extensions
 * follow RFC 5280 4.2.1 so that strict verifiers (Go, rustls, iOS) accept the chain: the host
 * names stand in subjectAltName only, the common name is for people. */
#include "base/crypto/selfca.h"

#include <stdio.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/crypto/keys.h"

#define DAY_S       86400
#define CA_DAYS     3650
#define HOST_DAYS   825  /* the longest that Apple's clients accept from any authority */
#define BACKDATED_S 3600 /* clocks of clients are not exact */

static int fail(struct err *err, const char *what)
{
    unsigned long code = ERR_get_error();
    const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);

    ERR_clear_error();
    return err_set(err, "%s: %s", what,
                   reason == NULL ? "OpenSSL gives no reason" : reason);
}

static bool add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;
    int ok;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (ext == NULL)
        return false;
    ok = X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
    return ok == 1;
}

/* A certificate without extensions and signature: version 3, serial, times, names, key. */
static X509 *cert_new(const struct selfca_request *r, const char *cn, EVP_PKEY *key,
                      int days)
{
    X509 *cert = X509_new();
    X509_NAME *name;
    uint8_t serial[16];
    BIGNUM *bn = NULL;
    bool ok = false;

    if (cert == NULL)
        return NULL;
    rng_fill(r->rng, serial, sizeof(serial));
    serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40); /* positive, always 16 octets */
    bn = BN_bin2bn(serial, sizeof(serial), NULL);
    name = X509_get_subject_name(cert);
    ok = bn != NULL && X509_set_version(cert, X509_VERSION_3) == 1 &&
         BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)) != NULL &&
         ASN1_TIME_set(X509_getm_notBefore(cert), r->now_s - BACKDATED_S) != NULL &&
         ASN1_TIME_set(X509_getm_notAfter(cert), r->now_s + (int64_t)days * DAY_S) !=
             NULL &&
         X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                    (const unsigned char *)cn, -1, -1, 0) == 1 &&
         X509_set_pubkey(cert, key) == 1;
    BN_free(bn);
    if (!ok) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

static X509 *make_authority(const struct selfca_request *r, EVP_PKEY *key)
{
    char cn[65];
    X509 *ca;

    /* RFC 5280 upper bound of a common name: 64 characters. */
    (void)snprintf(cn, sizeof(cn), "Signpost authority of %.40s", r->names[0]);
    ca = cert_new(r, cn, key, CA_DAYS);
    if (ca == NULL)
        return NULL;
    if (X509_set_issuer_name(ca, X509_get_subject_name(ca)) != 1 ||
        !add_ext(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_ext(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_ext(ca, ca, NID_subject_key_identifier, "hash") ||
        X509_sign(ca, key, EVP_sha256()) == 0) {
        X509_free(ca);
        return NULL;
    }
    return ca;
}

/* "DNS:mail.example.com,IP:192.0.2.1" */
static int alt_names(const struct selfca_request *r, struct buf *out)
{
    for (size_t i = 0; i < r->n_names; i++)
        if (buf_printf(out, "%sDNS:%s", i == 0 ? "" : ",", r->names[i]) == -1)
            return -1;
    for (size_t i = 0; i < r->n_addrs; i++) {
        char text[IPADDR_TEXT];

        ipaddr_print(&r->addrs[i], text);
        if (buf_printf(out, ",IP:%s", text) == -1)
            return -1;
    }
    return 0;
}

static X509 *make_host(const struct selfca_request *r, EVP_PKEY *key, X509 *ca,
                       EVP_PKEY *ca_key)
{
    struct buf san;
    char cn[65];
    X509 *cert = NULL;
    bool ok;

    buf_init(&san, 16384);
    (void)snprintf(cn, sizeof(cn), "%.64s", r->names[0]);
    if (alt_names(r, &san) == -1)
        goto out;
    cert = cert_new(r, cn, key, HOST_DAYS);
    ok = cert != NULL && X509_set_issuer_name(cert, X509_get_subject_name(ca)) == 1 &&
         add_ext(cert, ca, NID_basic_constraints, "critical,CA:FALSE") &&
         add_ext(cert, ca, NID_key_usage, "critical,digitalSignature") &&
         add_ext(cert, ca, NID_ext_key_usage, "serverAuth,clientAuth") &&
         add_ext(cert, ca, NID_subject_key_identifier, "hash") &&
         add_ext(cert, ca, NID_authority_key_identifier, "keyid:always") &&
         add_ext(cert, ca, NID_subject_alt_name, buf_cstr(&san)) &&
         X509_sign(cert, ca_key, EVP_sha256()) != 0;
    if (!ok) {
        X509_free(cert);
        cert = NULL;
    }
out:
    buf_free(&san);
    return cert;
}

static int put_cert(X509 *cert, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long n;
    int rc = -1;

    if (bio != NULL && PEM_write_bio_X509(bio, cert) == 1) {
        n = BIO_get_mem_data(bio, &text);
        rc = n > 0 ? buf_append(out, text, (size_t)n) : -1;
    }
    BIO_free(bio);
    return rc;
}

int selfca_make(const struct selfca_request *r, struct buf *ca_pem, struct buf *chain_pem,
                struct buf *key_pem, struct err *err)
{
    EVP_PKEY *ca_key = NULL, *key = NULL;
    X509 *ca = NULL, *cert = NULL;
    int rc = -1;

    if (r->n_names == 0)
        return err_set(err, "a certificate needs at least one name");
    ca_key = keys_new_p256(err);
    key = keys_new_p256(err);
    if (ca_key == NULL || key == NULL)
        goto out;
    ca = make_authority(r, ca_key);
    cert = ca == NULL ? NULL : make_host(r, key, ca, ca_key);
    if (cert == NULL) {
        (void)fail(err, "make a certificate");
        goto out;
    }
    if (put_cert(ca, ca_pem) == -1 || put_cert(cert, chain_pem) == -1 ||
        put_cert(ca, chain_pem) == -1) {
        (void)fail(err, "print a certificate");
        goto out;
    }
    rc = keys_to_pem(key, key_pem, err);
out:
    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return rc;
}
