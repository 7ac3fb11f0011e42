/* SPDX-License-Identifier: ISC */
/* zones/gen_base.c - rules for what makes a zone a zone: SOA, NS, delegations to our own zones
 * below, addresses of hosts, and the lock-down of names that have no mail.
 *
 * Design: a host's records go into the zone that holds its name, and into that one only: a zone
 * below (child-zone) takes them over, except that name servers below the cut are repeated as
 * glue. Lock-down comes last and looks at what is there. */
#include <stdlib.h>

#include "base/core/mem.h"
#include "deliverability/record/spf.h"
#include "zones/generate_int.h"

enum { SOA_REFRESH_S = 7200, SOA_RETRY_S = 900, SOA_EXPIRE_S = 1209600 };

static const struct host_row *first_ns(const struct host_set *hosts)
{
    for (size_t i = 0; i < hosts->n; i++)
        if (hosts->host[i].roles & HOST_NS)
            return &hosts->host[i];
    return NULL;
}

int gen_soa(struct gen *g)
{
    const struct host_row *ns = first_ns(g->in->hosts);
    struct dname mname, rname;
    struct rdata_soa soa = {.serial = g->in->soa_serial,
                            .refresh_s = SOA_REFRESH_S,
                            .retry_s = SOA_RETRY_S,
                            .expire_s = SOA_EXPIRE_S,
                            .minimum_s = GENERATE_TTL_NEGATIVE};

    if (ns == NULL)
        return err_set(g->err,
                       "no host has the role ns, so nobody serves the zone; give it "
                       "to one with: signpost host set NAME --role +ns");
    if (gen_name(g, "", ns->name, &mname) == -1)
        return -1;
    /* RFC 2142 7 would like hostmaster; postmaster is the address that always exists. A name
     * too long for the label in front of it is not worth an error: the root says "nobody". */
    if (!dname_join(SPAN_LIT("postmaster"), dname_span(&g->apex), &rname) &&
        !dname_set(&rname, dname_root()))
        return -1;
    soa.mname = dname_span(&mname);
    soa.rname = dname_span(&rname);
    if (rdata_put_soa(&g->wire, &soa) == -1)
        return gen_too_long(g);
    return gen_add_wire(g, &g->apex, RR_SOA, g->ttl_s);
}

static int add_ns_set(struct gen *g, const struct dname *owner)
{
    for (size_t i = 0; i < g->in->hosts->n; i++) {
        struct dname target;

        if ((g->in->hosts->host[i].roles & HOST_NS) == 0)
            continue;
        if (gen_name(g, "", g->in->hosts->host[i].name, &target) == -1 ||
            gen_add(g, owner, RR_NS, GENERATE_TTL_NS, dname_span(&target)) == -1)
            return -1;
    }
    return 0;
}

int gen_ns(struct gen *g)
{
    return add_ns_set(g, &g->apex);
}

/* Name servers whose names lie below the cut need their addresses above it (glue). */
static int add_glue(struct gen *g, const struct dname *child)
{
    for (size_t i = 0; i < g->in->hosts->n; i++) {
        const struct host_row *h = &g->in->hosts->host[i];
        struct dname name;

        if ((h->roles & HOST_NS) == 0)
            continue;
        if (gen_name(g, "", h->name, &name) == -1)
            return -1;
        if (dname_in(dname_span(&name), dname_span(child)) &&
            gen_add_addresses(g, &name, h, GENERATE_TTL_NS) == -1)
            return -1;
    }
    return 0;
}

int gen_child(struct gen *g)
{
    for (size_t i = 0; i < g->in->n_children; i++) {
        struct dname child;

        if (gen_name(g, "", g->in->children[i], &child) == -1 ||
            add_ns_set(g, &child) == -1 || add_glue(g, &child) == -1)
            return -1;
    }
    return 0;
}

int gen_host(struct gen *g)
{
    for (size_t i = 0; i < g->in->hosts->n; i++) {
        const struct host_row *h = &g->in->hosts->host[i];
        uint32_t ttl_s = h->is_settled ? GENERATE_TTL_SETTLED : GENERATE_TTL_MOVING;
        struct dname name;

        if (gen_name(g, "", h->name, &name) == -1)
            return -1;
        if (gen_is_inside(g, &name) && gen_add_addresses(g, &name, h, ttl_s) == -1)
            return -1;
    }
    return 0;
}

int gen_apex(struct gen *g)
{
    if (!g->in->domain->has_apex_address)
        return 0;
    return gen_add_addresses(g, &g->apex, g->mail, g->ttl_s);
}

/* ---- lock-down ---- */

/* First strings of a TXT record put together, as far as spf_is_record() looks. */
static bool is_spf_txt(struct span rdata)
{
    return rdata.n > 0 && spf_is_record(span_take(span_drop(rdata, 1), rdata.p[0]));
}

static bool has_spf(const struct zone *z, struct span owner)
{
    const struct rrset *txt = zone_find(z, owner, RR_TXT);

    for (size_t i = 0; txt != NULL && i < txt->n; i++)
        if (is_spf_txt(txt->rr[i].rdata))
            return true;
    return false;
}

/* Names below a cut are the other zone's; at the cut too. */
static bool is_delegated(const struct gen *g, struct span owner)
{
    while (!dname_eq(owner, dname_span(&g->apex))) {
        if (zone_find(g->z, owner, RR_NS) != NULL)
            return true;
        owner = dname_parent(owner);
    }
    return false;
}

static bool is_mail_host(const struct gen *g, struct span owner)
{
    for (size_t i = 0; i < g->in->hosts->n; i++) {
        struct dname name;

        if ((g->in->hosts->host[i].roles & (HOST_MAIL | HOST_BACKUP)) != 0 &&
            dname_parse(span_str(g->in->hosts->host[i].name), NULL, &name) == DNAME_OK &&
            dname_eq(owner, dname_span(&name)))
            return true;
    }
    return false;
}

static bool wants_lock(const struct gen *g, const struct rrset *s)
{
    return (s->type == RR_A || s->type == RR_AAAA) &&
           !dname_eq(s->owner, dname_span(&g->apex)) && dname_is_host(s->owner) &&
           zone_find(g->z, s->owner, RR_MX) == NULL && !has_spf(g->z, s->owner) &&
           !is_mail_host(g, s->owner) && !is_delegated(g, s->owner);
}

static int lock_name(struct gen *g, struct span owner)
{
    struct dname name, policy;

    if (!dname_set(&name, owner))
        return -1;
    if (rdata_put_mx(&g->wire, 0, dname_root()) == -1 ||
        gen_add_wire(g, &name, RR_MX, g->ttl_s) == -1 ||
        buf_str(&g->text, "v=spf1 -all") == -1 || gen_add_txt(g, &name) == -1)
        return -1;
    if (!dname_join(SPAN_LIT("_dmarc"), owner, &policy) ||
        zone_has_name(g->z, dname_span(&policy)))
        return 0;
    if (buf_str(&g->text, "v=DMARC1; p=reject") == -1)
        return gen_too_long(g);
    return gen_add_txt(g, &policy);
}

int gen_lock_down(struct gen *g)
{
    /* Owners first, for adding moves the sets; the octets of an owner stay where they are. */
    struct span *owners = mem_new(zone_count(g->z) + 1, sizeof(*owners));
    size_t n = 0;
    int rc = 0;

    for (size_t i = 0; i < zone_count(g->z); i++) {
        const struct rrset *s = zone_at(g->z, i);

        if (wants_lock(g, s) && (n == 0 || !dname_eq(owners[n - 1], s->owner)))
            owners[n++] = s->owner;
    }
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = lock_name(g, owners[i]);
    free(owners);
    return rc;
}
