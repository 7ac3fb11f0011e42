/* SPDX-License-Identifier: ISC */
/* base/core/msgid.c - the name of one message; see msgid.h.
 *
 * 26 characters hold 130 bits: the last one carries two bits that must be zero, so that
 * one id has one text (in lower case). */
#include "base/core/msgid.h"

#include <string.h>

#define SLICE_S (86400 / 2)

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

void msgid_new(struct msgid *id, struct rng *rng, int64_t now_s)
{
    uint64_t slice = (uint64_t)now_s / SLICE_S;

    rng_fill(rng, id->b, sizeof id->b);
    id->b[0] = (uint8_t)(slice >> 2 & 0xff);
    id->b[1] = (uint8_t)((slice & 3) << 6 | (id->b[1] & 0x3f));
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
