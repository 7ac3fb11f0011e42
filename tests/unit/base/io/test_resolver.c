/* SPDX-License-Identifier: ISC */
/* The resolver against a name server of ours: a UDP socket on the same loop. */
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

#include "base/core/ipaddr.h"
#include "base/core/log.h"
#include "base/core/wire.h"
#include "base/dns/message.h"
#include "base/io/resolver.h"

struct fixture {
    struct log log;
    struct loop *loop;
    struct resolver *r;
    int fd;
    struct loop_io *io;
    char dir[64];
    unsigned questions;
};

static void put_header(struct buf *out, uint16_t id, unsigned rcode, uint16_t answers)
{
    struct wr w;

    wr_init(&w, out);
    wr_u16(&w, id);
    wr_u16(&w, (uint16_t)(MESSAGE_QR | MESSAGE_RD | MESSAGE_RA | rcode));
    wr_u16(&w, 1);
    wr_u16(&w, answers);
    wr_u16(&w, 0);
    wr_u16(&w, 0);
}

static struct dname name_of(const char *text)
{
    struct dname d;

    assert_int_equal(dname_parse(span_str(text), NULL, &d), DNAME_OK);
    return d;
}

/* Names of the tests: mx.example has records, alias.example is a CNAME to it, silent.example
 * gets no answer, gone.example is NXDOMAIN, broken.example SERVFAIL; all else is empty. */
static void put_answer(struct buf *out, const struct message *m,
                       const struct message_rr *q, struct span question)
{
    struct dname mx = name_of("mx.example");
    struct dname alias = name_of("alias.example"), gone = name_of("gone.example");
    struct dname broken = name_of("broken.example");
    struct span owner = dname_span(&q->owner);
    bool is_mx = dname_eq(owner, dname_span(&mx)),
         is_alias = dname_eq(owner, dname_span(&alias));
    unsigned rcode = dname_eq(owner, dname_span(&gone))     ? RCODE_NXDOMAIN
                     : dname_eq(owner, dname_span(&broken)) ? RCODE_SERVFAIL
                                                            : RCODE_NOERROR;
    bool is_a = q->type == RR_A;

    put_header(out, m->id, rcode, is_a && is_mx ? 2 : (is_a && is_alias) ? 3 : 0);
    assert_int_equal(buf_span(out, question), 0);
    if (is_alias && is_a)
        assert_int_equal(
            message_put_rr(out, owner, RR_CNAME, RRCLASS_IN, 60, dname_span(&mx)), 0);
    if (is_a && (is_mx || is_alias)) {
        assert_int_equal(message_put_rr(out, dname_span(&mx), RR_A, RRCLASS_IN, 60,
                                        SPAN_LIT("\xc0\x00\x02\x01")),
                         0);
        assert_int_equal(message_put_rr(out, dname_span(&mx), RR_A, RRCLASS_IN, 60,
                                        SPAN_LIT("\xc0\x00\x02\x02")),
                         0);
    }
}

static void on_question(void *ctx, unsigned what)
{
    struct fixture *f = ctx;
    uint8_t packet[2048];
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);
    ssize_t n = recvfrom(f->fd, packet, sizeof(packet), MSG_DONTWAIT,
                         (struct sockaddr *)&ss, &len);
    struct dname silent = name_of("silent.example");
    struct message m;
    struct message_rr q;
    struct buf out;

    (void)what;
    if (n < 0 || !message_open(&m, span_of(packet, (size_t)n)) ||
        message_next(&m, &q) != MESSAGE_OK)
        return;
    f->questions++;
    if (dname_eq(dname_span(&q.owner), dname_span(&silent)))
        return;
    buf_init(&out, 4096);
    put_answer(&out, &m, &q, span_of(packet + 12, m.at - 12));
    assert_int_equal(sendto(f->fd, out.data, out.len, 0, (struct sockaddr *)&ss, len),
                     out.len);
    buf_free(&out);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct sockaddr_storage ss;
    socklen_t len;
    struct ipaddr local;
    uint16_t port;
    char forward[32];
    const char *const forwards[] = {forward, NULL};
    struct resolver_config cfg = {
        .state_dir = f->dir, .forward = forwards, .do_query_localhost = true};
    struct err err;

    assert_non_null(f);
    log_init(&f->log, -1, "test", clock_system());
    f->loop = loop_new(&f->log, clock_system());
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/signpost-res-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(ipaddr_parse(span_str("127.0.0.1"), &local));
    ipaddr_to_sockaddr(&local, 0, &ss, &len);
    assert_int_equal(bind(f->fd, (struct sockaddr *)&ss, len), 0);
    assert_int_equal(getsockname(f->fd, (struct sockaddr *)&ss, &len), 0);
    assert_true(ipaddr_from_sockaddr((struct sockaddr *)&ss, &local, &port));
    (void)snprintf(forward, sizeof(forward), "127.0.0.1@%u", port);
    f->io = loop_io_new(f->loop, f->fd, "dns", on_question, f);
    loop_io_watch(f->io, LOOP_READ);
    f->r = resolver_new(f->loop, &cfg, &err);
    if (f->r == NULL)
        fail_msg("%s", err.text);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char path[128];

    resolver_free(&f->r);
    loop_io_free(&f->io);
    (void)close(f->fd);
    loop_free(&f->loop);
    (void)snprintf(path, sizeof(path), "%s/resolver.conf", f->dir);
    (void)unlink(path);
    assert_int_equal(rmdir(f->dir), 0);
    free(f);
    return 0;
}

struct seen {
    unsigned calls;
    int rcode;
    size_t n;
    uint8_t first[16];
    size_t first_n;
    char canonical[256];
};

static void on_answer(void *ctx, const struct resolver_answer *a)
{
    struct seen *s = ctx;

    s->calls++;
    s->rcode = a->rcode;
    s->n = a->n;
    if (a->n > 0 && a->rdata[0].n <= sizeof(s->first)) {
        memcpy(s->first, a->rdata[0].p, a->rdata[0].n);
        s->first_n = a->rdata[0].n;
    }
    (void)snprintf(s->canonical, sizeof(s->canonical), "%s", a->canonical);
}

static void ask(struct fixture *f, const char *name, int64_t timeout_ms, struct seen *s)
{
    memset(s, 0, sizeof(*s));
    (void)resolver_ask(f->r, name, RR_A, timeout_ms, on_answer, s);
    while (s->calls == 0)
        loop_turn(f->loop, 1000);
}

static void records_rcodes_and_aliases(void **state)
{
    struct fixture *f = *state;
    unsigned questions;
    struct seen s;

    ask(f, "mx.example", 20000, &s);
    assert_int_equal(s.rcode, 0);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.first_n, 4);
    assert_memory_equal(s.first, "\xc0\x00\x02", 3);

    ask(f, "alias.example", 20000, &s);
    assert_int_equal(s.rcode, 0);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.canonical, "mx.example");

    ask(f, "empty.example", 20000, &s);
    assert_int_equal(s.rcode, 0);
    assert_int_equal(s.n, 0);

    ask(f, "gone.example", 20000, &s);
    assert_int_equal(s.rcode, 3);

    questions = f->questions;
    ask(f, "mx.example", 20000, &s);
    assert_int_equal(s.n, 2);
    assert_int_equal(f->questions, questions); /* cached */

    ask(f, "broken.example", 20000, &s);
    assert_int_equal(s.rcode, 2);
}

static void silence_ends_with_the_time_out(void **state)
{
    struct fixture *f = *state;
    struct seen s;

    ask(f, "silent.example", 50, &s);
    assert_int_equal(s.rcode, -1);
    assert_string_equal(s.canonical, "silent.example");
}

static void a_bad_name_is_answered_from_the_loop(void **state)
{
    struct fixture *f = *state;
    struct seen s = {.calls = 0};

    (void)resolver_ask(f->r, "a..b", RR_A, 20000, on_answer, &s);
    assert_int_equal(s.calls, 0);
    while (s.calls == 0)
        loop_turn(f->loop, 1000);
    assert_int_equal(s.rcode, -1);
}

static void a_cancelled_question_stays_silent(void **state)
{
    struct fixture *f = *state;
    struct seen s, other = {.calls = 0};
    struct resolver_query *q =
        resolver_ask(f->r, "mx.example", RR_A, 20000, on_answer, &other);

    resolver_cancel(&q);
    assert_null(q);
    resolver_cancel(&q);
    ask(f, "alias.example", 20000, &s);
    assert_int_equal(other.calls, 0);
}

static void questions_under_way_go_with_the_resolver(void **state)
{
    struct fixture *f = *state;
    struct seen s = {.calls = 0};

    (void)resolver_ask(f->r, "silent.example", RR_A, 20000, on_answer, &s);
    resolver_free(&f->r);
    assert_null(f->r);
    assert_int_equal(s.calls, 0);
}

static void configuration_faults_are_said(void **state)
{
    struct fixture *f = *state;
    const char *const words[] = {"not a zone", NULL};
    struct resolver_config bad_zone = {.state_dir = f->dir, .nodefault = words};
    struct resolver_config no_hints = {.state_dir = f->dir,
                                       .root_hints = "/nonexistent/root.hints"};
    struct resolver_config no_dir = {.state_dir = "/nonexistent"};
    struct err err;

    assert_null(resolver_new(f->loop, &bad_zone, &err));
    assert_non_null(strstr(err.text, "not a zone"));
    assert_null(resolver_new(f->loop, &no_hints, &err));
    assert_non_null(strstr(err.text, "/nonexistent/root.hints"));
    assert_null(resolver_new(f->loop, &no_dir, &err));
    assert_non_null(strstr(err.text, "/nonexistent"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_rcodes_and_aliases),
        TEST(silence_ends_with_the_time_out),
        TEST(a_bad_name_is_answered_from_the_loop),
        TEST(a_cancelled_question_stays_silent),
        TEST(questions_under_way_go_with_the_resolver),
        TEST(configuration_faults_are_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
