/* SPDX-License-Identifier: ISC */
/* tests/unit/zones/fixture.h - a domain database in a folder of its own. */
#ifndef TESTS_UNIT_ZONES_FIXTURE_H
#define TESTS_UNIT_ZONES_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "zones/account.h"
#include "zones/alias.h"
#include "zones/change.h"
#include "zones/domain.h"
#include "zones/draft.h"
#include "zones/host.h"
#include "zones/keystate.h"
#include "zones/record.h"

#define NOW 1795377600 /* 2026-11-22 20:00 UTC */

struct fixture {
    char dir[64];
    struct domaindb *d;
    int64_t host_id;
};

static inline void must(enum domaindb_result got, enum domaindb_result want,
                        const struct err *err, const char *what)
{
    if (got != want)
        fail_msg("%s: %d, wanted %d (%s)", what, (int)got, (int)want, err->text);
}

static inline void begin(struct fixture *f, const char *intent)
{
    struct err err = {0};

    if (change_begin(f->d, &(struct change_intent){"test", intent, NOW}, &err) == -1)
        fail_msg("%s", err.text);
}

static inline int64_t commit(struct fixture *f)
{
    struct err err = {0};
    int64_t serial = -1;

    if (change_commit(f->d, &serial, &err) == -1)
        fail_msg("%s", err.text);
    return serial;
}

static inline int64_t add_domain(struct fixture *f, const char *name)
{
    struct domain_row row = {
        .host_id = f->host_id, .mx_preference = 10, .created_s = NOW};
    struct err err = {0};

    (void)snprintf(row.name, sizeof(row.name), "%s", name);
    (void)snprintf(row.rua, sizeof(row.rua), "postmaster@%.200s", name);
    must(domain_insert(f->d, &row, &err), DOMAINDB_OK, &err, name);
    return row.id;
}

static inline enum domaindb_result add_record(struct fixture *f, int64_t domain,
                                              const char *owner, uint16_t type,
                                              const char *rdata, struct err *err)
{
    struct record_row row = {.domain_id = domain, .type = type, .rdata = rdata};

    (void)snprintf(row.owner, sizeof(row.owner), "%s", owner);
    return record_insert(f->d, &row, err);
}

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct host_row h = {.name = "mail.example.com", .roles = HOST_MAIL | HOST_NS};
    struct err err = {0};

    assert_non_null(f);
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/test-zones-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->d = domaindb_open(
        f->dir, NULL, DOMAINDB_CREATE | DOMAINDB_WRITE | DOMAINDB_SECRETS | DOMAINDB_KEYS,
        &err);
    if (f->d == NULL)
        fail_msg("%s", err.text);
    begin(f, "setup");
    assert_true(ipaddr_parse(span_str("203.0.113.1"), &h.addr[0]));
    assert_true(ipaddr_parse(span_str("2001:db8::1"), &h.addr[1]));
    h.n_addr = 2;
    h.port[HOST_IMAPS] = 993;
    must(host_insert(f->d, &h, &err), DOMAINDB_OK, &err, "host");
    must(setting_put(f->d, "serial_base", "2026112200", &err), DOMAINDB_OK, &err, "base");
    f->host_id = h.id;
    assert_int_equal(commit(f), 1);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[128];

    domaindb_close(&f->d);
    (void)snprintf(command, sizeof(command), "rm -r %s", f->dir);
    if (system(command) != 0)
        return -1;
    free(f);
    return 0;
}

#endif
