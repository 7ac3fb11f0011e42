/* SPDX-License-Identifier: ISC */
#include "dnsd/stats.h"

static const char *const names[STAT_COUNT] = {
    [STAT_UDP_QUERIES] = "udp_queries",
    [STAT_TCP_QUERIES] = "tcp_queries",
    [STAT_TCP_CONNECTIONS] = "tcp_connections",
    [STAT_TCP_REFUSED] = "tcp_refused_connections",
    [STAT_UDP_SEND_LOST] = "udp_send_lost",
    [STAT_DROP_SHORT] = "dropped_short",
    [STAT_DROP_RESPONSE] = "dropped_responses",
    [STAT_EDNS] = "edns",
    [STAT_DNSSEC_OK] = "dnssec_ok",
    [STAT_TRUNCATED] = "truncated",
    [STAT_REFERRAL] = "referrals",
    [STAT_NODATA] = "nodata",
    [STAT_NOERROR] = "rcode_noerror",
    [STAT_FORMERR] = "rcode_formerr",
    [STAT_SERVFAIL] = "rcode_servfail",
    [STAT_NXDOMAIN] = "rcode_nxdomain",
    [STAT_NOTIMP] = "rcode_notimp",
    [STAT_REFUSED] = "rcode_refused",
    [STAT_OTHER_RCODE] = "rcode_other",
};

const char *stats_name(enum stats_item what)
{
    return names[what];
}

uint64_t stats_sum(const struct stats *const *all, unsigned n, enum stats_item what)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < n; i++)
        sum += atomic_load_explicit(&all[i]->n[what], memory_order_relaxed);
    return sum;
}

int stats_json(const struct stats *const *all, unsigned n, struct buf *out)
{
    for (unsigned i = 0; i < STAT_COUNT; i++)
        if (buf_printf(out, "%s\"%s\":%llu", i == 0 ? "{" : ",", names[i],
                       (unsigned long long)stats_sum(all, n, (enum stats_item)i)) != 0)
            return -1;
    return buf_byte(out, '}');
}
