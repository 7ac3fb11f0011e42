/* SPDX-License-Identifier: ISC */
/* maild/smtp/params.h - parameters of MAIL and RCPT (RFC 5321 4.1.2, "Mail-parameters").
 *
 * Ownership: borrows.
 * Threads:   values.
 * Pure:      no I/O, no clock, no globals. */
#ifndef MAILD_SMTP_PARAMS_H
#define MAILD_SMTP_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/span.h"

enum smtp_params_result {
    SMTP_PARAMS_OK,
    SMTP_PARAMS_SYNTAX, /* 501: malformed, given twice, or a value out of range */
    SMTP_PARAMS_UNKNOWN /* 555: not a parameter we offer */
};

struct smtp_mail_params {
    bool has_size;
    uint64_t size; /* SIZE=, RFC 1870 */
    bool is_8bit;  /* BODY=8BITMIME, RFC 6152 */
    bool has_auth; /* AUTH=, RFC 4954 5: read and ignored, we trust nobody's word */
};

/* One KEY or KEY=VALUE from the front of *rest (blanks before it are skipped). */
struct smtp_param {
    struct span key, value;
    bool has_value;
};
enum smtp_param_result { SMTP_PARAM_OK, SMTP_PARAM_END, SMTP_PARAM_BAD };
enum smtp_param_result smtp_param_next(struct span *rest, struct smtp_param *p);

/* All of MAIL's. */
enum smtp_params_result smtp_mail_params(struct span rest, struct smtp_mail_params *m);
/* RCPT has none that we offer. */
enum smtp_params_result smtp_rcpt_params(struct span rest);

#endif
