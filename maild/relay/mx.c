/* SPDX-License-Identifier: ISC */
/* maild/relay/mx.c - MX records to a list of addresses.
 *
 *  answer for MX          then
 *  NXDOMAIN               failed 5.1.2
 *  none, SERVFAIL, bogus  later 4.4.3: the domain may well be fine
 *  only ". "              failed 5.1.10 (null MX, RFC 7505)
 *  no record              the domain's own addresses (implicit MX, preference 0)
 *  records                sorted by preference, equals by lot (RFC 5321 5.1: at random)
 *
 * Ourselves in the list: we, and everyone of equal or higher number, are dropped, so mail
 * only ever moves to better hosts; nobody left means a loop (5.4.6). A target that is an
 * alias is followed though RFC 2181 10.3 forbids it, as everyone does. */
#include "maild/relay/mx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dns/dname.h"
#include "base/dns/rrtype.h"

static enum mx_state say(struct mx_plan *p, enum mx_state state, const char *reply,
                         const char *before, const char *after)
{
    (void)snprintf(p->text, sizeof(p->text), "%s %s%s%s", reply, before, p->domain,
                   after);
    return state;
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 4.1.3) */
static bool take_literal(struct mx_plan *p, struct span s)
{
    struct mx_host *h = &p->hosts[0];
    struct ipaddr a;

    s = span_take(span_drop(s, 1), s.n - 2);
    if (span_starts_nocase(s, SPAN_LIT("IPv6:")))
        s = span_drop(s, 5);
    if (!ipaddr_parse(s, &a))
        return false;
    memset(h, 0, sizeof(*h));
    (void)snprintf(h->name, sizeof(h->name), "%s", p->domain);
    if (a.family == AF_INET)
        h->v4[h->n_v4++] = a;
    else
        h->v6[h->n_v6++] = a;
    p->n = 1;
    return true;
}

enum mx_state mx_init(struct mx_plan *p, const char *domain, const struct mx_self *self)
{
    struct span s = span_str(domain);
    struct dname name;

    memset(p, 0, sizeof(*p));
    p->self = self;
    if (!span_copy(s, p->domain, sizeof(p->domain)))
        return say(p, MX_FAILED, "553 5.1.2", "the domain is too long", "");
    if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
        return take_literal(p, s)
                   ? MX_ASK_HOSTS
                   : say(p, MX_FAILED, "553 5.1.2", "", " is not an address literal");
    if (dname_parse(s, NULL, &name) != DNAME_OK)
        return say(p, MX_FAILED, "553 5.1.2", "", " is not a domain name");
    return MX_ASK_MX;
}

static int by_preference(const void *a, const void *b)
{
    const struct mx_host *x = a, *y = b;

    if (x->preference != y->preference)
        return x->preference < y->preference ? -1 : 1;
    return x->lot < y->lot ? -1 : x->lot > y->lot;
}

/* Keep the best MX_HOSTS_MAX of a list of any length. */
static void add_host(struct mx_plan *p, const struct mx_host *h)
{
    size_t worst = 0;

    if (p->n < MX_HOSTS_MAX) {
        p->hosts[p->n++] = *h;
        return;
    }
    for (size_t i = 1; i < p->n; i++)
        if (by_preference(&p->hosts[i], &p->hosts[worst]) > 0)
            worst = i;
    if (by_preference(h, &p->hosts[worst]) < 0)
        p->hosts[worst] = *h;
}

/* False when the record names no usable host; *is_null for ".". */
static bool read_mx(struct span rdata, struct mx_host *h, bool *is_null)
{
    char text[DNAME_TEXT];
    struct span name = span_drop(rdata, 2);

    *is_null = false;
    if (rdata.n < 3 || dname_check(name) != name.n)
        return false;
    memset(h, 0, sizeof(*h));
    h->preference = (uint16_t)(rdata.p[0] * 256u + rdata.p[1]);
    if (name.n == 1) {
        *is_null = true;
        return false;
    }
    (void)dname_print_bare(name, text);
    return span_copy(span_str(text), h->name, sizeof(h->name));
}

static enum mx_state trouble(struct mx_plan *p, const struct mx_answer *a,
                             const char *what)
{
    const char *why = a->is_bogus     ? "its DNSSEC signatures do not hold"
                      : a->rcode < 0  ? "no answer"
                      : a->rcode == 0 ? "the answer cannot be used"
                                      : rcode_name((unsigned)a->rcode);

    (void)snprintf(p->text, sizeof(p->text), "451 4.4.3 looking up %s %s failed: %s",
                   what, p->domain, why != NULL ? why : "error");
    return MX_LATER;
}

enum mx_state mx_take_mx(struct mx_plan *p, const struct mx_answer *a, struct rng *rng)
{
    bool has_null = false;
    struct mx_host h;

    if (a->rcode == RCODE_NXDOMAIN && !a->is_bogus)
        return say(p, MX_FAILED, "550 5.1.2", "the domain ", " does not exist");
    if (a->rcode != RCODE_NOERROR || a->is_bogus)
        return trouble(p, a, "the mail hosts of");
    for (size_t i = 0; i < a->n; i++) {
        bool is_null;

        if (read_mx(a->rdata[i], &h, &is_null)) {
            h.lot = (uint32_t)rng_below(rng, UINT32_MAX);
            add_host(p, &h);
        }
        has_null = has_null || is_null;
    }
    if (p->n == 0 && has_null) /* beside other records "." means nothing (RFC 7505 3) */
        return say(p, MX_FAILED, "556 5.1.10", "the domain ", " takes no mail (null MX)");
    if (p->n == 0 && a->n > 0)
        return trouble(p, a, "the mail hosts of");
    if (p->n == 0) {
        memset(&p->hosts[0], 0, sizeof(p->hosts[0]));
        (void)snprintf(p->hosts[0].name, sizeof(p->hosts[0].name), "%s", p->domain);
        p->is_implicit = true;
        p->n = 1;
    }
    qsort(p->hosts, p->n, sizeof(p->hosts[0]), by_preference);
    for (size_t i = 0; i < p->n; i++)
        if (span_eq_str_nocase(span_str(p->hosts[i].name), p->self->hostname))
            p->hosts[i].is_ours = true;
    return MX_ASK_HOSTS;
}

void mx_take_addrs(struct mx_plan *p, size_t i, uint16_t type, const struct mx_answer *a)
{
    struct mx_host *h = &p->hosts[i];
    bool is_v4 = type == RR_A;
    size_t octets = is_v4 ? 4 : 16;

    if ((a->rcode != RCODE_NOERROR && a->rcode != RCODE_NXDOMAIN) || a->is_bogus) {
        h->had_trouble = true;
        return;
    }
    for (size_t k = 0; k < a->n; k++) {
        struct ipaddr addr = {.family = is_v4 ? AF_INET : AF_INET6};

        if (a->rdata[k].n != octets)
            continue;
        memcpy(addr.b, a->rdata[k].p, octets);
        if (ipaddr_eq(&addr, &(struct ipaddr){.family = addr.family}))
            continue; /* 0.0.0.0 and :: would lead to ourselves */
        if (is_v4 && h->n_v4 < MX_ADDRS_MAX)
            h->v4[h->n_v4++] = addr;
        else if (!is_v4 && h->n_v6 < MX_ADDRS_MAX)
            h->v6[h->n_v6++] = addr;
    }
}

void mx_set_ours(struct mx_plan *p, size_t i)
{
    p->hosts[i].is_ours = true;
}

static bool is_our_address(const struct mx_self *self, const struct ipaddr *a)
{
    if (self->has_loopback && ipaddr_is_loopback(a))
        return true;
    for (size_t i = 0; i < self->n_addrs; i++)
        if (ipaddr_eq(&self->addrs[i], a))
            return true;
    return false;
}

static bool has_our_address(const struct mx_plan *p, const struct mx_host *h)
{
    for (size_t k = 0; k < h->n_v4; k++)
        if (is_our_address(p->self, &h->v4[k]))
            return true;
    for (size_t k = 0; k < h->n_v6; k++)
        if (is_our_address(p->self, &h->v6[k]))
            return true;
    return false;
}

/* Cut the list before us. Hosts are sorted, so the first that is ours ends it, together with
 * its equals before it. */
static void drop_from_ourselves(struct mx_plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (!p->hosts[i].is_ours && !has_our_address(p, &p->hosts[i]))
            continue;
        while (i > 0 && p->hosts[i - 1].preference == p->hosts[i].preference)
            i--;
        p->n = i;
        return;
    }
}

static void add_target(struct mx_plan *p, const struct mx_host *h,
                       const struct ipaddr *addr)
{
    if (p->n_targets == MX_TARGETS_MAX)
        return;
    p->targets[p->n_targets].host = h->name;
    p->targets[p->n_targets].addr = *addr;
    p->n_targets++;
}

/* The two families in turn, IPv6 first: a broken one costs one attempt, not eight. */
static void add_targets(struct mx_plan *p, const struct mx_host *h)
{
    for (size_t k = 0; k < MX_ADDRS_MAX; k++) {
        if (k < h->n_v6 && p->self->has_v6)
            add_target(p, h, &h->v6[k]);
        if (k < h->n_v4 && p->self->has_v4)
            add_target(p, h, &h->v4[k]);
    }
}

enum mx_state mx_decide(struct mx_plan *p)
{
    struct mx_answer none = {.rcode = -1};
    bool had_trouble = false, has_other_family = false;

    drop_from_ourselves(p);
    if (p->n == 0)
        return say(p, MX_FAILED, "554 5.4.6", "mail for ",
                   " would loop: its best mail host is this one, which does not know it");
    for (size_t i = 0; i < p->n; i++) {
        add_targets(p, &p->hosts[i]);
        had_trouble = had_trouble || p->hosts[i].had_trouble;
        has_other_family = has_other_family || p->hosts[i].n_v4 + p->hosts[i].n_v6 > 0;
    }
    if (p->n_targets > 0)
        return MX_READY;
    if (had_trouble)
        return trouble(p, &none,
                       p->is_implicit ? "the address of"
                                      : "the addresses of the mail hosts of");
    if (has_other_family)
        return say(p, MX_LATER, "451 4.4.1", "the mail hosts of ",
                   " have only addresses of an IP version that is not used here");
    return p->is_implicit
               ? say(p, MX_FAILED, "550 5.1.2", "the domain ",
                     " has neither mail hosts (MX) nor an address")
               : say(p, MX_FAILED, "550 5.4.4", "no mail host of ", " has an address");
}
