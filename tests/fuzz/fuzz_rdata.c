/* SPDX-License-Identifier: ISC */
/* Record data as text (base/dns/rdata.h, rrtype.h). Input: a type's name, a blank, the text of
 * a record; or a number of seconds. */
#include <string.h>

#include "base/core/err.h"
#include "base/dns/rdata.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX (400u * 1024u)

static void check_type(uint16_t type)
{
    char name[RRTYPE_TEXT];
    uint16_t again;

    LAW(rrtype_parse(span_str(rrtype_print(type, name)), &again) && again == type,
        "a type's name reads back");
}

static void check_text(uint16_t type, struct span text)
{
    struct buf wire, printed, again;
    struct err err = {0};
    struct dname origin;

    LAW(dname_parse(SPAN_LIT("example.com."), NULL, &origin) == DNAME_OK, "a name");
    buf_init(&wire, RDATA_MAX);
    buf_init(&printed, TEXT_MAX);
    buf_init(&again, RDATA_MAX);
    if (rdata_parse(type, text, &origin, &wire, &err) == -1) {
        LAW(wire.len == 0, "refused text leaves nothing behind");
        LAW(err.text[0] != '\0' && strchr(err.text, '\n') == NULL,
            "a refusal is a line that says why");
    } else {
        LAW(rdata_is_valid(type, buf_all(&wire)), "what is parsed has its type's shape");
        LAW(rdata_print(type, buf_all(&wire), &printed) == 0, "and prints");
        LAW(fuzz_is_plain(buf_all(&printed)), "as one line of plain text");
        LAW(rdata_parse(type, buf_all(&printed), NULL, &again, &err) == 0,
            "and reads back");
        fuzz_same(buf_all(&wire), buf_all(&again), "to the same octets");
    }
    buf_free(&wire);
    buf_free(&printed);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span all = fuzz_heap(span_of(data, n)), name, text;
    uint32_t seconds;
    uint16_t type;

    LAW(!rdata_parse_ttl(all, &seconds) || n > 0, "a time has text");
    (void)rrclass_parse(all, &type);
    (void)span_cut(all, ' ', &name, &text);
    if (rrtype_parse(name, &type)) {
        struct span heap = fuzz_heap(text);

        check_type(type);
        check_text(type, heap);
        fuzz_heap_free(heap);
    }
    fuzz_heap_free(all);
    return 0;
}
