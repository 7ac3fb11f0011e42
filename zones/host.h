/* SPDX-License-Identifier: ISC */
/* zones/host.h - machines: name, roles, public addresses, services offered.
 *
 * Zones of domains refer to hosts for MX, NS, SRV, SPF and, where the host's name lies in
 * the zone, for A and AAAA. */
#ifndef ZONES_HOST_H
#define ZONES_HOST_H

#include "base/core/ipaddr.h"
#include "zones/domaindb.h"

#define HOST_ADDRESSES_MAX 16
#define HOSTS_MAX          64

enum host_role {
    HOST_MAIL = 1,  /* receives and sends mail: MX, SRV, SPF */
    HOST_NS = 2,    /* name server: NS */
    HOST_BACKUP = 4 /* second MX, preference +10 */
};

enum host_service {
    HOST_SUBMISSION,
    HOST_SUBMISSIONS,
    HOST_IMAP,
    HOST_IMAPS,
    HOST_POP3,
    HOST_POP3S,
    HOST_SIEVE,
    HOST_SERVICE_COUNT
};

struct host_row {
    int64_t id;
    char name[DOMAINDB_NAME_MAX + 1]; /* A-labels, lower case, no final dot */
    unsigned roles;                   /* enum host_role */
    bool is_settled;                  /* unchanged for a day: long TTLs */
    struct ipaddr addr[HOST_ADDRESSES_MAX];
    size_t n_addr;
    uint16_t port[HOST_SERVICE_COUNT]; /* 0: not offered */
};

/* All hosts, by id. */
struct host_set {
    struct host_row *host;
    size_t n;
};
MUST_USE int host_set_load(struct domaindb *d, struct host_set *set, struct err *err);
void host_set_free(struct host_set *set);
const struct host_row *host_set_find(const struct host_set *set, struct span name);
const struct host_row *host_set_by_id(const struct host_set *set, int64_t id);

/* Inside a change. insert sets row->id. update replaces addresses and services. */
enum domaindb_result host_insert(struct domaindb *d, struct host_row *row,
                                 struct err *err);
enum domaindb_result host_update(struct domaindb *d, const struct host_row *row,
                                 struct err *err);
/* REFUSED while a domain uses it. */
enum domaindb_result host_delete(struct domaindb *d, int64_t id, struct err *err);

/* Is this the name of one of our hosts (relay's loop check)? 1, 0, or -1 on error. */
int host_is_ours(struct domaindb *d, struct span name, struct err *err);

const char *host_service_name(enum host_service s); /* "submission", "imaps", ... */
bool host_service_parse(struct span text, enum host_service *s);

#endif
