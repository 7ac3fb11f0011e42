/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/mem.h"
#include "base/msg/envelope.h"
#include "maild/ipc_msgs.h"
#include "maild/roles.h"

/* One message of every field kind, encoded into `out`. */
static void encode_deliver(struct buf *out)
{
    struct m_deliver m = {.number = 7,
                          .account_id = 1u << 20,
                          .rcpt = SPAN_LIT("us\xc3\xa9r@example.com"),
                          .sender = SPAN_LIT(""),
                          .blob_head = 123,
                          .size = 1ull << 40,
                          .accepted_s = 1795375320,
                          .path = SPAN_LIT("mail/blobs/ab/x")};
    struct wr w;

    memset(m.id.b, 0xab, sizeof m.id.b);
    wr_init(&w, out);
    m_deliver_encode(&m, &w);
    assert_false(w.is_bad);
}

static void test_fields_come_back(void **state)
{
    struct buf out;
    struct m_deliver m;

    (void)state;
    buf_init(&out, 1000);
    encode_deliver(&out);
    assert_true(m_deliver_decode(buf_all(&out), &m));
    assert_int_equal(m.id.b[15], 0xab);
    assert_int_equal(m.number, 7);
    assert_int_equal(m.account_id, 1u << 20);
    assert_true(span_eq_str(m.rcpt, "us\xc3\xa9r@example.com"));
    assert_int_equal(m.sender.n, 0);
    assert_int_equal(m.size, 1ull << 40);
    assert_true(span_eq_str(m.path, "mail/blobs/ab/x"));
    buf_free(&out);
}

/* Every shorter payload and one octet more are refused, from exact-size copies. */
static void test_other_lengths_are_refused(void **state)
{
    struct buf out;
    struct m_deliver m;

    (void)state;
    buf_init(&out, 1000);
    encode_deliver(&out);
    for (size_t n = 0; n < out.len; n++) {
        uint8_t *exact = mem_dup(out.data, n);

        assert_false(m_deliver_decode(span_of(exact, n), &m));
        free(exact);
    }
    assert_int_equal(buf_byte(&out, 0), 0);
    assert_false(m_deliver_decode(buf_all(&out), &m));
    buf_free(&out);
}

static void test_texts_must_be_text_and_short_enough(void **state)
{
    static char too_long[65];
    static const struct {
        const char *name;
        struct span tag;
        bool want;
    } cases[] = {
        {"empty", {NULL, 0}, true},
        {"longest", {(const uint8_t *)too_long, 64}, true},
        {"too long", {(const uint8_t *)too_long, 65}, false},
        {"nul", {(const uint8_t *)"a\0b", 3}, false},
        {"line end", {(const uint8_t *)"a\r\n", 3}, false},
        {"latin 1", {(const uint8_t *)"\xe9", 1}, false},
        {"korean", {(const uint8_t *)"\xec\x9a\xb0", 3}, true},
    };

    (void)state;
    memset(too_long, 'x', sizeof too_long);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct m_login m = {.ticket = SPAN_LIT("t"), .tag = cases[i].tag};
        struct m_login back;
        struct buf out;
        struct wr w;

        buf_init(&out, 1000);
        wr_init(&w, &out);
        m_login_encode(&m, &w);
        assert_int_equal(!w.is_bad, cases[i].want);
        /* The same octets made by hand, for the reader to judge. */
        buf_reset(&out);
        wr_init(&w, &out);
        wr_span32(&w, SPAN_LIT("t"));
        wr_u16(&w, 0x0101);
        wr_span16(&w, cases[i].tag);
        wr_span16(&w, SPAN_LIT("192.0.2.1"));
        wr_span32(&w, SPAN_LIT("a b\r\n"));
        assert_false(w.is_bad);
        assert_int_equal(m_login_decode(buf_all(&out), &back), cases[i].want);
        buf_free(&out);
    }
}

static void test_table_is_consistent(void **state)
{
    const struct ipc_table *t = &maild_ipc_table;

    (void)state;
    assert_int_equal(t->n, IPC_TYPE_COUNT - 1);
    for (size_t i = 0; i < t->n; i++) {
        const struct ipc_msg *m = &t->msgs[i];

        assert_int_equal(m->type, i + 1);
        assert_true(m->len_min > 0 && m->len_min <= m->len_max);
        assert_true(m->from != m->to && m->from < ROLE_COUNT && m->to < ROLE_COUNT);
        if (m->reply != IPC_NONE) { /* the answer goes the other way and asks nothing */
            const struct ipc_msg *a = &t->msgs[m->reply - 1];

            assert_int_equal(a->from, m->to);
            assert_int_equal(a->to, m->from);
            assert_int_equal(a->reply, IPC_NONE);
        }
    }
    assert_int_equal(t->msgs[IPC_BODY_OPEN - 1].len_min, 16);
    assert_int_equal(t->msgs[IPC_BODY_OPEN - 1].len_max, 16);
    assert_int_equal(t->msgs[IPC_AUTH - 1].len_min, 1 + 3 * 2);
    assert_int_equal(t->msgs[IPC_AUTH - 1].len_max, 1 + 3 * 2 + 320 + 1024 + 46);
}

static void test_lists_inside_fields(void **state)
{
    const struct rcpt_target in[] = {{RCPT_LOCAL, 5, SPAN_LIT("a@x.test")},
                                     {RCPT_REMOTE, 0, SPAN_LIT("b@y.test")}};
    struct rcpt_target t;
    struct relay_outcome o;
    struct buf out;
    struct wr w;
    struct rd r;

    (void)state;
    buf_init(&out, 1000);
    wr_init(&w, &out);
    for (size_t i = 0; i < COUNT_OF(in); i++)
        rcpt_target_put(&w, &in[i]);
    rd_init(&r, buf_all(&out));
    for (size_t i = 0; i < COUNT_OF(in); i++) {
        assert_true(rcpt_target_next(&r, &t));
        assert_int_equal(t.kind, in[i].kind);
        assert_int_equal(t.account_id, in[i].account_id);
        assert_true(span_eq(t.address, in[i].address));
    }
    assert_false(rcpt_target_next(&r, &t));
    assert_true(rd_done(&r));
    rd_init(&r, span_take(buf_all(&out), out.len - 1));
    assert_true(rcpt_target_next(&r, &t));
    assert_false(rcpt_target_next(&r, &t));
    assert_false(rd_done(&r));

    buf_reset(&out);
    relay_outcome_put(&w, &(struct relay_outcome){RELAY_LATER, SPAN_LIT("451 4.0.0 no")});
    rd_init(&r, buf_all(&out));
    assert_true(relay_outcome_next(&r, &o));
    assert_int_equal(o.status, RELAY_LATER);
    assert_true(span_eq_str(o.reply, "451 4.0.0 no"));
    assert_false(relay_outcome_next(&r, &o));
    out.data[0] = 9;
    rd_init(&r, buf_all(&out));
    assert_false(relay_outcome_next(&r, &o));
    assert_true(r.is_bad);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_come_back),
        cmocka_unit_test(test_other_lengths_are_refused),
        cmocka_unit_test(test_texts_must_be_text_and_short_enough),
        cmocka_unit_test(test_table_is_consistent),
        cmocka_unit_test(test_lists_inside_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
