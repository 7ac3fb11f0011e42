/* SPDX-License-Identifier: ISC */
/* dnsd/ipc_msgs.h - the messages between builder and serve as C.
 *
 * Why:       both ends are made from the same two lists, ipc_msgs.def (who says what to
 *            whom) and ipc_fields.def (with which fields), so there is nothing to keep in
 *            step by hand.
 * Ownership: octets of a decoded struct point into the payload.
 * Pure:      no I/O, no clock, no globals.
 *
 * For every message NAME with tag name: type DIPC_NAME, struct d_name, and
 *     void d_name_encode(const struct d_name *m, struct wr *w)
 *     bool d_name_decode(struct span payload, struct d_name *m)    exactly this message? */
#ifndef DNSD_IPC_MSGS_H
#define DNSD_IPC_MSGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core/attr.h"
#include "base/core/span.h"
#include "base/core/wire.h"
#include "base/io/ipc.h"

enum dnsd_ipc_type {
    DIPC_NONE, /* never on a wire */
#define MSG(NAME, FROM, TO, ANSWER, meaning) DIPC_##NAME,
#include "dnsd/ipc_msgs.def"
#undef MSG
    DIPC_TYPE_COUNT
};

#define BEGIN(NAME, name) struct d_##name {
#define U8(field)         uint8_t field;
#define U32(field)        uint32_t field;
#define U64(field)        uint64_t field;
#define OCT(field, max)   struct span field;
#define END(NAME, name)                                                                  \
    }                                                                                    \
    ;                                                                                    \
    void d_##name##_encode(const struct d_##name *m, struct wr *w);                      \
    MUST_USE bool d_##name##_decode(struct span payload, struct d_##name *m);
#include "dnsd/ipc_fields.def"
#undef BEGIN
#undef U8
#undef U32
#undef U64
#undef OCT
#undef END

/* Names, directions, answers and lengths of all messages, for ipc_new(). */
extern const struct ipc_table dnsd_ipc_table;

#endif
