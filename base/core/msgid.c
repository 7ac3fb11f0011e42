/* SPDX-License-Identifier: ISC */
/* base/core/msgid.c - the name of one message; see msgid.h.
 *
 * 26 characters hold 130 bits: the last one carries two bits that must be zero, so that
 * one id has one text (in lower case). */
#include "base/core/msgid.h"

#include <string.h>

#define SLICE_MS (86400000u / 2)

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

void msgid_new(struct msgid *id, struct rng *rng, int64_t wall_us)
{
    uint64_t ms = (uint64_t)wall_us / 1000;
    uint64_t time = (ms / SLICE_MS) % 1024 << 26 | ms % SLICE_MS; /* 36 bits */

    rng_fill(rng, id->b, sizeof id->b);
    for (unsigned i = 0; i < 4; i++)
        id->b[i] = (uint8_t)(time >> (28 - 8 * i) & 0xff);
    id->b[4] = (uint8_t)((time & 0x0f) << 4 | (id->b[4] & 0x0f));
}

bool msgid_eq(const struct msgid *a, const struct msgid *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

void msgid_print(const struct msgid *id, char text[MSGID_TEXT + 1])
{
    uint32_t bits = 0;
    unsigned have = 0; /* bits not yet printed */
    size_t in = 0;

    for (size_t out = 0; out < MSGID_TEXT; out++) {
        if (have < 5) {
            bits = bits << 8 | (in < sizeof id->b ? id->b[in++] : 0);
            have += 8;
        }
        have -= 5;
        text[out] = alphabet[bits >> have & 31];
    }
    text[MSGID_TEXT] = '\0';
}

bool msgid_parse(struct span text, struct msgid *id)
{
    struct msgid parsed;
    uint32_t bits = 0;
    unsigned have = 0;
    size_t out = 0;

    if (text.n != MSGID_TEXT)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = ascii_lower(text.p[i]);
        const char *at = c == '\0' ? NULL : strchr(alphabet, c);

        if (at == NULL)
            return false;
        bits = bits << 5 | (uint32_t)(at - alphabet);
        have += 5;
        if (have >= 8) {
            have -= 8;
            parsed.b[out++] = (uint8_t)(bits >> have);
        }
    }
    if ((bits & 3) != 0)
        return false;
    *id = parsed;
    return true;
}
