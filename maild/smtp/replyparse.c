/* SPDX-License-Identifier: ISC */
#include "maild/smtp/replyparse.h"

#include "base/core/attr.h"

/* The text before the line end; *used counts the end too. False: no end yet. */
static bool cut_line(struct span in, struct span *line, size_t *used)
{
    ptrdiff_t lf = span_index(in, '\n');

    if (lf < 0)
        return false;
    *used = (size_t)lf + 1;
    *line = span_take(in, (size_t)lf);
    if (line->n > 0 && line->p[line->n - 1] == '\r')
        line->n--;
    return true;
}

/* "250-text", "250 text" or "250". 0 when it is none of these. */
static uint16_t line_code(struct span line, bool *is_last)
{
    if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || !ascii_is_digit(line.p[1]) ||
        !ascii_is_digit(line.p[2]))
        return 0;
    if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
        return 0;
    *is_last = line.n == 3 || line.p[3] == ' ';
    return (uint16_t)((line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 +
                      (line.p[2] - '0'));
}

static size_t digits(struct span s, size_t max)
{
    size_t n = 0;

    while (n < s.n && n < max && ascii_is_digit(s.p[n]))
        n++;
    return n;
}

/* "5.1.1" at the front of `text`, of the same class as the code (RFC 2034 4). */
static struct span find_status(struct span text, uint16_t code)
{
    size_t n, at = 2;

    if (text.n < 5 || text.p[0] - '0' != code / 100 || text.p[1] != '.' ||
        (text.p[0] != '2' && text.p[0] != '4' && text.p[0] != '5'))
        return SPAN_LIT("");
    n = digits(span_drop(text, at), 3);
    if (n == 0 || at + n >= text.n || text.p[at + n] != '.')
        return SPAN_LIT("");
    at += n + 1;
    n = digits(span_drop(text, at), 3);
    if (n == 0 || (at + n < text.n && text.p[at + n] != ' '))
        return SPAN_LIT("");
    return span_take(text, at + n);
}

enum replyparse_result replyparse_next(struct span in, struct smtp_peer_reply *r,
                                       size_t *used)
{
    size_t at = 0, n;
    uint16_t code = 0;
    struct span line, first = SPAN_LIT("");

    while (cut_line(span_drop(in, at), &line, &n)) {
        bool is_last = false;
        uint16_t c = line_code(line, &is_last);

        if (at + n > REPLYPARSE_MAX)
            return REPLYPARSE_TOO_LONG;
        if (c == 0 || (at > 0 && c != code))
            return REPLYPARSE_BAD;
        if (at == 0)
            first = line;
        code = c;
        at += n;
        if (is_last) {
            r->code = code;
            r->status = find_status(span_drop(first, 4), code);
            r->lines = span_take(in, at);
            *used = at;
            return REPLYPARSE_OK;
        }
    }
    return in.n >= REPLYPARSE_MAX ? REPLYPARSE_TOO_LONG : REPLYPARSE_MORE;
}

bool replyparse_line(struct span *lines, struct span *text)
{
    struct span line;
    size_t n;

    if (!cut_line(*lines, &line, &n))
        return false;
    *lines = span_drop(*lines, n);
    *text = span_drop(line, 4);
    return true;
}

/* Octets of the well-formed UTF-8 sequence at the front, 0 when there is none. */
static size_t utf8_len(struct span s)
{
    static const struct {
        uint8_t lo, hi, n, second_lo, second_hi;
    } heads[] = {
        {0x20, 0x7e, 1, 0, 0},       {0xc2, 0xdf, 2, 0x80, 0xbf},
        {0xe0, 0xe0, 3, 0xa0, 0xbf}, {0xe1, 0xec, 3, 0x80, 0xbf},
        {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
        {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf},
        {0xf4, 0xf4, 4, 0x80, 0x8f},
    };

    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        if (s.p[0] < heads[i].lo || s.p[0] > heads[i].hi)
            continue;
        if (s.n < heads[i].n)
            return 0;
        if (heads[i].n > 1 &&
            (s.p[1] < heads[i].second_lo || s.p[1] > heads[i].second_hi))
            return 0;
        /* C1 controls are U+0080..U+009F: c2 80..c2 9f */
        if (s.p[0] == 0xc2 && s.p[1] < 0xa0)
            return 0;
        for (size_t k = 2; k < heads[i].n; k++)
            if (s.p[k] < 0x80 || s.p[k] > 0xbf)
                return 0;
        return heads[i].n;
    }
    return 0;
}

/* Append what fits into `end` octets of `out`, cleaned. */
static void put_clean(struct buf *out, struct span s, size_t end)
{
    while (s.n > 0) {
        size_t n = utf8_len(s);
        struct span piece = n > 0 ? span_take(s, n) : SPAN_LIT("?");

        if (out->len + piece.n > end || buf_span(out, piece) == -1)
            return;
        s = span_drop(s, n > 0 ? n : 1);
    }
}

void replyparse_print(const struct smtp_peer_reply *r, size_t max, struct buf *out)
{
    struct span lines = r->lines, text;
    size_t end = out->len + max;
    bool is_first = true;

    if (max < 3 || buf_printf(out, "%u", r->code) == -1)
        return;
    while (replyparse_line(&lines, &text)) {
        struct span status = find_status(text, r->code);

        /* Servers repeat the enhanced code on every line. */
        if (!is_first && span_eq(status, r->status))
            text = span_drop(text, status.n);
        text = span_trim(text);
        if (text.n > 0) {
            put_clean(out, SPAN_LIT(" "), end);
            put_clean(out, text, end);
        }
        is_first = false;
    }
}
