/* SPDX-License-Identifier: ISC */
/* What DKIM hashes, and the field that says so (deliverability/canon.h, dkim_sign.h). Input: two
 * octets for the cuts, then a message. */
#include "base/msg/header.h"
#include "deliverability/canon.h"
#include "deliverability/dkim_sign.h"
#include "tests/fuzz/fuzz.h"

static void sink(void *ctx, struct span octets)
{
    LAW(buf_span(ctx, octets) == 0, "a canonical body is no longer than the body");
}

static void canon(enum canon_kind kind, struct span body, struct fuzz_cuts *cuts,
                  struct buf *out)
{
    struct canon_body c;

    buf_init(out, body.n + 2);
    canon_body_begin(&c, kind, sink, out);
    while (body.n > 0) {
        size_t n = cuts == NULL ? body.n : fuzz_cut(cuts, body.n);
        struct span piece = fuzz_heap(span_take(body, n));

        canon_body_put(&c, piece);
        fuzz_heap_free(piece);
        body = span_drop(body, n);
    }
    canon_body_end(&c);
}

static void check_body(enum canon_kind kind, struct span body, unsigned choice)
{
    struct fuzz_cuts cuts;
    struct buf whole, pieces, again;

    fuzz_cuts_init(&cuts, choice);
    canon(kind, body, NULL, &whole);
    canon(kind, body, &cuts, &pieces);
    fuzz_same(buf_all(&whole), buf_all(&pieces), "split law: canonical body");
    canon(kind, buf_all(&whole), NULL, &again);
    fuzz_same(buf_all(&whole), buf_all(&again), "a canonical body stays as it is");
    LAW(!span_ends_nocase(buf_all(&whole), SPAN_LIT("\r\n\r\n")),
        "empty lines at the end do not count");
    LAW(whole.len == 0 || span_ends_nocase(buf_all(&whole), SPAN_LIT("\r\n")),
        "a body ends with CRLF");
    buf_free(&whole);
    buf_free(&pieces);
    buf_free(&again);
}

static void check_fields(struct span message)
{
    struct header_iter it;
    struct header_field f, g;
    struct buf once, twice;

    for (header_begin(&it, message); header_next(&it, &f);) {
        struct header_iter again;

        buf_init(&once, f.raw.n + 4);
        buf_init(&twice, f.raw.n + 8);
        LAW(canon_header(CANON_SIMPLE, &f, &once) == 0, "a simple field is what it was");
        buf_reset(&once);
        LAW(canon_header(CANON_RELAXED, &f, &once) == 0, "a relaxed field is no longer");
        LAW(span_ends_nocase(buf_all(&once), SPAN_LIT("\r\n")), "a field ends with CRLF");
        header_begin(&again, buf_all(&once));
        if (f.name.n > 0 && header_next(&again, &g)) {
            LAW(canon_header(CANON_RELAXED, &g, &twice) == 0, "and once more");
            fuzz_same(buf_all(&once), buf_all(&twice),
                      "a canonical field stays as it is");
        }
        buf_free(&once);
        buf_free(&twice);
    }
}

static void check_sign(struct span message)
{
    static const uint8_t hash[DKIM_BODY_HASH];
    const struct dkim_sign s = {.algorithm = DKIM_RSA_SHA256,
                                .domain = SPAN_LIT("example.com"),
                                .selector = SPAN_LIT("sp1"),
                                .now_s = 1795000000,
                                .body_hash = span_of(hash, sizeof(hash))};
    struct span header = span_take(message, header_size(message));
    struct header_iter it;
    struct header_field f;
    struct buf field, input;

    buf_init(&field, DKIM_FIELD_MAX);
    buf_init(&input, 2 * message.n + DKIM_FIELD_MAX);
    if (dkim_sign_begin(&s, header, &field, &input) == 0) {
        LAW(header_count(header, "From") > 0, "only mail from somebody is signed");
        LAW(dkim_sign_end(&field, span_of(hash, sizeof(hash))) == 0,
            "it can be completed");
        header_begin(&it, buf_all(&field));
        LAW(header_next(&it, &f) && f.raw.n == field.len &&
                span_eq_str(f.name, "DKIM-Signature"),
            "a signature is one field");
    }
    buf_free(&field);
    buf_free(&input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span in = span_of(data, n), message;
    unsigned choice = fuzz_u16(&in);

    message = fuzz_heap(in);
    check_body(CANON_SIMPLE, message, choice);
    check_body(CANON_RELAXED, message, choice);
    check_fields(message);
    check_sign(message);
    fuzz_heap_free(message);
    return 0;
}
