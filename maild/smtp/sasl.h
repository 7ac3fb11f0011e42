/* SPDX-License-Identifier: ISC */
/* maild/smtp/sasl.h - the server's side of AUTH PLAIN and AUTH LOGIN, as text lines.
 *
 * Why:       RFC 4954 (SMTP) and RFC 3501/4959 (IMAP) carry the same exchanges.
 * Ownership: the caller owns the struct; sasl_clear() wipes the password from it.
 * Threads:   values.
 * Pure:      no I/O, no clock, no globals.
 *
 * The caller sees to it that the channel is encrypted. */
#ifndef MAILD_SMTP_SASL_H
#define MAILD_SMTP_SASL_H

#include <stdbool.h>

#include "base/core/span.h"

#define SASL_LINE_MAX     12288 /* RFC 4954 4: longest line of the exchange */
#define SASL_LOGIN_MAX    320
#define SASL_PASSWORD_MAX 1024

enum sasl_result {
    SASL_CHALLENGE,  /* send sasl_challenge(), give the next line */
    SASL_DONE,       /* login and password are there */
    SASL_CANCELLED,  /* the client sent "*" */
    SASL_BAD_BASE64, /* not base64 */
    SASL_BAD_FORM,   /* base64, but not what the mechanism wants; or too long */
    SASL_BAD_MECH    /* neither PLAIN nor LOGIN */
};

struct sasl {
    enum { SASL_IDLE, SASL_PLAIN, SASL_LOGIN_NAME, SASL_LOGIN_PASSWORD } step;
    char login[SASL_LOGIN_MAX + 1];
    char password[SASL_PASSWORD_MAX + 1];
};

/* Begin. `initial` is the initial response when there is one ("=" for an empty one). */
enum sasl_result sasl_begin(struct sasl *s, struct span mech, bool has_initial,
                            struct span initial);
/* The client's next line, without CRLF. */
enum sasl_result sasl_line(struct sasl *s, struct span line);
/* What to send after "334 " or "+ " on SASL_CHALLENGE: base64, may be empty. */
const char *sasl_challenge(const struct sasl *s);
/* Wipe. */
void sasl_clear(struct sasl *s);

#endif
