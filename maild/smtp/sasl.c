/* SPDX-License-Identifier: ISC */
/* maild/smtp/sasl.c - RFC 4616 (PLAIN) and the LOGIN that was never more than a draft.
 *
 * An authorization identity other than the login is refused: nobody here acts for another.
 * Texts with a NUL or a line end inside are refused, as they could not be stored. */
#include "maild/smtp/sasl.h"

#include <openssl/crypto.h>

#include "base/core/buf.h"
#include "base/core/codec.h"

void sasl_clear(struct sasl *s)
{
    OPENSSL_cleanse(s, sizeof(*s));
    s->step = SASL_IDLE;
}

const char *sasl_challenge(const struct sasl *s)
{
    switch (s->step) {
    case SASL_LOGIN_NAME:
        return "VXNlcm5hbWU6"; /* Username: */
    case SASL_LOGIN_PASSWORD:
        return "UGFzc3dvcmQ6"; /* Password: */
    case SASL_IDLE:
    case SASL_PLAIN:
        break;
    }
    return "";
}

static bool keep(struct span text, char *dst, size_t cap)
{
    return text.n > 0 && span_index(text, '\r') < 0 && span_index(text, '\n') < 0 &&
           span_copy(text, dst, cap);
}

/* message = [authzid] NUL authcid NUL passwd */
static enum sasl_result take_plain(struct sasl *s, struct span text)
{
    struct span authzid, authcid;

    if (!span_cut(text, 0, &authzid, &text) || !span_cut(text, 0, &authcid, &text))
        return SASL_BAD_FORM;
    if (authzid.n > 0 && !span_eq_nocase(authzid, authcid))
        return SASL_BAD_FORM;
    if (!keep(authcid, s->login, sizeof(s->login)) ||
        !keep(text, s->password, sizeof(s->password)))
        return SASL_BAD_FORM;
    return SASL_DONE;
}

static enum sasl_result take_text(struct sasl *s, struct span text)
{
    switch (s->step) {
    case SASL_PLAIN:
        return take_plain(s, text);
    case SASL_LOGIN_NAME:
        if (!keep(text, s->login, sizeof(s->login)))
            return SASL_BAD_FORM;
        s->step = SASL_LOGIN_PASSWORD;
        return SASL_CHALLENGE;
    case SASL_LOGIN_PASSWORD:
        if (!keep(text, s->password, sizeof(s->password)))
            return SASL_BAD_FORM;
        return SASL_DONE;
    case SASL_IDLE:
        break;
    }
    return SASL_BAD_FORM;
}

enum sasl_result sasl_line(struct sasl *s, struct span line)
{
    enum sasl_result r = SASL_BAD_BASE64;
    struct buf text;

    if (span_eq_str(line, "*"))
        return SASL_CANCELLED;
    buf_init(&text, SASL_LINE_MAX);
    if (buf_reserve(&text, line.n) == 0 && base64_decode(line, &text))
        r = take_text(s, buf_all(&text));
    if (text.data != NULL)
        OPENSSL_cleanse(text.data, text.cap);
    buf_free(&text);
    return r;
}

enum sasl_result sasl_begin(struct sasl *s, struct span mech, bool has_initial,
                            struct span initial)
{
    sasl_clear(s);
    if (span_eq_str_nocase(mech, "PLAIN"))
        s->step = SASL_PLAIN;
    else if (span_eq_str_nocase(mech, "LOGIN"))
        s->step = SASL_LOGIN_NAME;
    else
        return SASL_BAD_MECH;
    if (!has_initial)
        return SASL_CHALLENGE;
    if (span_eq_str(initial, "="))
        return take_text(s, (struct span){NULL, 0});
    return sasl_line(s, initial);
}
