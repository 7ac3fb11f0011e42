/* SPDX-License-Identifier: ISC */
#include "maild/smtp/path.h"

static enum smtp_path_result path_result(enum mailbox_result r)
{
    switch (r) {
    case MAILBOX_OK:
        return SMTP_PATH_OK;
    case MAILBOX_NOT_ASCII:
        return SMTP_PATH_NOT_ASCII;
    case MAILBOX_LOCAL_LONG:
    case MAILBOX_DOMAIN_LONG:
        return SMTP_PATH_LONG;
    case MAILBOX_DOMAIN_BAD:
        return SMTP_PATH_DOMAIN;
    case MAILBOX_SYNTAX:
        break;
    }
    return SMTP_PATH_SYNTAX;
}

/* A-d-l ":" = "@" Domain *( "," "@" Domain ) ":" - checked, then ignored. */
static bool skip_route(struct span *in)
{
    struct span route, host;

    if (in->n == 0 || in->p[0] != '@')
        return true;
    if (!span_cut(*in, ':', &route, in))
        return false;
    while (route.n > 0) {
        (void)span_cut(route, ',', &host, &route);
        if (host.n == 0 || host.p[0] != '@' || !mailbox_domain_ok(span_drop(host, 1)))
            return false;
    }
    return true;
}

/* Inside the brackets. */
static enum smtp_path_result take_mailbox(struct span *in, struct smtp_path *p)
{
    const struct span postmaster = SPAN_LIT("postmaster");
    enum mailbox_result r;
    size_t used = 0;

    if (span_starts_nocase(*in, postmaster) && in->n > postmaster.n &&
        in->p[postmaster.n] == '>') {
        p->is_postmaster = true;
        p->mailbox = (struct mailbox){.local = span_take(*in, postmaster.n)};
        *in = span_drop(*in, postmaster.n);
        return SMTP_PATH_OK;
    }
    r = mailbox_parse(*in, &p->mailbox, &used);
    if (r == MAILBOX_OK)
        *in = span_drop(*in, used);
    return path_result(r);
}

enum smtp_path_result smtp_path_parse(struct span in, struct smtp_path *p,
                                      struct span *rest)
{
    enum smtp_path_result r;
    bool is_bracketed;
    struct span start;

    *p = (struct smtp_path){.is_null = false};
    while (in.n > 0 && in.p[0] == ' ')
        in = span_drop(in, 1);
    start = in;
    is_bracketed = in.n > 0 && in.p[0] == '<';
    if (is_bracketed) {
        in = span_drop(in, 1);
        if (in.n > 0 && in.p[0] == '>')
            p->is_null = true;
        else if (!skip_route(&in))
            return SMTP_PATH_SYNTAX;
    }
    if (!p->is_null) {
        r = take_mailbox(&in, p);
        if (r != SMTP_PATH_OK)
            return r;
    }
    if (is_bracketed) {
        if (in.n == 0 || in.p[0] != '>')
            return in.n > 0 && in.p[0] >= 128 ? SMTP_PATH_NOT_ASCII : SMTP_PATH_SYNTAX;
        in = span_drop(in, 1);
    }
    if (in.n > 0 && in.p[0] != ' ')
        return SMTP_PATH_SYNTAX;
    /* The route counts too; the mailbox alone may use the bracket-less form. */
    if (start.n - in.n > MAILBOX_PATH_MAX)
        return SMTP_PATH_LONG;
    *rest = in;
    return SMTP_PATH_OK;
}

int smtp_path_print(const struct smtp_path *p, const char *host, struct buf *out)
{
    if (p->is_null)
        return 0;
    if (p->is_postmaster)
        return mailbox_print_parts(SPAN_LIT("postmaster"), span_str(host), out);
    return mailbox_print(&p->mailbox, out);
}
