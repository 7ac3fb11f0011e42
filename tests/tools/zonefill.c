/* SPDX-License-Identifier: ISC */
/* tests/tools/zonefill.c - fill a domain database with many mail domains, for load tests.
 *
 *     zonefill -d DATA_DIR -r RUN_DIR -n 10000 [-s FIRST] [-q QUERIES] [-a 192.0.2.25]
 *              [-w] [-m COUNT] [-z FOLDER]
 *
 * Makes the database and a mail host when there is none, then domains d<FIRST>.load.test
 * and up, each with two DKIM keys (random octets: nothing here signs), 500 a change. With
 * -q a file of questions for dnsload: "name type" lines that all have an answer.
 *
 * For comparison with other servers: -w gives each domain addresses of its own too (apex,
 * www, mail, mta-sts: 20 records and more); -m makes QUERIES a mixture of COUNT questions
 * with right answers of every kind (needs -w); -z writes each zone as a master file
 * FOLDER/<name>.zone, so that all serve the same data. The mixture is the same each time. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/buf.h"
#include "base/core/clock.h"
#include "base/core/codec.h"
#include "base/core/rng.h"
#include "base/dns/rrtype.h"
#include "zones/change.h"
#include "zones/domain.h"
#include "zones/draft.h"
#include "zones/host.h"
#include "zones/keystate.h"
#include "zones/record.h"
#include "zones/zonefile.h"

enum { PER_CHANGE = 500, RSA_OCTETS = 294, ED25519_OCTETS = 32, MIX_SEED = 7 };

struct fill {
    const char *data_dir, *run_dir, *queries, *address, *zones;
    long n, first, mix;
    bool has_web;
    struct domaindb *db;
    int64_t host_id;
    int64_t now_s;
};

static int fail(const char *what, const struct err *err)
{
    (void)fprintf(stderr, "zonefill: %s: %s\n", what, err->text);
    return -1;
}

static int begin(struct fill *f, const char *intent, struct err *err)
{
    const struct change_intent i = {"zonefill", intent, f->now_s};

    return change_begin(f->db, &i, err);
}

static int make_host(struct fill *f, struct err *err)
{
    struct host_row host = {.name = "mail.load.test", .roles = HOST_MAIL | HOST_NS};
    struct host_set hosts;
    const struct host_row *found;
    int64_t serial;

    if (host_set_load(f->db, &hosts, err) != 0)
        return -1;
    found = host_set_find(&hosts, span_str(host.name));
    f->host_id = found != NULL ? found->id : 0;
    host_set_free(&hosts);
    if (f->host_id != 0)
        return 0;
    if (!ipaddr_parse(span_str(f->address), &host.addr[0]))
        return err_set(err, "%s is no address", f->address);
    host.n_addr = 1;
    host.port[HOST_SUBMISSION] = 587;
    host.port[HOST_IMAPS] = 993;
    if (begin(f, "host add mail.load.test", err) != 0)
        return -1;
    if (host_insert(f->db, &host, err) != DOMAINDB_OK)
        return -1;
    f->host_id = host.id;
    return change_commit(f->db, &serial, err);
}

static int add_key(struct fill *f, int64_t domain_id, enum key_algorithm a,
                   const char *selector, size_t octets, struct err *err)
{
    struct dkim_key_row key = {.domain_id = domain_id,
                               .algorithm = a,
                               .state = KEYSTATE_ACTIVE,
                               .created_s = f->now_s};
    uint8_t random[RSA_OCTETS];
    struct buf text;
    int rc = -1;

    rng_fill(rng_system(), random, octets);
    buf_init(&text, KEYSTATE_PUBLIC_MAX + 1);
    (void)snprintf(key.selector, sizeof(key.selector), "%s", selector);
    domaindb_new_ref(rng_system(), key.key_ref);
    if (base64_encode(span_of(random, octets), &text) == 0 &&
        span_copy(buf_all(&text), key.public_b64, sizeof(key.public_b64)) &&
        dkim_key_insert(f->db, &key, err) == DOMAINDB_OK)
        rc = 0;
    buf_free(&text);
    return rc;
}

/* What people keep in a zone beside mail. */
static int add_web(struct fill *f, const struct domain_row *d, long number,
                   struct err *err)
{
    static const struct {
        const char *label;
        uint16_t type;
        unsigned shift; /* of the host part */
    } rows[] = {
        {"", RR_A, 0},         {"", RR_AAAA, 1},   {"www.", RR_A, 0},
        {"www.", RR_AAAA, 1},  {"mail.", RR_A, 7}, {"mail.", RR_AAAA, 2},
        {"mta-sts.", RR_A, 7},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct record_row r = {.domain_id = d->id, .type = rows[i].type, .ttl_s = 3600};
        char rdata[64];
        bool is_v4 = r.type == RR_A;

        if (is_v4)
            (void)snprintf(rdata, sizeof(rdata), "192.0.2.%ld",
                           (number + (long)rows[i].shift) % 254 + 1);
        else
            (void)snprintf(rdata, sizeof(rdata), "2001:db8:%lx::%u",
                           (unsigned long)number % 65535, rows[i].shift);
        r.rdata = rdata;
        if (snprintf(r.owner, sizeof(r.owner), "%s%s", rows[i].label, d->name) < 0 ||
            record_insert(f->db, &r, err) != DOMAINDB_OK)
            return -1;
    }
    return 0;
}

static int add_domain(struct fill *f, long number, FILE *queries, struct err *err)
{
    struct domain_row d = {.host_id = f->host_id,
                           .mx_preference = 10,
                           .dmarc = DOMAIN_DMARC_REJECT,
                           .is_settled = true,
                           .created_s = f->now_s};

    (void)snprintf(d.name, sizeof(d.name), "d%ld.load.test", number);
    if (domain_insert(f->db, &d, err) != DOMAINDB_OK ||
        add_key(f, d.id, KEY_RSA2048, "rsa", RSA_OCTETS, err) != 0 ||
        add_key(f, d.id, KEY_ED25519, "ed", ED25519_OCTETS, err) != 0 ||
        (f->has_web && add_web(f, &d, number, err) != 0))
        return -1;
    if (queries != NULL && f->mix == 0)
        (void)fprintf(queries,
                      "%s MX\n%s TXT\n%s NS\n%s SOA\n_dmarc.%s TXT\n"
                      "_imaps._tcp.%s SRV\nrsa._domainkey.%s TXT\n",
                      d.name, d.name, d.name, d.name, d.name, d.name, d.name);
    return 0;
}

static int fill(struct fill *f, FILE *queries, struct err *err)
{
    int64_t serial;

    for (long i = 0; i < f->n;) {
        if (begin(f, "fill for a load test", err) != 0)
            return -1;
        for (int k = 0; k < PER_CHANGE && i < f->n; k++, i++)
            if (add_domain(f, f->first + i, queries, err) != 0) {
                change_rollback(f->db);
                return -1;
            }
        if (change_commit(f->db, &serial, err) != 0)
            return -1;
    }
    return 0;
}

/* What the name server would do after a minute, in the middle of somebody's measurement. */
static int settle(struct fill *f, struct err *err)
{
    int n = 0;

    return domain_settle(f->db, f->now_s, f->now_s, &n, err);
}

/* 40 of 100 ask for addresses, 25 for MX, 25 for TXT (SPF, DKIM, DMARC), 5 for names that
 * are not there, 5 for SRV, half of these where there is none. */
static void write_mix(const struct fill *f, FILE *out)
{
    static const char *const hosts[] = {"", "mail.", "www."};
    static const char *const texts[] = {"", "rsa._domainkey.", "_dmarc."};
    struct rng rng;

    rng_seeded_init(&rng, MIX_SEED);
    for (long i = 0; i < f->mix; i++) {
        long d = f->first + (long)rng_below(&rng, (uint64_t)f->n);
        uint64_t kind = rng_below(&rng, 200);
        uint64_t pick = rng_below(&rng, 3);

        if (kind < 80)
            (void)fprintf(out, "%sd%ld.load.test %s\n", hosts[pick], d,
                          kind < 48 ? "A" : "AAAA");
        else if (kind < 130)
            (void)fprintf(out, "d%ld.load.test MX\n", d);
        else if (kind < 180)
            (void)fprintf(out, "%sd%ld.load.test TXT\n", texts[pick], d);
        else if (kind < 190)
            (void)fprintf(out, "nx%u.d%ld.load.test %s NXDOMAIN\n",
                          (unsigned)rng_below(&rng, 1000000), d, pick > 0 ? "A" : "TXT");
        else if (kind < 195)
            (void)fprintf(out, "_imaps._tcp.d%ld.load.test SRV\n", d);
        else
            (void)fprintf(out, "mail.d%ld.load.test SRV NODATA\n", d);
    }
}

static int write_zone(const struct fill *f, const char *name, const struct zone *z,
                      struct buf *text, struct err *err)
{
    static const struct zonefile_style plain = {.has_rules = false};
    char path[4096];
    FILE *out;
    bool is_whole;

    if (snprintf(path, sizeof(path), "%s/%s.zone", f->zones, name) >= (int)sizeof(path))
        return err_set(err, "%s: name too long", f->zones);
    buf_reset(text);
    if (zonefile_print(z, &plain, text) != 0)
        return err_set(err, "%s: the zone is too large", name);
    out = fopen(path, "w");
    is_whole = out != NULL && fwrite(text->data, 1, text->len, out) == text->len;
    if ((out != NULL && fclose(out) != 0) || !is_whole)
        return err_sys(err, "write %s", path);
    return 0;
}

static int write_zones(struct fill *f, struct err *err)
{
    struct domain_row row;
    struct zone *z = NULL;
    struct draft draft;
    struct buf text;
    int rc = 0;

    (void)mkdir(f->zones, 0755);
    if (draft_open(&draft, f->db, err) != 0)
        return -1;
    buf_init(&text, 1u << 20);
    for (long i = 0; i < f->n && rc == 0; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "d%ld.load.test", f->first + i);
        if (draft_zone_named(&draft, span_str(name), &row, &z, err) != DOMAINDB_OK)
            rc = -1;
        else
            rc = write_zone(f, name, z, &text, err);
        zone_free(&z);
    }
    draft_close(&draft);
    buf_free(&text);
    return rc;
}

static bool read_options(int argc, char **argv, struct fill *f)
{
    int c;

    while ((c = getopt(argc, argv, "d:r:n:s:q:a:m:z:w")) != -1)
        switch (c) {
        case 'd':
            f->data_dir = optarg;
            break;
        case 'r':
            f->run_dir = optarg;
            break;
        case 'n':
            f->n = strtol(optarg, NULL, 10);
            break;
        case 's':
            f->first = strtol(optarg, NULL, 10);
            break;
        case 'q':
            f->queries = optarg;
            break;
        case 'a':
            f->address = optarg;
            break;
        case 'm':
            f->mix = strtol(optarg, NULL, 10);
            break;
        case 'z':
            f->zones = optarg;
            break;
        case 'w':
            f->has_web = true;
            break;
        default:
            return false;
        }
    return f->data_dir != NULL && f->n > 0 &&
           (f->mix == 0 || (f->queries != NULL && f->has_web));
}

int main(int argc, char **argv)
{
    struct fill f = {.address = "192.0.2.25",
                     .now_s = clock_wall_s(clock_system()) - (int64_t)7 * 86400};
    struct err err = {0};
    FILE *queries = NULL;
    int rc = 1;

    if (!read_options(argc, argv, &f)) {
        (void)fputs("usage: zonefill -d DATA_DIR [-r RUN_DIR] -n COUNT [-s FIRST] "
                    "[-q QUERYFILE] [-a ADDRESS] [-w] [-m COUNT] [-z FOLDER]\n",
                    stderr);
        return 2;
    }
    (void)mkdir(f.data_dir, 0750);
    f.db = domaindb_open(f.data_dir, f.run_dir, DOMAINDB_WRITE | DOMAINDB_CREATE, &err);
    if (f.queries != NULL)
        queries = fopen(f.queries, "w");
    if (f.db == NULL || (f.queries != NULL && queries == NULL))
        (void)fail("open", &err);
    else if (make_host(&f, &err) != 0 || fill(&f, queries, &err) != 0 ||
             (f.has_web && settle(&f, &err) != 0) ||
             (f.zones != NULL && write_zones(&f, &err) != 0))
        (void)fail("fill", &err);
    else
        rc = 0;
    if (queries != NULL && f.mix > 0)
        write_mix(&f, queries);
    if (queries != NULL)
        (void)fclose(queries);
    domaindb_close(&f.db);
    return rc;
}
