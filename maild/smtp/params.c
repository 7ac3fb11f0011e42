/* SPDX-License-Identifier: ISC */
#include "maild/smtp/params.h"

/* esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */
static bool is_keyword(struct span s)
{
    if (s.n == 0 || s.p[0] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-')
            return false;
    return true;
}

/* esmtp-value = 1*(%d33-60 / %d62-126) */
static bool is_value(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 33 || s.p[i] > 126 || s.p[i] == '=')
            return false;
    return s.n > 0;
}

enum smtp_param_result smtp_param_next(struct span *rest, struct smtp_param *p)
{
    struct span word;

    while (rest->n > 0 && rest->p[0] == ' ')
        *rest = span_drop(*rest, 1);
    if (rest->n == 0)
        return SMTP_PARAM_END;
    (void)span_cut(*rest, ' ', &word, rest);
    p->has_value = span_cut(word, '=', &p->key, &p->value);
    if (!is_keyword(p->key) || (p->has_value && !is_value(p->value)))
        return SMTP_PARAM_BAD;
    return SMTP_PARAM_OK;
}

static enum smtp_params_result take_size(const struct smtp_param *p,
                                         struct smtp_mail_params *m)
{
    /* size-value = 1*20DIGIT (RFC 1870 4): more than we count is more than we take. */
    if (m->has_size || !p->has_value || p->value.n > 20)
        return SMTP_PARAMS_SYNTAX;
    for (size_t i = 0; i < p->value.n; i++)
        if (!ascii_is_digit(p->value.p[i]))
            return SMTP_PARAMS_SYNTAX;
    if (!span_to_u64(p->value, UINT64_MAX, &m->size))
        m->size = UINT64_MAX;
    m->has_size = true;
    return SMTP_PARAMS_OK;
}

enum smtp_params_result smtp_mail_params(struct span rest, struct smtp_mail_params *m)
{
    enum smtp_params_result r = SMTP_PARAMS_OK;
    enum smtp_param_result next;
    bool has_body = false;
    struct smtp_param p;

    *m = (struct smtp_mail_params){.has_size = false};
    while (r == SMTP_PARAMS_OK && (next = smtp_param_next(&rest, &p)) != SMTP_PARAM_END) {
        if (next == SMTP_PARAM_BAD) {
            r = SMTP_PARAMS_SYNTAX;
        } else if (span_eq_str_nocase(p.key, "SIZE")) {
            r = take_size(&p, m);
        } else if (span_eq_str_nocase(p.key, "BODY")) {
            m->is_8bit = span_eq_str_nocase(p.value, "8BITMIME");
            if (has_body || (!m->is_8bit && !span_eq_str_nocase(p.value, "7BIT")))
                r = SMTP_PARAMS_SYNTAX;
            has_body = true;
        } else if (span_eq_str_nocase(p.key, "AUTH")) {
            if (m->has_auth || !p.has_value)
                r = SMTP_PARAMS_SYNTAX;
            m->has_auth = true;
        } else {
            r = SMTP_PARAMS_UNKNOWN;
        }
    }
    return r;
}

enum smtp_params_result smtp_rcpt_params(struct span rest)
{
    struct smtp_param p;

    switch (smtp_param_next(&rest, &p)) {
    case SMTP_PARAM_END:
        return SMTP_PARAMS_OK;
    case SMTP_PARAM_BAD:
        return SMTP_PARAMS_SYNTAX;
    case SMTP_PARAM_OK:
        break;
    }
    return SMTP_PARAMS_UNKNOWN;
}
