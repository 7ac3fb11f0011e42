/* SPDX-License-Identifier: ISC */
#include "dnsd/ipc_msgs.h"

#include "dnsd/roles.h"

#define FRAME_HEAD 12u /* base/io/ipc.h: type, flags, call */

/* Lengths: the field list is added up once with texts empty, once with texts full. */
/* NOLINTBEGIN(bugprone-macro-parentheses): these are summands, not expressions */
enum {
#define BEGIN(NAME, name) LEN_MIN_##NAME = 0
#define U8(field)         +1
#define U32(field)        +4
#define U64(field)        +8
#define OCT(field, max)   +4
#define END(NAME, name)   ,
#include "dnsd/ipc_fields.def"
#undef BEGIN
#undef OCT
#define BEGIN(NAME, name) LEN_MAX_##NAME = 0
#define OCT(field, max)   +4 + (max)
#include "dnsd/ipc_fields.def"
#undef BEGIN
#undef U8
#undef U32
#undef U64
#undef OCT
#undef END
};
/* NOLINTEND(bugprone-macro-parentheses) */

static const struct ipc_msg msgs[] = {
#define MSG(NAME, FROM, TO, ANSWER, meaning)                                             \
    {#NAME,         DIPC_##NAME,    DNSD_##FROM,   DNSD_##TO,                            \
     DIPC_##ANSWER, LEN_MIN_##NAME, LEN_MAX_##NAME},
#include "dnsd/ipc_msgs.def"
#undef MSG
};

#define MSG(NAME, FROM, TO, ANSWER, meaning)                                             \
    _Static_assert(LEN_MAX_##NAME + FRAME_HEAD <= IPC_FRAME_MAX, #NAME " is too long");
#include "dnsd/ipc_msgs.def"
#undef MSG

const struct ipc_table dnsd_ipc_table = {msgs, COUNT_OF(msgs)};

static void put_octets(struct wr *w, struct span s, size_t max)
{
    if (s.n > max)
        w->is_bad = true;
    wr_span32(w, s);
}

static struct span take_octets(struct rd *r, size_t max)
{
    struct span s = rd_span32(r);

    if (s.n > max)
        r->is_bad = true;
    return s;
}

#define BEGIN(NAME, name)                                                                \
    void d_##name##_encode(const struct d_##name *m, struct wr *w)                       \
    {
#define U8(field)       wr_u8(w, m->field);
#define U32(field)      wr_u32(w, m->field);
#define U64(field)      wr_u64(w, m->field);
#define OCT(field, max) put_octets(w, m->field, max);
#define END(NAME, name) }
#include "dnsd/ipc_fields.def"
#undef BEGIN
#undef U8
#undef U32
#undef U64
#undef OCT
#undef END

#define BEGIN(NAME, name)                                                                \
    bool d_##name##_decode(struct span payload, struct d_##name *m)                      \
    {                                                                                    \
        struct rd r;                                                                     \
        rd_init(&r, payload);
#define U8(field)       m->field = rd_u8(&r);
#define U32(field)      m->field = rd_u32(&r);
#define U64(field)      m->field = rd_u64(&r);
#define OCT(field, max) m->field = take_octets(&r, max);
#define END(NAME, name)                                                                  \
    return rd_done(&r);                                                                  \
    }
#include "dnsd/ipc_fields.def"
#undef BEGIN
#undef U8
#undef U32
#undef U64
#undef OCT
#undef END
