/* SPDX-License-Identifier: ISC */
#include "maild/smtp/verb.h"

#include "base/core/attr.h"
#include "maild/smtp/session_int.h"

#define GREETED (SMTP_PH_READY | SMTP_PH_MAIL | SMTP_PH_RCPT)
#define ANY     (SMTP_PH_HELO | GREETED)

static const char say_hello[] = "5.5.1 EHLO first";

static const struct smtp_verb verbs[] = {
    /* name    legal in  flags  carried out by  503 hint */
    {"HELO", ANY, 0, verb_helo, ""},
    {"EHLO", ANY, 0, verb_ehlo, ""},
    {"MAIL", SMTP_PH_READY, 0, verb_mail, "5.5.1 EHLO first, then one MAIL a message"},
    {"RCPT", SMTP_PH_MAIL | SMTP_PH_RCPT, 0, verb_rcpt, "5.5.1 MAIL first"},
    {"DATA", SMTP_PH_MAIL | SMTP_PH_RCPT, VERB_NO_ARGUMENT, verb_data,
     "5.5.1 MAIL and RCPT first"},
    {"RSET", ANY, VERB_NO_ARGUMENT, verb_rset, ""},
    {"NOOP", ANY, 0, verb_noop, ""},
    {"QUIT", ANY, VERB_NO_ARGUMENT, verb_quit, ""},
    {"VRFY", ANY, 0, verb_vrfy, ""},
    {"HELP", ANY, 0, verb_help, ""},
    {"STARTTLS", SMTP_PH_READY, VERB_NO_ARGUMENT, verb_starttls,
     "5.5.1 EHLO first, and not inside a message"},
    {"AUTH", SMTP_PH_READY, 0, verb_auth, "5.5.1 EHLO first, and not inside a message"},
    {"EXPN", ANY, 0, verb_missing, say_hello},
    {"ETRN", ANY, 0, verb_missing, say_hello},
    {"TURN", ANY, 0, verb_missing, say_hello},
    {"SEND", ANY, 0, verb_missing, say_hello},
    {"SOML", ANY, 0, verb_missing, say_hello},
    {"SAML", ANY, 0, verb_missing, say_hello},
    {"BDAT", ANY, 0, verb_missing, say_hello},
    /* A browser lured here would turn its request body into commands. */
    {"GET", ANY, VERB_FOREIGN, NULL, ""},
    {"POST", ANY, VERB_FOREIGN, NULL, ""},
    {"PUT", ANY, VERB_FOREIGN, NULL, ""},
    {"HEAD", ANY, VERB_FOREIGN, NULL, ""},
    {"OPTIONS", ANY, VERB_FOREIGN, NULL, ""},
    {"CONNECT", ANY, VERB_FOREIGN, NULL, ""},
};

void smtp_verb_split(struct span line, struct span *name, struct span *arg)
{
    while (line.n > 0 && line.p[line.n - 1] == ' ')
        line.n--;
    (void)span_cut(line, ' ', name, arg);
    while (arg->n > 0 && arg->p[0] == ' ')
        *arg = span_drop(*arg, 1);
}

const struct smtp_verb *smtp_verb_find(struct span name)
{
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (span_eq_str_nocase(name, verbs[i].name))
            return &verbs[i];
    return NULL;
}
