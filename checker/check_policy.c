/* SPDX-License-Identifier: ISC */
/* checker/check_policy.c - what the domain says about who may send: SPF, DKIM, DMARC and
 * where reports go (SP-*, DK-*, DM-*, TR-*). The records are parsed by deliverability/, so
 * checker and server cannot disagree. */
#include <stdio.h>
#include <string.h>

#include "base/dns/rrtype.h"
#include "checker/answer.h"
#include "checker/check.h"
#include "deliverability/record/dkim.h"
#include "deliverability/record/dmarc.h"
#include "deliverability/record/spf.h"
#include "deliverability/record/tlsrpt.h"

/* Find the TXT records that `is_one` accepts. *text keeps the last; returns how many. */
static size_t pick(const struct fact *f, bool (*is_one)(struct span text),
                   struct buf *text)
{
    struct buf one;
    size_t n = 0;

    buf_init(&one, ANSWER_TEXT_MAX);
    for (size_t i = 0; i < f->n; i++) {
        if (!answer_txt(f, i, &one) || !is_one(buf_all(&one)))
            continue;
        n++;
        buf_reset(text);
        if (buf_span(text, buf_all(&one)) == -1)
            n--;
    }
    buf_free(&one);
    return n;
}

/* Look-ups that the record `text` of `domain` costs in all, includes and redirects
 * followed (RFC 7208 4.6.4). Counting stops past the limit, so loops end. */
static unsigned count_lookups(struct facts *facts, struct span text, unsigned so_far)
{
    struct spf_record r;
    struct buf inner;
    unsigned n;

    if (spf_parse(text, &r, NULL) != SPF_PARSE_OK)
        return so_far;
    n = so_far + r.lookups;
    buf_init(&inner, ANSWER_TEXT_MAX);
    for (size_t i = 0; i < r.n && n <= SPF_LOOKUPS_MAX; i++) {
        char name[256];
        const struct fact *f;

        if (r.term[i].kind != SPF_INCLUDE && r.term[i].kind != SPF_REDIRECT)
            continue;
        if (span_index(r.term[i].domain, '%') >= 0 ||
            !span_copy(r.term[i].domain, name, sizeof(name)))
            continue;
        f = fact_get(facts, name, RR_TXT);
        if (f->state == FACT_RECORDS && pick(f, spf_is_record, &inner) == 1)
            n = count_lookups(facts, buf_all(&inner), n);
    }
    buf_free(&inner);
    return n;
}

static void check_spf_terms(const struct check_target *t, struct facts *facts,
                            const struct spf_record *r, struct span text,
                            struct findings *out)
{
    unsigned lookups = count_lookups(facts, text, 0);

    for (size_t i = 0; i < r->n; i++)
        if (r->term[i].kind == SPF_ALL && r->term[i].qualifier == SPF_PASS)
            finding_fail(out, "SP-009", t->domain, "end the record in ~all or -all",
                         "the record ends in +all");
    if (!r->has_all && !r->has_redirect)
        finding_fail(out, "SP-010", t->domain, "end the record in ~all or -all",
                     "neither all nor redirect");
    if (lookups > SPF_LOOKUPS_MAX)
        finding_fail(out, "SP-004", t->domain,
                     "replace include: by the addresses behind it (ip4:, ip6:)",
                     "more than %d look-ups", SPF_LOOKUPS_MAX);
    else
        finding_pass(out, "SP-004", t->domain, "%u look-up%s", lookups,
                     lookups == 1 ? "" : "s");
}

static void judge_spf(const struct check_target *t, struct facts *facts,
                      const struct fact *f, struct buf *text, struct findings *out)
{
    size_t n = pick(f, spf_is_record, text);
    struct spf_record r;
    struct err err = {0};

    if (n == 0) {
        finding_fail(out, "SP-001", t->domain, "add the TXT record: v=spf1 mx ~all", "%s",
                     f->n > 0 ? "no TXT record here begins with v=spf1"
                              : fact_absence(f));
        return;
    }
    if (n > 1) {
        finding_fail(out, "SP-002", t->domain, "merge them into one record",
                     "%zu records that begin with v=spf1", n);
        return;
    }
    if (spf_parse(buf_all(text), &r, &err) != SPF_PARSE_OK) {
        finding_fail(out, "SP-003", t->domain, NULL, "%s: %s", buf_cstr(text), err.text);
        return;
    }
    finding_pass(out, "SP-001", t->domain, "%s", buf_cstr(text));
    check_spf_terms(t, facts, &r, buf_all(text), out);
}

void check_spf(const struct check_target *t, struct facts *facts, struct findings *out)
{
    const struct fact *f = fact_get(facts, t->domain, RR_TXT);
    struct buf text;

    if (f->state == FACT_MISSING)
        return;
    if (f->state == FACT_UNKNOWN) {
        finding_untested(out, "SP-001", t->domain, "%s", f->why);
        return;
    }
    buf_init(&text, ANSWER_TEXT_MAX);
    judge_spf(t, facts, f, &text, out);
    buf_free(&text);
}

static void judge_dkim(const char *name, const struct fact *f, struct buf *text,
                       struct findings *out)
{
    struct dkim_record r;
    struct err err = {0};

    if (f->state == FACT_UNKNOWN) {
        finding_untested(out, "DK-001", name, "%s", f->why);
    } else if (f->n == 0) {
        finding_fail(
            out, "DK-001", name,
            "publish the key (signpost dkim show DOMAIN), or stop signing with it", "%s",
            fact_absence(f));
    } else if (f->n > 1) {
        finding_fail(out, "DK-003", name, "leave one TXT record at this name",
                     "%zu TXT records", f->n);
    } else if (!answer_txt(f, 0, text) ||
               dkim_record_parse(buf_all(text), &r, &err) == -1) {
        finding_fail(out, "DK-003", name,
                     "publish the record as signpost dkim show prints it", "%s",
                     err.text);
    } else if (r.is_revoked) {
        finding_fail(out, "DK-005", name, "sign with another selector", "p= is empty");
    } else {
        finding_pass(out, "DK-001", name, "%s key",
                     r.type == DKIM_KEY_RSA ? "RSA" : "Ed25519");
    }
}

void check_dkim(const struct check_target *t, struct facts *facts, struct findings *out)
{
    struct buf text;

    if (t->n_selectors == 0) {
        finding_untested(
            out, "DK-001", t->domain,
            "selectors cannot be listed from outside; name one with --selector");
        return;
    }
    buf_init(&text, ANSWER_TEXT_MAX);
    for (size_t i = 0; i < t->n_selectors; i++) {
        char name[512];
        const struct fact *f;

        if (snprintf(name, sizeof(name), "%s._domainkey.%s", t->selector[i], t->domain) >=
            (int)sizeof(name))
            continue;
        f = fact_get(facts, name, RR_TXT);
        if (f->state != FACT_MISSING)
            judge_dkim(name, f, &text, out);
    }
    buf_free(&text);
}

static bool is_dmarc(struct span text)
{
    return span_starts(text, SPAN_LIT("v=DMARC1"));
}

static void judge_dmarc(const char *name, const struct fact *f, struct buf *text,
                        struct findings *out)
{
    size_t n = pick(f, is_dmarc, text);
    struct dmarc_record r;
    struct err err = {0};

    if (n == 0) {
        finding_fail(
            out, "DM-001", name, "add the TXT record: v=DMARC1; p=none; rua=mailto:...",
            "%s", f->n > 0 ? "no TXT record here begins with v=DMARC1" : fact_absence(f));
        return;
    }
    if (n > 1) {
        finding_fail(out, "DM-002", name, "leave one record", "%zu records", n);
        return;
    }
    if (dmarc_record_parse(buf_all(text), &r, &err) == -1) {
        finding_fail(out, "DM-003", name, NULL, "%s: %s", buf_cstr(text), err.text);
        return;
    }
    finding_pass(out, "DM-001", name, "%s", buf_cstr(text));
    if (r.policy == DMARC_NONE)
        finding_fail(
            out, "DM-004", name,
            "when the reports look right: signpost domain set NAME --dmarc quarantine",
            "p=none");
    if (r.n_rua == 0)
        finding_fail(out, "DM-009", name, "add rua=mailto:ADDRESS", "no rua");
    else
        finding_pass(out, "DM-009", name, "%zu report address%s", r.n_rua,
                     r.n_rua == 1 ? "" : "es");
}

void check_dmarc(const struct check_target *t, struct facts *facts, struct findings *out)
{
    char name[512];
    const struct fact *f;
    struct buf text;

    (void)snprintf(name, sizeof(name), "_dmarc.%s", t->domain);
    f = fact_get(facts, name, RR_TXT);
    if (f->state == FACT_MISSING)
        return;
    if (f->state == FACT_UNKNOWN) {
        finding_untested(out, "DM-001", name, "%s", f->why);
        return;
    }
    buf_init(&text, ANSWER_TEXT_MAX);
    judge_dmarc(name, f, &text, out);
    buf_free(&text);
}

static bool is_tlsrpt(struct span text)
{
    return span_starts(text, SPAN_LIT("v=TLSRPTv1"));
}

void check_tlsrpt(const struct check_target *t, struct facts *facts, struct findings *out)
{
    char name[512];
    const struct fact *f;
    struct buf text;
    struct tlsrpt_record r;
    struct err err = {0};

    (void)snprintf(name, sizeof(name), "_smtp._tls.%s", t->domain);
    f = fact_get(facts, name, RR_TXT);
    if (f->state == FACT_MISSING)
        return;
    buf_init(&text, ANSWER_TEXT_MAX);
    if (f->state == FACT_UNKNOWN)
        finding_untested(out, "TR-001", name, "%s", f->why);
    else if (pick(f, is_tlsrpt, &text) != 1)
        finding_fail(out, "TR-001", name,
                     "add the TXT record: v=TLSRPTv1; rua=mailto:ADDRESS", "%s",
                     fact_absence(f));
    else if (tlsrpt_record_parse(buf_all(&text), &r, &err) == -1)
        finding_fail(out, "TR-001", name, NULL, "%s: %s", buf_cstr(&text), err.text);
    else
        finding_pass(out, "TR-001", name, "%s", buf_cstr(&text));
    buf_free(&text);
}
