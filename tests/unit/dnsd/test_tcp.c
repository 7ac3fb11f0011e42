/* SPDX-License-Identifier: ISC */
/* Streams through real sockets: pipelining, slow and greedy readers, peers that close one
 * side, limits (RFC 7766). */
#include "tests/unit/dnsd/driver_world.h"

enum { PREFIX = 2 };

struct tcp_world {
    struct driver *d;
    struct tcp_pool *pool;
    struct sockaddr_in at;
    int client;
};

static void begin(struct tcp_world *w, void **state, int64_t idle_ms)
{
    int fd;

    w->d = *state;
    w->d->who.tcp_idle_ms = idle_ms;
    w->pool = tcp_pool_new(&w->d->who);
    fd = bound(SOCK_STREAM, "127.0.0.1", &w->at);
    assert_int_equal(listen(fd, 128), 0);
    tcp_pool_listen(w->pool, fd);
    w->client = connected(SOCK_STREAM, &w->at);
}

static void end(struct tcp_world *w)
{
    (void)close(w->client);
    tcp_pool_free(&w->pool);
}

static size_t framed(uint8_t *p, uint16_t id, const char *name, uint16_t type)
{
    size_t n = ask(p + PREFIX, id, name, type, 0);

    p[0] = (uint8_t)(n >> 8);
    p[1] = (uint8_t)n;
    return PREFIX + n;
}

static void send_octets(const struct tcp_world *w, const void *p, size_t n)
{
    assert_int_equal(send(w->client, p, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* One whole answer; its length without prefix, 0 at the end of the stream. */
static size_t answer(struct tcp_world *w, uint8_t *p)
{
    size_t have = 0;
    size_t want = PREFIX;

    while (have < want) {
        ssize_t n = wait_for(w->d, w->client, p + have, want - have);

        assert_true(n >= 0);
        if (n == 0)
            return 0;
        have += (size_t)n;
        if (have == PREFIX && want == PREFIX)
            want += get16(p);
    }
    return have - PREFIX;
}

static void test_rfc7766_6_2_1_pipelined_queries_are_answered_in_order(void **state)
{
    struct tcp_world w;
    uint8_t p[65537], all[60 * 64];
    size_t n = 0;

    begin(&w, state, 0);
    for (uint16_t i = 0; i < 60; i++)
        n += framed(all + n, i, "example.com.", RR_MX);
    send_octets(&w, all, n);
    for (unsigned i = 0; i < 60; i++) {
        assert_true(answer(&w, p) > 12);
        assert_int_equal(get16(p + PREFIX), i);
    }
    assert_int_equal(counted(w.d, STAT_TCP_QUERIES), 60);
    end(&w);
}

static void test_octet_by_octet(void **state)
{
    struct tcp_world w;
    uint8_t q[600], p[65537];
    size_t n;

    begin(&w, state, 0);
    n = framed(q, 5, "example.com.", RR_MX);
    for (size_t i = 0; i < n; i++) {
        send_octets(&w, q + i, 1);
        loop_turn(w.d->loop, 1);
    }
    assert_true(answer(&w, p) > 12);
    assert_int_equal(get16(p + PREFIX), 5);
    end(&w);
}

static void test_large_answers_come_whole(void **state)
{
    struct tcp_world w;
    uint8_t q[600], p[65537];

    begin(&w, state, 0);
    send_octets(&w, q, framed(q, 6, "big.example.com.", RR_TXT));
    assert_true(answer(&w, p) > 8000);
    assert_int_equal(p[PREFIX + 2] & 2, 0); /* TC */
    assert_int_equal(get16(p + PREFIX + 6), 40);
    end(&w);
}

static void test_a_peer_that_closed_its_side_gets_its_answers(void **state)
{
    struct tcp_world w;
    uint8_t all[20 * 64], p[65537];
    size_t n = 0;

    begin(&w, state, 0);
    for (uint16_t i = 0; i < 20; i++)
        n += framed(all + n, i, "big.example.com.", RR_TXT);
    send_octets(&w, all, n);
    assert_int_equal(shutdown(w.client, SHUT_WR), 0);
    for (unsigned i = 0; i < 20; i++) {
        assert_true(answer(&w, p) > 8000);
        assert_int_equal(get16(p + PREFIX), i);
    }
    assert_int_equal(answer(&w, p), 0);
    end(&w);
}

static void test_a_peer_that_closes_within_a_query_is_let_go(void **state)
{
    struct tcp_world w;
    uint8_t q[600], p[65537];
    size_t n;

    begin(&w, state, 0);
    n = framed(q, 5, "example.com.", RR_MX);
    send_octets(&w, q, n - 1);
    assert_int_equal(shutdown(w.client, SHUT_WR), 0);
    assert_int_equal(answer(&w, p), 0);
    assert_int_equal(counted(w.d, STAT_TCP_QUERIES), 0);
    end(&w);
}

/* 4,000 answers of 8 KB would be 32 MB: the server stops reading long before, and the peer's
 * time runs out. */
static void test_a_peer_that_never_reads_costs_little_and_is_ended(void **state)
{
    struct tcp_world w;
    uint8_t q[600];
    size_t n, sent = 0;
    uint64_t answered;
    int small = 4096;

    begin(&w, state, 200);
    (void)setsockopt(w.client, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    n = framed(q, 5, "big.example.com.", RR_TXT);
    for (int i = 0; i < 4000; i++) {
        ssize_t k = send(w.client, q, n, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (k != (ssize_t)n)
            break;
        sent++;
        loop_turn(w.d->loop, 0);
    }
    for (int i = 0; i < 5; i++)
        loop_turn(w.d->loop, 0);
    answered = counted(w.d, STAT_TCP_QUERIES);
    assert_true(sent > 1500);
    assert_true(answered > 0 && answered < sent); /* the rest was not even read */
    for (int i = 0; i < 400 && send(w.client, q, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != -1;
         i++)
        loop_turn(w.d->loop, 5);
    for (int i = 0; i < 200; i++) {
        if (send(w.client, q, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == -1 && errno != EAGAIN)
            break;
        loop_turn(w.d->loop, 5);
    }
    assert_true(errno == ECONNRESET || errno == EPIPE);
    end(&w);
}

/* Octets alone do not buy time: only a whole query does. */
static void test_one_that_drips_octets_is_ended(void **state)
{
    struct tcp_world w;
    uint8_t q[600], p[65537];
    int64_t began_ms = clock_mono_ms(clock_system());
    size_t at = 0;

    begin(&w, state, 150);
    (void)framed(q, 5, "example.com.", RR_MX);
    while (take(w.client, p, sizeof(p)) != 0) {
        if (at < 10 && clock_mono_ms(clock_system()) - began_ms > (int64_t)at * 20)
            (void)!send(w.client, q + at++, 1, MSG_NOSIGNAL);
        loop_turn(w.d->loop, 2);
        assert_true(clock_mono_ms(clock_system()) - began_ms < 5000);
    }
    /* a timer counts from the beginning of the turn that sets it */
    assert_true(clock_mono_ms(clock_system()) - began_ms >= 100);
    end(&w);
}

static void test_one_that_asks_now_and_then_stays(void **state)
{
    struct tcp_world w;
    uint8_t q[600], p[65537];
    int64_t began_ms = clock_mono_ms(clock_system());

    begin(&w, state, 800);
    while (clock_mono_ms(clock_system()) - began_ms < 1800) {
        send_octets(&w, q, framed(q, 5, "example.com.", RR_MX));
        assert_true(answer(&w, p) > 12);
        loop_turn(w.d->loop, 20);
    }
    end(&w);
}

static void test_what_is_no_query_ends_the_connection(void **state)
{
    static const uint8_t response[] = {0, 12, 0, 9, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t nothing[] = {0, 0};
    static const struct {
        const uint8_t *p;
        size_t n;
    } cases[] = {{response, sizeof(response)}, {nothing, sizeof(nothing)}};
    uint8_t p[65537];

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tcp_world w;

        begin(&w, state, 0);
        send_octets(&w, cases[i].p, cases[i].n);
        assert_int_equal(answer(&w, p), 0);
        end(&w);
    }
}

static void test_the_longest_message_is_read_and_refused(void **state)
{
    static uint8_t q[PREFIX + 65535] = {0xff, 0xff, 0, 7};
    struct tcp_world w;
    uint8_t p[65537];
    size_t sent = 0;

    begin(&w, state, 0);
    while (sent < sizeof(q)) {
        ssize_t n =
            send(w.client, q + sent, sizeof(q) - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        sent += n > 0 ? (size_t)n : 0;
        loop_turn(w.d->loop, 1);
    }
    assert_int_equal(answer(&w, p), 12);
    assert_int_equal(p[PREFIX + 3] & 15, RCODE_FORMERR);
    assert_int_equal(get16(p + PREFIX), 7);
    end(&w);
}

static void test_one_address_has_only_its_share(void **state)
{
    struct tcp_world w;
    int fds[TCP_CONNECTIONS_PER_CLIENT];
    uint8_t q[600], p[65537];
    int last;

    begin(&w, state, 0);
    for (size_t i = 1; i < COUNT_OF(fds); i++)
        fds[i] = connected(SOCK_STREAM, &w.at);
    for (int i = 0; i < 20; i++)
        loop_turn(w.d->loop, 1);
    last = connected(SOCK_STREAM, &w.at);
    assert_int_equal(wait_for(w.d, last, p, sizeof(p)), 0);
    assert_int_equal(counted(w.d, STAT_TCP_REFUSED), 1);
    send_octets(&w, q, framed(q, 8, "example.com.", RR_MX)); /* the others go on */
    assert_true(answer(&w, p) > 12);
    (void)close(last);
    for (size_t i = 1; i < COUNT_OF(fds); i++)
        (void)close(fds[i]);
    end(&w);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, driver_setup, driver_teardown)
    const struct CMUnitTest tests[] = {
        T(test_rfc7766_6_2_1_pipelined_queries_are_answered_in_order),
        T(test_octet_by_octet),
        T(test_large_answers_come_whole),
        T(test_a_peer_that_closed_its_side_gets_its_answers),
        T(test_a_peer_that_closes_within_a_query_is_let_go),
        T(test_a_peer_that_never_reads_costs_little_and_is_ended),
        T(test_one_that_drips_octets_is_ended),
        T(test_one_that_asks_now_and_then_stays),
        T(test_what_is_no_query_ends_the_connection),
        T(test_the_longest_message_is_read_and_refused),
        T(test_one_address_has_only_its_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
