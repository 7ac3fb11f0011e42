/* SPDX-License-Identifier: ISC */
#include "zones/zonefile.h"

#include <string.h>

#include "base/dns/rdata.h"

static int print_line(const struct rrset *set, const struct rr *r, bool has_rule,
                      struct buf *out)
{
    char owner[DNAME_TEXT];
    char type[RRTYPE_TEXT];

    (void)dname_print(set->owner, owner);
    if (buf_printf(out, "%-39s %6u IN %-5s ", owner, set->ttl_s,
                   rrtype_print(set->type, type)) != 0 ||
        rdata_print(set->type, r->rdata, out) != 0)
        return -1;
    if (has_rule && buf_printf(out, " ; %s", r->rule) != 0)
        return -1;
    return buf_byte(out, '\n');
}

int zonefile_print_rr(const struct rrset *set, const struct rr *r, struct buf *out)
{
    return print_line(set, r, false, out);
}

static int print_set(const struct rrset *set, const struct zonefile_style *style,
                     struct buf *out)
{
    for (size_t i = 0; i < set->n; i++)
        if (print_line(set, &set->rr[i], style->has_rules, out) != 0)
            return -1;
    return 0;
}

int zonefile_print(const struct zone *z, const struct zonefile_style *style,
                   struct buf *out)
{
    static const struct zonefile_style plain = {false};
    const struct rrset *soa = zone_find(z, zone_apex(z), RR_SOA);
    char apex[DNAME_TEXT];

    if (style == NULL)
        style = &plain;
    (void)dname_print(zone_apex(z), apex);
    if (buf_printf(out, "$ORIGIN %s\n", apex) != 0)
        return -1;
    if (soa != NULL && print_set(soa, style, out) != 0)
        return -1;
    for (size_t i = 0; i < zone_count(z); i++)
        if (zone_at(z, i) != soa && print_set(zone_at(z, i), style, out) != 0)
            return -1;
    return 0;
}
