/* SPDX-License-Identifier: ISC */
/* zones/lint_mail.c - lint of the records that decide whether mail arrives: MX, SPF, DKIM,
 * DMARC, TLS reports. */
#include "deliverability/record/dkim.h"
#include "deliverability/record/dmarc.h"
#include "deliverability/record/spf.h"
#include "deliverability/record/tlsrpt.h"
#include "zones/lint_int.h"

enum { SPF_LONG = 450 };

static void check_mx(struct lint *l, const struct rrset *s, const char *owner)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->rr[i].rdata.n == 3 && s->n > 1) { /* preference and the root name */
            lint_report(l, LINT_MX_NULL_MIXED, "%s has a null MX and %zu others", owner,
                        s->n - 1);
            return;
        }
    }
}

/* The strings of a TXT record put together without blanks (RFC 7208 3.3). */
static struct span joined(struct lint *l, struct span rdata)
{
    buf_reset(&l->text);
    while (rdata.n > 0) {
        size_t n = rdata.p[0];

        if (buf_span(&l->text, span_take(span_drop(rdata, 1), n)) == -1)
            break;
        rdata = span_drop(rdata, 1 + n);
    }
    return buf_all(&l->text);
}

static void check_spf_terms(struct lint *l, const struct spf_record *r, const char *owner)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->term[i].kind == SPF_PTR)
            lint_report(l, LINT_SPF_PTR, "%s: the SPF record uses ptr", owner);
        if (r->term[i].kind == SPF_ALL && r->term[i].qualifier == SPF_PASS)
            lint_report(l, LINT_SPF_ALLOW_ALL, "%s: the SPF record says +all", owner);
    }
    if (!r->has_all && !r->has_redirect)
        lint_report(l, LINT_SPF_NO_ALL, "%s: the SPF record has neither all nor redirect",
                    owner);
    if (r->lookups > SPF_LOOKUPS_MAX)
        lint_report(
            l, LINT_SPF_LOOKUPS,
            "%s: the SPF record itself asks for %u look-ups, without those of its "
            "includes",
            owner, r->lookups);
}

static void check_spf(struct lint *l, struct span text, const char *owner)
{
    struct spf_record r;
    struct err err;

    if (text.n > SPF_LONG)
        lint_report(l, LINT_SPF_LONG, "%s: the SPF record has %zu octets", owner, text.n);
    if (spf_parse(text, &r, &err) == SPF_PARSE_OK)
        check_spf_terms(l, &r, owner);
    else
        lint_report(l, LINT_SPF_SYNTAX, "%s: SPF: %s", owner, err.text);
}

/* Does the name begin with this label, or hold it as second one? */
static bool label_is(struct span name, const char *label)
{
    return name.n > 1 && span_eq_str_nocase(span_of(name.p + 1, name.p[0]), label);
}

static void check_dkim(struct lint *l, struct span text, const char *owner)
{
    struct dkim_record r;
    struct err err;

    if (dkim_record_parse(text, &r, &err) == -1)
        lint_report(l, LINT_DKIM_SYNTAX, "%s: DKIM: %s", owner, err.text);
}

static void check_dmarc(struct lint *l, struct span text, const char *owner)
{
    struct dmarc_record r;
    struct err err;

    if (dmarc_record_parse(text, &r, &err) == -1)
        lint_report(l, LINT_DMARC_SYNTAX, "%s: DMARC: %s", owner, err.text);
}

static void check_tlsrpt(struct lint *l, struct span text, const char *owner)
{
    struct tlsrpt_record r;
    struct err err;

    if (tlsrpt_record_parse(text, &r, &err) == -1)
        lint_report(l, LINT_TLSRPT_SYNTAX, "%s: TLS reporting: %s", owner, err.text);
}

/* Consents at X._report._dmarc.Y are DMARC records without a policy (RFC 7489 7.1). */
static bool is_consent(struct span owner)
{
    while (owner.n > 1) {
        if (label_is(owner, "_report"))
            return true;
        owner = dname_parent(owner);
    }
    return false;
}

static void check_txt(struct lint *l, const struct rrset *s, const char *owner)
{
    size_t spf = 0, dmarc = 0;
    bool is_key = label_is(dname_parent(s->owner), "_domainkey");

    for (size_t i = 0; i < s->n; i++) {
        struct span text = joined(l, s->rr[i].rdata);

        if (spf_is_record(text)) {
            spf++;
            check_spf(l, text, owner);
        }
        if (is_key)
            check_dkim(l, text, owner);
        if (label_is(s->owner, "_dmarc") &&
            span_starts_nocase(text, SPAN_LIT("v=DMARC1"))) {
            dmarc++;
            check_dmarc(l, text, owner);
        } else if (label_is(s->owner, "_dmarc") && !is_consent(s->owner)) {
            lint_report(l, LINT_DMARC_SYNTAX, "%s: a text that is no DMARC record",
                        owner);
        }
        if (label_is(s->owner, "_smtp") && label_is(dname_parent(s->owner), "_tls"))
            check_tlsrpt(l, text, owner);
    }
    if (spf > 1)
        lint_report(l, LINT_SPF_MANY, "%s has %zu SPF records", owner, spf);
    if (dmarc > 1)
        lint_report(l, LINT_DMARC_MANY, "%s has %zu DMARC records", owner, dmarc);
    if (is_key && s->n > 1)
        lint_report(l, LINT_DKIM_MANY, "%s has %zu key records", owner, s->n);
}

void lint_mail(struct lint *l, const struct rrset *s, const char *owner)
{
    if (s->type == RR_MX)
        check_mx(l, s, owner);
    if (s->type == RR_TXT)
        check_txt(l, s, owner);
}
