/* SPDX-License-Identifier: ISC */
/* What the queue writes into its journal and in front of a message (maild/queue/jrec.h,
 * maild/store/blob.h). Input: one octet that chooses, then the octets; checksums of a leading
 * record are made right. */
#include <string.h>

#include "base/core/hash.h"
#include "base/core/wire.h"
#include "maild/queue/jrec.h"
#include "maild/store/blob.h"
#include "tests/fuzz/fuzz.h"

#define OUT_MAX (1u << 20)

static void check_accept(struct span in)
{
    struct jrec_accept a, b;
    struct msgid about;
    struct buf out, again;
    struct rd r;

    if (!jrec_accept_decode(in, &a))
        return;
    buf_init(&out, OUT_MAX);
    buf_init(&again, OUT_MAX);
    LAW(jrec_accept_encode(&a, &out) == 0 && buf_span(&out, a.message) == 0, "room");
    LAW(out.len == in.n && jrec_accept_decode(buf_all(&out), &b), "it decodes again");
    LAW(jrec_accept_encode(&b, &again) == 0 && buf_span(&again, b.message) == 0, "room");
    fuzz_same(buf_all(&out), buf_all(&again), "an accepted message stays what it is");
    buf_free(&again);
    buf_reset(&out);
    if (jrec_reported_open(a.reported, &about, &r)) {
        LAW(jrec_reported_begin(&out, &about) == 0, "room");
        while (rd_left(&r) > 0)
            LAW(jrec_reported_add(&out, rd_le32(&r)) == 0, "room");
        LAW(rd_done(&r), "numbers are whole");
        fuzz_same(a.reported, buf_all(&out),
                  "what a bounce reports encodes to what it was");
    }
    buf_free(&out);
}

/* All of them; false unless the record is exactly that. */
static bool take_results(struct span in, struct msgid *id, struct jrec_result *v,
                         size_t cap, size_t *n)
{
    uint32_t count;
    struct rd r;

    *n = 0;
    if (!jrec_result_open(in, id, &count, &r))
        return false;
    while (*n < count && *n < cap && jrec_result_next(&r, &v[*n]))
        ++*n;
    return *n == count && rd_done(&r);
}

static void check_result(struct span in)
{
    struct jrec_result v[64];
    struct msgid id;
    struct buf out, again;
    size_t n = 0;

    if (!take_results(in, &id, v, COUNT_OF(v), &n))
        return;
    buf_init(&out, OUT_MAX);
    buf_init(&again, OUT_MAX);
    LAW(jrec_result_encode(&id, v, n, &out) == 0 && out.len == in.n,
        "they have their size");
    LAW(take_results(buf_all(&out), &id, v, COUNT_OF(v), &n), "they decode again");
    LAW(jrec_result_encode(&id, v, n, &again) == 0, "room");
    fuzz_same(buf_all(&out), buf_all(&again), "results stay what they are");
    buf_free(&out);
    buf_free(&again);
}

static void check_head(struct span in)
{
    struct blob_head h;
    struct buf out;

    if (!blob_head_decode(in, &h))
        return;
    buf_init(&out, OUT_MAX);
    LAW(blob_head_size(h.envelope.n) <= in.n, "a leading record lies in its file");
    LAW(h.offset >= blob_head_size(h.envelope.n), "the message stands behind it");
    LAW(blob_head_encode(&h, &out) == 0 && out.len == blob_head_size(h.envelope.n),
        "room");
    fuzz_same(span_take(in, out.len), buf_all(&out),
              "a leading record encodes to what it was");
    buf_free(&out);
}

/* Length and checksum over what the length says. */
static void make_right(uint8_t *p, size_t n)
{
    struct rd r;
    uint32_t length, crc;

    if (n < 16)
        return;
    memcpy(p, "SPBL\1\0\0\0", 8);
    rd_init(&r, span_of(p + 8, 4));
    length = rd_le32(&r);
    if (length < 16 || length > n)
        return;
    crc = crc32c(0, span_of(p + 16, length - 16));
    for (int i = 0; i < 4; i++)
        p[12 + i] = (uint8_t)(crc >> 8 * i & 0xff);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span in = span_of(data, n), octets;
    unsigned what = fuzz_u8(&in) % 3;

    octets = fuzz_heap(in);
    if (what == 0) {
        check_accept(octets);
    } else if (what == 1) {
        check_result(octets);
    } else {
        make_right((uint8_t *)(uintptr_t)octets.p, octets.n);
        check_head(octets);
    }
    fuzz_heap_free(octets);
    return 0;
}
