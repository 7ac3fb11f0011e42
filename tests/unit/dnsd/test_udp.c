/* SPDX-License-Identifier: ISC */
/* Datagrams through real sockets: batches, what gets no answer, sizes, the address a reply
 * comes from. */
#include "dnsd/sockets.h"
#include "tests/unit/dnsd/driver_world.h"

struct udp_world {
    struct driver *d;
    struct udp_batch *batch;
    struct udp *udp;
    struct sockaddr_in at;
    int client;
};

static void begin(struct udp_world *w, void **state)
{
    w->d = *state;
    w->batch = udp_batch_new();
    w->udp = udp_new(&w->d->who, w->batch, bound(SOCK_DGRAM, "127.0.0.1", &w->at));
    w->client = connected(SOCK_DGRAM, &w->at);
}

static void end(struct udp_world *w)
{
    (void)close(w->client);
    udp_free(&w->udp);
    udp_batch_free(&w->batch);
}

static void send_octets(const struct udp_world *w, const void *p, size_t n)
{
    assert_int_equal(send(w->client, p, n, 0), (ssize_t)n);
}

static void test_batches_of_every_size_are_answered_in_order(void **state)
{
    static const unsigned sizes[] = {1, 2, 15, 16, 17, 31, 32, 33, 64, 100};
    struct udp_world w;
    uint8_t p[4096];
    uint16_t id = 0;

    begin(&w, state);
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        uint16_t first = id;

        for (unsigned i = 0; i < sizes[s]; i++)
            send_octets(&w, p, ask(p, id++, "example.com.", RR_MX, 0));
        for (unsigned i = 0; i < sizes[s]; i++) {
            assert_true(wait_for(w.d, w.client, p, sizeof(p)) > 12);
            assert_int_equal(get16(p), first + i);
            assert_int_equal(p[3] & 15, RCODE_NOERROR);
            assert_int_equal(get16(p + 6), 1);
        }
    }
    assert_int_equal(counted(w.d, STAT_UDP_QUERIES), id);
    assert_int_equal(counted(w.d, STAT_UDP_SEND_LOST), 0);
    end(&w);
}

/* Each stands between two good ones, which must both be answered. */
static void test_what_is_no_query_is_passed_over(void **state)
{
    static const uint8_t response[12] = {0, 9, 0x80};
    static uint8_t huge[9000];
    static const struct {
        const char *name;
        const uint8_t *p;
        size_t n;
        int want_rcode; /* -1: silence */
    } cases[] = {
        {"empty", response, 0, -1},
        {"one octet short of a header", response, 11, -1},
        {"a response", response, 12, -1},
        {"a header without a question", huge, 12, RCODE_FORMERR},
        {"longer than any buffer", huge, sizeof(huge), RCODE_FORMERR},
    };
    struct udp_world w;
    uint8_t p[4096];

    begin(&w, state);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        send_octets(&w, p, ask(p, 1, "example.com.", RR_MX, 0));
        send_octets(&w, cases[i].p, cases[i].n);
        send_octets(&w, p, ask(p, 2, "example.com.", RR_MX, 0));
        assert_true(wait_for(w.d, w.client, p, sizeof(p)) > 12);
        assert_int_equal(get16(p), 1);
        if (cases[i].want_rcode != -1) {
            assert_true(wait_for(w.d, w.client, p, sizeof(p)) >= 12);
            if ((p[3] & 15) != cases[i].want_rcode)
                fail_msg("%s: rcode %d", cases[i].name, p[3] & 15);
        }
        assert_true(wait_for(w.d, w.client, p, sizeof(p)) > 12);
        if (get16(p) != 2)
            fail_msg("%s: something else was sent", cases[i].name);
    }
    assert_int_equal(counted(w.d, STAT_DROP_SHORT), 2);
    assert_int_equal(counted(w.d, STAT_DROP_RESPONSE), 1);
    end(&w);
}

static void test_a_query_cut_anywhere_is_no_danger(void **state)
{
    struct udp_world w;
    uint8_t q[512], p[4096];
    size_t n;

    begin(&w, state);
    n = ask(q, 7, "example.com.", RR_MX, 1232);
    for (size_t cut = 12; cut < n; cut++) {
        send_octets(&w, q, cut);
        assert_true(wait_for(w.d, w.client, p, sizeof(p)) >= 12);
        assert_int_equal(p[3] & 15, RCODE_FORMERR);
        assert_int_equal(get16(p), 7);
    }
    end(&w);
}

static void test_sizes(void **state)
{
    static const struct {
        uint16_t edns;
        ssize_t max;
    } cases[] = {{0, 512}, {512, 512}, {1232, 1232}, {4096, 1232}};
    struct udp_world w;
    uint8_t p[65536];

    begin(&w, state);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ssize_t n;

        send_octets(&w, p, ask(p, 3, "big.example.com.", RR_TXT, cases[i].edns));
        n = wait_for(w.d, w.client, p, sizeof(p));
        assert_true(n > 12 && n <= cases[i].max);
        assert_true((p[2] & 2) != 0); /* TC */
    }
    assert_int_equal(counted(w.d, STAT_TRUNCATED), COUNT_OF(cases));
    end(&w);
}

/* RFC 2181 4: on a `*` socket, too, the reply comes from where the query went to. */
static void test_rfc2181_4_replies_come_from_the_address_asked(void **state)
{
    struct ipaddr any = {.family = 0};
    struct udp_world w = {.d = *state};
    struct err err = {0};
    struct sockaddr_in6 at;
    socklen_t n = sizeof(at);
    int fd = sockets_open_udp(&any, 0, &err);
    uint8_t p[4096];

    if (fd == -1)
        skip(); /* no IPv6 here */
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    w.batch = udp_batch_new();
    w.udp = udp_new(&w.d->who, w.batch, fd);
    for (unsigned i = 1; i < 5; i++) {
        w.at = (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_port = at.sin6_port,
                                    .sin_addr.s_addr = htonl(0x7f000000u + i)};
        w.client = connected(SOCK_DGRAM, &w.at); /* takes nothing from elsewhere */
        send_octets(&w, p, ask(p, (uint16_t)i, "example.com.", RR_MX, 0));
        assert_true(wait_for(w.d, w.client, p, sizeof(p)) > 12);
        assert_int_equal(get16(p), i);
        (void)close(w.client);
    }
    udp_free(&w.udp);
    udp_batch_free(&w.batch);
}

/* The first of a batch cannot be answered any more: the kernel may tell of it at any later
 * call on the socket. */
static void test_clients_that_are_gone_hold_up_nobody(void **state)
{
    struct udp_world w;
    uint8_t p[4096];

    begin(&w, state);
    for (int i = 0; i < 40; i++) {
        int other = connected(SOCK_DGRAM, &w.at);

        assert_true(send(other, p, ask(p, 1, "example.com.", RR_MX, 0), 0) > 0);
        (void)close(other);
        send_octets(&w, p, ask(p, (uint16_t)(100 + i), "example.com.", RR_MX, 0));
    }
    for (unsigned i = 0; i < 40; i++) {
        assert_true(wait_for(w.d, w.client, p, sizeof(p)) > 12);
        assert_int_equal(get16(p), 100 + i);
    }
    end(&w);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, driver_setup, driver_teardown)
    const struct CMUnitTest tests[] = {
        T(test_batches_of_every_size_are_answered_in_order),
        T(test_what_is_no_query_is_passed_over),
        T(test_a_query_cut_anywhere_is_no_danger),
        T(test_sizes),
        T(test_rfc2181_4_replies_come_from_the_address_asked),
        T(test_clients_that_are_gone_hold_up_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
