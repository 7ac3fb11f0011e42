/* SPDX-License-Identifier: ISC */
/* checker/check_rdns.c - reverse names of an address or of all addresses of a host (RV-*). */
#include <stdio.h>
#include <string.h>

#include "base/dns/rrtype.h"
#include "checker/answer.h"
#include "checker/check.h"

/* Words that providers put into names of dial-up and cloud default addresses. Whole labels
 * or parts of labels between hyphens, so that "dynamo.example" is not "dyn". */
static const char *const generic_words[] = {
    "dyn", "dynamic", "pool",   "dsl",       "adsl",   "dial", "dialup",
    "ppp", "dhcp",    "cable",  "cust",      "static", "host", "ip",
    "vps", "user",    "client", "broadband", "compute"};

static bool is_generic_word(struct span word)
{
    for (size_t i = 0; i < COUNT_OF(generic_words); i++)
        if (span_eq_str_nocase(word, generic_words[i]))
            return true;
    return false;
}

/* The last two octets of an IPv4 address standing in the first label, or a generic word
 * beside a number: what receivers' patterns look for. */
static bool is_generic(const char *name, const struct ipaddr *addr)
{
    struct span label, rest = span_str(name), word;
    char a[8], b[8];
    bool has_a = false, has_b = false, has_word = false, has_digit = false;

    (void)span_cut(rest, '.', &label, &rest);
    (void)snprintf(a, sizeof(a), "%u", addr->b[2]);
    (void)snprintf(b, sizeof(b), "%u", addr->b[3]);
    while (label.n > 0) {
        (void)span_cut(label, '-', &word, &label);
        has_a |= span_eq_str(word, a);
        has_b |= span_eq_str(word, b);
        has_word |= is_generic_word(word);
        has_digit |= word.n > 0 && ascii_is_digit(word.p[0]);
    }
    if (addr->family == AF_INET && has_a && has_b)
        return true;
    while (!has_word && span_cut(rest, '.', &word, &rest))
        has_word = is_generic_word(word) && has_digit;
    return has_word && has_digit;
}

static void check_names(const struct check_host *h, const struct fact *ptr,
                        const char *addr_text, const struct ipaddr *addr,
                        struct facts *facts, struct findings *out)
{
    char name[DNAME_TEXT];
    bool is_unknown = false;

    for (size_t i = 0; i < ptr->n && i < 8; i++) {
        enum confirm c;

        if (!answer_name(ptr, i, name))
            continue;
        c = check_confirm(facts, name, addr);
        is_unknown |= c == CONFIRM_UNKNOWN;
        if (c != CONFIRM_YES)
            continue;
        finding_pass(out, "RV-003", addr_text, "%s leads back", name);
        if (is_generic(name, addr))
            finding_fail(out, "RV-005", addr_text,
                         "ask the owner of the address for a name of your own mail host",
                         "%s looks like a customer line", name);
        else
            finding_pass(out, "RV-005", addr_text, "%s", name);
        return;
    }
    if (facts_open(facts) > 0)
        return;
    if (is_unknown)
        finding_untested(out, "RV-003", addr_text,
                         "the reverse name could not be looked up");
    else
        finding_fail(out, "RV-003", addr_text,
                     h->name != NULL ? "make the reverse name the host's own name"
                                     : "add an A or AAAA record for the reverse name",
                     "no reverse name has this address");
}

static void check_addr(const struct check_host *h, const struct ipaddr *addr,
                       struct facts *facts, struct findings *out)
{
    char reverse[IPADDR_REVERSE_TEXT], text[IPADDR_TEXT], fix[DNAME_TEXT + 200];
    const struct fact *ptr;

    ipaddr_print(addr, text);
    ipaddr_reverse_name(addr, reverse);
    ptr = fact_get(facts, reverse, RR_PTR);
    if (ptr->state == FACT_MISSING)
        return;
    if (ptr->state == FACT_UNKNOWN) {
        finding_untested(out, "RV-001", text, "%s: %s", reverse, ptr->why);
        return;
    }
    if (ptr->n == 0) {
        (void)snprintf(fix, sizeof(fix), "ask the owner of the address for: %s. PTR %s.",
                       reverse, h->name != NULL ? h->name : "your.mail.host");
        finding_fail(out, "RV-001", text, fix, "%s: %s", reverse, fact_absence(ptr));
        return;
    }
    finding_pass(out, "RV-001", text, "%s", reverse);
    if (ptr->n > 1)
        finding_fail(out, "RV-004", text, "leave one PTR record", "%zu PTR records",
                     ptr->n);
    check_names(h, ptr, text, addr, facts, out);
}

void check_rdns(void *ctx, struct facts *facts, struct findings *out)
{
    const struct check_host *h = ctx;
    static const uint16_t types[] = {RR_A, RR_AAAA};
    struct ipaddr addr;
    size_t n = 0;

    if (h->name == NULL) {
        check_addr(h, &h->addr, facts, out);
        return;
    }
    for (size_t k = 0; k < COUNT_OF(types); k++) {
        const struct fact *f = fact_get(facts, h->name, types[k]);

        if (f->state == FACT_UNKNOWN)
            finding_untested(out, "RV-001", h->name, "%s", f->why);
        n += f->n + (f->state == FACT_UNKNOWN || f->state == FACT_MISSING);
        for (size_t i = 0; i < f->n && i < 16; i++)
            if (answer_addr(f, i, &addr))
                check_addr(h, &addr, facts, out);
    }
    if (n == 0)
        finding_fail(out, "RV-001", h->name, "add an A or AAAA record for this host",
                     "the host has no address");
}
