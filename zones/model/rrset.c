/* SPDX-License-Identifier: ISC */
#include "zones/model/rrset.h"

#include "base/dns/rdata.h"

const struct rr *rrset_find(const struct rrset *s, struct span rdata)
{
    for (size_t i = 0; i < s->n; i++)
        if (rdata_eq(s->type, s->rr[i].rdata, rdata))
            return &s->rr[i];
    return NULL;
}

bool rrset_eq(const struct rrset *a, const struct rrset *b)
{
    if (a->type != b->type || a->ttl_s != b->ttl_s || a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (rrset_find(b, a->rr[i].rdata) == NULL)
            return false;
    return true;
}
