/* SPDX-License-Identifier: ISC */
#include "deliverability/record/dkim.h"

#include "deliverability/record/taglist.h"

/* base64 of p=, in which white space does not count (RFC 6376 3.6.1): only the alphabet is
 * looked at here; whether it is a key is for base/crypto/keys. */
static int check_base64(struct span b64, struct err *err)
{
    size_t chars = 0, pads = 0;

    for (size_t i = 0; i < b64.n; i++) {
        uint8_t c = b64.p[i];

        if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            continue;
        if (c == '=')
            pads++;
        else if (pads > 0 || (!ascii_is_alnum(c) && c != '+' && c != '/'))
            return err_set(err, "p= is not base64: octet %zu is wrong", i + 1);
        chars++;
    }
    if (chars % 4 != 0 || pads > 2)
        return err_set(err, "p= is not base64: %zu characters, which is no multiple of 4",
                       chars);
    return 0;
}

static int parse_flags(struct span flags, struct dkim_record *r)
{
    struct span rest = flags, one;

    while (rest.n > 0) {
        span_cut(rest, ':', &one, &rest);
        one = span_trim(one);
        if (span_eq_str_nocase(one, "y"))
            r->is_testing = true;
        else if (span_eq_str_nocase(one, "s"))
            r->is_strict = true; /* unknown flags are ignored by rule */
    }
    return 0;
}

int dkim_record_parse(struct span text, struct dkim_record *r, struct err *err)
{
    struct taglist l;
    struct span v;

    *r = (struct dkim_record){.type = DKIM_KEY_RSA};
    if (taglist_parse(text, &l, err) == -1)
        return -1;
    if (taglist_get(&l, "v", &v)) {
        if (!span_eq_str(v, "DKIM1"))
            return err_set(
                err,
                "v=%.*s: a version tag must read v=DKIM1, or verifiers discard "
                "the record (RFC 6376 3.6.1)",
                SPAN_ARG(v));
        if (!span_eq_str(l.tag[0].name, "v"))
            return err_set(err, "v=DKIM1 must be the first tag (RFC 6376 3.6.1)");
    }
    if (taglist_get(&l, "k", &v)) {
        if (span_eq_str(v, "ed25519"))
            r->type = DKIM_KEY_ED25519;
        else if (!span_eq_str(v, "rsa"))
            return err_set(err, "k=%.*s is not a key type: rsa or ed25519", SPAN_ARG(v));
    }
    if (!taglist_get(&l, "p", &r->public_b64))
        return err_set(err, "no p=: the record holds no public key");
    r->is_revoked = r->public_b64.n == 0;
    if (taglist_get(&l, "h", &r->hashes) && r->hashes.n == 0)
        return err_set(err, "h= is empty: no hash algorithm would be acceptable");
    if (!taglist_get(&l, "s", &r->services))
        r->services = span_of(NULL, 0);
    if (taglist_get(&l, "t", &v) && parse_flags(v, r) == -1)
        return -1;
    return r->is_revoked ? 0 : check_base64(r->public_b64, err);
}

int dkim_record_print(enum dkim_key_type type, struct span public_b64, struct buf *out)
{
    size_t before = out->len;

    if (buf_printf(out, "v=DKIM1; k=%s; p=", type == DKIM_KEY_RSA ? "rsa" : "ed25519") ==
            0 &&
        buf_span(out, public_b64) == 0)
        return 0;
    buf_truncate(out, before);
    return -1;
}
