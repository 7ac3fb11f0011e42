/* SPDX-License-Identifier: ISC */
/* tests/unit/dnsd/driver_world.h - an answering thread's loop and zones, for tests of what owns
 * the sockets. The client's side is plain blocking sockets in the same thread, so every answer
 * is waited for by turning the loop. */
#ifndef TESTS_UNIT_DNSD_DRIVER_WORLD_H
#define TESTS_UNIT_DNSD_DRIVER_WORLD_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "base/dns/message.h"
#include "base/dns/rrtype.h"
#include "dnsd/tcp.h"
#include "dnsd/udp.h"
#include "zones/image_build.h"
#include "zones/zonefile.h"

struct driver {
    struct log log;
    struct loop *loop;
    struct stats stats;
    struct answerer who;
    struct zonetab *zones;
};

static inline void retire(void *ctx, void *memory)
{
    (void)ctx;
    free(memory);
}

/* example.com with small answers and a large one: 40 TXT records of 200 octets. */
static inline void load_zone(struct zonetab *t)
{
    static const uint64_t key[2] = {1, 2};
    struct dname apex;
    struct err err = {0};
    struct buf text;
    struct buf image;
    struct zone *z;

    buf_init(&text, 65536);
    assert_int_equal(buf_str(&text, "@ 300 SOA ns. root. 1 2 3 4 300\n"
                                    "@ 300 NS ns.example.net.\n"
                                    "@ 300 MX 10 mail.example.net.\n"),
                     0);
    for (int i = 0; i < 40; i++)
        assert_int_equal(buf_printf(&text, "big 300 TXT \"%0200d\"\n", i), 0);
    assert_int_equal(dname_parse(SPAN_LIT("example.com."), NULL, &apex), DNAME_OK);
    z = zonefile_parse("zone", buf_all(&text), dname_span(&apex), "test", &err);
    if (z == NULL)
        fail_msg("%s", err.text);
    buf_init(&image, IMAGE_SIZE_MAX);
    assert_int_equal(image_build(z, key, &image, &err), 0);
    zonetab_put(t, zone_live_new(buf_all(&image), &err));
    buf_free(&image);
    buf_free(&text);
    zone_free(&z);
}

static inline int driver_setup(void **state)
{
    struct driver *d = aligned_alloc(_Alignof(struct driver), sizeof(*d));
    static struct rng rng;

    assert_non_null(d);
    memset(d, 0, sizeof(*d));
    rng_seeded_init(&rng, 1);
    log_init(&d->log, -1, "test", clock_system());
    d->loop = loop_new(&d->log, clock_system());
    d->zones = zonetab_new(&rng, retire, NULL);
    load_zone(d->zones);
    d->who = (struct answerer){
        .loop = d->loop, .query = {d->zones, &d->stats}, .grace = grace_new(1)};
    *state = d;
    return 0;
}

static inline int driver_teardown(void **state)
{
    struct driver *d = *state;

    grace_free(&d->who.grace);
    zonetab_free(&d->zones);
    loop_free(&d->loop);
    free(d);
    return 0;
}

static inline uint64_t counted(const struct driver *d, enum stats_item what)
{
    const struct stats *one = &d->stats;

    return stats_sum(&one, 1, what);
}

/* A question for example.com (MX) or big.example.com (TXT); its length. */
static inline size_t ask(uint8_t *p, uint16_t id, const char *name, uint16_t type,
                         uint16_t edns)
{
    const struct message_query q = {
        .id = id, .type = type, .class = RRCLASS_IN, .edns_payload = edns};
    struct buf out;
    struct dname d;
    size_t n;

    assert_int_equal(dname_parse(span_str(name), NULL, &d), DNAME_OK);
    buf_init(&out, 512);
    assert_int_equal(message_put_query(&out, dname_span(&d), &q), 0);
    n = out.len;
    memcpy(p, out.data, n);
    buf_free(&out);
    return n;
}

static inline unsigned get16(const uint8_t *p)
{
    return (unsigned)(p[0] << 8 | p[1]);
}

/* A bound socket, and its address. */
static inline int bound(int type, const char *address, struct sockaddr_in *at)
{
    socklen_t n = sizeof(*at);
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_int_not_equal(fd, -1);
    *at = (struct sockaddr_in){.sin_family = AF_INET};
    assert_int_equal(inet_pton(AF_INET, address, &at->sin_addr), 1);
    assert_int_equal(bind(fd, (struct sockaddr *)at, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)at, &n), 0);
    return fd;
}

static inline int connected(int type, const struct sockaddr_in *to)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    assert_int_not_equal(fd, -1);
    assert_int_equal(connect(fd, (const struct sockaddr *)to, sizeof(*to)), 0);
    return fd;
}

/* What is there without waiting: octets, 0 at the end of the stream, -1 when nothing is. */
static inline ssize_t take(int fd, uint8_t *p, size_t n)
{
    ssize_t got = recv(fd, p, n, MSG_DONTWAIT);

    assert_true(got >= 0 || errno == EAGAIN || errno == ECONNRESET);
    return got == -1 && errno == ECONNRESET ? 0 : got;
}

/* The same, turning the loop until there is something; -1 after a second. */
static inline ssize_t wait_for(struct driver *d, int fd, uint8_t *p, size_t n)
{
    for (int i = 0; i < 200; i++) {
        ssize_t got = take(fd, p, n);

        if (got >= 0)
            return got;
        loop_turn(d->loop, 5);
    }
    return -1;
}

#endif
