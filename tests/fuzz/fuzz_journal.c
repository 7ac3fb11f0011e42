/* SPDX-License-Identifier: ISC */
/* The acceptance journal's octets: a segment is written, damaged, and read back
 * (maild/store/record.h). What is read is what was written, in order, or nothing.
 *
 * Input: one octet; odd: the rest is a segment; even: the number of records in the next octet,
 * each a field, then damage: 16 bits of place and an octet to add. */
#include <string.h>

#include "maild/store/record.h"
#include "tests/fuzz/fuzz.h"

#define RECORDS_MAX 16
#define BASE        1000000

struct written {
    size_t n;
    struct {
        uint16_t type;
        uint64_t at; /* in the segment */
        struct span payload;
    } r[RECORDS_MAX];
};

static void write_segment(struct span *in, struct written *w, struct buf *seg)
{
    const struct record_segment s = {.base = BASE, .previous = BASE - 8, .number = 7};
    uint8_t head[RECORD_SEGMENT_HEAD];
    size_t count = fuzz_u8(in) % (RECORDS_MAX + 1);

    record_segment_encode(&s, head);
    LAW(buf_append(seg, head, sizeof(head)) == 0, "room");
    for (w->n = 0; w->n < count; w->n++) {
        struct span parts[2] = {fuzz_field(in), fuzz_field(in)};
        size_t at = seg->len;

        w->r[w->n].type = (uint16_t)(1 + w->n);
        w->r[w->n].at = at;
        /* the two parts stand side by side in the input but for the second's length */
        w->r[w->n].payload = parts[1].n == 0 ? parts[0] : parts[1];
        if (parts[1].n > 0)
            parts[0].n = 0;
        LAW(record_encode(w->r[w->n].type, parts, 2, seg) == 0, "a record has room");
        LAW(seg->len - at == record_size(w->r[w->n].payload.n), "a record has its size");
        record_seal(seg->data + at, seg->len - at, BASE + at - RECORD_SEGMENT_HEAD,
                    w->n % 2 ? BASE : BASE + at - RECORD_SEGMENT_HEAD);
    }
    LAW(buf_append(seg, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16) == 0, "room");
}

/* Read to the first place that is no record; returns how many there were. */
static size_t read_segment(struct span seg, const struct written *w)
{
    struct record_segment s;
    struct record r;
    uint64_t at = RECORD_SEGMENT_HEAD, next;
    enum record_result result;
    size_t n = 0;

    if (!record_segment_decode(span_take(seg, RECORD_SEGMENT_HEAD), &s))
        return 0;
    while ((result = record_decode(seg, &s, at, &r, &next)) == RECORD_OK) {
        LAW(next > at && next <= seg.n && next % 8 == 0, "each record takes octets");
        LAW(r.type != 0 && r.payload.n <= RECORD_PAYLOAD_MAX &&
                r.position == s.base + (at - RECORD_SEGMENT_HEAD),
            "a record knows its place");
        LAW(r.payload.n == 0 ||
                (r.payload.p >= seg.p && r.payload.p + r.payload.n <= seg.p + seg.n),
            "its octets lie in the segment");
        if (w != NULL) {
            LAW(n < w->n && w->r[n].at == at && w->r[n].type == r.type,
                "what is read was written there");
            fuzz_same(w->r[n].payload, r.payload, "with these octets");
        }
        n++;
        at = next;
    }
    if (result == RECORD_BAD)
        (void)record_promised_later(seg, &s, at);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span in = span_of(data, n), seg;
    struct written w = {0};
    struct buf made;

    if (fuzz_u8(&in) % 2 == 1) {
        seg = fuzz_heap(in);
        (void)read_segment(seg, NULL);
        fuzz_heap_free(seg);
        return 0;
    }
    buf_init(&made, 1u << 20);
    write_segment(&in, &w, &made);
    seg = fuzz_heap(buf_all(&made));
    LAW(read_segment(seg, &w) == w.n, "all that was written is read");
    while (in.n > 2)
        ((uint8_t *)(uintptr_t)seg.p)[fuzz_u16(&in) % seg.n] += fuzz_u8(&in);
    /* a damaged head may claim another base: then records are not of this life */
    (void)read_segment(seg, &w);
    fuzz_heap_free(seg);
    buf_free(&made);
    return 0;
}
