/* SPDX-License-Identifier: ISC */
/* maild/ipc_msgs.c - the messages between roles, made from the two lists; see ipc_msgs.h.
 *
 * ipc_fields.def is read three times, each time with other meanings for its words: once to
 * add up the least and greatest length of each message, once to write the encoders, once
 * the decoders. Numbers are big-endian; a text has a 16-bit length in front, octets a
 * 32-bit one. */
#include "maild/ipc_msgs.h"

#include <string.h>

#include "base/core/utf8.h"
#include "base/msg/envelope.h"
#include "maild/roles.h"

/* Lengths ------------------------------------------------------------------------------- */

/* NOLINTBEGIN(bugprone-macro-parentheses): these are summands, not expressions */
enum {
#define BEGIN(NAME, name) LEN_MIN_##NAME = 0
#define U8(field)         +1
#define U16(field)        +2
#define U32(field)        +4
#define U64(field)        +8
#define ID(field)         +MSGID_OCTETS
#define TXT(field, max)   +2
#define OCT(field, max)   +4
#define END(NAME, name)   ,
#include "maild/ipc_fields.def"
#undef BEGIN
#undef TXT
#undef OCT
#define BEGIN(NAME, name) LEN_MAX_##NAME = 0
#define TXT(field, max)   +2 + (max)
#define OCT(field, max)   +4 + (max)
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
};
/* NOLINTEND(bugprone-macro-parentheses) */

#define FRAME_HEAD 12u /* base/io/ipc.h: type, flags, call */

static const struct ipc_msg msgs[] = {
#define MSG(NAME, FROM, TO, ANSWER, meaning)                                             \
    {#NAME,        IPC_##NAME,     ROLE_##FROM,   ROLE_##TO,                             \
     IPC_##ANSWER, LEN_MIN_##NAME, LEN_MAX_##NAME},
#include "maild/ipc_msgs.def"
#undef MSG
};

#define MSG(NAME, FROM, TO, ANSWER, meaning)                                             \
    _Static_assert(LEN_MAX_##NAME + FRAME_HEAD <= IPC_FRAME_MAX, #NAME " is too long");
#include "maild/ipc_msgs.def"
#undef MSG

const struct ipc_table maild_ipc_table = {msgs, COUNT_OF(msgs)};

/* Fields -------------------------------------------------------------------------------- */

static void put_text(struct wr *w, struct span s, size_t max)
{
    if (s.n > max || !utf8_is_text(s))
        w->is_bad = true;
    wr_span16(w, s);
}

static void put_octets(struct wr *w, struct span s, size_t max)
{
    if (s.n > max)
        w->is_bad = true;
    wr_span32(w, s);
}

static struct span take_text(struct rd *r, size_t max)
{
    struct span s = rd_span16(r);

    if (s.n > max || !utf8_is_text(s))
        r->is_bad = true;
    return s;
}

static struct span take_octets(struct rd *r, size_t max)
{
    struct span s = rd_span32(r);

    if (s.n > max)
        r->is_bad = true;
    return s;
}

static struct msgid take_id(struct rd *r)
{
    struct span s = rd_bytes(r, MSGID_OCTETS);
    struct msgid id = {{0}};

    if (s.n > 0)
        memcpy(id.b, s.p, sizeof id.b);
    return id;
}

/* Messages ------------------------------------------------------------------------------ */

#define BEGIN(NAME, name)                                                                \
    void m_##name##_encode(const struct m_##name *m, struct wr *w)                       \
    {
#define U8(field)       wr_u8(w, m->field);
#define U16(field)      wr_u16(w, m->field);
#define U32(field)      wr_u32(w, m->field);
#define U64(field)      wr_u64(w, m->field);
#define ID(field)       wr_bytes(w, span_of(m->field.b, MSGID_OCTETS));
#define TXT(field, max) put_text(w, m->field, max);
#define OCT(field, max) put_octets(w, m->field, max);
#define END(NAME, name) }
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

#define BEGIN(NAME, name)                                                                \
    bool m_##name##_decode(struct span payload, struct m_##name *m)                      \
    {                                                                                    \
        struct rd r;                                                                     \
        rd_init(&r, payload);
#define U8(field)       m->field = rd_u8(&r);
#define U16(field)      m->field = rd_u16(&r);
#define U32(field)      m->field = rd_u32(&r);
#define U64(field)      m->field = rd_u64(&r);
#define ID(field)       m->field = take_id(&r);
#define TXT(field, max) m->field = take_text(&r, max);
#define OCT(field, max) m->field = take_octets(&r, max);
#define END(NAME, name)                                                                  \
    return rd_done(&r);                                                                  \
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

/* Lists inside a field ------------------------------------------------------------------ */

void rcpt_target_put(struct wr *w, const struct rcpt_target *t)
{
    wr_u8(w, t->kind);
    wr_u64(w, t->account_id);
    put_text(w, t->address, UINT16_MAX);
}

bool rcpt_target_next(struct rd *r, struct rcpt_target *t)
{
    if (rd_left(r) == 0)
        return false;
    t->kind = rd_u8(r);
    t->account_id = rd_u64(r);
    t->address = take_text(r, UINT16_MAX);
    if (t->kind != RCPT_LOCAL && t->kind != RCPT_REMOTE)
        r->is_bad = true;
    return !r->is_bad;
}

void relay_outcome_put(struct wr *w, const struct relay_outcome *o)
{
    wr_u8(w, (uint8_t)o->status);
    put_text(w, o->reply, UINT16_MAX);
}

bool relay_outcome_next(struct rd *r, struct relay_outcome *o)
{
    uint8_t status;

    if (rd_left(r) == 0)
        return false;
    status = rd_u8(r);
    o->status = (enum relay_status)status;
    o->reply = take_text(r, UINT16_MAX);
    if (status < RELAY_SENT || status > RELAY_FAILED)
        r->is_bad = true;
    return !r->is_bad;
}
