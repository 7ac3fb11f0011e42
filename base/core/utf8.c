/* SPDX-License-Identifier: ISC */
/* base/core/utf8.c - UTF-8 as RFC 3629 has it; see utf8.h. */
#include "base/core/utf8.h"

size_t utf8_next(struct span s, uint32_t *point)
{
    /* By length: what marks the first octet, and the least code point that needs it. */
    static const struct {
        uint8_t mask, mark;
        uint32_t least;
    } forms[] = {
        {0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

    for (size_t n = 1; n <= 4 && n <= s.n; n++) {
        uint32_t c = (uint32_t)s.p[0] & ~(uint32_t)forms[n - 1].mask;

        if ((s.p[0] & forms[n - 1].mask) != forms[n - 1].mark)
            continue;
        for (size_t i = 1; i < n; i++) {
            if ((s.p[i] & 0xc0) != 0x80)
                return 0;
            c = c << 6 | (s.p[i] & 0x3fu);
        }
        if (c < forms[n - 1].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return 0;
        *point = c;
        return n;
    }
    return 0;
}

static bool is_c0_or_c1(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f);
}

bool utf8_is_control(uint32_t c)
{
    return is_c0_or_c1(c) || c == 0x061c || (c >= 0x200e && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

size_t utf8_plain_run(struct span s)
{
    size_t n = 0;

    while (n < s.n && s.p[n] >= 0x20 && s.p[n] < 0x7f && s.p[n] != '"' && s.p[n] != '\\')
        n++;
    return n;
}

bool utf8_is_text(struct span s)
{
    while (s.n > 0) {
        if (s.p[0] >= 0x20 && s.p[0] < 0x7f) { /* most of what comes */
            s = span_drop(s, 1);
            continue;
        }

        uint32_t c = 0;
        size_t n = utf8_next(s, &c);

        if (n == 0 || is_c0_or_c1(c))
            return false;
        s = span_drop(s, n);
    }
    return true;
}
