/* SPDX-License-Identifier: ISC */
#include "maild/smtp/reply.h"

static const struct smtp_reply replies[] = {
#define REPLY_ROW(id, code, status, text) {code, status, text},
    SMTP_REPLIES(REPLY_ROW)
#undef REPLY_ROW
};

const struct smtp_reply *smtp_reply(enum smtp_reply_id id)
{
    return &replies[id];
}
