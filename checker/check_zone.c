/* SPDX-License-Identifier: ISC */
/* checker/check_zone.c - one domain as a whole: does it exist, does the world see what our
 * database publishes (DL-*, DB-*), and then the mail families. */
#include <string.h>

#include "base/dns/rdata.h"
#include "base/dns/rrtype.h"
#include "checker/answer.h"
#include "checker/check.h"

/* A large zone is compared in part; mail records come first in any zone we generate. */
enum { RRSETS_MAX = 500 };

static bool fact_has(const struct fact *f, uint16_t type, struct span rdata)
{
    for (size_t i = 0; i < f->n; i++)
        if (rdata_eq(type, f->rdata[i], rdata))
            return true;
    return false;
}

/* SOA is the zone's own serial, which caches may show a little older: not compared.
 * Wildcards cannot be asked for by name without meaning something else. */
static bool is_comparable(const struct rrset *s)
{
    return s->type != RR_SOA && !dname_is_wildcard(s->owner);
}

static bool is_same(const struct fact *f, const struct rrset *s)
{
    if (f->n != s->n)
        return false;
    for (size_t i = 0; i < s->n; i++)
        if (!fact_has(f, s->type, s->rr[i].rdata))
            return false;
    return true;
}

static void want_text(const struct rrset *s, struct buf *out)
{
    char owner[DNAME_TEXT], type[RRTYPE_TEXT];

    buf_reset(out);
    (void)dname_print(s->owner, owner);
    for (size_t i = 0; i < s->n; i++) {
        if (buf_printf(out, "%s%s %u IN %s ", i > 0 ? "\n" : "", owner, s->ttl_s,
                       rrtype_print(s->type, type)) == -1 ||
            rdata_print(s->type, s->rr[i].rdata, out) == -1)
            break;
    }
}

/* Compare one RRset. Returns 1 same, 0 different (reported) or unknown, -1 not asked yet. */
static int compare_rrset(const struct check_target *t, const struct rrset *s,
                         struct facts *facts, struct findings *out)
{
    char owner[DNAME_TEXT];
    const struct fact *f;
    struct buf seen, want;

    (void)dname_print_bare(s->owner, owner);
    f = fact_get(facts, owner, s->type);
    if (f->state == FACT_MISSING)
        return -1;
    if (is_same(f, s))
        return 1;
    buf_init(&seen, ANSWER_TEXT_MAX);
    buf_init(&want, ANSWER_TEXT_MAX);
    want_text(s, &want);
    if (f->state == FACT_UNKNOWN)
        finding_untested(out, "DB-001", owner, "%s", f->why);
    else if (s->type == RR_NS && strcmp(owner, t->domain) == 0)
        finding_fail(out, "DB-002", owner, buf_cstr(&want), "%s", answer_print(f, &seen));
    else
        finding_fail(out, "DB-001", owner, buf_cstr(&want), "%s", answer_print(f, &seen));
    buf_free(&seen);
    buf_free(&want);
    return 0;
}

void check_zone_live(const struct check_target *t, struct facts *facts,
                     struct findings *out)
{
    size_t same = 0, looked_at = 0;
    bool is_waiting = false;

    for (size_t i = 0; i < zone_count(t->zone) && looked_at < RRSETS_MAX; i++) {
        const struct rrset *s = zone_at(t->zone, i);
        int r;

        if (!is_comparable(s))
            continue;
        looked_at++;
        r = compare_rrset(t, s, facts, out);
        is_waiting |= r == -1;
        same += r == 1;
    }
    if (!is_waiting && same == looked_at)
        finding_pass(out, "DB-001", t->domain,
                     "%zu of %zu record sets as in the database", same, looked_at);
}

/* Nothing else can be judged while the domain itself does not answer: say that once. */
static bool check_exists(const struct check_target *t, struct facts *facts,
                         struct findings *out)
{
    const struct fact *soa = fact_get(facts, t->domain, RR_SOA);

    switch (soa->state) {
    case FACT_MISSING:
        return false;
    case FACT_UNKNOWN:
        finding_untested(out, "DL-001", t->domain, "%s", soa->why);
        return false;
    case FACT_NO_NAME:
        finding_fail(out, "DL-001", t->domain,
                     t->zone != NULL ? "at your registrar, set the name servers that "
                                       "`signpost domain show` lists"
                                     : "register the domain, or check the spelling",
                     "the name does not exist (NXDOMAIN)");
        return false;
    case FACT_NO_DATA: /* a name inside somebody's zone can take mail too */
    case FACT_RECORDS:
        finding_pass(out, "DL-001", t->domain, "%s",
                     soa->state == FACT_RECORDS ? "has a zone of its own"
                                                : "is a name in its parent's zone");
        return true;
    }
    return false;
}

void check_domain(void *ctx, struct facts *facts, struct findings *out)
{
    const struct check_target *t = ctx;

    if (!check_exists(t, facts, out))
        return;
    if (t->zone != NULL)
        check_zone_live(t, facts, out);
    check_mx(t, facts, out);
    check_spf(t, facts, out);
    check_dkim(t, facts, out);
    check_dmarc(t, facts, out);
    check_tlsrpt(t, facts, out);
}
