/* SPDX-License-Identifier: ISC */
/* Every message between the parts of dnsd: what decodes, encodes to the same octets
 * (dnsd/ipc_msgs.h). Input: one octet that names the message, then its payload. */
#include "dnsd/ipc_msgs.h"
#include "tests/fuzz/fuzz.h"

#define PAYLOAD_MAX (256u * 1024u)

/* clang-format off */
#define BEGIN(NAME, name)                                                                \
    static bool again_##name(struct span payload, struct wr *w)                          \
    {                                                                                    \
        struct d_##name m;                                                               \
                                                                                         \
        if (!d_##name##_decode(payload, &m))                                             \
            return false;
#define U8(field)       (void)m.field;
#define U16(field)      (void)m.field;
#define U32(field)      (void)m.field;
#define U64(field)      (void)m.field;
#define TXT(field, max) LAW(m.field.n <= (max), "a text has its bound");
#define OCT(field, max) LAW(m.field.n <= (max), "octets have their bound");
#define END(NAME, name)                                                                  \
        d_##name##_encode(&m, w);                                                        \
        return true;                                                                     \
    }
#include "dnsd/ipc_fields.def"
#undef BEGIN
#undef U8
#undef U16
#undef U32
#undef U64
#undef TXT
#undef OCT
#undef END

static bool (*const messages[])(struct span payload, struct wr *w) = {
#define BEGIN(NAME, name) again_##name,
#define U8(field)
#define U16(field)
#define U32(field)
#define U64(field)
#define TXT(field, max)
#define OCT(field, max)
#define END(NAME, name)
#include "dnsd/ipc_fields.def"
};
/* clang-format on */

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
    buf_free(&out);
    fuzz_heap_free(payload);
    return 0;
}
