/* SPDX-License-Identifier: ISC */
/* DNS messages as those read them who ask (base/dns/message.h), and record data as octets
 * (base/dns/rdata.h). Input: two octets of a type, then a message, which is read as record data
 * of that type, too. */
#include "base/core/err.h"
#include "base/dns/message.h"
#include "base/dns/rdata.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX (400u * 1024u)

static void check_names(uint16_t type, struct span wire)
{
    struct span name;
    size_t at = 0, n = 0;

    while (rdata_next_name(type, wire, &at, &name)) {
        LAW(name.p >= wire.p && name.n <= wire.n && dname_check(name) == name.n,
            "names in record data are names");
        LAW(++n <= wire.n, "and there are no more of them than octets");
    }
}

/* Octets -> text -> octets. */
static void check_rdata(uint16_t type, struct span wire)
{
    bool is_valid = rdata_is_valid(type, wire);
    struct buf text, again;
    struct err err = {0};

    if (wire.n > RDATA_MAX)
        return;
    buf_init(&text, TEXT_MAX);
    buf_init(&again, RDATA_MAX);
    LAW(rdata_print(type, wire, &text) == 0, "record data prints");
    LAW(fuzz_is_plain(buf_all(&text)), "as one line of plain text");
    LAW(rdata_eq(type, wire, wire), "data equals itself");
    if (is_valid) {
        check_names(type, wire);
        LAW(rdata_parse(type, buf_all(&text), NULL, &again, &err) == 0, "and reads back");
        fuzz_same(wire, buf_all(&again), "to the same octets");
    }
    buf_free(&text);
    buf_free(&again);
}

static void check_rr(struct span packet, const struct message_rr *rr)
{
    struct buf wire;

    LAW(dname_check(dname_span(&rr->owner)) == rr->owner.n, "an owner is a name");
    if (rr->section == MESSAGE_QUESTION)
        return;
    LAW(rr->rdata_at <= packet.n && rr->rdata.n <= packet.n - rr->rdata_at,
        "record data lies in its packet");
    buf_init(&wire, RDATA_MAX);
    if (rdata_unpack(rr->type, packet, rr->rdata_at, rr->rdata.n, &wire) == 0) {
        LAW(rdata_is_valid(rr->type, buf_all(&wire)),
            "unpacked data has its type's shape");
        check_rdata(rr->type, buf_all(&wire));
    } else {
        LAW(wire.len == 0, "refused data leaves nothing behind");
    }
    buf_free(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span in = span_of(data, n);
    uint16_t type = fuzz_u16(&in);
    struct span packet = fuzz_heap(in);
    enum message_result r = MESSAGE_END;
    struct message_rr rr;
    struct message m;
    size_t count = 0;

    check_rdata(type, packet);
    if (message_open(&m, packet))
        while ((r = message_next(&m, &rr)) == MESSAGE_OK) {
            LAW(++count <= packet.n, "there are no more records than octets");
            check_rr(packet, &rr);
        }
    LAW(r == MESSAGE_BAD || n < 14 || m.at == packet.n,
        "at the end nothing is left over");
    fuzz_heap_free(packet);
    return 0;
}
