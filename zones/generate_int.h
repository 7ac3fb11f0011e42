/* SPDX-License-Identifier: ISC */
/* zones/generate_int.h - what the files of the generator share.
 *
 * generate.c holds the table of rules and walks it; gen_base.c, gen_mail.c and gen_custom.c
 * hold the makers. A maker adds records through gen_add*(), which stamps the rule's name on
 * each, and returns 0, or -1 with g->err filled. */
#ifndef ZONES_GENERATE_INT_H
#define ZONES_GENERATE_INT_H

#include "base/core/buf.h"
#include "base/dns/dname.h"
#include "base/dns/rdata.h"
#include "zones/generate.h"

struct gen {
    const struct generate_input *in;
    struct zone *z;
    struct dname apex;
    const struct host_row *mail; /* the domain's mail host */
    uint32_t ttl_s;              /* by the TTL policy */
    const char *rule;            /* of the maker at work */
    struct buf wire;             /* rdata being built */
    struct buf text;             /* text being built */
    struct err *err;
};

/* `prefix` labels in front of `name`, both as text without final dot; prefix "" for none. */
MUST_USE int gen_name(struct gen *g, const char *prefix, const char *name,
                      struct dname *out);
/* One record. "There already" is fine. */
MUST_USE int gen_add(struct gen *g, const struct dname *owner, uint16_t type,
                     uint32_t ttl_s, struct span rdata);
/* The same with the rdata in g->wire / a TXT of the text in g->text; both are then empty. */
MUST_USE int gen_add_wire(struct gen *g, const struct dname *owner, uint16_t type,
                          uint32_t ttl_s);
MUST_USE int gen_add_txt(struct gen *g, const struct dname *owner);
/* A or AAAA for each address of the host. */
MUST_USE int gen_add_addresses(struct gen *g, const struct dname *owner,
                               const struct host_row *host, uint32_t ttl_s);
/* The host's name lies in this zone and not in one below it. */
bool gen_is_inside(const struct gen *g, const struct dname *name);
/* "g->text ran full": a value no zone can carry. */
MUST_USE int gen_too_long(struct gen *g);

int gen_soa(struct gen *g);
int gen_ns(struct gen *g);
int gen_child(struct gen *g);
int gen_host(struct gen *g);
int gen_apex(struct gen *g);
int gen_lock_down(struct gen *g);

int gen_mx(struct gen *g);
int gen_spf(struct gen *g);
int gen_helo_spf(struct gen *g);
int gen_dkim(struct gen *g);
int gen_dmarc(struct gen *g);
int gen_consent(struct gen *g);
int gen_tlsrpt(struct gen *g);
int gen_srv(struct gen *g);

int gen_custom(struct gen *g);

#endif
