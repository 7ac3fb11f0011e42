/* SPDX-License-Identifier: ISC */
/* Every message between the roles of maild, as the receiver reads it: what decodes, encodes to
 * the same octets (maild/ipc_msgs.h, base/msg/envelope.h).
 *
 * Input: one octet that names the message, then its payload. */
#include "base/msg/encword.h"
#include "base/msg/envelope.h"
#include "maild/ipc_msgs.h"
#include "tests/fuzz/fuzz.h"

#define PAYLOAD_MAX (256u * 1024u)
#define ARENA_MAX   (1u << 20)

static void check_texts(struct span s)
{
    LAW(utf8_is_valid(s) && span_index(s, '\n') == -1 && span_index(s, 0) == -1,
        "a text between roles is a line of UTF-8");
}

static void ignore(struct span s)
{
    LAW(s.n <= PAYLOAD_MAX, "octets come from the payload");
}

/* clang-format off */
#define BEGIN(NAME, name)                                                                \
    static bool again_##name(struct span payload, struct wr *w)                          \
    {                                                                                    \
        struct m_##name m;                                                               \
                                                                                         \
        if (!m_##name##_decode(payload, &m))                                             \
            return false;
#define U8(field)       (void)m.field;
#define U16(field)      (void)m.field;
#define U32(field)      (void)m.field;
#define U64(field)      (void)m.field;
#define ID(field)       (void)m.field;
#define TXT(field, max) LAW(m.field.n <= (max), "a text has its bound"); check_texts(m.field);
#define OCT(field, max) LAW(m.field.n <= (max), "octets have their bound"); ignore(m.field);
#define END(NAME, name)                                                                  \
        m_##name##_encode(&m, w);                                                        \
        return true;                                                                     \
    }
#include "maild/ipc_fields.def"
#undef BEGIN
#undef U8
#undef U16
#undef U32
#undef U64
#undef ID
#undef TXT
#undef OCT
#undef END

static bool (*const messages[])(struct span payload, struct wr *w) = {
#define BEGIN(NAME, name) again_##name,
#define U8(field)
#define U16(field)
#define U32(field)
#define U64(field)
#define ID(field)
#define TXT(field, max)
#define OCT(field, max)
#define END(NAME, name)
#include "maild/ipc_fields.def"
};
/* clang-format on */

static void check_lists(struct span in)
{
    struct rcpt_target t;
    struct relay_outcome o;
    struct buf out;
    struct wr w;
    struct rd r;

    buf_init(&out, PAYLOAD_MAX);
    wr_init(&w, &out);
    rd_init(&r, in);
    while (rcpt_target_next(&r, &t)) {
        check_texts(t.address);
        rcpt_target_put(&w, &t);
    }
    if (!r.is_bad)
        fuzz_same(in, buf_all(&out), "targets encode to what they were");
    buf_reset(&out);
    rd_init(&r, in);
    while (relay_outcome_next(&r, &o)) {
        check_texts(o.reply);
        LAW(o.status >= RELAY_SENT && o.status <= RELAY_FAILED,
            "an outcome is one of three");
        relay_outcome_put(&w, &o);
    }
    if (!r.is_bad)
        fuzz_same(in, buf_all(&out), "outcomes encode to what they were");
    buf_free(&out);
}

static void check_envelope(struct span in)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct envelope e;
    struct buf out;
    struct wr w;
    struct rd r;

    rd_init(&r, in);
    if (envelope_decode(&r, a, &e)) {
        LAW(e.n <= ENVELOPE_RCPTS_MAX && r.pos <= in.n, "an envelope is bounded");
        check_texts(span_str(e.sender));
        check_texts(span_str(e.helo));
        for (size_t i = 0; i < e.n; i++) {
            check_texts(span_str(e.rcpts[i].address));
            check_texts(span_str(e.rcpts[i].original));
        }
        buf_init(&out, PAYLOAD_MAX);
        wr_init(&w, &out);
        envelope_encode(&e, &w);
        LAW(!w.is_bad, "what was decoded can be encoded");
        fuzz_same(span_take(in, r.pos), buf_all(&out),
                  "an envelope encodes to what it was");
        buf_free(&out);
    }
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span in = span_of(data, n), payload;
    unsigned which = fuzz_u8(&in) % COUNT_OF(messages);
    struct buf out;
    struct wr w;

    payload = fuzz_heap(in);
    buf_init(&out, PAYLOAD_MAX);
    wr_init(&w, &out);
    if (messages[which](payload, &w)) {
        LAW(!w.is_bad, "what was decoded can be encoded");
        fuzz_same(payload, buf_all(&out), "a message encodes to what it was");
    }
    check_lists(payload);
    check_envelope(payload);
    buf_free(&out);
    fuzz_heap_free(payload);
    return 0;
}
