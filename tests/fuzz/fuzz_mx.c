/* SPDX-License-Identifier: ISC */
/* Which hosts take mail for a domain, from answers that say anything (maild/relay/mx.h).
 *
 * Input: one octet of flags, the domain as a line, then answers: one octet of the result, one
 * of the number of records, each record a field. */
#include <stdlib.h>
#include <string.h>

#include "base/core/utf8.h"
#include "base/dns/rrtype.h"
#include "maild/relay/mx.h"
#include "tests/fuzz/fuzz.h"

#define RECORDS_MAX 12

static struct mx_answer take_answer(struct span *in, struct span v[RECORDS_MAX])
{
    unsigned how = fuzz_u8(in);
    size_t n = fuzz_u8(in) % (RECORDS_MAX + 1);

    for (size_t i = 0; i < n; i++)
        v[i] = fuzz_heap(fuzz_field(in));
    return (struct mx_answer){.rcode = how % 8 == 7 ? -1 : (int)(how % 4),
                              .is_bogus = how & 128,
                              .n = n,
                              .rdata = v};
}

static void drop_answer(const struct mx_answer *a)
{
    for (size_t i = 0; i < a->n; i++)
        fuzz_heap_free(a->rdata[i]);
}

static void check_end(const struct mx_plan *p, enum mx_state state)
{
    if (state == MX_READY) {
        LAW(p->n_targets > 0 && p->n_targets <= MX_TARGETS_MAX,
            "there is somebody to ask");
        for (size_t i = 0; i < p->n_targets; i++)
            LAW(p->targets[i].addr.family != 0 && p->targets[i].host != NULL,
                "a target has an address");
    } else if (state == MX_LATER || state == MX_FAILED) {
        LAW(p->text[0] == (state == MX_LATER ? '4' : '5'), "the code says what is meant");
        LAW(utf8_is_text(span_str(p->text)), "a reason is a line of text");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span in = span_of(data, n), v[RECORDS_MAX];
    unsigned flags = fuzz_u8(&in);
    char *domain = span_dup(fuzz_line(&in));
    struct ipaddr ours;
    const struct mx_self self = {.hostname = "mail.example.com",
                                 .addrs = &ours,
                                 .n_addrs = 1,
                                 .has_loopback = flags & 1,
                                 .has_v4 = flags & 2,
                                 .has_v6 = flags & 4};
    enum mx_state state;
    struct mx_plan p;
    struct mx_answer a;
    struct rng rng;

    LAW(ipaddr_parse(SPAN_LIT("192.0.2.1"), &ours), "an address");
    rng_seeded_init(&rng, 1);
    if (strlen(domain) < MX_NAME && utf8_is_text(span_str(domain))) {
        state = mx_init(&p, domain, &self);
        if (state == MX_ASK_MX) {
            a = take_answer(&in, v);
            state = mx_take_mx(&p, &a, &rng);
            drop_answer(&a);
        }
        LAW(p.n <= MX_HOSTS_MAX, "hosts are bounded");
        for (size_t i = 0; state == MX_ASK_HOSTS && i < p.n; i++) {
            LAW(i == 0 || p.hosts[i - 1].preference <= p.hosts[i].preference,
                "hosts stand in their order");
            a = take_answer(&in, v);
            mx_take_addrs(&p, i, RR_A, &a);
            drop_answer(&a);
            a = take_answer(&in, v);
            mx_take_addrs(&p, i, RR_AAAA, &a);
            drop_answer(&a);
            if ((flags >> 3) == i)
                mx_set_ours(&p, i);
        }
        if (state == MX_ASK_HOSTS)
            state = mx_decide(&p);
        check_end(&p, state);
    }
    free(domain);
    return 0;
}
