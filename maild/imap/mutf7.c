/* SPDX-License-Identifier: ISC */
#include "maild/imap/mutf7.h"

#include <string.h>

#include "base/core/utf8.h"

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int digit_value(uint8_t c)
{
    const char *at = c == 0 ? NULL : strchr(digits, c);

    return at == NULL ? -1 : (int)(at - digits);
}

static bool put_utf8(uint32_t c, struct buf *out)
{
    uint8_t u[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = n; i-- > 1; c >>= 6)
        u[i] = (uint8_t)(0x80 | (c & 0x3f));
    u[0] = (uint8_t)(lead[n] | c);
    return buf_append(out, u, n) == 0;
}

/* One shifted run, between "&" and "-". */
static bool decode_run(struct span run, struct buf *out)
{
    uint32_t acc = 0, high = 0;
    unsigned bits = 0;

    for (size_t i = 0; i < run.n; i++) {
        int v = digit_value(run.p[i]);
        uint32_t unit;

        if (v < 0)
            return false;
        acc = (acc << 6) | (uint32_t)v;
        bits += 6;
        if (bits < 16)
            continue;
        bits -= 16;
        unit = (acc >> bits) & 0xffff;
        acc &= (1u << bits) - 1;
        if (unit >= 0xd800 && unit < 0xdc00) {
            if (high != 0)
                return false;
            high = unit;
            continue;
        }
        if ((unit >= 0xdc00 && unit < 0xe000) != (high != 0))
            return false;
        if (high != 0)
            unit = 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00);
        else if (unit >= 0x20 && unit < 0x7f)
            return false; /* must be written as itself */
        high = 0;
        if (unit < 0x20 || unit == 0x7f || !put_utf8(unit, out))
            return false;
    }
    return high == 0 && bits < 6 && acc == 0;
}

bool mutf7_decode(struct span in, struct buf *out)
{
    size_t old = out->len;
    bool was_shifted = false;

    while (in.n > 0) {
        uint8_t c = in.p[0];
        ptrdiff_t end;

        if (c < 0x20 || c > 0x7e)
            goto bad;
        if (c != '&') {
            if (buf_byte(out, c) == -1)
                goto bad;
            in = span_drop(in, 1);
            was_shifted = false;
            continue;
        }
        end = span_index(in, '-');
        if (end < 0)
            goto bad;
        if (end == 1) {
            if (buf_byte(out, '&') == -1)
                goto bad;
            was_shifted = false;
        } else {
            if (was_shifted ||
                !decode_run(span_take(span_drop(in, 1), (size_t)end - 1), out))
                goto bad; /* two runs side by side must be one */
            was_shifted = true;
        }
        in = span_drop(in, (size_t)end + 1);
    }
    return true;
bad:
    buf_truncate(out, old);
    return false;
}

struct shift {
    bool is_open;
    uint32_t acc;
    unsigned bits;
};

static bool put_unit(struct shift *sh, uint32_t unit, struct buf *out)
{
    if (!sh->is_open) {
        if (buf_byte(out, '&') == -1)
            return false;
        *sh = (struct shift){.is_open = true};
    }
    sh->acc = (sh->acc << 16) | unit;
    sh->bits += 16;
    while (sh->bits >= 6) {
        sh->bits -= 6;
        if (buf_byte(out, (uint8_t)digits[(sh->acc >> sh->bits) & 63]) == -1)
            return false;
    }
    sh->acc &= (1u << sh->bits) - 1;
    return true;
}

static bool shift_close(struct shift *sh, struct buf *out)
{
    if (!sh->is_open)
        return true;
    sh->is_open = false;
    if (sh->bits > 0 &&
        buf_byte(out, (uint8_t)digits[(sh->acc << (6 - sh->bits)) & 63]) == -1)
        return false;
    return buf_byte(out, '-') == 0;
}

bool mutf7_encode(struct span in, struct buf *out)
{
    struct shift sh = {.is_open = false};

    while (in.n > 0) {
        uint32_t c;
        size_t n = utf8_next(in, &c);
        bool ok;

        if (n == 0)
            return false;
        if (c >= 0x20 && c < 0x7f) {
            ok = shift_close(&sh, out) && buf_byte(out, (uint8_t)c) == 0 &&
                 (c != '&' || buf_byte(out, '-') == 0);
        } else if (c >= 0x10000) {
            ok = put_unit(&sh, 0xd800 + ((c - 0x10000) >> 10), out) &&
                 put_unit(&sh, 0xdc00 + ((c - 0x10000) & 0x3ff), out);
        } else {
            ok = put_unit(&sh, c, out);
        }
        if (!ok)
            return false;
        in = span_drop(in, n);
    }
    return shift_close(&sh, out);
}
