/* SPDX-License-Identifier: ISC */
/* The small codings everything else stands on: base64, base32, hex, UTF-8, addresses, ids
 * (base/core/codec.h, utf8.h, ipaddr.h, msgid.h, span.h). Input: any octets. */
#include <string.h>

#include "base/core/codec.h"
#include "base/core/ipaddr.h"
#include "base/core/msgid.h"
#include "base/core/utf8.h"
#include "base/msg/encword.h"
#include "tests/fuzz/fuzz.h"

static const struct coding {
    int (*encode)(struct span in, struct buf *out);
    bool (*decode)(struct span in, struct buf *out);
    bool has_case; /* decoding takes either letter case */
} codings[] = {
    {base64_encode, base64_decode, false},
    {base32_encode, base32_decode, true},
    {base32hex_encode, base32hex_decode, true},
    {hex_encode, hex_decode, true},
};

static void check_coding(const struct coding *c, struct span s)
{
    struct buf text, octets, tight;

    buf_init(&text, 4 * s.n + 8);
    buf_init(&octets, s.n + 1);
    LAW(c->encode(s, &text) == 0, "octets have a text");
    LAW(c->decode(buf_all(&text), &octets), "which reads back");
    fuzz_same(s, buf_all(&octets), "to the same octets");
    buf_reset(&text);
    buf_reset(&octets);
    if (c->decode(s, &octets)) {
        LAW(octets.len <= s.n, "decoding makes nothing longer");
        LAW(c->encode(buf_all(&octets), &text) == 0, "octets have a text");
        LAW(c->has_case ? span_eq_nocase(s, buf_all(&text)) : span_eq(s, buf_all(&text)),
            "one value has one text");
        if (octets.len > 1) {
            buf_init(&tight, octets.len - 1);
            LAW(!c->decode(s, &tight) && tight.len == 0, "a ceiling is kept");
            buf_free(&tight);
        }
    } else {
        LAW(octets.len == 0, "refused text leaves nothing behind");
    }
    buf_free(&text);
    buf_free(&octets);
}

static void check_utf8(struct span s)
{
    struct span rest = s;
    bool is_text = true;

    while (rest.n > 0) {
        uint32_t point = 0;
        size_t n = utf8_next(rest, &point);

        LAW(n <= 4 && n <= rest.n && point <= 0x10ffff, "a character has its length");
        LAW(n == 0 || point < 0xd800 || point > 0xdfff, "a surrogate is no character");
        if (n == 0) {
            LAW(!utf8_is_valid(s), "both readers agree");
            is_text = false;
            break;
        }
        if (point < 32 || (point >= 127 && point < 160))
            is_text = false;
        rest = span_drop(rest, n);
    }
    LAW(rest.n > 0 || utf8_is_valid(s), "both readers agree");
    LAW(utf8_is_text(s) == is_text, "text is characters without controls");
}

static void check_address(struct span s)
{
    char text[IPADDR_TEXT], name[IPADDR_REVERSE_TEXT];
    struct ipaddr a, again;
    unsigned bits;
    uint16_t port;

    if (ipaddr_parse(s, &a)) {
        ipaddr_print(&a, text);
        LAW(ipaddr_parse(span_str(text), &again) && ipaddr_eq(&a, &again),
            "an address reads back");
        ipaddr_reverse_name(&a, name);
        LAW(strlen(name) < IPADDR_REVERSE_TEXT, "a reverse name has its length");
        LAW(ipaddr_in_prefix(&a, &a, a.family == AF_INET ? 32 : 128), "a is in a");
        (void)ipaddr_is_private(&a);
        (void)ipaddr_is_loopback(&a);
        ipaddr_unmap(&a);
    }
    if (ipaddr_parse_prefix(s, &a, &bits))
        LAW(bits <= (a.family == AF_INET ? 32 : 128) && ipaddr_in_prefix(&a, &a, bits),
            "a prefix holds its own address");
    (void)ipaddr_parse_port(s, &a, &port);
}

static void check_id(struct span s)
{
    char text[MSGID_TEXT + 1];
    struct msgid id;

    if (!msgid_parse(s, &id))
        return;
    msgid_print(&id, text);
    LAW(span_eq_nocase(s, span_str(text)), "an id has one text");
}

static void check_span(struct span s)
{
    struct span rest = s, word, head;
    size_t octets = 0;
    uint64_t v;

    while (span_word(&rest, &word)) {
        LAW(word.n > 0 && span_index(word, ' ') == -1, "a word has no blanks");
        octets += word.n;
    }
    LAW(octets <= s.n, "words come from the text");
    if (span_cut(s, '=', &head, &rest))
        LAW(head.n + 1 + rest.n == s.n, "a cut loses one octet");
    if (span_to_u64(s, 1000, &v))
        LAW(v <= 1000 && s.n > 0, "a number is in its range");
    LAW(span_cmp(s, span_trim(s)) >= 0 || span_trim(s).n < s.n,
        "trimmed text is shorter");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span s = fuzz_heap(span_of(data, n));

    for (size_t i = 0; i < COUNT_OF(codings); i++)
        check_coding(&codings[i], s);
    check_utf8(s);
    check_address(s);
    check_id(s);
    check_span(s);
    fuzz_heap_free(s);
    return 0;
}
