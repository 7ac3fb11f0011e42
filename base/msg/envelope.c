/* SPDX-License-Identifier: ISC */
/* base/msg/envelope.c - the one codec of envelopes; see envelope.h.
 *
 * Format, big-endian: u8 version, 16 octets id, u8 via, u64 accepted_s, text sender, text
 * peer, text helo, u64 login_account, u8 is_8bit, u16 n, then n times u8 kind, u64
 * account_id, text address, text original. A text is a 16-bit length and UTF-8. An original
 * equal to the address, the usual case, is written empty. */
#include "base/msg/envelope.h"

#include <string.h>

#include "base/core/utf8.h"

#define VERSION 1

static void put_text(struct wr *w, const char *text)
{
    if (!utf8_is_text(span_str(text)))
        w->is_bad = true;
    wr_span16(w, span_str(text));
}

static bool is_kind(unsigned kind)
{
    return kind == RCPT_LOCAL || kind == RCPT_REMOTE;
}

void envelope_encode(const struct envelope *e, struct wr *w)
{
    if (e->n > ENVELOPE_RCPTS_MAX)
        w->is_bad = true;
    wr_u8(w, VERSION);
    wr_bytes(w, span_of(e->id.b, sizeof e->id.b));
    wr_u8(w, (uint8_t)e->via);
    wr_u64(w, (uint64_t)e->accepted_s);
    put_text(w, e->sender);
    put_text(w, e->peer);
    put_text(w, e->helo);
    wr_u64(w, e->login_account);
    wr_u8(w, e->is_8bit);
    wr_u16(w, (uint16_t)e->n);
    for (size_t i = 0; i < e->n && !w->is_bad; i++) {
        const struct envelope_rcpt *r = &e->rcpts[i];

        wr_u8(w, (uint8_t)r->kind);
        wr_u64(w, r->account_id);
        put_text(w, r->address);
        put_text(w, strcmp(r->original, r->address) == 0 ? "" : r->original);
    }
}

/* A text of the wire as a string in the arena; anything wrong makes the reader bad. */
static const char *take_text(struct rd *r, struct arena *a)
{
    struct span s = rd_span16(r);
    const char *text = utf8_is_text(s) ? arena_strdup(a, s) : NULL;

    if (text == NULL)
        r->is_bad = true;
    return text;
}

static void take_rcpt(struct rd *r, struct arena *a, struct envelope_rcpt *rcpt)
{
    uint8_t kind = rd_u8(r);

    if (!is_kind(kind))
        r->is_bad = true;
    rcpt->kind = (enum rcpt_kind)kind;
    rcpt->account_id = rd_u64(r);
    rcpt->address = take_text(r, a);
    rcpt->original = take_text(r, a);
    if (!r->is_bad && rcpt->original[0] == '\0')
        rcpt->original = rcpt->address;
}

bool envelope_decode(struct rd *r, struct arena *a, struct envelope *e)
{
    struct span id;
    uint8_t via;
    uint8_t is_8bit;

    *e = (struct envelope){0};
    if (rd_u8(r) != VERSION)
        return false;
    id = rd_bytes(r, sizeof e->id.b);
    if (id.n > 0)
        memcpy(e->id.b, id.p, sizeof e->id.b);
    via = rd_u8(r);
    e->via = (enum envelope_via)via;
    e->accepted_s = (int64_t)rd_u64(r);
    e->sender = take_text(r, a);
    e->peer = take_text(r, a);
    e->helo = take_text(r, a);
    e->login_account = rd_u64(r);
    is_8bit = rd_u8(r);
    e->is_8bit = is_8bit == 1;
    e->n = rd_u16(r);
    if (r->is_bad || via < VIA_SMTP || via > VIA_LOCAL || is_8bit > 1 ||
        e->n > ENVELOPE_RCPTS_MAX)
        return false;
    e->rcpts = arena_alloc(a, e->n * sizeof e->rcpts[0]);
    if (e->rcpts == NULL)
        return false;
    for (size_t i = 0; i < e->n && !r->is_bad; i++)
        take_rcpt(r, a, &e->rcpts[i]);
    return !r->is_bad;
}
