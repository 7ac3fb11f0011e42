/* SPDX-License-Identifier: ISC */
/* deliverability/record/dmarc.c - see dmarc.h.
 *
 * One row per tag; an unknown tag is ignored (RFC 7489 6.3), a known one with a value that
 * is not defined is refused here, although a receiver would only ignore that tag: who writes
 * a record wants to hear of it. */
#include "deliverability/record/dmarc.h"

#include "deliverability/record/taglist.h"

static const char *const policies[] = {"none", "quarantine", "reject"};

const char *dmarc_policy_name(enum dmarc_policy p)
{
    return policies[p];
}

static int read_policy(const char *tag, struct span v, enum dmarc_policy *p,
                       struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(policies); i++) {
        if (span_eq_str_nocase(v, policies[i])) {
            *p = (enum dmarc_policy)i;
            return 0;
        }
    }
    return err_set(err, "%s=%.*s is not a policy: none, quarantine or reject", tag,
                   SPAN_ARG(v));
}

static int do_p(struct span v, struct dmarc_record *r, struct err *err)
{
    if (read_policy("p", v, &r->policy, err) == -1)
        return -1;
    r->subdomain_policy = r->policy;
    return 0;
}

static int do_sp(struct span v, struct dmarc_record *r, struct err *err)
{
    return read_policy("sp", v, &r->subdomain_policy, err);
}

static int read_mode(const char *tag, struct span v, bool *is_strict, struct err *err)
{
    *is_strict = span_eq_str_nocase(v, "s");
    if (*is_strict || span_eq_str_nocase(v, "r"))
        return 0;
    return err_set(err, "%s=%.*s is not an alignment mode: r or s", tag, SPAN_ARG(v));
}

static int do_adkim(struct span v, struct dmarc_record *r, struct err *err)
{
    return read_mode("adkim", v, &r->is_dkim_strict, err);
}

static int do_aspf(struct span v, struct dmarc_record *r, struct err *err)
{
    return read_mode("aspf", v, &r->is_spf_strict, err);
}

static int do_pct(struct span v, struct dmarc_record *r, struct err *err)
{
    uint64_t n;

    if (!span_to_u64(v, 100, &n))
        return err_set(err, "pct=%.*s is not a number from 0 to 100", SPAN_ARG(v));
    r->percent = (unsigned)n;
    return 0;
}

static int do_ri(struct span v, struct dmarc_record *r, struct err *err)
{
    uint64_t n;

    if (!span_to_u64(v, UINT32_MAX, &n))
        return err_set(err, "ri=%.*s is not a number of seconds", SPAN_ARG(v));
    r->interval_s = (uint32_t)n;
    return 0;
}

bool dmarc_uri_domain(struct span uri, struct span *domain)
{
    ptrdiff_t at, bang;

    if (!span_starts_nocase(uri, SPAN_LIT("mailto:")))
        return false;
    uri = span_drop(uri, 7);
    bang = span_rindex(uri, '!');
    if (bang != -1)
        uri = span_take(uri, (size_t)bang);
    at = span_rindex(uri, '@');
    if (at <= 0 || (size_t)at + 1 == uri.n)
        return false;
    *domain = span_drop(uri, (size_t)at + 1);
    return true;
}

/* "mailto:a@b!10m": digits and one of k, m, g, t behind the exclamation mark. */
static bool size_is_valid(struct span s)
{
    static const uint8_t units[] = {'k', 'm', 'g', 't'};
    uint64_t n;

    if (s.n > 0)
        for (size_t i = 0; i < sizeof(units); i++)
            if (ascii_lower(s.p[s.n - 1]) == units[i]) {
                s.n--;
                break;
            }
    return span_to_u64(s, UINT64_MAX / 2, &n);
}

static int check_uri(const char *tag, struct span uri, struct err *err)
{
    struct span domain;
    ptrdiff_t colon = span_index(uri, ':'), bang = span_rindex(uri, '!');

    if (colon == -1 && span_index(uri, '@') > 0)
        return err_set(err, "%s=%.*s is not a URI: write mailto:%.*s", tag, SPAN_ARG(uri),
                       SPAN_ARG(uri));
    if (colon <= 0)
        return err_set(err, "%s=%.*s is not a URI", tag, SPAN_ARG(uri));
    if (span_starts_nocase(uri, SPAN_LIT("mailto:")) && !dmarc_uri_domain(uri, &domain))
        return err_set(err, "%s=%.*s holds no mail address", tag, SPAN_ARG(uri));
    if (bang != -1 && !size_is_valid(span_drop(uri, (size_t)bang + 1)))
        return err_set(
            err,
            "%s=%.*s: what follows the ! must be a size such as 10m (a ! in the "
            "address is written %%21)",
            tag, SPAN_ARG(uri));
    return 0;
}

static int read_uris(const char *tag, struct span v, struct span *uris, size_t *n,
                     struct err *err)
{
    bool is_more = true;

    while (is_more) {
        struct span one;

        is_more = span_cut(v, ',', &one, &v);
        one = span_trim(one);
        if (*n == DMARC_URIS_MAX)
            return err_set(err, "%s= has more than %d addresses", tag, DMARC_URIS_MAX);
        if (check_uri(tag, one, err) == -1)
            return -1;
        uris[(*n)++] = one;
    }
    return 0;
}

static int do_rua(struct span v, struct dmarc_record *r, struct err *err)
{
    return read_uris("rua", v, r->rua, &r->n_rua, err);
}

static int do_ruf(struct span v, struct dmarc_record *r, struct err *err)
{
    return read_uris("ruf", v, r->ruf, &r->n_ruf, err);
}

static const struct {
    const char *name;
    int (*read)(struct span v, struct dmarc_record *r, struct err *err);
} tags[] = {
    {"p", do_p}, /* before sp, which it gives a default */
    {"sp", do_sp}, {"adkim", do_adkim}, {"aspf", do_aspf}, {"pct", do_pct},
    {"ri", do_ri}, {"rua", do_rua},     {"ruf", do_ruf},
};

int dmarc_record_parse(struct span text, struct dmarc_record *r, struct err *err)
{
    struct taglist l;
    struct span v;

    *r = (struct dmarc_record){.percent = 100, .interval_s = 86400};
    if (taglist_parse(text, &l, err) == -1)
        return -1;
    if (l.n == 0 || !span_eq_str(l.tag[0].name, "v") ||
        !span_eq_str(l.tag[0].value, "DMARC1"))
        return err_set(err, "the record must begin with v=DMARC1 (RFC 7489 6.3)");
    if (!taglist_get(&l, "p", &v))
        return err_set(err, "no p=: say none, quarantine or reject (RFC 7489 6.3)");
    for (size_t i = 0; i < COUNT_OF(tags); i++)
        if (taglist_get(&l, tags[i].name, &v) && tags[i].read(v, r, err) == -1)
            return -1;
    return 0;
}

int dmarc_record_print(enum dmarc_policy policy, struct span rua, struct buf *out)
{
    size_t before = out->len;

    if (buf_printf(out, "v=DMARC1; p=%s", policies[policy]) == 0 &&
        (rua.n == 0 || (buf_str(out, "; rua=mailto:") == 0 && buf_span(out, rua) == 0)))
        return 0;
    buf_truncate(out, before);
    return -1;
}
