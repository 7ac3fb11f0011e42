/* SPDX-License-Identifier: ISC */
/* checker/dkimgen.c - `checker dkim generate`: a DKIM key pair for any mail system.
 *
 * For domains that Signpost hosts this is done by `signpost domain add`; here is the same
 * for everyone else: the private key into a file of mode 0600, the record in the two forms
 * that people need (master file, and one line for a web form). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/crypto/keys.h"
#include "base/dns/dname.h"
#include "base/dns/rdata.h"
#include "base/dns/rrtype.h"
#include "checker/verbs.h"
#include "deliverability/record/dkim.h"

enum { PEM_MAX = 8192, RECORD_MAX = 4096, DKIM_RSA_BITS = 2048 };

/* Write a new file that only its owner may read; an existing one is never overwritten:
 * it may be the only copy of a key in use. */
static int write_private(const char *path, const struct buf *pem, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int rc = -1;

    if (fd == -1) {
        err_sys(err, "create %s", path);
        return -1;
    }
    if (write(fd, pem->data, pem->len) != (ssize_t)pem->len || fsync(fd) == -1)
        err_sys(err, "write %s", path);
    else
        rc = 0;
    if (close(fd) == -1 && rc == 0)
        rc = err_sys(err, "close %s", path);
    if (rc == -1)
        (void)unlink(path);
    return rc;
}

static int print_record(const char *owner, enum dkim_key_type type, struct span b64,
                        struct err *err)
{
    struct buf text, wire, rdata;
    int rc = -1;

    buf_init(&text, RECORD_MAX);
    buf_init(&wire, RECORD_MAX);
    buf_init(&rdata, RECORD_MAX);
    if (dkim_record_print(type, b64, &text) == -1 ||
        rdata_put_txt(&wire, buf_all(&text)) == -1 ||
        rdata_print(RR_TXT, buf_all(&wire), &rdata) == -1) {
        err_set(err, "the record is too long");
        goto out;
    }
    printf("; for a master file\n%s. 3600 IN TXT %s\n", owner, buf_cstr(&rdata));
    printf("\n; for a web form\nname  %s\ntype  TXT\nvalue %s\n", owner, buf_cstr(&text));
    rc = 0;
out:
    buf_free(&text);
    buf_free(&wire);
    buf_free(&rdata);
    return rc;
}

static int generate(const struct verb_options *o, const char *owner, struct err *err)
{
    bool is_ed = o->key_type != NULL && strcmp(o->key_type, "ed25519") == 0;
    EVP_PKEY *key = is_ed ? keys_new_ed25519(err) : keys_new_rsa(DKIM_RSA_BITS, err);
    struct buf pem, b64;
    int rc = -1;

    buf_init(&pem, PEM_MAX);
    buf_init(&b64, RECORD_MAX);
    if (key == NULL || keys_to_pem(key, &pem, err) == -1 ||
        keys_dkim_public(key, &b64, err) == -1 ||
        write_private(o->out_path, &pem, err) == -1)
        goto out;
    rc = print_record(owner, is_ed ? DKIM_KEY_ED25519 : DKIM_KEY_RSA, buf_all(&b64), err);
out:
    if (pem.len > 0)
        OPENSSL_cleanse(pem.data, pem.len);
    buf_free(&pem);
    buf_free(&b64);
    EVP_PKEY_free(key);
    return rc;
}

int verb_dkim(const struct verb_options *o, char **args, int n)
{
    struct err err = {0};
    struct dname name;
    char owner[512];

    (void)n;
    if (strcmp(args[0], "generate") != 0) {
        fprintf(stderr, "checker: dkim %s: only `dkim generate DOMAIN` is known\n",
                args[0]);
        return 2;
    }
    if (o->out_path == NULL || o->n_selectors > 1 ||
        (o->key_type != NULL && strcmp(o->key_type, "rsa") != 0 &&
         strcmp(o->key_type, "ed25519") != 0)) {
        fputs("checker: dkim generate DOMAIN [--selector NAME] [--type rsa|ed25519] "
              "--out FILE\n",
              stderr);
        return 2;
    }
    (void)snprintf(owner, sizeof(owner), "%s._domainkey.%s",
                   o->n_selectors == 1 ? o->selector[0] : "dkim", args[1]);
    if (dname_parse(span_str(owner), NULL, &name) != DNAME_OK) {
        fprintf(stderr, "checker: %s is not a domain name\n", owner);
        return 2;
    }
    if (generate(o, owner, &err) == -1) {
        fprintf(stderr, "checker: %s\n", err.text);
        return 2;
    }
    return 0;
}
