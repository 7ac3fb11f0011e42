/* SPDX-License-Identifier: ISC */
/* checker/check_blocklist.c - is an address or a domain on a block list (BL-*, RFC 5782)?
 *
 * A list is believed only after it passed its own test entries: one that must be listed and
 * one that must not. Answers in 127.255.255.0/24 speak about the asker ("too many queries",
 * "asked through a public resolver") and are never a listing; an answer outside 127/8 means
 * that somebody else answers for the list. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/dns/rrtype.h"
#include "checker/answer.h"
#include "checker/check.h"

enum list_kind { LIST_IP = 1, LIST_DOMAIN = 2 };

struct list {
    const char *zone;
    unsigned kinds;
    const char *check;  /* BL-001: used by many receivers, BL-002: by some */
    const char *remove; /* where to ask for removal */
};

/* clang-format off */
static const struct list lists[] = {
    {"zen.spamhaus.org",        LIST_IP,     "BL-001", "https://check.spamhaus.org/"},
    {"bl.spamcop.net",          LIST_IP,     "BL-001", "https://www.spamcop.net/bl.shtml (expires by itself)"},
    {"b.barracudacentral.org",  LIST_IP,     "BL-001", "https://www.barracudacentral.org/rbl/removal-request"},
    {"psbl.surriel.com",        LIST_IP,     "BL-002", "https://psbl.org/remove"},
    {"bl.mailspike.net",        LIST_IP,     "BL-002", "https://mailspike.org/iplookup.html"},
    {"dnsbl-1.uceprotect.net",  LIST_IP,     "BL-002", "wait seven days; do not pay"},
    {"dnsbl.dronebl.org",       LIST_IP,     "BL-002", "https://dronebl.org/lookup"},
    {"all.bl.blocklist.de",     LIST_IP,     "BL-002", "https://www.blocklist.de/en/delist.html"},
    {"dbl.spamhaus.org",        LIST_DOMAIN, "BL-001", "https://check.spamhaus.org/"},
    {"multi.surbl.org",         LIST_DOMAIN, "BL-001", "https://surbl.org/surbl-analysis"},
    {"multi.uribl.com",         LIST_DOMAIN, "BL-002", "https://admin.uribl.com/"},
};
/* clang-format on */

enum listing {
    LISTING_MISSING,
    LISTING_NO,
    LISTING_YES,
    LISTING_REFUSED,
    LISTING_UNKNOWN
};

/* What the list says about `subject` (already in query form). *f: the answer behind it. */
static enum listing ask(struct facts *facts, const char *subject, const char *zone,
                        const struct fact **f)
{
    char name[512];
    struct ipaddr a;

    if (snprintf(name, sizeof(name), "%s.%s", subject, zone) >= (int)sizeof(name))
        return LISTING_UNKNOWN;
    *f = fact_get(facts, name, RR_A);
    if ((*f)->state == FACT_MISSING)
        return LISTING_MISSING;
    if ((*f)->state == FACT_UNKNOWN)
        return LISTING_UNKNOWN;
    for (size_t i = 0; i < (*f)->n; i++) {
        if (!answer_addr(*f, i, &a) || a.b[0] != 127)
            return LISTING_UNKNOWN;
        if (a.b[1] == 255 && a.b[2] == 255)
            return LISTING_REFUSED;
    }
    return (*f)->n > 0 ? LISTING_YES : LISTING_NO;
}

/* The reverse name of an address without ".in-addr.arpa" / ".ip6.arpa". */
static void query_form(const struct ipaddr *addr, char text[IPADDR_REVERSE_TEXT])
{
    char *end;

    ipaddr_reverse_name(addr, text);
    end = strstr(text, addr->family == AF_INET ? ".in-addr.arpa" : ".ip6.arpa");
    if (end != NULL)
        *end = '\0';
}

/* RFC 5782 5: does the list know its test entry, and only that? False: said why, or facts
 * are missing. */
static bool is_healthy(struct facts *facts, const struct list *l, bool is_domain,
                       bool is_v6, struct findings *out)
{
    static const char v6_tail[] = "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0";
    char yes[128], no[128];
    const struct fact *f;
    enum listing must, must_not;

    (void)snprintf(yes, sizeof(yes), is_v6 ? "2.0.0.0.0.0.f.7.f.f.f.f.%s" : "2.0.0.127",
                   v6_tail);
    (void)snprintf(no, sizeof(no), is_v6 ? "1.0.0.0.0.0.f.7.f.f.f.f.%s" : "1.0.0.127",
                   v6_tail);
    must = ask(facts, is_domain ? "test" : yes, l->zone, &f);
    must_not = ask(facts, is_domain ? "invalid" : no, l->zone, &f);
    if (must == LISTING_MISSING || must_not == LISTING_MISSING)
        return false;
    if (must == LISTING_REFUSED || must_not == LISTING_REFUSED)
        finding_untested(
            out, "BL-003", l->zone,
            "the list refuses to answer this resolver; use a resolver of your own");
    else if (must == LISTING_UNKNOWN || must_not == LISTING_UNKNOWN)
        finding_untested(out, "BL-003", l->zone, "the list does not answer");
    else if (must_not == LISTING_YES)
        finding_untested(out, "BL-003", l->zone, "the list lists everything: ignored");
    else if (must != LISTING_YES)
        finding_untested(out, "BL-003", l->zone, "its test entry is missing%s: ignored",
                         is_v6 ? " (no IPv6 data)" : "");
    return must == LISTING_YES && must_not == LISTING_NO;
}

static void report(const struct list *l, const char *query, const char *subject,
                   struct facts *facts, struct findings *out)
{
    const struct fact *f = NULL;
    enum listing r = ask(facts, query, l->zone, &f);
    struct buf text;
    char fix[300];

    switch (r) {
    case LISTING_MISSING:
        return;
    case LISTING_NO:
        finding_pass(out, l->check, subject, "not on %s", l->zone);
        return;
    case LISTING_REFUSED:
        finding_untested(out, l->check, subject, "%s refuses to answer this resolver",
                         l->zone);
        return;
    case LISTING_UNKNOWN:
        finding_untested(out, l->check, subject, "%s does not answer", l->zone);
        return;
    case LISTING_YES:
        break;
    }
    (void)snprintf(fix, sizeof(fix), "find and stop the cause first, then: %s",
                   l->remove);
    buf_init(&text, ANSWER_TEXT_MAX);
    finding_fail(out, l->check, subject, fix, "on %s: %s", l->zone,
                 answer_print(f, &text));
    buf_free(&text);
}

static void check_list(const struct check_listed *c, const struct list *l,
                       struct facts *facts, struct findings *out)
{
    char query[IPADDR_REVERSE_TEXT], text[IPADDR_TEXT];
    bool is_domain = c->domain != NULL;

    if ((l->kinds & (is_domain ? LIST_DOMAIN : LIST_IP)) == 0 ||
        !is_healthy(facts, l, is_domain, c->addr.family == AF_INET6, out))
        return;
    if (is_domain) {
        report(l, c->domain, c->domain, facts, out);
        return;
    }
    query_form(&c->addr, query);
    ipaddr_print(&c->addr, text);
    report(l, query, text, facts, out);
}

void check_blocklist(void *ctx, struct facts *facts, struct findings *out)
{
    const struct check_listed *c = ctx;

    for (size_t i = 0; i < c->n_lists; i++) {
        struct list own = {c->lists[i], LIST_IP | LIST_DOMAIN, "BL-001",
                           "ask the operator of the list"};

        check_list(c, &own, facts, out);
    }
    for (size_t i = 0; c->n_lists == 0 && i < COUNT_OF(lists); i++)
        check_list(c, &lists[i], facts, out);
}
