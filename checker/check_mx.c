/* SPDX-License-Identifier: ISC */
/* checker/check_mx.c - where mail for the domain goes: MX hosts, their addresses, and the
 * reverse names of those (MX-*). */
#include <string.h>

#include "base/dns/rrtype.h"
#include "checker/answer.h"
#include "checker/check.h"

enum { MX_MAX = 50 }; /* more is an attack or a mistake; the rest is not looked at */

enum confirm check_confirm(struct facts *facts, const char *name,
                           const struct ipaddr *addr)
{
    const struct fact *f =
        fact_get(facts, name, addr->family == AF_INET ? RR_A : RR_AAAA);
    struct ipaddr found;

    if (f->state == FACT_MISSING)
        return CONFIRM_MISSING;
    if (f->state == FACT_UNKNOWN)
        return CONFIRM_UNKNOWN;
    for (size_t i = 0; i < f->n; i++)
        if (answer_addr(f, i, &found) && ipaddr_eq(&found, addr))
            return CONFIRM_YES;
    return CONFIRM_NO;
}

static void check_reverse(const char *host, const struct ipaddr *addr,
                          struct facts *facts, struct findings *out)
{
    char reverse[IPADDR_REVERSE_TEXT], text[IPADDR_TEXT], name[DNAME_TEXT];
    const struct fact *ptr;

    ipaddr_print(addr, text);
    ipaddr_reverse_name(addr, reverse);
    ptr = fact_get(facts, reverse, RR_PTR);
    if (ptr->state == FACT_MISSING)
        return;
    if (ptr->state == FACT_UNKNOWN) {
        finding_untested(out, "MX-021", host, "%s: %s", reverse, ptr->why);
        return;
    }
    for (size_t i = 0; i < ptr->n && i < 4; i++) {
        if (!answer_name(ptr, i, name))
            continue;
        if (check_confirm(facts, name, addr) == CONFIRM_YES) {
            finding_pass(out, "MX-021", host, "%s is %s and back", text, name);
            return;
        }
    }
    if (facts_open(facts) == 0)
        finding_fail(out, "MX-021", host,
                     "ask the owner of the address (your provider) for this reverse name",
                     "%s has %s", text,
                     ptr->n == 0 ? "no reverse name"
                                 : "a reverse name that does not lead back");
}

/* Addresses of one family of one MX host. Returns how many there are, or -1 unknown. */
static int check_family(const struct check_target *t, const char *host, uint16_t type,
                        struct facts *facts, struct findings *out)
{
    const struct fact *f = fact_get(facts, host, type);
    struct ipaddr addr;
    char text[IPADDR_TEXT];

    if (f->state == FACT_MISSING || f->state == FACT_UNKNOWN)
        return -1;
    for (size_t i = 0; i < f->n; i++) {
        if (!answer_addr(f, i, &addr))
            continue;
        ipaddr_print(&addr, text);
        if (ipaddr_is_private(&addr) && !t->is_private_reachable)
            finding_fail(out, "MX-007", host,
                         "publish the address that the world connects to",
                         "%s is not reachable from outside", text);
        else
            check_reverse(host, &addr, facts, out);
    }
    return (int)f->n;
}

static void check_host_addresses(const struct check_target *t, const char *host,
                                 struct facts *facts, struct findings *out)
{
    const struct fact *alias = fact_get(facts, host, RR_CNAME);
    int v4 = check_family(t, host, RR_A, facts, out);
    int v6 = check_family(t, host, RR_AAAA, facts, out);

    if (facts_open(facts) > 0)
        return;
    if (alias->state == FACT_RECORDS)
        finding_fail(out, "MX-003", host, "name the canonical host in the MX record",
                     "%s is an alias (CNAME)", host);
    else if (alias->state != FACT_UNKNOWN)
        finding_pass(out, "MX-003", host, "no alias");
    if (v4 > 0 || v6 > 0)
        finding_pass(out, "MX-002", host, "%d IPv4, %d IPv6", v4 > 0 ? v4 : 0,
                     v6 > 0 ? v6 : 0);
    else if (v4 == 0 && v6 == 0)
        finding_fail(out, "MX-002", host, "add an A or AAAA record for this host",
                     "neither A nor AAAA: %s", fact_absence(fact_get(facts, host, RR_A)));
    else
        finding_untested(out, "MX-002", host, "%s",
                         fact_absence(fact_get(facts, host, RR_A)));
}

static void check_no_mx(const struct check_target *t, const struct fact *mx,
                        struct facts *facts, struct findings *out)
{
    const struct fact *a = fact_get(facts, t->domain, RR_A);
    const struct fact *aaaa = fact_get(facts, t->domain, RR_AAAA);

    if (facts_open(facts) > 0)
        return;
    finding_fail(
        out, "MX-001", t->domain,
        "add an MX record; for a domain without mail: MX 0 . (null MX, RFC 7505)", "%s%s",
        fact_absence(mx),
        a->n + aaaa->n > 0 ? "; senders will try the domain's own address" : "");
}

void check_mx(const struct check_target *t, struct facts *facts, struct findings *out)
{
    const struct fact *mx = fact_get(facts, t->domain, RR_MX);
    char host[DNAME_TEXT];

    if (mx->state == FACT_MISSING)
        return;
    if (mx->state == FACT_UNKNOWN) {
        finding_untested(out, "MX-001", t->domain, "%s", mx->why);
        return;
    }
    if (mx->n == 0) {
        check_no_mx(t, mx, facts, out);
        return;
    }
    if (mx->n == 1 && answer_name(mx, 0, host) && strcmp(host, ".") == 0) {
        finding_pass(out, "MX-001", t->domain, "null MX: takes no mail, and says so");
        return;
    }
    finding_pass(out, "MX-001", t->domain, "%zu MX record%s", mx->n,
                 mx->n == 1 ? "" : "s");
    for (size_t i = 0; i < mx->n && i < MX_MAX; i++)
        if (answer_name(mx, i, host))
            check_host_addresses(t, host, facts, out);
}
