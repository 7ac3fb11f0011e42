/* SPDX-License-Identifier: ISC */
#include "maild/store/record.h"

#include <assert.h>
#include <string.h>

#include "base/core/hash.h"
#include "base/core/wire.h"

#define SEGMENT_MAGIC  0x534a5053u /* "SPJS" */
#define RECORD_MAGIC   0x524a5053u /* "SPJR" */
#define FORMAT_VERSION 1u
#define CRC_AT         12u /* in a record's head; what follows is covered */
#define COVERED_AT     16u
#define SEGMENT_CRC_AT 32u
#define RECORD_ALIGN   8u

static void put_le16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v & 0xff);
    p[1] = (uint8_t)(v >> 8);
}

static void put_le32(uint8_t *p, uint32_t v)
{
    put_le16(p, (uint16_t)(v & 0xffff));
    put_le16(p + 2, (uint16_t)(v >> 16));
}

static void put_le64(uint8_t *p, uint64_t v)
{
    put_le32(p, (uint32_t)(v & 0xffffffff));
    put_le32(p + 4, (uint32_t)(v >> 32));
}

static uint32_t get_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static uint64_t get_le64(const uint8_t *p)
{
    return (uint64_t)get_le32(p) | (uint64_t)get_le32(p + 4) << 32;
}

uint64_t record_size(uint64_t payload)
{
    return (RECORD_HEAD + payload + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

void record_segment_encode(const struct record_segment *s,
                           uint8_t head[RECORD_SEGMENT_HEAD])
{
    memset(head, 0, RECORD_SEGMENT_HEAD);
    put_le32(head, SEGMENT_MAGIC);
    put_le32(head + 4, FORMAT_VERSION);
    put_le64(head + 8, s->base);
    put_le64(head + 16, s->previous);
    put_le64(head + 24, s->number);
    put_le32(head + SEGMENT_CRC_AT, crc32c(0, span_of(head, SEGMENT_CRC_AT)));
}

bool record_segment_decode(struct span head, struct record_segment *s)
{
    if (head.n < RECORD_SEGMENT_HEAD || get_le32(head.p) != SEGMENT_MAGIC ||
        get_le32(head.p + 4) != FORMAT_VERSION ||
        get_le32(head.p + SEGMENT_CRC_AT) != crc32c(0, span_take(head, SEGMENT_CRC_AT)))
        return false;
    s->base = get_le64(head.p + 8);
    s->previous = get_le64(head.p + 16);
    s->number = get_le64(head.p + 24);
    return true;
}

/* CRC of a record that stands in memory with its head. */
static uint32_t record_crc(const uint8_t *p, uint32_t length)
{
    uint32_t crc = crc32c(0, span_of(p + 4, CRC_AT - 4));

    return crc32c(crc, span_of(p + COVERED_AT, RECORD_HEAD - COVERED_AT + length));
}

int record_encode(uint16_t type, const struct span *parts, size_t n, struct buf *out)
{
    static const uint8_t zeros[RECORD_ALIGN];
    uint8_t head[RECORD_HEAD] = {0};
    uint64_t length = 0;

    assert(type != 0);
    for (size_t i = 0; i < n; i++) {
        if (parts[i].n > RECORD_PAYLOAD_MAX - length)
            return -1;
        length += parts[i].n;
    }
    if (buf_reserve(out, (size_t)record_size(length)) == -1)
        return -1;
    put_le32(head, RECORD_MAGIC);
    put_le16(head + 4, FORMAT_VERSION);
    put_le16(head + 6, type);
    put_le32(head + 8, (uint32_t)length);
    int bad = buf_append(out, head, sizeof(head));
    for (size_t i = 0; i < n; i++)
        bad |= buf_span(out, parts[i]);
    bad |= buf_append(out, zeros, (size_t)(record_size(length) - RECORD_HEAD - length));
    assert(bad == 0); /* reserved above */
    return 0;
}

void record_seal(uint8_t *records, size_t n, uint64_t position, uint64_t synced)
{
    assert(position % RECORD_ALIGN == 0);
    for (size_t at = 0; at < n;) {
        uint8_t *p = records + at;
        uint32_t length = get_le32(p + 8);

        put_le64(p + COVERED_AT, position + at);
        put_le64(p + 24, synced);
        put_le32(p + CRC_AT, record_crc(p, length));
        at += (size_t)record_size(length);
        assert(at <= n);
    }
}

enum record_result record_decode(struct span seg, const struct record_segment *s,
                                 uint64_t at, struct record *r, uint64_t *next)
{
    const uint8_t *p;
    uint32_t length;

    if (at > seg.n || seg.n - at < RECORD_HEAD)
        return RECORD_END;
    p = seg.p + at;
    if (get_le32(p) != RECORD_MAGIC ||
        get_le64(p + COVERED_AT) != s->base + (at - RECORD_SEGMENT_HEAD))
        return RECORD_END;
    length = get_le32(p + 8);
    if ((p[4] | p[5] << 8) != FORMAT_VERSION || length > RECORD_PAYLOAD_MAX ||
        length > seg.n - at - RECORD_HEAD)
        return RECORD_BAD;
    r->type = (uint16_t)(p[6] | p[7] << 8);
    if (record_crc(p, length) != get_le32(p + CRC_AT) || r->type == 0)
        return RECORD_BAD;
    r->position = get_le64(p + COVERED_AT);
    r->synced = get_le64(p + 24);
    r->payload = span_of(p + RECORD_HEAD, length);
    *next = at + record_size(length);
    return RECORD_OK;
}

bool record_promised_later(struct span seg, const struct record_segment *s, uint64_t at)
{
    const uint64_t position = s->base + (at - RECORD_SEGMENT_HEAD);
    struct record r;
    uint64_t next;

    for (uint64_t i = at + RECORD_ALIGN; i < seg.n; i += RECORD_ALIGN) {
        if (record_decode(seg, s, i, &r, &next) == RECORD_OK && r.synced > position)
            return true;
    }
    return false;
}
