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

static struct envelope_rcpt rcpts[] = {
    {RCPT_LOCAL, 42, "user@example.com", "alias@example.com"},
    {RCPT_REMOTE, 0, "other@example.net", "other@example.net"},
};

static struct envelope sample(void)
{
    struct envelope e = {.via = VIA_SUBMISSION,
                         .accepted_s = 1795375320,
                         .sender = "user@example.com",
                         .peer = "192.0.2.1",
                         .helo = "client.example",
                         .login_account = 42,
                         .is_8bit = true,
                         .n = COUNT_OF(rcpts),
                         .rcpts = rcpts};

    memset(e.id.b, 0x5a, sizeof e.id.b);
    return e;
}

static void test_comes_back(void **state)
{
    struct envelope in = sample();
    struct envelope e;
    struct arena *a = arena_new(10000);
    struct buf out;
    struct wr w;
    struct rd r;

    (void)state;
    buf_init(&out, ENVELOPE_OCTETS_MAX);
    wr_init(&w, &out);
    envelope_encode(&in, &w);
    assert_false(w.is_bad);
    rd_init(&r, buf_all(&out));
    assert_true(envelope_decode(&r, a, &e));
    assert_true(rd_done(&r));
    assert_true(msgid_eq(&e.id, &in.id));
    assert_int_equal(e.via, in.via);
    assert_int_equal(e.accepted_s, in.accepted_s);
    assert_string_equal(e.sender, in.sender);
    assert_string_equal(e.peer, in.peer);
    assert_string_equal(e.helo, in.helo);
    assert_int_equal(e.login_account, 42);
    assert_true(e.is_8bit);
    assert_int_equal(e.n, 2);
    for (size_t i = 0; i < e.n; i++) {
        assert_int_equal(e.rcpts[i].kind, rcpts[i].kind);
        assert_int_equal(e.rcpts[i].account_id, rcpts[i].account_id);
        assert_string_equal(e.rcpts[i].address, rcpts[i].address);
        assert_string_equal(e.rcpts[i].original, rcpts[i].original);
    }
    buf_free(&out);
    arena_free(&a);
}

/* Cut anywhere, or with any one octet changed, it is refused or whole, never read past. */
static void test_damage_is_survived(void **state)
{
    struct envelope in = sample();
    struct envelope e;
    struct arena *a = arena_new(100000);
    struct buf out;
    struct wr w;
    struct rd r;

    (void)state;
    buf_init(&out, ENVELOPE_OCTETS_MAX);
    wr_init(&w, &out);
    envelope_encode(&in, &w);
    for (size_t n = 0; n < out.len; n++) {
        uint8_t *exact = mem_dup(out.data, n);

        rd_init(&r, span_of(exact, n));
        assert_false(envelope_decode(&r, a, &e));
        free(exact);
        exact = mem_dup(out.data, out.len);
        exact[n] ^= 0x80;
        rd_init(&r, span_of(exact, out.len));
        (void)(envelope_decode(&r, a, &e) || r.pos <= out.len);
        free(exact);
        arena_reset(a);
    }
    buf_free(&out);
    arena_free(&a);
}

static void test_what_cannot_be_read_is_not_written(void **state)
{
    struct envelope e = sample();
    struct buf out;
    struct wr w;

    (void)state;
    buf_init(&out, ENVELOPE_OCTETS_MAX);
    e.helo = "a\nb";
    wr_init(&w, &out);
    envelope_encode(&e, &w);
    assert_true(w.is_bad);
    e = sample();
    e.n = ENVELOPE_RCPTS_MAX + 1;
    wr_init(&w, &out);
    envelope_encode(&e, &w);
    assert_true(w.is_bad);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_damage_is_survived),
        cmocka_unit_test(test_what_cannot_be_read_is_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
