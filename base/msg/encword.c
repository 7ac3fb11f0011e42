/* SPDX-License-Identifier: ISC */
/* Everything here writes through put(): once the buffer is full the rest is dropped, so a
 * caller bounds the work by the ceiling of its buffer and no function needs an error.
 *
 * Order of trust: a charset that iconv(3) knows; valid UTF-8; ISO-8859-1, which gives every
 * octet a character. Encoded words of one charset that follow each other are joined before
 * they are converted, since senders cut characters in two between them. */
#include "base/msg/encword.h"

#include <iconv.h>
#include <stdlib.h>

#include "base/core/utf8.h"

static bool put(struct buf *out, const void *p, size_t n)
{
    if (n > out->max - out->len)
        n = out->max - out->len;
    return buf_append(out, p, n) == 0 && out->len < out->max;
}

static bool put_char(struct buf *out, uint32_t c)
{
    uint8_t u[4];

    if (c < 0x80) {
        u[0] = (uint8_t)c;
        return put(out, u, 1);
    }
    if (c < 0x800) {
        u[0] = (uint8_t)(0xc0 | (c >> 6));
        u[1] = (uint8_t)(0x80 | (c & 0x3f));
        return put(out, u, 2);
    }
    if (c < 0x10000) {
        u[0] = (uint8_t)(0xe0 | (c >> 12));
        u[1] = (uint8_t)(0x80 | ((c >> 6) & 0x3f));
        u[2] = (uint8_t)(0x80 | (c & 0x3f));
        return put(out, u, 3);
    }
    u[0] = (uint8_t)(0xf0 | ((c >> 18) & 0x07));
    u[1] = (uint8_t)(0x80 | ((c >> 12) & 0x3f));
    u[2] = (uint8_t)(0x80 | ((c >> 6) & 0x3f));
    u[3] = (uint8_t)(0x80 | (c & 0x3f));
    return put(out, u, 4);
}

/* ---- UTF-8 ------------------------------------------------------------------------ */

bool utf8_is_valid(struct span s)
{
    uint32_t c;

    while (s.n > 0) {
        size_t n = utf8_next(s, &c);

        if (n == 0)
            return false;
        s = span_drop(s, n);
    }
    return true;
}

/* Simple case folding of the scripts with a regular layout. */
static uint32_t fold(uint32_t c)
{
    if (c < 0x80)
        return ascii_lower((uint8_t)c);
    if ((c >= 0xc0 && c <= 0xde && c != 0xd7) ||
        (c >= 0x391 && c <= 0x3a9 && c != 0x3a2) || (c >= 0x410 && c <= 0x42f))
        return c + 32;
    if (c >= 0x400 && c <= 0x40f)
        return c + 80;
    if (c == 0x178)
        return 0xff;
    if ((c >= 0x100 && c <= 0x12f) || (c >= 0x132 && c <= 0x137) ||
        (c >= 0x14a && c <= 0x177) || (c >= 0x460 && c <= 0x481) ||
        (c >= 0x48a && c <= 0x4bf))
        return c | 1;
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e))
        return c + (c & 1);
    return c == 0x3c2 ? 0x3c3 : c; /* final sigma */
}

void utf8_fold(struct span in, struct buf *out)
{
    while (in.n > 0) {
        uint32_t c;
        size_t n = utf8_next(in, &c);

        if (n == 0) {
            c = 0xfffd;
            n = 1;
        }
        if (!put_char(out, fold(c)))
            return;
        in = span_drop(in, n);
    }
}

/* ---- charsets --------------------------------------------------------------------- */

static bool is_utf8_name(struct span cs)
{
    return cs.n == 0 || span_eq_str_nocase(cs, "utf-8") ||
           span_eq_str_nocase(cs, "utf8") || span_eq_str_nocase(cs, "us-ascii") ||
           span_eq_str_nocase(cs, "ascii") || span_eq_str_nocase(cs, "ansi_x3.4-1968");
}

static void latin1_to_utf8(struct span in, struct buf *out)
{
    for (size_t i = 0; i < in.n; i++) {
        if (!put_char(out, in.p[i]))
            return;
    }
}

static iconv_t open_charset(struct span charset)
{
    char name[64];

    /* '/' would reach iconv's own option syntax */
    if (span_index(charset, '/') >= 0 || !span_copy(charset, name, sizeof(name)))
        return (iconv_t)-1;
    return iconv_open("UTF-8", name);
}

bool charset_is_known(struct span charset)
{
    iconv_t cd;

    if (is_utf8_name(charset))
        return true;
    cd = open_charset(charset);
    if (cd == (iconv_t)-1)
        return false;
    (void)iconv_close(cd);
    return true;
}

void charset_keep(void)
{
    static const char *const names[] = {
        "ISO-8859-1",   "ISO-8859-2",   "ISO-8859-3",   "ISO-8859-4",   "ISO-8859-5",
        "ISO-8859-6",   "ISO-8859-7",   "ISO-8859-8",   "ISO-8859-9",   "ISO-8859-10",
        "ISO-8859-11",  "ISO-8859-13",  "ISO-8859-14",  "ISO-8859-15",  "ISO-8859-16",
        "WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252", "WINDOWS-1253", "WINDOWS-1254",
        "WINDOWS-1255", "WINDOWS-1256", "WINDOWS-1257", "WINDOWS-1258", "WINDOWS-874",
        "KOI8-R",       "KOI8-U",       "IBM850",       "IBM866",       "MACINTOSH",
        "GB2312",       "GBK",          "GB18030",      "BIG5",         "BIG5-HKSCS",
        "ISO-2022-JP",  "EUC-JP",       "SHIFT_JIS",    "ISO-2022-KR",  "EUC-KR",
        "UHC",          "TIS-620",      "UTF-7",        "UTF-16"};

    /* Never closed: iconv(3) forgets a charset that nobody holds. */
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)iconv_open("UTF-8", names[i]);
}

bool charset_to_utf8(struct span charset, struct span in, struct buf *out)
{
    char piece[1024], *src;
    size_t left = in.n;
    bool is_utf8 = is_utf8_name(charset);
    iconv_t cd = is_utf8 ? (iconv_t)-1 : open_charset(charset);

    if (cd == (iconv_t)-1) {
        if (utf8_is_valid(in))
            (void)put(out, in.p, in.n);
        else
            latin1_to_utf8(in, out);
        return is_utf8;
    }
    /* iconv(3) does not write to its source, but its prototype says it might */
    src = span_dup(in);
    for (char *at = src; left > 0;) {
        char *dst = piece;
        size_t room = sizeof(piece);
        size_t rc = iconv(cd, &at, &left, &dst, &room);

        if (!put(out, piece, sizeof(piece) - room))
            break;
        if (rc == (size_t)-1 && room == sizeof(piece) && left > 0) {
            if (!put_char(out, 0xfffd)) /* malformed or cut off here: one octet on */
                break;
            at++;
            left--;
        }
    }
    (void)iconv_close(cd);
    free(src);
    return true;
}

/* ---- transfer encodings ----------------------------------------------------------- */

static int b64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static int hex_value(uint8_t c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void decode_base64(struct span in, struct buf *out)
{
    uint32_t acc = 0;
    unsigned bits = 0;

    for (size_t i = 0; i < in.n; i++) {
        int v = b64_value(in.p[i]);
        uint8_t c;

        if (in.p[i] == '=') {
            acc = 0;
            bits = 0;
        }
        if (v < 0)
            continue;
        acc = (acc << 6) | (uint32_t)v;
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        c = (uint8_t)((acc >> bits) & 0xff);
        if (!put(out, &c, 1))
            return;
    }
}

/* Blanks at a line's end are not part of the text (RFC 2045 6.7, rule 3). */
static size_t blanks_to_line_end(struct span s)
{
    size_t i = 0;

    while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '\r'))
        i++;
    return i < s.n && s.p[i] == '\n' ? i + 1 : i == s.n ? i : 0;
}

static void decode_qp(struct span in, struct buf *out)
{
    while (in.n > 0) {
        size_t used = 1, soft;
        uint8_t c = in.p[0];

        if (c == '=') {
            int hi = in.n > 2 ? hex_value(in.p[1]) : -1;
            int lo = in.n > 2 ? hex_value(in.p[2]) : -1;

            soft = blanks_to_line_end(span_drop(in, 1));
            if (hi >= 0 && lo >= 0) {
                c = (uint8_t)(hi * 16 + lo);
                used = 3;
            } else if (soft > 0 || in.n == 1) {
                in = span_drop(in, 1 + soft);
                continue;
            }
        }
        if (!put(out, &c, 1))
            return;
        in = span_drop(in, used);
    }
}

void transfer_decode(struct span encoding, struct span in, struct buf *out)
{
    encoding = span_trim(encoding);
    if (span_eq_str_nocase(encoding, "base64"))
        decode_base64(in, out);
    else if (span_eq_str_nocase(encoding, "quoted-printable"))
        decode_qp(in, out);
    else
        (void)put(out, in.p, in.n);
}

/* ---- encoded words ---------------------------------------------------------------- */

struct word {
    struct span charset, text;
    bool is_base64;
    size_t n; /* octets of the whole word */
};

/* =?charset[*language]?B|Q?text?= at the front. */
static bool word_at(struct span in, struct word *w)
{
    struct span rest = span_drop(in, 2), lang, code;
    ptrdiff_t end;

    if (in.n < 8 || in.p[0] != '=' || in.p[1] != '?')
        return false;
    if (!span_cut(rest, '?', &w->charset, &rest) || !span_cut(rest, '?', &code, &rest))
        return false;
    (void)span_cut(w->charset, '*', &w->charset, &lang);
    if (w->charset.n == 0 || code.n != 1)
        return false;
    w->is_base64 = ascii_lower(code.p[0]) == 'b';
    if (!w->is_base64 && ascii_lower(code.p[0]) != 'q')
        return false;
    end = span_find(rest, SPAN_LIT("?="));
    if (end < 0)
        return false;
    w->text = span_take(rest, (size_t)end);
    w->n = (size_t)(w->text.p - in.p) + w->text.n + 2;
    return true;
}

static void word_octets(const struct word *w, struct buf *out)
{
    if (w->is_base64) {
        decode_base64(w->text, out);
        return;
    }
    for (size_t i = 0; i < w->text.n; i++) {
        uint8_t c = w->text.p[i];
        int hi = c == '=' && i + 2 < w->text.n ? hex_value(w->text.p[i + 1]) : -1;
        int lo = hi >= 0 ? hex_value(w->text.p[i + 2]) : -1;

        if (lo >= 0) {
            c = (uint8_t)(hi * 16 + lo);
            i += 2;
        } else if (c == '_') {
            c = ' ';
        }
        if (!put(out, &c, 1))
            return;
    }
}

/* Length of the white space at the front. */
static size_t blanks(struct span s)
{
    size_t i = 0;

    while (i < s.n &&
           (s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '\r' || s.p[i] == '\n'))
        i++;
    return i;
}

/* White space as text: folds vanish, the blanks of a fold stay (RFC 5322 2.2.3). */
static void put_blanks(struct span s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\r' && s.p[i] != '\n')
            (void)put(out, s.p + i, 1);
    }
}

/* A run of encoded words of one charset; characters may be cut between two of them. */
static size_t put_words(struct span in, struct buf *out)
{
    struct buf octets;
    struct word w = {0};
    struct word next = {0};
    size_t used;
    bool more;

    buf_init(&octets, in.n + 1);
    (void)word_at(in, &w);
    word_octets(&w, &octets);
    used = w.n;
    do {
        struct span rest = span_drop(in, used);
        size_t gap = blanks(rest);

        more = gap > 0 && word_at(span_drop(rest, gap), &next);
        if (!more)
            break;
        if (!span_eq_nocase(next.charset, w.charset)) {
            used += gap; /* the gap vanishes, the next run begins */
            break;
        }
        word_octets(&next, &octets);
        used += gap + next.n;
    } while (more);
    (void)charset_to_utf8(w.charset, buf_all(&octets), out);
    buf_free(&octets);
    return used;
}

void encword_decode(struct span in, struct buf *out)
{
    while (in.n > 0 && out->len < out->max) {
        size_t n = blanks(in), to = 0;
        struct word w;

        if (n > 0) {
            put_blanks(span_take(in, n), out);
            in = span_drop(in, n);
            continue;
        }
        if (word_at(in, &w)) {
            in = span_drop(in, put_words(in, out));
            continue;
        }
        /* plain text up to the next white space or word, raw 8-bit made UTF-8 */
        do {
            to++;
        } while (to < in.n && blanks(span_drop(in, to)) == 0 &&
                 !(in.p[to] == '=' && word_at(span_drop(in, to), &w)));
        (void)charset_to_utf8(span_of(NULL, 0), span_take(in, to), out);
        in = span_drop(in, to);
    }
}
