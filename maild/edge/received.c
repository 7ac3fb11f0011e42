/* SPDX-License-Identifier: ISC */
#include "maild/edge/received.h"

#include "base/msg/address.h"
#include "base/msg/date.h"

/* From-domain: a name that is no domain and no literal may not stand there, so the client's
 * address does and the name becomes a comment. */
static int print_from(const struct received *r, struct buf *out)
{
    const char *v6 = r->ip->family == AF_INET6 ? "IPv6:" : "";
    bool is_good =
        mailbox_domain_ok(span_str(r->helo)) || mailbox_literal_ok(span_str(r->helo));
    char ip[IPADDR_TEXT];

    ipaddr_print(r->ip, ip);
    if (is_good && buf_printf(out, "Received: from %s (", r->helo) == -1)
        return -1;
    if (!is_good && buf_printf(out, "Received: from [%s%s] (", v6, ip) == -1)
        return -1;
    if (r->rdns != NULL && buf_printf(out, "%s ", r->rdns) == -1)
        return -1;
    if (buf_printf(out, "[%s%s])", v6, ip) == -1)
        return -1;
    if (!is_good && r->helo[0] != '\0')
        return buf_printf(out, " (HELO %s)", r->helo);
    return 0;
}

int received_print(const struct received *r, struct buf *out)
{
    char date[DATE_TEXT];

    date_print(r->now_s, 0, date);
    if (print_from(r, out) == -1 ||
        buf_printf(out, "\r\n\tby %s with %s", r->by, r->with) == -1)
        return -1;
    if (r->tls != NULL && buf_printf(out, " (%s)", r->tls) == -1)
        return -1;
    if (buf_printf(out, " id %s", r->id) == -1)
        return -1;
    if (r->rcpt != NULL && buf_printf(out, "\r\n\tfor <%s>", r->rcpt) == -1)
        return -1;
    return buf_printf(out, ";\r\n\t%s\r\n", date);
}
