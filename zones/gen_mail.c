/* SPDX-License-Identifier: ISC */
/* zones/gen_mail.c - rules for what makes a domain deliverable: MX, SPF, DKIM, DMARC, TLS
 * reports and SRV. The texts themselves are printed by deliverability/record. */
#include <stdio.h>

#include "deliverability/record/dkim.h"
#include "deliverability/record/dmarc.h"
#include "deliverability/record/spf.h"
#include "deliverability/record/tlsrpt.h"
#include "zones/generate_int.h"

enum { BACKUP_STEP = 10 };

static int add_mx(struct gen *g, const struct host_row *host, int preference)
{
    struct dname target;

    if (gen_name(g, "", host->name, &target) == -1)
        return -1;
    if (rdata_put_mx(&g->wire, (uint16_t)preference, dname_span(&target)) == -1)
        return gen_too_long(g);
    return gen_add_wire(g, &g->apex, RR_MX, g->ttl_s);
}

int gen_mx(struct gen *g)
{
    int first = g->in->domain->mx_preference;
    int second = first > UINT16_MAX - BACKUP_STEP ? UINT16_MAX : first + BACKUP_STEP;

    if (add_mx(g, g->mail, first) == -1)
        return -1;
    for (size_t i = 0; i < g->in->hosts->n; i++) {
        const struct host_row *h = &g->in->hosts->host[i];

        if (h != g->mail && (h->roles & HOST_BACKUP) && add_mx(g, h, second) == -1)
            return -1;
    }
    return 0;
}

/* "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1" */
static int begin_spf(struct gen *g, const struct host_row *host)
{
    buf_reset(&g->text);
    if (buf_str(&g->text, "v=spf1") == -1)
        return gen_too_long(g);
    for (size_t i = 0; i < host->n_addr; i++) {
        char ip[IPADDR_TEXT];

        ipaddr_print(&host->addr[i], ip);
        if (buf_printf(&g->text, " %s:%s",
                       host->addr[i].family == AF_INET ? "ip4" : "ip6", ip) == -1)
            return gen_too_long(g);
    }
    return 0;
}

/* What is published is parsed first: a bad term in spf_extra must not reach the world. */
static int check_spf(struct gen *g)
{
    struct spf_record r;

    if (spf_parse(buf_all(&g->text), &r, g->err) == SPF_PARSE_OK)
        return 0;
    return err_wrap(g->err, "SPF record of %s", g->in->domain->name);
}

int gen_spf(struct gen *g)
{
    const struct domain_row *d = g->in->domain;

    if (begin_spf(g, g->mail) == -1)
        return -1;
    if (buf_printf(&g->text, " mx%s%s %s", d->spf_extra[0] == '\0' ? "" : " ",
                   d->spf_extra, d->spf == DOMAIN_SPF_HARD ? "-all" : "~all") == -1)
        return gen_too_long(g);
    return check_spf(g) == -1 ? -1 : gen_add_txt(g, &g->apex);
}

int gen_helo_spf(struct gen *g)
{
    for (size_t i = 0; i < g->in->hosts->n; i++) {
        const struct host_row *h = &g->in->hosts->host[i];
        struct dname name;

        if ((h->roles & (HOST_MAIL | HOST_BACKUP)) == 0 || h->n_addr == 0)
            continue;
        if (gen_name(g, "", h->name, &name) == -1)
            return -1;
        if (!gen_is_inside(g, &name) || dname_eq(dname_span(&name), dname_span(&g->apex)))
            continue; /* at the apex the domain's own record holds its addresses */
        if (begin_spf(g, h) == -1)
            return -1;
        if (buf_str(&g->text, " -all") == -1)
            return gen_too_long(g);
        if (gen_add_txt(g, &name) == -1)
            return -1;
    }
    return 0;
}

int gen_dkim(struct gen *g)
{
    for (size_t i = 0; i < g->in->n_keys; i++) {
        const struct dkim_key_row *k = &g->in->keys[i];
        char prefix[KEYSTATE_SELECTOR_MAX + 16];
        struct dname owner;

        if (!keystate_is_published(k->state))
            continue;
        (void)snprintf(prefix, sizeof(prefix), "%s._domainkey", k->selector);
        if (gen_name(g, prefix, g->in->domain->name, &owner) == -1)
            return -1;
        if (dkim_record_print(k->algorithm == KEY_RSA2048 ? DKIM_KEY_RSA
                                                          : DKIM_KEY_ED25519,
                              span_str(k->public_b64), &g->text) == -1)
            return gen_too_long(g);
        if (gen_add_txt(g, &owner) == -1)
            return -1;
    }
    return 0;
}

int gen_dmarc(struct gen *g)
{
    static const enum dmarc_policy policy[] = {
        [DOMAIN_DMARC_NONE] = DMARC_NONE,
        [DOMAIN_DMARC_QUARANTINE] = DMARC_QUARANTINE,
        [DOMAIN_DMARC_REJECT] = DMARC_REJECT,
    };
    const struct domain_row *d = g->in->domain;
    struct dname owner;

    if (gen_name(g, "_dmarc", d->name, &owner) == -1)
        return -1;
    if (dmarc_record_print(policy[d->dmarc], span_str(d->rua), &g->text) == -1)
        return gen_too_long(g);
    return gen_add_txt(g, &owner);
}

int gen_consent(struct gen *g)
{
    for (size_t i = 0; i < g->in->n_consents; i++) {
        struct dname owner;

        if (gen_name(g, "", g->in->consents[i], &owner) == -1 ||
            buf_str(&g->text, "v=DMARC1") == -1 || gen_add_txt(g, &owner) == -1)
            return -1;
    }
    return 0;
}

int gen_tlsrpt(struct gen *g)
{
    const struct domain_row *d = g->in->domain;
    struct dname owner;

    if (d->rua[0] == '\0')
        return 0;
    if (gen_name(g, "_smtp._tls", d->name, &owner) == -1)
        return -1;
    if (tlsrpt_record_print(span_str(d->rua), &g->text) == -1)
        return gen_too_long(g);
    return gen_add_txt(g, &owner);
}

/* Every service has a record: programs that find none would start guessing ports. */
static const char *const srv_owner[HOST_SERVICE_COUNT] = {
    [HOST_SUBMISSION] = "_submission._tcp",   /* RFC 6186 3.1 */
    [HOST_SUBMISSIONS] = "_submissions._tcp", /* RFC 8314 5.1 */
    [HOST_IMAP] = "_imap._tcp",               /* RFC 6186 3.2 */
    [HOST_IMAPS] = "_imaps._tcp",
    [HOST_POP3] = "_pop3._tcp", /* RFC 6186 3.3 */
    [HOST_POP3S] = "_pop3s._tcp",
    [HOST_SIEVE] = "_sieve._tcp", /* RFC 5804 1.8 */
};

int gen_srv(struct gen *g)
{
    for (size_t i = 0; i < HOST_SERVICE_COUNT; i++) {
        uint16_t port = g->mail->port[i];
        struct dname owner, target;

        if (gen_name(g, srv_owner[i], g->in->domain->name, &owner) == -1 ||
            gen_name(g, "", g->mail->name, &target) == -1)
            return -1;
        if (rdata_put_srv(&g->wire, 0, port == 0 ? 0 : 1, port,
                          port == 0 ? dname_root() : dname_span(&target)) == -1)
            return gen_too_long(g);
        if (gen_add_wire(g, &owner, RR_SRV, g->ttl_s) == -1)
            return -1;
    }
    return 0;
}
