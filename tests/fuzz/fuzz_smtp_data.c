/* SPDX-License-Identifier: ISC */
/* The octets of a message against a second reading of RFC 5321 4.5.2, in pieces
 * (maild/smtp/data.h). Input: two octets for the cuts, one for the size limit, the octets. */
#include "maild/smtp/data.h"
#include "tests/fuzz/fuzz.h"

/* The first CR LF . CR LF from the start of the data on, a line start; -1 for none. */
static ptrdiff_t end_of_data(struct span in)
{
    ptrdiff_t at;

    if (span_starts(in, SPAN_LIT(".\r\n")))
        return 3;
    at = span_find(in, SPAN_LIT("\r\n.\r\n"));
    return at < 0 ? -1 : at + 5;
}

static bool has_bare(struct span in)
{
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == '\n' && (i == 0 || in.p[i - 1] != '\r'))
            return true;
        if (in.p[i] == '\r' && i + 1 < in.n && in.p[i + 1] != '\n')
            return true;
    }
    return false;
}

/* The message that stands in front of the end, dots unstuffed. */
static void unstuff(struct span in, struct buf *out)
{
    bool is_start = true;

    in = span_take(in, in.n - 3); /* the lone dot's line */
    for (size_t i = 0; i < in.n; i++) {
        if (!(is_start && in.p[i] == '.'))
            LAW(buf_byte(out, in.p[i]) == 0, "unstuffed text is not longer");
        is_start = in.p[i] == '\n';
    }
}

static enum smtp_data_result feed(struct smtp_data *d, struct span in,
                                  struct fuzz_cuts *cuts, size_t *used, struct buf *out)
{
    enum smtp_data_result r = SMTP_DATA_MORE;

    *used = 0;
    while (in.n > 0 && r == SMTP_DATA_MORE) {
        size_t n = cuts == NULL ? in.n : fuzz_cut(cuts, in.n), took;
        struct span piece = fuzz_heap(span_take(in, n));

        r = smtp_data_feed(d, piece, &took, out);
        LAW(took <= n && (r != SMTP_DATA_MORE || took == n), "what is taken is told");
        *used += took;
        in = span_drop(in, took);
        fuzz_heap_free(piece);
    }
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span in = span_of(data, n);
    unsigned choice = fuzz_u16(&in), limit = fuzz_u8(&in);
    struct fuzz_cuts cuts;
    struct smtp_data whole, pieces;
    struct buf a, b, want;
    size_t used, used_b;
    ptrdiff_t end = end_of_data(in);
    enum smtp_data_result r;

    fuzz_cuts_init(&cuts, choice);
    buf_init(&a, in.n + 2);
    buf_init(&b, in.n + 2);
    buf_init(&want, in.n + 2);
    smtp_data_begin(&whole, limit);
    smtp_data_begin(&pieces, limit);
    r = feed(&whole, in, NULL, &used, &a);
    LAW(r == (end < 0 ? SMTP_DATA_MORE : SMTP_DATA_END),
        "only CRLF . CRLF ends a message");
    LAW(used == (end < 0 ? in.n : (size_t)end), "and nothing behind it is taken");
    LAW(feed(&pieces, in, &cuts, &used_b, &b) == r && used_b == used &&
            whole.fault == pieces.fault && whole.is_8bit == pieces.is_8bit,
        "split law: end and faults of a message");
    if (end >= 0) {
        struct span text = span_take(in, used);
        bool is_bare =
            whole.fault == SMTP_DATA_BARE_CR || whole.fault == SMTP_DATA_BARE_LF;

        LAW(is_bare == has_bare(text), "bare line ends are seen, and only those");
        unstuff(text, &want);
        LAW(whole.fault != SMTP_DATA_TOO_BIG || want.len > limit,
            "size is not overstated");
        LAW(whole.fault != SMTP_DATA_GOOD || limit == 0 || want.len <= limit,
            "the limit holds");
        if (whole.fault == SMTP_DATA_GOOD) {
            LAW(whole.size == want.len, "the size is the message's");
            fuzz_same(buf_all(&a), buf_all(&want), "dots are unstuffed, nothing else");
        }
    }
    if (whole.fault == SMTP_DATA_GOOD)
        fuzz_same(buf_all(&a), buf_all(&b), "split law: octets of a message");
    buf_free(&a);
    buf_free(&b);
    buf_free(&want);
    return 0;
}
