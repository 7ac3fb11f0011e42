/* SPDX-License-Identifier: ISC */
/* base/core/codec.c - base64, base32 and hex; see codec.h.
 *
 * All four are the same: octets are a row of bits, a character stands for 4, 5 or 6 of
 * them. Only base64 pads. */
#include "base/core/codec.h"

struct radix {
    unsigned bits; /* per character */
    const char *alphabet;
    int (*value)(uint8_t c); /* of a character, or -1 */
};

static int base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (ascii_is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static int base32_value(uint8_t c)
{
    if (ascii_is_alpha(c))
        return ascii_lower(c) - 'a';
    return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

/* Digits, then letters up to `last`. */
static int digit_value(uint8_t c, uint8_t last)
{
    if (ascii_is_digit(c))
        return c - '0';
    return ascii_is_alpha(c) && ascii_lower(c) <= last ? ascii_lower(c) - 'a' + 10 : -1;
}

static int base32hex_value(uint8_t c)
{
    return digit_value(c, 'v');
}

static int hex_value(uint8_t c)
{
    return digit_value(c, 'f');
}

static const struct radix base64 = {
    6, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", base64_value};
static const struct radix base32 = {5, "abcdefghijklmnopqrstuvwxyz234567", base32_value};
static const struct radix base32hex = {5, "0123456789abcdefghijklmnopqrstuv",
                                       base32hex_value};
static const struct radix hex = {4, "0123456789abcdef", hex_value};

/* Characters for `n` octets, padding included; SIZE_MAX when there is no such number. */
static size_t text_length(const struct radix *r, size_t n)
{
    if (n > SIZE_MAX / 8 - 1)
        return SIZE_MAX;
    return r->bits == 6 ? (n + 2) / 3 * 4 : (n * 8 + r->bits - 1) / r->bits;
}

static int encode(const struct radix *r, struct span in, struct buf *out)
{
    const uint32_t mask = (1u << r->bits) - 1;
    uint32_t row = 0;
    unsigned have = 0; /* bits of `row` not yet written */
    size_t end;

    if (buf_reserve(out, text_length(r, in.n)) == -1)
        return -1;
    end = out->len + text_length(r, in.n);
    for (size_t i = 0; i < in.n; i++) {
        row = row << 8 | in.p[i];
        for (have += 8; have >= r->bits; have -= r->bits)
            out->data[out->len++] = (uint8_t)r->alphabet[row >> (have - r->bits) & mask];
    }
    if (have > 0)
        out->data[out->len++] = (uint8_t)r->alphabet[row << (r->bits - have) & mask];
    while (out->len < end)
        out->data[out->len++] = '=';
    return 0;
}

static bool decode(const struct radix *r, struct span in, struct buf *out)
{
    size_t before = out->len;
    uint32_t row = 0;
    unsigned have = 0;

    if (buf_reserve(out, in.n / 8 * r->bits + in.n % 8 * r->bits / 8) == -1)
        return false;
    for (size_t i = 0; i < in.n; i++) {
        int v = r->value(in.p[i]);

        if (v == -1)
            goto bad;
        row = row << r->bits | (uint32_t)v;
        have += r->bits;
        if (have >= 8) {
            have -= 8;
            out->data[out->len++] = (uint8_t)(row >> have);
        }
    }
    /* A whole character too many, or bits that say nothing and are not zero. */
    if (have >= r->bits || (row & ((1u << have) - 1)) != 0)
        goto bad;
    return true;
bad:
    out->len = before;
    return false;
}

int base64_encode(struct span in, struct buf *out)
{
    return encode(&base64, in, out);
}

int base32_encode(struct span in, struct buf *out)
{
    return encode(&base32, in, out);
}

int base32hex_encode(struct span in, struct buf *out)
{
    return encode(&base32hex, in, out);
}

int hex_encode(struct span in, struct buf *out)
{
    return encode(&hex, in, out);
}

bool base64_decode(struct span in, struct buf *out)
{
    if (in.n % 4 != 0)
        return false;
    for (int pad = 0; pad < 2 && in.n > 0 && in.p[in.n - 1] == '='; pad++)
        in.n--;
    return decode(&base64, in, out);
}

bool base32_decode(struct span in, struct buf *out)
{
    return decode(&base32, in, out);
}

bool base32hex_decode(struct span in, struct buf *out)
{
    return decode(&base32hex, in, out);
}

bool hex_decode(struct span in, struct buf *out)
{
    return decode(&hex, in, out);
}
